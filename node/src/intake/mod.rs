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
mod batch;
mod call;
pub mod canonical;
mod given;
pub mod illegible;
mod key;
mod known;
pub mod mapping;
mod origin;
mod owner;
pub mod progress;
pub mod quality;
pub mod recording;
pub mod source;
mod staging;
pub mod stream;
pub mod summary;
mod switched;
mod zone;

use crate::config::Modalities;
use crate::store::pseudonym::Pseudonyms;
use crate::store::{Store, fault, window, withdraw};
use canonical::Table;
use mapping::Mapping;
use origin::Origin;
use progress::Progress;
use recording::Recorder;
use source::Input;
use source::files::Seen;
use source::land::{self, Arrival, Landed};
use source::postgres::{self, Database};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use staging::Staged;
use std::path::PathBuf;
use stream::Memory;
use summary::{FileCount, Summary, TableCount};
pub use switched::Admitted;
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

/// What to do about rows that are bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OnError {
    /// Take over the sound rows; record why the others are not.
    #[default]
    Reject,
    /// Count and show them, and import nothing.
    Stop,
}

/// What to import.
#[derive(Clone, Debug)]
pub struct Request {
    /// The site's mapping.
    pub mapping: PathBuf,
    /// The files.
    pub inputs: Vec<Input>,
    /// The hospital's own database, in place of files.
    pub database: Option<Database>,
    /// How long one section of the mapping may run, in seconds.
    pub statement_s: u32,
    /// Where the recordings of device sessions are.
    pub recordings_dir: Option<PathBuf>,
    /// What to do if the same files were imported before.
    pub again: Again,
    /// What to do about rows that are bad.
    pub on_error: OnError,
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
    import_admitted(store, request, ports, Admitted::default()).await
}

/// The same with what a site's settings say: which kinds of data are taken over, and whether the ids of people are
/// sealed. Ids are written just before the import is; should that fail, a sweep takes them out again.
///
/// # Errors
/// As [`import`]; what cannot be written there.
pub async fn import_admitted(
    store: &Store,
    request: &Request,
    ports: &Ports<'_>,
    admitted: Admitted<'_>,
) -> Result<Summary, Fault> {
    let mut mapping = read_mapping(request)?;
    switched::refuse_wearables(&request.inputs, admitted.modalities)?;
    let seen = if request.database.is_some() {
        Vec::new()
    } else {
        given::see(&request.inputs, &mut mapping)?
    };
    ports.pseudonyms.bind(store).await?;
    let mut transaction =
        store.pool().begin_with("BEGIN IMMEDIATE").await.map_err(|e| fault(&e))?;
    let result = run(&mut transaction, request, ports, (&mapping, &seen, admitted)).await;
    match result {
        Ok(summary) => match transaction.commit().await {
            Ok(()) => Ok(summary),
            Err(error) => Err(batch::commit_fault(&error)),
        },
        Err(found) => {
            // The database may have taken the transaction back itself, as it does when the disk is full or a
            // section is stopped; then there is one to end again. Else the word changes nothing.
            let _ = sqlx::query("BEGIN").execute(&mut *transaction).await;
            transaction.rollback().await.map_err(|e| fault(&e))?;
            Err(found)
        }
    }
}

struct SeenMapping {
    mapping: Mapping,
    sha256: [u8; 32],
    /// Sections whose files were not given.
    left_out: Vec<String>,
}

fn read_mapping(request: &Request) -> Result<SeenMapping, Fault> {
    use std::io::Read as _;
    let origin = request.mapping.display().to_string();
    let wrong =
        |e: std::io::Error| Fault::user(format!("the mapping cannot be read: {e}")).at(&origin);
    let file = std::fs::File::open(&request.mapping).map_err(wrong)?;
    let mut text = String::new();
    let limit = mapping::FILE_BYTES_MAX as u64 + 1;
    file.take(limit).read_to_string(&mut text).map_err(|e| {
        wrong(e).hint("expected the site's SQL as UTF-8 text (docs/data-mapping.md)")
    })?;
    Ok(SeenMapping {
        mapping: Mapping::parse(&origin, &text)?,
        sha256: *sha256(text.as_bytes()).as_bytes(),
        left_out: Vec::new(),
    })
}

/// Lands every input in its raw tables and counts it; a data dictionary is read with its export.
async fn land_all(
    connection: &mut SqliteConnection,
    (request, progress): (&Request, &dyn Progress),
    seen: &[Seen],
    summary: &mut Summary,
) -> Result<Vec<Landed>, Fault> {
    let mut landed = Vec::with_capacity(seen.len());
    let number = summary.batch;
    for (input, seen) in request.inputs.iter().zip(seen) {
        if input.is_dictionary() {
            batch::record_file(connection, number, (&input.label(), seen, 0))
                .await
                .map_err(|e| fault(&e))?;
            continue;
        }
        let mut dictionaries = request.inputs.iter().filter(|i| i.is_dictionary());
        let dictionary = dictionaries.find(|i| i.name() == input.name());
        let arrival = Arrival { input, dictionary, batch: number, memory: request.memory };
        let landing = land::land(connection, arrival, &landed, progress).await?;
        let (name, rows, refused) = (input.name().to_owned(), landing.rows, landing.refused);
        batch::record_file(connection, number, (&input.label(), seen, rows))
            .await
            .map_err(|e| fault(&e))?;
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
    (mapping, seen, admitted): (&SeenMapping, &[Seen], Admitted<'_>),
) -> Result<Summary, Fault> {
    request.memory.bound(&mut *connection).await.map_err(|e| fault(&e))?;
    let (tables, off) = wanted(&mapping.mapping, (ports, admitted.modalities));
    let (mut summary, mut origin) = match &request.database {
        None => {
            let names: Vec<String> = request.inputs.iter().map(Input::label).collect();
            let made = (mapping.sha256, seen, names.as_slice());
            let mut summary = batch::begin(connection, request, made).await?;
            let landed =
                land_all(connection, (request, ports.progress), seen, &mut summary).await?;
            (summary, Origin::Raw(landed))
        }
        Some(database) => {
            let from = (database, tables.as_slice(), request.statement_s);
            let pulled = postgres::pull(connection, from, &mapping.mapping, ports.progress).await?;
            origin::record(connection, request, mapping.sha256, pulled).await?
        }
    };
    summary.notes.extend(mapping.left_out.iter().cloned());
    summary.notes.extend(off);
    let prepared = async {
        barred::prepare(&mut *connection).await?;
        owner::prepare(&mut *connection).await?;
        if admitted.identities.is_some() {
            key::prepare_kept(&mut *connection).await?;
        }
        quality::prepare(&mut *connection, ports.questionnaires).await
    };
    prepared.await.map_err(|e| fault(&e))?;
    for table in tables {
        if table == Table::Encounter {
            stream::note::refuse_beside(connection, mapping.mapping.origin()).await?;
        }
        ports.progress.begin(table.name(), 0);
        let from = (&mapping.mapping, request.statement_s);
        let staged = origin.stage(connection, table, from).await?;
        take_over(connection, &staged, (request, ports, admitted), &mut summary).await?;
    }
    settle_owners(connection, request.at_us, &mut summary).await.map_err(|e| fault(&e))?;
    summary.reasons =
        summary::reasons(&mut *connection, summary.batch).await.map_err(|e| fault(&e))?;
    if request.on_error == OnError::Stop && summary.rejected() > 0 {
        return Err(summary.refusal());
    }
    if let Some(identities) = admitted.identities {
        key::keep_taken(connection, summary.batch, identities).await?;
    }
    let finished = async {
        batch::record_rejected(&mut *connection, &summary).await?;
        window::mark_stale(&mut *connection, summary.batch).await?;
        forget(&mut *connection, &origin).await
    };
    finished.await.map_err(|e| fault(&e))?;
    Ok(summary)
}

/// The tables whose sections are run, and a note for each that is switched off.
fn wanted(
    mapping: &Mapping,
    (ports, modalities): (&Ports<'_>, Modalities),
) -> (Vec<Table>, Vec<String>) {
    let off = |table: &Table| switched::off(*table, ports.recorder, modalities);
    let tables = mapping.tables().filter(|table| off(table).is_none()).collect();
    (tables, mapping.tables().filter_map(|table| off(&table)).collect())
}

/// Checks the staged rows of one table and takes over the good ones.
async fn take_over(
    connection: &mut SqliteConnection,
    staged: &Staged,
    (request, ports, admitted): (&Request, &Ports<'_>, Admitted<'_>),
    summary: &mut Summary,
) -> Result<(), Fault> {
    let table = staged.table;
    let prepared = async {
        quality::check(&mut *connection, ports.pseudonyms, staged).await?;
        let left_out = barred::leave_out(&mut *connection, staged).await?;
        let off = switched::leave_out(&mut *connection, staged, admitted.modalities).await?;
        let known = known::leave_out(&mut *connection, staged).await?;
        if admitted.identities.is_some() {
            key::meet(&mut *connection, staged).await?;
        }
        Ok((left_out, off, known))
    };
    let (left_out, off, known) = prepared.await.map_err(|e: sqlx::Error| fault(&e))?;
    if left_out > 0 {
        let note =
            format!("{}: {left_out} rows of people who withdrew were left out", table.name());
        summary.notes.push(note);
    }
    summary.notes.extend(off);
    if table == Table::DeviceSession {
        let asked = (ports.recorder, request.at_us);
        let mut silent =
            recording::leave_out(connection, staged, asked).await.map_err(|e| fault(&e))?;
        let dir = request.recordings_dir.as_deref();
        let ports = (ports.recorder, ports.progress);
        silent += recording::read(connection, staged, dir, ports, request.at_us).await?;
        if silent > 0 {
            let of = "people who did not consent to such recordings";
            summary.notes.push(format!("device_session: {silent} rows of {of} were left out"));
        }
    }
    let finished = async {
        let counts = quality::accept(&mut *connection, staged, summary.batch).await?;
        owner::remember(&mut *connection, staged).await?;
        if table == Table::Consent {
            // Before any other row: who withdrew is as if never imported.
            let gone = withdraw::settle(&mut *connection, request.at_us).await?;
            summary.notes.extend(gone.to_note());
        }
        if table == Table::DeviceSession {
            (summary.features, summary.windows) =
                recording::keep(&mut *connection, summary.batch).await?;
        }
        let sql = format!("DROP TABLE {}", staged.name());
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        Ok::<_, sqlx::Error>(counts)
    };
    let (accepted, rejected) = finished.await.map_err(|e| fault(&e))?;
    ports.progress.end(&format!("{accepted} rows into {}, {rejected} rejected", table.name()));
    summary.tables.push(TableCount { table, accepted, known, rejected });
    Ok(())
}

/// Gives answers their patients; who of them withdrew is known only now.
async fn settle_owners(
    connection: &mut SqliteConnection,
    at_us: i64,
    summary: &mut Summary,
) -> Result<(), sqlx::Error> {
    if owner::settle(&mut *connection).await? > 0 {
        let gone = withdraw::settle(&mut *connection, at_us).await?;
        summary.notes.extend(gone.to_note());
    }
    summary.notes.extend(owner::note(&mut *connection, summary.batch).await?);
    Ok(())
}

/// Drops every temporary table, so that no raw row outlives the import.
async fn forget(connection: &mut SqliteConnection, origin: &Origin) -> Result<(), sqlx::Error> {
    origin.forget(&mut *connection).await?;
    key::forget(connection).await?;
    barred::forget(connection).await?;
    owner::forget(connection).await?;
    quality::forget(connection).await
}
