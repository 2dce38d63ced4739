//! Reads the recordings that device sessions name; their window features become rows, their beats do not.
//!
//! A recording that cannot be read is a reject of its session; the import goes on. How a file becomes
//! features is the work of whoever implements [`Recorder`].
pub mod container;
pub mod e4;
pub mod face;
pub mod fit;

use super::key::KEYED;
use super::progress::Progress;
use super::quality;
use super::staging::Staged;
use crate::config::Modalities;
use crate::store::bulk::{Bulk, Cell};
use crate::store::consent::{self, Purpose};
use crate::store::fault;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use std::path::{Component, Path};
use tacit_shared::fault::Fault;
use tacit_shared::study::modality::Modality;

/// One feature of one recording.
#[derive(Clone, Copy, PartialEq)]
pub struct Reading {
    /// Its id, with the unit: `mean_hr_bpm`, `ln_rmssd`.
    pub feature: &'static str,
    /// Its value.
    pub value: f64,
    /// How many windows it rests on.
    pub n: u32,
    /// Share of the recording's time that they cover, 0 to 1.
    pub coverage: f64,
    /// Which kind of data it was worked out from: by that it is read later, or not.
    pub modality: Modality,
}

/// The same of one window on the grid of UTC.
#[derive(Clone, Copy, PartialEq)]
pub struct WindowReading {
    /// The value, and what it rests on within the window.
    pub reading: Reading,
    /// 60 or 300.
    pub length_s: u16,
    /// When the window begins, microseconds since 1970 UTC.
    pub start_us: i64,
    /// 3 good, 2 with a clock that may be off, 1 low, 0 moved.
    pub quality: u8,
    /// Whether its wearer is known to have been at rest.
    pub at_rest: bool,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reading({})", self.feature) // never the value
    }
}

impl std::fmt::Debug for WindowReading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WindowReading({}, {} s)", self.reading.feature, self.length_s)
    }
}

/// What a recording comes to.
#[derive(Default)]
pub struct Recorded {
    /// As a whole: each value, and what it is worth (1 to 3).
    pub whole: Vec<(Reading, u8)>,
    /// Window by window, where it tells when it was.
    pub windows: Vec<WindowReading>,
    /// By which rules; a number.
    pub spec: u32,
}

impl std::fmt::Debug for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recorded({} values, {} of windows)", self.whole.len(), self.windows.len())
    }
}

/// What a device session says of its recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// When it began, microseconds since 1970 UTC: for recordings that do not tell.
    pub start_us: i64,
    /// How far the device's clock was ahead, if somebody compared it with another.
    pub clock_offset_us: Option<i64>,
    /// The kinds of data that the person consented to, and that are read of it.
    pub consented: Modalities,
}

/// Turns a recording into features.
pub trait Recorder: Send + Sync {
    /// Whether the site reads recordings at all. If not, no session of a device is taken over.
    fn is_on(&self) -> bool {
        true
    }

    /// Whether it reads that kind of data.
    fn reads(&self, modality: Modality) -> bool {
        modality == Modality::Heart
    }

    /// Reads a file as a whole.
    ///
    /// # Errors
    /// Why there are none, in words that quote nothing of the file.
    fn read(&self, file: &Path) -> Result<Vec<Reading>, String>;

    /// Reads what a person consented to of a file, as a whole and window by window.
    ///
    /// # Errors
    /// Why there is nothing, in words that quote nothing of the file.
    fn record(&self, file: &Path, _: &About) -> Result<Recorded, String> {
        let whole = self.read(file)?.into_iter().map(|reading| (reading, 1)).collect();
        Ok(Recorded { whole, ..Recorded::default() })
    }
}

/// Why a recording gives nothing that holds nothing else.
pub const OFF: &str = "holds only what is switched off in node.toml";

/// A session that waits for its recording to be read.
#[derive(sqlx::FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "one for each kind of data")]
struct Waiting {
    row_id: i64,
    file: String,
    start_us: i64,
    clock_offset_us: Option<i64>,
    heart: bool,
    skin_conductance: bool,
    wearable_summaries: bool,
    faces: bool,
}

impl Waiting {
    /// What its wearer consented to.
    fn consented(&self) -> Modalities {
        let mut kinds = Modalities::EVERYTHING;
        for (said, modality) in [
            (self.heart, Modality::Heart),
            (self.skin_conductance, Modality::SkinConductance),
            (self.wearable_summaries, Modality::WearableSummaries),
            (self.faces, Modality::Faces),
        ] {
            if !said {
                kinds = kinds.without(modality);
            }
        }
        kinds
    }
}

const WHOLE: [&str; 8] =
    ["row_id", "feature", "value", "n", "coverage", "modality", "quality", "spec"];
const WINDOWS: [&str; 11] = [
    "row_id", "feature", "value", "n", "coverage", "modality", "quality", "spec", "length_s",
    "start_us", "at_rest",
];

/// Reads the recordings of the good sessions into `temp.reading` and `temp.window_reading`, of each what its wearer
/// consented to; marks the sessions whose recording gives nothing. Returns how many it took out since their wearers
/// did not consent to what alone they hold.
pub(super) async fn read(
    connection: &mut SqliteConnection,
    staged: &Staged,
    dir: Option<&Path>,
    (recorder, progress): (&dyn Recorder, &dyn Progress),
    now_us: i64,
) -> Result<u64, Fault> {
    for (table, columns) in [("reading", &WHOLE[..]), ("window_reading", &WINDOWS[..])] {
        let sql = format!("CREATE TEMP TABLE {table} ({})", columns.join(", "));
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await.map_err(|e| fault(&e))?;
    }
    let offset = if staged.has("clock_offset_us") { "s.clock_offset_us" } else { "NULL" };
    let said = |purpose: Purpose| consent::given(purpose, "k.person", "?1");
    let [heart, skin, summaries, faces] = Purpose::OF_BODIES.map(|(purpose, _)| said(purpose));
    let sql = format!(
        "SELECT s.row_id, s.file, s.start_us, {offset} AS clock_offset_us, {heart} AS heart, \
         {skin} AS skin_conductance, {summaries} AS wearable_summaries, {faces} AS faces \
         FROM {} s CROSS JOIN {KEYED} k ON k.row_id = s.row_id WHERE s.row_id NOT IN (SELECT row_id FROM temp.bad) ORDER BY s.row_id",
        staged.name()
    );
    let sessions: Vec<Waiting> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(now_us)
        .fetch_all(&mut *connection)
        .await
        .map_err(|e| fault(&e))?;
    let Some(dir) = dir else {
        if sessions.is_empty() {
            return Ok(0);
        }
        return Err(Fault::user(
            "the mapping has device sessions, but nobody said where their recordings are",
        )
        .hint("give the folder with --recordings-dir"));
    };
    progress.begin("recordings", sessions.len() as u64);
    let mut silent = 0;
    let mut whole = Bulk::new("temp.reading", &WHOLE);
    let mut windows = Bulk::new("temp.window_reading", &WINDOWS);
    for (done, session) in sessions.iter().enumerate() {
        let Waiting { start_us, clock_offset_us, .. } = *session;
        let about = About { start_us, clock_offset_us, consented: session.consented() };
        match inside(dir, &session.file).and_then(|path| recorder.record(&path, &about)) {
            Ok(found) => {
                let written = write(connection, session.row_id, found, (&mut whole, &mut windows));
                written.await.map_err(|e| fault(&e))?;
            }
            // A line would say who did not consent to what is read here.
            Err(reason) if reason == OFF && lacks(recorder, about.consented) => {
                silent +=
                    forget(connection, staged, session.row_id).await.map_err(|e| fault(&e))?;
            }
            Err(reason) => {
                let rejected = quality::reject(connection, session.row_id, "file", &reason).await;
                rejected.map_err(|e| fault(&e))?;
            }
        }
        progress.advance(done as u64 + 1);
    }
    for mut bulk in [whole, windows] {
        bulk.flush(connection).await.map_err(|e| fault(&e))?;
    }
    progress.end(&format!("{} recordings", sessions.len()));
    Ok(silent)
}

/// Whether a person did not consent to a kind of data that is read here.
fn lacks(recorder: &dyn Recorder, consented: Modalities) -> bool {
    let kinds = Purpose::OF_BODIES.into_iter().map(|(_, modality)| modality);
    kinds.into_iter().any(|kind| recorder.reads(kind) && !consented.admits(kind))
}

/// Takes the sessions out of people who consented to none of the kinds of data that are read of recordings; nothing of
/// theirs is opened. Neither a reject nor a line is recorded, since a line would say who it was. Returns how many
/// there were.
pub(super) async fn leave_out(
    connection: &mut SqliteConnection,
    staged: &Staged,
    (recorder, now_us): (&dyn Recorder, i64),
) -> Result<u64, sqlx::Error> {
    let stage = staged.name();
    let said = Purpose::OF_BODIES.into_iter().filter(|(_, modality)| recorder.reads(*modality));
    let said: Vec<String> =
        said.map(|(purpose, _)| consent::given(purpose, "k.person", "?1")).collect();
    let sql = format!(
        "DELETE FROM {stage} WHERE row_id IN (SELECT s.row_id FROM {stage} s CROSS JOIN {KEYED} k \
         ON k.row_id = s.row_id WHERE k.person IS NOT NULL AND NOT ({}))",
        if said.is_empty() { "0".to_owned() } else { said.join(" OR ") }
    );
    let gone = sqlx::query(AssertSqlSafe(sql)).bind(now_us).execute(&mut *connection).await?;
    let sql = format!("DELETE FROM temp.bad WHERE row_id NOT IN (SELECT row_id FROM {stage})");
    sqlx::query(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(gone.rows_affected())
}

/// Takes one session out, as if it were not in the files.
async fn forget(
    connection: &mut SqliteConnection,
    staged: &Staged,
    row: i64,
) -> Result<u64, sqlx::Error> {
    let sql = format!("DELETE FROM {} WHERE row_id = ?", staged.name());
    Ok(sqlx::query(AssertSqlSafe(sql)).bind(row).execute(connection).await?.rows_affected())
}

/// Writes what a recording came to beside its session's row.
async fn write(
    connection: &mut SqliteConnection,
    row: i64,
    recorded: Recorded,
    (whole, windows): (&mut Bulk, &mut Bulk),
) -> Result<(), sqlx::Error> {
    let cells = |reading: &Reading, quality: u8| {
        vec![
            Cell::Integer(row),
            Cell::Text(reading.feature.to_owned()),
            Cell::Real(reading.value),
            Cell::Integer(i64::from(reading.n)),
            Cell::Real(reading.coverage),
            Cell::Text(reading.modality.word().to_owned()),
            Cell::Integer(i64::from(quality)),
            Cell::Integer(i64::from(recorded.spec)),
        ]
    };
    for (reading, quality) in &recorded.whole {
        whole.push(connection, &mut cells(reading, *quality)).await?;
    }
    for window in &recorded.windows {
        let mut cells = cells(&window.reading, window.quality);
        cells.extend([
            Cell::Integer(i64::from(window.length_s)),
            Cell::Integer(window.start_us),
            Cell::Integer(i64::from(window.at_rest)),
        ]);
        windows.push(connection, &mut cells).await?;
    }
    Ok(())
}

/// Writes what the recordings of the sessions that were taken over came to; drops the temporary tables. Returns how
/// many values of whole recordings there are, and how many of windows.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    batch: i64,
) -> Result<(u64, u64), sqlx::Error> {
    let mut counts = [0; 2];
    let same = "feature, value, n, coverage, modality, quality, spec";
    for ((from, to, columns), count) in [
        ("reading", "feature", format!("{same}, src")),
        ("window_reading", "window_feature", format!("{same}, length_s, start_us, at_rest")),
    ]
    .into_iter()
    .zip(&mut counts)
    {
        let read: Vec<String> = columns
            .split(", ")
            .map(|name| if name == "src" { "d.src".to_owned() } else { format!("r.{name}") })
            .collect();
        let sql = format!(
            "INSERT INTO {to} (session, person, {columns}) SELECT d.session, d.person, {} FROM temp.{from} r \
             CROSS JOIN {KEYED} k ON k.row_id = r.row_id \
             CROSS JOIN device_session d ON d.session = k.session WHERE d.src = ? ORDER BY d.session, r.feature",
            read.join(", ")
        );
        let done = sqlx::query(AssertSqlSafe(sql)).bind(batch).execute(&mut *connection).await?;
        *count = done.rows_affected();
        let sql = format!("DROP TABLE temp.{from}");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    let [whole, windows] = counts;
    Ok((whole, windows))
}

/// The file, if its path stays inside the folder.
fn inside(dir: &Path, file: &str) -> Result<std::path::PathBuf, String> {
    let path = Path::new(file);
    if path.components().all(|part| matches!(part, Component::Normal(_))) {
        Ok(dir.join(path))
    } else {
        Err("not a relative path inside the recordings folder".to_owned())
    }
}
