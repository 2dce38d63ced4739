//! A signal at a fixed rate, and the file it comes in.
//!
//! Empatica E4 `EDA.csv`: the start (Unix, UTC), the rate in Hz, then a sample a line, µS. `TEMP.csv`,
//! `HR.csv` and `BVP.csv` look the same: what a file holds, its user says. Reading is bounded like that
//! of beats: 256 MiB, 4,096 bytes a line; and 20,000,000 samples, 1 to 1,024 Hz, 1,000 µS.
use std::fmt;
use std::io::Read;

use super::error::RecordingError;
use super::lines::Lines;

/// The most samples of one recording: 31 days at 7 Hz.
pub const MOST_SAMPLES: usize = 20_000_000;

/// The slowest and the fastest rate, Hz.
pub const RATE_HZ: [f64; 2] = [1.0, 1024.0];

/// No skin conducts more, µS. A second header in the middle of a file is far above it.
pub const MOST_US: f64 = 1000.0;

const START: &str = "the start in s since 1970 UTC, alone";
const RATE: &str = "a rate from 1 to 1024 Hz, alone";
const SAMPLE: &str = "a sample in µS, from -1000 to 1000, alone";

/// How many samples there are a second: from 1 to 1,024.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(f64);

impl Rate {
    /// `None` if it is out of [`RATE_HZ`].
    pub fn new(hz: f64) -> Option<Self> {
        let [slowest, fastest] = RATE_HZ;
        (slowest..=fastest).contains(&hz).then_some(Self(hz))
    }

    /// In Hz.
    pub fn hz(self) -> f64 {
        self.0
    }

    /// The whole number of samples nearest to `length_s` seconds, of two the even one.
    pub(super) fn samples_in(self, length_s: f64) -> usize {
        whole((length_s * self.0).round_ties_even())
    }

    /// The number of the first sample at `time_s` seconds after the first of all, or later; 0 of a time before.
    pub(super) fn first_at(self, time_s: f64) -> usize {
        // Times of samples are multiples of 1 / rate but for rounding: a millionth of a sample is none.
        whole((time_s * self.0 - 1e-6).ceil().max(0.0))
    }

    /// The number of the sample at `time_s` seconds after the first.
    pub(super) fn index_at(self, time_s: f64) -> usize {
        whole(time_s * self.0)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast to an integer stops at its limits, and counts of samples are far from them"
)]
fn whole(value: f64) -> usize {
    value as usize
}

/// Samples at a fixed rate. `Debug` shows their number only.
pub struct Signal {
    started_unix_s: f64,
    rate: Rate,
    samples: Vec<f64>,
}

impl Signal {
    /// A signal that began at `started_unix_s` seconds after 1970 UTC.
    pub fn new(started_unix_s: f64, rate: Rate, samples: Vec<f64>) -> Self {
        Self { started_unix_s, rate, samples }
    }

    /// The same, begun `ahead_s` seconds earlier: the device's clock was ahead by that.
    #[must_use]
    pub fn corrected(self, ahead_s: f64) -> Self {
        Self { started_unix_s: self.started_unix_s - ahead_s, ..self }
    }

    /// When it began, seconds since 1970 UTC.
    pub fn started_unix_s(&self) -> f64 {
        self.started_unix_s
    }

    /// How many samples there are a second.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// The samples, in order.
    pub fn samples(&self) -> &[f64] {
        &self.samples
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signal({} samples)", self.samples.len())
    }
}

/// Reads skin conductance from the bytes of an Empatica `EDA.csv`.
///
/// # Errors
/// [`RecordingError`]; nothing is kept.
pub fn parse(input: impl Read) -> Result<Signal, RecordingError> {
    let mut lines = Lines::new(input);
    let header = |line, expected| RecordingError::SignalHeader { line, expected };
    let first = lines.next()?.ok_or(header(1, START))?;
    let start = first.whole().number(START).ok().filter(|start| *start >= 0.0);
    let started_unix_s = start.ok_or(header(first.number, START))?;
    let second = lines.next()?.ok_or(header(2, RATE))?;
    let rate = second.whole().number(RATE).ok().and_then(Rate::new);
    let rate = rate.ok_or(header(second.number, RATE))?;
    let mut samples = Vec::new();
    while let Some(line) = lines.next()? {
        let sample = match line.whole().number(SAMPLE) {
            Ok(sample) if sample.abs() <= MOST_US => sample,
            _ => return Err(wrong(line.whole().wrong(SAMPLE))),
        };
        if samples.len() >= MOST_SAMPLES {
            return Err(RecordingError::TooManySamples);
        }
        samples.push(sample);
    }
    Ok(Signal::new(started_unix_s, rate, samples))
}

/// The error of a field, of a sample: its hint is another.
fn wrong(error: RecordingError) -> RecordingError {
    match error {
        RecordingError::Field { line, column, expected } => {
            RecordingError::Sample { line, column, expected }
        }
        other => other,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    #[test]
    fn an_empatica_file_is_read() {
        for text in [
            "1560279825.000000\n4.000000\n0.020499\n0.5\n-0.1\n",
            "\u{feff}1560279825.000000\r\n4.000000\r\n0.020499\r\n\r\n0.5\r\n-0.1",
        ] {
            let signal = parse(text.as_bytes()).unwrap();
            assert_eq!(signal.samples(), [0.020_499, 0.5, -0.1]);
            assert!((signal.rate().hz() - 4.0).abs() < 1e-12);
            assert!((signal.started_unix_s() - 1_560_279_825.0).abs() < 1e-6);
            assert_eq!(format!("{signal:?}"), "Signal(3 samples)");
        }
        assert!(parse("1560279825\n4\n".as_bytes()).unwrap().samples().is_empty());
    }

    #[test]
    fn a_broken_file_is_refused_with_line_and_hint() {
        let start = "expected the start in s since 1970 UTC, alone";
        let rate = "expected a rate from 1 to 1024 Hz, alone";
        let sample = "expected a sample in µS, from -1000 to 1000, alone";
        let layout = "expected the EDA.csv of an Empatica E4: start, rate, then a sample a line";
        let one =
            "one number a line, with a decimal point; split a file where a second header begins";
        for (text, place, message, hint) in [
            ("", "f:1", start, layout),
            ("EDA\n4\n1\n", "f:1", start, layout),
            ("1560279825.0, IBI\n1.0,0.7\n", "f:1", start, layout),
            ("1560279825.0, 1560279825.0, 1560279825.0\n", "f:1", start, layout),
            ("-5\n4\n", "f:1", start, layout),
            ("1560279825\n", "f:2", rate, layout),
            ("1560279825\n0\n1.0\n", "f:2", rate, layout),
            ("1560279825\n1e9\n1.0\n", "f:2", rate, layout),
            ("1560279825\n4\n1.0\n 1,5\n", "f:4:2", sample, one),
            ("1560279825\n4\nnan\n", "f:3:1", sample, one),
            ("1560279825\n4\n1.0\n1560299825\n4\n", "f:4:1", sample, one),
        ] {
            let fault = parse(text.as_bytes()).unwrap_err().fault(Path::new("f"));
            assert_eq!(fault.to_string(), format!("{message}\n  at:   {place}\n  hint: {hint}"));
        }
    }

    #[test]
    fn a_rate_is_bounded() {
        for wrong in [0.0, 0.99, 1024.1, -4.0, f64::NAN, f64::INFINITY] {
            assert!(Rate::new(wrong).is_none());
        }
        let rate = Rate::new(4.0).unwrap();
        assert_eq!(
            (rate.samples_in(4.0), rate.samples_in(1.0), rate.index_at(300.0)),
            (16, 4, 1200)
        );
        assert_eq!(Rate::new(2.5).unwrap().samples_in(1.0), 2, "half goes to the even number");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = parse(bytes.as_slice());
        }

        #[test]
        fn pieces_of_a_real_file_never_panic(
            pieces in proptest::collection::vec(
                "1560279825\n|4\n|[-+]?[0-9]{0,9}(\\.[0-9]{0,3})?(e[0-9]{1,3})?|nan|inf|[, ]|\r\n|\n", 0..200),
        ) {
            if let Ok(signal) = parse(pieces.concat().as_bytes()) {
                prop_assert!(signal.samples().iter().all(|sample| sample.abs() <= MOST_US));
            }
        }
    }
}
