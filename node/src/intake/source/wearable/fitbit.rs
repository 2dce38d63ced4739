//! Files of a Fitbit Takeout: `heart_rate-DATE.json` and `Heart Rate Variability Details - DATE.csv`.
//!
//! Heart rates whose confidence is 0 are the device's own guesses and do not land. Of the variability file the
//! RMSSD and its coverage land; low and high frequency do not: how they are computed is not published. Times have no
//! offset from UTC: they land as text, `YYYY-MM-DDTHH:MM:SS`, for the mapping to place.
use super::super::csv::CsvRows;
use super::super::{RawTable, Rows as _, Step, Tables};
use super::elements::Elements;
use super::{Sample, table};
use crate::store::bulk::Cell;
use serde::Deserialize;
use std::path::Path;
use tacit_shared::fault::Fault;

const CSV_COLUMNS: [&str; 3] = ["timestamp", "rmssd", "coverage"];

#[derive(Deserialize)]
struct Rate {
    #[serde(rename = "dateTime")]
    date_time: String,
    value: Value,
}

#[derive(Deserialize)]
struct Value {
    bpm: f64,
    confidence: i64,
}

enum Reader {
    Rates(Elements),
    Variability(CsvRows, [usize; 3]),
}

/// The numbers of a file.
pub(in crate::intake::source) struct Takeout {
    reader: Reader,
    tables: Vec<RawTable>,
    guesses: u64,
    row: Vec<Cell>,
}

impl Takeout {
    pub(in crate::intake::source) fn open(name: &str, path: &Path) -> Result<Self, Fault> {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let unknown = |what: &str| {
            Fault::user(what).at(path.display().to_string()).hint(
                "expected heart_rate-DATE.json, or `Heart Rate Variability Details - DATE.csv` with timestamp, rmssd, coverage",
            )
        };
        let reader = match extension.to_ascii_lowercase().as_str() {
            "json" => Reader::Rates(Elements::open(path)?),
            "csv" => {
                let rows = CsvRows::open(path)?;
                let at = |name: &str| rows.columns().iter().position(|c| c.name == name);
                let [Some(a), Some(b), Some(c)] = CSV_COLUMNS.map(at) else {
                    return Err(unknown(
                        "the file has not the columns of a Fitbit variability file",
                    ));
                };
                Reader::Variability(rows, [a, b, c])
            }
            _ => return Err(unknown("the file is neither JSON nor CSV")),
        };
        Ok(Self { reader, tables: vec![table(name)], guesses: 0, row: Vec::new() })
    }
}

impl Tables for Takeout {
    fn tables(&self) -> &[RawTable] {
        &self.tables
    }

    fn position(&self) -> u64 {
        match &self.reader {
            Reader::Rates(elements) => elements.position(),
            Reader::Variability(rows, _) => rows.position(),
        }
    }

    fn total(&self) -> u64 {
        match &self.reader {
            Reader::Rates(elements) => elements.total(),
            Reader::Variability(rows, _) => rows.total(),
        }
    }

    fn step(&mut self, out: &mut Step) -> Result<bool, Fault> {
        match &mut self.reader {
            Reader::Rates(elements) => {
                let Some((line, object)) = elements.next()? else { return Ok(false) };
                let rate: Rate = match serde_json::from_slice(object) {
                    Ok(rate) => rate,
                    Err(error) if error.is_data() => {
                        let reason =
                            "not shaped as Fitbit's: dateTime, value.bpm, value.confidence";
                        out.refuse(0, line, "value", reason);
                        return Ok(true);
                    }
                    Err(_) => return Err(elements.fault("a heart rate is not JSON")),
                };
                if rate.value.confidence == 0 {
                    self.guesses += 1;
                    return Ok(true);
                }
                rates(&rate, line, out);
            }
            Reader::Variability(rows, columns) => {
                self.row.clear();
                if !rows.next(&mut self.row)? {
                    return Ok(false);
                }
                variability(&self.row, *columns, out);
            }
        }
        Ok(true)
    }

    fn notes(&self) -> Vec<String> {
        match self.guesses {
            0 => Vec::new(),
            count => vec![format!("{count} heart rates have confidence 0: left out")],
        }
    }
}

fn rates(rate: &Rate, line: u64, out: &mut Step) {
    let Some(time) = american(&rate.date_time) else {
        out.refuse(0, line, "dateTime", "not MM/DD/YY HH:MM:SS");
        return;
    };
    if !(1.0..=400.0).contains(&rate.value.bpm) {
        out.refuse(0, line, "value.bpm", "not 1 to 400 beats per minute");
        return;
    }
    Sample {
        kind: "heart_rate",
        unit: "/min",
        value: rate.value.bpm,
        time: Some(time),
        confidence: Some(rate.value.confidence),
        ..Sample::default()
    }
    .land(line, out);
}

fn variability(row: &[Cell], columns: [usize; 3], out: &mut Step) {
    let line = match row.first() {
        Some(Cell::Integer(line)) => u64::try_from(*line).unwrap_or_default(),
        _ => 0,
    };
    let [time, rmssd, coverage] = columns.map(|at| match row.get(at + 1) {
        Some(Cell::Text(text)) => text.trim(),
        _ => "",
    });
    let number = |text: &str| text.parse().ok().filter(|n: &f64| n.is_finite());
    let Some(value) = number(rmssd).filter(|v| *v > 0.0) else {
        out.refuse(0, line, "rmssd", "not a number above zero");
        return;
    };
    let Some(coverage) = number(coverage).filter(|c| (0.0..=1.0).contains(c)) else {
        out.refuse(0, line, "coverage", "not a number from 0 to 1");
        return;
    };
    Sample {
        kind: "rmssd",
        unit: "ms",
        value,
        time: Some(time.to_owned()),
        coverage: Some(coverage),
        ..Sample::default()
    }
    .land(line, out);
}

/// `MM/DD/YY HH:MM:SS` as `YYYY-MM-DDTHH:MM:SS`.
fn american(text: &str) -> Option<String> {
    let (day, time) = text.split_once(' ')?;
    let parts: Vec<u32> = day.split('/').map(str::parse).collect::<Result<_, _>>().ok()?;
    let clock: Vec<u32> = time.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    match (parts.as_slice(), clock.as_slice()) {
        (
            &[month @ 1..=12, day @ 1..=31, year @ 0..=99],
            &[hour @ 0..=23, minute @ 0..=59, second @ 0..=60],
        ) => Some(format!("20{year:02}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::super::tests::{Noted, read};
    use super::*;

    fn read_text(name: &str, text: &str) -> Result<Noted, Fault> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        let mut takeout = Takeout::open("fb", &path)?;
        let (rows, refused) = read(&mut takeout)?;
        Ok((rows, refused, takeout.notes()))
    }

    #[test]
    fn heart_rates_land_but_for_guesses() {
        let (rows, refused, notes) = read_text(
            "heart_rate-2026-01-31.json",
            "[{\n  \"dateTime\" : \"01/31/26 00:00:02\",\n  \"value\" : {\"bpm\" : 61,\"confidence\" : 2}\n},{\n\
             \"dateTime\" : \"01/31/26 00:00:07\",\n\"value\" : {\"bpm\" : 70,\"confidence\" : 0}\n},\n\
             {\"dateTime\":\"2026-01-31\",\"value\":{\"bpm\":60,\"confidence\":1}},\n\
             {\"dateTime\":\"01/31/26 00:00:09\",\"value\":{\"bpm\":0,\"confidence\":1}},\n{\"value\":61}]",
        )
        .unwrap();
        assert_eq!(rows, ["raw_fb|1|heart_rate|2026-01-31T00:00:02|-|-|-|61.0|/min|-|-|2"]);
        assert_eq!(
            refused,
            [
                "8 dateTime: not MM/DD/YY HH:MM:SS",
                "9 value.bpm: not 1 to 400 beats per minute",
                "10 value: not shaped as Fitbit's: dateTime, value.bpm, value.confidence",
            ]
        );
        assert_eq!(notes, ["1 heart rates have confidence 0: left out"]);
    }

    #[test]
    fn variability_lands_without_its_frequencies() {
        let (rows, refused, _) = read_text(
            "Heart Rate Variability Details - 2026-01-31.csv",
            "timestamp,rmssd,coverage,low_frequency,high_frequency\n2026-01-31T01:05:00,30.5,0.97,800,300\n\
             2026-01-31T01:10:00,0,0.97,1,1\n2026-01-31T01:15:00,31,1.2,1,1\n",
        )
        .unwrap();
        assert_eq!(rows, ["raw_fb|2|rmssd|2026-01-31T01:05:00|-|-|-|30.5|ms|-|0.97|-"]);
        assert_eq!(
            refused,
            ["3 rmssd: not a number above zero", "4 coverage: not a number from 0 to 1"]
        );
    }

    #[test]
    fn other_files_of_a_takeout_are_refused() {
        let hint = "expected heart_rate-DATE.json, or `Heart Rate Variability Details - DATE.csv` with timestamp, rmssd, coverage";
        let fault = read_text("sleep.csv", "a,b\n").err().unwrap();
        assert_eq!(fault.message, "the file has not the columns of a Fitbit variability file");
        assert_eq!(fault.hint.unwrap(), hint);
        assert_eq!(
            read_text("a.pdf", "").err().unwrap().message,
            "the file is neither JSON nor CSV"
        );
    }
}
