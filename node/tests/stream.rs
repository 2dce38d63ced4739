//! A large file comes in whole, under a small cap, and leaves the database as a small one does.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::path::Path;
use tacit_node::intake::progress::Silent;
use tacit_node::intake::recording::{Reading, Recorder};
use tacit_node::intake::stream::Memory;
use tacit_node::intake::summary::Summary;
use tacit_node::intake::{self, Again, Ports, Request};
use tacit_node::store::Store;
use tacit_node::store::pseudonym::{Kind, Pseudonyms};

const MAPPING: &str = "-- @person\nSELECT staff AS person, 'nurse' AS role, 'oncology' AS specialty, 1 AS active, \
    _line AS line FROM raw_staff;\n-- @encounter\nSELECT visit AS encounter, staff AS person, patient, start_us, \
    0 AS tz_min, minutes, 3 AS acuity, 'phone' AS channel, _line AS line FROM raw_visits\n";

struct NoRecorder;

impl Recorder for NoRecorder {
    fn read(&self, _: &Path) -> Result<Vec<Reading>, String> {
        Err("there are no recordings".to_owned())
    }
}

async fn import(dir: &Path, store: &Store, again: Again) -> Summary {
    let pseudonyms = Pseudonyms::open_or_create(dir).unwrap();
    let input = |name: &str| format!("{name}={}/{name}.csv", dir.display()).parse().unwrap();
    let request = Request {
        mapping: dir.join("site.sql"),
        inputs: vec![input("staff"), input("visits")],
        recordings_dir: None,
        again,
        database: None,
        statement_s: 60,
        on_error: tacit_node::intake::OnError::Reject,
        at_us: 1_790_000_000_000_000,
        memory: Memory::of_mib(Memory::MIB_MIN).unwrap(),
    };
    let ports = Ports {
        pseudonyms: &pseudonyms,
        questionnaires: &[],
        recorder: &NoRecorder,
        progress: &Silent,
    };
    intake::import(store, &request, &ports).await.unwrap()
}

#[tokio::test]
async fn many_rows_are_checked_hashed_and_indexed_as_few_are() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("site.sql"), MAPPING).unwrap();
    std::fs::write(dir.join("staff.csv"), "staff\nD0\nD1\nD2\n").unwrap();
    let mut visits = String::from("visit,staff,patient,start_us,minutes\n");
    for n in 0..25_000 {
        // One clinician nobody knows, one key twice, one time that is none, two things wrong in one row.
        let (visit, staff, minutes) = match n {
            7_000 => (n, 9, "5"),
            8_000 => (7_999, 1, "5"),
            9_000 => (n, 1, "-5"),
            9_001 => (n, 9, "long"),
            _ => (n, n % 3, "5"),
        };
        let patient = if n % 10 == 0 { String::new() } else { format!("P{}", n % 4_000) };
        writeln!(visits, "V{visit},D{staff},{patient},1782892800000000,{minutes}").unwrap();
    }
    std::fs::write(dir.join("visits.csv"), visits).unwrap();
    let store = Store::open(&dir.join("node.sqlite")).await.unwrap();
    for again in [Again::Refuse, Again::Replace] {
        let summary = import(dir, &store, again).await;
        let encounters = summary.tables.iter().find(|t| t.table.name() == "encounter").unwrap();
        assert_eq!((encounters.accepted, encounters.rejected), (24_996, 4));
        let reasons: Vec<_> = summary
            .reasons
            .iter()
            .map(|r| format!("{} {}: {}", r.rows, r.column_name, r.reason))
            .collect();
        assert_eq!(
            reasons,
            [
                "2 minutes: not a number from 0 to 1440",
                "2 person: names no person that was taken over",
                "1 encounter: the key of an earlier row",
            ]
        );
        let pseudonyms = Pseudonyms::open_or_create(dir).unwrap();
        let found: (i64, Option<Vec<u8>>) = sqlx::query_as(
            "SELECT count(*) OVER (), patient FROM encounter WHERE encounter = ? AND person = ?",
        )
        .bind(pseudonyms.key(Kind::Encounter, "V24999").to_vec())
        .bind(pseudonyms.key(Kind::Person, "D0").to_vec())
        .fetch_one(store.pool())
        .await
        .unwrap();
        assert_eq!(found, (1, Some(pseudonyms.key(Kind::Patient, "P999").to_vec())));
        let sql = "SELECT sql FROM sqlite_master WHERE name = 'encounter_person'";
        let index: String = sqlx::query_scalar(sql).fetch_one(store.pool()).await.unwrap();
        assert_eq!(index, "CREATE INDEX encounter_person ON encounter (person)");
        store.verify().await.unwrap();
    }
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_temp_master")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(left, 0);
}
