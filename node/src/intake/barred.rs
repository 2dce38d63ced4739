//! Leaves out the rows of people who withdrew: they are as if not in the files.
//!
//! Neither a reject nor a line is recorded, since a line would say who it was; the summary counts them by table.
//! An answer goes with its response.
use super::canonical::{Rule, Table};
use super::key::KEYED;
use super::owner;
use super::staging::Staged;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Error};

/// Makes the table of responses that were left out.
pub(super) async fn prepare(connection: &mut SqliteConnection) -> Result<(), Error> {
    let sql = "CREATE TEMP TABLE left_response (key BLOB PRIMARY KEY) WITHOUT ROWID";
    sqlx::query(sql).execute(connection).await?;
    Ok(())
}

/// Drops it.
pub(super) async fn forget(connection: &mut SqliteConnection) -> Result<(), Error> {
    sqlx::query("DROP TABLE IF EXISTS temp.left_response").execute(connection).await?;
    Ok(())
}

/// When a row of the staging table `s` belongs to whom a column names: a clinician's own form does to them alone,
/// and a patient's that names the patient to nobody else.
fn belongs(staged: &Staged, column: &str) -> &'static str {
    match (staged.table, column) {
        (Table::Response, "encounter") if staged.has("patient") => {
            "s.respondent = 'patient' AND s.patient IS NULL"
        }
        (Table::Response, "encounter" | "patient") => "s.respondent = 'patient'",
        _ => "1",
    }
}

/// Takes such rows out of the staging table, after its checks. Returns how many there were.
pub(super) async fn leave_out(
    connection: &mut SqliteConnection,
    staged: &Staged,
) -> Result<u64, Error> {
    // What people state about their consent is always taken over.
    if staged.table == Table::Consent {
        return Ok(0);
    }
    let stage = staged.name();
    let mut found = Vec::new();
    for column in &staged.columns {
        let Rule::Key(kind) = column.rule else { continue };
        let (name, word) = (column.name, kind.word());
        found.push(format!(
            "SELECT s.row_id FROM {stage} s CROSS JOIN {KEYED} k ON k.row_id = s.row_id \
             CROSS JOIN main.barred b ON b.kind = '{word}' AND b.key = k.{name} WHERE {}",
            belongs(staged, name)
        ));
    }
    if staged.table == Table::Answer {
        found.push(format!(
            "SELECT row_id FROM {KEYED} WHERE response IN (SELECT key FROM temp.left_response)"
        ));
    }
    found.extend(owner::withdrawn(staged));
    let any =
        "SELECT EXISTS (SELECT 1 FROM main.barred) OR EXISTS (SELECT 1 FROM temp.left_response)";
    if !sqlx::query_scalar::<_, bool>(any).fetch_one(&mut *connection).await? {
        return Ok(0);
    }
    let rows = found.join(" UNION ");
    if staged.table == Table::Response {
        let sql = format!(
            "INSERT OR IGNORE INTO temp.left_response SELECT response FROM {KEYED} \
             WHERE response IS NOT NULL AND row_id IN ({rows})"
        );
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    if staged.table == Table::Encounter && staged.has("patient") {
        // So that what is said of the encounter, without a word of whose it is, goes with it.
        let sql = format!(
            "INSERT OR IGNORE INTO main.barred SELECT 'encounter', k.encounter, b.who FROM {KEYED} k \
             CROSS JOIN main.barred b ON b.kind = 'patient' AND b.key = k.patient \
             WHERE k.encounter IS NOT NULL AND k.row_id IN (SELECT row_id FROM {stage})"
        );
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    let sql = format!("DELETE FROM {stage} WHERE row_id IN ({rows})");
    let gone = sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    let sql = format!("DELETE FROM temp.bad WHERE row_id NOT IN (SELECT row_id FROM {stage})");
    sqlx::query(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(gone.rows_affected())
}
