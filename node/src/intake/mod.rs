//! Files of a hospital become canonical tables.
//!
//! ```text
//! NAME=FILE ─► raw_NAME ─► the site's mapping ─► staged rows ─► checks ─► canonical rows, rejects
//!   source       temp        staging                            quality     the node's database
//! ```
//! All of it is one transaction: an import is there whole, or nothing of it is. Raw rows and ids live in
//! temporary tables that go with the import; the database keeps keyed hashes and checked values.
//! Turning the tables into numbers of a study is the work of [`crate::measure`].

mod barred;
pub mod canonical;
mod key;
pub mod mapping;
pub mod progress;
pub mod quality;
pub mod recording;
pub mod source;
mod staging;
pub mod stream;
pub mod summary;

use crate::store::identity::Identities;
use crate::store::pseudonym::Pseudonyms;
use crate::store::{Store, consent, fault, withdraw};
use canonical::Table;
use mapping::Mapping;
use progress::Progress;
use recording::Recorder;
use source::Input;
use source::files::{self, Seen};
use source::land::{self, Arrival, Landed};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use std::collections::BTreeSet;
use std::path::PathBuf;
use stream::Memory;
use summary::{FileCount, Summary, TableCount};
use tacit_shared::codec::sha256;
use tacit_shared::fault::Fault;

/// What a questionnaire admits: the answers of others are rejects.
#[derive(Clone, Debug, PartialEq)]
pub struct Questionnaire {
    /// The instrument's id.
    pub instrument: String,
    /// Its version: a response that names another one is a reject.
    pub version: String,
    /// `patient` or `clinician`.
    pub respondent: String,
    /// Its items.
    pub items: Vec<String>,
    /// The codes an answer may have, those that count as missing among them.
    pub codes: Vec<String>,
    /// Scores that the site computed itself: their answers are numbers.
    pub imported: Vec<ImportedScore>,
    /// Whether the site has yet to enter the licence it needs: then every response is a reject.
    pub locked: bool,
}

/// A score that a site brings instead of answers.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportedScore {
    /// The item it stands under.
    pub item: String,
    /// The lowest it can be.
    pub low: f64,
    /// The highest it can be.
    pub high: f64,
}

/// What to do if the same files were imported before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Refuse.
    Refuse,
    /// Withdraw the earlier batch, within the same transaction.
    Replace,
}

/// What to import.
#[derive(Clone, Debug)]
pub struct Request {
    /// The site's mapping.
    pub mapping: PathBuf,
    /// The files.
    pub inputs: Vec<Input>,
    /// Where the recordings of device sessions are.
    pub recordings_dir: Option<PathBuf>,
    /// What to do if the same files were imported before.
    pub again: Again,
    /// Now, in microseconds since 1970 UTC.
    pub at_us: i64,
    /// What it may use.
    pub memory: Memory,
}

/// What an import needs from elsewhere.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// Makes keys.
    pub pseudonyms: &'a Pseudonyms,
    /// Known questionnaires.
    pub questionnaires: &'a [Questionnaire],
    /// Reads recordings.
    pub recorder: &'a dyn Recorder,
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
}

/// Imports files: all rows that are sound, or, on a fault, nothing.
///
/// # Errors
/// A user's fault for a file or a mapping that cannot be read, with its place; an operator's for the
/// database. Nothing is left behind.
pub async fn import(store: &Store, request: &Request, ports: &Ports<'_>) -> Result<Summary, Fault> {
    import_keeping(store, request, ports, None).await
}

/// The same, and the ids of people whose rows were taken over are sealed into `identities`.
///
/// Ids are written just before the import is: should that fail, [`Identities::sweep`] takes them out again.
///
/// # Errors
/// As [`import`]; what cannot be written there.
pub async fn import_keeping(
    store: &Store,
    request: &Request,
    ports: &Ports<'_>,
    identities: Option<&Identities>,
) -> Result<Summary, Fault> {
    let mapping = read_mapping(request)?;
    let seen = see(&request.inputs)?;
    ports.pseudonyms.bind(store).await?;
    let mut transaction =
        store.pool().begin_with("BEGIN IMMEDIATE").await.map_err(|e| fault(&e))?;
    let result = run(&mut transaction, request, ports, (&mapping, &seen, identities)).await;
    match result {
        Ok(summary) => match transaction.commit().await {
            Ok(()) => Ok(summary),
            Err(error) => Err(commit_fault(&error)),
        },
        Err(found) => {
            transaction.rollback().await.map_err(|e| fault(&e))?;
            Err(found)
        }
    }
}

struct SeenMapping {
    mapping: Mapping,
    sha256: [u8; 32],
}

fn read_mapping(request: &Request) -> Result<SeenMapping, Fault> {
    use std::io::Read as _;
    let origin = request.mapping.display().to_string();
    let wrong =
        |e: std::io::Error| Fault::user(format!("the mapping cannot be read: {e}")).at(&origin);
    let file = std::fs::File::open(&request.mapping).map_err(wrong)?;
    let mut text = String::new();
    let limit = mapping::FILE_BYTES_MAX as u64 + 1;
    file.take(limit).read_to_string(&mut text).map_err(wrong)?;
    Ok(SeenMapping {
        mapping: Mapping::parse(&origin, &text)?,
        sha256: *sha256(text.as_bytes()).as_bytes(),
    })
}

fn see(inputs: &[Input]) -> Result<Vec<Seen>, Fault> {
    let mut names = BTreeSet::new();
    if inputs.is_empty() {
        return Err(Fault::user("no file to import").hint("give at least one NAME=FILE"));
    }
    if let Some(twice) = inputs.iter().find(|input| !names.insert(input.label())) {
        return Err(Fault::user(format!("two files are called `{}`", twice.label()))
            .hint("each NAME=FILE needs a name of its own"));
    }
    let lone = |input: &&Input| input.is_dictionary() && !names.contains(input.name());
    if let Some(lone) = inputs.iter().find(lone) {
        return Err(Fault::user(format!("`{}` belongs to no export", lone.label()))
            .hint(format!("give the records as {}=FILE beside it", lone.name())));
    }
    inputs.iter().map(|input| files::see(input.path())).collect()
}

/// Lands every input in its raw tables and counts it; a data dictionary is read with its export.
async fn land_all(
    connection: &mut SqliteConnection,
    (request, progress): (&Request, &dyn Progress),
    seen: &[Seen],
    summary: &mut Summary,
) -> Result<Vec<Landed>, Fault> {
    let mut landed = Vec::with_capacity(seen.len());
    let batch = summary.batch;
    for (input, seen) in request.inputs.iter().zip(seen) {
        if input.is_dictionary() {
            record_file(connection, batch, (input, seen, 0)).await.map_err(|e| fault(&e))?;
            continue;
        }
        let mut dictionaries = request.inputs.iter().filter(|i| i.is_dictionary());
        let dictionary = dictionaries.find(|i| i.name() == input.name());
        let arrival = Arrival { input, dictionary, batch, memory: request.memory };
        let landing = land::land(connection, arrival, &landed, progress).await?;
        let (name, rows, refused) = (input.name().to_owned(), landing.rows, landing.refused);
        record_file(connection, batch, (input, seen, rows)).await.map_err(|e| fault(&e))?;
        summary.files.push(FileCount { name, rows, refused });
        summary.notes.extend(landing.notes);
        landed.extend(landing.tables);
    }
    Ok(landed)
}

async fn run(
    connection: &mut SqliteConnection,
    request: &Request,
    ports: &Ports<'_>,
    (mapping, seen, identities): (&SeenMapping, &[Seen], Option<&Identities>),
) -> Result<Summary, Fault> {
    request.memory.bound(&mut *connection).await.map_err(|e| fault(&e))?;
    let batch = begin_batch(connection, request, (mapping.sha256, seen)).await?;
    let mut summary = Summary::new(batch);
    let landed = land_all(connection, (request, ports.progress), seen, &mut summary).await?;
    let prepared = async {
        barred::prepare(&mut *connection).await?;
        if identities.is_some() {
            key::prepare_kept(&mut *connection).await?;
        }
        quality::prepare(&mut *connection, ports.questionnaires).await
    };
    prepared.await.map_err(|e| fault(&e))?;
    for table in Table::ALL {
        let keeping = identities.is_some();
        take_over(
            connection,
            table,
            (request, ports, keeping),
            (&mapping.mapping, &landed),
            &mut summary,
        )
        .await?;
    }
    if let Some(identities) = identities {
        key::keep_taken(connection, batch, identities).await?;
    }
    let finished = async {
        summary.reasons = summary::reasons(&mut *connection, batch).await?;
        forget(&mut *connection, &landed).await
    };
    finished.await.map_err(|e| fault(&e))?;
    Ok(summary)
}

/// Stages, checks and takes over the rows of one table, if the mapping has a section for it.
async fn take_over(
    connection: &mut SqliteConnection,
    table: Table,
    (request, ports, keeping): (&Request, &Ports<'_>, bool),
    (mapping, landed): (&Mapping, &[Landed]),
    summary: &mut Summary,
) -> Result<(), Fault> {
    let Some(section) = mapping.section(table) else {
        return Ok(());
    };
    if table == Table::DeviceSession && !ports.recorder.is_on() {
        summary.notes.push("device_session: recordings are switched off in node.toml".to_owned());
        return Ok(());
    }
    let place = format!("{}:{}", mapping.origin(), section.line);
    ports.progress.begin(table.name(), 0);
    let staged = staging::stage(connection, table, section, &place, landed).await?;
    let checked = quality::check(connection, ports.pseudonyms, &staged).await;
    checked.map_err(|e| fault(&e))?;
    let left_out = barred::leave_out(connection, &staged).await.map_err(|e| fault(&e))?;
    if keeping {
        key::meet(connection, &staged).await.map_err(|e| fault(&e))?;
    }
    if left_out > 0 {
        let note =
            format!("{}: {left_out} rows of people who withdrew were left out", table.name());
        summary.notes.push(note);
    }
    if table == Table::DeviceSession {
        let dir = request.recordings_dir.as_deref();
        recording::read(connection, &staged, dir, (ports.recorder, ports.progress)).await?;
    }
    let finished = async {
        let counts = quality::accept(&mut *connection, &staged, summary.batch).await?;
        if table == Table::Consent {
            // Before any other row: who withdrew is as if never imported.
            let gone = withdraw::settle(&mut *connection, request.at_us).await?;
            summary.notes.extend(gone.to_note());
        }
        if table == Table::DeviceSession {
            summary.features = recording::keep(&mut *connection, summary.batch).await?;
        }
        let sql = format!("DROP TABLE {}", staged.name());
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        Ok::<_, sqlx::Error>(counts)
    };
    let (accepted, rejected) = finished.await.map_err(|e| fault(&e))?;
    ports.progress.end(&format!("{accepted} rows into {}, {rejected} rejected", table.name()));
    summary.tables.push(TableCount { table, accepted, rejected });
    Ok(())
}

async fn begin_batch(
    connection: &mut SqliteConnection,
    request: &Request,
    (mapping, seen): ([u8; 32], &[Seen]),
) -> Result<i64, Fault> {
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
            return Err(Fault::user(format!("these files were imported before, as batch {batch}"))
                .hint("to import them anew, for example with a better mapping, add --replace"));
        }
        (Some(batch), Again::Replace) => {
            withdraw(connection, batch).await.map_err(|e| fault(&e))?;
        }
        (None, _) => {}
    }
    let sql = "INSERT INTO import_batch (at_us, mapping_sha256, files_sha256) VALUES (?, ?, ?)";
    let made = sqlx::query(sql)
        .bind(request.at_us)
        .bind(&mapping[..])
        .bind(&files[..])
        .execute(connection)
        .await
        .map_err(|e| fault(&e))?;
    Ok(made.last_insert_rowid())
}

/// Takes a batch out whole. What other batches refer to must be there again at the end of the transaction.
async fn withdraw(connection: &mut SqliteConnection, batch: i64) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA defer_foreign_keys = ON").execute(&mut *connection).await?;
    // Statements on consent are taken back below; of the others those that refer go first.
    let tables = Table::ALL.into_iter().rev().filter(|table| *table != Table::Consent);
    for table in std::iter::once("feature").chain(tables.map(Table::name)) {
        let sql = format!("DELETE FROM {table} WHERE src = ?");
        sqlx::query(AssertSqlSafe(sql)).bind(batch).execute(&mut *connection).await?;
    }
    consent::take_back(connection, batch).await?;
    sqlx::query("DELETE FROM import_batch WHERE id = ?").bind(batch).execute(connection).await?;
    Ok(())
}

async fn record_file(
    connection: &mut SqliteConnection,
    batch: i64,
    (input, seen, rows): (&Input, &Seen, u64),
) -> Result<(), sqlx::Error> {
    let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    sqlx::query(
        "INSERT INTO import_file (batch, name, sha256, bytes, rows) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(batch)
    .bind(input.label())
    .bind(seen.sha256.to_vec())
    .bind(whole(seen.bytes))
    .bind(whole(rows))
    .execute(connection)
    .await?;
    Ok(())
}

/// Drops every temporary table, so that no raw row outlives the import.
async fn forget(connection: &mut SqliteConnection, landed: &[Landed]) -> Result<(), sqlx::Error> {
    for table in landed {
        let sql = format!("DROP TABLE temp.\"{}\"", table.table);
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    key::forget(connection).await?;
    barred::forget(connection).await?;
    quality::forget(connection).await
}

fn commit_fault(error: &sqlx::Error) -> Fault {
    if error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation) {
        return Fault::user("the batch cannot be replaced: rows of other batches refer to rows that the new one lacks")
            .hint("the files and mapping must yield at least those clinicians and responses; nothing was changed");
    }
    fault(error)
}
