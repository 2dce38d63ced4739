//! Lands files in raw tables, row by row, as they are.
//!
//! `NAME=FILE` becomes the temporary table `raw_NAME`: the file's columns under plain names, and `_line`,
//! which says where a row stood. A format of several kinds of rows becomes several tables. Temporary
//! tables are never part of the node's database file and are gone when the import ends; what the rows
//! mean is the mapping's work.

pub mod csv;
pub(in crate::intake) mod face;
pub mod fhir;
pub(super) mod files;
pub mod input;
pub(super) mod land;
mod lines;
mod moment;
pub mod ndjson;
pub mod parquet;
pub mod postgres;
mod redcap;
mod sessions;
pub mod wearable;

pub use input::{Input, Kind};

use crate::store::bulk::Cell;
use std::collections::BTreeMap;
use tacit_shared::fault::Fault;

/// A file, or all files of a folder, are larger than this only by mistake.
pub const FILE_BYTES_MAX: u64 = 64 << 30;
/// Most columns a file may have, but for an export that a data dictionary describes.
pub const COLUMNS_MAX: usize = 512;
/// Most columns a raw table may have besides `_line`: `SQLite` admits 2,000 in all.
const WIDE_MAX: usize = 1_999;
/// Longest line of a CSV file in bytes.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// Longest line of a file of JSON lines in bytes.
pub const JSON_LINE_BYTES_MAX: usize = 8 << 20;
/// Longest name of a file or column.
const NAME_LENGTH_MAX: usize = 64;

/// A column as it will be made: a plain name and the affinity of its values.
pub struct RawColumn {
    pub(super) name: String,
    pub(super) affinity: &'static str,
}

/// A raw table as it will be made; `_line` stands before its columns.
pub(super) struct RawTable {
    pub(super) name: String,
    pub(super) columns: Vec<RawColumn>,
}

/// Yields the rows of one table; the first cell is the line.
pub trait Rows: Send {
    /// The columns after `_line`.
    fn columns(&self) -> &[RawColumn];
    /// How far the reader is, in the unit of `total`.
    fn position(&self) -> u64;
    /// What `position` will be at the end.
    fn total(&self) -> u64;
    /// Adds the cells of the next row to `row`; `false` at the end.
    ///
    /// # Errors
    /// A user's fault with the place of a row that cannot be read.
    fn next(&mut self, row: &mut Vec<Cell>) -> Result<bool, Fault>;
}

/// Yields the rows of several tables, a bounded step (a line, a message) at a time.
pub(super) trait Tables: Send {
    /// The tables, all of them made even if no row comes.
    fn tables(&self) -> &[RawTable];
    /// How far the reader is, in the unit of `total`.
    fn position(&self) -> u64;
    /// What `position` will be at the end.
    fn total(&self) -> u64;
    /// Reads one step; `false` at the end.
    fn step(&mut self, out: &mut Step) -> Result<bool, Fault>;
    /// What the steward should know at the end: counts and names of fields, never values.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What one step yields.
#[derive(Default)]
pub(super) struct Step {
    /// Rows: the table's place in [`Tables::tables`], and its cells, the line first.
    rows: Vec<(usize, Vec<Cell>)>,
    /// Rows that do not land.
    refused: Vec<Refused>,
}

/// A row that does not land.
pub(super) struct Refused {
    table: usize,
    line: u64,
    column: String,
    reason: String,
}

impl Step {
    fn row(&mut self, table: usize, line: u64, cells: impl IntoIterator<Item = Cell>) {
        let line = Cell::Integer(i64::try_from(line).unwrap_or(i64::MAX));
        self.rows.push((table, std::iter::once(line).chain(cells).collect()));
    }

    fn refuse(&mut self, table: usize, line: u64, column: &str, reason: impl Into<String>) {
        let (column, reason) = (column.to_owned(), reason.into());
        self.refused.push(Refused { table, line, column, reason });
    }
}

/// A table of ours: its name, and names and affinities of its columns.
fn raw_table(name: impl Into<String>, columns: &[(&str, &'static str)]) -> RawTable {
    let column =
        |(name, affinity): &(&str, &'static str)| RawColumn { name: (*name).to_owned(), affinity };
    RawTable { name: name.into(), columns: columns.iter().map(column).collect() }
}

fn text(value: Option<impl Into<String>>) -> Cell {
    value.map_or(Cell::Null, |value| Cell::Text(value.into()))
}

fn whole(value: Option<i64>) -> Cell {
    value.map_or(Cell::Null, Cell::Integer)
}

fn real(value: Option<f64>) -> Cell {
    value.map_or(Cell::Null, Cell::Real)
}

/// Plain names for a file's columns: lower case, `_` for what is no letter or digit.
///
/// # Errors
/// The problem, if there are none, more than `most`, or two that become one.
pub(super) fn identifiers<'a>(
    headers: impl Iterator<Item = &'a str>,
    most: usize,
) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (index, header) in headers.enumerate() {
        let position = index + 1;
        if position > most {
            return Err(format!("more than {most} columns"));
        }
        let mut name = identifier(header);
        if name.is_empty() {
            name = format!("column_{position}");
        }
        if let Some(earlier) = seen.insert(name.clone(), position) {
            return Err(format!("columns {earlier} and {position} are both called `{name}`"));
        }
        names.push(name);
    }
    if names.is_empty() {
        return Err("no columns".to_owned());
    }
    Ok(names)
}

fn identifier(header: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }
    };
    let name: String = header.trim().chars().take(NAME_LENGTH_MAX).map(plain).collect();
    if name == "_line" || name.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("c_{name}");
    }
    name
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
pub(in crate::intake) mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    /// Rows, refusals and notes.
    pub(super) type Noted = (Vec<String>, Vec<String>, Vec<String>);

    /// All rows (table and cells, joined) and refusals (line, column, reason) of a reader.
    pub(super) fn read(many: &mut dyn Tables) -> Result<(Vec<String>, Vec<String>), Fault> {
        let (mut rows, mut refused) = (Vec::new(), Vec::new());
        let mut step = Step::default();
        while many.step(&mut step)? {
            for (table, row) in step.rows.drain(..) {
                let table = many.tables().get(table).unwrap();
                assert_eq!(row.len(), table.columns.len() + 1, "{}", table.name);
                let cell = |cell| match cell {
                    Cell::Null => "-".to_owned(),
                    Cell::Integer(value) => value.to_string(),
                    Cell::Real(value) => format!("{value:?}"),
                    Cell::Text(text) => text,
                    Cell::Blob(_) => "bytes".to_owned(),
                };
                let cells = row.into_iter().map(cell);
                let all: Vec<String> = std::iter::once(table.name.clone()).chain(cells).collect();
                rows.push(all.join("|"));
            }
            for Refused { line, column, reason, .. } in step.refused.drain(..) {
                refused.push(format!("{line} {column}: {reason}"));
            }
        }
        Ok((rows, refused))
    }

    /// A sample of real data, or a line saying that it is absent.
    pub(in crate::intake) fn real(path: &str) -> Option<PathBuf> {
        let folder = std::env::var_os("TACIT_REAL_DATA").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/real"),
            PathBuf::from,
        );
        let path = folder.join(path);
        if path.exists() {
            return Some(path);
        }
        eprintln!("ignored: no sample {}", path.display());
        None
    }

    #[test]
    fn the_guide_lists_the_columns_of_every_raw_table() {
        let guide = include_str!("../../../../docs/data-mapping.md");
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let line = write("a.ndjson", "");
        let records = write("r.csv", "id\n");
        let dictionary = write(
            "d.csv",
            "field_name,form_name,field_type,select_choices_or_calculations,text_validation_type_or_show_slider_number,identifier\nid,a,text,,,\n",
        );
        let zip = write("a.zip", "");
        let readers: [Box<dyn Tables>; 4] = [
            Box::new(fhir::Bulk::open(&line).unwrap()),
            Box::new(redcap::Export::open("a", &records, &dictionary).unwrap()),
            Box::new(sessions::Sessions::open("a", &zip).unwrap()),
            Box::new(wearable::openmhealth::Points::open("a", &line).unwrap()),
        ];
        for table in readers.iter().flat_map(|reader| reader.tables()) {
            let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
            let listed = format!("`{}`", names.join(", "));
            // The export's own columns are the project's, not ours.
            let own = names == ["id"] && table.name == "raw_a";
            assert!(
                own || guide.contains(&listed),
                "docs/data-mapping.md lacks {}: {listed}",
                table.name
            );
            let known =
                table.name.starts_with("raw_a") || guide.contains(&format!("`{}`", table.name));
            assert!(known, "docs/data-mapping.md lacks {}", table.name);
        }
    }

    #[test]
    fn columns_get_plain_and_distinct_names() {
        let names = identifiers(["Visit No.", "größe", "2nd", "", "_line"].into_iter(), 5).unwrap();
        assert_eq!(names, ["visit_no_", "gr__e", "c_2nd", "column_4", "c__line"]);
        let found = identifiers(["a b", "A.B"].into_iter(), 2).unwrap_err();
        assert_eq!(found, "columns 1 and 2 are both called `a_b`");
        assert_eq!(identifiers([].into_iter(), 1).unwrap_err(), "no columns");
        assert_eq!(
            identifiers((0..600).map(|_| ""), COLUMNS_MAX).unwrap_err(),
            "more than 512 columns"
        );
    }
}
