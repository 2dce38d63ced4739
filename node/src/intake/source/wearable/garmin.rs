//! A Garmin FIT file as numbers: heart rates of records, intervals of hrv messages.
//!
//! `_line` is the message's number among those that matter. As a recording (a device session that names the
//! file) the intervals become window features; this is for a mapping that wants to look at them.
use super::super::files::unreadable;
use super::super::{RawTable, Step, Tables};
use super::{Sample, table};
use crate::intake::recording::fit::{Chain, Message, Messages};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use tacit_shared::fault::Fault;

/// The messages of a FIT file.
pub(in crate::intake::source) struct Fit {
    messages: Messages<BufReader<File>>,
    chain: Chain,
    tables: Vec<RawTable>,
    path: PathBuf,
    count: u64,
}

impl Fit {
    pub(in crate::intake::source) fn open(name: &str, path: &Path) -> Result<Self, Fault> {
        let file = File::open(path).map_err(|e| unreadable(&e, path))?;
        let messages = Messages::new(BufReader::new(file));
        let tables = vec![table(name)];
        Ok(Self { messages, chain: Chain::default(), tables, path: path.to_owned(), count: 0 })
    }
}

impl Tables for Fit {
    fn tables(&self) -> &[RawTable] {
        &self.tables
    }

    fn position(&self) -> u64 {
        self.count
    }

    fn total(&self) -> u64 {
        0
    }

    fn step(&mut self, out: &mut Step) -> Result<bool, Fault> {
        let message = self.messages.next().map_err(|reason| {
            Fault::user(reason).at(self.path.display().to_string()).hint(
                "expected a Garmin FIT file, as it lies on the device or comes from an export",
            )
        })?;
        let Some(message) = message else { return Ok(false) };
        self.count += 1;
        match message {
            Message::Record(unix_s, rate) => {
                self.chain.moment(unix_s);
                if let Some(rate) = rate {
                    let start_us = unix_s.checked_mul(1_000_000);
                    let (kind, unit, value) = ("heart_rate", "/min", f64::from(rate));
                    Sample { kind, start_us, value, unit, ..Sample::default() }
                        .land(self.count, out);
                }
            }
            Message::Intervals(intervals) => {
                for rr_ms in intervals {
                    let offset = self.chain.beat(rr_ms);
                    #[expect(clippy::cast_possible_truncation, reason = "seconds of one recording")]
                    let after_us = (offset * 1e6).round() as i64;
                    let start = self.chain.start_unix_s.and_then(|s| s.checked_mul(1_000_000));
                    let end_us = start.and_then(|s| s.checked_add(after_us));
                    let start_us = end_us.map(|end| end - i64::from(rr_ms) * 1_000);
                    let (kind, unit, value) = ("rr_interval", "ms", f64::from(rr_ms));
                    Sample { kind, start_us, end_us, value, unit, ..Sample::default() }
                        .land(self.count, out);
                }
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::super::tests::read;
    use super::*;
    use crate::intake::recording::fit::tests::{DEFINITIONS, file, hrv, record};

    #[test]
    fn heart_rates_and_intervals_land_with_their_times() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.fit");
        let records =
            [DEFINITIONS, &record(1_000_000_000, 61), &hrv([800, u16::MAX, 0, u16::MAX, 700])]
                .concat();
        std::fs::write(&path, file(&records)).unwrap();
        let (rows, refused) = read(&mut Fit::open("run", &path).unwrap()).unwrap();
        assert_eq!(
            rows,
            [
                "raw_run|1|heart_rate|-|1631065600000000|-|-|61.0|/min|-|-|-",
                "raw_run|2|rr_interval|-|1631065600000000|1631065600800000|-|800.0|ms|-|-|-",
                "raw_run|2|rr_interval|-|1631065600800000|1631065601500000|-|700.0|ms|-|-|-",
            ]
        );
        assert_eq!(refused, Vec::<String>::new());
        std::fs::write(&path, "2019-10-16T12:08:58.041+02:00;STEPS;299.0\n").unwrap();
        let fault = read(&mut Fit::open("run", &path).unwrap()).unwrap_err();
        assert_eq!(fault.message, "not a FIT file: its header has neither 12 nor 14 bytes");
    }
}
