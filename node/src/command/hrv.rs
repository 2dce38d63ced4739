//! `tacit-node hrv`: heart rate variability of one recording, window by window.
//!
//! Prints what [`crate::measure::physiology`] finds; nothing is stored and nothing leaves.
use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;
use tacit_shared::fault::Fault;

use crate::measure::physiology::hrv::TimeDomain;
use crate::measure::physiology::window::{Window, windows};
use crate::measure::physiology::{Format, Recording, read};

/// Heart rate variability of a beat-to-beat recording, in windows of five minutes.
#[derive(Debug, clap::Args)]
pub struct HrvArgs {
    /// The recording: Empatica IBI.csv, RR text, Polar .hrm, Holter beat list or MIT-BIH CSV.
    pub file: PathBuf,
    /// Print a JSON array, one object a window, instead of a table.
    #[arg(long)]
    pub json: bool,
    /// How the beats are written; found out if not given.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
}

/// What is to be printed, without a line end after it.
///
/// JSON: an array with an object a window, `null` where a value is undefined, `[]` if no beat was
/// recorded. Else a table, `-` where a value is undefined.
///
/// # Errors
/// A fault of the user with file, line and hint if the recording cannot be read.
pub fn run(args: &HrvArgs) -> Result<String, Fault> {
    let recording = read(&args.file, args.format).map_err(|error| error.fault(&args.file))?;
    if args.json { json(&recording) } else { Ok(table(&recording)) }
}

/// One window as it is printed. The order of the fields is that of the keys.
#[derive(Serialize)]
struct Row {
    start_s: f64,
    end_s: f64,
    n_rr: u32,
    n_pairs: u32,
    coverage: f64,
    mean_nn_ms: Option<f64>,
    mean_hr_bpm: Option<f64>,
    sdnn_ms: Option<f64>,
    rmssd_ms: Option<f64>,
    pnn50_pct: Option<f64>,
    ln_rmssd: Option<f64>,
}

impl Row {
    fn of(window: &Window<'_>) -> Self {
        let TimeDomain {
            n_rr,
            n_pairs,
            coverage,
            mean_nn_ms,
            mean_hr_bpm,
            sdnn_ms,
            rmssd_ms,
            pnn50_pct,
            ln_rmssd,
        } = window.time_domain();
        Self {
            start_s: window.start_s(),
            end_s: window.end_s(),
            n_rr,
            n_pairs,
            coverage,
            mean_nn_ms,
            mean_hr_bpm,
            sdnn_ms,
            rmssd_ms,
            pnn50_pct,
            ln_rmssd,
        }
    }
}

/// A window a line, so that two outputs compare line by line.
fn json(recording: &Recording) -> Result<String, Fault> {
    let rows: Result<Vec<String>, serde_json::Error> =
        windows(recording).map(|window| serde_json::to_string(&Row::of(&window))).collect();
    let rows = rows.map_err(|_| Fault::bug("a window could not be written as JSON"))?;
    if rows.is_empty() {
        return Ok("[]".to_owned());
    }
    Ok(format!("[\n  {}\n]", rows.join(",\n  ")))
}

const HEADINGS: [&str; 11] = [
    "start_s",
    "end_s",
    "n_rr",
    "n_pairs",
    "coverage",
    "mean_nn_ms",
    "mean_hr_bpm",
    "sdnn_ms",
    "rmssd_ms",
    "pnn50_pct",
    "ln_rmssd",
];

fn table(recording: &Recording) -> String {
    let mut text = line(&HEADINGS.map(str::to_owned));
    for window in windows(recording) {
        let row = Row::of(&window);
        let one = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
        text.push('\n');
        text += &line(&[
            format!("{:.0}", row.start_s),
            format!("{:.0}", row.end_s),
            row.n_rr.to_string(),
            row.n_pairs.to_string(),
            format!("{:.3}", row.coverage),
            one(row.mean_nn_ms),
            one(row.mean_hr_bpm),
            one(row.sdnn_ms),
            one(row.rmssd_ms),
            one(row.pnn50_pct),
            row.ln_rmssd.map_or("-".to_owned(), |value| format!("{value:.3}")),
        ]);
    }
    text
}

/// The cells of one line, each to the right below its heading.
fn line(cells: &[String; HEADINGS.len()]) -> String {
    let mut text = String::new();
    for (cell, heading) in cells.iter().zip(HEADINGS) {
        let width = heading.len().max(7) + 2;
        // Writing to a string cannot fail.
        let _ = write!(text, "{cell:>width$}");
    }
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn printed(text: &str, json: bool) -> Result<String, Fault> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("beats.txt");
        std::fs::write(&file, text).unwrap();
        run(&HrvArgs { file, json, format: None })
    }

    /// Four beats in the first window, none in the second, one in the third.
    const BEATS: &str = "1560279825.0, IBI\n1.0,0.75\n1.75,0.75\n2.5,0.75\n3.25,0.75\n600.0,0.6\n";

    #[test]
    fn json_has_an_object_a_window_with_null_where_undefined() {
        assert_eq!(
            printed(BEATS, true).unwrap(),
            "[\n  \
             {\"start_s\":0.0,\"end_s\":300.0,\"n_rr\":4,\"n_pairs\":3,\"coverage\":0.01,\
             \"mean_nn_ms\":750.0,\"mean_hr_bpm\":80.0,\"sdnn_ms\":0.0,\"rmssd_ms\":0.0,\
             \"pnn50_pct\":0.0,\"ln_rmssd\":null},\n  \
             {\"start_s\":300.0,\"end_s\":600.0,\"n_rr\":0,\"n_pairs\":0,\"coverage\":0.0,\
             \"mean_nn_ms\":null,\"mean_hr_bpm\":null,\"sdnn_ms\":null,\"rmssd_ms\":null,\
             \"pnn50_pct\":null,\"ln_rmssd\":null},\n  \
             {\"start_s\":600.0,\"end_s\":900.0,\"n_rr\":1,\"n_pairs\":0,\"coverage\":0.002,\
             \"mean_nn_ms\":600.0,\"mean_hr_bpm\":100.0,\"sdnn_ms\":null,\"rmssd_ms\":null,\
             \"pnn50_pct\":null,\"ln_rmssd\":null}\n]"
        );
    }

    #[test]
    fn a_recording_without_beats_prints_an_empty_array() {
        assert_eq!(printed("1560279825.0, IBI\n", true).unwrap(), "[]");
    }

    #[test]
    fn the_table_is_aligned() {
        assert_eq!(
            printed(BEATS, false).unwrap(),
            "  start_s    end_s     n_rr  n_pairs  coverage  mean_nn_ms  mean_hr_bpm  sdnn_ms  rmssd_ms  pnn50_pct  ln_rmssd
        0      300        4        3     0.010       750.0         80.0      0.0       0.0        0.0         -
      300      600        0        0     0.000           -            -        -         -          -         -
      600      900        1        0     0.002       600.0        100.0        -         -          -         -"
        );
    }

    #[test]
    fn a_broken_file_is_the_users_with_place_and_hint() {
        let fault = printed("800\n0\n", true).unwrap_err();
        assert_eq!(fault.audience.exit_code(), 2);
        assert_eq!(fault.message, "the interval is not above zero");
        assert!(fault.place.unwrap().ends_with("beats.txt:2"));
        assert_eq!(fault.hint.unwrap(), "correct or remove the line");
    }
}
