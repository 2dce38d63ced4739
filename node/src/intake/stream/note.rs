//! Notes a file of encounters to be read in place, instead of importing a copy.
//!
//! What is kept of it: where it is, the digests of its row groups, which rows do not count and why. It is a batch like
//! an import, listed and withdrawn with the others. Encounters are either imported or read in place: a node with
//! some of both could count one twice.
use super::check::{Against, check};
use super::file::Encounters;
use crate::intake::canonical::Table;
use crate::intake::progress::Progress;
use crate::intake::source::files;
use crate::intake::summary::{FileCount, Summary, TableCount, reasons};
use crate::store::pseudonym::Pseudonyms;
use crate::store::{Store, fault, streamed};
use sqlx::sqlite::SqliteConnection;
use std::path::{Path, PathBuf};
use tacit_shared::codec::sha256;
use tacit_shared::fault::Fault;

/// What a batch of a streamed file has in place of a mapping's digest: that of this text.
const CANONICAL: &[u8] = b"tacit/v1/canonical";

/// What to note.
#[derive(Clone, Debug)]
pub struct Request {
    /// The Parquet file.
    pub file: PathBuf,
    /// Where temporary files go: the node's folder.
    pub dir: PathBuf,
    /// Whether a streamed file from before makes room.
    pub replace: bool,
    /// Now, in microseconds since 1970 UTC.
    pub at_us: i64,
}

/// Checks a file and notes it.
///
/// # Errors
/// A user's fault for a file that cannot be read in place, with its place; an operator's for the database. Nothing is
/// left behind.
pub async fn note(
    store: &Store,
    request: &Request,
    pseudonyms: &Pseudonyms,
    progress: &dyn Progress,
) -> Result<Summary, Fault> {
    let path =
        std::path::absolute(&request.file).map_err(|e| files::unreadable(&e, &request.file))?;
    let seen = files::see(&path)?;
    let file = Encounters::open(&path)?;
    pseudonyms.bind(store).await?;
    let mut transaction =
        store.pool().begin_with("BEGIN IMMEDIATE").await.map_err(|e| fault(&e))?;
    make_room(&mut transaction, request.replace).await?;
    let (_, persons) = streamed::persons(&mut transaction).await.map_err(|e| fault(&e))?;
    let barred = streamed::barred(&mut transaction).await.map_err(|e| fault(&e))?;
    let against = Against { pseudonyms, persons: &persons, barred: &barred };
    progress.begin(&path.display().to_string(), file.rows());
    let checked =
        super::beside(|| check(&file, &against, &request.dir, &|rows| progress.advance(rows)))?;
    let refused = checked.refused();
    let (rows, rejected) = (file.rows(), checked.rejected());
    let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let noted = async {
        let connection = &mut *transaction;
        let batch = begin(connection, request.at_us, (&name, &seen, rows)).await?;
        streamed::note(connection, batch, (&path, rows), (&checked.digests, &refused)).await?;
        streamed::reject(connection, batch, &checked.rejects).await?;
        let mut summary = Summary::new(batch);
        summary.reasons = reasons(connection, batch).await?;
        Ok::<_, sqlx::Error>(summary)
    };
    let mut summary = noted.await.map_err(|e| fault(&e))?;
    transaction.commit().await.map_err(|e| fault(&e))?;
    progress.end(&format!("{rows} rows of {name}, {rejected} rejected"));
    summary.files.push(FileCount { name, rows, refused: 0 });
    let accepted = rows.saturating_sub(rejected).saturating_sub(checked.left_out);
    summary.tables.push(TableCount { table: Table::Encounter, accepted, rejected, known: 0 });
    summary
        .notes
        .push("encounter: read in place for each study; the file must stay as it is".to_owned());
    Ok(summary)
}

/// Holds that no encounter is there already, or takes the streamed file from before out.
async fn make_room(connection: &mut SqliteConnection, replace: bool) -> Result<(), Fault> {
    let any =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM encounter)").fetch_one(&mut *connection);
    if any.await.map_err(|e| fault(&e))? {
        return Err(Fault::user("the node has imported encounters: one that is in both would count twice")
            .hint("withdraw their batches first (`tacit-node batches`), or import this file with a mapping"));
    }
    let before = streamed::listed(&mut *connection).await.map_err(|e| fault(&e))?;
    match before {
        Some((batch, ..)) if replace => {
            let sql = "DELETE FROM import_batch WHERE id = ?";
            sqlx::query(sql).bind(batch).execute(connection).await.map_err(|e| fault(&e))?;
            Ok(())
        }
        Some((batch, path, _)) => {
            Err(Fault::user(format!("batch {batch} is a streamed file already"))
                .at(path)
                .hint("add --replace to put this one in its place"))
        }
        None => Ok(()),
    }
}

async fn begin(
    connection: &mut SqliteConnection,
    at_us: i64,
    (name, seen, rows): (&str, &files::Seen, u64),
) -> Result<i64, sqlx::Error> {
    let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let sql = "INSERT INTO import_batch (at_us, mapping_sha256, files_sha256) VALUES (?, ?, ?)";
    let (mapping, files) = (sha256(CANONICAL), sha256(&seen.sha256));
    let made = sqlx::query(sql)
        .bind(at_us)
        .bind(&mapping.as_bytes()[..])
        .bind(&files.as_bytes()[..])
        .execute(&mut *connection)
        .await?;
    let batch = made.last_insert_rowid();
    let sql = "INSERT INTO import_file (batch, name, sha256, bytes, rows) VALUES (?, ?, ?, ?, ?)";
    sqlx::query(sql)
        .bind(batch)
        .bind(name.to_owned())
        .bind(seen.sha256.to_vec())
        .bind(whole(seen.bytes))
        .bind(whole(rows))
        .execute(connection)
        .await?;
    Ok(batch)
}

/// The file that encounters are read from in place, if there is one; then no section may yield encounters.
///
/// # Errors
/// A user's fault if there is one.
pub(in crate::intake) async fn refuse_beside(
    connection: &mut SqliteConnection,
    place: &str,
) -> Result<(), Fault> {
    match streamed::listed(connection).await.map_err(|e| fault(&e))? {
        None => Ok(()),
        Some((batch, path, _)) => {
            let file =
                Path::new(&path).file_name().unwrap_or_default().to_string_lossy().into_owned();
            Err(Fault::user(format!(
                "encounters are read in place from `{file}` (batch {batch}): one that is imported too would count twice"
            ))
            .at(place.to_owned())
            .hint("leave the section `@encounter` out, or withdraw that batch first"))
        }
    }
}
