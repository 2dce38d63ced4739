//! Sealed ids are found again, bound to their hash, and gone when they should be.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use super::*;
use crate::store::pseudonym::Pseudonyms;

const TAKEN: &str = "SELECT id, key FROM ids WHERE id > ? ORDER BY id LIMIT ?";

/// A connection with ids as an import holds them.
async fn source(ids: &[&str]) -> SqliteConnection {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    sqlx::query("CREATE TABLE ids (id TEXT, key BLOB)").execute(&mut connection).await.unwrap();
    for id in ids {
        let key = Pseudonyms::new(&[3; 32]).key(Kind::Person, id);
        sqlx::query("INSERT INTO ids VALUES (?, ?)")
            .bind(*id)
            .bind(key.to_vec())
            .execute(&mut connection)
            .await
            .unwrap();
    }
    connection
}

fn taken(kind: Kind) -> String {
    match kind {
        Kind::Person => TAKEN.to_owned(),
        _ => TAKEN.replace("WHERE", "WHERE 0 AND"),
    }
}

#[tokio::test]
async fn an_id_is_found_by_its_hash_and_stands_nowhere_in_clear() {
    let dir = tempfile::tempdir().unwrap();
    let identities = Identities::open_or_create(dir.path()).await.unwrap();
    let long = "Ü".repeat(200);
    let mut ids = source(&["Doctor-4711-Example", "D2", &long]).await;
    assert_eq!(identities.keep(&mut ids, 1, taken).await.unwrap(), 3);
    assert_eq!(identities.keep(&mut ids, 2, taken).await.unwrap(), 3);
    assert_eq!(identities.counts().await.unwrap(), [("person".to_owned(), 3)]);
    for id in ["Doctor-4711-Example", "D2", &long] {
        let hash = to_hex(&Pseudonyms::new(&[3; 32]).key(Kind::Person, id));
        for prefix in [&hash[..8], &hash, &hash.to_uppercase()[..12]] {
            let found = identities.find(prefix).await.unwrap();
            assert_eq!(found.len(), 1);
            assert_eq!((found[0].id.as_str(), &found[0].hash), (id, &hash));
            assert_eq!(format!("{:?}", found[0]), "Found(person)");
        }
    }
    assert_eq!(identities.find("0000000000").await.unwrap(), []);
    for wrong in ["1234567", "12345678'", "%%%%%%%%", &"0".repeat(33)] {
        let fault = identities.find(wrong).await.unwrap_err();
        assert!(fault.message.ends_with("expected 8 to 32 hexadecimal digits"), "{fault}");
    }
    identities.close().await;
    let bytes = std::fs::read(dir.path().join(FILE)).unwrap();
    assert!(!bytes.windows(11).any(|window| window == b"Doctor-4711"));
}

#[tokio::test]
async fn a_seal_opens_under_its_own_key_and_hash_only() {
    let dir = tempfile::tempdir().unwrap();
    let identities = Identities::open_or_create(dir.path()).await.unwrap();
    let hash = [9; 16];
    let (nonce, sealed) = identities.seal(Kind::Person, &hash, "D1").unwrap();
    assert_eq!(sealed.len(), 64 + 16);
    let row = |kind: &str, hash: [u8; 16], sealed: &[u8]| {
        (kind.to_owned(), hash.to_vec(), nonce.to_vec(), sealed.to_vec())
    };
    assert_eq!(identities.opened(row("person", hash, &sealed)).unwrap().id, "D1");
    let mut changed = sealed.clone();
    changed[0] ^= 1;
    for (kind, hash, sealed) in
        [("patient", hash, &sealed), ("person", [8; 16], &sealed), ("person", hash, &changed)]
    {
        let fault = identities.opened(row(kind, hash, sealed)).unwrap_err();
        assert!(fault.message.starts_with("a sealed id does not open"), "{fault}");
    }
    assert_ne!(identities.seal(Kind::Person, &hash, "D1").unwrap().1, sealed);
    let other = tempfile::tempdir().unwrap();
    let stranger = Identities::open_or_create(other.path()).await.unwrap();
    assert!(stranger.opened(row("person", hash, &sealed)).is_err());
}

#[tokio::test]
async fn ids_go_with_their_batch_and_with_the_last_row_that_speaks_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
    let run = async |sql: &'static str| {
        sqlx::query(sql).execute(store.pool()).await.unwrap();
    };
    run("INSERT INTO import_batch VALUES (1, 0, zeroblob(32), zeroblob(32))").await;
    for id in ["a", "b"] {
        sqlx::query(
            "INSERT INTO person (person, role, specialty, grade_band, site_unit, active, src) \
             VALUES (?, 'nurse', 'internal', NULL, NULL, 1, 1)",
        )
        .bind(Pseudonyms::new(&[3; 32]).key(Kind::Person, id).to_vec())
        .execute(store.pool())
        .await
        .unwrap();
    }
    let identities = Identities::open_or_create(dir.path()).await.unwrap();
    identities.keep(&mut source(&["a", "b", "no row"]).await, 1, taken).await.unwrap();
    identities.keep(&mut source(&["b", "c"]).await, 2, taken).await.unwrap();
    assert_eq!(identities.sweep(&store).await.unwrap(), 3);
    assert_eq!(identities.counts().await.unwrap(), [("person".to_owned(), 2)]);
    assert_eq!(identities.sweep(&store).await.unwrap(), 0);
    run("DELETE FROM person WHERE person = (SELECT min(person) FROM person)").await;
    assert_eq!(identities.sweep(&store).await.unwrap(), 1);
    run("DELETE FROM person").await;
    run("DELETE FROM import_batch").await;
    assert_eq!(identities.sweep(&store).await.unwrap(), 1);
    assert_eq!(identities.counts().await.unwrap(), []);
    identities.close().await;
    store.close().await;
}

#[tokio::test]
async fn forgetting_takes_key_and_file_and_a_lost_key_is_said() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Identities::open(dir.path()).await.unwrap().is_none());
    Identities::open_or_create(dir.path()).await.unwrap().close().await;
    #[cfg(unix)]
    for name in [FILE, KEY_FILE] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
    std::fs::remove_file(dir.path().join(KEY_FILE)).unwrap();
    let fault = Identities::open(dir.path()).await.unwrap_err();
    assert_eq!(fault.message, "the sealed ids are there, but their key file is not");
    assert!(forget(dir.path()).unwrap());
    assert!(!forget(dir.path()).unwrap());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
