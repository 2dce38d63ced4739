//! Batches are listed as they came and go whole.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use super::*;

async fn filled(dir: &std::path::Path) -> Store {
    let store = Store::open(&dir.join("node.sqlite")).await.unwrap();
    for sql in [
        "INSERT INTO import_batch VALUES (1, 10, zeroblob(32), randomblob(32)), \
         (2, 20, zeroblob(32), randomblob(32)), (3, 30, zeroblob(32), randomblob(32))",
        "INSERT INTO import_file VALUES (1, 'staff', zeroblob(32), 99, 3), (2, 'visits', zeroblob(32), 5, 4)",
        "INSERT INTO reject VALUES (2, 'encounter', 4, 'minutes', 'missing'), (2, 'encounter', 4, 'acuity', 'missing')",
        "INSERT INTO person (person, role, specialty, grade_band, site_unit, active, src) \
         SELECT randomblob(16), 'nurse', 'internal', NULL, NULL, 1, 1 \
         FROM json_each('[1,2,3]')",
        "INSERT INTO encounter (encounter, person, patient, start_us, end_us, tz_min, minutes, specialty, acuity, channel, \
         ai_share, interpreter, readmit_30d, ed_30d, src) SELECT randomblob(16), person, x'abababababababababababababababab', 0, 1, 0, 5, NULL, 3, \
         'phone', NULL, NULL, NULL, NULL, 2 FROM person",
        "INSERT INTO response SELECT randomblob(16), 'care-measure', NULL, 'patient', person, NULL, NULL, 0, 2, 0 FROM person",
        "INSERT INTO answer SELECT response, 'q1', '4', 3 FROM response",
        "INSERT INTO device_session SELECT randomblob(16), person, 'strap', 0, NULL, NULL, 'f', 3 FROM person LIMIT 1",
        "INSERT INTO feature (session, feature, person, value, n, coverage, src) SELECT session, 'ln_rmssd', person, 3.0, 5, 0.9, 3 FROM device_session",
        // Batch 3 brought one clinician again.
        "UPDATE person SET src = 3 WHERE person = (SELECT person FROM device_session)",
    ] {
        sqlx::query(sql).execute(store.pool()).await.unwrap();
    }
    store
}

fn rows(pairs: &[(&str, i64)]) -> BTreeMap<String, i64> {
    pairs.iter().map(|(table, n)| ((*table).to_owned(), *n)).collect()
}

async fn count(store: &Store, what: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {what}");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(store.pool()).await.unwrap()
}

#[tokio::test]
async fn each_batch_is_listed_with_what_is_left_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let found = all(&store).await.unwrap();
    assert_eq!(found.iter().map(|b| b.batch).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((found[0].at_us, found[0].reject_reasons, found[1].reject_reasons), (10, 0, 2));
    assert_eq!(found[1].rejected_rows, None);
    assert_eq!(found[0].rows, rows(&[("person", 2)]));
    assert_eq!(found[1].rows, rows(&[("encounter", 3), ("response", 3)]));
    assert_eq!((found[1].files[0].name.as_str(), found[1].files[0].rows), ("visits", 4));
    assert_eq!(found[0].files[0].sha256, "0".repeat(64));
    store.close().await;
}

#[tokio::test]
async fn a_batch_that_nothing_refers_to_goes_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    sqlx::query("UPDATE person SET src = 1").execute(store.pool()).await.unwrap();
    let found = withdraw(&store, 3, Dependents::Refuse, 77).await.unwrap();
    let own = rows(&[("answer", 3), ("device_session", 1), ("feature", 1)]);
    assert_eq!(
        found,
        Withdrawal { batch: 3, rows: own, dependents: BTreeMap::new(), log_emptied: true }
    );
    for table in ["answer", "device_session", "feature"] {
        assert_eq!(count(&store, table).await, 0, "{table}");
    }
    assert_eq!((count(&store, "encounter").await, count(&store, "import_batch").await), (3, 2));
    let kept = Gone { batch: 3, imported_us: 30, withdrawn_us: 77, rows: 5, dependent_rows: 0 };
    assert_eq!(gone(&store).await.unwrap(), [kept]);
    store.verify().await.unwrap();
    let fault = withdraw(&store, 3, Dependents::Refuse, 78).await.unwrap_err();
    assert_eq!(fault.message, "there is no batch 3");
    // Its number is not given to another.
    sqlx::query("INSERT INTO import_batch (at_us, mapping_sha256, files_sha256) VALUES (1, zeroblob(32), zeroblob(32))")
        .execute(store.pool())
        .await
        .unwrap();
    assert_eq!(count(&store, "import_batch WHERE id = 4").await, 1);
    store.close().await;
}

#[tokio::test]
async fn rows_of_others_that_refer_to_it_stop_a_withdrawal_or_go_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let fault = withdraw(&store, 1, Dependents::Refuse, 77).await.unwrap_err();
    assert_eq!(
        fault.message,
        "6 rows of other batches refer to rows of batch 1 (batch 2: 2 of encounter, 2 of response; batch 3: \
         2 of answer); nothing was withdrawn"
    );
    assert_eq!((count(&store, "person").await, count(&store, "encounter").await), (3, 3));
    let found = withdraw(&store, 1, Dependents::Withdraw, 77).await.unwrap();
    assert_eq!(found.rows, rows(&[("person", 2)]));
    assert_eq!(found.dependents[&2], rows(&[("encounter", 2), ("response", 2)]));
    assert_eq!(found.dependents[&3], rows(&[("answer", 2)]));
    for table in ["person", "encounter", "response", "answer", "device_session", "feature"] {
        assert_eq!(count(&store, table).await, 1, "{table}");
    }
    store.verify().await.unwrap();
    let [kept] = gone(&store).await.unwrap().try_into().unwrap();
    assert_eq!((kept.rows, kept.dependent_rows), (2, 6));
    store.close().await;
}

#[tokio::test]
async fn no_byte_of_a_withdrawn_row_stays_in_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let patient = [0xab; 16];
    let holds = || {
        let files = ["node.sqlite", "node.sqlite-wal"].map(|name| dir.path().join(name));
        let read = files.iter().filter_map(|path| std::fs::read(path).ok());
        read.into_iter().any(|bytes| bytes.windows(16).any(|window| window == patient))
    };
    assert!(holds());
    withdraw(&store, 2, Dependents::Withdraw, 77).await.unwrap();
    assert!(!holds());
    store.close().await;
}

#[tokio::test]
async fn a_reader_that_keeps_the_log_open_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let other = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
    let mut reader = other.pool().begin().await.unwrap();
    let _: i64 =
        sqlx::query_scalar("SELECT count(*) FROM answer").fetch_one(&mut *reader).await.unwrap();
    assert!(!withdraw(&store, 3, Dependents::Withdraw, 77).await.unwrap().log_emptied);
    assert_eq!(count(&store, "answer").await, 0);
    reader.rollback().await.unwrap();
    other.close().await;
    store.close().await;
}
