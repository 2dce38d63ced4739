//! Recordings all the way into the tables: windows on the grid of UTC, baselines, encounters; and out again.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/consents.rs"]
mod consents;
#[path = "support/research.rs"]
mod research;

use sqlx::AssertSqlSafe;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tacit_node::command::import::{ImportArgs, run};
use tacit_node::config::{Basis, Config, Consent, Modalities};
use tacit_node::intake::progress::Silent;
use tacit_node::store::Store;
use tacit_node::store::batch::{self, Dependents};
use tacit_node::store::consent::{Access, Purpose};
use tacit_node::store::panel::{Asked, Panel, Span};
use tacit_node::store::pseudonym::{Kind, Pseudonyms};
use tacit_node::store::withdraw::withdraw;
use tacit_shared::study::modality::Modality;

/// Midnight of 2026-07-01 UTC.
const FIRST_S: i64 = 1_782_864_000;
const DAY_S: i64 = 86_400;

const MAPPING: &str = "-- @person
SELECT nr AS person, 'nurse' AS role, 'internal' AS specialty, 1 AS active, _line AS line FROM raw_staff
-- @encounter
SELECT visit AS encounter, nr AS person, CAST(began AS INTEGER) * 1000000 AS start_us, 0 AS tz_min,
  CAST(mins AS REAL) AS minutes, 2 AS acuity, 'in_person' AS channel, _line AS line FROM raw_visits
";
const SESSIONS: &str = "-- @device_session
SELECT session, 'N1' AS person, kind, start_us, 0 AS clock_offset_us, file, _line AS line FROM raw_wear
";

struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    async fn new(on: &str) -> Self {
        let site = Self { dir: tempfile::tempdir().unwrap() };
        let config = Config::new("127.0.0.1:7843".parse().unwrap()).to_toml().unwrap();
        let mut config = config;
        for kind in ["heart", "skin_conductance", "wearable_summaries"] {
            config = config.replace(&format!("{kind} = true"), &format!("{kind} = {on}"));
            assert!(config.contains(&format!("{kind} = {on}")), "{config}");
        }
        site.write("node.toml", &config);
        research::allow(site.dir.path()).await;
        site
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    async fn import(&self, mapping: &str, inputs: &[&str]) -> String {
        let args = ImportArgs {
            dir: self.dir.path().to_owned(),
            mapping: self.write("site.sql", mapping),
            recordings_dir: Some(self.dir.path().join("wear")),
            replace: false,
            memory_mib: tacit_node::intake::stream::Memory::default(),
            on_error: tacit_node::intake::OnError::default(),
            postgres: None,
            schema: Vec::new(),
            statement_seconds: 60,
            inputs: inputs.iter().map(|input| input.parse().unwrap()).collect(),
        };
        run(&args, &Silent).await.unwrap()
    }

    /// Has clinicians consent to every kind of recording, a day before now.
    async fn consents(&self, ids: &[&str]) {
        let store = self.store().await;
        let pseudonyms = Pseudonyms::open_or_create(self.dir.path()).unwrap();
        let since_us = (tacit_node::link::session::unix_now() - DAY_S) * 1_000_000;
        consents::give(&store, &pseudonyms, ids, since_us).await;
        store.close().await;
    }

    /// `name=path` of an input in the site's folder.
    fn input(&self, name: &str, file: &str) -> String {
        format!("{name}={}", self.dir.path().join(file).display())
    }

    async fn store(&self) -> Store {
        Store::open(&self.dir.path().join("node.sqlite")).await.unwrap()
    }
}

async fn count(store: &Store, what: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {what}");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(store.pool()).await.unwrap()
}

/// Half an hour of beats whose length grows with the day, and of skin conductance; from 08:00 on.
fn shift(dir: &Path, day: u32) {
    let start_s = FIRST_S + i64::from(day) * DAY_S + 8 * 3_600;
    let mut ibi = format!("{start_s}.0, IBI\n");
    let mut end_ms = 0_u32;
    for beat in 0_u32.. {
        let swing = if beat % 2 == 0 { 10 + day } else { 0 };
        let rr_ms = 760 + 4 * day + swing;
        end_ms += rr_ms;
        if end_ms > 1_800_000 {
            break;
        }
        writeln!(ibi, "{},{}", f64::from(end_ms) / 1e3, f64::from(rr_ms) / 1e3).unwrap();
    }
    let level = |i: u32| 2.0 + f64::from(day) / 10.0 + f64::from((i % 80).min(12)) / 20.0;
    let eda: Vec<String> = (0..7_200).map(|i| level(i).to_string()).collect();
    let folder = dir.join(format!("day{day:02}"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("IBI.csv"), ibi).unwrap();
    std::fs::write(folder.join("EDA.csv"), format!("{start_s}\n4\n{}\n", eda.join("\n"))).unwrap();
}

/// A site with a nurse, an encounter on the ninth day, and recordings of nine days.
async fn nine_days(on: &str) -> (Site, String) {
    let site = Site::new(on).await;
    site.consents(&["N1"]).await;
    site.write("staff.csv", "nr\nN1\n");
    let began = FIRST_S + 8 * DAY_S + 8 * 3_600 + 240;
    site.write(
        "visits.csv",
        &format!("visit,nr,began,mins\nV1,N1,{began},12\nV2,N1,{},5\n", began - DAY_S * 40),
    );
    for day in 0..9 {
        shift(&site.dir.path().join("wear"), day);
    }
    site.import(MAPPING, &[&site.input("staff", "staff.csv"), &site.input("visits", "visits.csv")])
        .await;
    let printed = site.import(SESSIONS, &[&site.input("wear", "wear")]).await;
    (site, printed)
}

#[tokio::test]
async fn windows_baselines_and_encounters_are_there_after_the_import() {
    let (site, printed) = nine_days("true").await;
    assert!(
        printed.contains("taken     device_session            9 rows, 0 rejected"),
        "{printed}"
    );
    assert!(printed.contains("computed  feature                  63 rows"), "{printed}");
    let store = site.store().await;
    let of = |feature: &str, length: u32| {
        format!("window_feature WHERE feature = '{feature}' AND length_s = {length}")
    };
    assert_eq!(count(&store, &of("ln_rmssd", 300)).await, 54, "six of each half hour");
    assert_eq!(count(&store, &of("mean_hr_bpm", 60)).await, 270);
    assert_eq!(count(&store, &of("scr_per_min", 60)).await, 270);
    // Thirty of five minutes are there after five days; seven days after seven.
    assert_eq!(count(&store, &of("ln_rmssd_z", 300)).await, 5 + 6 + 6);
    let sql = "SELECT f.feature, f.value, f.n, f.quality, f.spec FROM encounter_feature f ORDER BY f.feature";
    let found: Vec<(String, f64, i64, i64, i64)> =
        sqlx::query_as(sql).fetch_all(store.pool()).await.unwrap();
    let names: Vec<&str> = found.iter().map(|f| f.0.as_str()).collect();
    let expected = [
        "ln_rmssd",
        "ln_rmssd_z",
        "mean_hr_bpm",
        "mean_hr_z",
        "scl_mean_z",
        "scl_slope_z",
        "scr_amp_mean_z",
        "scr_per_min_z",
    ];
    assert_eq!(names, expected, "of skin conductance z alone");
    // The encounter lasts from minute 4 to 16: two windows of five minutes lie within, the third is covered to a fifth.
    assert!(found.iter().all(|f| (f.2, f.3, f.4) == (2, 3, 1)), "{found:?}");
    let value = |feature: &str| found.iter().find(|f| f.0 == feature).unwrap().1;
    assert!((value("ln_rmssd") - 18.0_f64.ln()).abs() < 1e-6);
    // Every earlier day's beats swung less, none by as much: three robust deviations are the most that is said.
    assert!(value("ln_rmssd_z") > 1.0 && value("ln_rmssd_z") <= 3.0);
    assert!(value("mean_hr_z") < -1.0 && value("scl_mean_z") > 1.0);
    assert_eq!(count(&store, "stale_person").await, 0);
    store.close().await;
}

#[tokio::test]
async fn encounters_that_come_later_meet_the_windows_that_were_there() {
    let (site, _) = nine_days("true").await;
    let began = FIRST_S + 7 * DAY_S + 8 * 3_600;
    site.write("later.csv", &format!("visit,nr,began,mins\nV9,N1,{began},30\n"));
    let encounters = MAPPING.split_once("-- @encounter").unwrap().1;
    let mapping = format!("-- @encounter{encounters}");
    site.import(&mapping, &[&site.input("visits", "later.csv")]).await;
    let store = site.store().await;
    let sql = "encounter_feature WHERE feature = 'ln_rmssd' AND n = 6";
    assert_eq!(count(&store, sql).await, 1);
    store.close().await;
}

/// Every row that was computed from recordings.
async fn computed(site: &Site) -> Vec<String> {
    let store = site.store().await;
    assert_eq!(count(&store, "stale_person").await, 0);
    let mut all = Vec::new();
    for table in ["feature", "window_feature", "encounter_feature"] {
        let sql = format!("SELECT name FROM pragma_table_info('{table}')");
        let columns: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(store.pool()).await.unwrap();
        let quoted: Vec<String> = columns.iter().map(|c| format!("quote({c})")).collect();
        let sql =
            format!("SELECT '{table} ' || {} FROM {table} ORDER BY 1", quoted.join("||','||"));
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(store.pool()).await.unwrap();
        all.extend(rows);
    }
    store.close().await;
    all
}

#[tokio::test]
async fn an_encounter_that_goes_leaves_its_neighbours_as_if_it_had_never_been_there() {
    use tacit_node::command::{batches, retain, withdraw};
    let (site, _) = nine_days("true").await;
    let dir = site.dir.path().to_owned();
    let before = computed(&site).await;
    let encounters = MAPPING.split_once("-- @encounter").unwrap().1;
    let mapping = format!(
        "-- @encounter{}",
        encounters.replace("AS person,", "AS person, 'P' || visit AS patient,")
    );
    // Windows that two encounters reach into belong to neither.
    let began = FIRST_S + 8 * DAY_S + 8 * 3_600;
    for visit in ["V7", "V8", "V9"] {
        site.write("later.csv", &format!("visit,nr,began,mins\n{visit},N1,{began},30\n"));
        site.import(&mapping, &[&site.input("visits", "later.csv")]).await;
        assert_ne!(computed(&site).await, before, "{visit}");
        match visit {
            "V7" => {
                let args = batches::BatchesArgs {
                    dir: dir.clone(),
                    withdraw: Some(3),
                    with_dependents: false,
                    json: false,
                };
                batches::run(&args).await.unwrap();
            }
            "V8" => {
                let (id, purpose) = ("PV8".parse().unwrap(), None);
                let args = withdraw::WithdrawArgs { dir: dir.clone(), id, patient: true, purpose };
                let page = withdraw::run(&args).await.unwrap();
                assert!(page.contains("encounter                 1 rows"), "{page}");
            }
            _ => {
                let store = site.store().await;
                let sql = "UPDATE import_batch SET at_us = 0 WHERE id = 5";
                sqlx::query(sql).execute(store.pool()).await.unwrap();
                store.close().await;
                let page = retain::run(&retain::RetainArgs { dir: dir.clone() }).await.unwrap();
                assert!(page.contains("encounter                 1 rows"), "{page}");
            }
        }
        assert_eq!(computed(&site).await, before, "{visit}");
    }
}

#[tokio::test]
async fn nothing_of_a_recording_outlives_its_batch_or_its_owners_consent() {
    let (site, _) = nine_days("true").await;
    let store = site.store().await;
    let pseudonyms = Pseudonyms::open_or_create(site.dir.path()).unwrap();
    let tables = ["feature", "window_feature", "encounter_feature", "device_session"];
    for table in tables {
        assert!(count(&store, table).await > 0, "{table}");
    }
    let nurse = pseudonyms.key(Kind::Person, "N1");
    let at_us = 1_795_000_000_000_000;
    withdraw(&store, (Kind::Person, &nurse), &[Purpose::Heart], at_us).await.unwrap();
    // Of the nine recordings what tells of skin conductance is left, and nothing that tells of the heart.
    assert_eq!(count(&store, "feature WHERE modality = 'heart'").await, 0);
    assert_eq!(count(&store, "window_feature WHERE modality = 'heart'").await, 0);
    assert_eq!(count(&store, "device_session").await, 9);
    assert!(count(&store, "window_feature WHERE modality = 'skin-conductance'").await > 0);
    withdraw(&store, (Kind::Person, &nurse), &[Purpose::SkinConductance], at_us).await.unwrap();
    for table in tables {
        assert_eq!(count(&store, table).await, 0, "{table}");
    }
    assert_eq!(count(&store, "encounter").await, 2);
    store.close().await;

    let (site, _) = nine_days("true").await;
    let store = site.store().await;
    let taken = batch::withdraw(&store, 2, Dependents::Refuse, at_us).await.unwrap();
    assert_eq!(taken.rows.get("device_session"), Some(&9));
    for table in tables {
        assert_eq!(count(&store, table).await, 0, "{table}");
    }
    batch::withdraw(&store, 1, Dependents::Refuse, at_us).await.unwrap();
    assert_eq!(count(&store, "person").await + count(&store, "stale_person").await, 0);
    store.verify().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_session_that_goes_takes_the_baselines_that_rested_on_it_along() {
    let (site, _) = nine_days("true").await;
    let store = site.store().await;
    let scores = "window_feature WHERE feature GLOB '*_z'";
    assert!(count(&store, scores).await > 0);
    let sql = "DELETE FROM feature WHERE session = (SELECT session FROM device_session ORDER BY start_us LIMIT 1)";
    sqlx::query(sql).execute(store.pool()).await.unwrap();
    let sql = "DELETE FROM device_session WHERE session = (SELECT session FROM device_session ORDER BY start_us LIMIT 1)";
    sqlx::query(sql).execute(store.pool()).await.unwrap();
    assert_eq!(count(&store, scores).await, 0);
    assert_eq!(count(&store, "encounter_feature WHERE feature GLOB '*_z'").await, 0);
    assert_eq!(count(&store, "encounter_feature").await, 2, "its own values stay");
    assert_eq!(count(&store, "stale_person").await, 1, "computed anew with the next import");
    store.close().await;
}

#[tokio::test]
async fn a_site_that_reads_nothing_of_bodies_takes_no_session_over() {
    let (site, printed) = nine_days("false").await;
    assert!(printed.contains("recordings are switched off"), "{printed}");
    let store = site.store().await;
    assert_eq!(count(&store, "device_session").await + count(&store, "window_feature").await, 0);
    store.close().await;
}

#[tokio::test]
async fn the_example_for_wearables_brings_every_kind_in() {
    let site = Site::new("true").await;
    site.consents(&["N1", "N2"]).await;
    site.write("staff.csv", "nr,job,field,works\nN1,nurse,internal,1\nN2,nurse,internal,1\n");
    site.write("devices.csv", "path;nr;ahead\nday;N1;0.4\nheart_rate-;N2;\nHeart Rate;N2;\n");
    let wear = site.dir.path().join("wear");
    for day in 0..2 {
        shift(&wear, day);
    }
    // Joined: the second day's folder has the third day's as well.
    shift(&wear, 2);
    for name in ["IBI.csv", "EDA.csv"] {
        let more = std::fs::read_to_string(wear.join("day02").join(name)).unwrap();
        let own = std::fs::read_to_string(wear.join("day01").join(name)).unwrap();
        std::fs::write(wear.join("day01").join(name), own + &more).unwrap();
    }
    std::fs::remove_dir_all(wear.join("day02")).unwrap();
    let rate = |s: u32| {
        let (minute, second) = (s / 60, s % 60);
        format!(
            "{{\"dateTime\":\"07/05/26 09:{minute:02}:{second:02}\",\"value\":{{\"bpm\":{},\"confidence\":3}}}}",
            70 + s % 3
        )
    };
    let rates: Vec<String> = (0..900).step_by(5).map(rate).collect();
    site.write("wear/heart_rate-2026-07-05.json", &format!("[{}]", rates.join(",")));
    let night =
        "timestamp,rmssd,coverage\n2026-07-06T02:10:00,40,0.96\n2026-07-06T02:15:00,50,0.9\n";
    site.write("wear/Heart Rate Variability Details - 2026-07-06.csv", night);
    let mapping = include_str!("../../configs/mappings/wearables-example.sql");
    let inputs = [
        site.input("staff", "staff.csv"),
        site.input("devices", "devices.csv"),
        site.input("wear", "wear"),
        site.input("rates.fitbit", "wear/heart_rate-2026-07-05.json"),
    ];
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let printed = site.import(mapping, &inputs).await;
    assert!(
        printed.contains("taken     device_session            5 rows, 0 rejected"),
        "{printed}"
    );
    let store = site.store().await;
    let sql = "SELECT d.file, group_concat(f.feature, ' ' ORDER BY f.feature) FROM feature f \
               JOIN device_session d USING (session) WHERE f.feature NOT GLOB 'sc*' GROUP BY d.file ORDER BY d.file";
    let found: Vec<(String, String)> = sqlx::query_as(sql).fetch_all(store.pool()).await.unwrap();
    let e4 = "ln_rmssd low_contact_frac mean_hr_bpm";
    let expected = [
        ("Heart Rate Variability Details - 2026-07-06.csv", "ln_rmssd_sleep"),
        ("day00", e4),
        ("day01#1", e4),
        ("day01#2", e4),
        ("heart_rate-2026-07-05.json", "mean_hr_bpm"),
    ];
    assert_eq!(found, expected.map(|(file, features)| (file.to_owned(), features.to_owned())));
    read_as_switched(&store, site.dir.path()).await;
    let sql = "SELECT min(w.start_us) FROM window_feature w JOIN device_session d USING (session) WHERE d.file = 'day01#2'";
    let first: i64 = sqlx::query_scalar(sql).fetch_one(store.pool()).await.unwrap();
    assert_eq!(first, (FIRST_S + 2 * DAY_S + 8 * 3_600) * 1_000_000);
    store.close().await;
}

/// Of a watch's rates and of beats, what is switched off after the import is not read any more.
async fn read_as_switched(store: &Store, dir: &Path) {
    let pseudonyms = Pseudonyms::open_or_create(dir).unwrap();
    let consent = Consent { clinicians: Basis::ByMapping, patients: Basis::ByMapping };
    let now_us = tacit_node::link::session::unix_now() * 1_000_000;
    for (off, read) in [
        (None, 2),
        (Some(Modality::WearableSummaries), 1),
        (Some(Modality::Heart), 1),
        (Some(Modality::SkinConductance), 2),
    ] {
        let everything = Modalities::EVERYTHING;
        let modalities = off.map_or(everything, |off| everything.without(off));
        let asked = Asked {
            purpose: Purpose::ResearchAggregate,
            roles: &["nurse"],
            span: Span { from_us: 0, to_us: i64::MAX },
            earlier: None,
            links_per_patient: 1,
            values: &[],
        };
        let access = Access { consent, modalities, now_us };
        let mut panel = Panel::open(store, &pseudonyms, &access, &asked).await.unwrap();
        let found = panel.recordings("mean_hr_bpm").await.unwrap();
        assert_eq!(found.iter().flatten().count(), read, "{off:?}");
        panel.close().await.unwrap();
    }
}

#[tokio::test]
async fn whatever_the_settings_say_nothing_of_who_gave_no_consent_is_opened() {
    let site = Site::new("true").await;
    let config = std::fs::read_to_string(site.dir.path().join("node.toml")).unwrap();
    assert!(config.contains("clinicians = \"by-mapping\""), "{config}");
    site.write("staff.csv", "nr\nN1\nN2\n");
    let consent = "who,purpose\nN1,research-aggregate\nN1,heart\nN2,research-aggregate\n";
    site.write("consent.csv", consent);
    let wear = site.dir.path().join("wear");
    shift(&wear, 0);
    site.write("wear/day01/IBI.csv", "it would be a reject, were it opened");
    site.write("sessions.csv", "s,who,file\nS0,N1,day00\nS1,N2,day01\nS2,N2,day00\n");
    let mapping = "-- @consent
SELECT who AS person, purpose, 'given' AS state, 1782000000000000 AS from_us, _line AS line FROM raw_consent
-- @person
SELECT nr AS person, 'nurse' AS role, 'internal' AS specialty, 1 AS active, _line AS line FROM raw_staff
-- @device_session
SELECT s AS session, who AS person, 'e4' AS kind, 1782892800000000 AS start_us, file, _line AS line FROM raw_sessions
";
    let inputs = [
        site.input("staff", "staff.csv"),
        site.input("consent", "consent.csv"),
        site.input("sessions", "sessions.csv"),
    ];
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let printed = site.import(mapping, &inputs).await;
    assert!(
        printed.contains("taken     device_session            1 rows, 0 rejected"),
        "{printed}"
    );
    let note = "noted     device_session: 2 rows of people who did not consent to such recordings were left out";
    assert!(printed.contains(note), "{printed}");
    let store = site.store().await;
    let pseudonyms = Pseudonyms::open_or_create(site.dir.path()).unwrap();
    let sql = "SELECT DISTINCT person FROM window_feature";
    let found: Vec<Vec<u8>> = sqlx::query_scalar(sql).fetch_all(store.pool()).await.unwrap();
    assert_eq!(found, [pseudonyms.key(Kind::Person, "N1").to_vec()]);
    store.close().await;
}

#[test]
fn no_study_can_ask_for_a_level_or_a_count_of_skin_conductance() {
    use tacit_shared::study::schema::Source;
    for name in [
        "scl_mean_us",
        "scl_slope_us_per_min",
        "scr_per_min",
        "scr_amp_mean_us",
        "low_contact_frac",
    ] {
        for written in [name.to_owned(), name.replace('_', "-"), format!("feature:{name}")] {
            assert!(written.parse::<Source>().is_err(), "{written}");
        }
    }
    assert!("ln-rmssd".parse::<Source>().is_ok());
}
