//! What an import did: rows taken over and rejected, and why. Counts and lines, never values.
use super::canonical::Table;
use sqlx::sqlite::SqliteConnection;
use std::fmt::{self, Write as _};
use tacit_shared::fault::Fault;

/// One file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCount {
    /// The name the mapping knows it by.
    pub name: String,
    /// Rows read.
    pub rows: u64,
    /// Rows that did not even land.
    pub refused: u64,
}

/// One canonical table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableCount {
    /// The table.
    pub table: Table,
    /// Rows taken over.
    pub accepted: u64,
    /// Rows that an earlier import brought with the same values: they are there, and count once.
    pub known: u64,
    /// Rows with at least one reject.
    pub rejected: u64,
}

/// Rows that were rejected for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Reason {
    /// The canonical table.
    pub table_name: String,
    /// The column.
    pub column_name: String,
    /// What is wrong with it.
    pub reason: String,
    /// How many rows.
    pub rows: i64,
    /// The first lines of the raw file, at most five, separated by commas.
    pub lines: Option<String>,
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The number of the batch.
    pub batch: i64,
    /// The files.
    pub files: Vec<FileCount>,
    /// The canonical tables the mapping filled.
    pub tables: Vec<TableCount>,
    /// Features that the recordings gave.
    pub features: u64,
    /// Values of windows of recordings.
    pub windows: u64,
    /// Why rows were rejected.
    pub reasons: Vec<Reason>,
    /// What the readers saw and left out: counts and names of fields.
    pub notes: Vec<String>,
}

impl Summary {
    /// Nothing done yet.
    pub(super) fn new(batch: i64) -> Self {
        let (files, tables, reasons, notes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { batch, files, tables, features: 0, windows: 0, reasons, notes }
    }

    /// Rows rejected, over all files and tables.
    pub fn rejected(&self) -> u64 {
        let refused: u64 = self.files.iter().map(|f| f.refused).sum();
        self.tables.iter().map(|t| t.rejected).sum::<u64>() + refused
    }
}

impl Summary {
    /// What the log keeps: the batch and how many rows, no more.
    pub fn in_a_line(&self) -> String {
        let accepted: u64 = self.tables.iter().map(|t| t.accepted).sum();
        let known: u64 = self.tables.iter().map(|t| t.known).sum();
        let (batch, rejected) = (self.batch, self.rejected());
        format!(
            "batch {batch}, {accepted} rows taken over, {known} there already, {rejected} rejected"
        )
    }

    /// The fault of an import that stops at bad rows: all of them, with their reasons.
    pub(super) fn refusal(&self) -> Fault {
        let mut message =
            format!("{} rows are bad, so nothing was imported (--on-error stop)", self.rejected());
        for reason in &self.reasons {
            let _ = write!(message, "\n  bad       {reason}"); // a String
        }
        Fault::user(message).hint(
            "mend them, or take over the sound rows and record the others with --on-error reject",
        )
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "batch {}", self.batch)?;
        for file in &self.files {
            write!(f, "  read      {:<16} {:>10} rows", file.name, file.rows)?;
            if file.refused > 0 {
                write!(f, ", {} rejected", file.refused)?;
            }
            writeln!(f)?;
        }
        for count in &self.tables {
            let name = count.table.name();
            write!(f, "  taken     {name:<16} {:>10} rows", count.accepted)?;
            if count.known > 0 {
                write!(f, ", {} there already", count.known)?;
            }
            writeln!(f, ", {} rejected", count.rejected)?;
        }
        if self.features > 0 {
            writeln!(f, "  computed  {:<16} {:>10} rows", "feature", self.features)?;
        }
        if self.windows > 0 {
            writeln!(f, "  computed  {:<16} {:>10} rows", "window_feature", self.windows)?;
        }
        for note in &self.notes {
            writeln!(f, "  noted     {note}")?;
        }
        for reason in &self.reasons {
            writeln!(f, "  rejected  {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines.as_deref().unwrap_or("unknown");
        write!(
            f,
            "{}.{}: {} ({} rows; first lines {lines})",
            self.table_name, self.column_name, self.reason, self.rows
        )
    }
}

/// The reasons of a batch, the most frequent first.
pub(super) async fn reasons(
    connection: &mut SqliteConnection,
    batch: i64,
) -> Result<Vec<Reason>, sqlx::Error> {
    sqlx::query_as(
        "SELECT table_name, column_name, reason, count(*) AS rows, \
         group_concat(line, ', ' ORDER BY line) FILTER (WHERE nth <= 5) AS lines FROM (SELECT *, row_number() OVER \
         (PARTITION BY table_name, column_name, reason ORDER BY line) AS nth FROM reject WHERE batch = ?) \
         GROUP BY table_name, column_name, reason ORDER BY count(*) DESC, table_name, column_name, reason",
    )
    .bind(batch)
    .fetch_all(connection)
    .await
}
