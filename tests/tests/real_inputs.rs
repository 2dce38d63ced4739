//! Published recordings of heart beats, joined to a made-up hospital's encounters, from its import to
//! the report: one site of three reads them, under the profile that allows it.
//!
//! The recordings are not part of the project: `TACIT_REAL_DATA` names their folder (default
//! `shared/real` beside the workspace). Without it the test is counted as ignored, which only a
//! program of its own can say: it has no harness, prints what libtest would, and takes its filters.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "it stands for the harness")]
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tacit_coordinator::command::report;
use tacit_node::intake::progress::Silent;
use tacit_node::measure::physiology::{read, summarise};
use tacit_node::store::pseudonym::{Kind, Pseudonyms};
use tacit_node::store::{FILE, Store};
use tacit_shared::protocol::config::Deadlines;
use tacit_shared::study::Study;
use tacit_shared::units::Epsilon;
use tacit_tests::federation::{Federation, Member, SetUp, adapted};
use tacit_tests::population::{Hospital, Population, Size};

const NAME: &str = "recordings_go_all_the_way_to_the_report";
const STUDY: &str = include_str!("../../configs/studies/empathy-billing.toml");
const RESEARCH: &str = include_str!("../../configs/profiles/ethics-approved-research.toml");
const FEATURE: &str = r#"
id = "ln-rmssd"
label = "Heart rate variability, logarithm of RMSSD"
source = "ln-rmssd"
unit = "ln ms"
low = 1.5
high = 5.5
centre = 3.4
rms = 0.3
"#;
const SITES: usize = 3;
/// The site whose device sessions name the recordings, counted from 0.
const SITE: usize = 1;
/// What its staff wore, in turn, and whether the recording has a window of five minutes that is covered well enough;
/// those without one have minutes that are, and no value as a whole.
const RECORDINGS: [(&str, bool); 9] = [
    ("nurses/nurse-5C/IBI.csv", true),
    ("nurses/nurse-DF/IBI.csv", true),
    ("flirt-e4/IBI.csv", true),
    ("stress-predict/S05/IBI.csv", true),
    ("stress-predict/S04/IBI.csv", false),
    ("stress-predict/S06/IBI.csv", true),
    ("pyhrv/SampleNNISeriesLong.txt", true),
    ("stress-predict/S08/IBI.csv", false),
    ("hrv-bartels/rest_rri.txt", true),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if has("--list") {
        println!("{NAME}: test");
        return;
    }
    let chosen = chosen(&arguments);
    println!("\nrunning {} test", u8::from(chosen));
    let (passed, ignored) = match (chosen, recordings()) {
        (false, _) => (0, 0),
        (true, Err(folder)) => {
            println!("test {NAME} ... ignored, real recordings are not in {}", folder.display());
            (0, 1)
        }
        (true, Ok(recordings)) => {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(recordings_go_all_the_way_to_the_report(&recordings));
            println!("test {NAME} ... ok");
            (1, 0)
        }
    };
    let left_out = u8::from(!chosen);
    println!(
        "\ntest result: ok. {passed} passed; 0 failed; {ignored} ignored; 0 measured; {left_out} filtered out\n"
    );
}

/// Whether the harness' filters mean this test; the values of its options are no filters.
fn chosen(arguments: &[String]) -> bool {
    let valued = ["--test-threads", "--skip", "--format", "--color", "--logfile", "-Z"];
    let before = std::iter::once("").chain(arguments.iter().map(String::as_str));
    let mut filters = before
        .zip(arguments)
        .filter(|(before, argument)| !valued.contains(before) && !argument.starts_with('-'))
        .map(|(_, filter)| filter.as_str())
        .peekable();
    filters.peek().is_none() || filters.any(|filter| NAME.contains(filter))
}

/// The folder of the recordings, or where it was looked for.
fn recordings() -> Result<PathBuf, PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/real");
    let folder = std::env::var_os("TACIT_REAL_DATA").map_or_else(beside, PathBuf::from);
    let recordings = folder.join("recordings");
    if recordings.is_dir() { Ok(recordings) } else { Err(recordings) }
}

async fn recordings_go_all_the_way_to_the_report(recordings: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let study_text = adapted(&study_with_recordings(), Some(12.0), SITES).unwrap();
    let study = Study::parse(&study_text).unwrap();
    let size = Size { sites: SITES, clinicians: 300 * SITES };
    let mut hospitals =
        Population::generate(&study, 3, size).unwrap().write(&dir.path().join("files")).unwrap();
    let sessions = wear(&mut hospitals[SITE], recordings);
    let federation = enrolled(dir.path(), study_text, hospitals).await;

    consent(&federation, &sessions).await;
    for (at, member) in federation.members().iter().enumerate() {
        let printed = federation.import(member, &Silent).await.unwrap();
        if at == SITE {
            check_summary(&printed, &sessions);
        }
    }
    let expected = expected_features(recordings);
    check_features(&federation, (&sessions, &expected)).await;
    check_rows(&federation, &study, (&sessions, &expected)).await;

    federation.approve().await.unwrap();
    federation.round(|_| {}).await.unwrap();
    let report = report::load(&federation.coordinator_dir(), None, None).await.unwrap();
    let out = dir.path().join("report");
    report::write(&report, &out).unwrap();
    let text = std::fs::read_to_string(out.join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let coefficients = report["coefficients"].as_array().unwrap();
    assert!(coefficients.iter().any(|one| one["name"] == "ln-rmssd"), "{coefficients:?}");
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("Heart rate variability, logarithm of RMSSD"));
}

/// Has everybody who wore a recorder consent to it.
async fn consent(federation: &Federation, sessions: &Sessions) {
    let dir = federation.dir(&federation.members()[SITE]);
    let store = Store::open(&dir.join(FILE)).await.unwrap();
    let pseudonyms = Pseudonyms::open_or_create(&dir).unwrap();
    let since_us = (tacit_node::link::session::unix_now() - 86_400) * 1_000_000;
    for (person, _) in sessions {
        sqlx::query("INSERT OR IGNORE INTO consent (person, purpose, state, from_us) VALUES (?, 'heart', 'given', ?)")
            .bind(pseudonyms.key(Kind::Person, person).to_vec())
            .bind(since_us)
            .execute(store.pool())
            .await
            .unwrap();
    }
    store.close().await;
}

/// The study of the samples with one feature of the body more, and few others: so that the noise of a
/// small federation leaves coefficients to print.
fn study_with_recordings() -> String {
    let mut study: toml::Table = STUDY.parse().unwrap();
    let features = study["features"].as_array_mut().unwrap();
    features.retain(|feature| feature["id"].as_str() == Some("volume"));
    features.push(FEATURE.parse::<toml::Table>().unwrap().into());
    // Without a factor there are no service lines and no codes.
    study.remove("codes");
    // Its questions name columns that it has no more.
    study.remove("asks");
    study["allocation"].as_table_mut().unwrap().remove("by");
    // The profile for research allows readers of class research and oversight.
    study["recipients"].as_array_mut().unwrap().truncate(1);
    toml::to_string(&study).unwrap()
}

/// Who wore what: the person and the recording's place in [`RECORDINGS`].
type Sessions = Vec<(String, usize)>;
/// ln RMSSD and heart rate of each recording that has one.
type Expected = BTreeMap<&'static str, (f64, f64)>;

/// Has a hospital's device file name the recordings instead of its own: one for each clinician who
/// works there, and a second one for every fourth.
fn wear(hospital: &mut Hospital, recordings: &Path) -> Sessions {
    let file = |name: &str| hospital.files.iter().find(|(raw, _)| raw == name).unwrap().1.clone();
    let mut staff = csv::Reader::from_path(file("clinicians")).unwrap();
    let people: Vec<BTreeMap<String, String>> =
        staff.deserialize().collect::<Result<_, _>>().unwrap();
    let works_there = |p: &&BTreeMap<String, String>| p["Title"] != "Desk" && p["Status"] == "A";
    let people: Vec<_> = people.iter().filter(works_there).map(|p| p["NPI"].clone()).collect();
    let twice = people.iter().step_by(4);
    let recorded = (0..RECORDINGS.len()).cycle();
    let sessions: Sessions = people.iter().chain(twice).cloned().zip(recorded).collect();
    let mut out = csv::Writer::from_path(file("devices")).unwrap();
    out.write_record(["session", "worn_by", "start_unix", "file"]).unwrap();
    let start = 1_783_000_000; // July 2026, within the study's period
    for (at, (person, recording)) in sessions.iter().enumerate() {
        let (session, start) = (format!("real-{at}"), (start + at * 3_600).to_string());
        out.write_record([&session, person, &start, RECORDINGS[*recording].0]).unwrap();
    }
    out.flush().unwrap();
    hospital.recordings_dir = Some(recordings.to_owned());
    sessions
}

async fn enrolled(dir: &Path, study_text: String, hospitals: Vec<Hospital>) -> Federation {
    let member = |hospital: Hospital| Member {
        site: hospital.site,
        name: hospital.name,
        files: hospital.files,
        mapping: hospital.mapping,
        recordings: hospital.recordings_dir,
    };
    let minute = 60_000;
    let set_up = SetUp {
        dir: dir.join("federation"),
        study_text,
        max_colluders: 1,
        profile: Some(RESEARCH.replace("YOUR", "OUR").replace("ends = \"2027", "ends = \"9999")),
        budget: (Epsilon::new(24.0).unwrap(), Epsilon::new(80.0).unwrap()),
        deadlines: Deadlines {
            advertise_ms: minute,
            shares_ms: minute,
            masked_ms: minute,
            vote_ms: minute,
            unmask_ms: minute,
        },
    };
    Federation::enrol(set_up, hospitals.into_iter().map(member).collect()).await.unwrap()
}

/// Sessions whose recording can be used.
fn usable(sessions: &Sessions) -> impl Iterator<Item = (&String, &'static str)> {
    sessions.iter().filter(|(_, at)| RECORDINGS[*at].1).map(|(who, at)| (who, RECORDINGS[*at].0))
}

/// Every session is accounted for: taken over, with the values of its recording if there are any.
fn check_summary(printed: &str, sessions: &Sessions) {
    let valued = usable(sessions).count();
    assert!(0 < valued && valued < sessions.len());
    let expected = [
        format!("taken     device_session   {:>10} rows, 0 rejected", sessions.len()),
        format!("computed  feature          {:>10} rows", 2 * valued),
        "computed  window_feature ".to_owned(),
    ];
    for line in expected {
        assert!(printed.contains(&line), "`{line}` in\n{printed}");
    }
}

/// What `tacit-node hrv` would make of each recording.
fn expected_features(recordings: &Path) -> Expected {
    let mut expected = Expected::new();
    for (file, usable) in RECORDINGS {
        let summary = summarise(&read(&recordings.join(file), None).unwrap());
        assert_eq!(summary.is_some(), usable, "{file}");
        expected.extend(summary.map(|s| (file, (s.ln_rmssd, s.mean_hr_bpm))));
    }
    expected
}

async fn check_features(federation: &Federation, (sessions, expected): (&Sessions, &Expected)) {
    let store = Store::open(&federation.dir(&federation.members()[SITE]).join(FILE)).await.unwrap();
    let rows: Vec<(String, String, f64)> = sqlx::query_as(
        "SELECT d.file, f.feature, f.value FROM feature f JOIN device_session d USING (session)",
    )
    .fetch_all(store.pool())
    .await
    .unwrap();
    store.close().await;
    assert_eq!(rows.len(), 2 * usable(sessions).count());
    for (file, feature, value) in rows {
        let (ln_rmssd, mean_hr) = expected[file.as_str()];
        let right = if feature == "ln_rmssd" { ln_rmssd } else { mean_hr };
        assert!((value - right).abs() <= 1e-12 * right.abs(), "{feature} of {file}");
    }
}

/// The rows that are summed carry each clinician's mean over their recordings, scaled by the public
/// bounds; whoever has none stands at the centre.
async fn check_rows(
    federation: &Federation,
    study: &Study,
    (sessions, expected): (&Sessions, &Expected),
) {
    let columns = study.schema().columns();
    let column = columns.iter().position(|column| column.name == "ln-rmssd").unwrap();
    let mut by_person: BTreeMap<&String, Vec<f64>> = BTreeMap::new();
    for (person, file) in usable(sessions) {
        by_person.entry(person).or_default().push(expected[file].0);
    }
    let mean = |values: &Vec<f64>| {
        let count: f64 = values.iter().map(|_| 1.0).sum();
        (values.iter().sum::<f64>() / count).clamp(1.5, 5.5)
    };
    let mut scaled: Vec<f64> = by_person.values().map(|v| (mean(v) - 3.4) / 2.0).collect();
    let rows = federation.rows().await.unwrap();
    let own = rows.iter().filter(|row| row.site == SITE);
    let mut found: Vec<f64> = own.map(|row| row.x[column]).filter(|x| *x != 0.0).collect();
    scaled.sort_by(f64::total_cmp);
    found.sort_by(f64::total_cmp);
    assert_eq!(found.len(), scaled.len());
    for (found, scaled) in found.iter().zip(&scaled) {
        assert!((found - scaled).abs() < 1e-12, "{found} is not {scaled}");
    }
}
