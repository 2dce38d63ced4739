//! Releases that wait for the officer's yes: what would leave, and until when.
//!
//! The answer is a signed decision ([`super::officer`]); here stands only what is asked.
use super::{Store, fault};
use sqlx::Row as _;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;

/// A release that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The round.
    pub round: Digest,
    /// Digest of the study.
    pub study: Digest,
    /// What would leave and what it costs, in words.
    pub statement: String,
    /// Seconds since 1970, UTC: from then on there is no release.
    pub deadline_unix_s: i64,
}

/// Writes down that a release waits.
///
/// # Errors
/// A fault of the database: then nothing is released.
pub async fn hold(store: &Store, held: &Held) -> Result<(), Fault> {
    sqlx::query(
        "INSERT OR IGNORE INTO held (round, study, statement, deadline_unix_s) VALUES (?, ?, ?, ?)",
    )
    .bind(held.round.to_string())
    .bind(held.study.to_string())
    .bind(&held.statement)
    .bind(held.deadline_unix_s)
    .execute(store.pool())
    .await
    .map_err(|e| fault(&e))?;
    Ok(())
}

/// Every release that ever waited, oldest first.
///
/// # Errors
/// A fault of the database, or a damaged row in it.
pub async fn all(store: &Store) -> Result<Vec<Held>, Fault> {
    let rows =
        sqlx::query("SELECT round, study, statement, deadline_unix_s FROM held ORDER BY rowid")
            .fetch_all(store.pool())
            .await
            .map_err(|e| fault(&e))?;
    let read = |row: &sqlx::sqlite::SqliteRow| {
        let digest = |column: &str| {
            let text: String = row.try_get(column).map_err(|e| fault(&e))?;
            text.parse().map_err(|_| Fault::operator("a held release is damaged"))
        };
        Ok(Held {
            round: digest("round")?,
            study: digest("study")?,
            statement: row.try_get("statement").map_err(|e| fault(&e))?,
            deadline_unix_s: row.try_get("deadline_unix_s").map_err(|e| fault(&e))?,
        })
    };
    rows.iter().map(read).collect()
}
