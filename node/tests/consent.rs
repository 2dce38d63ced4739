//! Consent, withdrawal, retention and exclusion: whose rows count, and what is left of those that do not.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

#[path = "support/consents.rs"]
mod consents;

use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use sqlx::AssertSqlSafe;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tacit_node::config::{Basis, Consent, Modalities, Retention};
use tacit_node::intake::progress::Silent;
use tacit_node::intake::recording::{Reading, Recorder};
use tacit_node::intake::stream::Memory;
use tacit_node::intake::summary::Summary;
use tacit_node::intake::{self, Again, Ports, Request};
use tacit_node::measure::feature::{self, Rows};
use tacit_node::measure::instrument::Catalogue;
use tacit_node::store::annotation::{self, Kind as Word};
use tacit_node::store::batch::{self, Dependents};
use tacit_node::store::consent::{Access, Purpose, without};
use tacit_node::store::pseudonym::{Kind, Pseudonyms};
use tacit_node::store::{Store, retain, withdraw};
use tacit_shared::study::Study;
use tacit_shared::study::modality::Modality;

const STUDY: &str = include_str!("../../tests/tests/sensitivity/study.toml");
/// 2026-11-01.
const NOW: i64 = 1_793_491_200_000_000;
const DAY: i64 = 86_400_000_000;
const MAPPING: &str = "\
-- @consent\nSELECT nullif(clinician, '') AS person, nullif(patient, '') AS patient, purpose, state, \
  unixepoch(since) * 1000000 AS from_us, unixepoch(until) * 1000000 AS to_us, _line AS line FROM raw_said\n\
-- @person\nSELECT nr AS person, role, 'internal' AS specialty, 1 AS active, _line AS line FROM raw_staff\n\
-- @period\nSELECT nr AS person, unixepoch('2026-07-01') * 1000000 AS from_us, unixepoch('2026-10-01') * 1000000 AS to_us, \
  volume, 300 AS hours, _line AS line FROM raw_staff\n\
-- @training\nSELECT nr AS person, 'listening' AS programme, unixepoch('2026-03-01') * 1000000 AS from_us, \
  unixepoch('2026-04-01') * 1000000 AS to_us, 6 AS hours, _line AS line FROM raw_staff\n\
-- @encounter\nSELECT visit AS encounter, doctor AS person, nullif(patient, '') AS patient, \
  unixepoch('2026-07-20') * 1000000 AS start_us, 0 AS tz_min, minutes, level AS acuity, 'in_person' AS channel, \
  _line AS line FROM raw_visits\n\
-- @response\nSELECT form AS response, iif(who = 'patient', 'care-measure', 'copenhagen-burnout') AS instrument, \
  who AS respondent, doctor AS person, nullif(visit, '') AS encounter, nullif(patient, '') AS patient, \
  unixepoch('2026-07-21') * 1000000 AS authored_us, _line AS line FROM raw_forms\n\
-- @answer\nSELECT form AS response, iif(who = 'patient', 'q', 'p') || value AS item, code, _line AS line FROM raw_forms, \
  json_each(iif(who = 'patient', '[1,2,3,4,5,6,7,8,9,10]', '[1,2,3,4,5,6]'))\n\
-- @device_session\nSELECT 'S' || nr AS session, nr AS person, 'strap' AS kind, unixepoch('2026-07-22') * 1000000 AS start_us, \
  'staff.csv' AS file, _line AS line FROM raw_staff\n";
const TABLES: [&str; 8] = [
    "person",
    "period",
    "training",
    "encounter",
    "response",
    "answer",
    "device_session",
    "feature",
];

/// Yields the same heart rate whatever the file is.
struct Always;

impl Recorder for Always {
    fn read(&self, _: &Path) -> Result<Vec<Reading>, String> {
        Ok(vec![Reading {
            feature: "mean_hr_bpm",
            value: 72.0,
            n: 3,
            coverage: 0.9,
            modality: Modality::Heart,
        }])
    }
}

/// Form, whether by a patient, clinician, visit, patient, code.
type Form = (u8, bool, u8, Option<u8>, Option<u8>, u8);

/// A hospital's files: rows, the ids of whom they name first.
#[derive(Clone, Default)]
struct Files {
    /// Clinician, role and volume.
    staff: Vec<(u8, String)>,
    /// Visit, clinician, patient, the rest.
    visits: Vec<(u8, u8, Option<u8>, String)>,
    forms: Vec<Form>,
    /// Statements as they stand in the file.
    said: String,
}

impl Files {
    fn draw(rng: &mut ChaCha20Rng) -> Self {
        let (clinicians, patients) = (rng.random_range(2..=5_u8), rng.random_range(1..=5_u8));
        let mut files = Self::default();
        for nr in 0..clinicians {
            files.staff.push((nr, format!("nurse,{}", rng.random_range(10..600))));
        }
        let some =
            |rng: &mut ChaCha20Rng| rng.random_bool(0.75).then(|| rng.random_range(0..patients));
        for visit in 0..rng.random_range(0..=12_u8) {
            let rest = format!("{},{}", rng.random_range(1..60), rng.random_range(1..=5));
            files.visits.push((visit, rng.random_range(0..clinicians), some(rng), rest));
        }
        for form in 0..rng.random_range(0..=8_u8) {
            let visit = rng.random_bool(0.6).then(|| rng.random_range(0..14));
            let who = rng.random_bool(0.8);
            let doctor = rng.random_range(0..clinicians);
            files.forms.push((form, who, doctor, visit, some(rng), rng.random_range(1..=5)));
        }
        files
    }

    /// The files as if a patient had never been there.
    fn without_patient(&self, patient: u8) -> Self {
        let theirs = |visit: u8| self.visits.iter().any(|v| v.0 == visit && v.2 == Some(patient));
        let mut files = self.clone();
        files.visits.retain(|v| v.2 != Some(patient));
        files.forms.retain(|f| match (f.1, f.4, f.3) {
            (false, _, _) => true,
            (true, Some(p), _) => p != patient,
            (true, None, visit) => !visit.is_some_and(theirs),
        });
        files
    }

    /// The files as if a clinician had never been there.
    fn without_clinician(&self, nr: u8) -> Self {
        let mut files = self.clone();
        // Whose an answer about somebody else is stays known.
        for form in files.forms.iter_mut().filter(|f| f.1 && f.4.is_none()) {
            let visit = files.visits.iter().find(|v| Some(v.0) == form.3 && v.1 == nr);
            form.4 = visit.and_then(|v| v.2);
        }
        files.staff.retain(|s| s.0 != nr);
        files.visits.retain(|v| v.1 != nr);
        files.forms.retain(|f| f.2 != nr);
        files
    }

    fn write(&self, dir: &Path) {
        let id =
            |letter: char, of: Option<u8>| of.map_or(String::new(), |n| format!("{letter}{n}"));
        let (mut staff, mut visits, mut forms) = (
            "nr,role,volume\n".to_owned(),
            "visit,doctor,patient,minutes,level\n".to_owned(),
            "form,who,doctor,visit,patient,code\n".to_owned(),
        );
        for (nr, rest) in &self.staff {
            writeln!(staff, "D{nr},{rest}").unwrap();
        }
        for (visit, nr, patient, rest) in &self.visits {
            writeln!(visits, "V{visit},D{nr},{},{rest}", id('P', *patient)).unwrap();
        }
        for (form, by_patient, nr, visit, patient, code) in &self.forms {
            let who = if *by_patient { "patient" } else { "clinician" };
            let code = if *by_patient { *code } else { (*code).min(5) };
            let (visit, patient) = (id('V', *visit), id('P', *patient));
            writeln!(forms, "F{form},{who},D{nr},{visit},{patient},{code}").unwrap();
        }
        let said = format!("clinician,patient,purpose,state,since,until\n{}", self.said);
        for (name, text) in [("staff", staff), ("visits", visits), ("forms", forms), ("said", said)]
        {
            std::fs::write(dir.join(name).with_extension("csv"), text).unwrap();
        }
    }
}

struct Site {
    dir: tempfile::TempDir,
    store: Store,
    pseudonyms: Pseudonyms,
}

fn access(basis: Basis) -> Access {
    let consent = Consent { clinicians: basis, patients: basis };
    Access { consent, modalities: Modalities::EVERYTHING, now_us: NOW }
}

impl Site {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
        let pseudonyms = Pseudonyms::new(&[7; 32]);
        // 2026-01-01: clinicians let their hearts be recorded, unless a file says otherwise.
        let ids = ["D0", "D1", "D2", "D3", "D4"];
        consents::give(&store, &pseudonyms, &ids, 1_767_225_600_000_000).await;
        Self { dir, store, pseudonyms }
    }

    async fn import_at(&self, files: &Files, at_us: i64) -> Summary {
        self.import_by(MAPPING, files, at_us).await
    }

    async fn import_by(&self, mapping: &str, files: &Files, at_us: i64) -> Summary {
        files.write(self.dir.path());
        let path = |name: &str| self.dir.path().join(name);
        std::fs::write(path("site.sql"), mapping).unwrap();
        // What no section reads is not given.
        let read = |n: &&&str| mapping.contains(&format!("raw_{n}"));
        let names = ["said", "staff", "visits", "forms"];
        let input = |n: &&str| format!("{n}={}.csv", path(n).display()).parse().unwrap();
        let request = Request {
            mapping: path("site.sql"),
            inputs: names.iter().filter(read).map(input).collect(),
            recordings_dir: Some(PathBuf::from(self.dir.path())),
            again: Again::Replace,
            memory: Memory::default(),
            database: None,
            statement_s: 60,
            on_error: tacit_node::intake::OnError::Reject,
            at_us,
        };
        let questionnaires = Catalogue::built_in().unwrap().questionnaires();
        let ports = Ports {
            pseudonyms: &self.pseudonyms,
            questionnaires: &questionnaires,
            recorder: &Always,
            progress: &Silent,
        };
        intake::import(&self.store, &request, &ports).await.unwrap()
    }

    async fn import(&self, files: &Files) -> Summary {
        self.import_at(files, NOW).await
    }

    async fn rows(&self, access: &Access) -> Rows {
        let text = STUDY.replace("LINKS", "1").replace("PRIOR", "2");
        let study = Study::parse(&text).unwrap();
        let catalogue = Catalogue::built_in().unwrap();
        feature::rows(&self.store, &study, &catalogue, &self.pseudonyms, access).await.unwrap()
    }

    /// Every canonical row as text, without the batch it came with, nor how a response's patient is known.
    async fn tables(&self) -> Vec<String> {
        let mut all = Vec::new();
        for table in TABLES {
            let sql = format!(
                "SELECT name FROM pragma_table_info('{table}') \
                 WHERE name NOT IN ('src', 'from_encounter')"
            );
            let columns: Vec<String> =
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(self.store.pool()).await.unwrap();
            let quoted: Vec<String> = columns.iter().map(|c| format!("quote({c})")).collect();
            let sql =
                format!("SELECT '{table} ' || {} FROM {table} ORDER BY 1", quoted.join("||','||"));
            let rows: Vec<String> =
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(self.store.pool()).await.unwrap();
            all.extend(rows);
        }
        all
    }

    async fn count(&self, what: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {what}");
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(self.store.pool()).await.unwrap()
    }

    async fn withdraw(&self, kind: Kind, id: &str, purposes: &[Purpose]) -> withdraw::Erased {
        let key = self.pseudonyms.key(kind, id);
        withdraw::withdraw(&self.store, (kind, &key), purposes, NOW).await.unwrap()
    }
}

type Plain = Vec<(Vec<u64>, u64, Vec<bool>)>;

fn plain(rows: &Rows) -> Plain {
    let bits = |x: &[f64]| x.iter().map(|v| v.to_bits()).collect();
    rows.rows.iter().map(|r| (bits(r.x()), r.y().to_bits(), r.member().to_vec())).collect()
}

#[tokio::test]
async fn who_withdrew_is_as_if_never_imported_now_and_after_every_later_import() {
    let mut rng = ChaCha20Rng::seed_from_u64(0x5eed_0030);
    for case in 0..40 {
        let files = Files::draw(&mut rng);
        let site = Site::new().await;
        site.import(&files).await;
        let patient = case % 2 == 0;
        let (kind, number, expected) = if patient {
            let number = rng.random_range(0..5);
            (Kind::Patient, number, files.without_patient(number))
        } else {
            let number = rng.random_range(0..2);
            (Kind::Person, number, files.without_clinician(number))
        };
        let letter = if patient { 'P' } else { 'D' };
        let erased = site.withdraw(kind, &format!("{letter}{number}"), &Purpose::ALL).await;
        let never = Site::new().await;
        never.import(&expected).await;
        let (tables, rows) =
            (never.tables().await, plain(&never.rows(&access(Basis::ByMapping)).await));
        assert_eq!(site.tables().await, tables, "case {case}");
        assert_eq!(plain(&site.rows(&access(Basis::ByMapping)).await), rows, "case {case}");
        assert!(patient || erased.rows().iter().any(|(table, _)| *table == "person"));
        // The same files again: nobody comes back, and no reject tells their lines.
        let summary = site.import(&files).await;
        assert_eq!(site.tables().await, tables, "case {case}, imported again");
        let of_clinicians = |r: &intake::summary::Reason| r.table_name == "person";
        assert!(!summary.reasons.iter().any(of_clinicians), "case {case}: {summary}");
        // An erasure is counted, by table.
        let counted = site.count("erasure").await;
        assert_eq!(usize::try_from(counted).unwrap(), erased.rows().len(), "case {case}");
        site.store.verify().await.unwrap();
    }
}

/// Three clinicians; each patient met one of them.
fn small() -> Files {
    let mut files = Files::default();
    for nr in 0..3 {
        files.staff.push((nr, "nurse,100".to_owned()));
        files.visits.push((nr, nr, Some(nr), "20,5".to_owned()));
        files.forms.push((nr, true, nr, Some(nr), None, 4));
    }
    files
}

#[tokio::test]
async fn the_site_s_rule_decides_whose_rows_count() {
    let mut files = small();
    files.said = "D0,,research-aggregate,given,2026-01-01,\n\
                  D1,,research-aggregate,refused,2026-01-01,\n\
                  ,P0,research-aggregate,given,2026-01-01,\n\
                  ,P1,research-aggregate,refused,2026-01-01,\n"
        .to_owned();
    let site = Site::new().await;
    site.import(&files).await;
    let encounters = |rows: &Rows| rows.encounters.clone();
    for (basis, expected) in
        [(Basis::ByMapping, vec![1, 1, 1]), (Basis::OptOut, vec![1, 1]), (Basis::Required, vec![1])]
    {
        assert_eq!(encounters(&site.rows(&access(basis)).await).len(), expected.len(), "{basis:?}");
        assert_eq!(encounters(&site.rows(&access(basis)).await), expected, "{basis:?}");
    }
    // Of patients alone: whose said no, or said nothing, is no encounter of anybody.
    let patients = |patients| Access {
        consent: Consent { patients, ..Consent::default() },
        ..access(Basis::ByMapping)
    };
    let mut found = encounters(&site.rows(&patients(Basis::OptOut)).await);
    found.sort_unstable();
    assert_eq!(found, [0, 1, 1]);
    let mut found = encounters(&site.rows(&patients(Basis::Required)).await);
    found.sort_unstable();
    assert_eq!(found, [0, 0, 1]);
    // A consent that is over is none; nor is one that has yet to begin.
    let later = |days: i64| Access { now_us: NOW + days * DAY, ..access(Basis::Required) };
    assert_eq!(site.rows(&later(0)).await.rows.len(), 1);
    assert_eq!(without(&site.store, &later(0)).await.unwrap(), Some((2, 3)));
    assert_eq!(without(&site.store, &access(Basis::OptOut)).await.unwrap(), None);
    assert_eq!(site.rows(&later(63)).await.rows.len(), 0, "366 days after the first of January");
    assert_eq!(site.rows(&later(-310)).await.rows.len(), 0);
}

#[tokio::test]
async fn the_latest_statement_counts_and_the_strictest_of_those_that_began_together() {
    let mut files = small();
    files.said = "D0,,research-aggregate,refused,2026-01-01,\n\
                  D0,,research-aggregate,given,2026-02-01,\n\
                  D1,,research-aggregate,given,2026-03-01,\n\
                  D1,,research-aggregate,refused,2026-03-01,\n\
                  D2,,research-aggregate,given,2026-02-01,2026-03-01\n"
        .to_owned();
    let site = Site::new().await;
    site.import(&files).await;
    let clinicians = Consent { clinicians: Basis::Required, patients: Basis::ByMapping };
    let of = |clinicians| Access { consent: clinicians, ..access(Basis::ByMapping) };
    assert_eq!(site.rows(&of(clinicians)).await.rows.len(), 1);
    let opt_out = Consent { clinicians: Basis::OptOut, patients: Basis::ByMapping };
    assert_eq!(site.rows(&of(opt_out)).await.rows.len(), 2);
}

#[tokio::test]
async fn what_is_no_statement_is_a_reject_with_its_line() {
    let mut files = small();
    files.said = ",,research-aggregate,given,2026-01-01,\n\
                  D0,P0,research-aggregate,given,2026-01-01,\n\
                  D0,,marketing,given,2026-01-01,\n\
                  D0,,research-aggregate,perhaps,2026-01-01,\n\
                  D0,,research-aggregate,given,2026-01-01,2025-12-31\n\
                  D1,,research-aggregate,given,2026-01-01,\n\
                  D1,,research-aggregate,given,2026-01-01,2026-06-01\n"
        .to_owned();
    let site = Site::new().await;
    let summary = site.import(&files).await;
    let reasons: Vec<String> = summary
        .reasons
        .iter()
        .filter(|r| r.table_name == "consent")
        .map(|r| format!("{} {} {}", r.column_name, r.reason, r.lines.clone().unwrap_or_default()))
        .collect();
    assert_eq!(
        reasons,
        [
            "person not either a person or a patient 2, 3",
            "person the key of an earlier row 8",
            "purpose not one of local-view, research-aggregate, heart, skin-conductance, wearable-summaries, facial-action-units 4",
            "state not one of given, refused, withdrawn 5",
            "to_us not after from_us 6",
        ]
    );
    assert_eq!(
        site.count("consent WHERE person IS NOT NULL AND patient IS NULL AND src IS NOT NULL")
            .await,
        1
    );
    // A registry that is exported again, with another end, renews what it said.
    files.said = "D1,,research-aggregate,given,2026-01-01,2026-06-01\n".to_owned();
    files.staff.push((9, "nurse,100".to_owned()));
    site.import(&files).await;
    assert_eq!(site.count("consent WHERE src IS NOT NULL").await, 1);
    assert_eq!(site.count("consent WHERE to_us IS NOT NULL AND src = 2").await, 1);
}

#[tokio::test]
async fn a_withdrawal_in_a_file_erases_outlives_its_batch_and_ends_with_a_later_consent() {
    let (plain_files, mut files) = (small(), small());
    let site = Site::new().await;
    site.import(&plain_files).await;
    files.said = "D0,,research-aggregate,withdrawn,2026-06-01,\n".to_owned();
    let summary = site.import(&files).await;
    let note = "consent: ";
    assert!(summary.notes.iter().any(|n| n.starts_with(note)), "{summary}");
    assert_eq!(site.tables().await.iter().filter(|row| row.starts_with("person ")).count(), 2);
    // The batch is replaced by one that says something else: the withdrawal stands.
    let otherwise = MAPPING.replace("purpose, state,", "purpose, 'given' AS state,");
    site.import_by(&otherwise, &files, NOW).await;
    let kept = "consent WHERE state = 'withdrawn' AND src IS NULL";
    assert_eq!(
        (site.count(kept).await, site.count("consent WHERE purpose = 'research-aggregate'").await),
        (1, 2)
    );
    let barred = "barred WHERE kind = 'person'";
    assert_eq!((site.count("person").await, site.count(barred).await), (2, 1));
    files.said = "D0,,research-aggregate,given,2026-07-01,\n".to_owned();
    site.import(&files).await;
    assert_eq!((site.count("person").await, site.count("barred").await), (3, 0));
}

#[tokio::test]
async fn recordings_need_a_consent_of_their_own_and_can_be_withdrawn_alone() {
    let mut files = small();
    files.said = "D0,,research-aggregate,given,2026-01-01,\nD0,,heart,given,2026-01-01,\n\
                  D1,,research-aggregate,given,2026-01-01,\n"
        .to_owned();
    let site = Site::new().await;
    sqlx::query("DELETE FROM consent").execute(site.store.pool()).await.unwrap();
    let summary = site.import(&files).await;
    let left_out =
        "device_session: 2 rows of people who did not consent to such recordings were left out";
    assert!(summary.notes.iter().any(|n| n == left_out), "{summary}");
    assert_eq!(site.count("feature").await, 1);
    let erased = site.withdraw(Kind::Person, "D0", &[Purpose::Heart]).await;
    assert_eq!(erased.rows(), [("feature", 1), ("device_session", 1)]);
    let summary = site.import(&files).await;
    assert_eq!((site.count("feature").await, site.count("person").await), (0, 3));
    let note =
        "device_session: 3 rows of people who did not consent to such recordings were left out";
    assert!(summary.notes.iter().any(|n| n == note), "{summary}");
}

#[tokio::test]
async fn a_clinician_s_refusal_or_exclusion_moves_no_other_row() {
    let mut rng = ChaCha20Rng::seed_from_u64(0x5eed_0031);
    let (mut refused, mut excluded) = (0, 0);
    for case in 0..40 {
        let mut files = Files::draw(&mut rng);
        let site = Site::new().await;
        site.import(&files).await;
        let before = plain(&site.rows(&access(Basis::OptOut)).await);
        if let Some((visit, ..)) = files.visits.first() {
            let key = site.pseudonyms.key(Kind::Encounter, &format!("V{visit}"));
            let said = (Word::Exclude, "too-private");
            assert!(annotation::annotate(&site.store, &key, said, NOW).await.unwrap());
            let found = site.rows(&access(Basis::OptOut)).await;
            let after = plain(&found);
            let moved = before.iter().zip(&after).filter(|(a, b)| a != b).count();
            assert!(moved <= 1 && before.len() == after.len(), "case {case}");
            excluded += found.excluded.excluded;
            assert!(annotation::take_back(&site.store, &key, Word::Exclude).await.unwrap());
            assert_eq!(plain(&site.rows(&access(Basis::OptOut)).await), before, "case {case}");
        }
        files.said = "D0,,research-aggregate,refused,2026-01-01,\n".to_owned();
        site.import(&files).await;
        let after = plain(&site.rows(&access(Basis::OptOut)).await);
        assert_eq!(after.len() + 1, before.len());
        let mut left = before.clone();
        for row in &after {
            let at = left.iter().position(|r| r == row);
            left.remove(at.unwrap_or_else(|| panic!("case {case}: another row moved")));
        }
        refused += left.len();
    }
    assert!(refused == 40 && excluded > 5, "{refused} {excluded}");
}

#[tokio::test]
async fn rows_are_kept_from_their_import_for_as_long_as_the_settings_say() {
    let site = Site::new().await;
    site.import_at(&small(), NOW - 31 * DAY).await;
    let keep = Retention { encounters: 30, answers: 40, features: 20 };
    let erased =
        retain::retain(&site.store, (keep, Modalities::EVERYTHING), NOW - 5 * DAY).await.unwrap();
    assert_eq!(erased.rows(), [("feature", 3), ("device_session", 3)]);
    let erased = retain::retain(&site.store, (keep, Modalities::EVERYTHING), NOW).await.unwrap();
    assert_eq!(erased.rows(), [("encounter", 3), ("period", 3), ("training", 3)]);
    // Whose the answers are is still known.
    assert_eq!(
        (site.count("person").await, site.count("response WHERE patient IS NOT NULL").await),
        (3, 3)
    );
    let erased =
        retain::retain(&site.store, (keep, Modalities::EVERYTHING), NOW + 10 * DAY).await.unwrap();
    assert_eq!(erased.rows(), [("answer", 30), ("response", 3), ("person", 3)]);
    assert_eq!(site.count("erasure WHERE why = 'retention'").await, 8);
    let erased =
        retain::retain(&site.store, (keep, Modalities::EVERYTHING), NOW + 11 * DAY).await.unwrap();
    assert_eq!((erased.rows().len(), erased.to_string().as_str()), (0, "  nothing"));
    site.store.verify().await.unwrap();
}

#[tokio::test]
async fn what_comes_from_a_body_goes_with_the_approval_that_let_it_be_held() {
    let site = Site::new().await;
    site.import_at(&small(), NOW - DAY).await;
    let keep = Retention { encounters: 30, answers: 40, features: 20 };
    let all = Modalities::EVERYTHING;
    let erased = retain::retain(&site.store, (keep, all.without(Modality::SkinConductance)), NOW);
    assert_eq!(erased.await.unwrap().rows().len(), 0);
    let ended = all.without(Modality::Heart);
    assert!(retain::due(&site.store, (keep, ended), NOW).await.unwrap());
    let erased = retain::retain(&site.store, (keep, ended), NOW).await.unwrap();
    assert_eq!(erased.rows(), [("feature", 3), ("device_session", 3)]);
    assert_eq!(site.count("erasure WHERE why = 'retention' AND rows = 3").await, 2);
    assert_eq!(site.count("person").await, 3);
    site.store.verify().await.unwrap();
}

#[tokio::test]
async fn the_commands_erase_and_never_keep_an_id() {
    use tacit_node::command::annotate::{AnnotateArgs, run as annotate};
    use tacit_node::command::retain::{RetainArgs, run as retain};
    use tacit_node::command::withdraw::{WithdrawArgs, run as withdraw};
    use tacit_node::config::Config;
    let mut site = Site::new().await;
    let dir = site.dir.path().to_owned();
    let config = Config::new("127.0.0.1:7843".parse().unwrap());
    std::fs::write(dir.join("node.toml"), config.to_toml().unwrap()).unwrap();
    site.pseudonyms = Pseudonyms::open_or_create(&dir).unwrap();
    let mut files = small();
    files.said = ",SECRET-ID-4711,local-view,given,2026-01-01,\n".to_owned();
    site.import(&files).await;
    let said = |id: &str, patient| WithdrawArgs {
        dir: dir.clone(),
        id: id.parse().unwrap(),
        patient,
        purpose: None,
    };
    let args = |id: &str, take_back: bool| AnnotateArgs {
        dir: dir.clone(),
        encounter: id.parse().unwrap(),
        kind: Word::Exclude,
        reason: (!take_back).then(|| "mistake".parse().unwrap()),
        take_back,
    };
    let page = annotate(&args("V1", false)).await.unwrap();
    assert_eq!(page, "The encounter and the answers about it do not count any more.");
    assert_eq!(annotate(&args("V1", true)).await.unwrap(), "The annotation was taken back.");
    let fault = annotate(&args("V1", true)).await.unwrap_err();
    assert_eq!(fault.message, "the encounter has no such annotation; nothing was changed");
    let fault = annotate(&args("V77", false)).await.unwrap_err();
    assert_eq!(fault.message, "the encounter is not here; nothing was changed");
    let page = withdraw(&said("P2", true)).await.unwrap();
    assert_eq!(
        page,
        "The patient withdrew: local-view, research-aggregate, heart, skin-conductance, wearable-summaries, facial-action-units. Erased:\n  answer                   10 rows\n\
         \x20 response                  1 rows\n  encounter                 1 rows\n\
         Imports leave them out from now on. What left before cannot be recalled; later rounds are without them."
    );
    let args = said("SECRET-ID-4711", true);
    assert!(!format!("{args:?}").contains("4711"), "{args:?}");
    let page = withdraw(&args).await.unwrap();
    assert!(page.contains("Erased:\n  nothing\nIf rows of theirs"), "{page}");
    let page = retain(&RetainArgs { dir: dir.clone() }).await.unwrap();
    assert!(
        page.starts_with("Encounters are kept 730 days, answers 730, features 365. Erased:"),
        "{page}"
    );
    site.store.close().await;
    for name in ["node.sqlite", "node.sqlite-wal"] {
        let bytes = std::fs::read(dir.join(name)).unwrap_or_default();
        assert!(!bytes.windows(11).any(|w| w == b"SECRET-ID-4"), "{name}");
    }
    // A key that was erased stands nowhere in the file but among those that imports are held against.
    assert_eq!(annotation_count(&dir).await, 0);
}

async fn annotation_count(dir: &Path) -> i64 {
    let store = Store::open(&dir.join("node.sqlite")).await.unwrap();
    let sql = "SELECT count(*) FROM encounter WHERE encounter IN (SELECT key FROM barred)";
    let count = sqlx::query_scalar(sql).fetch_one(store.pool()).await.unwrap();
    store.close().await;
    count
}

#[tokio::test]
async fn recordings_that_are_switched_off_are_neither_imported_nor_read() {
    struct Off;
    impl Recorder for Off {
        fn is_on(&self) -> bool {
            false
        }
        fn read(&self, _: &Path) -> Result<Vec<Reading>, String> {
            Err("read although switched off".to_owned())
        }
    }
    let site = Site::new().await;
    small().write(site.dir.path());
    let path = |name: &str| site.dir.path().join(name);
    std::fs::write(path("site.sql"), MAPPING).unwrap();
    let names = ["said", "staff", "visits", "forms"];
    let input = |n: &&str| format!("{n}={}.csv", path(n).display()).parse().unwrap();
    let request = Request {
        mapping: path("site.sql"),
        inputs: names.iter().map(input).collect(),
        recordings_dir: None,
        again: Again::Refuse,
        memory: Memory::default(),
        database: None,
        statement_s: 60,
        on_error: tacit_node::intake::OnError::Reject,
        at_us: NOW,
    };
    let questionnaires = Catalogue::built_in().unwrap().questionnaires();
    let (pseudonyms, questionnaires) = (&site.pseudonyms, questionnaires.as_slice());
    let ports = Ports { pseudonyms, questionnaires, recorder: &Off, progress: &Silent };
    let summary = intake::import(&site.store, &request, &ports).await.unwrap();
    assert_eq!(
        summary.notes,
        ["device_session: recordings are switched off in node.toml or not allowed by the profile"]
    );
    assert_eq!((site.count("device_session").await, site.count("encounter").await), (0, 3));
}

/// The sections of the mapping for some tables alone.
fn sections(names: &[&str]) -> String {
    let all =
        MAPPING.split("-- @").filter(|s| names.contains(&s.lines().next().unwrap_or_default()));
    all.fold(String::new(), |text, section| text + "-- @" + section)
}

/// A patient who met three clinicians and answered about each, naming the visit alone; staff, visits and answers
/// came in three batches.
async fn three_batches(files: &Files) -> Site {
    let site = Site::new().await;
    let mut files = files.clone();
    for (part, names) in
        [("1", &["person", "period"][..]), ("2", &["encounter"]), ("3", &["response", "answer"])]
    {
        // Each import has a file of its own, or it would replace the one before.
        files.said = format!(",P-nobody,local-view,given,2026-01-0{part},\n");
        site.import_by(&sections(names), &files, NOW).await;
    }
    site
}

fn one_patient() -> Files {
    let mut files = small();
    for (_, _, patient, _) in &mut files.visits {
        *patient = Some(0);
    }
    files
}

#[tokio::test]
async fn a_patient_s_answers_stay_theirs_once_the_batch_of_their_visits_is_gone() {
    let files = one_patient();
    let with = three_batches(&files).await;
    let without = three_batches(&files.without_patient(0)).await;
    let moved = async || {
        let with = plain(&with.rows(&access(Basis::ByMapping)).await);
        let without = plain(&without.rows(&access(Basis::ByMapping)).await);
        assert_eq!((with.len(), without.len()), (3, 3));
        with.iter().zip(&without).filter(|(a, b)| a != b).count()
    };
    assert_eq!(moved().await, 1, "one link a patient counts");
    for site in [&with, &without] {
        batch::withdraw(&site.store, 2, Dependents::Refuse, NOW).await.unwrap();
        assert_eq!(site.count("encounter").await, 0);
    }
    assert_eq!(moved().await, 1, "and so it is without the encounters");
    assert_eq!(with.count("response WHERE from_encounter = 1 AND patient IS NOT NULL").await, 3);
    // The visits again, by a mapping that names patients otherwise: what it says now counts.
    let mapping = sections(&["encounter"]).replace("nullif(patient, '')", "'X' || patient");
    let mut again = files.clone();
    again.said = ",P-nobody,local-view,given,2026-01-04,\n".to_owned();
    with.import_by(&mapping, &again, NOW).await;
    assert_eq!(with.count("response WHERE from_encounter = 1 OR patient IS NOT NULL").await, 0);
    // And the patient's withdrawal still finds what they answered.
    batch::withdraw(&with.store, 4, Dependents::Refuse, NOW).await.unwrap();
    let erased = with.withdraw(Kind::Patient, "XP0", &Purpose::ALL).await;
    assert_eq!(erased.rows(), [("answer", 30), ("response", 3)]);
}

#[tokio::test]
async fn an_answer_about_a_visit_that_was_not_taken_over_is_its_patient_s_all_the_same() {
    let mut files = one_patient();
    files.visits[1].3 = "20,9".to_owned(); // no such acuity
    files.visits[2].3 = "20,9".to_owned();
    let site = Site::new().await;
    let summary = site.import(&files).await;
    assert_eq!(site.count("encounter").await, 1, "{summary}");
    assert_eq!(site.count("response WHERE from_encounter = 1 AND patient IS NOT NULL").await, 2);
    assert!(!summary.to_string().contains("without a patient's id"), "{summary}");
    let without = Site::new().await;
    without.import(&files.without_patient(0)).await;
    let with = plain(&site.rows(&access(Basis::ByMapping)).await);
    let without = plain(&without.rows(&access(Basis::ByMapping)).await);
    assert_eq!(with.iter().zip(&without).filter(|(a, b)| a != b).count(), 1);
    // A visit that comes in later names nobody who withdrew: their answer stays out with it.
    site.withdraw(Kind::Patient, "P0", &Purpose::ALL).await;
    files.visits.push((7, 0, Some(0), "20,5".to_owned()));
    files.forms.push((7, true, 0, Some(7), None, 4));
    let summary = site.import(&files).await;
    assert_eq!((site.count("encounter").await, site.count("response").await), (0, 0), "{summary}");
    // Where nothing tells, it is said.
    files.forms.push((8, true, 0, None, None, 4));
    files.visits.push((9, 0, None, "20,5".to_owned()));
    files.forms.push((9, true, 0, Some(9), None, 4));
    let summary = site.import(&files).await;
    let note = "  noted     without a patient's id: 1 encounters, 2 questionnaires of patients; each counts as a patient \
                of its own\n";
    assert!(summary.to_string().contains(note), "{summary}");
}

#[tokio::test]
async fn an_export_that_comes_again_finds_its_answers_there_after_their_visits_were_erased() {
    let site = three_batches(&one_patient()).await;
    let keep = Retention { encounters: 1, answers: 40, features: 1 };
    retain::retain(&site.store, (keep, Modalities::EVERYTHING), NOW + 2 * DAY).await.unwrap();
    assert_eq!(site.count("response WHERE from_encounter = 1").await, 3);
    let mut again = one_patient();
    again.said = ",P-nobody,local-view,given,2026-01-05,\n".to_owned();
    let sections = sections(&["consent", "response", "answer"]);
    let summary = site.import_by(&sections, &again, NOW + 3 * DAY).await;
    let response = &summary.tables[1];
    assert_eq!((response.accepted, response.known, response.rejected), (0, 3, 0), "{summary}");
}

#[tokio::test]
async fn a_refusal_outlives_its_batch_however_often_it_was_said() {
    let mut files = small();
    files.said = "D0,,research-aggregate,refused,2026-01-01,\n".to_owned();
    let site = Site::new().await;
    site.import(&files).await;
    files.said += "D1,,research-aggregate,given,2026-01-01,\n";
    let summary = site.import_by(&sections(&["consent"]), &files, NOW).await;
    assert_eq!((summary.tables[0].accepted, summary.tables[0].rejected), (2, 0));
    assert_eq!(site.count("consent WHERE state = 'refused' AND src = 1").await, 1);
    batch::withdraw(&site.store, 2, Dependents::Refuse, NOW).await.unwrap();
    assert_eq!(site.rows(&access(Basis::OptOut)).await.rows.len(), 2);
    // Nor does the batch that brought it first take it along.
    site.import_by(&sections(&["consent"]), &files, NOW).await;
    batch::withdraw(&site.store, 1, Dependents::Withdraw, NOW).await.unwrap();
    assert_eq!(site.count("consent WHERE state = 'refused'").await, 1);
    files.said = String::new();
    site.import(&files).await;
    assert_eq!(site.rows(&access(Basis::OptOut)).await.rows.len(), 2);
    // Repeated by a batch with another end, a consent is that one's.
    files.said = "D1,,research-aggregate,given,2026-01-01,2026-12-31\n".to_owned();
    site.import_by(&sections(&["consent"]), &files, NOW).await;
    assert_eq!(
        site.count("consent WHERE state = 'given' AND to_us IS NOT NULL AND src = 5").await,
        1
    );
}
