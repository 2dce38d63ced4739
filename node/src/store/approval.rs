//! What the officer decides on: the pinned roster, and the studies. The decisions on studies are
//! [`super::officer`]'s.
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

/// Keeps the text of a study that the officer is about to approve. By itself it approves nothing: that
/// takes a decision signed by the officer ([`super::officer`]).
///
/// # Errors
/// A fault of the database.
pub async fn keep(store: &Store, study: &Study, text: &str, now_s: i64) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO approval (digest, name, text, approved_unix_s) VALUES (?, ?, ?, ?)
         ON CONFLICT (digest) DO UPDATE SET approved_unix_s = excluded.approved_unix_s",
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

/// The text of a study that was kept, if there is one; whether it is approved is not said here.
///
/// # Errors
/// A fault of the database, or a study in it that cannot be read any more.
pub async fn kept(store: &Store, digest: Digest) -> Result<Option<Study>, Fault> {
    let row = sqlx::query("SELECT text FROM approval WHERE digest = ?")
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

/// Name and digest of every study that was ever decided on.
///
/// # Errors
/// A fault of the database, or a damaged digest in it.
pub async fn list(store: &Store) -> Result<Vec<(String, Digest)>, Fault> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT name, digest FROM approval ORDER BY rowid")
            .fetch_all(store.pool())
            .await
            .map_err(|e| fault(&e))?;
    let read = |(name, digest): (String, String)| {
        let digest = digest.parse().map_err(|_| Fault::operator("a kept study is damaged"))?;
        Ok((name, digest))
    };
    rows.into_iter().map(read).collect()
}

/// The texts of every roster ever pinned and every study ever decided on, oldest first.
///
/// # Errors
/// A fault of the database.
pub async fn texts(store: &Store) -> Result<(Vec<String>, Vec<String>), Fault> {
    let of = async |sql: &'static str| {
        let texts = sqlx::query_scalar::<_, String>(sql).fetch_all(store.pool()).await;
        texts.map_err(|e| fault(&e))
    };
    Ok((
        of("SELECT text FROM roster ORDER BY pinned_unix_s, rowid").await?,
        of("SELECT text FROM approval ORDER BY rowid").await?,
    ))
}
