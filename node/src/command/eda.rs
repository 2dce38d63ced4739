//! `tacit-node eda`: skin conductance of one recording, window by window.
//!
//! Prints what [`crate::measure::physiology::conductance`] finds; nothing is stored and nothing leaves.
use std::fmt::Write as _;
use std::io::Read;
use std::path::PathBuf;

use serde::Serialize;
use tacit_shared::fault::Fault;

use super::hrv::array;
use super::recordings;
use crate::intake::recording::e4;
use crate::measure::physiology::conductance::{Conductance, SignalWindow, windows};
use crate::measure::physiology::quality::Contact;
use crate::measure::physiology::read_signal;
use crate::measure::physiology::signal::parse;

/// Skin conductance of a recording, in whole windows of five minutes.
#[derive(Debug, clap::Args)]
pub struct EdaArgs {
    /// The recording: the EDA.csv of an Empatica E4, or its folder or .zip (A01#2 is the second of joined sessions).
    pub file: PathBuf,
    /// Print a JSON array, one object a window, instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// What is to be printed, without a line end after it.
///
/// JSON: an array with an object a window, `null` where a value is undefined, `[]` if the recording is
/// shorter than a window. Else a table, `-` where a value is undefined.
///
/// # Errors
/// A fault of the user with file, line and hint if the recording cannot be read.
pub fn run(args: &EdaArgs) -> Result<String, Fault> {
    let of_session = |reader: &mut dyn Read| parse(reader);
    let signal = match recordings::of_session(&args.file, e4::CONDUCTANCE, of_session) {
        Some(found) => found?,
        None => read_signal(&args.file).map_err(|error| error.fault(&args.file))?,
    };
    let windows = windows(&signal);
    if args.json { array(windows.iter().map(Row::of)) } else { Ok(table(&windows)) }
}

/// One window as it is printed. The order of the fields is that of the keys.
#[derive(Serialize)]
struct Row {
    start_s: f64,
    end_s: f64,
    n: u32,
    scl_mean_us: f64,
    scl_slope_us_per_min: Option<f64>,
    scr_count: u32,
    scr_per_min: f64,
    scr_amp_mean_us: Option<f64>,
    scr_amp_sum_us: f64,
    low_contact_frac: f64,
    contact: Contact,
}

impl Row {
    fn of(window: &SignalWindow) -> Self {
        let SignalWindow { start_s, end_s, values } = window;
        let Conductance {
            n,
            scl_mean_us,
            scl_slope_us_per_min,
            scr_count,
            scr_per_min,
            scr_amp_mean_us,
            scr_amp_sum_us,
            low_contact_frac,
        } = *values;
        Self {
            start_s: *start_s,
            end_s: *end_s,
            n,
            scl_mean_us,
            scl_slope_us_per_min,
            scr_count,
            scr_per_min,
            scr_amp_mean_us,
            scr_amp_sum_us,
            low_contact_frac,
            contact: values.contact(),
        }
    }
}

const HEADINGS: [&str; 11] = [
    "start_s",
    "end_s",
    "n",
    "scl_mean_us",
    "scl_slope_us_per_min",
    "scr_count",
    "scr_per_min",
    "scr_amp_mean_us",
    "scr_amp_sum_us",
    "low_contact_frac",
    "contact",
];

fn table(windows: &[SignalWindow]) -> String {
    let mut text = line(&HEADINGS.map(str::to_owned));
    for window in windows {
        let row = Row::of(window);
        let three =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
        text.push('\n');
        text += &line(&[
            format!("{:.0}", row.start_s),
            format!("{:.0}", row.end_s),
            row.n.to_string(),
            format!("{:.3}", row.scl_mean_us),
            three(row.scl_slope_us_per_min),
            row.scr_count.to_string(),
            format!("{:.1}", row.scr_per_min),
            three(row.scr_amp_mean_us),
            format!("{:.3}", row.scr_amp_sum_us),
            format!("{:.3}", row.low_contact_frac),
            row.contact.word().to_owned(),
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
        let file = folder.path().join("EDA.csv");
        std::fs::write(&file, text).unwrap();
        run(&EdaArgs { file, json })
    }

    /// Two windows at 1 Hz: 2 µS all along, with a rise by 1 µS in the first.
    fn samples() -> String {
        let sample = |i: u32| match i {
            101..=103 => 2.0 + f64::from(i - 100) / 4.0,
            104..=150 => 3.0,
            _ => 2.0,
        };
        let rows: Vec<String> = (0..650).map(|i| sample(i).to_string()).collect();
        format!("1560279825.0\n1.0\n{}\n", rows.join("\n"))
    }

    #[test]
    fn json_has_an_object_a_whole_window_with_null_where_undefined() {
        let text = printed(&samples(), true).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "two windows, and 50 samples that are none");
        let second = "  {\"start_s\":300.0,\"end_s\":600.0,\"n\":300,\"scl_mean_us\":2.0,\
            \"scl_slope_us_per_min\":0.0,\"scr_count\":0,\"scr_per_min\":0.0,\
            \"scr_amp_mean_us\":null,\"scr_amp_sum_us\":0.0,\"low_contact_frac\":0.0,\
            \"contact\":\"good\"}";
        assert_eq!(lines.get(2), Some(&second));
        let rows: serde_json::Value = serde_json::from_str(&text).unwrap();
        let first = rows.get(0).unwrap();
        let response = ["scr_count", "scr_per_min", "scr_amp_mean_us", "scr_amp_sum_us"]
            .map(|key| first.get(key).and_then(serde_json::Value::as_f64).unwrap());
        assert!((response[0] - 1.0).abs() < 1e-12 && (response[1] - 0.2).abs() < 1e-12);
        assert!((response[2] - 1.0).abs() < 1e-12 && (response[3] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_recording_shorter_than_a_window_prints_an_empty_array() {
        assert_eq!(printed("1560279825.0\n4.0\n2.0\n", true).unwrap(), "[]");
    }

    #[test]
    fn the_table_is_aligned() {
        let text = printed(&samples(), false).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.len() == lines.first().unwrap().len()));
        assert_eq!(
            lines.get(2).unwrap().split_whitespace().collect::<Vec<_>>(),
            ["300", "600", "300", "2.000", "0.000", "0", "0.0", "-", "0.000", "0.000", "good"]
        );
    }

    #[test]
    fn a_broken_file_is_the_users_with_place_and_hint() {
        let fault = printed("1560279825.0\n4.0\n2.0\nx\n", true).unwrap_err();
        assert_eq!(fault.audience.exit_code(), 2);
        assert_eq!(fault.message, "expected a sample in µS, from -1000 to 1000, alone");
        assert!(fault.place.unwrap().ends_with("EDA.csv:4:1"));
    }
}
