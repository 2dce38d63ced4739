//! Whose an answer is: a patient's that names no patient belongs to whom its encounter belongs to.
//!
//! ```text
//! encounter taken over          the tables say it whenever they are read
//! encounter not taken over      (a reject, or left out since its clinician withdrew) the answer is given its patient
//! encounter there again         the answer gives it back: the tables say it
//! ```
//! Were it forgotten, each such answer would be a patient of its own, and one patient could move more rows than the
//! study's bound on links says. What remains without a patient is counted. An encounter that goes later is the work of
//! a trigger (`migrations/`).
use super::canonical::Table;
use super::key::KEYED;
use super::staging::Staged;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Error};

/// Makes the table of encounters that were in the files and are not in the tables, with their patients.
pub(super) async fn prepare(connection: &mut SqliteConnection) -> Result<(), Error> {
    let sql = "CREATE TEMP TABLE visit_owner (encounter BLOB PRIMARY KEY, patient BLOB NOT NULL) WITHOUT ROWID";
    sqlx::query(sql).execute(connection).await?;
    Ok(())
}

/// Drops it.
pub(super) async fn forget(connection: &mut SqliteConnection) -> Result<(), Error> {
    sqlx::query("DROP TABLE IF EXISTS temp.visit_owner").execute(connection).await?;
    Ok(())
}

/// Remembers the encounters that were not taken over, once the others were.
pub(super) async fn remember(
    connection: &mut SqliteConnection,
    staged: &Staged,
) -> Result<(), Error> {
    if staged.table != Table::Encounter || !staged.has("patient") {
        return Ok(());
    }
    let sql = format!(
        "INSERT OR IGNORE INTO temp.visit_owner SELECT k.encounter, k.patient FROM {KEYED} k \
         WHERE k.encounter IS NOT NULL AND k.patient IS NOT NULL AND NOT EXISTS (SELECT 1 FROM main.encounter e \
         WHERE e.encounter = k.encounter AND e.patient IS NOT NULL) ORDER BY k.row_id"
    );
    sqlx::query(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

/// Selects the staged responses whose patient, by such an encounter, withdrew.
pub(super) fn withdrawn(staged: &Staged) -> Option<String> {
    if staged.table != Table::Response || !staged.has("encounter") {
        return None;
    }
    let unnamed = if staged.has("patient") { " AND s.patient IS NULL" } else { "" };
    Some(format!(
        "SELECT s.row_id FROM {} s CROSS JOIN {KEYED} k ON k.row_id = s.row_id \
         CROSS JOIN temp.visit_owner o ON o.encounter = k.encounter \
         CROSS JOIN main.barred b ON b.kind = 'patient' AND b.key = o.patient \
         WHERE s.respondent = 'patient'{unnamed}",
        staged.name()
    ))
}

/// Brings the responses in line with the encounters. Returns how many were given their patient.
pub(super) async fn settle(connection: &mut SqliteConnection) -> Result<u64, Error> {
    let back = "UPDATE response SET patient = NULL, from_encounter = 0 WHERE from_encounter = 1 \
                AND encounter IN (SELECT encounter FROM encounter WHERE patient IS NOT NULL)";
    sqlx::query(back).execute(&mut *connection).await?;
    let given = "UPDATE response SET from_encounter = 1, \
                 patient = (SELECT o.patient FROM temp.visit_owner o WHERE o.encounter = response.encounter) \
                 WHERE respondent = 'patient' AND (patient IS NULL OR from_encounter = 1) \
                 AND encounter IN (SELECT encounter FROM temp.visit_owner)";
    Ok(sqlx::query(given).execute(connection).await?.rows_affected())
}

/// A note of how many rows of a batch have no patient, if there are any.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    batch: i64,
) -> Result<Option<String>, Error> {
    let (encounters, responses): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM encounter WHERE src = ?1 AND patient IS NULL), \
         (SELECT count(*) FROM response r WHERE r.src = ?1 AND r.respondent = 'patient' AND r.patient IS NULL \
          AND NOT EXISTS (SELECT 1 FROM encounter e WHERE e.encounter = r.encounter AND e.patient IS NOT NULL))",
    )
    .bind(batch)
    .fetch_one(connection)
    .await?;
    Ok((encounters + responses > 0).then(|| {
        format!(
            "without a patient's id: {encounters} encounters, {responses} questionnaires of patients; each counts as a \
             patient of its own"
        )
    }))
}
