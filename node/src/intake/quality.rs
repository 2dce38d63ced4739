//! Checks staged rows, keeps the good ones, and records why the others are not.
//!
//! One statement a check, over a whole table: what is missing, what breaks its column's rule, what
//! contradicts another column, a key that stands twice, a key that an earlier batch brought, a row that
//! is referred to but was not taken over. A reason never quotes the value. Of a clinician seen before,
//! the newer record replaces the older, and so it is with a statement on consent and with a training, whose end may
//! become known; all else that was there before is a reject, so that a number cannot change unseen.
use super::Questionnaire;
use super::canonical::{Column, Presence, Rule, Table};
use super::illegible;
use super::key::{self, KEYED};
use super::known;
use super::staging::Staged;
use super::zone;
use crate::store::bulk::{Bulk, Cell};
use crate::store::pseudonym::Pseudonyms;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Error};
use std::fmt::Write as _;

/// Fewer rows than this come in with the indexes in place.
const LIFT_ROWS: u32 = 10_000;

/// Makes the tables that the checks need: bad rows, and what the questionnaires admit.
pub(super) async fn prepare(
    connection: &mut SqliteConnection,
    questionnaires: &[Questionnaire],
) -> Result<(), Error> {
    for sql in [
        "CREATE TEMP TABLE bad (row_id INTEGER, column_name TEXT, reason TEXT)",
        "CREATE TEMP TABLE suspect (row_id INTEGER PRIMARY KEY)",
        "CREATE TEMP TABLE known_item (instrument TEXT, item TEXT, PRIMARY KEY (instrument, item)) WITHOUT ROWID",
        "CREATE TEMP TABLE known_code (instrument TEXT, code TEXT, PRIMARY KEY (instrument, code)) WITHOUT ROWID",
        "CREATE TEMP TABLE known_instrument (instrument TEXT PRIMARY KEY, version TEXT, respondent TEXT, locked INTEGER) WITHOUT ROWID",
        "CREATE TEMP TABLE known_score (instrument TEXT, item TEXT, low REAL, high REAL, PRIMARY KEY (instrument, item)) WITHOUT ROWID",
    ] {
        sqlx::query(sql).execute(&mut *connection).await?;
    }
    let mut instruments =
        Bulk::new("temp.known_instrument", &["instrument", "version", "respondent", "locked"]);
    let mut scores = Bulk::new("temp.known_score", &["instrument", "item", "low", "high"]);
    let mut items = Bulk::new("temp.known_item", &["instrument", "item"]);
    let mut codes = Bulk::new("temp.known_code", &["instrument", "code"]);
    let pair = |a: &String, b: &String| vec![Cell::Text(a.clone()), Cell::Text(b.clone())];
    for known in questionnaires {
        let id = &known.instrument;
        let mut row = pair(id, &known.version);
        row.push(Cell::Text(known.respondent.clone()));
        row.push(Cell::Integer(i64::from(known.locked)));
        instruments.push(connection, &mut row).await?;
        for item in &known.items {
            items.push(connection, &mut pair(id, item)).await?;
        }
        for code in &known.codes {
            codes.push(connection, &mut pair(id, code)).await?;
        }
        for score in &known.imported {
            items.push(connection, &mut pair(id, &score.item)).await?;
            let mut row = pair(id, &score.item);
            row.extend([Cell::Real(score.low), Cell::Real(score.high)]);
            scores.push(connection, &mut row).await?;
        }
    }
    for mut bulk in [instruments, items, codes, scores] {
        bulk.flush(connection).await?;
    }
    Ok(())
}

/// Drops what [`prepare`] made.
pub(super) async fn forget(connection: &mut SqliteConnection) -> Result<(), Error> {
    for table in ["bad", "suspect", "known_item", "known_code", "known_instrument", "known_score"] {
        let sql = format!("DROP TABLE IF EXISTS temp.{table}");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Finds the bad rows of a staged table and hashes the ids of its columns.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    pseudonyms: &Pseudonyms,
    staged: &Staged,
) -> Result<(), Error> {
    sqlx::query("DELETE FROM temp.bad").execute(&mut *connection).await?;
    check_values(connection, pseudonyms, staged).await?;
    match staged.table {
        Table::Consent => check_persons(connection, staged).await?,
        Table::Response => check_instruments(connection, staged).await?,
        Table::Answer => check_answers(connection, staged).await?,
        _ => {}
    }
    for (column, target) in staged.table.references() {
        let reason = format!("names no {} that was taken over", target.name());
        let condition = format!(
            "row_id IN (SELECT row_id FROM {KEYED} WHERE {column} NOT IN (SELECT {column} FROM main.{}))",
            target.name()
        );
        mark(connection, staged, (&condition, column, &reason)).await?;
    }
    if !known::late(staged.table) {
        known::mark_twice(connection, staged).await?;
    }
    known::check(connection, staged).await
}

/// What can be seen in a row by itself: one scan hashes its ids and finds the rows with something wrong, and what
/// it is is asked of those alone.
async fn check_values(
    connection: &mut SqliteConnection,
    pseudonyms: &Pseudonyms,
    staged: &Staged,
) -> Result<(), Error> {
    let mut checks: Vec<(String, &str, String)> = Vec::new();
    for column in &staged.columns {
        let of_column = column_checks(column).into_iter();
        checks.extend(of_column.map(|(condition, reason)| (condition, column.name, reason)));
    }
    for (condition, column, reason) in staged.table.contradictions() {
        if staged.has(column) {
            checks.push(((*condition).to_owned(), column, (*reason).to_owned()));
        }
    }
    sqlx::query("DELETE FROM temp.suspect").execute(&mut *connection).await?;
    let any: Vec<String> = checks.iter().map(|(condition, ..)| format!("({condition})")).collect();
    if key::hash(connection, pseudonyms, (staged, &any.join(" OR "))).await? == 0 {
        return Ok(());
    }
    for (condition, column, reason) in &checks {
        let condition = format!("row_id IN (SELECT row_id FROM temp.suspect) AND ({condition})");
        mark(connection, staged, (&condition, column, reason)).await?;
    }
    illegible::tell(connection, staged).await
}

/// Marks rows by a condition that SQL cannot see.
pub(super) async fn reject(
    connection: &mut SqliteConnection,
    row: i64,
    column: &str,
    reason: &str,
) -> Result<(), Error> {
    sqlx::query("INSERT INTO temp.bad VALUES (?, ?, ?)")
        .bind(row)
        .bind(column.to_owned())
        .bind(reason.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes over the good rows and records the others. Returns how many were taken over, and how many not.
pub(super) async fn accept(
    connection: &mut SqliteConnection,
    staged: &Staged,
    batch: i64,
) -> Result<(u64, u64), Error> {
    let stage = staged.name();
    let indexes = lift_indexes(&mut *connection, staged).await?;
    let sql = acceptance(staged);
    let done = sqlx::query(AssertSqlSafe(sql)).bind(batch).execute(&mut *connection).await?;
    let accepted = done.rows_affected();
    for sql in indexes {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    if known::late(staged.table) {
        let sql = format!(
            "SELECT count(*) FROM {stage} WHERE row_id NOT IN (SELECT row_id FROM temp.bad)"
        );
        let good: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *connection).await?;
        if u64::try_from(good).ok() != Some(accepted) {
            known::mark_twice(connection, staged).await?;
        }
    }
    let sql = format!(
        "INSERT INTO reject (batch, table_name, line, column_name, reason) \
         SELECT ?, '{}', CASE typeof(s.line) WHEN 'integer' THEN s.line END, b.column_name, b.reason \
         FROM temp.bad b JOIN {stage} s ON s.row_id = b.row_id ORDER BY s.line, b.column_name",
        staged.table.name()
    );
    sqlx::query(AssertSqlSafe(sql)).bind(batch).execute(&mut *connection).await?;
    let bad: i64 = sqlx::query_scalar("SELECT count(DISTINCT row_id) FROM temp.bad")
        .fetch_one(connection)
        .await?;
    Ok((accepted, u64::try_from(bad).unwrap_or_default()))
}

/// Takes the indexes off a table that many more rows will come into than it has, and yields the statements that
/// make them anew: one sort is cheaper than a place in a tree for each row. Other connections see none of
/// it, for all of an import is one transaction.
async fn lift_indexes(
    connection: &mut SqliteConnection,
    staged: &Staged,
) -> Result<Vec<String>, Error> {
    let table = staged.table.name();
    let sql = format!(
        "SELECT name, sql FROM main.sqlite_master WHERE type = 'index' AND tbl_name = '{table}' AND sql IS NOT NULL \
         AND (SELECT coalesce(max(row_id), 0) FROM {}) >= max({LIFT_ROWS}, (SELECT count(*) FROM main.{table}))",
        staged.name()
    );
    let found: Vec<(String, String)> =
        sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut *connection).await?;
    let mut made = Vec::with_capacity(found.len());
    for (name, sql) in found {
        let drop = format!("DROP INDEX main.{name}");
        sqlx::query(AssertSqlSafe(drop)).execute(&mut *connection).await?;
        made.push(sql);
    }
    Ok(made)
}

fn acceptance(staged: &Staged) -> String {
    let table = staged.table.name();
    let names: Vec<&str> = staged.columns.iter().map(|c| c.name).collect();
    let value = |column: &&Column| {
        let of = if key::is_key(column) { "k" } else { "s" };
        format!("{of}.{}", column.name)
    };
    let values: Vec<String> = staged.columns.iter().map(value).collect();
    // Of two rows with one key the first of the file comes first, and is kept.
    let order: Vec<String> = staged
        .table
        .key()
        .iter()
        .filter_map(|key| names.iter().position(|n| n == key))
        .map(|position| (position + 1).to_string())
        .chain(std::iter::once("s.row_id".to_owned()))
        .collect();
    let mut sql = format!(
        "INSERT INTO main.{table} ({}, src) SELECT {}, ? FROM {} s JOIN {KEYED} k ON k.row_id = s.row_id \
         WHERE s.row_id NOT IN (SELECT row_id FROM temp.bad) ORDER BY {}",
        names.join(", "),
        values.join(", "),
        staged.name(),
        order.join(", ")
    );
    if staged.table.renewed() {
        let key = match staged.table {
            Table::Consent => "purpose, who, from_us, state",
            Table::Training => "person, programme, from_us",
            _ => "person",
        };
        let columns = staged.table.columns().iter().map(|c| c.name);
        let columns = columns.filter(|c| !staged.table.key().contains(c));
        let set: Vec<String> = columns.clone().map(|c| format!("{c} = excluded.{c}")).collect();
        let set = set.join(", ");
        let src = if staged.table == Table::Consent {
            // A statement that is only repeated stays with the batch that brought it, or with none.
            let same: Vec<String> =
                columns.map(|c| format!("consent.{c} IS excluded.{c}")).collect();
            format!("iif({}, consent.src, excluded.src)", same.join(" AND "))
        } else {
            "excluded.src".to_owned()
        };
        let _ = write!(sql, " ON CONFLICT ({key}) DO UPDATE SET src = {src}, {set}"); // a String
    } else if known::late(staged.table) {
        let _ = write!(sql, " ON CONFLICT ({}) DO NOTHING", staged.table.key().join(", "));
    }
    sql
}

fn column_checks(column: &Column) -> Vec<(String, String)> {
    let name = column.name;
    let mut checks = Vec::new();
    if column.presence == Presence::Required {
        checks.push((format!("{name} IS NULL"), "missing".to_owned()));
    }
    let mut broken = column.rule.broken(name);
    let reason = format!("not {}", column.rule.expected());
    if column.rule == Rule::Time {
        let skipped = format!("{name} = {}", zone::SKIPPED_US);
        broken = format!("({broken}) AND NOT ({skipped})");
        checks.push((format!("{name} IS NOT NULL AND {skipped}"), zone::SKIPPED.to_owned()));
    }
    checks.push((format!("{name} IS NOT NULL AND ({broken})"), reason));
    checks
}

pub(super) async fn mark(
    connection: &mut SqliteConnection,
    staged: &Staged,
    (condition, column, reason): (&str, &str, &str),
) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO temp.bad SELECT row_id, ?, ? FROM {} WHERE {condition}",
        staged.name()
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(column.to_owned())
        .bind(reason.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

/// A statement is of one person.
async fn check_persons(connection: &mut SqliteConnection, staged: &Staged) -> Result<(), Error> {
    let named = |name: &'static str| if staged.has(name) { name } else { "NULL" };
    let (person, patient) = (named("person"), named("patient"));
    let condition = format!("({person} IS NULL) = ({patient} IS NULL)");
    mark(connection, staged, (&condition, "person", "not either a person or a patient")).await
}

async fn check_instruments(
    connection: &mut SqliteConnection,
    staged: &Staged,
) -> Result<(), Error> {
    let known = "instrument NOT IN (SELECT instrument FROM temp.known_instrument)";
    let reason = "no instrument of this node has that name";
    mark(connection, staged, (known, "instrument", reason)).await?;
    let locked = "instrument IN (SELECT instrument FROM temp.known_instrument WHERE locked = 1)";
    let reason = "the instrument is locked: no licence reference in node.toml";
    mark(connection, staged, (locked, "instrument", reason)).await?;
    if staged.has("version") {
        // Answers to another edition are not scored by this one's rules.
        let other = "version IS NOT NULL AND EXISTS (SELECT 1 FROM temp.known_instrument i \
                     WHERE i.instrument = stage_response.instrument AND i.version <> stage_response.version)";
        let reason = "not the version of the instrument that this node has";
        mark(connection, staged, (other, "version", reason)).await?;
    }
    let other = "EXISTS (SELECT 1 FROM temp.known_instrument i \
                 WHERE i.instrument = stage_response.instrument AND i.respondent <> stage_response.respondent)";
    let reason = "not who answers this instrument";
    mark(connection, staged, (other, "respondent", reason)).await
}

async fn check_answers(connection: &mut SqliteConnection, staged: &Staged) -> Result<(), Error> {
    // An answer with its instrument; `x` is the imported score it stands for, if it does.
    let answers = format!(
        "row_id IN (SELECT s.row_id FROM {} s CROSS JOIN {KEYED} k ON k.row_id = s.row_id \
         CROSS JOIN main.response r ON r.response = k.response \
         LEFT JOIN temp.known_score x ON x.instrument = r.instrument AND x.item = s.item",
        staged.name()
    );
    let known = |column: &str| {
        format!(
            "LEFT JOIN temp.known_{column} o ON o.instrument = r.instrument AND o.{column} = s.{column}"
        )
    };
    let digits = "ltrim(substr(s.code, 1, 1), '-') || substr(s.code, 2)";
    let number = format!(
        "({digits} GLOB '[0-9]*' AND {digits} NOT GLOB '*[^0-9.]*' AND {digits} NOT GLOB '*.*.*')"
    );
    let (items, codes) = (known("item"), known("code"));
    for (condition, column, reason) in [
        (
            format!("{answers} {items} WHERE o.instrument IS NULL)"),
            "item",
            "not an item of the instrument",
        ),
        (
            format!("{answers} {codes} WHERE o.instrument IS NULL AND x.item IS NULL)"),
            "code",
            "not a code of the instrument",
        ),
        (
            format!(
                "{answers} {codes} WHERE o.instrument IS NULL AND x.item IS NOT NULL AND NOT {number})"
            ),
            "code",
            "not a number, as an imported score is",
        ),
        (
            format!(
                "{answers} {codes} WHERE o.instrument IS NULL AND {number} \
                 AND CAST(s.code AS REAL) NOT BETWEEN x.low AND x.high)"
            ),
            "code",
            "outside the range of the scale",
        ),
    ] {
        mark(connection, staged, (&condition, column, reason)).await?;
    }
    Ok(())
}
