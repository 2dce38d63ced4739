//! A table on its way to a file: CSV or Parquet, as a hospital's system would export it.
use super::PopulationError;
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::path::Path;
use std::sync::Arc;

enum Column {
    Text(Vec<Option<String>>),
    Int(Vec<Option<i64>>),
    Real(Vec<Option<f64>>),
    Flag(Vec<Option<bool>>),
}

/// How a Parquet file is compressed.
#[derive(Clone, Copy)]
pub(super) enum Packing {
    Zstd,
    Snappy,
}

/// Columns of one length under the names of some export.
#[derive(Default)]
pub(super) struct Table {
    columns: Vec<(String, Column)>,
}

impl Table {
    pub(super) fn text<T: Into<String>>(
        mut self,
        name: &str,
        values: impl Iterator<Item = T>,
    ) -> Self {
        let values = values.map(|v| Some(v.into())).collect();
        self.columns.push((name.to_owned(), Column::Text(values)));
        self
    }

    /// Text in which an empty field says that nothing is known.
    pub(super) fn maybe_text(
        mut self,
        name: &str,
        values: impl Iterator<Item = Option<String>>,
    ) -> Self {
        let values = values.collect();
        self.columns.push((name.to_owned(), Column::Text(values)));
        self
    }

    pub(super) fn int<T: Into<i64>>(self, name: &str, values: impl Iterator<Item = T>) -> Self {
        self.maybe_int(name, values.map(Some))
    }

    pub(super) fn maybe_int<T: Into<i64>>(
        mut self,
        name: &str,
        values: impl Iterator<Item = Option<T>>,
    ) -> Self {
        let values = values.map(|v| v.map(Into::into)).collect();
        self.columns.push((name.to_owned(), Column::Int(values)));
        self
    }

    pub(super) fn real(mut self, name: &str, values: impl Iterator<Item = Option<f64>>) -> Self {
        let values = values.collect();
        self.columns.push((name.to_owned(), Column::Real(values)));
        self
    }

    pub(super) fn flag(mut self, name: &str, values: impl Iterator<Item = bool>) -> Self {
        let values = values.map(Some).collect();
        self.columns.push((name.to_owned(), Column::Flag(values)));
        self
    }

    fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| match column {
            Column::Text(values) => values.len(),
            Column::Int(values) => values.len(),
            Column::Real(values) => values.len(),
            Column::Flag(values) => values.len(),
        })
    }

    /// Writes comma-separated values with a line of names.
    pub(super) fn csv(self, path: &Path) -> Result<(), PopulationError> {
        let fail = |e: csv::Error| PopulationError::write(path, e);
        let mut writer = csv::Writer::from_path(path).map_err(fail)?;
        let names = self.columns.iter().map(|(name, _)| name);
        writer.write_record(names).map_err(fail)?;
        for row in 0..self.rows() {
            let cells = self.columns.iter().map(|(_, column)| cell(column, row));
            writer.write_record(cells).map_err(fail)?;
        }
        writer.flush().map_err(|e| PopulationError::write(path, e))
    }

    /// Writes a Parquet file with a row group for each 20,000 rows.
    pub(super) fn parquet(self, path: &Path, packing: Packing) -> Result<(), PopulationError> {
        let arrays = self.columns.into_iter().map(|(name, column)| {
            let array: ArrayRef = match column {
                Column::Text(values) => Arc::new(StringArray::from(values)),
                Column::Int(values) => Arc::new(Int64Array::from(values)),
                Column::Real(values) => Arc::new(Float64Array::from(values)),
                Column::Flag(values) => Arc::new(BooleanArray::from(values)),
            };
            (name, array, true)
        });
        let batch = RecordBatch::try_from_iter_with_nullable(arrays)
            .map_err(|e| PopulationError::write(path, e))?;
        let compression = match packing {
            Packing::Zstd => Compression::ZSTD(ZstdLevel::default()),
            Packing::Snappy => Compression::SNAPPY,
        };
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_max_row_group_row_count(Some(20_000))
            .build();
        let file = std::fs::File::create(path).map_err(|e| PopulationError::write(path, e))?;
        let fail = |e: parquet::errors::ParquetError| PopulationError::write(path, e);
        let mut writer =
            ArrowWriter::try_new(file, batch.schema(), Some(properties)).map_err(fail)?;
        writer.write(&batch).map_err(fail)?;
        writer.close().map_err(fail)?;
        Ok(())
    }
}

fn cell(column: &Column, row: usize) -> String {
    match column {
        Column::Text(values) => values.get(row).cloned().flatten(),
        Column::Int(values) => values.get(row).copied().flatten().map(|v| v.to_string()),
        Column::Real(values) => values.get(row).copied().flatten().map(|v| v.to_string()),
        Column::Flag(values) => {
            values.get(row).copied().flatten().map(|v| if v { "1" } else { "0" }.to_owned())
        }
    }
    .unwrap_or_default()
}
