//! What programmes of empathy are judged by, from the files of a small hospital to rows that are worked out by hand.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use sqlx::{AssertSqlSafe, ConnectOptions as _};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use tacit_node::config::{Basis, Consent, Modalities};
use tacit_node::intake::progress::Silent;
use tacit_node::intake::recording::{Reading, Recorder};
use tacit_node::intake::summary::Summary;
use tacit_node::intake::{self, Again, Ports, Request};
use tacit_node::measure::feature::{self, Rows, pin, spread};
use tacit_node::measure::instrument::Catalogue;
use tacit_node::office::quality_page::{Missing, Standing};
use tacit_node::store::Store;
use tacit_node::store::consent::Access;
use tacit_node::store::pseudonym::Pseudonyms;
use tacit_shared::fault::Fault;
use tacit_shared::study::Study;

const ACCESS: Access = Access {
    consent: Consent { clinicians: Basis::ByMapping, patients: Basis::ByMapping },
    modalities: Modalities::EVERYTHING,
    now_us: 1_793_491_200_000_000,
};
const HEAD: &str = r#"
format = 1
id = "small"
title = "A small study"
question = "Does it hold?"
purpose = "research-aggregate"
recipients = [{ name = "research-consortium", class = "research" }]
limits = ["No decision about a person."]
groups = []
fairness = { groups = [], phi = 0.5 }
privacy = { epsilon = 2.0, delta = 1e-6, min_sites = 4, rounds_per_year = 4, norm_cap = 2.5, shares = { matrix = 0.3, moment = 0.35, square = 0.03, group_heads = 0.03, group_residual = 0.09, group_features = 0.03, site_heads = 0.05, site_residual = 0.05, site_features = 0.05, meta = 0.02 } }
allocation = { pool_cents = 100000000, currency = "EUR", floor_percent_per_head = 80, cap_percent_per_head = 130 }
period = { from = "2026-07-01", to = "2026-10-01" }
population = { roles = ["physician", "nurse"], clinicians_per_site_max = 40, links_per_patient = 1, sites_per_patient = 1 }
"#;
const MAPPING: &str = "\
-- @person
SELECT who AS person, 'nurse' AS role, field AS specialty, 1 AS active, band AS age_band, gender AS gender,
       trained AS training_country, _line AS line FROM raw_staff
-- @encounter
SELECT visit AS encounter, who AS person, patient AS patient, unixepoch(day) * 1000000 AS start_us, 0 AS tz_min,
       minutes AS minutes, acuity AS acuity, channel AS channel, ai AS ai_share, scribe AS scribe_minutes,
       call AS call_minutes, present AS presence_minutes, broken AS interruptions, language AS language,
       deprived AS deprivation_band, payer AS payer, back AS readmit_30d, ed AS ed_30d, _line AS line FROM raw_visits
-- @training
SELECT who AS person, programme AS programme, unixepoch(began) * 1000000 AS from_us,
       unixepoch(ended) * 1000000 AS to_us, hours AS hours, _line AS line FROM raw_courses
-- @response
SELECT form AS response, instrument AS instrument, version AS version, 'patient' AS respondent, who AS person,
       patient AS patient, unixepoch(day) * 1000000 AS authored_us, _line AS line FROM raw_forms
-- @answer
SELECT form AS response, 'q' || value AS item, code AS code, _line AS line FROM raw_forms,
       json_each('[1,2,3,4,5,6,7,8,9,10]') WHERE instrument = 'care-measure'
UNION ALL
SELECT form, 'q' || value, code, _line FROM raw_forms, json_each('[1,2,3]') WHERE instrument = 'collaborate-10pt'
";
const STAFF: &str = "who,field,band,gender,trained\n\
    A,internal,age-35-44,female,abroad\nB,oncology,,,\nC,internal,age-45-54,male,here\n";
const VISITS: &str = "visit,who,patient,day,minutes,acuity,channel,ai,scribe,call,present,broken,language,deprived,payer,back,ed\n\
    V1,A,P1,2026-07-02,20,2,in_person,0.5,3,,15,2,de,high,public,1,0\n\
    V2,A,P1,2026-07-10,10,4,phone,0,,12,10,1,tr,high,public,,1\n\
    V3,A,P2,2026-08-01,30,1,video,,,,,,,low,,0,0\n\
    V4,A,P2,2026-05-05,25,3,in_person,,,,,,,,,,\n\
    V5,A,P5,2026-01-15,40,3,in_person,,,,,,,,,,\n\
    V6,B,P3,2026-07-05,12,3,phone,,,9,,,,,,,\n\
    V7,A,P7,2026-07-05,12,3,phone,,,,,,DE,,,,\n\
    V8,A,P7,2026-07-05,12,3,phone,,,,13,,,,,,\n";
const COURSES: &str = "who,programme,began,ended,hours\n\
    A,listening,2026-03-01,2026-04-20,6\nB,listening,2026-05-01,,6\nC,hospitality,2025-01-01,2025-02-01,\n\
    C,listening,2026-02-01,2026-01-01,6\n";
const FORMS: &str = "form,who,patient,instrument,version,day,code\n\
    F1,A,P1,care-measure,,2026-07-03,4\nF2,A,P2,care-measure,2004,2026-08-03,5\n\
    F3,B,P3,care-measure,1999,2026-08-03,5\n";

struct Nothing;

impl Recorder for Nothing {
    fn read(&self, _: &Path) -> Result<Vec<Reading>, String> {
        Err("none".to_owned())
    }
}

struct Site {
    dir: tempfile::TempDir,
    store: Store,
    catalogue: Catalogue,
    pseudonyms: Pseudonyms,
}

impl Site {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
        let catalogue = Catalogue::built_in().unwrap();
        Self { dir, store, catalogue, pseudonyms: Pseudonyms::new(&[7; 32]) }
    }

    /// A site with the hospital's files in, and what became of them.
    async fn with_files() -> (Self, Summary) {
        let site = Self::new().await;
        let summary = site.import([STAFF, VISITS, COURSES, FORMS]).await;
        (site, summary)
    }

    async fn import(&self, files: [&str; 4]) -> Summary {
        let path = |name: &str| self.dir.path().join(name);
        std::fs::write(path("site.sql"), MAPPING).unwrap();
        let names = ["staff", "visits", "courses", "forms"];
        let mut inputs = Vec::new();
        for (name, text) in names.iter().zip(files) {
            std::fs::write(path(name).with_extension("csv"), text).unwrap();
            inputs.push(format!("{name}={}.csv", path(name).display()).parse().unwrap());
        }
        let request = Request {
            mapping: path("site.sql"),
            inputs,
            recordings_dir: None,
            again: Again::Refuse,
            database: None,
            statement_s: 60,
            on_error: tacit_node::intake::OnError::Reject,
            at_us: ACCESS.now_us,
            memory: tacit_node::intake::stream::Memory::default(),
        };
        let questionnaires = self.catalogue.questionnaires();
        let ports = Ports {
            pseudonyms: &self.pseudonyms,
            questionnaires: &questionnaires,
            recorder: &Nothing,
            progress: &Silent,
        };
        intake::import(&self.store, &request, &ports).await.unwrap()
    }

    /// Lets the site use an instrument that needs a licence.
    fn licensed(mut self, instrument: &str) -> Self {
        let reference = serde_json::from_str("\"letter of 2026-01-01\"").unwrap();
        let licences = BTreeMap::from([(instrument.parse().unwrap(), reference)]);
        self.catalogue = self.catalogue.with_licences(&licences).unwrap();
        self
    }

    async fn rows(&self, study: &str) -> Result<Rows, Fault> {
        let study = Study::parse(study).unwrap();
        feature::rows(&self.store, &study, &self.catalogue, &self.pseudonyms, &ACCESS).await
    }

    /// The values of one source for A, B and C in its own unit. `bounds`: low, high, centre, n₀.
    async fn values(&self, source: &str, bounds: (f64, f64, f64, u32)) -> Vec<f64> {
        let found = self.rows(&study(source, bounds, "")).await.unwrap();
        let (low, high, centre, _) = bounds;
        let mut by_clinician = vec![f64::NAN; 3];
        for (row, at) in found.rows.iter().zip(self.order()) {
            by_clinician[at] = row.x()[1] * (high - low) / 2.0 + centre;
        }
        by_clinician
    }

    /// Which of A, B and C each row is: rows stand in the order of their keys.
    fn order(&self) -> Vec<usize> {
        use tacit_node::store::pseudonym::Kind;
        let mut keys: Vec<_> = ["A", "B", "C"]
            .iter()
            .enumerate()
            .map(|(at, id)| (self.pseudonyms.key(Kind::Person, id), at))
            .collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, at)| at).collect()
    }
}

/// A study with one feature from a source, and whatever else.
fn study(source: &str, (low, high, centre, prior): (f64, f64, f64, u32), more: &str) -> String {
    let pins = pin::lines(&Catalogue::built_in().unwrap()).unwrap();
    format!(
        "{HEAD}\n{pins}\n[outcome]\nid = \"experience\"\nlabel = \"Care\"\nsource = \"scale:care-measure:total\"\nunit = \"points\"\n\
         low = 10.0\nhigh = 50.0\ncentre = 38.0\nresidual_bound = 12.0\nprior_count = 0\n\n\
         [[features]]\nid = \"it\"\nlabel = \"It\"\nsource = \"{source}\"\nlow = {low:?}\nhigh = {high:?}\n\
         centre = {centre:?}\nrms = 0.5\nprior_count = {prior}\n{more}"
    )
}

fn near(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-12, "{what}: {found:?} is not {expected:?}");
    }
}

#[tokio::test]
async fn what_breaks_a_rule_is_a_reject_with_its_reason() {
    let (site, summary) = Site::with_files().await;
    let found: Vec<String> = summary
        .reasons
        .iter()
        .map(|r| format!("{}.{}: {} ({})", r.table_name, r.column_name, r.reason, r.rows))
        .collect();
    for expected in [
        "encounter.language: not a lower-case word (a-z, 0-9, - and _; 48 at most) (1)",
        "encounter.presence_minutes: more than minutes (1)",
        "training.to_us: before from_us (1)",
        "response.version: not the version of the instrument that this node has (1)",
    ] {
        assert!(found.iter().any(|reason| reason == expected), "{expected}: {found:?}");
    }
    // A training that comes again with its end replaces what was known of it.
    let ended = COURSES.replace("2026-05-01,,6", "2026-05-01,2026-06-01,6");
    site.import([STAFF, VISITS, &ended, FORMS]).await;
    near(&site.values("trained:listening", (0.0, 1.0, 0.5, 0)).await, &[1.0, 1.0, 0.0], "ended");
}

#[tokio::test]
async fn every_source_is_as_worked_out_by_hand() {
    let (site, _) = Site::with_files().await;
    let share = (0.0, 1.0, 0.5, 0);
    let minutes = (0.0, 60.0, 30.0, 0);
    // A, B and C; 0.5 and 30 are centres: nothing is known.
    for (source, bounds, expected) in [
        ("minutes-mean", minutes, [20.0, 12.0, 30.0]),
        ("minutes-mean:phone", minutes, [10.0, 12.0, 30.0]),
        ("presence-minutes-mean", minutes, [12.5, 30.0, 30.0]),
        ("scribe-minutes-mean", minutes, [3.0, 30.0, 30.0]),
        ("call-minutes-mean", minutes, [12.0, 9.0, 30.0]),
        ("ai-share", share, [0.25, 0.5, 0.5]),
        ("remote-share", share, [2.0 / 3.0, 1.0, 0.5]),
        ("channel-share:in_person", share, [1.0 / 3.0, 0.0, 0.5]),
        ("channel-share:video", share, [1.0 / 3.0, 0.0, 0.5]),
        ("routine-share", share, [2.0 / 3.0, 0.0, 0.5]),
        // P1 was met again, P2 was met in May; P3 is new.
        ("continuity-share", share, [2.0 / 3.0, 0.0, 0.5]),
        ("language-share:tr", share, [0.5, 0.5, 0.5]),
        ("language-share:xx", share, [0.0, 0.5, 0.5]),
        ("other-language-share:xx", share, [1.0, 0.5, 0.5]),
        ("patient-group-share:deprivation-band:high", share, [2.0 / 3.0, 0.5, 0.5]),
        ("patient-group-share:payer:public", share, [1.0, 0.5, 0.5]),
        ("patient-group-share:age-band:over-80", share, [0.5, 0.5, 0.5]),
        ("readmission-share", share, [0.5, 0.5, 0.5]),
        ("ed-share", share, [1.0 / 3.0, 0.5, 0.5]),
        // n₀ = 4 counts three encounters as four: 0.5 + (0 + 1 + 0 − 1.5)/4.
        ("ed-share", (0.0, 1.0, 0.5, 4), [0.375, 0.5, 0.5]),
        ("trained", share, [1.0, 0.0, 1.0]),
        ("trained:listening", share, [1.0, 0.0, 0.0]),
        ("trained-within:89", share, [1.0, 0.0, 0.0]),
        ("trained-within:72:listening", share, [1.0, 0.0, 0.0]),
        ("trained-within:71:listening", share, [0.0, 0.0, 0.0]),
        ("in-stratum:gender:female", share, [1.0, 0.5, 0.0]),
        ("in-stratum:training-country:here", share, [0.0, 0.5, 1.0]),
    ] {
        near(&site.values(source, bounds).await, &expected, source);
    }
}

#[tokio::test]
async fn a_stratum_is_a_factor_and_not_stated_is_a_level() {
    let (site, _) = Site::with_files().await;
    let factor = |levels: &str| {
        format!(
            "\n[[features]]\nid = \"band\"\nlabel = \"Band\"\nsource = \"stratum:age-band\"\nrms = 0.5\nlevels = [{levels}]\n"
        )
    };
    let bounds = (0.0, 60.0, 30.0, 0);
    let all =
        study("minutes-mean", bounds, &factor("\"age-35-44\", \"age-45-54\", \"not-stated\""));
    let found = site.rows(&all).await.unwrap();
    assert_eq!((found.rows.len(), found.outside_population), (3, 0));
    let mut levels = vec![[0.0; 2]; 3];
    for (row, at) in found.rows.iter().zip(site.order()) {
        levels[at] = [row.x()[2], row.x()[3]];
    }
    assert_eq!(levels, [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]]);
    let two = study("minutes-mean", bounds, &factor("\"age-35-44\", \"age-45-54\""));
    let found = site.rows(&two).await.unwrap();
    assert_eq!((found.rows.len(), found.outside_population), (2, 1));
}

#[tokio::test]
async fn a_composite_is_over_one_pattern_for_everybody() {
    let (site, _) = Site::with_files().await;
    let share = (0.0, 1.0, 0.6, 0);
    // CARE: 40 and 50 of A; (45 − 10)/40. Of B the only form was of another edition.
    let care = 35.0 / 40.0;
    let source = "composite:empathy_score:10";
    near(&site.values(source, share).await, &[care, 0.6, 0.6], source);
    let drawn = 0.6 + (care - 0.6) * 2.0 / 5.0;
    near(&site.values(source, (0.0, 1.0, 0.6, 5)).await, &[drawn, 0.6, 0.6], "two of five");
    // Minutes over typical ones: 20 of 21, 10 of 12, 30 of 18; two of three patients were met before.
    let ratio = (20.0 / 21.0 + 10.0 / 12.0 + 30.0 / 18.0) / 3.0;
    let minutes = 0.6 + 0.4 * (ratio - 1.0) / 0.5;
    let engaged = (0.4 * minutes + 0.25 * 2.0 / 3.0) / 0.65;
    // B: 12 of 12 minutes by telephone, a new patient.
    let of_b = 0.4 * 0.6 / 0.65;
    let source = "composite:engagement:1001";
    near(&site.values(source, share).await, &[engaged, of_b, 0.6], source);
    // Three interruptions in thirty minutes are six an hour: 0.5. Of B none is known, so there is no score over this.
    let interrupted = (0.4 * minutes + 0.25 * 2.0 / 3.0 + 0.1 * 0.5) / 0.75;
    let source = "composite:engagement:1011";
    near(&site.values(source, share).await, &[interrupted, 0.6, 0.6], source);
    let found = site.rows(&study(source, share, "")).await.unwrap();
    assert!(found.at_centre.contains(&("features.it".to_owned(), 2)));
    assert_eq!(found.rows.len(), 3, "a clinician without a score keeps their row");
    let scored: Vec<&str> = found.scored_by.iter().map(|by| by.instrument.as_str()).collect();
    assert_eq!(scored, ["care-measure", "engagement"]);
    let file = include_str!("../../configs/composites/engagement.toml");
    let digest = tacit_shared::codec::sha256(file.as_bytes()).to_string();
    assert_eq!(found.scored_by[1].sha256, digest);
}

#[tokio::test]
async fn a_pattern_without_a_score_or_a_licence_is_refused() {
    let (site, _) = Site::with_files().await;
    let share = (0.0, 1.0, 0.6, 0);
    for (source, message) in [
        ("composite:relational-experience", "instrument `collaborate-10pt` is locked"),
        ("composite:relational-experience:01", "the pattern leaves out `care`, without which"),
        (
            "composite:engagement:0001",
            "the pattern has 0.4 of the weight of composite `engagement`",
        ),
        (
            "composite:engagement:11",
            "composite `engagement` has 4 weighted components, by id continuity, decisions, interruptions, minutes; \
             the pattern has 2 marks",
        ),
    ] {
        let fault = site.rows(&study(source, share, "")).await.unwrap_err();
        assert!(fault.message.contains(message), "{source}: {fault}");
        assert_eq!(fault.place.as_deref(), Some("features.it"));
    }
    // With the licence the study is measured; who lacks a component has no score, and their row.
    let site = site.licensed("collaborate-10pt");
    let source = "composite:relational-experience";
    near(&site.values(source, share).await, &[0.6, 0.6, 0.6], source);
    let forms = FORMS.to_owned() + "F4,A,P2,collaborate-10pt,2014,2026-08-03,6\n";
    site.import([STAFF, VISITS, COURSES, &forms]).await;
    let both = 0.7 * 35.0 / 40.0 + 0.3 * 6.0 / 9.0;
    near(&site.values(source, share).await, &[both, 0.6, 0.6], source);
    let found = site.rows(&study(source, share, "")).await.unwrap();
    assert_eq!(found.scored_by.len(), 3);
}

#[tokio::test]
async fn a_change_is_the_period_less_the_earlier_days() {
    let (site, _) = Site::with_files().await;
    let bounds = (-60.0, 60.0, 1.0, 0);
    // A: 20 minutes now, 40 in January. B was not there in January.
    let source = "change:181:minutes-mean";
    near(&site.values(source, bounds).await, &[-20.0, 1.0, 1.0], source);
    // One encounter in January, n₀ = 4: a quarter of the way.
    near(
        &site.values(source, (-60.0, 60.0, 1.0, 4)).await,
        &[1.0 - 21.0 / 4.0, 1.0, 1.0],
        "one of four",
    );
    // No earlier day but January's counts, and no answer was given then.
    near(&site.values("change:92:minutes-mean", bounds).await, &[-5.0, 1.0, 1.0], "in May");
    let score = "change:181:scale:care-measure:total";
    near(&site.values(score, (-40.0, 40.0, 0.0, 0)).await, &[0.0, 0.0, 0.0], score);
    let known = site.rows(&study(score, (-40.0, 40.0, 0.0, 0), "")).await.unwrap();
    assert!(known.at_centre.contains(&("features.it".to_owned(), 3)));
}

/// With A in January and with B in July: with K = 1 the patient counts for one of them in all, not for one in each.
#[tokio::test]
async fn a_patient_s_links_are_those_of_both_spans_together() {
    let moved = VISITS.to_owned()
        + "V20,A,P9,2026-01-16,41,3,in_person,,,,,,,,,,\nV21,B,P9,2026-07-06,13,3,in_person,,,,,,,,,,\n";
    let site = Site::new().await;
    site.import([STAFF, &moved, COURSES, FORMS]).await;
    let alone = site.rows(&study("minutes-mean", (0.0, 60.0, 30.0, 0), "")).await.unwrap();
    assert_eq!((alone.links.pairs, alone.links.dropped), (4, 0));
    let bounds = (-60.0, 60.0, 0.0, 0);
    let both = site.rows(&study("change:181:minutes-mean", bounds, "")).await.unwrap();
    assert_eq!((both.links.pairs, both.links.dropped), (6, 1));
    let minutes = "\n[[features]]\nid = \"now\"\nlabel = \"Now\"\nsource = \"minutes-mean\"\nlow = 0.0\nhigh = 60.0\n\
                   centre = 30.0\nrms = 0.5\n";
    let found = site.rows(&study("change:181:minutes-mean", bounds, minutes)).await.unwrap();
    let of = |at: usize| site.order().iter().position(|who| *who == at).unwrap();
    let now_of_b = found.rows[of(1)].x()[2] * 30.0 + 30.0;
    let before_of_a = 20.0 - found.rows[of(0)].x()[1] * 60.0;
    let with_a = (before_of_a - 40.5).abs() < 1e-9 && (now_of_b - 12.0).abs() < 1e-9;
    let with_b = (before_of_a - 40.0).abs() < 1e-9 && (now_of_b - 12.5).abs() < 1e-9;
    assert!(with_a != with_b, "{before_of_a} {now_of_b}");
}

#[tokio::test]
async fn what_a_study_misses_here_is_told_with_what_to_import() {
    let (site, _) = Site::with_files().await;
    let missing = async |source: &str, (low, high): (f64, f64)| -> Vec<String> {
        let study = Study::parse(&study(source, (low, high, low, 0), "")).unwrap();
        let standing = (Standing::Named, None);
        let read = (&site.pseudonyms, &ACCESS);
        let found = spread::of_study(&site.store, &study, standing, &site.catalogue, read).await;
        let told = |m: Missing| format!("{}: {}; {}", m.part, m.what, m.hint.unwrap_or_default());
        found.unwrap().missing.into_iter().map(told).collect()
    };
    for (source, bounds, expected) in [
        (
            "trained:resilience",
            (0.0, 1.0),
            "features.it: nobody here counts as trained by `trained:resilience`; import trainings with their end (section @training)",
        ),
        (
            "patient-group-share:group:asylum",
            (0.0, 1.0),
            "features.it: no clinician has a value from `patient-group-share:group:asylum` in the period; \
             import encounters with this column (section @encounter)",
        ),
        (
            "change:181:scale:care-measure:total",
            (-40.0, 40.0),
            "features.it: no clinician has a value from `change:181:scale:care-measure:total` in the period; \
             import responses and their answers (sections @response, @answer)",
        ),
    ] {
        let found = missing(source, bounds).await;
        assert!(found.iter().any(|one| one == expected), "{found:?}");
    }
    assert_eq!(missing("trained:listening", (0.0, 1.0)).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_store_of_an_earlier_version_opens_with_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node.sqlite");
    let mut earlier = sqlx::migrate!("./migrations");
    let before: Vec<_> = earlier.migrations.iter().filter(|m| m.version < 60).cloned().collect();
    assert!(before.len() < earlier.migrations.len());
    earlier.migrations = Cow::Owned(before);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    earlier.run(&mut connection).await.unwrap();
    let key = "x'00000000000000000000000000000001'";
    for sql in [
        "INSERT INTO import_batch VALUES (1, 0, zeroblob(32), zeroblob(32))".to_owned(),
        format!("INSERT INTO person VALUES ({key}, 'nurse', 'internal', NULL, NULL, 1, 1)"),
        format!(
            "INSERT INTO encounter VALUES ({key}, {key}, NULL, unixepoch('2026-07-02') * 1000000, NULL, 0, 20, NULL, 3, \
             'in_person', NULL, NULL, NULL, NULL, 1)"
        ),
    ] {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }
    sqlx::Connection::close(connection).await.unwrap();
    let store = Store::open(&path).await.unwrap();
    let catalogue = Catalogue::built_in().unwrap();
    let pseudonyms = Pseudonyms::new(&[7; 32]);
    for (source, expected) in [("minutes-mean", 20.0), ("presence-minutes-mean", 30.0)] {
        let study = Study::parse(&study(source, (0.0, 60.0, 30.0, 0), "")).unwrap();
        let found = feature::rows(&store, &study, &catalogue, &pseudonyms, &ACCESS).await.unwrap();
        near(&[found.rows[0].x()[1] * 30.0 + 30.0], &[expected], source);
    }
    store.close().await;
}
