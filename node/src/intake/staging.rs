//! Runs one section of a mapping: its rows land in a staging table, before any check.
//!
//! The section stands in brackets, so `SQLite`'s grammar admits a query and nothing else; the columns it
//! yields are compared with the canonical ones before a row is read.
use super::canonical::{Column, Presence, Table};
use super::mapping::Section;
use super::source::land::Landed;
use crate::store::fault;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Column as _, Executor as _, SqlSafeStr as _, Statement as _};
use std::collections::BTreeSet;
use tacit_shared::fault::Fault;

/// Rows of one canonical table that wait for their checks.
pub(super) struct Staged {
    pub(super) table: Table,
    /// The columns the section yields, without `line`.
    pub(super) columns: Vec<&'static Column>,
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

/// Runs a section; its place is the mapping's file and the section's line.
pub(super) async fn stage(
    connection: &mut SqliteConnection,
    table: Table,
    section: &Section,
    (origin, line): (&str, usize),
    landed: &[Landed],
) -> Result<Staged, Fault> {
    let place = format!("{origin}:{line}");
    let refused = |error: &sqlx::Error| refused(table, error, landed).at(&place);
    let query = format!("SELECT * FROM (\n{}\n)", section.sql);
    let prepared =
        connection.prepare(AssertSqlSafe(query).into_sql_str()).await.map_err(|e| refused(&e))?;
    let found: Vec<String> = prepared.columns().iter().map(|c| c.name().to_lowercase()).collect();
    drop(prepared);
    let staged = make(connection, table, &found).await.map_err(|f| match f.place {
        None => f.at(&place),
        Some(_) => f,
    })?;
    let name = staged.name();
    let names: Vec<&str> = staged.columns.iter().map(|c| c.name).collect();
    let names = names.join(", ");
    let sql = format!(
        "INSERT INTO {name} (line, {names}) SELECT line, {names} FROM (\n{}\n)",
        section.sql
    );
    let filled = sqlx::query(AssertSqlSafe(sql)).persistent(false).execute(connection).await;
    filled.map_err(|e| refused(&e))?;
    Ok(staged)
}

/// Makes the staging table for a section that yields the columns found, in lower case.
pub(super) async fn make(
    connection: &mut SqliteConnection,
    table: Table,
    found: &[String],
) -> Result<Staged, Fault> {
    let staged = Staged { table, columns: compare(table, found)? };
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
fn refused(table: Table, error: &sqlx::Error, landed: &[Landed]) -> Fault {
    let Some(message) = error.as_database_error().map(|e| e.message().to_owned()) else {
        return fault(error);
    };
    let tables: Vec<String> =
        landed.iter().map(|l| format!("{} has _line, {}", l.table, l.columns.join(", "))).collect();
    let names_only = [
        "no such column",
        "no such table",
        "no such function",
        "syntax error",
        "ambiguous column",
        "not authorized",
    ];
    let told = if names_only.iter().any(|start| message.contains(start)) {
        message
    } else {
        "a value of the files does not suit one of its functions".to_owned()
    };
    Fault::user(format!("section `@{}` does not run: {told}", table.name())).hint(tables.join("; "))
}
