//! Why a file is not a recording: line and column, what was expected, what to do; never the value.
//!
//! A number in a recording belongs to a person, so an error tells where it stands and nothing of it.
use std::io;
use std::path::Path;

use tacit_shared::fault::Fault;

use super::format::Format;
use super::lines::{MAX_BYTES, MAX_LINE};
use super::recording::BeatError;
use super::signal::MOST_SAMPLES;

/// Why a recording was not read. Nothing of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// The operating system refused.
    #[error("the recording cannot be read: {kind}")]
    Unreadable {
        /// Its reason.
        kind: io::ErrorKind,
    },
    /// Above the size that is read at all.
    #[error("the recording is larger than {} MiB", MAX_BYTES / 1024 / 1024)]
    TooLarge,
    /// A line longer than any of a recording.
    #[error("the line is longer than {MAX_LINE} bytes")]
    LineTooLong {
        /// Counted from 1.
        line: u64,
    },
    /// Not even a header.
    #[error("the recording is empty: it has neither header nor beats")]
    Empty,
    /// No known format begins so.
    #[error("the format of the recording is not recognised")]
    Unrecognised,
    /// The first line is not what the format demands.
    #[error("the first line is not a header; expected {expected}")]
    Header {
        /// Counted from 1.
        line: u64,
        /// What the format begins with.
        expected: &'static str,
    },
    /// A line at the head of a signal that is not what the layout demands.
    #[error("expected {expected}")]
    SignalHeader {
        /// Counted from 1.
        line: u64,
        /// What should stand there.
        expected: &'static str,
    },
    /// More samples than a recording of a month has.
    #[error("the signal has more than {MOST_SAMPLES} samples")]
    TooManySamples,
    /// A sample that is no number, or none that skin conducts.
    #[error("expected {expected}")]
    Sample {
        /// Counted from 1.
        line: u64,
        /// Counted from 1, in characters.
        column: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// A second header: sessions were joined into one file.
    #[error("a second header line; expected one session")]
    SecondHeader {
        /// Counted from 1.
        line: u64,
    },
    /// A line with too few or too many fields.
    #[error("the line has {found} fields; expected {expected}")]
    Fields {
        /// Counted from 1.
        line: u64,
        /// How many there are.
        found: usize,
        /// What there should be.
        expected: &'static str,
    },
    /// A field that does not read as what it should be.
    #[error("expected {expected}")]
    Field {
        /// Counted from 1.
        line: u64,
        /// Counted from 1, in characters.
        column: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// A `.hrm` file of heart rates at fixed steps.
    #[error("the file holds heart rates at fixed steps, not intervals between beats")]
    NotIntervals {
        /// Counted from 1.
        line: u64,
    },
    /// A `.hrm` file that ends before its beats.
    #[error("the file has no [HRData] section")]
    NoSection,
    /// A beat that does not continue the recording.
    #[error("{source}")]
    Beat {
        /// Counted from 1.
        line: u64,
        /// Why.
        source: BeatError,
    },
    /// Half of the intervals are shorter than any heart's.
    #[error("half of the intervals are shorter than 100 ms; expected {}", format.unit())]
    Unit {
        /// As it was read.
        format: Format,
    },
}

impl RecordingError {
    /// The line it stands on, counted from 1.
    pub fn line(&self) -> Option<u64> {
        match *self {
            Self::LineTooLong { line }
            | Self::Header { line, .. }
            | Self::SignalHeader { line, .. }
            | Self::Sample { line, .. }
            | Self::SecondHeader { line }
            | Self::Fields { line, .. }
            | Self::Field { line, .. }
            | Self::NotIntervals { line }
            | Self::Beat { line, .. } => Some(line),
            Self::Unreadable { .. }
            | Self::TooLarge
            | Self::TooManySamples
            | Self::Empty
            | Self::Unrecognised
            | Self::NoSection
            | Self::Unit { .. } => None,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "check the path and the permission to read it",
            Self::TooLarge | Self::TooManySamples => "cut the recording into sessions",
            Self::LineTooLong { .. } => "a recording is plain text, one beat a line",
            Self::Empty => "copy it again; an Empatica file without beats still has its header",
            Self::Unrecognised => {
                "expected Empatica IBI.csv, RR text in ms, Polar .hrm, a Holter beat list or \
                 MIT-BIH CSV (EDA, HR, BVP and ACC files hold signals, not beats); name it with \
                 --format if it is one of these"
            }
            Self::Header { .. } => "name the right format with --format, or leave it out",
            Self::SignalHeader { .. } => {
                "expected the EDA.csv of an Empatica E4: start, rate, then a sample a line"
            }
            Self::Sample { .. } => {
                "one number a line, with a decimal point; split a file where a second header begins"
            }
            Self::SecondHeader { .. } | Self::Beat { source: BeatError::Backwards, .. } => {
                "split the file where time starts again: each session is a recording of its own (an import does so \
                 by itself)"
            }
            Self::Fields { .. } | Self::Field { .. } => {
                "check the format, and that numbers have a decimal point and no quotes"
            }
            Self::NotIntervals { .. } => "export R-R data from the device (Interval=238)",
            Self::NoSection => "export the recording again: the file was cut short",
            Self::Beat { source, .. } => match source {
                BeatError::TooLong => {
                    "check the unit: Empatica IBI is in s, all other intervals in ms"
                }
                BeatError::BeyondSpan | BeatError::TooMany => "cut the recording into sessions",
                _ => "correct or remove the line",
            },
            Self::Unit { .. } => "convert the intervals to the unit of the format",
        }
    }

    /// The fault a user sees, with the path as they typed it.
    pub fn fault(&self, path: &Path) -> Fault {
        let mut place = path.display().to_string();
        if let Some(line) = self.line() {
            place = format!("{place}:{line}");
        }
        if let Self::Field { column, .. } | Self::Sample { column, .. } = self {
            place = format!("{place}:{column}");
        }
        Fault::user(self.to_string()).at(place).hint(self.hint())
    }
}
