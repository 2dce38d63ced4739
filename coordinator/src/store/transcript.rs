//! Transcripts: what passed in a round, in order.
use super::{Store, fault, receipt};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tacit_shared::fault::Fault;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::protocol::transcript::{Entry, Party};

/// Appends entries in one transaction, with the receipts that follow from them; when this returns they
/// are durable.
///
/// # Errors
/// A fault of the database: then nothing of them may be acted on.
pub async fn append(
    store: &Store,
    round: Digest,
    first: u64,
    entries: &[Entry],
) -> Result<(), Fault> {
    let mut transaction = store.pool().begin().await.map_err(|e| fault(&e))?;
    for (sequence, entry) in (first..).zip(entries) {
        let sender = match entry.from {
            Party::Coordinator => 0,
            Party::Site(index) => index.value(),
        };
        sqlx::query(
            "INSERT INTO transcript (round, sequence, sender, name, bytes) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(round.to_string())
        .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
        .bind(i64::from(sender))
        .bind(&entry.name)
        .bind(&entry.bytes)
        .execute(&mut *transaction)
        .await
        .map_err(|e| fault(&e))?;
        receipt::keep(&mut transaction, round, entry).await?;
    }
    transaction.commit().await.map_err(|e| fault(&e))
}

/// Reads a transcript.
///
/// # Errors
/// A fault of the database, or a damaged entry.
pub async fn read(store: &Store, round: Digest) -> Result<Vec<Entry>, Fault> {
    let rows =
        sqlx::query("SELECT sender, name, bytes FROM transcript WHERE round = ? ORDER BY sequence")
            .bind(round.to_string())
            .fetch_all(store.pool())
            .await
            .map_err(|e| fault(&e))?;
    rows.iter().map(read_entry).collect()
}

/// Reads the entry at a place; `None` past the end. A transcript holds every masked vector: whoever can do with one
/// entry at a time should.
///
/// # Errors
/// A fault of the database, or a damaged entry.
pub async fn entry(store: &Store, round: Digest, sequence: u64) -> Result<Option<Entry>, Fault> {
    let row =
        sqlx::query("SELECT sender, name, bytes FROM transcript WHERE round = ? AND sequence = ?")
            .bind(round.to_string())
            .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
            .fetch_optional(store.pool())
            .await
            .map_err(|e| fault(&e))?;
    row.as_ref().map(read_entry).transpose()
}

/// The digest a report quotes: over every entry, in order.
///
/// # Errors
/// A bug.
pub fn digest(entries: &[Entry]) -> Result<Digest, Fault> {
    tacit_shared::protocol::transcript::digest(entries).map_err(|e| Fault::bug(e.to_string()))
}

/// The study file and the roster file of a round, as they were when it began; the newest round with a
/// result if none is named.
///
/// # Errors
/// A fault of the database; a user's fault if there is no such round.
pub async fn files(
    store: &Store,
    round: Option<Digest>,
) -> Result<(Digest, String, String), Fault> {
    let row = sqlx::query(
        "SELECT config, study_text, roster_text FROM round
         WHERE config = ?1 OR (?1 IS NULL AND signed_result IS NOT NULL)
         ORDER BY counter DESC LIMIT 1",
    )
    .bind(round.map(|round| round.to_string()))
    .fetch_optional(store.pool())
    .await
    .map_err(|e| fault(&e))?;
    let row = row.ok_or_else(|| {
        Fault::user("there is no such round in this folder")
            .hint("`tacit-coordinator run` runs a round")
    })?;
    let text = |column: &str| row.try_get::<String, _>(column).map_err(|e| fault(&e));
    let config = text("config")?.parse().map_err(|_| Fault::operator("a round is damaged"))?;
    Ok((config, text("study_text")?, text("roster_text")?))
}

fn read_entry(row: &SqliteRow) -> Result<Entry, Fault> {
    let sender: i64 = row.try_get("sender").map_err(|e| fault(&e))?;
    let damaged = || Fault::operator("a transcript is damaged");
    let sender = u16::try_from(sender).map_err(|_| damaged())?;
    let from = SiteIndex::new(sender).map_or(Party::Coordinator, Party::Site);
    let name = row.try_get("name").map_err(|e| fault(&e))?;
    let bytes = row.try_get("bytes").map_err(|e| fault(&e))?;
    Ok(Entry { from, name, bytes })
}
