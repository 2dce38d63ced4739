//! The report: what a policymaker reads, what a program reads, and what an auditor starts from.
//!
//! A [`Report`] is [`data::ReportData`] whose numbers were found to agree with each other: the cents
//! sum to the pool, nothing is printed that the gates withhold, and a truth stands beside an estimate
//! in a rehearsal only. Where the numbers come from is the business of the model and the allocation.

mod answer;
mod bars;
mod check;
pub mod csv;
mod curve;
pub mod data;
pub mod fhir;
pub mod found;
mod gaps;
pub mod html;
pub(crate) mod number;
mod picture;
mod pictures;
mod prices;
mod questions;
#[cfg(test)]
pub(crate) mod sample;
mod scale;
mod scored;
mod section;
mod shares;
pub mod svg;
pub mod within;
mod words;

use data::{FORMAT, ReportData};

/// A `report.json` is larger than this only by mistake.
pub const FILE_BYTES_MAX: usize = 1 << 22;

/// A report whose numbers agree with each other. Only [`Report::new`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    data: ReportData,
}

/// Why a report was refused: the key, and what is wrong with it. Nothing is kept of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Not JSON, an unknown key, or a value of the wrong type; the text shows line and column.
    #[error("not a report: {0}")]
    Syntax(String),
    /// Written by another version.
    #[error("`format` is {found}; expected {FORMAT}")]
    Format {
        /// The version found.
        found: u32,
    },
    /// Money was lost or made.
    #[error("the rows sum to {sum} cents; expected the pool of {pool} cents")]
    Pool {
        /// What the rows sum to.
        sum: i128,
        /// What they should.
        pool: i64,
    },
    /// A value that a report cannot have.
    #[error("`{key}` {problem}")]
    Key {
        /// The key, as in the file.
        key: String,
        /// What was found and what was expected.
        problem: String,
    },
}

impl Report {
    /// Checks that the numbers agree, and puts the privacy promise into words.
    ///
    /// # Errors
    /// [`ReportError`] with the first key that is wrong.
    pub fn new(mut data: ReportData) -> Result<Self, ReportError> {
        if data.format != FORMAT {
            return Err(ReportError::Format { found: data.format });
        }
        check::check(&data)?;
        data.privacy.words = words::promise(&data.privacy);
        data.answer = answer::answer(&data);
        let words: Vec<Vec<String>> =
            data.questions.iter().map(|asked| questions::answers(&asked.by, &data)).collect();
        for (asked, words) in data.questions.iter_mut().zip(words) {
            asked.words = words;
        }
        Ok(Self { data })
    }

    /// What the report says.
    pub fn data(&self) -> &ReportData {
        &self.data
    }

    /// `report.json`, indented, with a line break at the end.
    ///
    /// # Errors
    /// [`ReportError::Syntax`] if serde refuses, which no value of this type makes it do.
    pub fn to_json(&self) -> Result<String, ReportError> {
        let json = serde_json::to_string_pretty(&self.data);
        let mut json = json.map_err(|e| ReportError::Syntax(e.to_string()))?;
        json.push('\n');
        Ok(json)
    }

    /// Reads a `report.json` and checks it as [`Report::new`] does.
    ///
    /// # Errors
    /// [`ReportError`]; nothing is kept of a refused file.
    pub fn from_json(text: &str) -> Result<Self, ReportError> {
        if text.len() > FILE_BYTES_MAX {
            let found = text.len();
            let problem = format!("{found} bytes; expected at most {FILE_BYTES_MAX}");
            return Err(ReportError::Syntax(problem));
        }
        let data = serde_json::from_str(text).map_err(|e| ReportError::Syntax(e.to_string()))?;
        Self::new(data)
    }
}

#[cfg(test)]
mod tests;
