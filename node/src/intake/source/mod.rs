//! Lands a file in a raw table, row by row, as it is.
//!
//! `NAME=FILE` becomes the temporary table `raw_NAME`: the file's columns under plain names, and `_line`,
//! which says where a row stood. Temporary tables are never part of the node's database file and are
//! gone when the import ends; what the rows mean is the mapping's work.

pub mod csv;
pub mod parquet;

use super::progress::Progress;
use crate::store::bulk::{Bulk, Cell};
use crate::store::fault;
use ring::digest;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use tacit_shared::fault::Fault;

/// A file is larger than this only by mistake.
pub const FILE_BYTES_MAX: u64 = 64 << 30;
/// Most columns a file may have.
pub const COLUMNS_MAX: usize = 512;
/// Longest line of a CSV file in bytes.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// Longest name of a file or column.
const NAME_LENGTH_MAX: usize = 64;
/// Rows between two signs of progress.
const PROGRESS_ROWS: u64 = 8_192;

/// A file and the name under which the mapping knows it: `NAME=FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    name: String,
    path: PathBuf,
}

impl Input {
    /// The name; the raw table is `raw_` and the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl FromStr for Input {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let shape = "expected NAME=FILE, the name in lower-case letters, digits and _";
        let (name, path) = text.split_once('=').ok_or(shape)?;
        if path.is_empty()
            || name.is_empty()
            || name.len() > NAME_LENGTH_MAX
            || name != identifier(name)
        {
            return Err(shape.to_owned());
        }
        Ok(Self { name: name.to_owned(), path: path.into() })
    }
}

/// A file that was read once, for its digest.
pub(super) struct Seen {
    pub(super) sha256: [u8; 32],
    pub(super) bytes: u64,
}

/// A file that lies in its raw table.
pub(super) struct Landed {
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: u64,
}

/// A column as it will be made: a plain name and the affinity of its values.
pub struct RawColumn {
    pub(super) name: String,
    pub(super) affinity: &'static str,
}

/// Yields rows; the first cell is the line.
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

/// Reads a file for its digest.
pub(super) fn see(input: &Input) -> Result<Seen, Fault> {
    let place = input.path.display().to_string();
    let wrong = |e: std::io::Error| Fault::user(format!("the file cannot be read: {e}")).at(&place);
    let mut file = File::open(&input.path).map_err(wrong)?;
    let length = file.metadata().map_err(wrong)?.len();
    if length > FILE_BYTES_MAX {
        let message = format!("the file has {length} bytes; expected at most {FILE_BYTES_MAX}");
        return Err(Fault::user(message).at(place));
    }
    let mut context = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut buffer).map_err(wrong)?;
        if count == 0 {
            break;
        }
        context.update(buffer.get(..count).unwrap_or_default());
        bytes += count as u64;
    }
    let mut sha256 = [0; 32];
    for (to, from) in sha256.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    Ok(Seen { sha256, bytes })
}

/// Makes the raw table of a file and fills it.
pub(super) async fn land(
    connection: &mut SqliteConnection,
    input: &Input,
    progress: &dyn Progress,
) -> Result<Landed, Fault> {
    let mut rows = open(input)?;
    let table = format!("raw_{}", input.name);
    let quoted: Vec<String> = rows.columns().iter().map(|c| format!("\"{}\"", c.name)).collect();
    let made: Vec<String> = rows
        .columns()
        .iter()
        .zip(&quoted)
        .map(|(column, name)| format!("{name} {}", column.affinity))
        .collect();
    let sql = format!("CREATE TEMP TABLE \"{table}\" (_line INTEGER, {})", made.join(", "));
    let created = sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await;
    created.map_err(|e| fault(&e))?;
    let mut names = vec!["_line"];
    names.extend(quoted.iter().map(String::as_str));
    let mut bulk = Bulk::new(&format!("temp.\"{table}\""), &names);
    progress.begin(&input.path.display().to_string(), rows.total());
    let mut row = Vec::with_capacity(names.len());
    let mut count = 0_u64;
    while rows.next(&mut row)? {
        bulk.push(connection, &mut row).await.map_err(|e| fault(&e))?;
        count += 1;
        if count.is_multiple_of(PROGRESS_ROWS) {
            progress.advance(rows.position());
        }
    }
    let count = bulk.flush(connection).await.map_err(|e| fault(&e))?;
    progress.end(&format!("{count} rows of {}", input.name));
    Ok(Landed {
        table,
        columns: rows.columns().iter().map(|c| c.name.clone()).collect(),
        rows: count,
    })
}

fn open(input: &Input) -> Result<Box<dyn Rows>, Fault> {
    let extension = input.path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "csv" | "tsv" | "txt" => Ok(Box::new(csv::CsvRows::open(&input.path)?)),
        "parquet" | "pq" => Ok(Box::new(parquet::ParquetRows::open(&input.path)?)),
        _ => Err(Fault::user("the kind of the file is not known")
            .at(input.path.display().to_string())
            .hint("its name must end in .csv, .tsv, .txt or .parquet")),
    }
}

/// Plain names for a file's columns: lower case, `_` for what is no letter or digit.
///
/// # Errors
/// The problem, if there are none, too many, or two that become one.
pub(super) fn identifiers<'a>(
    headers: impl Iterator<Item = &'a str>,
) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (index, header) in headers.enumerate() {
        let position = index + 1;
        if position > COLUMNS_MAX {
            return Err(format!("more than {COLUMNS_MAX} columns"));
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
mod tests {
    use super::*;

    #[test]
    fn an_input_is_a_name_and_a_file() {
        let input: Input = "visits=data/a=b.csv".parse().unwrap();
        assert_eq!((input.name(), input.path()), ("visits", Path::new("data/a=b.csv")));
        for bad in ["visits", "=a.csv", "visits=", "Visits=a.csv", "a b=a.csv", "1a=a.csv"] {
            assert!(bad.parse::<Input>().is_err(), "{bad}");
        }
    }

    #[test]
    fn columns_get_plain_and_distinct_names() {
        let names = identifiers(["Visit No.", "größe", "2nd", "", "_line"].into_iter()).unwrap();
        assert_eq!(names, ["visit_no_", "gr__e", "c_2nd", "column_4", "c__line"]);
        let found = identifiers(["a b", "A.B"].into_iter()).unwrap_err();
        assert_eq!(found, "columns 1 and 2 are both called `a_b`");
        assert_eq!(identifiers([].into_iter()).unwrap_err(), "no columns");
        assert_eq!(identifiers((0..600).map(|_| "")).unwrap_err(), "more than 512 columns");
    }
}
