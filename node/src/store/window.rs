//! The windows of a person's recordings, and what follows from them: read, and written anew.
//!
//! Whoever's sessions or encounters changed stands in `stale_person`, written within the transaction of the change (what
//! goes is marked by triggers).
//! What follows (each window's z, each encounter's values) is deleted and written again as a whole, person by person.
use super::bulk::{Bulk, Cell};
use super::pseudonym::Key;
use super::{Store, fault};
use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{Error, FromRow, Transaction};
use std::fmt;
use tacit_shared::fault::Fault;

/// A value of a window. No `Debug`: it is a person's.
#[derive(FromRow)]
pub struct Window {
    /// The session.
    pub session: Vec<u8>,
    /// What kind of device.
    pub kind: String,
    /// 60 or 300.
    pub length_s: i64,
    /// When it begins, µs since 1970 UTC.
    pub start_us: i64,
    /// Its id.
    pub feature: String,
    /// Which kind of data it was worked out from.
    pub modality: String,
    /// The value.
    pub value: f64,
    /// Share of the window that is covered.
    pub coverage: f64,
    /// 0 to 3.
    pub quality: i64,
    /// Whether its wearer is known to have been at rest.
    pub at_rest: bool,
}

/// An encounter of the person.
#[derive(FromRow)]
pub struct Met {
    /// Its key.
    pub encounter: Vec<u8>,
    /// When it began, µs since 1970 UTC.
    pub start_us: i64,
    /// When it ended.
    pub end_us: i64,
}

/// How unusual a window was, or what an encounter comes to. No `Debug`.
pub struct Derived {
    /// The place of the window it is of, among those read.
    pub window: usize,
    /// The place of the encounter, if it is of one.
    pub encounter: Option<usize>,
    /// Its id.
    pub feature: String,
    /// The value.
    pub value: f64,
    /// How many windows it rests on.
    pub n: u32,
    /// Their coverage.
    pub coverage: f64,
    /// The worst of them, 0 to 3.
    pub quality: u8,
}

/// Marks the people with recordings whose encounters came with a batch.
///
/// # Errors
/// What the database says.
pub async fn mark_stale(connection: &mut SqliteConnection, batch: i64) -> Result<(), Error> {
    let sql = "INSERT OR IGNORE INTO stale_person SELECT DISTINCT d.person FROM device_session d \
               WHERE EXISTS (SELECT 1 FROM encounter e WHERE e.person = d.person AND e.src = ?)";
    sqlx::query(sql).bind(batch).execute(connection).await?;
    Ok(())
}

/// One of the people whose values are to be computed anew; `None` once there is none.
///
/// # Errors
/// A fault of the database.
pub async fn next_stale(store: &Store) -> Result<Option<Key>, Fault> {
    let sql = "SELECT person FROM stale_person ORDER BY person LIMIT 1";
    let found: Option<Vec<u8>> =
        sqlx::query_scalar(sql).fetch_optional(store.pool()).await.map_err(|e| fault(&e))?;
    Ok(found.and_then(|key| key.try_into().ok()))
}

/// How many people they are.
///
/// # Errors
/// A fault of the database.
pub async fn count_stale(store: &Store) -> Result<u64, Fault> {
    let sql = "SELECT count(*) FROM stale_person";
    let found: i64 =
        sqlx::query_scalar(sql).fetch_one(store.pool()).await.map_err(|e| fault(&e))?;
    Ok(u64::try_from(found).unwrap_or_default())
}

/// What there is of one person, while it is computed anew.
pub struct Person {
    transaction: Transaction<'static, Sqlite>,
    key: Key,
    /// Values of windows, by time.
    pub windows: Vec<Window>,
    /// Encounters while there were recordings.
    pub met: Vec<Met>,
    /// How far their clock is ahead of UTC, minutes, by their latest encounter.
    pub tz_min: i16,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Person({} values of windows)", self.windows.len())
    }
}

impl Person {
    /// Reads them; nobody else writes until they are kept or dropped.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn open(store: &Store, person: Key) -> Result<Self, Fault> {
        Self::read(store, person).await.map_err(|e| fault(&e))
    }

    async fn read(store: &Store, person: Key) -> Result<Self, Error> {
        let mut transaction = store.pool().begin_with("BEGIN IMMEDIATE").await?;
        let windows: Vec<Window> = sqlx::query_as(
            "SELECT w.session, d.kind, w.length_s, w.start_us, w.feature, w.modality, w.value, w.coverage, w.quality, \
             w.at_rest = 1 AS at_rest FROM window_feature w CROSS JOIN device_session d ON d.session = w.session \
             WHERE w.person = ? AND w.feature NOT GLOB '*_z' ORDER BY w.start_us, w.session, w.feature, w.length_s",
        )
        .bind(&person[..])
        .fetch_all(&mut *transaction)
        .await?;
        let first_us = windows.first().map_or(0, |w| w.start_us);
        let last_us = windows.last().map_or(0, |w| w.start_us.saturating_add(300_000_000));
        let met: Vec<Met> = sqlx::query_as(
            "SELECT encounter, start_us, end_us FROM (SELECT encounter, start_us, \
             coalesce(end_us, start_us + CAST(minutes * 60000000 AS INTEGER)) AS end_us FROM encounter WHERE person = ?) \
             WHERE start_us < ? AND end_us > ? ORDER BY start_us, encounter",
        )
        .bind(&person[..])
        .bind(last_us)
        .bind(first_us)
        .fetch_all(&mut *transaction)
        .await?;
        let tz_min: Option<i64> = sqlx::query_scalar(
            "SELECT tz_min FROM encounter WHERE person = ? ORDER BY start_us DESC LIMIT 1",
        )
        .bind(&person[..])
        .fetch_optional(&mut *transaction)
        .await?;
        let tz_min = tz_min.and_then(|minutes| minutes.try_into().ok()).unwrap_or(0);
        Ok(Self { transaction, key: person, windows, met, tz_min })
    }

    /// Writes what follows, by the rules of that number, in place of what there was.
    ///
    /// # Errors
    /// A fault of the database: then all is as it was.
    pub async fn keep(self, derived: &[Derived], spec: u32) -> Result<(), Fault> {
        self.write(derived, spec).await.map_err(|e| fault(&e))
    }

    async fn write(mut self, derived: &[Derived], spec: u32) -> Result<(), Error> {
        for sql in [
            "DELETE FROM window_feature WHERE person = ? AND feature GLOB '*_z'",
            "DELETE FROM encounter_feature WHERE person = ?",
            "DELETE FROM stale_person WHERE person = ?",
        ] {
            sqlx::query(sql).bind(&self.key[..]).execute(&mut *self.transaction).await?;
        }
        let mut windows = Bulk::new(
            "window_feature",
            &[
                "session", "length_s", "start_us", "at_rest", "feature", "person", "value", "n",
                "coverage", "modality", "quality", "spec",
            ],
        );
        let mut encounters = Bulk::new(
            "encounter_feature",
            &[
                "encounter",
                "session",
                "feature",
                "person",
                "value",
                "n",
                "coverage",
                "modality",
                "quality",
                "spec",
            ],
        );
        for one in derived {
            let Some(window) = self.windows.get(one.window) else { continue };
            let session = Cell::Blob(window.session.clone());
            let met = one.encounter.and_then(|place| self.met.get(place));
            let mut row = match (one.encounter, met) {
                (Some(_), None) => continue,
                (Some(_), Some(met)) => vec![Cell::Blob(met.encounter.clone()), session],
                (None, _) => vec![
                    session,
                    Cell::Integer(window.length_s),
                    Cell::Integer(window.start_us),
                    Cell::Integer(i64::from(window.at_rest)),
                ],
            };
            row.extend([
                Cell::Text(one.feature.clone()),
                Cell::Blob(self.key.to_vec()),
                Cell::Real(one.value),
                Cell::Integer(i64::from(one.n)),
                Cell::Real(one.coverage),
                Cell::Text(window.modality.clone()),
                Cell::Integer(i64::from(one.quality)),
                Cell::Integer(i64::from(spec)),
            ]);
            let bulk = if met.is_some() { &mut encounters } else { &mut windows };
            bulk.push(&mut self.transaction, &mut row).await?;
        }
        windows.flush(&mut self.transaction).await?;
        encounters.flush(&mut self.transaction).await?;
        self.transaction.commit().await
    }
}
