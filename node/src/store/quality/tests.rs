//! What the tables hold is counted by hand.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
use super::*;

const NOW_US: i64 = 1_790_000_000_000_000; // 2026-09-21

async fn filled(dir: &std::path::Path) -> Store {
    let store = Store::open(&dir.join("node.sqlite")).await.unwrap();
    for sql in [
        "INSERT INTO import_batch VALUES (1, 10, zeroblob(32), randomblob(32)), (2, 20, zeroblob(32), randomblob(32))",
        "INSERT INTO person (person, role, specialty, grade_band, site_unit, active, src) VALUES \
         (x'00000000000000000000000000000001', 'nurse', 'internal', NULL, NULL, 1, 1), \
         (x'00000000000000000000000000000002', 'nurse', 'internal', NULL, NULL, 1, 1)",
        // July twice and by two clinicians, September once, none in August; one in 2031, one in 1995.
        "INSERT INTO encounter (encounter, person, patient, start_us, end_us, tz_min, minutes, specialty, acuity, channel, \
         ai_share, interpreter, readmit_30d, ed_30d, src) SELECT randomblob(16), p.person, NULL, unixepoch(value) * 1000000, NULL, 0, 5, NULL, 3, \
         'phone', NULL, NULL, NULL, NULL, 2 FROM json_each('[\"2026-07-01\",\"2026-07-31\",\"2026-09-01\"]') j \
         JOIN person p ON (p.person = (SELECT min(person) FROM person)) = (j.key = 0)",
        "INSERT INTO device_session SELECT randomblob(16), person, 'strap', unixepoch('2026-08-05') * 1000000, 2000001, NULL, \
         'f', 1 FROM person WHERE person = x'00000000000000000000000000000001'",
        "INSERT INTO device_session SELECT randomblob(16), person, 'strap', unixepoch('2026-08-05') * 1000000, -2000000, NULL, \
         'f', 2 FROM person WHERE person = x'00000000000000000000000000000001'",
        "INSERT INTO reject VALUES (1, 'encounter', 9, 'end_us', 'before start_us'), \
         (2, 'encounter', 8, 'end_us', 'before start_us'), (2, 'encounter', 3, 'end_us', 'before start_us'), \
         (2, 'encounter', 3, 'minutes', 'missing'), (2, 'encounter', NULL, 'start_us', 'missing'), \
         (2, 'period', 2, 'hours', 'more hours than from from_us to to_us'), \
         (2, 'device_session', 4, 'clock_offset_us', 'not a whole number from -30000000 to 30000000')",
    ] {
        sqlx::query(sql).execute(store.pool()).await.unwrap();
    }
    store
}

#[tokio::test]
async fn months_without_data_stand_between_those_with() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let found = coverage(&store, NOW_US).await.unwrap();
    assert_eq!(found.months, ["2026-07", "2026-08", "2026-09"]);
    let modality = |name: &str, rows: [u64; 3], clinicians: [u64; 3]| Modality {
        name: name.to_owned(),
        rows: rows.to_vec(),
        clinicians: clinicians.to_vec(),
    };
    assert_eq!(
        found.modalities,
        [
            modality("encounters", [2, 0, 1], [2, 0, 1]),
            modality("recordings: strap", [0, 2, 0], [0, 1, 0])
        ]
    );
    for sql in [
        "UPDATE encounter SET language = 'de', presence_minutes = 2 WHERE start_us < unixepoch('2026-07-02') * 1000000",
        "UPDATE encounter SET language = 'tr' WHERE start_us > unixepoch('2026-08-02') * 1000000",
        "INSERT INTO training SELECT person, 'listening', unixepoch('2026-08-05') * 1000000, NULL, NULL, 2 FROM person",
    ] {
        sqlx::query(sql).execute(store.pool()).await.unwrap();
    }
    assert_eq!(
        coverage(&store, NOW_US).await.unwrap().modalities,
        [
            modality("encounters", [2, 0, 1], [2, 0, 1]),
            modality("encounters: language", [1, 0, 1], [1, 0, 1]),
            modality("encounters: presence_minutes", [1, 0, 0], [1, 0, 0]),
            modality("recordings: strap", [0, 2, 0], [0, 1, 0]),
            modality("trainings: listening", [0, 2, 0], [0, 2, 0]),
        ]
    );
    assert_eq!(months_between("1999-11", "2000-02"), ["1999-11", "1999-12", "2000-01", "2000-02"]);
    store.close().await;
}

#[tokio::test]
async fn clocks_that_cannot_be_right_are_found_whether_taken_over_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let set = async |sql: &'static str| {
        sqlx::query(sql).execute(store.pool()).await.unwrap();
    };
    set("UPDATE encounter SET start_us = 788918400000000 WHERE start_us < unixepoch('2026-07-02') * 1000000").await;
    set("UPDATE encounter SET start_us = 1790000000000001 WHERE start_us > unixepoch('2026-08-02') * 1000000").await;
    // A consent that ends next year is none of them.
    set("INSERT INTO consent (person, purpose, state, from_us, to_us, src) SELECT person, 'local-view', 'given', \
         unixepoch('2026-01-01') * 1000000, unixepoch('2027-01-01') * 1000000, 1 FROM person").await;
    let of = |problem, place: &str, rows, months: &[&str], batches: &[i64]| Clock {
        problem,
        place: place.to_owned(),
        rows,
        months: months.iter().map(|month| ((*month).to_owned(), 1)).collect(),
        batches: batches.to_vec(),
    };
    let (start, offset) = ("encounter.start_us", "device_session.clock_offset_us");
    let expected = [
        of(ClockProblem::InTheFuture, start, 1, &["2026-09"], &[2]),
        of(ClockProblem::Before2000, start, 1, &["1995-01"], &[2]),
        of(ClockProblem::DeviceOff, offset, 1, &["2026-08"], &[1]),
        of(ClockProblem::DeviceRefused, offset, 1, &[], &[2]),
        of(ClockProblem::EndBeforeStart, "encounter.end_us", 3, &[], &[1, 2]),
        of(ClockProblem::NoTime, start, 1, &[], &[2]),
    ];
    assert_eq!(clocks(&store, NOW_US).await.unwrap(), expected);
    store.close().await;
}

#[tokio::test]
async fn rejects_and_rows_are_counted_with_their_first_lines() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let found = rejects(&store).await.unwrap();
    let first = found.first().unwrap();
    assert_eq!((first.batch, first.rows, first.lines.as_slice()), (2, 2, [3, 8].as_slice()));
    assert_eq!(found.iter().map(|r| r.rows).sum::<u64>(), 7);
    let unknown = found.iter().find(|r| r.column == "start_us").unwrap();
    assert!(unknown.lines.is_empty());
    let rows: Vec<(String, u64)> =
        tables(&store).await.unwrap().into_iter().map(|t| (t.table, t.rows)).collect();
    for expected in
        [("import_batch", 2), ("person", 2), ("encounter", 3), ("device_session", 2), ("reject", 7)]
    {
        assert!(rows.contains(&(expected.0.to_owned(), expected.1)), "{expected:?}");
    }
    store.close().await;
}

#[tokio::test]
async fn a_row_that_is_dated_in_ten_years_does_not_stretch_the_months() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let before = coverage(&store, NOW_US).await.unwrap();
    sqlx::query(
        "INSERT INTO response (response, instrument, respondent, person, authored_us, src) SELECT randomblob(16), \
         'pwls-single', 'clinician', person, unixepoch('2036-08-01') * 1000000, 2 FROM person LIMIT 1",
    )
    .execute(store.pool())
    .await
    .unwrap();
    assert_eq!(coverage(&store, NOW_US).await.unwrap(), before);
    let found = clocks(&store, NOW_US).await.unwrap();
    let late = found.iter().find(|clock| clock.place == "response.authored_us").unwrap();
    assert_eq!((late.problem, late.rows), (ClockProblem::InTheFuture, 1));
    assert_eq!(late.months, BTreeMap::from([("2036-08".to_owned(), 1)]));
    store.close().await;
}
