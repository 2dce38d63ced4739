//! Published recordings against reference values: filters, frequency bands and skin conductance, as the
//! commands print them.
//!
//! The recordings are not part of the project: `TACIT_REAL_DATA` names their folder (default
//! `shared/real` beside the workspace). Where it is absent the tests say so and return, unless the variable names it.
//!
//! The reference is rounded to ten significant digits, at most 5e-10 off. It states frequency bands
//! whatever the gaps; where a window does not allow them the command must print `null`, and the
//! arithmetic below the condition is held against the reference all the same.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use std::path::{Path, PathBuf};

use serde_json::Value;
use tacit_node::command::{eda, hrv};
use tacit_node::measure::physiology::lipponen::detect;
use tacit_node::measure::physiology::spectrum::{Bands, Gates};
use tacit_node::measure::physiology::window::windows;
use tacit_node::measure::physiology::{Filter, read, summarise};

const TIME: [&str; 9] = [
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
const EDA: [&str; 8] = [
    "n",
    "scl_mean_us",
    "scl_slope_us_per_min",
    "scr_count",
    "scr_per_min",
    "scr_amp_mean_us",
    "scr_amp_sum_us",
    "low_contact_frac",
];
const KINDS: [(&str, Filter); 3] = [
    ("spec", Filter::None),
    ("spec_filtered", Filter::Median),
    ("lt2019", Filter::LipponenTarvainen),
];
const TIME_TOLERANCE: f64 = 1e-9;
const LOMB_TOLERANCE: f64 = 1e-6;

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("TACIT_REAL_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/real"),
        PathBuf::from,
    );
    if folder.join("recordings").is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("TACIT_REAL_DATA").is_none(),
        "TACIT_REAL_DATA names {}, which has no recordings",
        folder.display()
    );
    eprintln!("ignored: no recordings in {}", folder.display());
    None
}

/// The recordings of a kind that the reference has values for: their file, and the values.
fn reference(data: &Path, kind: &str) -> Vec<(PathBuf, Value)> {
    let text = std::fs::read_to_string(data.join("reference-hrv-eda.json")).unwrap();
    let reference: Value = serde_json::from_str(&text).unwrap();
    let recordings = reference["recordings"].as_array().unwrap().iter();
    let all: Vec<(PathBuf, Value)> = recordings
        .filter(|recording| recording["kind"] == kind)
        .map(|recording| (data.join(recording["file"].as_str().unwrap()), recording.clone()))
        .collect();
    assert!(!all.is_empty(), "the reference has {kind}");
    all
}

fn agrees(found: &Value, expected: &Value, tolerance: f64) -> bool {
    match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) => (found - expected).abs() <= tolerance * expected.abs(),
        _ => found.is_null() && expected.is_null(),
    }
}

fn index(window: &Value) -> usize {
    usize::try_from(window["k"].as_u64().unwrap()).unwrap()
}

fn hrv_of(file: &Path, filter: Filter) -> Vec<Value> {
    let args = hrv::HrvArgs { file: file.to_path_buf(), json: true, format: None, filter };
    serde_json::from_str(&hrv::run(&args).unwrap()).unwrap()
}

#[test]
fn every_filter_equals_the_reference() {
    let Some(data) = data() else { return };
    let mut compared = [0; 3];
    for (file, recording) in reference(&data, "rr") {
        for ((key, filter), compared) in KINDS.iter().zip(&mut compared) {
            let found = hrv_of(&file, *filter);
            for window in recording["windows"].as_array().unwrap() {
                let expected = &window[key];
                if *key == "lt2019" && expected.is_null() {
                    continue; // artefacts by beat are stated where no beat is missing
                }
                let (row, id) = (&found[index(window)], &recording["id"]);
                assert_eq!(row["start_s"], window["start_s"], "{id}");
                for value in TIME {
                    let place = format!("{id} {key} {} {value}", window["k"]);
                    assert!(agrees(&row[value], &expected[value], TIME_TOLERANCE), "{place}");
                }
                let dropped = expected["dropped"].as_u64().unwrap_or(0);
                assert_eq!(row["dropped"], dropped, "{id} {key} {}", window["k"]);
                let out_of_range = expected["range_dropped"].as_u64().unwrap_or(0);
                assert_eq!(row["range_dropped"], out_of_range, "{id} {key}");
                *compared += 1;
            }
        }
    }
    assert_eq!(compared, [25, 25, 10], "windows of {:?}", KINDS.map(|(key, _)| key));
}

#[test]
fn bands_equal_the_reference_where_the_window_allows_them() {
    let Some(data) = data() else { return };
    let (mut given, mut withheld) = (0, 0);
    for (file, recording) in reference(&data, "rr") {
        let beats = read(&file, None).unwrap();
        for (key, filter) in KINDS {
            let rows = hrv_of(&file, filter);
            for window in recording["windows"].as_array().unwrap() {
                let expected = &window[key]["lomb"];
                if expected.is_null() {
                    continue;
                }
                let place = format!("{} {key} {}", recording["id"], window["k"]);
                let left = filter.apply(windows(&beats).nth(index(window)).unwrap().beats());
                let bands = Bands::of(left.beats()).unwrap();
                let row = &rows[index(window)];
                let gates = Gates::of(left.beats(), row["coverage"].as_f64().unwrap());
                let computed = [
                    ("lf_ms2", bands.lf_ms2, gates.power()),
                    ("hf_ms2", bands.hf_ms2, gates.power()),
                    ("lf_hf", bands.lf_ms2 / bands.hf_ms2, gates.ratio()),
                ];
                for (value, bare, allowed) in computed {
                    let stated = &expected[value];
                    assert!(agrees(&bare.into(), stated, LOMB_TOLERANCE), "{place} {value}");
                    if allowed {
                        assert!(agrees(&row[value], stated, LOMB_TOLERANCE), "{place} {value}");
                        given += 1;
                    } else {
                        assert!(row[value].is_null(), "{place} {value}");
                        withheld += 1;
                    }
                }
            }
        }
    }
    assert!(given > 0 && withheld > 0, "both cases occur");
    eprintln!("compared {given} band values that are given and {withheld} that are withheld");
}

#[test]
fn every_flag_is_that_of_the_reference() {
    let Some(data) = data() else { return };
    let mut compared = 0;
    for (file, recording) in reference(&data, "rr") {
        let beats = read(&file, None).unwrap();
        for window in recording["windows"].as_array().unwrap() {
            let expected = &window["lt2019"]["flags"];
            if expected.is_null() {
                continue;
            }
            let flags = detect(windows(&beats).nth(index(window)).unwrap().beats());
            for (kind, found) in [
                ("ectopic", &flags.ectopic),
                ("missed", &flags.missed),
                ("extra", &flags.extra),
                ("longshort", &flags.longshort),
            ] {
                let place = format!("{} {} {kind}", recording["id"], window["k"]);
                assert_eq!(&Value::from(found.clone()), &expected[kind], "{place}");
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 10, "windows with flags");
}

#[test]
fn skin_conductance_equals_the_reference() {
    let Some(data) = data() else { return };
    let mut compared = 0;
    for (file, recording) in reference(&data, "eda") {
        let args = eda::EdaArgs { file, json: true };
        let found: Vec<Value> = serde_json::from_str(&eda::run(&args).unwrap()).unwrap();
        let id = &recording["id"];
        let whole = (recording["duration_s"].as_f64().unwrap() / 300.0).floor();
        assert_eq!(found.len().to_string(), format!("{whole:.0}"), "{id}");
        for window in recording["windows"].as_array().unwrap() {
            let row = &found[index(window)];
            assert_eq!(row["start_s"], window["start_s"], "{id}");
            assert_eq!(row["end_s"], window["end_s"], "{id}");
            for value in EDA {
                let place = format!("{id} {} {value}", window["k"]);
                assert!(agrees(&row[value], &window["spec"][value], TIME_TOLERANCE), "{place}");
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 10, "windows of skin conductance");
}

#[test]
fn filters_come_closer_to_the_annotated_beats_and_deletion_much_closer() {
    let Some(data) = data() else { return };
    for (file, recording) in reference(&data, "rr") {
        for window in recording["windows"].as_array().unwrap() {
            let Some(truth) = window["annotated_nn"]["rmssd_ms"].as_f64() else { continue };
            let off = |filter| {
                let row = &hrv_of(&file, filter)[index(window)];
                (row["rmssd_ms"].as_f64().unwrap() - truth).abs()
            };
            let [raw, median, lipponen] = KINDS.map(|(_, filter)| off(filter));
            assert!(lipponen < raw / 4.0 && median < raw, "window {}", window["k"]);
        }
    }
}

#[test]
fn a_signal_file_of_another_kind_is_refused() {
    let Some(data) = data() else { return };
    for file in ["ACC.csv", "IBI.csv", "tags.csv", "info.txt"] {
        let file = data.join("formats/empatica-e4").join(file);
        let fault = eda::run(&eda::EdaArgs { file, json: true }).unwrap_err();
        assert_eq!(fault.audience.exit_code(), 2);
    }
    let file = data.join("formats/empatica-e4/EDA.csv");
    assert_eq!(eda::run(&eda::EdaArgs { file, json: true }).unwrap(), "[]", "below five minutes");
}

#[test]
fn the_session_of_a_chest_strap_keeps_its_windows_when_artefacts_go() {
    let Some(data) = data() else { return };
    let strap = read(&data.join("recordings/hrv-bartels/rest_rri.txt"), None).unwrap();
    let raw: Vec<f64> = windows(&strap).filter_map(|w| w.time_domain().ln_rmssd).collect();
    let summary = summarise(&strap).unwrap();
    assert_eq!(summary.n_windows_used, 3);
    assert!(raw.iter().take(3).filter(|raw| summary.ln_rmssd < **raw).count() >= 2);
}
