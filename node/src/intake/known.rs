//! Rows whose key an earlier import brought: with the same values they are there and count once; with others they are
//! rejects, so that a number cannot change unseen. Keys that stand twice among the rows of now are found here, too.
use super::canonical::{Column, Table};
use super::key::{self, KEYED};
use super::quality;
use super::staging::Staged;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Error};

/// Whether keys that stand twice are looked for only if rows did not come in for them: most files have none, and to look
/// means to sort every id.
pub(super) fn late(table: Table) -> bool {
    matches!(table, Table::Encounter | Table::Response | Table::Answer)
}

/// A key that stands twice among the good rows: the first is kept.
pub(super) async fn mark_twice(
    connection: &mut SqliteConnection,
    staged: &Staged,
) -> Result<(), Error> {
    let key: Vec<&str> = staged.table.key().iter().copied().filter(|c| staged.has(c)).collect();
    let (columns, first) = (key.join(", "), key.first().copied().unwrap_or_default());
    let twice = format!(
        "row_id IN (SELECT row_id FROM (SELECT row_id, row_number() OVER (PARTITION BY {columns} ORDER BY row_id) AS nth \
         FROM {} WHERE row_id NOT IN (SELECT row_id FROM temp.bad)) WHERE nth > 1)",
        staged.name()
    );
    quality::mark(connection, staged, (&twice, first, "the key of an earlier row")).await
}

/// Marks the rows that an earlier import brought with other values.
pub(super) async fn check(connection: &mut SqliteConnection, staged: &Staged) -> Result<(), Error> {
    if staged.table.renewed() || !has_rows(&mut *connection, staged.table).await? {
        return Ok(());
    }
    let key = staged.table.key();
    let first = key.first().copied().unwrap_or_default();
    let differs: Vec<String> = staged
        .columns
        .iter()
        .filter(|c| !key.contains(&c.name))
        .map(|c| format!("{} IS NOT {}.{}", before(staged, c), side(c), c.name))
        .collect();
    if differs.is_empty() {
        return Ok(());
    }
    let changed = format!("row_id IN ({} WHERE {})", there_before(staged), differs.join(" OR "));
    let reason = "already there from an earlier import, with other values";
    quality::mark(connection, staged, (&changed, first, reason)).await
}

/// Takes the rows out that an earlier import brought with the same values, so that nothing counts twice. Returns
/// how many there were.
pub(super) async fn leave_out(
    connection: &mut SqliteConnection,
    staged: &Staged,
) -> Result<u64, Error> {
    if staged.table.renewed() || !has_rows(&mut *connection, staged.table).await? {
        return Ok(0);
    }
    let sql = format!(
        "DELETE FROM {} WHERE row_id NOT IN (SELECT row_id FROM temp.bad) AND row_id IN ({})",
        staged.name(),
        there_before(staged)
    );
    Ok(sqlx::query(AssertSqlSafe(sql)).execute(connection).await?.rows_affected())
}

/// Whether a canonical table has rows that those of now could be held against.
async fn has_rows(connection: &mut SqliteConnection, table: Table) -> Result<bool, Error> {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM main.{})", table.name());
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await
}

/// Selects the rows `s` whose key a row `t` of the canonical table has; `k` holds the hashes.
fn there_before(staged: &Staged) -> String {
    let key = staged.columns.iter().filter(|c| staged.table.key().contains(&c.name));
    let on: Vec<String> = key.map(|c| format!("t.{0} = {1}.{0}", c.name, side(c))).collect();
    format!(
        "SELECT s.row_id FROM {} s JOIN {KEYED} k ON k.row_id = s.row_id CROSS JOIN main.{} t ON {}",
        staged.name(),
        staged.table.name(),
        on.join(" AND ")
    )
}

/// The value that an earlier import brought: a response's patient may have been taken over from its encounter since.
fn before(staged: &Staged, column: &Column) -> String {
    match (staged.table, column.name) {
        (Table::Response, "patient") => "iif(t.from_encounter = 1, NULL, t.patient)".to_owned(),
        (_, name) => format!("t.{name}"),
    }
}

/// Where a column's value is as the canonical table has it: among the hashes, or in the staging table.
fn side(column: &Column) -> &'static str {
    if key::is_key(column) { "k" } else { "s" }
}
