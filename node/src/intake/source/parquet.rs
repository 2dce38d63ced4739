//! Parquet files with plain columns.
//!
//! ```text
//! whole numbers, booleans   integers (true is 1)      floating point   numbers; not-a-number is absent
//! texts, dictionaries       texts                     decimals         numbers (whole ones too large: texts)
//! dates                     YYYY-MM-DD                times of day     HH:MM:SS[.fraction]
//! timestamps                YYYY-MM-DDTHH:MM:SS[.fraction], with a final Z if the column has a zone (then in UTC)
//! ```
//! Lists, structures, maps, bytes, durations and intervals are refused, naming the column. `_line` is the number of the row
//! in the file, from 1.
//!
//! The footer's claims about places and lengths are held against the file before a page is read. Inside a
//! page the library panics on some damage where it should refuse; that ends as a refusal too.
use super::{COLUMNS_MAX, RawColumn, Rows, face, identifiers};
use crate::store::bulk::Cell;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tacit_shared::fault::Fault;

/// Rows decoded at once.
const BATCH_ROWS: usize = 2_048;
/// A row group larger than this, unpacked, is refused.
const GROUP_BYTES_MAX: i64 = 4 << 30;

/// A Parquet file whose footer was read and held against the file.
pub(in crate::intake) struct ParquetFile {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    columns: Arc<[RawColumn]>,
    place: String,
}

/// The rows of a Parquet file, or of one row group of it.
pub struct ParquetRows {
    /// `None` once the library gave up.
    reader: Option<ParquetRecordBatchReader>,
    columns: Arc<[RawColumn]>,
    batch: Vec<std::vec::IntoIter<Cell>>,
    left: usize,
    row: u64,
    total: u64,
    place: String,
}

impl ParquetFile {
    /// Opens a file and reads its schema.
    pub(in crate::intake) fn open(path: &Path) -> Result<Self, Fault> {
        let place = path.display().to_string();
        let file = reopen(path, &place)?;
        let broken = |e: &dyn std::fmt::Display| broken(e, &place);
        let length = file.metadata().map_err(|e| broken(&e))?.len();
        let metadata = guarded(|| ArrowReaderMetadata::load(&file, ArrowReaderOptions::default()))
            .ok_or_else(|| broken(&DAMAGED))?
            .map_err(|e| broken(&e))?;
        let groups = metadata.metadata().row_groups();
        if !groups.iter().all(|group| lies_within(group, length)) {
            return Err(broken(&"its footer names places outside the file"));
        }
        if groups.iter().any(|g| g.total_byte_size() > GROUP_BYTES_MAX) {
            let message = format!("a row group has more than {GROUP_BYTES_MAX} bytes unpacked");
            return Err(Fault::user(message)
                .at(place)
                .hint("write the file with smaller row groups"));
        }
        let fields = metadata.schema().fields();
        let headers = || fields.iter().map(|f| f.name().as_str());
        if face::has_columns(headers()) {
            return Err(face::refusal(&place));
        }
        let names = identifiers(headers(), COLUMNS_MAX).map_err(|problem| {
            Fault::user(format!("the columns of the file are not sound: {problem}"))
                .at(&place)
                .hint("names are taken in lower case, with _ for other signs, and must differ")
        })?;
        let mut columns = Vec::with_capacity(names.len());
        for (field, name) in fields.iter().zip(names) {
            let affinity = affinity(field.data_type()).ok_or_else(|| {
                let kind = field.data_type();
                Fault::user(format!(
                    "column `{name}` holds {kind}, which is not a plain value"
                ))
                .at(&place)
                .hint("leave the column out, or write it flat: text, number, boolean, date or time")
            })?;
            columns.push(RawColumn { name, affinity });
        }
        Ok(Self { path: path.to_owned(), metadata, columns: columns.into(), place })
    }

    /// The columns after `_line`.
    pub(in crate::intake) fn columns(&self) -> &[RawColumn] {
        &self.columns
    }

    /// Rows of the whole file, as its footer says.
    pub(in crate::intake) fn total(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or_default()
    }

    /// What the footer says.
    pub(in crate::intake) fn footer(&self) -> &Arc<ParquetMetaData> {
        self.metadata.metadata()
    }

    /// How many row groups there are.
    pub(in crate::intake) fn groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// Bytes of the largest row group, unpacked, as its footer says; at least 1.
    pub(in crate::intake) fn group_bytes_max(&self) -> u64 {
        let groups = self.metadata.metadata().row_groups().iter();
        let bytes = |g: &RowGroupMetaData| u64::try_from(g.total_byte_size()).unwrap_or_default();
        groups.map(bytes).max().unwrap_or_default().max(1)
    }

    /// The rows of one row group; their lines go on from the groups before.
    pub(in crate::intake) fn group(&self, index: usize) -> Result<ParquetRows, Fault> {
        let before = self.metadata.metadata().row_groups().iter().take(index);
        let first = before.map(|g| u64::try_from(g.num_rows()).unwrap_or_default()).sum();
        self.read(Some(index), first)
    }

    fn read(&self, group: Option<usize>, first: u64) -> Result<ParquetRows, Fault> {
        let file = reopen(&self.path, &self.place)?;
        let metadata = self.metadata.clone();
        let build = || {
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
                .with_batch_size(BATCH_ROWS);
            match group {
                Some(index) => builder.with_row_groups(vec![index]).build(),
                None => builder.build(),
            }
        };
        let reader = guarded(build)
            .ok_or_else(|| broken(&DAMAGED, &self.place))?
            .map_err(|e| broken(&e, &self.place))?;
        Ok(ParquetRows {
            reader: Some(reader),
            columns: Arc::clone(&self.columns),
            batch: Vec::new(),
            left: 0,
            row: first,
            total: self.total(),
            place: self.place.clone(),
        })
    }
}

impl ParquetRows {
    /// Opens a file and reads its schema.
    ///
    /// # Errors
    /// A user's fault with the file, and the column if it cannot be read.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        ParquetFile::open(path)?.read(None, 0)
    }

    fn load(&mut self, batch: &RecordBatch) -> Result<(), Fault> {
        self.batch.clear();
        for (array, column) in batch.columns().iter().zip(self.columns.iter()) {
            // Without the library's own words: they quote the cell.
            let cells = cells(array).map_err(|_| {
                let kind = array.data_type();
                Fault::user(format!("column `{}` has a value that {kind} cannot be", column.name))
                    .at(format!("{}, after row {}", self.place, self.row))
                    .hint("dates and times must lie between the years 0001 and 9999")
            })?;
            self.batch.push(cells.into_iter());
        }
        self.left = batch.num_rows();
        Ok(())
    }
}

impl Rows for ParquetRows {
    fn columns(&self) -> &[RawColumn] {
        &self.columns
    }

    fn position(&self) -> u64 {
        self.row
    }

    fn total(&self) -> u64 {
        self.total
    }

    fn next(&mut self, row: &mut Vec<Cell>) -> Result<bool, Fault> {
        while self.left == 0 {
            let Some(mut reader) = self.reader.take() else { return Ok(false) };
            let batch = guarded(|| reader.next())
                .unwrap_or_else(|| Some(Err(ArrowError::ParquetError(DAMAGED.to_owned()))));
            match batch {
                None => return Ok(false),
                Some(Ok(batch)) => {
                    self.reader = Some(reader);
                    self.load(&batch)?;
                }
                Some(Err(error)) => {
                    return Err(Fault::user(format!("the file is not sound Parquet: {error}"))
                        .at(format!("{}, after row {}", self.place, self.row)));
                }
            }
        }
        self.left -= 1;
        self.row += 1;
        row.push(Cell::Integer(i64::try_from(self.row).unwrap_or(i64::MAX)));
        for column in &mut self.batch {
            row.push(column.next().unwrap_or(Cell::Null));
        }
        Ok(true)
    }
}

fn reopen(path: &Path, place: &str) -> Result<File, Fault> {
    File::open(path).map_err(|e| Fault::user(format!("the file cannot be read: {e}")).at(place))
}

pub(in crate::intake) fn broken(error: &dyn std::fmt::Display, place: &str) -> Fault {
    let error = error.to_string();
    if error.contains("encrypted") {
        return Fault::user("the Parquet file is encrypted").at(place).hint("write it without");
    }
    Fault::user(format!("the file is not sound Parquet: {error}"))
        .at(place)
        .hint("copy it again: a file that was cut short on the way is the usual reason")
}

/// What is said where the library does not say more.
pub(in crate::intake) const DAMAGED: &str = "a page is damaged";

/// What the library makes of a file; `None` if it panicked.
pub(in crate::intake) fn guarded<T>(read: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(read)).ok()
}

/// Whether every column of a row group lies within the file and claims no more than a group may.
fn lies_within(group: &RowGroupMetaData, length: u64) -> bool {
    let plain = |value: i64| u64::try_from(value).ok();
    group.num_rows() >= 0
        && group.columns().iter().all(|column| {
            let first = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let end = plain(first)
                .zip(plain(column.compressed_size()))
                .and_then(|(start, bytes)| start.checked_add(bytes));
            column.num_values() >= 0
                && (0..=GROUP_BYTES_MAX).contains(&column.uncompressed_size())
                && end.is_some_and(|end| end <= length)
        })
}

/// The affinity of a raw column, or `None` for what is not a plain value.
fn affinity(kind: &DataType) -> Option<&'static str> {
    match kind {
        DataType::Dictionary(_, value) => affinity(value),
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some("TEXT"),
        DataType::Date32 | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) => {
            Some("TEXT")
        }
        DataType::Timestamp(..) => Some("TEXT"),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Some("REAL"),
        kind if is_wide(kind) => Some("BLOB"), // takes each value as it comes
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => Some("NUMERIC"),
        DataType::Boolean => Some("INTEGER"),
        kind if kind.is_integer() => Some("INTEGER"),
        _ => None,
    }
}

/// Whether whole numbers may be too large for `SQLite`; long ids come so, and must not lose a digit.
fn is_wide(kind: &DataType) -> bool {
    match kind {
        DataType::UInt64 => true,
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => *scale <= 0,
        _ => false,
    }
}

/// A whole number as one, if `SQLite` can hold it.
fn narrow(cell: Cell) -> Cell {
    match cell {
        Cell::Text(text) => text.parse().map_or(Cell::Text(text), Cell::Integer),
        other => other,
    }
}

fn cells(array: &ArrayRef) -> Result<Vec<Cell>, ArrowError> {
    let array = match array.data_type() {
        DataType::Dictionary(_, value) => cast(array, value)?,
        _ => array.clone(),
    };
    match array.data_type() {
        DataType::Null => Ok((0..array.len()).map(|_| Cell::Null).collect()),
        kind if is_wide(kind) => Ok(texts(&array)?.into_iter().map(narrow).collect()),
        DataType::Boolean => Ok(array
            .as_boolean()
            .iter()
            .map(|v| v.map_or(Cell::Null, |v| Cell::Integer(i64::from(v))))
            .collect()),
        kind if kind.is_integer() => {
            let array = cast(&array, &DataType::Int64)?;
            let values = array.as_primitive::<Int64Type>().iter();
            Ok(values.map(|v| v.map_or(Cell::Null, Cell::Integer)).collect())
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let array = cast(&array, &DataType::Float64)?;
            let values = array.as_primitive::<Float64Type>().iter();
            let cell = |v: Option<f64>| v.filter(|v| !v.is_nan()).map_or(Cell::Null, Cell::Real);
            Ok(values.map(cell).collect())
        }
        DataType::Utf8 => {
            let values = array.as_string::<i32>().iter();
            Ok(values.map(|v| v.map_or(Cell::Null, |v| Cell::Text(v.to_owned()))).collect())
        }
        DataType::Timestamp(unit, Some(_)) => {
            texts(&cast(&array, &DataType::Timestamp(*unit, Some("+00:00".into())))?)
        }
        DataType::Date64 => texts(&cast(&array, &DataType::Date32)?),
        _ => texts(&array),
    }
}

fn texts(array: &ArrayRef) -> Result<Vec<Cell>, ArrowError> {
    let options = FormatOptions::default().with_display_error(false);
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options)?;
    let cell = |row| {
        if array.is_null(row) {
            Ok(Cell::Null)
        } else {
            formatter.value(row).try_to_string().map(Cell::Text)
        }
    };
    (0..array.len()).map(cell).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use arrow_array::types::Int32Type;
    use arrow_array::*;
    use arrow_schema::{Field, Schema};
    use parquet::arrow::ArrowWriter;

    fn read(columns: Vec<(&str, ArrayRef)>) -> Result<Vec<String>, Fault> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.parquet");
        let field =
            |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), true);
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        let batch = RecordBatch::try_new(schema.clone(), arrays).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let mut rows = ParquetRows::open(&path)?;
        let mut lines = Vec::new();
        let mut row = Vec::new();
        while rows.next(&mut row)? {
            let cells = row.drain(..).map(|cell| match cell {
                Cell::Null => "-".to_owned(),
                Cell::Integer(value) => value.to_string(),
                Cell::Real(value) => format!("{value:?}"),
                Cell::Text(text) => text,
                Cell::Blob(_) => "bytes".to_owned(),
            });
            lines.push(cells.collect::<Vec<_>>().join(" "));
        }
        Ok(lines)
    }

    #[test]
    fn plain_values_keep_their_meaning() {
        let words: DictionaryArray<Int32Type> =
            vec![Some("a"), None, Some("a")].into_iter().collect();
        let cents = Decimal128Array::from(vec![Some(1250), Some(-5), None]);
        let micros = vec![Some(1_782_892_800_000_000), Some(1_782_892_800_250_000), None];
        let found = read(vec![
            ("words", Arc::new(words)),
            ("whole", Arc::new(Int16Array::from(vec![Some(-3), None, Some(7)]))),
            ("large", Arc::new(UInt64Array::from(vec![Some(u64::MAX), Some(1), None]))),
            ("flag", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
            ("real", Arc::new(Float64Array::from(vec![Some(0.1), Some(f64::NAN), None]))),
            ("cents", Arc::new(cents.with_precision_and_scale(9, 2).unwrap())),
            ("day", Arc::new(Date32Array::from(vec![Some(20635), Some(0), None]))),
            ("local", Arc::new(TimestampMicrosecondArray::from(micros.clone()))),
            ("zoned", Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("+02:00"))),
            ("none", Arc::new(NullArray::new(3))),
        ])
        .unwrap();
        assert_eq!(
            found,
            [
                "1 a -3 18446744073709551615 1 0.1 12.50 2026-07-01 2026-07-01T08:00:00 2026-07-01T08:00:00Z -",
                "2 - - 1 0 - -0.05 1970-01-01 2026-07-01T08:00:00.250 2026-07-01T08:00:00.250Z -",
                "3 a 7 - - - - - - - -",
            ]
        );
    }

    #[test]
    fn frames_of_a_face_do_not_land_under_any_name() {
        let one: ArrayRef = Arc::new(Float64Array::from(vec![0.5]));
        let found = read(vec![("frame", one.clone()), ("AU01_r", one.clone())]).unwrap_err();
        assert!(found.message.contains("(OpenFace)"), "{}", found.message);
        assert!(read(vec![("frame", one.clone()), ("AU45_r", one)]).is_ok());
    }

    #[test]
    fn what_is_not_plain_is_refused_with_its_column() {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)])]);
        let found = read(vec![("Codes", Arc::new(lists))]).unwrap_err();
        assert!(found.message.starts_with("column `codes` holds List("), "{}", found.message);
        assert_eq!(
            found.hint.unwrap(),
            "leave the column out, or write it flat: text, number, boolean, date or time"
        );
    }

    /// One bit after the other is turned over: the footer's places, the pages' headers, the values.
    #[test]
    fn a_damaged_file_is_read_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.parquet");
        let words: DictionaryArray<Int32Type> =
            vec![Some("a"), None, Some("a")].into_iter().collect();
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
        let columns: [(&str, ArrayRef); 2] = [("words", Arc::new(words)), ("whole", whole)];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut sound = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut sound, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let mut refused = std::collections::BTreeSet::new();
        for bit in 0..sound.len() * 8 {
            let mut damaged = sound.clone();
            if let Some(byte) = damaged.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            std::fs::write(&path, damaged).unwrap();
            let mut row = Vec::new();
            let read = ParquetRows::open(&path).and_then(|mut rows| {
                while rows.next(&mut row)? {}
                Ok(())
            });
            refused.extend(read.err().map(|fault| fault.message));
        }
        let refused: String = refused.into_iter().collect::<Vec<_>>().join("\n");
        for expected in ["its footer names places outside the file", DAMAGED] {
            assert!(refused.contains(expected), "{expected} is not among\n{refused}");
        }
    }

    #[test]
    fn a_file_that_is_no_parquet_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.parquet");
        for bytes in [&b""[..], b"PAR1", b"PAR1 and then nothing of the kind PAR1"] {
            std::fs::write(&path, bytes).unwrap();
            let found = ParquetRows::open(&path).err().unwrap();
            assert!(
                found.message.starts_with("the file is not sound Parquet"),
                "{}",
                found.message
            );
        }
    }
}
