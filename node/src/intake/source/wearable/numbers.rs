//! A wearable's file as a recording: intervals between beats, heart rates, and the variability of sleep.
//!
//! The same readers as for the raw tables, so the same rows are left out and the same units refused; a row that would
//! be a reject there is not used here, either. Summaries are none: an average over an hour is no heart rate of a
//! minute. Fitbit states heart rates in UTC and its variability of sleep without a place in time, which therefore
//! counts for a session as a whole.
//!
//! | file | read as |
//! |---|---|
//! | `.json`, `.ndjson` with `dateTime` and `bpm` | Fitbit's heart rates |
//! | other `.json`, `.ndjson` | Open mHealth |
//! | `Heart Rate Variability Details - DATE.csv` | Fitbit's variability of sleep |
//! | `.xml` | Apple Health |
use super::super::Step;
use super::super::moment::rfc3339;
use super::super::{Kind, Tables};
use super::{apple, fitbit, openmhealth};
use crate::intake::recording::container::Beats;
use crate::store::bulk::Cell;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Most beats, and most heart rates, of a file.
const MOST: usize = 10_000_000;
/// How much of a JSON file is looked at to find out whose it is.
const HEAD_BYTES: u64 = 4_096;
/// What Fitbit's files of variability are called, in lower case.
const FITBIT_SLEEP: &str = "heart rate variability details";

/// Numbers of one person. `Debug` shows how many.
#[derive(Default)]
pub struct Numbers {
    /// Intervals between beats, if there are any.
    pub beats: Option<Beats>,
    /// Seconds since 1970 UTC, and beats a minute.
    pub rates: Vec<(f64, f64)>,
    /// Of five minutes of sleep each: RMSSD in ms, and the share of them that is covered.
    pub sleep: Vec<(f64, f64)>,
}

impl std::fmt::Debug for Numbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let beats = self.beats.as_ref().map_or(0, |b| b.beats.len());
        write!(
            f,
            "Numbers({beats} beats, {} rates, {} of sleep)",
            self.rates.len(),
            self.sleep.len()
        )
    }
}

/// Whose export a file is; `None` if it is none of a wearable's.
///
/// # Errors
/// What the system says of reading it.
pub fn kind(path: &Path) -> Result<Option<Kind>, io::Error> {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_ascii_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    Ok(match extension {
        "xml" => Some(Kind::Apple),
        "csv" if name.starts_with(FITBIT_SLEEP) => Some(Kind::Fitbit),
        "json" | "ndjson" | "jsonl" => {
            let mut head = Vec::new();
            File::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
            let head = String::from_utf8_lossy(&head);
            let fitbit = ["\"dateTime\"", "\"bpm\""].iter().all(|key| head.contains(key));
            Some(if fitbit { Kind::Fitbit } else { Kind::OpenMHealth })
        }
        _ => None,
    })
}

/// Reads a file of that kind.
///
/// # Errors
/// Why there is nothing in it, in words that quote nothing of it.
pub fn read(path: &Path, kind: Kind) -> Result<Numbers, String> {
    let opened: Result<Box<dyn Tables>, _> = match kind {
        Kind::Apple => apple::Export::open("file", path).map(|r| Box::new(r) as Box<dyn Tables>),
        Kind::Fitbit => fitbit::Takeout::open("file", path).map(|r| Box::new(r) as _),
        Kind::OpenMHealth => openmhealth::Points::open("file", path).map(|r| Box::new(r) as _),
        _ => return Err("not a wearable's export".to_owned()),
    };
    let mut reader = opened.map_err(|fault| fault.message)?;
    let mut found = Found::default();
    let mut step = Step::default();
    while reader.step(&mut step).map_err(|fault| fault.message)? {
        for (_, row) in step.rows.drain(..) {
            found.add(&row);
        }
        step.refused.clear();
        if found.beats_us.len().max(found.numbers.rates.len()).max(found.numbers.sleep.len()) > MOST
        {
            return Err(format!("more than {MOST} beats or heart rates: cut the export"));
        }
    }
    found.numbers()
}

/// What was read so far.
#[derive(Default)]
struct Found {
    /// The ends of intervals, and how long they were in ms.
    beats_us: Vec<(i64, f64)>,
    numbers: Numbers,
}

impl Found {
    fn add(&mut self, row: &[Cell]) {
        let text = |at: usize| match row.get(at) {
            Some(Cell::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        let whole = |at: usize| match row.get(at) {
            Some(Cell::Integer(value)) => Some(*value),
            _ => None,
        };
        let real = |at: usize| match row.get(at) {
            Some(Cell::Real(value)) => Some(*value),
            _ => None,
        };
        // _line, kind, time, start_us, end_us, tz_min, value, unit, statistic, coverage, confidence
        let (Some(value), None) = (real(6), text(8)) else { return };
        // Only Fitbit's times have no offset; those of heart rates are of UTC.
        let of_utc = || Some(rfc3339(&format!("{}Z", text(2)?))?.us);
        let start_us = whole(3);
        match text(1) {
            Some("rr_interval") => {
                self.beats_us.extend(whole(4).or(start_us).map(|end_us| (end_us, value)));
            }
            Some("heart_rate") => {
                let at_us = start_us.or_else(of_utc);
                self.numbers.rates.extend(at_us.map(|us| (seconds(us), value)));
            }
            Some("rmssd") => self.numbers.sleep.extend(real(9).map(|coverage| (value, coverage))),
            _ => {}
        }
    }

    fn numbers(mut self) -> Result<Numbers, String> {
        self.beats_us.sort_by_key(|(end_us, _)| *end_us);
        self.beats_us.dedup_by_key(|(end_us, _)| *end_us);
        if let Some(&(first_us, first_ms)) = self.beats_us.first() {
            let started_unix_s = seconds(first_us) - first_ms / 1000.0;
            let after = |&(end_us, rr_ms): &(i64, f64)| {
                (seconds(end_us.saturating_sub(first_us)) + first_ms / 1000.0, rr_ms)
            };
            let beats = self.beats_us.iter().map(after).collect();
            self.numbers.beats = Some(Beats { started_unix_s: Some(started_unix_s), beats });
        }
        let Numbers { beats, rates, sleep } = &self.numbers;
        if beats.is_none() && rates.is_empty() && sleep.is_empty() {
            return Err("the file holds neither beats nor heart rates".to_owned());
        }
        Ok(self.numbers)
    }
}

#[expect(clippy::cast_precision_loss, reason = "times until 2255 are exact")]
fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    fn numbers(name: &str, text: &str) -> Result<Numbers, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        read(&path, kind(&path).unwrap().unwrap())
    }

    #[test]
    fn intervals_of_open_mhealth_are_beats_in_the_order_of_their_ends() {
        let point = |at: &str, ms: u32| {
            format!(
                "{{\"rr_interval\":{{\"value\":{ms},\"unit\":\"ms\"}},\"effective_time_frame\":{{\"date_time\":\"{at}\"}}}}"
            )
        };
        let summary = point("2026-07-05T08:00:09Z", 900).replacen(
            '{',
            "{\"descriptive_statistic\":\"average\",",
            1,
        );
        let points = [
            point("2026-07-05T10:00:01.7+02:00", 700),
            point("2026-07-05T08:00:01Z", 1000),
            point("2026-07-05T08:00:01Z", 1000),
            summary,
        ];
        let found = numbers("watch.json", &format!("[{}]", points.join(","))).unwrap();
        let beats = found.beats.unwrap();
        assert_eq!(beats.started_unix_s, Some(1_783_238_400.0));
        assert_eq!(beats.beats.len(), 2);
        assert!((beats.beats[0].0 - 1.0).abs() < 1e-9 && (beats.beats[1].0 - 1.7).abs() < 1e-6);
        assert!((beats.beats[1].1 - 700.0).abs() < 1e-12 && found.rates.is_empty());
    }

    #[test]
    fn fitbit_has_rates_of_utc_and_the_variability_of_sleep() {
        let rate = "[{\"dateTime\":\"07/05/26 08:00:05\",\"value\":{\"bpm\":61,\"confidence\":3}},\
            {\"dateTime\":\"07/05/26 08:00:10\",\"value\":{\"bpm\":62,\"confidence\":0}}]";
        let found = numbers("heart_rate-2026-07-05.json", rate).unwrap();
        assert_eq!(found.rates, [(1_783_238_405.0, 61.0)]);
        let sleep = "timestamp,rmssd,coverage,low_frequency,high_frequency\n\
            2026-07-05T02:10:00,38.5,0.96,900,700\n";
        let name = "Heart Rate Variability Details - 2026-07-05.csv";
        let found = numbers(name, sleep).unwrap();
        assert_eq!(found.sleep, [(38.5, 0.96)]);
        assert_eq!(format!("{found:?}"), "Numbers(0 beats, 0 rates, 1 of sleep)");
    }

    #[test]
    fn nothing_of_use_and_no_export_are_errors_that_quote_nothing() {
        assert_eq!(
            numbers("a.json", "[]").unwrap_err(),
            "the file holds neither beats nor heart rates"
        );
        assert!(numbers("a.json", "[{\"secret\":").is_err());
        assert!(numbers("a.xml", "<html/>").is_err());
        assert!(kind(Path::new("beats.txt")).unwrap().is_none());
        assert!(kind(Path::new("sessions.csv")).unwrap().is_none());
    }
}
