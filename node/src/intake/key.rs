//! Replaces a hospital's ids by keyed hashes.
//!
//! Beside each staging table stands `temp.keyed`, row by row: the hashes of its ids, in columns of the same names.
//! It is written and read in the order of the rows, so that it costs the same whatever the ids are and however
//! many. The ids themselves never reach the node's database; a site that chooses so keeps those of people whose rows
//! were taken over, sealed, in a file apart.
use super::canonical::{Column, Rule, Table};
use super::staging::Staged;
use crate::store::bulk::{Bulk, Cell};
use crate::store::fault;
use crate::store::identity::{self, Identities};
use crate::store::pseudonym::{Kind, Pseudonyms};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Error, Row as _};
use tacit_shared::fault::Fault;

/// How many rows are hashed at once.
const PAGE: i64 = 20_000;

/// The table of hashes: `row_id`, and a column for each id of the staging table.
pub(super) const KEYED: &str = "temp.keyed";

/// Drops the table of hashes, and those of ids.
pub(super) async fn forget(connection: &mut SqliteConnection) -> Result<(), Error> {
    for table in ["keyed", "met_person", "met_patient"] {
        let sql = format!("DROP TABLE IF EXISTS temp.{table}");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Hashes the ids of every row of a staging table; what is no text has no hash, and is a reject. In the same scan the rows
/// that meet the condition go into `temp.suspect`. Returns how many do.
pub(super) async fn hash(
    connection: &mut SqliteConnection,
    pseudonyms: &Pseudonyms,
    (staged, suspect): (&Staged, &str),
) -> Result<u64, Error> {
    let columns: Vec<&Column> = staged.columns.iter().copied().filter(|c| is_key(c)).collect();
    let names: Vec<&str> = columns.iter().map(|c| c.name).collect();
    sqlx::query("DROP TABLE IF EXISTS temp.keyed").execute(&mut *connection).await?;
    let made: Vec<String> = names.iter().map(|name| format!(", {name} BLOB")).collect();
    let sql = format!("CREATE TEMP TABLE keyed (row_id INTEGER PRIMARY KEY{})", made.concat());
    sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    let texts: Vec<String> =
        names.iter().map(|n| format!(", iif(typeof({n}) = 'text', {n}, NULL)")).collect();
    let sql = format!(
        "SELECT row_id, coalesce({suspect}, 0){} FROM {} WHERE row_id > ? ORDER BY row_id LIMIT {PAGE}",
        texts.concat(),
        staged.name()
    );
    let all: Vec<&str> = std::iter::once("row_id").chain(names.iter().copied()).collect();
    let mut bulk = Bulk::new(KEYED, &all);
    let mut suspects = Bulk::new("temp.suspect", &["row_id"]);
    let mut row = Vec::with_capacity(all.len());
    let mut last = 0_i64;
    loop {
        let page: Vec<SqliteRow> =
            sqlx::query(AssertSqlSafe(sql.as_str())).bind(last).fetch_all(&mut *connection).await?;
        if page.is_empty() {
            break;
        }
        for found in page {
            last = found.try_get(0)?;
            if found.try_get::<bool, _>(1)? {
                suspects.push(connection, &mut vec![Cell::Integer(last)]).await?;
            }
            row.push(Cell::Integer(last));
            for (place, column) in columns.iter().enumerate() {
                let id: Option<&str> = found.try_get(place + 2)?;
                row.push(match (id, column.rule) {
                    (Some(id), Rule::Key(kind)) => Cell::Blob(pseudonyms.key(kind, id).to_vec()),
                    _ => Cell::Null,
                });
            }
            bulk.push(connection, &mut row).await?;
        }
    }
    bulk.flush(connection).await?;
    suspects.flush(connection).await
}

/// Makes the tables of people's ids that were met, for a site that keeps them.
pub(super) async fn prepare_kept(connection: &mut SqliteConnection) -> Result<(), Error> {
    for kind in identity::KINDS {
        let sql = format!(
            "CREATE TEMP TABLE met_{} (id TEXT PRIMARY KEY, key BLOB NOT NULL) WITHOUT ROWID",
            kind.word()
        );
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Remembers people's ids of a staging table with their hashes, which must stand beside it.
pub(super) async fn meet(connection: &mut SqliteConnection, staged: &Staged) -> Result<(), Error> {
    for column in &staged.columns {
        let Rule::Key(kind) = column.rule else { continue };
        if !identity::KINDS.contains(&kind) {
            continue;
        }
        let sql = format!(
            "INSERT OR IGNORE INTO temp.met_{} SELECT s.{name}, k.{name} FROM {} s JOIN {KEYED} k ON k.row_id = s.row_id \
             WHERE k.{name} IS NOT NULL",
            kind.word(),
            staged.name(),
            name = column.name
        );
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Seals the ids of clinicians and patients whose rows the batch brought, of those that were met.
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
        let word = kind.word();
        format!(
            "SELECT k.id, k.key FROM temp.met_{word} k WHERE k.id > ? \
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

/// Whether a column holds ids.
pub(super) fn is_key(column: &Column) -> bool {
    matches!(column.rule, Rule::Key(_))
}
