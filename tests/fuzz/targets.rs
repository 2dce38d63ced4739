//! Every reader of bytes that come from a network, a file or a person, as a function of bytes.
//!
//! A target says whether it took the bytes for what they claim to be, and holds what must hold then. It must never
//! panic, whatever it is given. The same functions serve the fuzzer (`fuzz_targets/`), which needs a nightly compiler,
//! and the smoke test (`tests/tests/fuzz_smoke.rs`), which does not.
pub(crate) mod signed;

use std::io::Write as _;
use std::path::Path;
use std::sync::OnceLock;
use tacit_coordinator::config as coordinator_config;
use tacit_node::config as node_config;
use tacit_node::intake::mapping::Mapping;
use tacit_node::intake::recording::container::{self, Opened};
use tacit_node::intake::source::Kind;
use tacit_node::intake::source::wearable::numbers;
use tacit_node::intake::source::{Rows, csv::CsvRows, parquet::ParquetRows};
use tacit_node::measure::instrument::{Catalogue, Instrument};
use tacit_node::measure::physiology::format::{self, Format};
use tacit_node::measure::physiology::quality::Clock;
use tacit_node::measure::physiology::utc::{self, Gate};
use tacit_node::measure::physiology::window::summarise;
use tacit_node::measure::physiology::{conductance, movement, signal};
use tacit_shared::codec;
use tacit_shared::frame;
use tacit_shared::privacy::ledger;
use tacit_shared::protocol::config::{RoundConfig, study_of};
use tacit_shared::protocol::message::{
    Advertise, Ballot, MaskedHeader, Outcome, SharesHeader, ToHost, ToSite, Unmask,
};
use tacit_shared::protocol::transcript;
use tacit_shared::roster::Roster;
use tacit_shared::study::Study;
use tacit_shared::study::profile::document::Document;

/// A few bytes can stand for a million equal rows, which are read one by one and tell nothing new.
const ROWS_MAX: usize = 10_000;

/// A target: its name, and the function.
pub(crate) type Target = (&'static str, fn(&[u8]) -> bool);

/// Every target, by the name that its folder of seeds and its fuzzer have.
pub(crate) const TARGETS: [Target; 24] = [
    ("frame", frame_header),
    ("to_site", to_site),
    ("to_host", to_host),
    ("payload", payload),
    ("entry", entry),
    ("profile", profile),
    ("study", study),
    ("roster", roster),
    ("recording", recording),
    ("signal", skin_conductance),
    ("acceleration", acceleration),
    ("wearable", wearable),
    ("mapping", mapping),
    ("instrument", instrument),
    ("csv", csv),
    ("parquet", parquet),
    ("answers", answers),
    ("node_config", node_config),
    ("coordinator_config", coordinator_config),
    ("evidence", signed::evidence),
    ("transcript", signed::transcript),
    ("replay", signed::replayed),
    ("receipts", signed::receipts),
    ("decisions", signed::decisions),
];

/// The length before a message: never above the limit, and the one that is written.
pub(crate) fn frame_header(data: &[u8]) -> bool {
    const LIMIT: u32 = 1 << 20;
    let Some((header, rest)) = data.split_first_chunk::<{ frame::HEADER_BYTES }>() else {
        return false;
    };
    let Ok(length) = frame::length(*header, LIMIT) else { return false };
    assert!(length <= 1 << 20, "a length above the limit");
    match rest.get(..length).map(|message| frame::header(message, LIMIT)) {
        Some(written) => {
            assert_eq!(written, Ok(*header), "another length is written than was read");
            true
        }
        None => false,
    }
}

/// A message of the coordinator.
pub(crate) fn to_site(data: &[u8]) -> bool {
    let _ = study_of(data);
    one_encoding::<ToSite>(data)
}

/// A message of a site.
pub(crate) fn to_host(data: &[u8]) -> bool {
    one_encoding::<ToHost>(data)
}

/// What a signed message holds; whoever has a key can sign anything.
pub(crate) fn payload(data: &[u8]) -> bool {
    [
        one_encoding::<RoundConfig>(data),
        one_encoding::<Advertise>(data),
        one_encoding::<SharesHeader>(data),
        one_encoding::<MaskedHeader>(data),
        one_encoding::<Ballot>(data),
        one_encoding::<Unmask>(data),
        one_encoding::<Outcome>(data),
    ]
    .contains(&true)
}

/// An entry of a ledger or of a transcript, as exports hold them.
pub(crate) fn entry(data: &[u8]) -> bool {
    one_encoding::<ledger::Entry>(data) || one_encoding::<transcript::Entry>(data)
}

/// A profile's document: what is read has one digest.
pub(crate) fn profile(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    match Document::parse(text) {
        Ok(document) => {
            let again = Document::parse(text).ok().map(|again| again.digest());
            assert_eq!(again, Some(document.digest()));
            true
        }
        Err(_) => false,
    }
}

/// A study file: what is read has one digest.
pub(crate) fn study(data: &[u8]) -> bool {
    text(data).is_some_and(|text| match Study::parse(text) {
        Ok(study) => {
            assert_eq!(Study::parse(text).ok().map(|again| again.digest()), Some(study.digest()));
            true
        }
        Err(_) => false,
    })
}

/// A roster file.
pub(crate) fn roster(data: &[u8]) -> bool {
    text(data).is_some_and(|text| match Roster::parse(text) {
        Ok(roster) => {
            assert!(usize::from(roster.threshold()) * 2 > roster.len(), "two quorums apart");
            true
        }
        Err(_) => false,
    })
}

/// A recording in any format: found out, or claimed.
pub(crate) fn recording(data: &[u8]) -> bool {
    let claimed = [Format::E4, Format::Rr, Format::Hrm, Format::Holter, Format::MitdbCsv];
    let formats = std::iter::once(None).chain(claimed.map(Some));
    let read: Vec<bool> = formats
        .map(|format| match format::parse(data, format) {
            Ok(recording) => {
                if let Some(summary) = summarise(&recording) {
                    // Printing takes every field; none of them may be what a reader cannot use.
                    assert!(!format!("{summary:?}").contains("NaN"), "a measure that is no number");
                }
                true
            }
            Err(_) => false,
        })
        .collect();
    read.contains(&true)
}

/// Skin conductance, as an Empatica `EDA.csv` has it: by itself, on the grid of UTC, and as one of a folder's files.
pub(crate) fn skin_conductance(data: &[u8]) -> bool {
    session(data, "EDA.csv");
    let Ok(signal) = signal::parse(data) else { return false };
    let gate = Gate { clock: Clock::Sound, movement: None };
    for value in utc::of_conductance(&signal, gate, &utc::Exertion::new()) {
        assert!(value.value.is_finite(), "a value that is no number");
        assert!((0.0..=1.0).contains(&value.coverage), "more than all of a window");
    }
    for window in conductance::windows(&signal) {
        assert!(window.values.scl_mean_us.is_finite(), "a level that is no number");
    }
    true
}

/// Acceleration, as an Empatica `ACC.csv` has it.
pub(crate) fn acceleration(data: &[u8]) -> bool {
    session(data, "ACC.csv");
    movement::parse(data, 0.0).is_ok()
}

/// A folder with this file as one of an Empatica session: whatever is cut out of it was part of it.
fn session(data: &[u8], name: &str) {
    as_folder(data, name, |dir| {
        let Ok(Opened::E4(mut opened)) = container::open(dir) else { return false };
        let all: usize = (0..opened.sessions().len())
            .filter_map(|at| {
                let read = opened.read(at, name, |part| {
                    let mut text = Vec::new();
                    part.read_to_end(&mut text).map_err(|e| e.to_string())
                });
                read.ok().flatten()
            })
            .sum();
        assert!(all <= data.len(), "more was read than is there");
        true
    });
}

/// The exports of wearables: Fitbit's, Open mHealth's, Apple's.
pub(crate) fn wearable(data: &[u8]) -> bool {
    let kinds = [Kind::Fitbit, Kind::OpenMHealth, Kind::Apple];
    let names = ["file.json", "file.json", "file.xml"];
    let read: Vec<bool> = kinds
        .into_iter()
        .zip(names)
        .map(|(kind, name)| {
            as_folder(data, name, |dir| match numbers::read(&dir.join(name), kind) {
                Ok(found) => {
                    let ends = found.beats.iter().flat_map(|beats| &beats.beats);
                    let ends: Vec<f64> = ends.map(|(end_s, _)| *end_s).collect();
                    assert!(ends.is_sorted(), "beats out of order");
                    let gate = Gate { clock: Clock::Marked, movement: None };
                    let windows = utc::of_rates(&found.rates, gate);
                    assert!(
                        windows.iter().all(|w| w.value.is_finite()),
                        "a rate that is no number"
                    );
                    true
                }
                Err(_) => false,
            })
        })
        .collect();
    read.contains(&true)
}

/// A hospital's mapping: its sections.
pub(crate) fn mapping(data: &[u8]) -> bool {
    text(data).is_some_and(|text| Mapping::parse("fuzzed", text).is_ok())
}

/// The definition of a questionnaire, and what it makes of each of its own codes.
pub(crate) fn instrument(data: &[u8]) -> bool {
    text(data).is_some_and(|text| match Instrument::parse("fuzzed", text) {
        Ok(instrument) => {
            for code in instrument.codes() {
                score(&instrument, &mut instrument.questions().map(|question| (question, code)));
            }
            true
        }
        Err(_) => false,
    })
}

/// Answers to the questionnaires that come with the program: lines of an item, a space and a code.
pub(crate) fn answers(data: &[u8]) -> bool {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    let built_in = || Catalogue::built_in().expect("what comes with the program proves itself");
    let Some(text) = text(data) else { return false };
    let answers: Vec<(&str, &str)> = text.lines().filter_map(|l| l.split_once(' ')).collect();
    let all = CATALOGUE.get_or_init(built_in).iter();
    let scored: Vec<bool> =
        all.map(|instrument| score(instrument, &mut answers.iter().copied())).collect();
    scored.contains(&true)
}

/// Scores answers on every scale; whether there is a score. Each lies within its range.
fn score<'a>(
    instrument: &Instrument,
    answers: &mut dyn Iterator<Item = (&'a str, &'a str)>,
) -> bool {
    let answers: Vec<(&str, &str)> = answers.collect();
    let mut scored = false;
    let reference = node_config::LicenceReference::try_from("a fuzzer".to_owned()).ok();
    let Ok(licensed) = instrument.licensed(reference.as_ref()) else { return false };
    for scale in instrument.scales() {
        let score = licensed.score(scale, answers.iter().copied());
        if let Some(score) = score.ok().and_then(|score| score.value()) {
            let [low, high] = scale.range;
            let slack = 1e-9 * (1.0 + low.abs().max(high.abs()));
            assert!((low - slack..=high + slack).contains(&score), "a score outside its range");
            scored = true;
        }
    }
    scored
}

/// The rows of a CSV file.
pub(crate) fn csv(data: &[u8]) -> bool {
    as_file(data, |path| CsvRows::open(path).is_ok_and(rows))
}

/// The rows of a Parquet file.
pub(crate) fn parquet(data: &[u8]) -> bool {
    as_file(data, |path| ParquetRows::open(path).is_ok_and(rows))
}

/// Whether every row could be read, of the first [`ROWS_MAX`]. Each has the line and a cell for every column.
fn rows(mut rows: impl Rows) -> bool {
    let mut row = Vec::new();
    for _ in 0..ROWS_MAX {
        row.clear();
        match rows.next(&mut row) {
            Ok(true) => assert_eq!(row.len(), rows.columns().len() + 1, "a row of another width"),
            Ok(false) => return true,
            Err(_) => return false,
        }
    }
    true
}

/// A node's settings.
pub(crate) fn node_config(data: &[u8]) -> bool {
    as_folder(data, node_config::FILE, |dir| match node_config::Config::open(dir) {
        Ok(config) => {
            assert!(config.limits().is_ok(), "settings were taken whose limits are none");
            let again = config.to_toml().ok().map(String::into_bytes);
            let again = again.map(|text| {
                as_folder(&text, node_config::FILE, |dir| {
                    node_config::Config::open(dir).is_ok_and(|read| read == config)
                })
            });
            assert_eq!(again, Some(true), "other settings are written than were read");
            true
        }
        Err(_) => false,
    })
}

/// The coordinator's settings.
pub(crate) fn coordinator_config(data: &[u8]) -> bool {
    let file = coordinator_config::FILE;
    as_folder(data, file, |dir| coordinator_config::Config::open(dir).is_ok())
}

/// What is read is written back as the same bytes: one meaning has one encoding.
fn one_encoding<T: serde::Serialize + serde::de::DeserializeOwned>(data: &[u8]) -> bool {
    match codec::decode::<T>(data) {
        Ok(value) => {
            assert_eq!(codec::encode(&value).as_deref(), Ok(data), "another encoding is written");
            true
        }
        Err(_) => false,
    }
}

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

fn as_file(data: &[u8], read: impl FnOnce(&Path) -> bool) -> bool {
    let Ok(mut file) = tempfile::NamedTempFile::new() else { return false };
    file.write_all(data).is_ok() && read(file.path())
}

fn as_folder(data: &[u8], name: &str, read: impl FnOnce(&Path) -> bool) -> bool {
    let Ok(dir) = tempfile::tempdir() else { return false };
    std::fs::write(dir.path().join(name), data).is_ok() && read(dir.path())
}
