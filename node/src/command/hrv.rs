//! `tacit-node hrv`: heart rate variability of one recording, window by window.
//!
//! Prints what [`crate::measure::physiology`] finds; nothing is stored and nothing leaves.
use std::fmt::Write as _;
use std::io::Read;
use std::path::PathBuf;

use serde::Serialize;
use tacit_shared::fault::Fault;

use super::recordings;
use crate::intake::recording::e4;
use crate::measure::physiology::filter::Filter;
use crate::measure::physiology::format::parse;
use crate::measure::physiology::hrv::TimeDomain;
use crate::measure::physiology::quality::Mark;
use crate::measure::physiology::window::{Grid, Length, Values, values_on};
use crate::measure::physiology::{Format, read};

/// Heart rate variability of a beat-to-beat recording, in windows of five minutes.
#[derive(Debug, clap::Args)]
pub struct HrvArgs {
    /// The recording: Empatica IBI.csv, folder or .zip (A01#2 is the second of joined sessions), RR text, Polar .hrm,
    /// Holter beat list or MIT-BIH CSV.
    pub file: PathBuf,
    /// Print a JSON array, one object a window, instead of a table.
    #[arg(long)]
    pub json: bool,
    /// How the beats are written; found out if not given.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// How artefacts are taken out before anything is computed; an import uses lipponen-tarvainen.
    #[arg(long, value_enum, default_value_t = Filter::None)]
    pub filter: Filter,
}

/// What is to be printed, without a line end after it.
///
/// JSON: an array with an object a window, `null` where a value is undefined or the window does not
/// allow it, `[]` if no beat was recorded. Else a table, `-` where a value is missing.
///
/// # Errors
/// A fault of the user with file, line and hint if the recording cannot be read.
pub fn run(args: &HrvArgs) -> Result<String, Fault> {
    let of_session = |reader: &mut dyn Read| parse(reader, Some(Format::E4));
    let recording = match recordings::of_session(&args.file, e4::BEATS, of_session) {
        Some(found) => found?,
        None => read(&args.file, args.format).map_err(|error| error.fault(&args.file))?,
    };
    let grid = Grid::of_recording(Length::FiveMinutes);
    let windows = values_on(&recording, grid, args.filter);
    if args.json { array(windows.iter().map(Row::of)) } else { Ok(table(&windows)) }
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
    dropped: u32,
    lf_ms2: Option<f64>,
    hf_ms2: Option<f64>,
    lf_hf: Option<f64>,
    range_dropped: u32,
    quality: Mark,
}

impl Row {
    fn of(window: &Values) -> Self {
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
        } = window.time;
        Self {
            start_s: window.start_s,
            end_s: window.end_s,
            n_rr,
            n_pairs,
            coverage,
            mean_nn_ms,
            mean_hr_bpm,
            sdnn_ms,
            rmssd_ms,
            pnn50_pct,
            ln_rmssd,
            dropped: window.dropped,
            lf_ms2: window.bands.lf_ms2,
            hf_ms2: window.bands.hf_ms2,
            lf_hf: window.bands.lf_hf,
            range_dropped: window.range_dropped,
            quality: window.mark,
        }
    }
}

/// A JSON array, an element a line, so that two outputs compare line by line.
pub(super) fn array(rows: impl Iterator<Item = impl Serialize>) -> Result<String, Fault> {
    let rows: Result<Vec<String>, serde_json::Error> =
        rows.map(|row| serde_json::to_string(&row)).collect();
    let rows = rows.map_err(|_| Fault::bug("a window could not be written as JSON"))?;
    if rows.is_empty() {
        return Ok("[]".to_owned());
    }
    Ok(format!("[\n  {}\n]", rows.join(",\n  ")))
}

const HEADINGS: [&str; 17] = [
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
    "dropped",
    "lf_ms2",
    "hf_ms2",
    "lf_hf",
    "range_dropped",
    "quality",
];

fn table(windows: &[Values]) -> String {
    let mut text = line(&HEADINGS.map(str::to_owned));
    for window in windows {
        let row = Row::of(window);
        let one = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
        let three =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
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
            three(row.ln_rmssd),
            row.dropped.to_string(),
            one(row.lf_ms2),
            one(row.hf_ms2),
            three(row.lf_hf),
            row.range_dropped.to_string(),
            row.quality.word().to_owned(),
        ]);
    }
    text
}

/// The cells of one line: numbers to the right below their heading, the word at the end to the left.
fn line(cells: &[String; HEADINGS.len()]) -> String {
    let mut text = String::new();
    for (cell, heading) in cells.iter().zip(HEADINGS) {
        let width = heading.len().max(7) + 2;
        // Writing to a string cannot fail.
        let _ = match heading {
            "quality" => write!(text, "  {cell}"),
            _ => write!(text, "{cell:>width$}"),
        };
    }
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    fn printed(text: &str, json: bool) -> Result<String, Fault> {
        filtered(text, json, Filter::None)
    }

    fn filtered(text: &str, json: bool, filter: Filter) -> Result<String, Fault> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("beats.txt");
        std::fs::write(&file, text).unwrap();
        run(&HrvArgs { file, json, format: None, filter })
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
             \"pnn50_pct\":0.0,\"ln_rmssd\":null,\"dropped\":0,\"lf_ms2\":null,\"hf_ms2\":null,\
             \"lf_hf\":null,\"range_dropped\":0,\"quality\":\"gaps\"},\n  \
             {\"start_s\":300.0,\"end_s\":600.0,\"n_rr\":0,\"n_pairs\":0,\"coverage\":0.0,\
             \"mean_nn_ms\":null,\"mean_hr_bpm\":null,\"sdnn_ms\":null,\"rmssd_ms\":null,\
             \"pnn50_pct\":null,\"ln_rmssd\":null,\"dropped\":0,\"lf_ms2\":null,\"hf_ms2\":null,\
             \"lf_hf\":null,\"range_dropped\":0,\"quality\":\"gaps\"},\n  \
             {\"start_s\":600.0,\"end_s\":900.0,\"n_rr\":1,\"n_pairs\":0,\"coverage\":0.002,\
             \"mean_nn_ms\":600.0,\"mean_hr_bpm\":100.0,\"sdnn_ms\":null,\"rmssd_ms\":null,\
             \"pnn50_pct\":null,\"ln_rmssd\":null,\"dropped\":0,\"lf_ms2\":null,\"hf_ms2\":null,\
             \"lf_hf\":null,\"range_dropped\":0,\"quality\":\"gaps\"}\n]"
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
            "  start_s    end_s     n_rr  n_pairs  coverage  mean_nn_ms  mean_hr_bpm  sdnn_ms  rmssd_ms  pnn50_pct  ln_rmssd  dropped   lf_ms2   hf_ms2    lf_hf  range_dropped  quality
        0      300        4        3     0.010       750.0         80.0      0.0       0.0        0.0         -        0        -        -        -              0  gaps
      300      600        0        0     0.000           -            -        -         -          -         -        0        -        -        -              0  gaps
      600      900        1        0     0.002       600.0        100.0        -         -          -         -        0        -        -        -              0  gaps"
        );
    }

    #[test]
    fn a_filter_takes_intervals_out_and_says_how_many() {
        let beats: String = (0..400_u32)
            .map(|i| match i {
                50 => "1600\n".to_owned(),
                70 => "2400\n".to_owned(),
                i => format!("{:.0}\n", 800.0 + 40.0 * (f64::from(i) * 0.9).sin()),
            })
            .collect();
        let first = |filter| {
            let printed = filtered(&beats, true, filter).unwrap();
            let rows: serde_json::Value = serde_json::from_str(&printed).unwrap();
            let keys = ["dropped", "range_dropped", "n_rr", "n_pairs"];
            (keys.map(|key| rows[0][key].as_u64().unwrap()), rows[0].clone())
        };
        let (raw, row) = first(Filter::None);
        let [_, _, all, _] = raw;
        assert_eq!(raw, [0, 0, all, all - 1]);
        assert_eq!(row["quality"], "good");
        assert!(row["lf_ms2"].is_f64() && row["hf_ms2"].is_f64() && row["lf_hf"].is_f64());
        assert_eq!(first(Filter::Median).0, [1, 1, all - 2, all - 5]);
        // The next beat after the long pause is flagged as well.
        assert_eq!(first(Filter::LipponenTarvainen).0, [3, 0, all - 3, all - 6]);
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
