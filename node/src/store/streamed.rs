//! The file of encounters that is read in place, if there is one: where it is, and what it must be.
use super::bulk::{Bulk, Cell};
use super::pseudonym::{Key, Kind};
use sqlx::Error;
use sqlx::sqlite::SqliteConnection;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use tacit_shared::id::Digest;

/// What was noted of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Streamed {
    pub(crate) path: PathBuf,
    /// Digests of its row groups.
    pub(crate) digests: Vec<Digest>,
    /// Numbers of the rows that do not count, from 0, ascending.
    pub(crate) refused: Vec<u64>,
}

/// The batch of a streamed file, where its file is, and its rows.
pub(crate) async fn listed(
    connection: &mut SqliteConnection,
) -> Result<Option<(i64, String, i64)>, Error> {
    sqlx::query_as("SELECT batch, path, rows FROM streamed LIMIT 1")
        .fetch_optional(connection)
        .await
}

/// The streamed file.
pub(crate) async fn find(connection: &mut SqliteConnection) -> Result<Option<Streamed>, Error> {
    let sql = "SELECT path, digests, refused FROM streamed LIMIT 1";
    let found: Option<(String, Vec<u8>, Vec<u8>)> =
        sqlx::query_as(sql).fetch_optional(connection).await?;
    Ok(found.map(|(path, digests, refused)| Streamed {
        path: path.into(),
        digests: digests.as_chunks::<32>().0.iter().copied().map(Digest::new).collect(),
        refused: refused.as_chunks::<8>().0.iter().copied().map(u64::from_le_bytes).collect(),
    }))
}

/// Notes a file under a batch.
pub(crate) async fn note(
    connection: &mut SqliteConnection,
    batch: i64,
    (path, rows): (&Path, u64),
    (digests, refused): (&[Digest], &[u64]),
) -> Result<(), Error> {
    let digests: Vec<u8> = digests.iter().flat_map(|digest| *digest.as_bytes()).collect();
    let refused: Vec<u8> = refused.iter().flat_map(|row| row.to_le_bytes()).collect();
    let sql = "INSERT INTO streamed (batch, path, rows, digests, refused) VALUES (?, ?, ?, ?, ?)";
    sqlx::query(sql)
        .bind(batch)
        .bind(path.display().to_string())
        .bind(i64::try_from(rows).unwrap_or(i64::MAX))
        .bind(digests)
        .bind(refused)
        .execute(connection)
        .await?;
    Ok(())
}

/// Every clinician's key, ascending, and the place of each.
pub(crate) async fn persons(
    connection: &mut SqliteConnection,
) -> Result<(Vec<Key>, HashMap<Key, u32>), Error> {
    let found: Vec<(Vec<u8>,)> = sqlx::query_as("SELECT person FROM main.person ORDER BY person")
        .fetch_all(connection)
        .await?;
    let keys: Vec<Key> =
        found.iter().filter_map(|(key,)| Key::try_from(key.as_slice()).ok()).collect();
    let places = (0_u32..).zip(&keys).map(|(place, key)| (*key, place)).collect();
    Ok((keys, places))
}

/// Kinds and keys of what is as if not there.
pub(crate) async fn barred(
    connection: &mut SqliteConnection,
) -> Result<HashSet<(Kind, Key)>, Error> {
    let found: Vec<(String, Vec<u8>)> =
        sqlx::query_as("SELECT DISTINCT kind, key FROM main.barred").fetch_all(connection).await?;
    let kinds = [Kind::Person, Kind::Patient, Kind::Encounter];
    let of = |(word, key): &(String, Vec<u8>)| {
        let kind = kinds.into_iter().find(|kind| kind.word() == word)?;
        Some((kind, Key::try_from(key.as_slice()).ok()?))
    };
    Ok(found.iter().filter_map(of).collect())
}

/// Writes down why rows were refused: row number from 0, column, reason.
pub(crate) async fn reject(
    connection: &mut SqliteConnection,
    batch: i64,
    rejects: &[(u64, &'static str, String)],
) -> Result<(), Error> {
    let columns = ["batch", "table_name", "line", "column_name", "reason"];
    let mut bulk = Bulk::new("main.reject", &columns);
    for (row, column, reason) in rejects {
        let line = i64::try_from(row.saturating_add(1)).unwrap_or(i64::MAX);
        let mut cells = vec![
            Cell::Integer(batch),
            Cell::Text("encounter".to_owned()),
            Cell::Integer(line),
            Cell::Text((*column).to_owned()),
            Cell::Text(reason.clone()),
        ];
        bulk.push(connection, &mut cells).await?;
    }
    bulk.flush(connection).await?;
    Ok(())
}
