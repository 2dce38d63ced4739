//! The officer's decisions: the pinned roster and the approved studies.
//!
//! A study or roster is kept as its exact text and read anew at each use, so what counts is always what
//! the digest covers.
use super::{Store, fault};
use sqlx::Row as _;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::roster::Roster;
use tacit_shared::study::Study;

/// Pins a roster; it counts from now on.
///
/// # Errors
/// A fault of the database.
pub async fn pin(store: &Store, roster: &Roster, text: &str, now_s: i64) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO roster (digest, text, pinned_unix_s) VALUES (?, ?, ?)
         ON CONFLICT (digest) DO UPDATE SET pinned_unix_s = excluded.pinned_unix_s",
    )
    .bind(roster.digest().to_string())
    .bind(text)
    .bind(now_s)
    .execute(store.pool())
    .await
    .map_err(|e| fault(&e))?;
    Ok(())
}

/// The roster pinned last.
///
/// # Errors
/// A fault of the database, or a roster in it that cannot be read any more.
pub async fn roster(store: &Store) -> Result<Option<Roster>, Fault> {
    let row =
        sqlx::query("SELECT text FROM roster ORDER BY pinned_unix_s DESC, rowid DESC LIMIT 1")
            .fetch_optional(store.pool())
            .await
            .map_err(|e| fault(&e))?;
    let Some(row) = row else { return Ok(None) };
    let text: String = row.try_get("text").map_err(|e| fault(&e))?;
    Roster::parse(&text).map(Some).map_err(|e| e.into_fault("the pinned roster"))
}

/// Approves a study.
///
/// # Errors
/// A fault of the database.
pub async fn approve(store: &Store, study: &Study, text: &str, now_s: i64) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO approval (digest, name, text, approved_unix_s) VALUES (?, ?, ?, ?)
         ON CONFLICT (digest) DO UPDATE SET
             approved_unix_s = excluded.approved_unix_s, revoked_unix_s = NULL",
    )
    .bind(study.digest().to_string())
    .bind(study.name().as_str())
    .bind(text)
    .bind(now_s)
    .execute(store.pool())
    .await
    .map_err(|e| fault(&e))?;
    Ok(())
}

/// Revokes an approval; `false` if there was none.
///
/// # Errors
/// A fault of the database.
pub async fn revoke(store: &Store, study: Digest, now_s: i64) -> Result<bool, Fault> {
    let done = sqlx::query(
        "UPDATE approval SET revoked_unix_s = ? WHERE digest = ? AND revoked_unix_s IS NULL",
    )
    .bind(now_s)
    .bind(study.to_string())
    .execute(store.pool())
    .await
    .map_err(|e| fault(&e))?;
    Ok(done.rows_affected() > 0)
}

/// The study with this digest, if it is approved.
///
/// # Errors
/// A fault of the database, or a study in it that cannot be read any more.
pub async fn approved(store: &Store, digest: Digest) -> Result<Option<Study>, Fault> {
    let row = sqlx::query("SELECT text FROM approval WHERE digest = ? AND revoked_unix_s IS NULL")
        .bind(digest.to_string())
        .fetch_optional(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    let Some(row) = row else { return Ok(None) };
    let text: String = row.try_get("text").map_err(|e| fault(&e))?;
    let study = Study::parse(&text).map_err(|e| e.into_fault("an approved study"))?;
    // The text could have been changed behind our back: what counts is what it says now.
    Ok((study.digest() == digest).then_some(study))
}

/// Name, digest and whether approved, of every study ever approved.
///
/// # Errors
/// A fault of the database.
pub async fn list(store: &Store) -> Result<Vec<(String, String, bool)>, Fault> {
    let rows = sqlx::query(
        "SELECT name, digest, revoked_unix_s IS NULL AS active FROM approval ORDER BY rowid",
    )
    .fetch_all(store.pool())
    .await
    .map_err(|e| fault(&e))?;
    let read = |row: &sqlx::sqlite::SqliteRow| {
        Ok::<_, sqlx::Error>((row.try_get("name")?, row.try_get("digest")?, row.try_get("active")?))
    };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(|e| fault(&e))
}
