//! What people see and say of their own rows: contests, exclusion in a release, and all that is held about one person.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use clap::Parser as _;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;
use tacit_node::command::{annotate, contests, dpia, import, init, subject, withdraw};
use tacit_node::config::{Config, FILE, Modalities};
use tacit_node::intake::progress::Silent;
use tacit_node::measure::feature::{self, Rows};
use tacit_node::measure::instrument::Catalogue;
use tacit_node::store::Store;
use tacit_node::store::consent::Access;
use tacit_node::store::pseudonym::Pseudonyms;
use tacit_shared::fault::Fault;
use tacit_shared::study::Study;
use tacit_shared::study::modality::Modality;

const STUDY: &str = include_str!("../../configs/studies/empathy-billing.toml");
const MAPPING: &str = "\
-- @person\nSELECT nr AS person, 'nurse' AS role, 'internal' AS specialty, 1 AS active, _line AS line FROM raw_staff\n\
-- @period\nSELECT nr AS person, unixepoch('2026-07-01') * 1000000 AS from_us, unixepoch('2026-10-01') * 1000000 AS to_us, \
  270 AS volume, 300 AS hours, _line AS line FROM raw_staff\n\
-- @encounter\nSELECT visit AS encounter, nr AS person, patient, unixepoch('2026-07-20') * 1000000 AS start_us, \
  0 AS tz_min, 20 AS minutes, 4 AS acuity, 'in_person' AS channel, 1 AS readmit_30d, _line AS line FROM raw_visits\n\
-- @response\nSELECT 'F' || visit AS response, 'care-measure' AS instrument, 'patient' AS respondent, nr AS person, \
  visit AS encounter, patient, unixepoch('2026-07-21') * 1000000 AS authored_us, _line AS line FROM raw_visits \
  UNION ALL SELECT 'O' || nr, 'copenhagen-burnout', 'clinician', nr, NULL, NULL, unixepoch('2026-07-22') * 1000000, _line \
  FROM raw_staff\n\
-- @answer\nSELECT 'F' || visit AS response, 'q' || value AS item, code, _line AS line FROM raw_visits, \
  json_each('[1,2,3,4,5,6,7,8,9,10]') UNION ALL SELECT 'O' || nr, 'p' || value, 3, _line FROM raw_staff, json_each('[1,2,3,4,5,6]')\n";

#[derive(clap::Parser)]
struct Line<A: clap::Args> {
    #[command(flatten)]
    args: A,
}

fn line<A: clap::Args>(words: &str) -> A {
    Line::<A>::parse_from(std::iter::once("line").chain(words.split(' '))).args
}

struct Node {
    dir: tempfile::TempDir,
}

impl Node {
    /// Two clinicians with four encounters each, one of them with one patient twice.
    async fn new() -> Self {
        let mut visits = "visit,nr,patient,code\n".to_owned();
        for visit in 0..8 {
            writeln!(visits, "V{visit},D{},P{},{}", visit / 4, visit.max(1), 2 + visit % 4)
                .unwrap();
        }
        Self::with(MAPPING, &visits).await
    }

    /// Two clinicians, and the visits of a file.
    async fn with(mapping: &str, visits: &str) -> Self {
        let node = Self { dir: tempfile::tempdir().unwrap() };
        let args =
            format!("--dir {} --site north --name North --clinicians by-mapping", node.folder());
        init::run(&line(&args)).await.unwrap();
        let write = |name: &str, text: &str| {
            let path = node.dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let inputs = [
            ("staff", write("staff.csv", "nr\nD0\nD1\n")),
            ("visits", write("visits.csv", visits)),
        ];
        let args = import::ImportArgs {
            dir: node.folder().into(),
            mapping: write("site.sql", mapping),
            recordings_dir: None,
            replace: false,
            memory_mib: tacit_node::intake::stream::Memory::default(),
            on_error: tacit_node::intake::OnError::Reject,
            postgres: None,
            schema: Vec::new(),
            statement_seconds: 900,
            inputs: inputs
                .iter()
                .map(|(n, p)| format!("{n}={}", p.display()).parse().unwrap())
                .collect(),
        };
        let summary = import::run(&args, &Silent).await.unwrap();
        assert!(!summary.contains("rejected  "), "{summary}");
        node
    }

    fn folder(&self) -> String {
        self.dir.path().join("node").display().to_string()
    }

    fn name_someone(&self) {
        let config =
            Config::open(Path::new(&self.folder())).unwrap().with_contest_to("Dr. Ada Byron");
        std::fs::write(Path::new(&self.folder()).join(FILE), config.to_toml().unwrap()).unwrap();
    }

    fn switch_off(&self, modality: Modality) {
        let config = Config::open(Path::new(&self.folder())).unwrap();
        let config = config.with_modalities(Modalities::EVERYTHING.without(modality));
        std::fs::write(Path::new(&self.folder()).join(FILE), config.to_toml().unwrap()).unwrap();
    }

    async fn annotate(&self, words: &str) -> String {
        annotate::run(&line(&format!("--dir {} {words}", self.folder()))).await.unwrap()
    }

    async fn contests(&self, words: &str) -> Result<String, Fault> {
        let (what, rest) = words.split_once(' ').unwrap_or((words, ""));
        let words = format!("{what} --dir {} {rest}", self.folder());
        contests::run(&line(words.trim_end())).await
    }

    async fn about(&self, words: &str) -> Result<String, Fault> {
        subject::run(&line(&format!("--dir {} {words}", self.folder()))).await
    }

    async fn found(&self, words: &str) -> Value {
        serde_json::from_str(&self.about(words).await.unwrap()).unwrap()
    }

    async fn rows(&self) -> Rows {
        let dir = self.folder();
        let store = Store::open(&Path::new(&dir).join("node.sqlite")).await.unwrap();
        let config = Config::open(Path::new(&dir)).unwrap();
        let access = Access::now(&store, &config, 1_793_491_200_000_000).await.unwrap();
        let pseudonyms = Pseudonyms::open_or_create(Path::new(&dir)).unwrap();
        let catalogue = Catalogue::built_in().unwrap();
        let study = Study::parse(STUDY).unwrap();
        feature::rows(&store, &study, &catalogue, &pseudonyms, &access).await.unwrap()
    }

    /// By clinician, in the order of their keys: encounters that count, and the share left out.
    async fn counted(&self) -> Vec<(u32, f64)> {
        let rows = self.rows().await;
        let mut found: Vec<(u32, f64)> =
            rows.encounters.iter().zip(&rows.rows).map(|(n, row)| (*n, row.excluded())).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        found
    }
}

#[tokio::test]
async fn what_is_contested_counts_once_somebody_found_that_it_should() {
    let node = Node::new().await;
    let whole = vec![(4, 0.0), (4, 0.0)];
    // One of four encounters, but one of three patients who answered.
    let less = vec![(3, 1.0 / 3.0), (4, 0.0)];
    assert_eq!(node.counted().await, whole);
    assert_eq!(node.contests("list").await.unwrap(), "Nothing is contested.");
    let said = node.annotate("--encounter V1 --kind contest --reason wrong-person").await;
    assert!(said.starts_with("The contest is open: until it is resolved"), "{said}");
    assert!(said.contains("Nobody is named to resolve it yet"), "{said}");
    assert_eq!(node.counted().await, less);
    let listed = node.contests("list").await.unwrap();
    let hash = listed.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    assert!(
        listed.contains("To be resolved by nobody")
            && listed.ends_with("reason wrong-person: open; it does not count")
    );
    let resolve = |how: &str| format!("resolve {hash} --as {how}");
    let fault = node.contests(&resolve("dismissed")).await.unwrap_err();
    assert_eq!(fault.message, "nobody is named to resolve what is contested");
    node.name_someone();
    let fault = node.contests("resolve 0g --as dismissed").await.unwrap_err();
    assert!(fault.message.contains("digits"), "{fault}");
    node.contests(&resolve("dismissed")).await.unwrap();
    assert_eq!(node.counted().await, whole);
    let listed = node.contests("list").await.unwrap();
    assert!(listed.ends_with("by Dr. Ada Byron") && listed.contains("dismissed on "), "{listed}");
    let fault = node.contests(&resolve("upheld")).await.unwrap_err();
    assert_eq!(fault.message, "no open contest, or more than one, begins so");
    // Contested again it is open again, and upheld it stays out.
    let said = node.annotate("--encounter V1 --kind contest --reason still-wrong").await;
    assert!(said.contains("It is for Dr. Ada Byron to resolve."), "{said}");
    assert_eq!(node.counted().await, less);
    node.contests(&resolve("upheld")).await.unwrap();
    assert_eq!(node.counted().await, less);
    node.annotate("--encounter V2 --kind exclude").await;
    node.annotate("--encounter V3 --kind context --reason loud-ward").await;
    assert_eq!(node.counted().await, vec![(2, 2.0 / 3.0), (4, 0.0)]);
}

#[tokio::test]
async fn what_is_excluded_is_counted_of_answers_where_no_encounter_is_read() {
    let node = Node::new().await;
    node.annotate("--encounter V2 --kind exclude").await;
    let shares = async || {
        let mut shares: Vec<f64> = node
            .rows()
            .await
            .rows
            .iter()
            .map(tacit_shared::summary::feature::FeatureRow::excluded)
            .collect();
        shares.sort_by(f64::total_cmp);
        shares
    };
    let of_answers = vec![0.0, 1.0 / 3.0];
    assert_eq!(shares().await, of_answers);
    node.switch_off(Modality::Encounters);
    assert_eq!(shares().await, of_answers);
    // Encounters that were erased say nothing any more; answers about them are still there, or left out.
    let store = Store::open(&Path::new(&node.folder()).join("node.sqlite")).await.unwrap();
    sqlx::query("DELETE FROM encounter").execute(store.pool()).await.unwrap();
    store.close().await;
    assert_eq!(shares().await, of_answers);
}

#[tokio::test]
async fn a_person_is_given_all_that_is_theirs_and_nothing_of_others() {
    let node = Node::new().await;
    node.annotate("--encounter V1 --kind context --reason loud-ward").await;
    let json = node.about("--id D0 --json").await.unwrap();
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    let rows = |table: &str| found["rows"][table].as_array().map_or(0, Vec::len);
    let tables = ["person", "period", "encounter", "response", "answer", "annotation"];
    assert_eq!(tables.map(rows), [1, 1, 4, 1, 6, 1]);
    assert_eq!(found["rows"]["encounter"][0]["start"], "2026-07-20T00:00:00Z");
    assert_eq!(found["rows"]["response"][0]["instrument"], "copenhagen-burnout");
    // No key of anybody, nothing that became of a patient, and no answer of theirs.
    for (table, of_table) in found["rows"].as_object().unwrap() {
        for row in of_table.as_array().unwrap() {
            let row = row.as_object().unwrap();
            for name in ["patient", "person", "who", "readmit_30d", "ed_30d"] {
                assert!(!row.contains_key(name), "{table}: {name}");
            }
            assert_ne!(row.get("respondent"), Some(&"patient".into()), "{table}");
        }
    }
    for word in ["P1", "D0", "care-measure"] {
        assert!(!json.contains(word), "{word}");
    }
    // Four patients' answers are too few to tell of; the clinician's own are theirs.
    assert_eq!(found["told"], Value::Array(Vec::new()));
    let score = |scale: &str| {
        found["scores"].as_array().unwrap().iter().find(|s| s["scale"] == scale).unwrap().clone()
    };
    assert_eq!(score("personal")["n"], 1);
    assert!(score("personal")["mean"].is_number());
    let text = node.about("--id D0").await.unwrap();
    assert!(
        text.contains("\nencounter: 4 rows\n  ")
            && text.contains("1 answers by clinicians")
            && !text.contains("by patients"),
        "{text}"
    );

    let json = node.about("--id P1 --patient --json").await.unwrap();
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    let rows = |table: &str| found["rows"][table].as_array().map_or(0, Vec::len);
    assert_eq!(["encounter", "response", "answer", "person"].map(rows), [2, 2, 20, 0]);
    assert_eq!(found["rows"]["encounter"][0]["readmit_30d"], 1);
    assert!(found["scores"][0]["mean"].is_number() && !json.contains("\"person\""));

    assert!(node.about("--id D77").await.unwrap().ends_with("No row."));
    std::fs::remove_file(Path::new(&node.folder()).join("pseudonym.key")).unwrap();
    assert!(
        node.about("--id D0")
            .await
            .unwrap_err()
            .message
            .starts_with("the key file is not in the node's folder")
    );
}

#[tokio::test]
async fn answers_that_name_an_encounter_alone_are_its_patients() {
    let mapping = MAPPING.replacen(
        "visit AS encounter, patient, unixepoch('2026-07-21')",
        "visit AS encounter, NULL AS patient, unixepoch('2026-07-21')",
        1,
    );
    assert_ne!(mapping, MAPPING);
    let mut visits = "visit,nr,patient,code\n".to_owned();
    for visit in 0..8 {
        writeln!(visits, "V{visit},D{},P{},{}", visit / 4, visit.max(1), 2 + visit % 4).unwrap();
    }
    let node = Node::with(&mapping, &visits).await;
    let found = node.found("--id P1 --patient --json").await;
    let rows = |found: &Value, table: &str| found["rows"][table].as_array().map_or(0, Vec::len);
    assert_eq!(["encounter", "response", "answer"].map(|t| rows(&found, t)), [2, 2, 20]);
    assert_eq!(found["scores"][0]["n"], 2);
    let withdrawn = format!("--dir {} --id P1 --patient", node.folder());
    let said = withdraw::run(&line(&withdrawn)).await.unwrap();
    assert!(said.contains("20 rows"), "{said}");
    let found = node.found("--id P1 --patient --json").await;
    assert_eq!(["encounter", "response", "answer"].map(|t| rows(&found, t)), [0, 0, 0]);
}

/// Visits with the day they were on, and answers to two questionnaires about each.
const QUARTERS: &str = "\
-- @person\nSELECT nr AS person, 'nurse' AS role, 'internal' AS specialty, 1 AS active, _line AS line FROM raw_staff\n\
-- @encounter\nSELECT visit AS encounter, nr AS person, patient, unixepoch(day) * 1000000 AS start_us, \
  0 AS tz_min, 20 AS minutes, 4 AS acuity, 'in_person' AS channel, _line AS line FROM raw_visits\n\
-- @response\nSELECT kind.key || visit AS response, kind.value AS instrument, 'patient' AS respondent, nr AS person, \
  visit AS encounter, unixepoch(day) * 1000000 AS authored_us, _line AS line FROM raw_visits, \
  json_each('{\"C\":\"care-measure\",\"H\":\"hcahps-communication\"}') AS kind\n\
-- @answer\nSELECT 'C' || visit AS response, 'q' || value AS item, code, _line AS line FROM raw_visits, \
  json_each('[1,2,3,4,5,6,7,8,9,10]') UNION ALL SELECT 'H' || visit, value, 4, _line FROM raw_visits, \
  json_each('[\"n1\",\"n2\",\"n3\"]')\n";

#[tokio::test]
async fn a_clinician_is_told_of_25_patients_and_more_once_a_quarter_is_over() {
    let mut visits = "visit,nr,patient,day,code\n".to_owned();
    for n in 0..26 {
        // 26 patients in one quarter; 24 in the next, and a 25th who came twice; 26 in the one that goes on.
        writeln!(visits, "A{n},D0,P{n},2020-02-03,{}", if n == 25 { 5 } else { 4 }).unwrap();
        writeln!(visits, "B{n},D0,Q{},2020-05-03,4", n.min(23)).unwrap();
        writeln!(visits, "N{n},D0,R{n},now,4").unwrap();
        // One patient of another clinician, 26 times.
        writeln!(visits, "O{n},D1,S,2020-02-03,2").unwrap();
    }
    let node = Node::with(QUARTERS, &visits).await;
    let told = async |id: &str| {
        let mut found = node.found(&format!("--id {id} --json")).await;
        found["told"].take()
    };
    assert_eq!(told("D1").await, Value::Array(Vec::new()));
    let first = told("D0").await;
    // Sums of 40, and once 50: 40.4, of which steps of 2 leave 40. HCAHPS speaks of no single clinician.
    assert_eq!(first.as_array().unwrap().len(), 1, "{first}");
    for (name, value) in [
        ("quarter", Value::from("2020-Q1")),
        ("instrument", "care-measure".into()),
        ("patients", "25 to 49".into()),
        ("mean", 40.0.into()),
    ] {
        assert_eq!(first[0][name], value, "{name}");
    }
    let text = node.about("--id D0").await.unwrap();
    assert!(
        text.contains("2020-Q1 care-measure")
            && text.contains("about 40 of 10 to 50; 25 to 49 patients"),
        "{text}"
    );
    // What a patient withdraws and the clinician excludes moves nothing that was told.
    for n in 0..8 {
        let words = format!("--dir {} --id P{n} --patient", node.folder());
        withdraw::run(&line(&words)).await.unwrap();
    }
    node.annotate("--encounter A20 --kind exclude").await;
    assert_eq!(told("D0").await, first);
    node.switch_off(Modality::PatientQuestionnaires);
    assert_eq!(told("D0").await, Value::Array(Vec::new()));
    assert!(!node.about("--id D0").await.unwrap().contains("care-measure"));
}

#[tokio::test]
async fn the_papers_are_written_from_what_runs() {
    let node = Node::new().await;
    let out = node.dir.path().join("papers");
    let said = dpia::run(&line(&format!("--dir {} --out {}", node.folder(), out.display())))
        .await
        .unwrap();
    assert!(said.contains("None of them is legal advice"), "{said}");
    let record = std::fs::read_to_string(out.join("record.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["profile"]["kind"], "self-report-only");
    assert_eq!(record["consent"]["clinicians"], "by-mapping");
    let rows = |kind: &str| {
        let kinds = record["data"].as_array().unwrap();
        kinds.iter().find(|d| d["kind"] == kind).unwrap()["patients"].clone()
    };
    assert_eq!(rows("encounters"), "fewer than 10");
    assert_eq!(rows("staff-records"), Value::Null);
    let heart = record["data"].as_array().unwrap().iter().find(|d| d["kind"] == "heart").unwrap();
    assert_eq!(
        (heart["allowed"].clone(), heart["people"].clone()),
        (false.into(), "fewer than 10".into())
    );
    for (name, part) in [
        ("dpia.html", "Data protection impact assessment"),
        ("notice.html", "Information for everyone"),
    ] {
        let page = std::fs::read_to_string(out.join(name)).unwrap();
        assert!(
            page.starts_with("<!DOCTYPE html>")
                && page.contains(part)
                && page.contains("not legal advice"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn no_paper_tells_how_many_people_there_are() {
    let mut visits = "visit,nr,patient,code\n".to_owned();
    for visit in 0..187 {
        writeln!(visits, "V{visit},D{},P{visit},3", visit % 2).unwrap();
    }
    let node = Node::with(MAPPING, &visits).await;
    let out = node.dir.path().join("papers");
    dpia::run(&line(&format!("--dir {} --out {}", node.folder(), out.display()))).await.unwrap();
    let record = std::fs::read_to_string(out.join("record.json")).unwrap();
    let found: Value = serde_json::from_str(&record).unwrap();
    let patients = |kind: &str| {
        let kinds = found["data"].as_array().unwrap();
        kinds.iter().find(|d| d["kind"] == kind).unwrap()["patients"].clone()
    };
    for kind in ["encounters", "patient-questionnaires"] {
        assert_eq!(patients(kind), "50 to 249", "{kind}");
    }
    for name in ["record.json", "dpia.html", "notice.html"] {
        let text = std::fs::read_to_string(out.join(name)).unwrap();
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
        assert!(!words.any(|word| word == "187"), "{name}");
    }
}
