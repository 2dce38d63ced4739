//! Published recordings against reference values, and every format found out.
//!
//! The recordings are not part of the project: `TACIT_REAL_DATA` names their folder (default
//! `shared/real` beside the workspace). Where it is absent the tests say so and return.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tacit_node::command::hrv::{HrvArgs, run};
use tacit_node::measure::physiology::{Filter, Format, format, read, summarise};

/// Values compared in each window.
const KEYS: [&str; 9] = [
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

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("TACIT_REAL_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/real"),
        PathBuf::from,
    );
    if folder.join("recordings").is_dir() {
        return Some(folder);
    }
    eprintln!("ignored: no recordings in {}", folder.display());
    None
}

fn windows_of(file: &Path, format: Option<Format>) -> Vec<Value> {
    let printed =
        run(&HrvArgs { file: file.to_path_buf(), json: true, format, filter: Filter::None });
    serde_json::from_str(&printed.unwrap()).unwrap()
}

/// Within 1e-9 relative; the reference is rounded to ten significant digits, at most 5e-10 off.
fn agrees(found: &Value, expected: &Value) -> bool {
    match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) => (found - expected).abs() <= 1e-9 * expected.abs(),
        _ => found.is_null() && expected.is_null(),
    }
}

#[test]
fn every_window_equals_the_reference() {
    let Some(data) = data() else { return };
    let text = std::fs::read_to_string(data.join("reference-hrv-eda.json")).unwrap();
    let reference: Value = serde_json::from_str(&text).unwrap();
    let (mut recordings, mut windows) = (0, 0);
    for recording in reference["recordings"].as_array().unwrap() {
        if recording["kind"] != "rr" {
            continue;
        }
        recordings += 1;
        let id = &recording["id"];
        let found = windows_of(&data.join(recording["file"].as_str().unwrap()), None);
        let n_rr: u64 = found.iter().map(|row| row["n_rr"].as_u64().unwrap()).sum();
        assert_eq!(recording["n_rr"], n_rr, "{id}");
        let coverages = recording["coverage_by_window"].as_array().unwrap();
        assert_eq!(coverages.len(), found.len(), "{id}");
        for (row, coverage) in found.iter().zip(coverages) {
            // Given to four decimals.
            let difference = row["coverage"].as_f64().unwrap() - coverage.as_f64().unwrap();
            assert!(difference.abs() <= 5.001e-5, "{id}");
        }
        for expected in recording["windows"].as_array().unwrap() {
            windows += 1;
            let k = usize::try_from(expected["k"].as_u64().unwrap()).unwrap();
            let row = &found[k];
            assert_eq!(row["start_s"], expected["start_s"], "{id}");
            assert_eq!(row["end_s"], expected["end_s"], "{id}");
            for key in KEYS {
                assert!(agrees(&row[key], &expected["spec"][key]), "{id} window {k} {key}");
            }
        }
    }
    assert!(windows > 0, "the reference holds windows");
    eprintln!("compared {windows} windows of {recordings} recordings");
}

#[test]
fn every_format_is_found_out() {
    let Some(data) = data() else { return };
    let table = [
        ("flirt-e4/IBI.csv", Format::E4),
        ("nurses/nurse-5C/IBI.csv", Format::E4),
        ("nurses/nurse-DF/IBI.csv", Format::E4),
        ("stress-predict/S04/IBI.csv", Format::E4),
        ("stress-predict/S05/IBI.csv", Format::E4),
        ("stress-predict/S06/IBI.csv", Format::E4),
        ("stress-predict/S08/IBI.csv", Format::E4),
        ("stress-predict/S09/IBI.csv", Format::E4),
        ("hrv-bartels/rest_rri.txt", Format::Rr),
        ("pyhrv/SampleNNISeriesLong.txt", Format::Rr),
        ("pyhrv/SampleNNISeriesShort.txt", Format::Rr),
        ("hrv-bartels/exercise_rri.hrm", Format::Hrm),
        ("hrv-bartels/noisy_rri.hrm", Format::Hrm),
        ("flirt-holter/holter.txt", Format::Holter),
        ("mitdb/100_rr.csv", Format::MitdbCsv),
    ];
    let mut formats = BTreeSet::new();
    for (file, named) in table {
        let path = data.join("recordings").join(file);
        let bytes = std::fs::read(&path).unwrap();
        let text: String = bytes.into_iter().map(char::from).collect();
        assert_eq!(format::detect(&text), Some(named), "{file}");
        let found = windows_of(&path, None);
        assert!(!found.is_empty(), "{file}");
        assert_eq!(found, windows_of(&path, Some(named)), "{file}");
        formats.insert(named.name());
    }
    assert_eq!(formats.len(), 5);
    eprintln!("found out the format of {} recordings", table.len());
}

#[test]
fn a_signal_file_is_not_read_as_beats() {
    let Some(data) = data() else { return };
    let signals = [
        "recordings/flirt-e4/EDA.csv",
        "recordings/nurses/nurse-5C/EDA.csv",
        "formats/empatica-e4/ACC.csv",
        "formats/empatica-e4/BVP.csv",
        "formats/empatica-e4/EDA.csv",
        "formats/empatica-e4/HR.csv",
        "formats/empatica-e4/TEMP.csv",
        "formats/empatica-e4/tags.csv",
        "formats/empatica-e4/info.txt",
    ];
    for file in signals {
        assert!(read(&data.join(file), None).is_err(), "{file}");
    }
    let beats = read(&data.join("formats/empatica-e4/IBI.csv"), None).unwrap();
    assert!(!beats.beats().is_empty());
}

#[test]
fn a_chest_strap_at_rest_has_a_summary_and_a_poor_wrist_recording_has_none() {
    let Some(data) = data() else { return };
    let summary = |file: &str| summarise(&read(&data.join("recordings").join(file), None).unwrap());
    let rest = summary("hrv-bartels/rest_rri.txt").unwrap();
    assert_eq!(rest.n_windows_used, 3);
    assert!(rest.coverage > 0.95);
    assert!(summary("stress-predict/S04/IBI.csv").is_none());
}
