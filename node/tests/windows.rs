//! Recordings all the way into the tables: windows on the grid of UTC, baselines, encounters; and out again.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use sqlx::AssertSqlSafe;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tacit_node::command::import::{ImportArgs, run};
use tacit_node::config::Config;
use tacit_node::intake::progress::Silent;
use tacit_node::store::Store;
use tacit_node::store::batch::{self, Dependents};
use tacit_node::store::consent::Purpose;
use tacit_node::store::pseudonym::{Kind, Pseudonyms};
use tacit_node::store::withdraw::withdraw;

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
    fn new(heart: &str) -> Self {
        let site = Self { dir: tempfile::tempdir().unwrap() };
        let config = Config::new("127.0.0.1:7843".parse().unwrap()).to_toml().unwrap();
        let config = config.replace("heart = true", &format!("heart = {heart}"));
        assert!(config.contains(&format!("heart = {heart}")), "{config}");
        site.write("node.toml", &config);
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
            inputs: inputs.iter().map(|input| input.parse().unwrap()).collect(),
        };
        run(&args, &Silent).await.unwrap()
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
async fn nine_days(heart: &str) -> (Site, String) {
    let site = Site::new(heart);
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
async fn a_site_that_reads_no_heart_takes_no_session_over() {
    let (site, printed) = nine_days("false").await;
    assert!(printed.contains("recordings are switched off"), "{printed}");
    let store = site.store().await;
    assert_eq!(count(&store, "device_session").await + count(&store, "window_feature").await, 0);
    store.close().await;
}
