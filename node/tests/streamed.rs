//! A file of encounters that is read in place gives the rows that importing it gives, to the last bit.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use tacit_node::config::{Basis, Consent, Modalities};
use tacit_node::intake::progress::Progress;
use tacit_node::intake::recording::{Reading, Recorder};
use tacit_node::intake::stream::{Memory, note};
use tacit_node::intake::summary::Summary;
use tacit_node::intake::{self, Again, Ports, Request};
use tacit_node::measure::feature::{self, Rows, pin};
use tacit_node::measure::instrument::Catalogue;
use tacit_node::store::Store;
use tacit_node::store::consent::Access;
use tacit_node::store::pseudonym::{Kind, Pseudonyms};
use tacit_shared::fault::Fault;
use tacit_shared::study::Study;
use tacit_shared::study::modality::Modality;

const STUDY: &str = r#"
format = 1
id = "small"
title = "A small study"
question = "Does it hold?"
purpose = "research-aggregate"
recipients = [{ name = "research-consortium", class = "research" }]
limits = ["No decision about a person."]
fairness = { groups = ["interpreter-panel"], phi = 0.5 }

[period]
from = "2026-07-01"
to = "2026-10-01"

[population]
roles = ["physician"]
clinicians_per_site_max = 400
links_per_patient = 2
sites_per_patient = 1

[outcome]
id = "experience"
label = "Relational care"
source = "scale:care-measure:total"
unit = "points"
low = 10.0
high = 50.0
centre = 38.0
residual_bound = 12.0
prior_count = 5

[[features]]
id = "acuity"
label = "Mean acuity"
source = "acuity-mean"
low = 1.0
high = 5.0
centre = 3.0
rms = 0.3
prior_count = 4

[[features]]
id = "minutes"
label = "Minutes of an encounter"
source = "minutes-mean"
low = 2.0
high = 45.0
centre = 17.3
rms = 0.3
prior_count = 3

[[features]]
id = "ai"
label = "Share written by a machine"
source = "ai-share"
low = 0.0
high = 1.0
centre = 0.3
rms = 0.3
prior_count = 3

[[features]]
id = "remote"
label = "Not in person"
source = "remote-share"
low = 0.0
high = 1.0
centre = 0.3
rms = 0.3
prior_count = 3

[[features]]
id = "call"
label = "Another"
source = "call-minutes-mean"
low = 0.0
high = 60.0
centre = 10.0
rms = 0.3
prior_count = 3

[[features]]
id = "scribe"
label = "Another"
source = "scribe-minutes-mean"
low = 0.0
high = 60.0
centre = 10.0
rms = 0.3
prior_count = 3

[[features]]
id = "presence"
label = "Another"
source = "presence-minutes-mean"
low = 0.0
high = 60.0
centre = 10.0
rms = 0.3
prior_count = 3

[[features]]
id = "video"
label = "Another"
source = "channel-share:video"
low = 0.0
high = 1.0
centre = 0.2
rms = 0.3
prior_count = 3

[[features]]
id = "phone-minutes"
label = "Another"
source = "minutes-mean:phone"
low = 0.0
high = 60.0
centre = 20.0
rms = 0.3
prior_count = 3

[[features]]
id = "routine"
label = "Another"
source = "routine-share"
low = 0.0
high = 1.0
centre = 0.4
rms = 0.3
prior_count = 3

[[features]]
id = "german"
label = "Another"
source = "language-share:german"
low = 0.0
high = 1.0
centre = 0.4
rms = 0.3
prior_count = 3

[[features]]
id = "other"
label = "Another"
source = "other-language-share:french"
low = 0.0
high = 1.0
centre = 0.4
rms = 0.3
prior_count = 3

[[features]]
id = "payer"
label = "Another"
source = "patient-group-share:payer:public"
low = 0.0
high = 1.0
centre = 0.4
rms = 0.3
prior_count = 3

[[features]]
id = "ed"
label = "Another"
source = "ed-share"
low = 0.0
high = 1.0
centre = 0.1
rms = 0.3
prior_count = 3

[[features]]
id = "readmitted"
label = "Another"
source = "readmission-share"
low = 0.0
high = 1.0
centre = 0.1
rms = 0.3
prior_count = 3

[[features]]
id = "longer"
label = "Another"
source = "change:92:minutes-mean"
low = -40.0
high = 40.0
centre = 0.0
rms = 0.3
prior_count = 3

[[groups]]
id = "interpreter-panel"
label = "Panels that often need an interpreter"
source = "interpreter-share"
at_least = 0.25
low = 0.0
high = 1.0
centre = 0.1

[privacy]
epsilon = 2.0
delta = 1e-6
min_sites = 4
rounds_per_year = 4
norm_cap = 2.5
shares = { matrix = 0.3, moment = 0.35, square = 0.03, group_heads = 0.03, group_residual = 0.09, group_features = 0.03, site_heads = 0.05, site_residual = 0.05, site_features = 0.05, meta = 0.02 }

[allocation]
pool_cents = 100000000
currency = "EUR"
floor_percent_per_head = 80
cap_percent_per_head = 130
"#;
const REST: &str = "-- @consent
SELECT nullif(clinician, '') AS person, nullif(patient, '') AS patient, 'research-aggregate' AS purpose, state,
  1780000000000000 AS from_us, _line AS line FROM raw_said;
-- @person
SELECT staff AS person, role, 'internal' AS specialty, 1 AS active, _line AS line FROM raw_staff;
-- @response
SELECT form AS response, 'care-measure' AS instrument, 'patient' AS respondent, staff AS person, visit AS encounter,
  patient, 1784000000000000 AS authored_us, _line AS line FROM raw_forms;
-- @answer
WITH q(i) AS (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10))
SELECT form AS response, 'q' || i AS item, code, _line AS line FROM raw_forms CROSS JOIN q;
";
const ENCOUNTERS: &str = "-- @encounter
SELECT encounter, person, patient, start_us, end_us, tz_min, minutes, specialty, acuity, channel, ai_share,
  interpreter, readmit_30d, ed_30d, call_minutes, scribe_minutes, presence_minutes, language, payer,
  _line AS line FROM raw_visits;
";
/// 2026-07-01, and 2026-11-01.
const FIRST: i64 = 1_782_864_000_000_000;
const NOW: i64 = 1_793_491_200_000_000;
const DAY: i64 = 86_400_000_000;
const VISITS: u64 = 6_000;

struct NoRecorder;

impl Recorder for NoRecorder {
    fn read(&self, _: &Path) -> Result<Vec<Reading>, String> {
        Err("there are no recordings".to_owned())
    }
}

struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self, _: &str) {}
}

/// `SplitMix64`: the same in every run.
fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

fn part(n: u64, shift: u32, of: u64) -> i64 {
    i64::try_from((mix(n) >> shift) % of).unwrap()
}

/// Encounters of 50 clinicians (one unknown) and 400 patients; every rule is broken somewhere, keys stand twice.
fn visits() -> RecordBatch {
    let texts = |of: &dyn Fn(u64) -> Option<String>| -> ArrayRef {
        Arc::new((0..VISITS).map(of).collect::<StringArray>())
    };
    let wholes = |of: &dyn Fn(u64) -> Option<i64>| -> ArrayRef {
        Arc::new((0..VISITS).map(of).collect::<Int64Array>())
    };
    let reals = |of: &dyn Fn(u64) -> Option<f64>| -> ArrayRef {
        Arc::new((0..VISITS).map(of).collect::<Float64Array>())
    };
    let share = |n: u64, shift: u32, of: u64| f64::from(u32::try_from(part(n, shift, of)).unwrap());
    let start = |n: u64| (n != 77).then(|| FIRST + part(n, 9, 200) * DAY - 100 * DAY);
    // Who stands twice is the same patient's.
    let same = |n: u64| if n % 500 == 499 { n - 7 } else { n };
    let channels = ["in_person", "phone", "video", "in_person"];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("encounter", texts(&|n| (n != 11).then(|| format!("V{}", same(n))))),
        ("person", texts(&|n| (n != 22).then(|| format!("D{}", part(n, 3, 51))))),
        (
            "patient",
            texts(&|n| (part(same(n), 13, 9) > 0).then(|| format!("P{}", part(same(n), 31, 400)))),
        ),
        ("start_us", wholes(&|n| if n == 33 { Some(5) } else { start(n) })),
        (
            "end_us",
            wholes(&|n| {
                start(n).filter(|_| n % 3 == 0).map(|s| s + if n == 444 { -1 } else { 600 })
            }),
        ),
        ("tz_min", wholes(&|n| Some(if n == 55 { 900 } else { 120 }))),
        ("minutes", reals(&|n| Some(if n == 66 { f64::NAN } else { share(n, 17, 600) / 7.0 }))),
        (
            "specialty",
            texts(&|n| (n % 5 > 0).then(|| if n == 88 { "Über" } else { "internal" }.to_owned())),
        ),
        ("acuity", wholes(&|n| Some(if n == 99 { 6 } else { part(n, 5, 5) + 1 }))),
        (
            "channel",
            texts(&|n| {
                let at = usize::try_from(part(n, 20, 4)).unwrap();
                Some(if n == 110 { "letter" } else { channels.get(at).unwrap() }.to_owned())
            }),
        ),
        (
            "ai_share",
            reals(&|n| {
                (part(n, 15, 4) > 0).then(|| if n == 121 { 1.5 } else { share(n, 11, 101) / 100.0 })
            }),
        ),
        (
            "interpreter",
            wholes(&|n| (part(n, 25, 3) > 0).then(|| if n == 133 { 2 } else { part(n, 29, 2) })),
        ),
        ("readmit_30d", wholes(&|n| (part(n, 8, 3) > 0).then(|| part(n, 12, 2)))),
        ("ed_30d", wholes(&|n| Some(part(n, 14, 2)))),
        ("call_minutes", reals(&|n| (part(n, 16, 3) > 0).then(|| share(n, 10, 500) / 9.0))),
        ("scribe_minutes", reals(&|n| (part(n, 18, 3) > 0).then(|| share(n, 22, 500) / 9.0))),
        ("presence_minutes", reals(&|n| (n % 50 == 7).then(|| share(n, 24, 90)))),
        (
            "language",
            texts(&|n| {
                (part(n, 26, 4) > 0).then(|| {
                    ["german", "turkish"][usize::try_from(part(n, 28, 2)).unwrap()].to_owned()
                })
            }),
        ),
        (
            "payer",
            texts(&|n| {
                (part(n, 30, 4) > 0).then(|| {
                    ["public", "private"][usize::try_from(part(n, 32, 2)).unwrap()].to_owned()
                })
            }),
        ),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn write(path: &Path, batch: &RecordBatch, group: usize) {
    let groups = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(groups)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

struct Site {
    dir: tempfile::TempDir,
    store: Store,
    pseudonyms: Pseudonyms,
}

impl Site {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
        Self { dir, store, pseudonyms: Pseudonyms::new(&[7; 32]) }
    }

    async fn import(&self, mapping: &str, names: &[&str]) -> Result<Summary, Fault> {
        let path = |name: &str| self.dir.path().join(name);
        std::fs::write(path("site.sql"), mapping).unwrap();
        let mut staff = "staff,role\n".to_owned();
        (0..50).for_each(|n| {
            writeln!(staff, "D{n},{}", if n % 7 == 6 { "clerk" } else { "physician" }).unwrap();
        });
        std::fs::write(path("staff.csv"), staff).unwrap();
        // Forms about an encounter and its patient, about a patient, about neither.
        let mut forms = "form,staff,visit,patient,code\n".to_owned();
        for n in 0..900_u64 {
            let visit = if n % 4 < 3 { format!("V{}", part(n, 7, VISITS)) } else { String::new() };
            let patient = if n % 4 < 3 || n % 5 < 2 {
                format!("P{}", part(n, 21, 420))
            } else {
                String::new()
            };
            writeln!(forms, "F{n},D{},{visit},{patient},{}", part(n, 40, 50), part(n, 3, 5) + 1)
                .unwrap();
        }
        std::fs::write(path("forms.csv"), forms).unwrap();
        let mut said = "clinician,patient,state\n".to_owned();
        for n in 0..300 {
            let state = ["given", "given", "given", "refused", "withdrawn"][n % 5];
            writeln!(said, ",P{n},{state}").unwrap();
        }
        (0..48).for_each(|n| writeln!(said, "D{n},,given").unwrap());
        std::fs::write(path("said.csv"), said).unwrap();
        let input = |n: &&str| {
            let ending = if *n == "visits" { "parquet" } else { "csv" };
            format!("{n}={}", path(n).with_extension(ending).display()).parse().unwrap()
        };
        let request = Request {
            mapping: path("site.sql"),
            inputs: names.iter().map(input).collect(),
            recordings_dir: None,
            again: Again::Refuse,
            database: None,
            statement_s: 60,
            on_error: intake::OnError::Reject,
            at_us: NOW,
            memory: Memory::default(),
        };
        let questionnaires = Catalogue::built_in().unwrap().questionnaires();
        let ports = Ports {
            pseudonyms: &self.pseudonyms,
            questionnaires: &questionnaires,
            recorder: &NoRecorder,
            progress: &Silent,
        };
        intake::import(&self.store, &request, &ports).await
    }

    async fn note(&self, replace: bool) -> Result<Summary, Fault> {
        let (file, dir) = (self.dir.path().join("visits.parquet"), self.dir.path().to_owned());
        let request = note::Request { file, dir, replace, at_us: NOW };
        note::note(&self.store, &request, &self.pseudonyms, &Silent).await
    }

    /// Clinicians exclude some encounters; one says so of an encounter that is not theirs.
    async fn exclude(&self) {
        for n in (0..VISITS).step_by(17) {
            let person = format!("D{}", part(n, 3, 51) + i64::from(n == 34));
            sqlx::query("INSERT INTO annotation (encounter, kind, person, reason, at_us) VALUES (?, ?, ?, 'mine', 0)")
                .bind(self.pseudonyms.key(Kind::Encounter, &format!("V{n}")).to_vec())
                .bind(if n % 3 == 0 { "contest" } else { "exclude" })
                .bind(self.pseudonyms.key(Kind::Person, &person).to_vec())
                .execute(self.store.pool())
                .await
                .unwrap();
        }
    }

    async fn rows(&self, patients: Basis, links: u32) -> Result<Rows, Fault> {
        self.rows_of((patients, links), false).await
    }

    async fn rows_of(&self, (patients, links): (Basis, u32), off: bool) -> Result<Rows, Fault> {
        let text = STUDY.replace("links_per_patient = 2", &format!("links_per_patient = {links}"));
        let catalogue = Catalogue::built_in().unwrap();
        let pins = pin::lines(&catalogue).unwrap();
        let study = Study::parse(&format!("{text}\n{pins}")).unwrap();
        let consent = Consent { clinicians: Basis::Required, patients };
        let everything = Modalities::EVERYTHING;
        let modalities = if off { everything.without(Modality::Encounters) } else { everything };
        let access = Access { consent, modalities, now_us: NOW };
        feature::rows(&self.store, &study, &catalogue, &self.pseudonyms, &access).await
    }
}

/// Everything of the rows; numbers by their bits.
fn told(rows: &Rows) -> String {
    let mut text = format!(
        "{} considered, {} outside, {:?} at centre, {:?}, {:?}, {:?}\n",
        rows.considered,
        rows.outside_population,
        rows.at_centre,
        rows.links,
        rows.excluded,
        rows.encounters
    );
    for row in &rows.rows {
        let bits: Vec<u64> = row.x().iter().chain([&row.y()]).map(|v| v.to_bits()).collect();
        writeln!(text, "{bits:x?} {:?}", row.member()).unwrap();
    }
    text
}

#[tokio::test]
async fn a_streamed_file_gives_the_rows_that_importing_it_gives_bit_for_bit() {
    let batch = visits();
    let imported = Site::new().await;
    write(&imported.dir.path().join("visits.parquet"), &batch, 100_000);
    let all = format!("{REST}{ENCOUNTERS}");
    let summary = imported.import(&all, &["said", "staff", "visits", "forms"]).await.unwrap();
    imported.exclude().await;
    for group in [997, 100_000] {
        let streamed = Site::new().await;
        write(&streamed.dir.path().join("visits.parquet"), &batch, group);
        streamed.import(REST, &["said", "staff", "forms"]).await.unwrap();
        let noted = streamed.note(false).await.unwrap();
        streamed.exclude().await;
        let encounters = |s: &Summary| {
            let reasons: Vec<_> =
                s.reasons.iter().filter(|r| r.table_name == "encounter").cloned().collect();
            let counts = s.tables.iter().find(|t| t.table.name() == "encounter").cloned().unwrap();
            (counts.rejected, reasons)
        };
        assert_eq!(encounters(&noted), encounters(&summary));
        assert!(encounters(&noted).1.len() >= 10, "{noted}");
        for basis in [Basis::ByMapping, Basis::OptOut, Basis::Required] {
            for links in [1, 2, 40] {
                let expected = imported.rows(basis, links).await.unwrap();
                let found = streamed.rows(basis, links).await.unwrap();
                assert!(expected.links.pairs > 300 && expected.excluded.excluded > 0);
                assert!(links == 40 || expected.links.dropped > 100);
                assert_eq!(told(&found), told(&expected), "{basis:?}, {links} links");
            }
        }
        let expected = imported.rows_of((Basis::OptOut, 2), true).await.unwrap();
        let found = streamed.rows_of((Basis::OptOut, 2), true).await.unwrap();
        assert!(expected.excluded.encounters == 0 && expected.links.pairs > 100);
        assert_eq!(told(&found), told(&expected), "encounters are switched off");
        let left = std::fs::read_dir(streamed.dir.path()).unwrap();
        let names: Vec<_> = left.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        assert!(names.iter().all(|n| n.contains('.') && !n.starts_with(".tmp")), "{names:?}");
    }
}

#[tokio::test]
async fn a_file_that_was_changed_gives_no_rows() {
    let site = Site::new().await;
    let path = site.dir.path().join("visits.parquet");
    write(&path, &visits(), 997);
    site.import(REST, &["said", "staff", "forms"]).await.unwrap();
    site.note(false).await.unwrap();
    let sound = std::fs::read(&path).unwrap();
    let mut refused = 0;
    for at in [2_000, sound.len() / 2, sound.len() - 30_000] {
        let mut changed = sound.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        let found = site.rows(Basis::ByMapping, 2).await.unwrap_err();
        assert_eq!(
            found.message,
            "the streamed file is not the one that was noted: it was changed"
        );
        refused += 1;
    }
    assert_eq!(refused, 3);
    std::fs::write(&path, &sound).unwrap();
    site.rows(Basis::ByMapping, 2).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let found = site.rows(Basis::ByMapping, 2).await.unwrap_err();
    assert!(found.message.starts_with("the file cannot be read"), "{}", found.message);
}

#[tokio::test]
async fn encounters_are_imported_or_streamed_and_only_one_file_is() {
    let site = Site::new().await;
    let path = site.dir.path().join("visits.parquet");
    write(&path, &visits(), 997);
    site.import(REST, &["said", "staff", "forms"]).await.unwrap();
    let first = site.note(false).await.unwrap();
    let found = site.note(false).await.unwrap_err();
    assert_eq!(found.message, format!("batch {} is a streamed file already", first.batch));
    let second = site.note(true).await.unwrap();
    assert!(second.batch > first.batch);
    let all = format!("{REST}{ENCOUNTERS}");
    let found = site.import(&all, &["said", "staff", "visits", "forms"]).await.unwrap_err().message;
    let expected = format!(
        "encounters are read in place from `visits.parquet` (batch {}): one that is imported too would count twice",
        second.batch
    );
    assert_eq!(found, expected);
    let other = Site::new().await;
    write(&other.dir.path().join("visits.parquet"), &visits(), 997);
    other.import(&all, &["said", "staff", "visits", "forms"]).await.unwrap();
    let found = other.note(false).await.unwrap_err();
    assert_eq!(
        found.message,
        "the node has imported encounters: one that is in both would count twice"
    );
}

#[tokio::test]
async fn a_file_without_the_canonical_columns_is_refused_with_what_it_lacks() {
    let site = Site::new().await;
    let path = site.dir.path().join("visits.parquet");
    let batch = visits();
    let without: Vec<(&str, ArrayRef)> = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(batch.columns())
        .filter(|(field, _)| field.name() != "acuity")
        .map(|(field, array)| (field.name().as_str(), Arc::clone(array)))
        .collect();
    write(&path, &RecordBatch::try_from_iter(without).unwrap(), 997);
    let found = site.note(false).await.unwrap_err();
    assert_eq!(found.message, "the file has no column `acuity`");
    let texts: ArrayRef =
        Arc::new((0..VISITS).map(|n| Some(n.to_string())).collect::<StringArray>());
    let other: Vec<(&str, ArrayRef)> = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, array)| {
            let array = if field.name() == "minutes" { &texts } else { array };
            (field.name().as_str(), Arc::clone(array))
        })
        .collect();
    write(&path, &RecordBatch::try_from_iter(other).unwrap(), 997);
    let found = site.note(false).await.unwrap_err();
    assert_eq!(found.message, "column `minutes` holds Utf8");
}
