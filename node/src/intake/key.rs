//! Replaces a hospital's ids by keyed hashes.
//!
//! For each kind of key a temporary table holds every id met so far with its hash; rows are joined to it
//! when they are taken over. The ids themselves never reach the node's database; a site that chooses so keeps
//! those of people whose rows were taken over, sealed, in a file apart.
use super::canonical::{Rule, Table};
use crate::store::bulk::{Bulk, Cell};
use crate::store::fault;
use crate::store::identity::{self, Identities};
use crate::store::pseudonym::{Kind, Pseudonyms};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Error};
use tacit_shared::fault::Fault;

/// How many ids are hashed at once.
const PAGE: i64 = 20_000;

const KINDS: [Kind; 5] =
    [Kind::Person, Kind::Patient, Kind::Encounter, Kind::Response, Kind::Session];

/// The temporary table with the keys of a kind.
pub(super) fn table(kind: Kind) -> String {
    format!("temp.key_{}", kind.word())
}

/// Makes the tables of keys.
pub(super) async fn prepare(connection: &mut SqliteConnection) -> Result<(), Error> {
    for kind in KINDS {
        for table in ["key", "fresh"] {
            let key = if table == "key" { ", key BLOB NOT NULL" } else { "" };
            let word = kind.word();
            let sql = format!(
                "CREATE TEMP TABLE {table}_{word} (id TEXT PRIMARY KEY{key}) WITHOUT ROWID"
            );
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// Drops the tables of keys.
pub(super) async fn forget(connection: &mut SqliteConnection) -> Result<(), Error> {
    for kind in KINDS {
        for table in ["key", "fresh"] {
            let sql = format!("DROP TABLE IF EXISTS temp.{table}_{}", kind.word());
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// Hashes the ids of a column of a staging table that were not met before. `good` is a condition that
/// leaves out ids which are none.
pub(super) async fn hash(
    connection: &mut SqliteConnection,
    pseudonyms: &Pseudonyms,
    (kind, column): (Kind, &str),
    stage: &str,
) -> Result<(), Error> {
    let (keys, fresh) = (table(kind), format!("temp.fresh_{}", kind.word()));
    let sql = format!(
        "INSERT INTO {fresh} SELECT DISTINCT {column} FROM {stage} \
         WHERE typeof({column}) = 'text' AND {column} NOT IN (SELECT id FROM {keys})"
    );
    sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    let sql = format!("SELECT id FROM {fresh} WHERE id > ? ORDER BY id LIMIT {PAGE}");
    let mut bulk = Bulk::new(&keys, &["id", "key"]);
    let mut row = Vec::with_capacity(2);
    let mut last = String::new();
    loop {
        let ids: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql.as_str()))
            .bind(&last)
            .fetch_all(&mut *connection)
            .await?;
        let Some(end) = ids.last() else { break };
        last.clone_from(end);
        for id in ids {
            let key = pseudonyms.key(kind, &id);
            row.push(Cell::Text(id));
            row.push(Cell::Blob(key.to_vec()));
            bulk.push(connection, &mut row).await?;
        }
    }
    bulk.flush(connection).await?;
    let sql = format!("DELETE FROM {fresh}");
    sqlx::query(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

/// Seals the ids of clinicians and patients whose rows the batch brought.
pub(super) async fn keep_taken(
    connection: &mut SqliteConnection,
    batch: i64,
    identities: &Identities,
) -> Result<u64, Fault> {
    let listed = async {
        for kind in identity::KINDS {
            let word = kind.word();
            for sql in [
                format!("DROP TABLE IF EXISTS temp.taken_{word}"),
                format!("CREATE TEMP TABLE taken_{word} (key BLOB PRIMARY KEY) WITHOUT ROWID"),
            ] {
                sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
            }
            for table in tables_with(kind) {
                let sql = format!(
                    "INSERT OR IGNORE INTO temp.taken_{word} SELECT {word} FROM main.{table} \
                     WHERE src = ? AND {word} IS NOT NULL"
                );
                sqlx::query(AssertSqlSafe(sql)).bind(batch).execute(&mut *connection).await?;
            }
        }
        Ok::<_, Error>(())
    };
    listed.await.map_err(|e| fault(&e))?;
    let taken = |kind: Kind| {
        let (keys, word) = (table(kind), kind.word());
        format!(
            "SELECT k.id, k.key FROM {keys} k WHERE k.id > ? \
             AND EXISTS (SELECT 1 FROM temp.taken_{word} t WHERE t.key = k.key) ORDER BY k.id LIMIT ?"
        )
    };
    let kept = identities.keep(connection, batch, taken).await?;
    for kind in identity::KINDS {
        let sql = format!("DROP TABLE temp.taken_{}", kind.word());
        let dropped = sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await;
        dropped.map_err(|e| fault(&e))?;
    }
    Ok(kept)
}

/// The canonical tables in whose rows a person of the kind stands.
fn tables_with(kind: Kind) -> impl Iterator<Item = &'static str> {
    Table::ALL
        .into_iter()
        .filter(move |table| table.columns().iter().any(|c| c.rule == Rule::Key(kind)))
        .map(Table::name)
}
