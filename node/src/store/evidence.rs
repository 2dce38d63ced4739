//! What a round leaves behind at the hospital: counters, survivors, openings, signed results.
use super::{Store, fault};
use sqlx::Row as _;
use std::collections::BTreeSet;
use tacit_shared::fault::Fault;
use tacit_shared::id::{Digest, SiteIndex, StudyName};
use tacit_shared::privacy::release::Opening;
use tacit_shared::protocol::site::{History, Record};
use tacit_shared::roster::Key;

/// What a site remembers of earlier rounds with this coordinator over this study.
///
/// # Errors
/// A fault of the database, or survivors in it that cannot be read.
pub async fn history(
    store: &Store,
    coordinator: Key,
    family: &StudyName,
) -> Result<History, Fault> {
    let counter: Option<i64> =
        sqlx::query_scalar("SELECT counter FROM round_counter WHERE coordinator = ?")
            .bind(String::from(coordinator))
            .fetch_optional(store.pool())
            .await
            .map_err(|e| fault(&e))?;
    let rows = sqlx::query("SELECT members FROM survivors WHERE family = ? ORDER BY rowid")
        .bind(family.as_str())
        .fetch_all(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    let mut survivors = Vec::with_capacity(rows.len());
    for row in &rows {
        let members: String = row.try_get("members").map_err(|e| fault(&e))?;
        survivors.push(parse_members(&members)?);
    }
    let last_counter = counter.and_then(|c| u64::try_from(c).ok()).unwrap_or(0);
    Ok(History { last_counter, survivors })
}

fn parse_members(text: &str) -> Result<BTreeSet<SiteIndex>, Fault> {
    let index = |part: &str| part.parse().ok().and_then(SiteIndex::new);
    let members: Option<BTreeSet<SiteIndex>> = text.split(' ').map(index).collect();
    members.ok_or_else(|| Fault::operator("the record of earlier survivors is damaged"))
}

/// Makes a record durable.
///
/// # Errors
/// A fault of the database: then nothing may be sent.
pub async fn persist(store: &Store, coordinator: Key, record: &Record) -> Result<(), Fault> {
    let query = match record {
        Record::Counter(counter) => sqlx::query(
            "INSERT INTO round_counter (coordinator, counter) VALUES (?, ?)
             ON CONFLICT (coordinator) DO UPDATE SET counter = max(counter, excluded.counter)",
        )
        .bind(String::from(coordinator))
        .bind(i64::try_from(*counter).unwrap_or(i64::MAX)),
        Record::Survivors { family, round, survivors } => {
            let members: Vec<String> = survivors.iter().map(ToString::to_string).collect();
            sqlx::query("INSERT INTO survivors (round, family, members) VALUES (?, ?, ?)")
                .bind(round.to_string())
                .bind(family.as_str().to_owned())
                .bind(members.join(" "))
        }
        Record::Result { round, signed } => {
            sqlx::query("INSERT OR IGNORE INTO result (round, signed) VALUES (?, ?)")
                .bind(round.to_string())
                .bind(signed.clone())
        }
    };
    query.execute(store.pool()).await.map_err(|e| fault(&e))?;
    Ok(())
}

/// Keeps the opening of this site's commitment for a round.
///
/// # Errors
/// A fault of the database: then the masked vector may not be sent.
pub async fn keep(store: &Store, round: Digest, opening: &Opening) -> Result<(), Fault> {
    sqlx::query("INSERT INTO opening (round, opening) VALUES (?, ?)")
        .bind(round.to_string())
        .bind(opening.for_the_hospitals_own_evidence().as_slice())
        .execute(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    Ok(())
}

/// Rounds with a signed result, oldest first.
///
/// # Errors
/// A fault of the database.
pub async fn results(store: &Store) -> Result<Vec<String>, Fault> {
    sqlx::query_scalar("SELECT round FROM result ORDER BY rowid")
        .fetch_all(store.pool())
        .await
        .map_err(|e| fault(&e))
}

/// Results as the coordinator signed them, oldest first.
///
/// # Errors
/// A fault of the database.
pub async fn signed_results(store: &Store) -> Result<Vec<Vec<u8>>, Fault> {
    sqlx::query_scalar("SELECT signed FROM result ORDER BY rowid")
        .fetch_all(store.pool())
        .await
        .map_err(|e| fault(&e))
}
