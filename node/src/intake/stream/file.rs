//! A Parquet file that already has the columns of encounters, read in place.
//!
//! ```text
//! bytes of a row group ─► SHA-256, held against the one noted ─► decoded from the same bytes
//! ```
//! A row group is read into memory once, so that what was hashed is what is decoded, whatever happens to the file
//! meanwhile. Columns are found by the canonical names; texts must be texts, whole numbers whole numbers (times may be
//! timestamps in microseconds), numbers numbers. What a value may be is [`super::check`]'s to say.
use crate::intake::canonical::{Column, Presence, Rule, Table};
use crate::intake::source::parquet::{DAMAGED, ParquetFile, broken, guarded};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringViewArray,
};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use bytes::{Buf as _, Bytes};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tacit_shared::codec::sha256;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;

/// Rows decoded at once.
const BATCH_ROWS: usize = 4_096;
/// A row group with more bytes than this in the file is refused: each decoder holds one.
const PACKED_MAX: u64 = 40 << 20;
/// Row groups beyond this number are refused: each has a digest of its own.
const GROUPS_MAX: usize = 1 << 16;

/// The file, once its footer and its columns were looked at.
pub(crate) struct Encounters {
    path: PathBuf,
    place: String,
    metadata: ArrowReaderMetadata,
    /// Where each canonical column stands in the file.
    at: Vec<At>,
    ranges: Vec<(u64, u64)>,
    before: Vec<u64>,
    rows: u64,
}

/// A canonical column, and its place in the file.
type At = (&'static Column, usize);

/// One row group: its digest, and its rows, decoded as they are asked for.
pub(crate) struct Group {
    /// SHA-256 of the row group's bytes.
    pub(crate) digest: Digest,
    /// The number of its first row in the file, from 0.
    pub(crate) first: u64,
    reader: ParquetRecordBatchReader,
    place: String,
}

/// Some rows, column by column. Which columns there are was said when the group was opened.
pub(crate) struct Rows {
    batch: RecordBatch,
}

impl Encounters {
    /// Opens a file.
    ///
    /// # Errors
    /// A user's fault if it is no sound Parquet, lacks a column that every encounter has, or holds something else in one.
    pub(crate) fn open(path: &Path) -> Result<Self, Fault> {
        let file = ParquetFile::open(path)?;
        let place = path.display().to_string();
        let footer = Arc::clone(file.footer());
        if footer.num_row_groups() > GROUPS_MAX {
            let found = footer.num_row_groups();
            let message =
                format!("the file has {found} row groups; at most {GROUPS_MAX} are read in place");
            return Err(Fault::user(message).at(&place).hint("write it with larger row groups"));
        }
        let mut ranges = Vec::with_capacity(footer.num_row_groups());
        let mut before = Vec::with_capacity(footer.num_row_groups());
        let mut rows = 0_u64;
        for group in footer.row_groups() {
            let of = group
                .columns()
                .iter()
                .map(parquet::file::metadata::ColumnChunkMetaData::byte_range);
            let (start, end) = of.fold((u64::MAX, 0), |(a, b), (start, length)| {
                (a.min(start), b.max(start.saturating_add(length)))
            });
            let length = end.saturating_sub(start);
            if length > PACKED_MAX {
                let message = format!("a row group has {} MiB in the file", length >> 20);
                return Err(Fault::user(message).at(&place).hint(format!(
                    "to be read in place it may have {} MiB: write the file with smaller row groups",
                    PACKED_MAX >> 20
                )));
            }
            ranges.push((if length == 0 { 0 } else { start }, length));
            before.push(rows);
            rows = rows.saturating_add(u64::try_from(group.num_rows()).unwrap_or_default());
        }
        let plain = guarded(|| {
            ArrowReaderMetadata::try_new(
                Arc::clone(&footer),
                ArrowReaderOptions::default().with_skip_arrow_metadata(true),
            )
        });
        let plain =
            plain.ok_or_else(|| broken(&DAMAGED, &place))?.map_err(|e| broken(&e, &place))?;
        let (schema, at) = hinted(plain.schema(), &place)?;
        let options = ArrowReaderOptions::default().with_schema(Arc::new(schema));
        let metadata = guarded(|| ArrowReaderMetadata::try_new(footer, options))
            .ok_or_else(|| broken(&DAMAGED, &place))?
            .map_err(|e| broken(&e, &place))?;
        Ok(Self { path: path.to_owned(), place, metadata, at, ranges, before, rows })
    }

    /// Rows of the whole file.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// How many row groups there are.
    pub(crate) fn groups(&self) -> usize {
        self.ranges.len()
    }

    /// The canonical columns that the file has.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &'static Column> {
        self.at.iter().map(|(column, _)| *column)
    }

    /// Whether some row may lack a value of a column, as far as the footer says.
    pub(crate) fn may_lack(&self, name: &str) -> bool {
        let Some((_, at)) = self.at.iter().find(|(column, _)| column.name == name) else {
            return true;
        };
        self.metadata.metadata().row_groups().iter().any(|group| {
            let statistics = group.columns().get(*at).and_then(|column| column.statistics());
            statistics.and_then(Statistics::null_count_opt) != Some(0)
        })
    }

    /// Reads a row group, hashes it, and makes ready to decode the columns that are asked for and there.
    ///
    /// # Errors
    /// A user's fault if the file cannot be read or is damaged.
    pub(crate) fn group(&self, index: usize, columns: &[&str]) -> Result<Group, Fault> {
        let bug = || Fault::bug("a row group beyond the last");
        let (start, length) = *self.ranges.get(index).ok_or_else(bug)?;
        let first = *self.before.get(index).ok_or_else(bug)?;
        let read = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(start))?;
            let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
            file.take(length).read_to_end(&mut bytes)?;
            Ok::<_, std::io::Error>(bytes)
        };
        let bytes = read()
            .map_err(|e| Fault::user(format!("the file cannot be read: {e}")).at(&self.place))?;
        let digest = sha256(&bytes);
        let held = Held { start, bytes: bytes.into() };
        let wanted: Vec<usize> = self
            .at
            .iter()
            .filter(|(column, _)| columns.contains(&column.name))
            .map(|(_, at)| *at)
            .collect();
        let build = || {
            let builder =
                ParquetRecordBatchReaderBuilder::new_with_metadata(held, self.metadata.clone());
            let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
            builder
                .with_batch_size(BATCH_ROWS)
                .with_row_groups(vec![index])
                .with_projection(mask)
                .build()
        };
        let reader = guarded(build)
            .ok_or_else(|| broken(&DAMAGED, &self.place))?
            .map_err(|e| broken(&e, &self.place))?;
        Ok(Group { digest, first, reader, place: self.place.clone() })
    }
}

impl Group {
    /// The next rows, and the number of the first of them in the file, from 0.
    ///
    /// # Errors
    /// A user's fault if a page is damaged.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Rows)>, Fault> {
        let place = &self.place;
        match guarded(|| self.reader.next()).ok_or_else(|| broken(&DAMAGED, place))? {
            None => Ok(None),
            Some(Err(error)) => Err(broken(&error, place)),
            Some(Ok(batch)) => {
                let first = self.first;
                self.first =
                    first.saturating_add(u64::try_from(batch.num_rows()).unwrap_or_default());
                Ok(Some((first, Rows { batch })))
            }
        }
    }
}

impl Rows {
    /// How many.
    pub(crate) fn count(&self) -> usize {
        self.batch.num_rows()
    }

    /// A column of ids, if it was asked for and is there.
    pub(crate) fn ids(&self, name: &str) -> Option<&StringViewArray> {
        self.batch.column_by_name(name)?.as_string_view_opt()
    }

    /// A column of words or of ids that stand often.
    pub(crate) fn words(&self, name: &str) -> Option<&DictionaryArray<Int32Type>> {
        self.batch.column_by_name(name)?.as_dictionary_opt()
    }

    /// A column of whole numbers.
    pub(crate) fn wholes(&self, name: &str) -> Option<Int64Array> {
        let array = self.as_kind(name, &DataType::Int64)?;
        array.as_primitive_opt::<Int64Type>().cloned()
    }

    /// A column of numbers; what is not a number is absent, as in a table.
    pub(crate) fn numbers(&self, name: &str) -> Option<Float64Array> {
        let array = self.as_kind(name, &DataType::Float64)?;
        let array = array.as_primitive_opt::<Float64Type>()?;
        if array.values().iter().any(|v| v.is_nan()) {
            return Some(array.iter().map(|v| v.filter(|v| !v.is_nan())).collect());
        }
        Some(array.clone())
    }

    fn as_kind(&self, name: &str, kind: &DataType) -> Option<ArrayRef> {
        let array = self.batch.column_by_name(name)?;
        if array.data_type() == kind {
            return Some(Arc::clone(array));
        }
        cast(array, kind).ok()
    }
}

/// Bytes of one row group, at their place in the file.
struct Held {
    start: u64,
    bytes: Bytes,
}

impl Length for Held {
    fn len(&self) -> u64 {
        let length = u64::try_from(self.bytes.len()).unwrap_or_default();
        self.start.saturating_add(length)
    }
}

impl Held {
    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let outside = || ParquetError::EOF("outside of the row group".to_owned());
        let at = start.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        let at = at.filter(|at| *at <= self.bytes.len()).ok_or_else(outside)?;
        Ok(self.bytes.slice(at..))
    }
}

impl ChunkReader for Held {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        self.from(start).map(Bytes::reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let rest = self.from(start)?;
        if length > rest.len() {
            return Err(ParquetError::EOF("outside of the row group".to_owned()));
        }
        Ok(rest.slice(..length))
    }
}

/// How each column is to be decoded, and where the canonical ones are.
fn hinted(found: &Schema, place: &str) -> Result<(Schema, Vec<At>), Fault> {
    let mut fields: Vec<Field> = found.fields().iter().map(|f| f.as_ref().clone()).collect();
    let mut at = Vec::new();
    for column in Table::Encounter.columns() {
        let Some(index) = fields.iter().position(|f| f.name() == column.name) else {
            if column.presence == Presence::Optional {
                continue;
            }
            let names: Vec<&str> = Table::Encounter.columns().iter().map(|c| c.name).collect();
            return Err(Fault::user(format!("the file has no column `{}`", column.name))
                .at(place)
                .hint(format!(
                    "to be read in place it must have the canonical columns, under their names: {}; else import it with a mapping",
                    names.join(", ")
                )));
        };
        let Some(field) = fields.get_mut(index) else { continue };
        let kind = field.data_type();
        let fits = match column.rule {
            Rule::Whole(..) => narrow(kind) || *kind == DataType::Boolean,
            Rule::Time => {
                narrow(kind) || matches!(kind, DataType::Timestamp(TimeUnit::Microsecond, _))
            }
            Rule::Number(..) => narrow(kind) || kind.is_floating(),
            _ => *kind == DataType::Utf8,
        };
        if !fits {
            return Err(Fault::user(format!("column `{}` holds {kind}", column.name))
                .at(place)
                .hint(format!(
                    "to be read in place it must hold {}; else import it with a mapping",
                    column.rule.expected()
                )));
        }
        let often = matches!(column.rule, Rule::Word | Rule::OneOf(_)) || column.name == "person";
        let hint = match column.rule {
            Rule::Key(_) | Rule::Word | Rule::OneOf(_) | Rule::Text(_) if often => {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
            }
            Rule::Key(_) | Rule::Text(_) => DataType::Utf8View,
            _ => kind.clone(),
        };
        *field = field.clone().with_data_type(hint);
        at.push((column, index));
    }
    Ok((Schema::new(fields), at))
}

/// Whole numbers that all fit into 64 bits with a sign.
fn narrow(kind: &DataType) -> bool {
    kind.is_integer() && *kind != DataType::UInt64
}
