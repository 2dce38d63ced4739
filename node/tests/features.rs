//! A small hospital whose feature rows are worked out by hand.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use sqlx::AssertSqlSafe;
use tacit_node::config::{Basis, Consent, Modalities};
use tacit_node::measure::feature::{self, Rows, pin};
use tacit_node::measure::instrument::Catalogue;
use tacit_node::store::Store;
use tacit_node::store::consent::Access;
use tacit_node::store::pseudonym::Pseudonyms;
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
roles = ["physician", "nurse"]
clinicians_per_site_max = 4
links_per_patient = 1
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
id = "volume"
label = "Encounters a month"
source = "volume"
low = 0.0
high = 200.0
centre = 100.0
rms = 0.3

[[features]]
id = "nights"
label = "Night share"
source = "night-share"
low = 0.0
high = 1.0
centre = 0.2
rms = 0.3

[[features]]
id = "heart"
label = "Mean heart rate"
source = "mean-hr"
low = 40.0
high = 120.0
centre = 80.0
rms = 0.3

[[features]]
id = "cbi"
label = "Personal burnout"
source = "scale:copenhagen-burnout:personal"
low = 0.0
high = 100.0
centre = 40.0
rms = 0.3
prior_count = 10

[[features]]
id = "specialty"
label = "Specialty"
source = "specialty"
rms = 0.4
levels = ["internal", "oncology"]

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

/// The settings of a site that left everything to its mapping.
const ACCESS: Access = Access {
    consent: Consent { clinicians: Basis::ByMapping, patients: Basis::ByMapping },
    modalities: Modalities::EVERYTHING,
    now_us: NOW,
};
/// 2026-11-01.
const NOW: i64 = 1_793_491_200_000_000;
const A: u8 = 0xa1;
const B: u8 = 0xb1;
const P1: u8 = 0x11;
const P2: u8 = 0x12;
const P3: u8 = 0x13;

/// An SQL literal for a key of sixteen equal bytes.
fn key(byte: u8) -> String {
    format!("x'{}'", format!("{byte:02x}").repeat(16))
}

fn time(day: &str) -> String {
    format!("unixepoch('{day}') * 1000000")
}

async fn run(store: &Store, sql: String) {
    sqlx::query(AssertSqlSafe(sql)).execute(store.pool()).await.unwrap();
}

async fn person(store: &Store, byte: u8, role: &str, specialty: &str, active: u8) {
    let key = key(byte);
    let sql = format!(
        "INSERT INTO person (person, role, specialty, grade_band, site_unit, active, src) \
         VALUES ({key}, '{role}', '{specialty}', NULL, NULL, {active}, 1)"
    );
    run(store, sql).await;
}

/// An encounter: key, clinician, patient, day, acuity, interpreter.
async fn encounter(
    store: &Store,
    byte: u8,
    whom: (u8, Option<u8>),
    day: &str,
    acuity: u8,
    interpreter: &str,
) {
    let patient = whom.1.map_or("NULL".to_owned(), key);
    let sql = format!(
        "INSERT INTO encounter (encounter, person, patient, start_us, end_us, tz_min, minutes, specialty, acuity, channel, \
         ai_share, interpreter, readmit_30d, ed_30d, src) VALUES ({}, {}, {patient}, {}, NULL, 0, 20, NULL, {acuity}, 'in_person', NULL, \
         {interpreter}, NULL, NULL, 1)",
        key(byte),
        key(whom.0),
        time(day)
    );
    run(store, sql).await;
}

/// A response to the CARE measure with one code for all ten items.
async fn care(store: &Store, byte: u8, person: u8, links: (Option<u8>, Option<u8>), code: u8) {
    let or_null = |k: Option<u8>| k.map_or("NULL".to_owned(), key);
    let sql = format!(
        "INSERT INTO response VALUES ({}, 'care-measure', NULL, 'patient', {}, {}, {}, {}, 1, 0)",
        key(byte),
        key(person),
        or_null(links.0),
        or_null(links.1),
        time("2026-07-20")
    );
    run(store, sql).await;
    for item in 1..=10 {
        run(store, format!("INSERT INTO answer VALUES ({}, 'q{item}', '{code}', 1)", key(byte)))
            .await;
    }
}

/// A (has everything), B (has patients), C (another specialty), D (not active), E (another role), F (nothing known).
async fn hospital(store: &Store) {
    let since = time("2026-06-01");
    let a = key(A);
    let said = format!(
        "INSERT INTO consent (person, purpose, state, from_us) VALUES ({a}, 'heart', 'given', {since})"
    );
    run(store, said).await;
    run(store, "INSERT INTO import_batch VALUES (1, 0, zeroblob(32), zeroblob(32))".to_owned())
        .await;
    person(store, A, "physician", "internal", 1).await;
    person(store, B, "nurse", "oncology", 1).await;
    person(store, 0xc1, "nurse", "cardiology", 1).await;
    person(store, 0xd1, "nurse", "oncology", 0).await;
    person(store, 0xe1, "clerk", "internal", 1).await;
    person(store, 0xf1, "physician", "internal", 1).await;
    encounter(store, 1, (A, Some(P1)), "2026-07-01", 5, "1").await;
    encounter(store, 2, (B, Some(P1)), "2026-09-30", 5, "0").await;
    encounter(store, 3, (A, Some(P2)), "2026-07-02", 1, "0").await;
    encounter(store, 4, (A, Some(P2)), "2026-07-03", 3, "NULL").await;
    encounter(store, 5, (B, None), "2026-07-04", 4, "1").await;
    encounter(store, 6, (A, Some(P2)), "2026-10-01", 5, "1").await;
    // A link with somebody who has no row is a link all the same.
    encounter(store, 7, (0xe1, Some(P3)), "2026-07-03", 5, "1").await;
    care(store, 0x21, A, (None, Some(P2)), 5).await;
    care(store, 0x22, A, (None, Some(P2)), 1).await;
    care(store, 0x23, B, (Some(2), None), 3).await;
    let period = |from: &str, to: &str, volume: f64, night: &str| {
        let (from, to) = (time(from), time(to));
        format!(
            "INSERT INTO period VALUES ({}, {from}, {to}, {volume}, 150, {night}, NULL, 1)",
            key(A)
        )
    };
    run(store, period("2026-06-01", "2026-07-01", 999.0, "99")).await;
    run(store, period("2026-07-01", "2026-08-01", 100.0, "45")).await;
    run(store, period("2026-09-16", "2026-10-16", 60.0, "NULL")).await;
    for (byte, day, rate) in
        [(0x31, "2026-07-05", 70), (0x32, "2026-09-05", 80), (0x33, "2026-10-05", 119)]
    {
        let (session, a, day) = (key(byte), key(A), time(day));
        let sql = format!(
            "INSERT INTO device_session VALUES ({session}, {a}, 'strap', {day}, NULL, NULL, 'f', 1)"
        );
        run(store, sql).await;
        run(
            store,
            format!(
                "INSERT INTO feature (session, feature, person, value, n, coverage, src) VALUES ({session}, 'mean_hr_bpm', {a}, {rate}, 3, 0.9, 1)"
            ),
        )
        .await;
    }
    for (byte, answers) in [
        (0x41, ["5", "5", "5", "5"]),
        (0x42, ["1", "1", "3", "3"]),
        (0x43, ["5", "NA", "NA", "NA"]),
    ] {
        let sql = format!(
            "INSERT INTO response VALUES ({}, 'copenhagen-burnout', NULL, 'clinician', {}, NULL, NULL, {}, 1, 0)",
            key(byte),
            key(A),
            time("2026-08-01")
        );
        run(store, sql).await;
        for (index, code) in answers.iter().enumerate() {
            run(
                store,
                format!("INSERT INTO answer VALUES ({}, 'p{}', '{code}', 1)", key(byte), index + 1),
            )
            .await;
        }
    }
}

/// The study, scored by the definitions that come with the program.
fn read(text: &str) -> Study {
    let pins = pin::lines(&Catalogue::built_in().unwrap()).unwrap();
    let unknown = format!("[instruments.care]\nversion = \"1\"\nsha256 = \"{}\"", "0".repeat(64));
    Study::parse(&format!("{text}\n{pins}\n{unknown}\n")).unwrap()
}

async fn rows(store: &Store, study: &str, secret: u8) -> Rows {
    let study = read(study);
    let catalogue = Catalogue::built_in().unwrap();
    let pseudonyms = Pseudonyms::new(&[secret; 32]);
    feature::rows(store, &study, &catalogue, &pseudonyms, &ACCESS).await.unwrap()
}

fn near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-12, "{found:?} is not {expected:?}");
    }
}

#[tokio::test]
async fn rows_are_as_worked_out_by_hand() {
    // Patient P1 was with A and B, and may count with one: with whom depends on the node's secret.
    let mut winners = Vec::new();
    for secret in 0..8 {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
        hospital(&store).await;
        let pseudonyms = Pseudonyms::new(&[secret; 32]);
        let order = |person: u8| pseudonyms.link_order(&[P1; 16], &[person; 16]);
        let with_a = order(A) < order(B);
        winners.push(with_a);
        for _ in 0..2 {
            let found = rows(&store, STUDY, secret).await;
            assert_eq!((found.considered, found.outside_population, found.rows.len()), (4, 1, 3));
            assert_eq!((found.links.pairs, found.links.dropped), (4, 1));
            // A: patients' acuity 1, 3 (and 5), drawn to 3 as if four had been given.
            let acuity = if with_a { 0.0 } else { -2.0 / 4.0 };
            // 100 in 31 days and half of 60 in 15 days; a month has 30.4375 days.
            let volume = 130.0 / 46.0 * 30.4375;
            // Two valid responses: 100, and (0 + 0 + 50 + 50)/4 = 25; the third misses five of six items.
            let burnout = f64::midpoint(100.0, 25.0);
            let x = [
                1.0,
                acuity / 2.0,
                (volume - 100.0) / 100.0,
                (45.0 / 150.0 - 0.2) / 0.5,
                (75.0 - 80.0) / 40.0,
                (burnout - 40.0) / 50.0,
                0.0,
            ];
            near(found.rows[0].x(), &x);
            // P2 answered twice: the response with the smaller key counts, 50 points.
            near(&[found.rows[0].y()], &[(38.0 + 12.0 / 5.0 - 10.0) / 40.0]);
            assert_eq!(found.rows[0].member(), [with_a]);
            // B: an encounter without a patient, acuity 4, and P1's, acuity 5, if P1 counts here.
            let (acuity, care) = if with_a { (1.0 / 4.0, 0.0) } else { (3.0 / 4.0, -8.0 / 5.0) };
            near(found.rows[1].x(), &[1.0, acuity / 2.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
            near(&[found.rows[1].y()], &[(38.0 + care - 10.0) / 40.0]);
            assert_eq!(found.rows[1].member(), [true]);
            // F: nothing is known.
            near(found.rows[2].x(), &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
            near(&[found.rows[2].y()], &[0.7]);
            assert_eq!(found.rows[2].member(), [false]);
            let centre =
                |part: &str| found.at_centre.iter().find(|(key, _)| key == part).map(|(_, n)| *n);
            assert_eq!(centre("outcome"), Some(if with_a { 3 } else { 2 }));
            assert_eq!((centre("features.acuity"), centre("features.heart")), (Some(2), Some(3)));
            assert_eq!(format!("{found:?}"), "Rows(3)");
        }
    }
    assert!(winners.contains(&true) && winners.contains(&false), "both ways are tried");
}

#[tokio::test]
async fn with_more_links_a_patient_counts_with_both() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
    hospital(&store).await;
    let found =
        rows(&store, &STUDY.replace("links_per_patient = 1", "links_per_patient = 2"), 1).await;
    assert_eq!((found.links.pairs, found.links.dropped), (4, 0));
    near(&[found.rows[0].x()[1], found.rows[1].x()[1]], &[0.0, 0.375]);
}

#[tokio::test]
async fn recordings_are_read_where_they_are_switched_on_and_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
    hospital(&store).await;
    let study = read(STUDY);
    let catalogue = Catalogue::built_in().unwrap();
    let pseudonyms = Pseudonyms::new(&[1; 32]);
    let state = |purpose: &str, state: &str| {
        format!(
            "INSERT INTO consent (person, purpose, state, from_us) VALUES ({}, '{purpose}', '{state}', {})",
            key(A),
            time("2026-07-01")
        )
    };
    run(&store, "DELETE FROM consent".to_owned()).await;
    run(&store, state("research-aggregate", "given")).await;
    let off = Access { modalities: ACCESS.modalities.without(Modality::Heart), ..ACCESS };
    for access in [ACCESS, off] {
        let rows = feature::rows(&store, &study, &catalogue, &pseudonyms, &access).await.unwrap();
        near(&rows.rows[0].x()[4..5], &[0.0]);
    }
    run(&store, state("heart", "given")).await;
    let with = |clinicians| Access { consent: Consent { clinicians, ..ACCESS.consent }, ..ACCESS };
    let asked =
        [(ACCESS, true), (off, false), (with(Basis::OptOut), true), (with(Basis::Required), true)];
    for (access, read) in asked {
        let rows = feature::rows(&store, &study, &catalogue, &pseudonyms, &access).await.unwrap();
        let expected = if read { (75.0 - 80.0) / 40.0 } else { 0.0 };
        near(&rows.rows[0].x()[4..5], &[expected]);
    }
    // Where a watch worked the rates out, its own switch counts, and a consent to that.
    let by = |modality: &str| format!("UPDATE feature SET modality = '{modality}'");
    let without = |of| Access { modalities: ACCESS.modalities.without(of), ..ACCESS };
    let (no_watch, no_heart) = (without(Modality::WearableSummaries), without(Modality::Heart));
    run(&store, by("wearable-summaries")).await;
    for (said, access, read) in [
        (false, ACCESS, false),
        (true, ACCESS, true),
        (true, no_heart, true),
        (true, no_watch, false),
    ] {
        let purpose = "DELETE FROM consent WHERE purpose = 'wearable-summaries'".to_owned();
        run(&store, purpose).await;
        if said {
            run(&store, state("wearable-summaries", "given")).await;
        }
        let rows = feature::rows(&store, &study, &catalogue, &pseudonyms, &access).await.unwrap();
        near(&rows.rows[0].x()[4..5], &[if read { (75.0 - 80.0) / 40.0 } else { 0.0 }]);
    }
    run(&store, by("heart")).await;
    run(&store, state("heart", "refused")).await;
    let opt_out = with(Basis::OptOut);
    let rows = feature::rows(&store, &study, &catalogue, &pseudonyms, &opt_out).await.unwrap();
    near(&rows.rows[0].x()[4..5], &[0.0]);
}

#[tokio::test]
async fn a_clinician_without_a_row_hands_no_patient_to_another() {
    for secret in 0..8 {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
        hospital(&store).await;
        let before = rows(&store, STUDY, secret).await;
        run(&store, format!("UPDATE person SET active = 0 WHERE person = {}", key(A))).await;
        let after = rows(&store, STUDY, secret).await;
        assert_eq!(after.rows.len() + 1, before.rows.len());
        let values = |rows: &Rows| -> Vec<(Vec<f64>, f64)> {
            rows.rows.iter().map(|row| (row.x().to_vec(), row.y())).collect()
        };
        let (before, after) = (values(&before), values(&after));
        assert!(after.iter().all(|row| before.contains(row)), "secret {secret}");
    }
}

#[tokio::test]
async fn what_the_node_cannot_measure_is_refused_by_its_part() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
    hospital(&store).await;
    let catalogue = Catalogue::built_in().unwrap();
    let pseudonyms = Pseudonyms::new(&[1; 32]);
    let cases = [
        (
            "scale:care-measure:total",
            "scale:care:total",
            "the node has no instrument `care`\n  at:   outcome\n  hint: it has care-measure, collaborate-10pt, \
             copenhagen-burnout, eq-5d, hcahps-communication, jse, jspppe, mbi-scores-only, mini-z, ppe-15, \
             pwls-single, stanford-pfi; more can be put into its folder `instruments`",
        ),
        (
            "scale:copenhagen-burnout:personal",
            "scale:stanford-pfi:burnout",
            "instrument `stanford-pfi` is locked: its licence is free-noncommercial, held by Stanford University, \
             WellMD, and the site has entered none\n  at:   features.cbi\n  hint: once the site has a licence, \
             name it in node.toml: [licences] stanford-pfi = \"contract, letter or date\"",
        ),
        (
            "scale:copenhagen-burnout:personal",
            "scale:hcahps-communication:nurses_linear",
            "instrument `hcahps-communication` is about wards and says nothing of one clinician\n  at:   \
             features.cbi\n  hint: choose an instrument about encounters or clinicians",
        ),
        (
            "burnout:personal",
            "burnout:private",
            "instrument `copenhagen-burnout` has no scale `private`\n  at:   features.cbi\n  hint: it has \
             personal, work, client",
        ),
        (
            "low = 10.0",
            "low = 0.0",
            "bounds are 0 to 50, but scale `total` of `care-measure` goes from 10 to 50\n  at:   outcome\n  hint: \
             bounds wider than the scale only add noise",
        ),
        (
            "site_max = 4",
            "site_max = 3",
            "4 active clinicians have a role of the study, which admits 3\n  at:   \
             population.clinicians_per_site_max\n  hint: mark who does not work there any more as inactive, or ask \
             for a study with a higher number",
        ),
    ];
    for (found, replaced, expected) in cases {
        let text = STUDY.replacen(found, replaced, 1);
        assert_ne!(text, STUDY);
        let study = read(&text);
        let fault =
            feature::rows(&store, &study, &catalogue, &pseudonyms, &ACCESS).await.unwrap_err();
        assert_eq!(fault.to_string(), expected);
    }
    run(
        &store,
        format!("UPDATE answer SET code = '6' WHERE response = {} AND item = 'q1'", key(0x21)),
    )
    .await;
    let study = read(STUDY);
    let fault = feature::rows(&store, &study, &catalogue, &pseudonyms, &ACCESS).await.unwrap_err();
    assert_eq!(
        fault.to_string(),
        "a stored response to `care-measure` cannot be scored: an answer to item `q1` has a code that the \
         instrument does not have; expected 1, 2, 3, 4, 5, DNA, NA\n  at:   outcome\n  hint: the definition changed since the import: import the \
         files again with --replace"
    );
}

/// Questionnaires with a local file are scored by it, and no study that means another one is: neither by another version
/// nor by the same version in other bytes.
#[tokio::test]
async fn a_study_is_scored_by_the_definition_it_pins_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
    hospital(&store).await;
    let shipped = include_str!("../../configs/instruments/care-measure.toml");
    let pseudonyms = Pseudonyms::new(&[1; 32]);
    let digest = |text: &str| tacit_shared::codec::sha256(text.as_bytes());
    for (version, text) in [
        ("2004", format!("{shipped}# a remark\n")),
        ("2004-local", shipped.replace("version = \"2004\"", "version = \"2004-local\"")),
    ] {
        std::fs::write(dir.path().join("care.toml"), &text).unwrap();
        let local = Catalogue::built_in().unwrap().with_dir(dir.path()).unwrap();
        let fault = feature::rows(&store, &read(STUDY), &local, &pseudonyms, &ACCESS).await;
        let fault = fault.unwrap_err();
        assert_eq!(
            fault.message,
            format!(
                "the study is scored by `care-measure` version 2004, sha256 {}, but this node scores by version \
                 {version}, sha256 {}",
                digest(shipped),
                digest(&text)
            )
        );
        assert_eq!(fault.place.as_deref(), Some("outcome"));
        assert!(feature::check_fits(&read(STUDY), &local).is_err());
        // A study that means the local one is measured.
        let own = format!("{STUDY}\n{}", pin::lines(&local).unwrap());
        let own = Study::parse(&own).unwrap();
        feature::rows(&store, &own, &local, &pseudonyms, &ACCESS).await.unwrap();
    }
}

/// A composite is pinned, and so is every questionnaire that it reads in the study's pattern.
#[test]
fn a_composite_is_as_pinned_as_what_it_reads() {
    let catalogue = Catalogue::built_in().unwrap();
    let text = STUDY.replacen(
        "source = \"volume\"\nlow = 0.0\nhigh = 200.0\ncentre = 100.0",
        "source = \"composite:engagement:1101\"\nlow = 0.0\nhigh = 1.0\ncentre = 0.5",
        1,
    );
    assert_ne!(text, STUDY);
    let reference = serde_json::from_str("\"letter of 2026-01-01\"").unwrap();
    let licences =
        std::collections::BTreeMap::from([("collaborate-10pt".parse().unwrap(), reference)]);
    let catalogue = catalogue.with_licences(&licences).unwrap();
    feature::check_fits(&read(&text), &catalogue).unwrap();
    let pins = pin::lines(&catalogue).unwrap();
    let without = |table: &str| {
        let (head, rest) = pins.split_once(table).unwrap();
        let rest = rest.find("\n[").map_or("", |at| &rest[at + 1..]);
        format!("{text}\n{head}{rest}\n")
    };
    let refused = Study::parse(&without("[composites.engagement]")).unwrap_err().to_string();
    assert!(
        refused.starts_with("`composites.engagement` must have `version` and `sha256`"),
        "{refused}"
    );
    let study = Study::parse(&without("[instruments.collaborate-10pt]")).unwrap();
    let fault = feature::check_fits(&study, &catalogue).unwrap_err();
    assert!(
        fault.message.starts_with("the study does not say by which definition of `collaborate-10pt` it is scored; this node"),
        "{fault}"
    );
}
