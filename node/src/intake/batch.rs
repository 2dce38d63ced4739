//! The record of an import: its batch, its files, why rows were rejected; and taking a batch out for a better one.
//!
//! A batch is known by what was read: the sorted digests of its files, or of the rows that sections yielded in the
//! hospital's own database. What was read before is refused, or replaces itself.
use super::canonical::Table;
use super::source::files::Seen;
use super::summary::Summary;
use super::{Again, Request};
use crate::store::{consent, fault};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use tacit_shared::codec::sha256;
use tacit_shared::fault::Fault;

/// Makes the batch; one that read the same before is refused or withdrawn. `names`: those of its files.
pub(super) async fn begin(
    connection: &mut SqliteConnection,
    request: &Request,
    (mapping, seen, names): ([u8; 32], &[Seen], &[String]),
) -> Result<Summary, Fault> {
    let mut notes = Vec::new();
    let mut digests: Vec<[u8; 32]> = seen.iter().map(|s| s.sha256).collect();
    digests.sort_unstable();
    let files = *sha256(&digests.concat()).as_bytes();
    let earlier: Option<i64> =
        sqlx::query_scalar("SELECT id FROM import_batch WHERE files_sha256 = ?")
            .bind(&files[..])
            .fetch_optional(&mut *connection)
            .await
            .map_err(|e| fault(&e))?;
    match (earlier, request.again) {
        (Some(batch), Again::Refuse) => {
            let what = if request.database.is_some() { "rows" } else { "files" };
            return Err(Fault::user(format!(
                "these {what} were imported before, as batch {batch}"
            ))
            .hint("to import them anew, for example with a better mapping, add --replace"));
        }
        (Some(batch), Again::Replace) => {
            notes.push(withdraw(connection, batch, request.at_us).await.map_err(|e| fault(&e))?);
        }
        (None, Again::Replace) => {
            notes.push(nothing_replaced(connection, names).await.map_err(|e| fault(&e))?);
        }
        (None, Again::Refuse) => {}
    }
    let sql = "INSERT INTO import_batch (at_us, mapping_sha256, files_sha256) VALUES (?, ?, ?)";
    let made = sqlx::query(sql)
        .bind(request.at_us)
        .bind(&mapping[..])
        .bind(&files[..])
        .execute(connection)
        .await
        .map_err(|e| fault(&e))?;
    Ok(Summary { notes, ..Summary::new(made.last_insert_rowid()) })
}

/// What is said where nothing was replaced: the files are others, so what they mend is still there.
async fn nothing_replaced(
    connection: &mut SqliteConnection,
    names: &[String],
) -> Result<String, sqlx::Error> {
    let mut latest: Option<i64> = None;
    for name in names {
        let sql = "SELECT max(batch) FROM import_file WHERE name = ?";
        let found: Option<i64> =
            sqlx::query_scalar(sql).bind(name.clone()).fetch_one(&mut *connection).await?;
        latest = latest.max(found);
    }
    let what = "--replace replaced nothing: no batch was made of these very files";
    Ok(match latest {
        None => what.to_owned(),
        Some(batch) => format!(
            "{what}. If they mend those of batch {batch}, which has files of the same names, withdraw this batch and \
             that one (`tacit-node batches --dir DIR --withdraw N`) and import them again"
        ),
    })
}

/// Takes a batch out whole, and says what it held. What other batches refer to must be there again at the end of the
/// transaction.
async fn withdraw(
    connection: &mut SqliteConnection,
    batch: i64,
    now_us: i64,
) -> Result<String, sqlx::Error> {
    sqlx::query("PRAGMA defer_foreign_keys = ON").execute(&mut *connection).await?;
    let (mut held, mut rows) = (Vec::new(), 0_i64);
    for table in Table::ALL.into_iter().map(Table::name).chain(["feature"]) {
        let sql = format!("SELECT count(*) FROM {table} WHERE src = ?");
        let count: i64 =
            sqlx::query_scalar(AssertSqlSafe(sql)).bind(batch).fetch_one(&mut *connection).await?;
        rows = rows.saturating_add(count);
        if count > 0 {
            held.push(format!("{count} of {table}"));
        }
    }
    // What stays is a line.
    sqlx::query(
        "INSERT INTO withdrawn_batch SELECT id, at_us, ?, ?, 0 FROM import_batch WHERE id = ?",
    )
    .bind(now_us)
    .bind(rows)
    .bind(batch)
    .execute(&mut *connection)
    .await?;
    // Statements on consent are taken back below; of the others those that refer go first.
    let tables = Table::ALL.into_iter().rev().filter(|table| *table != Table::Consent);
    for table in std::iter::once("feature").chain(tables.map(Table::name)) {
        let sql = format!("DELETE FROM {table} WHERE src = ?");
        sqlx::query(AssertSqlSafe(sql)).bind(batch).execute(&mut *connection).await?;
    }
    consent::take_back(connection, batch).await?;
    sqlx::query("DELETE FROM import_batch WHERE id = ?").bind(batch).execute(connection).await?;
    let held =
        if held.is_empty() { "no row".to_owned() } else { format!("rows: {}", held.join(", ")) };
    Ok(format!("batch {batch}, of the same files, was withdrawn; it held {held}"))
}

/// Records how many rows of the batch were rejected.
pub(super) async fn record_rejected(
    connection: &mut SqliteConnection,
    summary: &Summary,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO rejected_rows VALUES (?, ?)")
        .bind(summary.batch)
        .bind(i64::try_from(summary.rejected()).unwrap_or(i64::MAX))
        .execute(connection)
        .await?;
    Ok(())
}

/// Records a file of the batch under the name the mapping knows it by.
pub(super) async fn record_file(
    connection: &mut SqliteConnection,
    batch: i64,
    (name, seen, rows): (&str, &Seen, u64),
) -> Result<(), sqlx::Error> {
    let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    sqlx::query(
        "INSERT INTO import_file (batch, name, sha256, bytes, rows) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(batch)
    .bind(name.to_owned())
    .bind(seen.sha256.to_vec())
    .bind(whole(seen.bytes))
    .bind(whole(rows))
    .execute(connection)
    .await?;
    Ok(())
}

/// What it means that the transaction could not be ended.
pub(super) fn commit_fault(error: &sqlx::Error) -> Fault {
    if error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation) {
        return Fault::user("the batch cannot be replaced: rows of other batches refer to rows that the new one lacks")
            .hint("the files and mapping must yield at least those clinicians and responses; nothing was changed");
    }
    fault(error)
}
