//! Reads the recordings that device sessions name; their window features become rows, their beats do not.
//!
//! A recording that cannot be read is a reject of its session; the import goes on. How a file becomes
//! features is the work of whoever implements [`Recorder`].
pub mod container;
pub mod e4;
pub mod fit;

use super::key::KEYED;
use super::progress::Progress;
use super::quality;
use super::staging::Staged;
use crate::store::bulk::{Bulk, Cell};
use crate::store::fault;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use std::path::{Component, Path};
use tacit_shared::fault::Fault;

/// One feature of one recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Its id, with the unit: `mean_hr_bpm`, `ln_rmssd`.
    pub feature: &'static str,
    /// Its value.
    pub value: f64,
    /// How many windows it rests on.
    pub n: u32,
    /// Share of the recording's time that they cover, 0 to 1.
    pub coverage: f64,
}

/// Turns a recording into features.
pub trait Recorder: Send + Sync {
    /// Whether the site reads recordings at all. If not, no session of a device is taken over.
    fn is_on(&self) -> bool {
        true
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Why there are none, in words that quote nothing of the file.
    fn read(&self, file: &Path) -> Result<Vec<Reading>, String>;
}

/// Reads the recordings of the good sessions into `temp.reading`; marks the sessions whose recording
/// gives nothing.
pub(super) async fn read(
    connection: &mut SqliteConnection,
    staged: &Staged,
    dir: Option<&Path>,
    (recorder, progress): (&dyn Recorder, &dyn Progress),
) -> Result<(), Fault> {
    let sql = "CREATE TEMP TABLE reading (row_id INTEGER, feature TEXT, value REAL, n INTEGER, coverage REAL)";
    sqlx::query(sql).execute(&mut *connection).await.map_err(|e| fault(&e))?;
    let sql = format!(
        "SELECT row_id, file FROM {} WHERE row_id NOT IN (SELECT row_id FROM temp.bad) ORDER BY row_id",
        staged.name()
    );
    let sessions: Vec<(i64, String)> = sqlx::query_as(AssertSqlSafe(sql))
        .fetch_all(&mut *connection)
        .await
        .map_err(|e| fault(&e))?;
    let Some(dir) = dir else {
        if sessions.is_empty() {
            return Ok(());
        }
        return Err(Fault::user(
            "the mapping has device sessions, but nobody said where their recordings are",
        )
        .hint("give the folder with --recordings-dir"));
    };
    progress.begin("recordings", sessions.len() as u64);
    let mut bulk = Bulk::new("temp.reading", &["row_id", "feature", "value", "n", "coverage"]);
    for (done, (row, file)) in sessions.iter().enumerate() {
        match inside(dir, file).and_then(|path| recorder.read(&path)) {
            Ok(readings) => {
                for reading in readings {
                    let mut cells = vec![
                        Cell::Integer(*row),
                        Cell::Text(reading.feature.to_owned()),
                        Cell::Real(reading.value),
                        Cell::Integer(i64::from(reading.n)),
                        Cell::Real(reading.coverage),
                    ];
                    let pushed = bulk.push(connection, &mut cells).await;
                    pushed.map_err(|e| fault(&e))?;
                }
            }
            Err(reason) => {
                let rejected = quality::reject(connection, *row, "file", &reason).await;
                rejected.map_err(|e| fault(&e))?;
            }
        }
        progress.advance(done as u64 + 1);
    }
    bulk.flush(connection).await.map_err(|e| fault(&e))?;
    progress.end(&format!("{} recordings", sessions.len()));
    Ok(())
}

/// Writes the features of the sessions that were taken over; drops `temp.reading`.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    batch: i64,
) -> Result<u64, sqlx::Error> {
    let sql = format!(
        "INSERT INTO feature (session, feature, person, value, n, coverage, src) \
         SELECT d.session, r.feature, d.person, r.value, r.n, r.coverage, d.src FROM temp.reading r \
         CROSS JOIN {KEYED} k ON k.row_id = r.row_id \
         CROSS JOIN device_session d ON d.session = k.session WHERE d.src = ? ORDER BY 1, 2"
    );
    let done = sqlx::query(AssertSqlSafe(sql)).bind(batch).execute(&mut *connection).await?;
    sqlx::query("DROP TABLE temp.reading").execute(connection).await?;
    Ok(done.rows_affected())
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
