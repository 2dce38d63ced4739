//! Runs one section of a mapping: its rows land in a staging table, before any check.
//!
//! The section stands in brackets, so `SQLite`'s grammar admits a query and nothing else; the columns it
//! yields are compared with the canonical ones before a row is read.
use super::canonical::{Column, Presence, Table};
use super::illegible::Times;
use super::mapping::Section;
use super::source::land::Landed;
use crate::store::fault;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Column as _, Executor as _, SqlSafeStr as _, Statement as _};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tacit_shared::fault::Fault;

/// Steps of the database between two looks at the clock.
const STEPS: i32 = 100_000;
/// A section that yields more rows than this for each raw row, and [`ROWS_LEAST`] beside, has lost its way.
const ROWS_PER_ROW: u64 = 1_000;
/// What a section may yield of no raw row.
const ROWS_LEAST: u64 = 1_000_000;
/// `SQLite`'s code of a statement that was told to stop.
const INTERRUPT: u32 = 9;
const ENDLESS: &str = "look for a WITH RECURSIVE without an end, or a JOIN without a condition; --statement-seconds \
                       says how long a section may run";
/// What `SQLite` says of a statement that cannot be prepared: names of the mapping, no cell.
const NAMES_ONLY: [&str; 10] = [
    "no such column",
    "no such table",
    "no such function",
    "syntax error",
    "incomplete input",
    "ambiguous column",
    "not authorized",
    "wrong number of arguments to function",
    "do not have the same number of result columns",
    "circular reference",
];

/// Rows of one canonical table that wait for their checks.
pub(super) struct Staged {
    pub(super) table: Table,
    /// The columns the section yields, without `line`.
    pub(super) columns: Vec<&'static Column>,
    /// From where its times are.
    pub(super) times: Times,
}

impl Staged {
    /// The staging table.
    pub(super) fn name(&self) -> String {
        format!("temp.stage_{}", self.table.name())
    }

    /// Whether the section yields the column.
    pub(super) fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }
}

/// What a section stands on: the mapping's file, the raw tables, and how long it may run.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) origin: &'a str,
    pub(super) landed: &'a [Landed],
    pub(super) statement_s: u32,
}

/// Runs a section.
pub(super) async fn stage(
    connection: &mut SqliteConnection,
    table: Table,
    section: &Section,
    ground: Ground<'_>,
) -> Result<Staged, Fault> {
    watch(connection, ground.statement_s).await?;
    let staged = run(connection, table, section, ground).await;
    let mut handle = connection.lock_handle().await.map_err(|e| fault(&e))?;
    handle.remove_progress_handler();
    staged
}

/// Has the database ask, as it works, whether the time is over: a recursion may have no end.
async fn watch(connection: &mut SqliteConnection, statement_s: u32) -> Result<(), Fault> {
    let end = Instant::now() + Duration::from_secs(u64::from(statement_s));
    let mut handle = connection.lock_handle().await.map_err(|e| fault(&e))?;
    handle.set_progress_handler(STEPS, move || Instant::now() < end);
    Ok(())
}

async fn run(
    connection: &mut SqliteConnection,
    table: Table,
    section: &Section,
    ground: Ground<'_>,
) -> Result<Staged, Fault> {
    let refused = |error: &sqlx::Error| refused((table, section), error, ground);
    let query = format!("SELECT * FROM (\n{}\n)", section.sql);
    let prepared = match connection.prepare(AssertSqlSafe(query).into_sql_str()).await {
        Ok(prepared) => prepared,
        Err(error) => {
            let found = refused(&error);
            let line = syntax_line(connection, section, &error).await;
            return Err(match line {
                Some(line) => found.at(format!("{}:{line}", ground.origin)),
                None => found,
            });
        }
    };
    let found: Vec<String> = prepared.columns().iter().map(|c| c.name().to_lowercase()).collect();
    drop(prepared);
    let place = || format!("{}:{}", ground.origin, section.line);
    let staged = make(connection, table, &found).await.map_err(|f| match f.place {
        None => f.at(place()),
        Some(_) => f,
    })?;
    let name = staged.name();
    let names: Vec<&str> = staged.columns.iter().map(|c| c.name).collect();
    let names = names.join(", ");
    let raw: u64 = ground.landed.iter().map(|l| l.rows).sum();
    let most = raw.saturating_mul(ROWS_PER_ROW).saturating_add(ROWS_LEAST);
    let sql = format!(
        "INSERT INTO {name} (line, {names}) SELECT line, {names} FROM (\n{}\n) LIMIT {}",
        section.sql,
        most.saturating_add(1)
    );
    let filled = sqlx::query(AssertSqlSafe(sql)).persistent(false).execute(connection).await;
    if filled.map_err(|e| refused(&e))?.rows_affected() > most {
        let message = format!(
            "section `@{}` yields more than {most} rows, and the files have {raw}",
            table.name()
        );
        return Err(Fault::user(message).at(place()).hint(ENDLESS));
    }
    Ok(staged)
}

/// The line of a syntax error. `SQLite` names the word and not its place, so a sign that no statement may have is put
/// before one occurrence after the other: up to the place of the error the parser meets the sign first.
async fn syntax_line(
    connection: &mut SqliteConnection,
    section: &Section,
    error: &sqlx::Error,
) -> Option<usize> {
    let message = error.as_database_error()?.message().to_owned();
    let word = message.strip_prefix("near \"")?.strip_suffix("\": syntax error")?;
    let places: Vec<usize> = section.sql.match_indices(word).map(|(at, _)| at).collect();
    let (mut met, mut rest) = (None, places.as_slice());
    while let Some((at, after)) = rest.get(rest.len() / 2).zip(rest.get(rest.len() / 2 + 1..)) {
        let (before, behind) = section.sql.split_at_checked(*at)?;
        let query = format!("SELECT * FROM (\n{before} ! {behind}\n)");
        let tried = connection.prepare(AssertSqlSafe(query).into_sql_str()).await;
        let stopped = tried.err()?.as_database_error()?.message().contains("\"!\"");
        if stopped {
            (met, rest) = (Some(*at), after);
        } else {
            rest = rest.get(..rest.len() / 2)?;
        }
    }
    Some(section.line_at(met?))
}

/// Makes the staging table for a section that yields the columns found, in lower case.
pub(super) async fn make(
    connection: &mut SqliteConnection,
    table: Table,
    found: &[String],
) -> Result<Staged, Fault> {
    let staged = Staged { table, columns: compare(table, found)?, times: Times::default() };
    let typed: Vec<String> =
        staged.columns.iter().map(|c| format!("{} {}", c.name, c.rule.affinity())).collect();
    let sql = format!(
        "CREATE TEMP TABLE stage_{} (row_id INTEGER PRIMARY KEY, line INTEGER, {})",
        table.name(),
        typed.join(", ")
    );
    let made = sqlx::query(AssertSqlSafe(sql)).execute(connection).await;
    made.map_err(|e| fault(&e))?;
    Ok(staged)
}

/// The canonical columns among those found.
fn compare(table: Table, found: &[String]) -> Result<Vec<&'static Column>, Fault> {
    let section = table.name();
    let distinct: BTreeSet<&str> = found.iter().map(String::as_str).collect();
    let known = |name: &str| name == "line" || table.columns().iter().any(|c| c.name == name);
    let listed = || {
        let mark = |c: &Column| match c.presence {
            Presence::Required => c.name.to_owned(),
            Presence::Optional => format!("{}?", c.name),
        };
        let names: Vec<String> = table.columns().iter().map(mark).collect();
        format!("@{section} yields line, {} (? may be left out)", names.join(", "))
    };
    // SQLite renames the second of two equal columns, so it is unknown here.
    if let Some(name) = found.iter().find(|name| !known(name)) {
        let name: String = name.chars().take(64).collect();
        let message =
            format!("section `@{section}` yields `{name}`, which is not one of its columns");
        return Err(Fault::user(message).hint(listed()));
    }
    if distinct.len() < found.len() {
        let message = format!("section `@{section}` yields a column twice");
        return Err(Fault::user(message).hint(listed()));
    }
    let required = table.columns().iter().filter(|c| c.presence == Presence::Required);
    let missing: Vec<&str> = std::iter::once("line")
        .chain(required.map(|c| c.name))
        .filter(|name| !distinct.contains(name))
        .collect();
    if !missing.is_empty() {
        let message = format!("section `@{section}` does not yield {}", missing.join(", "));
        return Err(Fault::user(message).hint(listed()));
    }
    Ok(table.columns().iter().filter(|c| distinct.contains(c.name)).collect())
}

/// What is wrong with a section, beside what the raw tables have.
///
/// A statement that cannot be prepared is told in `SQLite`'s words, which name tables and columns. What it
/// says while a statement runs may quote a cell, so of that nothing is told.
fn refused((table, section): (Table, &Section), error: &sqlx::Error, ground: Ground<'_>) -> Fault {
    let Some(found) = error.as_database_error() else { return fault(error) };
    let code = found.code().and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff);
    let section_place = || format!("{}:{}", ground.origin, section.line);
    match code {
        Some(INTERRUPT) => {
            let seconds = ground.statement_s;
            let message = format!("section `@{}` ran for more than {seconds} s", table.name());
            return Fault::user(message).at(section_place()).hint(ENDLESS);
        }
        // The disk, the lock, the file: not the section's fault.
        Some(5 | 6 | 8 | 10 | 11 | 13 | 14 | 26) => return fault(error),
        _ => {}
    }
    let message = match found.message() {
        "not authorized" => {
            "no section may load a library or reach beyond the tables: not authorized"
        }
        other => other,
    };
    let told = NAMES_ONLY.iter().any(|start| message.contains(start));
    let (told, line) = if told {
        (message, section.line_of(message))
    } else {
        ("a value of the files does not suit one of its functions", section.line)
    };
    let tables = ground.landed.iter();
    let tables = tables.map(|l| format!("{} has _line, {}", l.table, l.columns.join(", ")));
    Fault::user(format!("section `@{}` does not run: {told}", table.name()))
        .at(format!("{}:{line}", ground.origin))
        .hint(tables.collect::<Vec<_>>().join("; "))
}
