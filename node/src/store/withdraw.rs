//! Withdrawals: what a person withdrew is erased at once, and left out of every later import.
//!
//! ```text
//! research-aggregate     all rows of the person: of a clinician their work, meetings, what was said of them and by
//!                        them, recordings; of a patient their meetings and what they answered
//! heart, skin-conductance, wearable-summaries, facial-action-units
//!                        of a clinician's recordings the numbers of that kind; a recording of which none is left
//! local-view             nothing: no row is kept for that purpose alone
//! ```
//! Afterwards the tables are as if none of it had ever been imported. What stays is the statement, the keyed hashes
//! that later imports are held against, counts of what was erased, and, of a patient, the rounded means of a quarter that
//! a clinician was told already ([`super::told`]): made anew, they would tell what went. A consent given later lifts the bar.
use super::consent::{DECISIVE, Purpose};
use super::pseudonym::{Key, Kind};
use super::{Store, fault};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Error};
use std::fmt;
use tacit_shared::fault::Fault;
use tacit_shared::study::modality::Modality;

/// How many rows were erased, by table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    rows: Vec<(&'static str, u64)>,
}

impl Erased {
    /// Tables from which rows were erased, with their numbers.
    pub fn rows(&self) -> &[(&'static str, u64)] {
        &self.rows
    }

    /// One line for the summary of an import, if anything was erased.
    pub fn to_note(&self) -> Option<String> {
        let all: u64 = self.rows.iter().map(|(_, rows)| rows).sum();
        (all > 0).then(|| format!("consent: {all} rows of people who withdrew were erased"))
    }

    pub(super) async fn erase(
        &mut self,
        connection: &mut SqliteConnection,
        table: &'static str,
        condition: &str,
    ) -> Result<(), Error> {
        let sql = format!("DELETE FROM main.{table} WHERE {condition}");
        let rows = sqlx::query(AssertSqlSafe(sql)).execute(connection).await?.rows_affected();
        match self.rows.iter_mut().find(|(name, _)| *name == table) {
            Some((_, before)) => *before += rows,
            None if rows > 0 => self.rows.push((table, rows)),
            None => {}
        }
        Ok(())
    }

    /// Writes the counts down, for good.
    pub(super) async fn keep(
        &self,
        connection: &mut SqliteConnection,
        why: &'static str,
        at_us: i64,
    ) -> Result<(), Error> {
        for (table, rows) in &self.rows {
            sqlx::query("INSERT INTO erasure (at_us, why, table_name, rows) VALUES (?, ?, ?, ?)")
                .bind(at_us)
                .bind(why)
                .bind(*table)
                .bind(i64::try_from(*rows).unwrap_or(i64::MAX))
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}

impl fmt::Display for Erased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return write!(f, "  nothing");
        }
        for (at, (table, rows)) in self.rows.iter().enumerate() {
            let end = if at + 1 < self.rows.len() { "\n" } else { "" };
            write!(f, "  {table:<16} {rows:>10} rows{end}")?;
        }
        Ok(())
    }
}

/// Records that a person withdrew, and erases what follows from it. `kind` is a clinician or a patient.
///
/// # Errors
/// A fault of the database: then nothing is recorded and nothing erased.
pub async fn withdraw(
    store: &Store,
    (kind, key): (Kind, &Key),
    purposes: &[Purpose],
    now_us: i64,
) -> Result<Erased, Fault> {
    let done = async {
        let mut transaction = store.pool().begin_with("BEGIN IMMEDIATE").await?;
        let column = if kind == Kind::Patient { "patient" } else { "person" };
        for purpose in purposes {
            // A consent that would begin later was given before the withdrawal.
            let sql = "DELETE FROM consent WHERE purpose = ? AND who = ? AND state = 'given' AND from_us > ?";
            sqlx::query(sql)
                .bind(purpose.word())
                .bind(&key[..])
                .bind(now_us)
                .execute(&mut *transaction)
                .await?;
            let sql = format!(
                "INSERT INTO consent ({column}, purpose, state, from_us, recorded_by) \
                 VALUES (?, ?, 'withdrawn', ?, 'node') ON CONFLICT DO NOTHING"
            );
            sqlx::query(AssertSqlSafe(sql))
                .bind(&key[..])
                .bind(purpose.word())
                .bind(now_us)
                .execute(&mut *transaction)
                .await?;
        }
        let erased = settle(&mut transaction, now_us).await?;
        transaction.commit().await?;
        forget_log(store).await?;
        Ok::<_, Error>(erased)
    };
    done.await.map_err(|e| fault(&e))
}

/// Empties the write-ahead log, where erased rows would stand until it is written over.
pub(super) async fn forget_log(store: &Store) -> Result<(), Error> {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_all(store.pool()).await?;
    Ok(())
}

/// Brings the rows in line with what was withdrawn until now: bars and erases, and lifts what was given again.
///
/// # Errors
/// What the database says.
pub async fn settle(connection: &mut SqliteConnection, now_us: i64) -> Result<Erased, Error> {
    let mut erased = Erased::default();
    let bodies = Purpose::OF_BODIES.map(|(purpose, modality)| (purpose, Some(modality)));
    for (purpose, body) in std::iter::once((Purpose::ResearchAggregate, None)).chain(bodies) {
        let made = "CREATE TEMP TABLE gone (who BLOB PRIMARY KEY, person BLOB, patient BLOB) WITHOUT ROWID";
        sqlx::query(made).execute(&mut *connection).await?;
        let mut statements = vec![format!(
            "INSERT INTO temp.gone SELECT who, person, patient FROM ({DECISIVE}) WHERE state = 'withdrawn'"
        )];
        if body.is_none() {
            statements.push(format!(
                "DELETE FROM barred WHERE who IN (SELECT who FROM ({DECISIVE}) WHERE state = 'given')"
            ));
        }
        for sql in statements {
            let query = sqlx::query(AssertSqlSafe(sql)).bind(purpose.word()).bind(now_us);
            query.execute(&mut *connection).await?;
        }
        match body {
            Some(kind) => {
                let whose = "person IN (SELECT person FROM temp.gone WHERE person IS NOT NULL)";
                erase_recorded(connection, &mut erased, (kind, whose)).await?;
            }
            None => erase_all(connection, &mut erased).await?,
        }
        sqlx::query("DROP TABLE temp.gone").execute(&mut *connection).await?;
    }
    erased.keep(connection, "withdrawn", now_us).await?;
    Ok(erased)
}

/// Everything of the people in `temp.gone`. A patient's response that names no patient is theirs if its encounter
/// is; so its encounter's key is barred, too.
async fn erase_all(connection: &mut SqliteConnection, erased: &mut Erased) -> Result<(), Error> {
    let persons = "IN (SELECT person FROM temp.gone WHERE person IS NOT NULL)";
    let patients = "IN (SELECT patient FROM temp.gone WHERE patient IS NOT NULL)";
    for sql in [
        "INSERT OR IGNORE INTO barred SELECT 'person', person, who FROM temp.gone WHERE person IS NOT NULL",
        "INSERT OR IGNORE INTO barred SELECT 'patient', patient, who FROM temp.gone WHERE patient IS NOT NULL",
        "INSERT OR IGNORE INTO barred SELECT 'encounter', e.encounter, g.who FROM temp.gone g \
         CROSS JOIN encounter e ON e.patient = g.patient",
        "INSERT OR IGNORE INTO barred SELECT 'response', r.response, g.who FROM temp.gone g \
         CROSS JOIN response r ON r.person = g.person",
        "INSERT OR IGNORE INTO barred SELECT 'response', r.response, g.who FROM temp.gone g \
         CROSS JOIN response r ON r.patient = g.patient AND r.respondent = 'patient'",
        "INSERT OR IGNORE INTO barred SELECT 'response', r.response, g.who FROM temp.gone g \
         CROSS JOIN barred b ON b.kind = 'encounter' AND b.who = g.who \
         CROSS JOIN response r ON r.encounter = b.key AND r.patient IS NULL AND r.respondent = 'patient'",
    ] {
        sqlx::query(sql).execute(&mut *connection).await?;
    }
    let said = "response IN (SELECT key FROM barred WHERE kind = 'response' AND who IN (SELECT who FROM temp.gone))";
    let met = format!("person {persons} OR patient {patients}");
    let noted = format!(
        "person {persons} OR encounter IN (SELECT key FROM barred WHERE kind = 'encounter' \
         AND who IN (SELECT who FROM temp.gone))"
    );
    let own = format!("person {persons}");
    for (table, condition) in [
        ("answer", said),
        ("response", said),
        ("told", &own),
        ("annotation", &noted),
        ("feature", &own),
        ("device_session", &own),
        ("encounter", &met),
        ("period", &own),
        ("training", &own),
        ("person", &own),
    ] {
        erased.erase(connection, table, condition).await?;
    }
    Ok(())
}

/// The numbers of one kind that recordings gave, of the people whom a condition on `person` names, and recordings of
/// which nothing is left then. What rested on several kinds is worked out anew with the next import.
pub(super) async fn erase_recorded(
    connection: &mut SqliteConnection,
    erased: &mut Erased,
    (kind, whose): (Modality, &str),
) -> Result<(), Error> {
    let own = format!("modality = '{kind}' AND {whose}");
    let sessions = format!(
        "SELECT session FROM feature WHERE {own} UNION SELECT session FROM window_feature WHERE {own}"
    );
    for sql in [
        "CREATE TEMP TABLE touched (session BLOB PRIMARY KEY) WITHOUT ROWID".to_owned(),
        format!("INSERT INTO temp.touched {sessions}"),
        "INSERT OR IGNORE INTO stale_person SELECT DISTINCT d.person FROM temp.touched t \
         CROSS JOIN device_session d ON d.session = t.session"
            .to_owned(),
        format!("DELETE FROM encounter_feature WHERE {own}"),
        format!("DELETE FROM window_feature WHERE {own}"),
    ] {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    erased.erase(connection, "feature", &own).await?;
    let empty = "session IN (SELECT session FROM temp.touched) \
                 AND session NOT IN (SELECT session FROM feature) \
                 AND session NOT IN (SELECT session FROM window_feature)";
    erased.erase(connection, "device_session", empty).await?;
    sqlx::query("DROP TABLE temp.touched").execute(connection).await?;
    Ok(())
}
