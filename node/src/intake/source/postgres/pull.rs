//! Runs a mapping's sections in the hospital's database and stages the rows they yield.
//!
//! ```text
//! WITH raw_visit AS NOT MATERIALIZED (SELECT row_number() OVER (ORDER BY key) AS _line, t.* FROM cdm.visit t)
//! SELECT … FROM (section) AS section              a cursor; PAGE rows a time
//! ```
//! `_line` counts the rows of a table in the order of its primary key, so that a reject can be found again. Texts are cut
//! beyond what any column admits, so a page is bounded whatever the database holds. The digest of a section
//! does not depend on the order of its rows, which a database is free to choose, nor on `_line`.
use super::address::Database;
use super::dialect;
use super::session::{Relation, Session};
use crate::intake::canonical::{Column, Table};
use crate::intake::mapping::{Mapping, Section};
use crate::intake::progress::Progress;
use crate::intake::source::files::Seen;
use crate::intake::staging::{self, Staged};
use crate::store::bulk::{Bulk, Cell};
use crate::store::fault;
use ring::digest::{Context, SHA256, digest};
use sqlx::postgres::{PgRow, PgTypeInfo, PgTypeKind};
use sqlx::sqlite::SqliteConnection;
use sqlx::{
    AssertSqlSafe, Column as _, Executor as _, Row as _, SqlSafeStr as _, Statement as _,
    TypeInfo as _,
};
use std::collections::BTreeMap;
use tacit_shared::fault::Fault;

/// Rows that are fetched at once.
const PAGE: usize = 2_000;
/// A text is cut after so many characters: more than any column of a canonical table admits.
const TEXT_MAX: u32 = 600;

/// The rows of one section, staged.
pub(in crate::intake) struct Pulled {
    pub(in crate::intake) staged: Staged,
    pub(in crate::intake) seen: Seen,
    pub(in crate::intake) rows: u64,
}

/// Runs the sections of `tables` in the database; all see the same state of it.
pub(in crate::intake) async fn pull(
    connection: &mut SqliteConnection,
    (database, tables, statement_s): (&Database, &[Table], u32),
    mapping: &Mapping,
    progress: &dyn Progress,
) -> Result<Vec<Pulled>, Fault> {
    let mut session = Session::open(database, statement_s).await?;
    let mut pulled = Vec::new();
    for table in tables {
        let Some(section) = mapping.section(*table) else { continue };
        progress.begin(&format!("@{}", table.name()), 0);
        let query = Query::of(&mut session, (*table, section), mapping.origin()).await?;
        let rows = query.run(&mut session, connection, progress).await?;
        progress.end(&format!("{} rows of @{}", rows.rows, table.name()));
        pulled.push(rows);
    }
    if pulled.is_empty() {
        return Err(
            Fault::user("the mapping has no section that would be run").at(mapping.origin())
        );
    }
    // Nothing was written: the transaction may end as it likes.
    let _ = sqlx::Connection::close(session.connection).await;
    Ok(pulled)
}

/// A section as it runs in the hospital's database.
struct Query<'a> {
    table: Table,
    section: &'a Section,
    origin: &'a str,
    /// The named queries that stand for raw tables, and the section in brackets.
    with: String,
    body: String,
    /// What the tables have, for a hint.
    hint: String,
}

/// How a column travels.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Whole,
    Real,
    Flag,
    /// A number with as many digits as it likes: as text, then the number it is.
    Decimal,
    Text,
}

impl<'a> Query<'a> {
    async fn of(
        session: &mut Session,
        (table, section): (Table, &'a Section),
        origin: &'a str,
    ) -> Result<Query<'a>, Fault> {
        let sql = dialect::translate(&section.sql).map_err(|(problem, at)| {
            let line =
                section.line + 1 + section.sql.bytes().take(at).filter(|b| *b == b'\n').count();
            Fault::user(format!("section `@{}` {problem}", table.name()))
                .at(format!("{origin}:{line}"))
        })?;
        let mut relations: BTreeMap<String, Relation> = BTreeMap::new();
        for name in dialect::raw_names(&section.sql) {
            if let Some(found) = session.relation(&name).await? {
                relations.insert(name, found);
            }
        }
        let named: Vec<String> = relations.iter().map(|(name, found)| named(name, found)).collect();
        let with =
            if named.is_empty() { String::new() } else { format!("WITH {} ", named.join(", ")) };
        let hints: Vec<String> = relations
            .iter()
            .map(|(name, found)| format!("raw_{name} has _line, {}", found.columns))
            .collect();
        let hint = if hints.is_empty() {
            "raw_NAME stands for the table or view NAME; --schema says where to look".to_owned()
        } else {
            hints.join("; ")
        };
        Ok(Query { table, section, origin, with, body: format!("(\n{sql}\n) AS section"), hint })
    }

    async fn run(
        &self,
        session: &mut Session,
        connection: &mut SqliteConnection,
        progress: &dyn Progress,
    ) -> Result<Pulled, Fault> {
        let text = format!("{}SELECT * FROM {}", self.with, self.body);
        let prepared = session.connection.prepare(AssertSqlSafe(text.clone()).into_sql_str()).await;
        let prepared = prepared.map_err(|e| self.explain(session, &e, &text))?;
        let mut ways = BTreeMap::new();
        let mut found = Vec::new();
        for column in prepared.columns() {
            let name = column.name().to_lowercase();
            ways.insert(
                name.clone(),
                way(column.type_info())
                    .ok_or_else(|| self.no_value(column.name(), column.type_info()))?,
            );
            found.push(name);
        }
        drop(prepared);
        let place = format!("{}:{}", self.origin, self.section.line);
        let made = staging::make(connection, self.table, &found).await;
        let staged = made.map_err(|f| if f.place.is_none() { f.at(&place) } else { f })?;
        let columns: Vec<(&str, Way)> = std::iter::once("line")
            .chain(staged.columns.iter().map(|c: &&Column| c.name))
            .map(|name| (name, ways.get(name).copied().unwrap_or(Way::Text)))
            .collect();
        let selected: Vec<String> =
            columns.iter().map(|(name, way)| selected(name, *way)).collect();
        let text = format!(
            "DECLARE tacit_rows NO SCROLL CURSOR FOR {}SELECT {} FROM {}",
            self.with,
            selected.join(", "),
            self.body
        );
        let declared = sqlx::query(AssertSqlSafe(text.clone()))
            .persistent(false)
            .execute(&mut session.connection)
            .await;
        declared.map_err(|e| self.explain(session, &e, &text))?;
        let (seen, rows) = self.fetch(session, (connection, &staged), &columns, progress).await?;
        let closed = sqlx::query("CLOSE tacit_rows").execute(&mut session.connection).await;
        closed.map_err(|e| session.fault(&e))?;
        Ok(Pulled { staged, seen, rows })
    }

    async fn fetch(
        &self,
        session: &mut Session,
        (connection, staged): (&mut SqliteConnection, &Staged),
        columns: &[(&str, Way)],
        progress: &dyn Progress,
    ) -> Result<(Seen, u64), Fault> {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let mut bulk = Bulk::new(&staged.name(), &names);
        let mut sum = Sum::new(self.table, &names);
        let fetch = format!("FETCH FORWARD {PAGE} FROM tacit_rows");
        let mut row = Vec::with_capacity(columns.len());
        loop {
            let page: Result<Vec<PgRow>, sqlx::Error> = sqlx::query(AssertSqlSafe(fetch.as_str()))
                .persistent(false)
                .fetch_all(&mut session.connection)
                .await;
            let page = page.map_err(|e| self.explain(session, &e, ""))?;
            for found in &page {
                for (index, (_, way)) in columns.iter().enumerate() {
                    row.push(cell(found, index, *way).map_err(|e| session.fault(&e))?);
                }
                sum.add(&row);
                bulk.push(connection, &mut row).await.map_err(|e| fault(&e))?;
            }
            progress.advance(sum.rows);
            if page.len() < PAGE {
                break;
            }
        }
        let rows = bulk.flush(connection).await.map_err(|e| fault(&e))?;
        Ok((sum.seen(), rows))
    }

    /// A section's error with the mapping's line; `text` is the statement whose characters `PostgreSQL` counts.
    fn explain(&self, session: &Session, error: &sqlx::Error, text: &str) -> Fault {
        let (problem, at) = match session.section_fault(error) {
            Ok(told) => told,
            Err(fault) => return fault,
        };
        // The line before the section is that of the first bracket, the one after it that of the last.
        let before = text.chars().take(at.unwrap_or_default().saturating_sub(1));
        let last = self.section.sql.trim_end().lines().count();
        let line = before.filter(|c| *c == '\n').count().min(last);
        Fault::user(format!(
            "section `@{}` does not run in PostgreSQL: {problem}",
            self.table.name()
        ))
        .at(format!("{}:{}", self.origin, self.section.line + line))
        .hint(&self.hint)
    }

    fn no_value(&self, column: &str, kind: &PgTypeInfo) -> Fault {
        let column: String = column.chars().take(64).collect();
        Fault::user(format!(
            "section `@{}` yields `{column}` as {}, which is no plain value",
            self.table.name(),
            kind.name().to_lowercase()
        ))
        .at(format!("{}:{}", self.origin, self.section.line))
        .hint("yield numbers, texts, booleans, dates or times; a time is unixepoch(…) * 1000000")
    }
}

/// The named query that stands for a raw table.
fn named(name: &str, found: &Relation) -> String {
    let order = found.key.as_ref().map_or(String::new(), |key| format!("ORDER BY {key}"));
    format!(
        "raw_{name} AS NOT MATERIALIZED (SELECT row_number() OVER ({order}) AS _line, t.* FROM {} t)",
        found.name
    )
}

fn selected(name: &str, way: Way) -> String {
    match way {
        Way::Whole => format!("CAST({name} AS bigint)"),
        Way::Real => format!("CAST({name} AS double precision)"),
        Way::Flag => name.to_owned(),
        Way::Decimal | Way::Text => format!("left(CAST({name} AS text), {TEXT_MAX})"),
    }
}

/// How a column of that type travels; `None` if it is no plain value.
fn way(kind: &PgTypeInfo) -> Option<Way> {
    Some(match kind.name().to_ascii_uppercase().as_str() {
        "INT2" | "INT4" | "INT8" => Way::Whole,
        "FLOAT4" | "FLOAT8" => Way::Real,
        "BOOL" => Way::Flag,
        "NUMERIC" => Way::Decimal,
        "TEXT" | "VARCHAR" | "CHAR" | "\"CHAR\"" | "NAME" | "CITEXT" | "UUID" | "DATE"
        | "TIMESTAMP" | "TIMESTAMPTZ" => Way::Text,
        _ => match kind.kind() {
            PgTypeKind::Enum(_) => Way::Text,
            PgTypeKind::Domain(inner) => way(inner)?,
            _ => return None,
        },
    })
}

fn cell(row: &PgRow, index: usize, way: Way) -> Result<Cell, sqlx::Error> {
    Ok(match way {
        Way::Whole => row.try_get::<Option<i64>, _>(index)?.map_or(Cell::Null, Cell::Integer),
        Way::Real => row.try_get::<Option<f64>, _>(index)?.map_or(Cell::Null, Cell::Real),
        Way::Flag => row
            .try_get::<Option<bool>, _>(index)?
            .map_or(Cell::Null, |flag| Cell::Integer(i64::from(flag))),
        Way::Text => row.try_get::<Option<String>, _>(index)?.map_or(Cell::Null, Cell::Text),
        Way::Decimal => row.try_get::<Option<String>, _>(index)?.map_or(Cell::Null, decimal),
    })
}

fn decimal(text: String) -> Cell {
    if let Ok(whole) = text.parse() {
        return Cell::Integer(whole);
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Cell::Real(value),
        _ => Cell::Text(text),
    }
}

/// The digest of rows in no order: the sum of the rows' digests modulo 2²⁵⁶, then hashed with their number.
struct Sum {
    head: [u8; 32],
    total: [u64; 4],
    rows: u64,
    bytes: u64,
}

impl Sum {
    fn new(table: Table, names: &[&str]) -> Self {
        let mut head = [0; 32];
        let text = format!("tacit rows 1\n{}\n{}", table.name(), names.join(","));
        copy(&mut head, digest(&SHA256, text.as_bytes()).as_ref());
        Self { head, total: [0; 4], rows: 0, bytes: 0 }
    }

    /// Adds a row; its first cell is `_line`, which says nothing about it.
    fn add(&mut self, row: &[Cell]) {
        let mut context = Context::new(&SHA256);
        for cell in row.iter().skip(1) {
            let (kind, length) = match cell {
                Cell::Null => (0_u8, 0),
                Cell::Integer(_) => (1, 8),
                Cell::Real(_) => (2, 8),
                Cell::Text(text) => (3, text.len()),
                Cell::Blob(bytes) => (4, bytes.len()),
            };
            context.update(&[kind]);
            context.update(&(length as u64).to_le_bytes());
            match cell {
                Cell::Null => {}
                Cell::Integer(value) => context.update(&value.to_le_bytes()),
                Cell::Real(value) => context.update(&value.to_le_bytes()),
                Cell::Text(text) => context.update(text.as_bytes()),
                Cell::Blob(bytes) => context.update(bytes),
            }
            self.bytes += length as u64;
        }
        let mut carry = false;
        let row = context.finish();
        for (limb, part) in self.total.iter_mut().zip(row.as_ref().chunks_exact(8)) {
            let mut bytes = [0; 8];
            copy(&mut bytes, part);
            let (sum, over) = limb.overflowing_add(u64::from_le_bytes(bytes));
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, over || again);
        }
        self.rows += 1;
    }

    fn seen(&self) -> Seen {
        let mut context = Context::new(&SHA256);
        context.update(&self.head);
        context.update(&self.rows.to_le_bytes());
        for limb in self.total {
            context.update(&limb.to_le_bytes());
        }
        let mut sha256 = [0; 32];
        copy(&mut sha256, context.finish().as_ref());
        Seen { sha256, bytes: self.bytes }
    }
}

fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::canonical::Rule;

    #[test]
    fn a_digest_knows_rows_but_not_their_order_or_lines() {
        let rows = |rows: &[(i64, &str)]| {
            let mut sum = Sum::new(Table::Person, &["line", "person"]);
            for (line, text) in rows {
                sum.add(&[Cell::Integer(*line), Cell::Text((*text).to_owned())]);
            }
            sum.seen().sha256
        };
        assert_eq!(rows(&[(1, "a"), (2, "b")]), rows(&[(7, "b"), (8, "a")]));
        assert_ne!(rows(&[(1, "a"), (2, "b")]), rows(&[(1, "a"), (2, "c")]));
        assert_ne!(rows(&[(1, "a")]), rows(&[(1, "a"), (2, "a")]));
        assert_ne!(
            Sum::new(Table::Person, &["line"]).seen().sha256,
            Sum::new(Table::Period, &["line"]).seen().sha256
        );
    }

    #[test]
    fn a_cut_text_is_longer_than_any_column_admits() {
        for column in Table::ALL.iter().flat_map(|table| table.columns()) {
            let longest = match column.rule {
                Rule::Text(length) => length,
                Rule::Key(_) => 200,
                _ => 48,
            };
            assert!(longest < TEXT_MAX, "{}", column.name);
        }
    }

    #[test]
    fn a_decimal_is_the_number_it_is() {
        assert!(matches!(decimal("120".to_owned()), Cell::Integer(120)));
        assert!(
            matches!(decimal("0.5000".to_owned()), Cell::Real(half) if half.total_cmp(&0.5).is_eq())
        );
        assert!(matches!(decimal("NaN".to_owned()), Cell::Text(_)));
    }
}
