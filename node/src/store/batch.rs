//! Import batches: what each brought, and how one is withdrawn whole.
//!
//! A batch owns the rows whose `src` is its number, in whatever table has that column. Withdrawing deletes them in
//! one transaction, `secure_delete` on, and then writes the log back, so that neither file keeps their bytes.
//!
//! Rows of other batches may refer to rows of this one, by a foreign key: an encounter to its clinician, an
//! answer to its response. They cannot stay without what they refer to. So a withdrawal that would leave such rows
//! is refused, with their counts, unless the caller says that they go too; nothing vanishes unannounced.
//! A clinician whom a later batch brought again belongs to that batch.
use super::{Store, consent, fault};
use serde::Serialize;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Error};
use std::collections::{BTreeMap, BTreeSet};
use tacit_shared::fault::Fault;
use tacit_shared::id::to_hex;

/// A file as it was imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// The name the mapping knows it by.
    pub name: String,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// Its length.
    pub bytes: i64,
    /// Rows read.
    pub rows: i64,
}

/// One import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Batch {
    /// Its number.
    pub batch: i64,
    /// When, in microseconds since 1970 UTC.
    pub at_us: i64,
    /// The SHA-256 of the mapping, in hexadecimal digits.
    pub mapping_sha256: String,
    /// Its files, by name.
    pub files: Vec<File>,
    /// Rows that are there now, by table; tables without are left out.
    pub rows: BTreeMap<String, i64>,
    /// Rows that were not taken over; `None` where an older program imported them.
    pub rejected_rows: Option<i64>,
    /// What is wrong with them: a row may have several reasons.
    pub reject_reasons: i64,
}

/// A batch that was withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Gone {
    /// Its number.
    #[sqlx(rename = "id")]
    pub batch: i64,
    /// When it was imported, in microseconds since 1970 UTC.
    pub imported_us: i64,
    /// When it was withdrawn.
    pub withdrawn_us: i64,
    /// How many rows it had.
    pub rows: i64,
    /// How many rows of other batches went with them.
    pub dependent_rows: i64,
}

/// What to do about rows of other batches that refer to the batch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependents {
    /// Refuse the withdrawal if there are any.
    Refuse,
    /// Withdraw them too.
    Withdraw,
}

/// What a withdrawal took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Withdrawal {
    /// The batch.
    pub batch: i64,
    /// Its rows, by table.
    pub rows: BTreeMap<String, i64>,
    /// Rows of other batches, by their batch and table.
    pub dependents: BTreeMap<i64, BTreeMap<String, i64>>,
    /// Whether the database's log was emptied too. It is not while another program reads: then it is once
    /// that ends.
    pub log_emptied: bool,
}

impl Withdrawal {
    fn own(&self) -> i64 {
        self.rows.values().sum()
    }

    fn others(&self) -> i64 {
        self.dependents.values().flat_map(BTreeMap::values).sum()
    }
}

/// Every batch, oldest first.
///
/// # Errors
/// A fault of the database.
pub async fn all(store: &Store) -> Result<Vec<Batch>, Fault> {
    let read = async {
        let mut transaction = store.pool().begin().await?;
        let found = read_all(&mut transaction).await;
        transaction.rollback().await?;
        found
    };
    read.await.map_err(|e| fault(&e))
}

/// Every batch that was withdrawn, oldest first.
///
/// # Errors
/// A fault of the database.
pub async fn gone(store: &Store) -> Result<Vec<Gone>, Fault> {
    sqlx::query_as("SELECT * FROM withdrawn_batch ORDER BY withdrawn_us, id")
        .fetch_all(store.pool())
        .await
        .map_err(|e| fault(&e))
}

/// Takes a batch out whole.
///
/// # Errors
/// A user's fault if there is no such batch, or if rows of other batches refer to its rows and may not go too; an
/// operator's for the database. Nothing was withdrawn then.
pub async fn withdraw(
    store: &Store,
    batch: i64,
    dependents: Dependents,
    now_us: i64,
) -> Result<Withdrawal, Fault> {
    let mut transaction =
        store.pool().begin_with("BEGIN IMMEDIATE").await.map_err(|e| fault(&e))?;
    let done = withdraw_within(&mut transaction, (batch, now_us), dependents).await;
    match done {
        Ok(mut withdrawal) => {
            transaction.commit().await.map_err(|e| fault(&e))?;
            withdrawal.log_emptied = empty_log(store).await.map_err(|e| fault(&e))?;
            Ok(withdrawal)
        }
        Err(found) => {
            transaction.rollback().await.map_err(|e| fault(&e))?;
            Err(found)
        }
    }
}

/// Writes the log back and empties it: it still holds pages from before. Whether no reader was in the way.
async fn empty_log(store: &Store) -> Result<bool, Error> {
    let mut connection = store.pool().acquire().await?;
    // A reader may go on for minutes; it is told of, not waited for.
    sqlx::query("PRAGMA busy_timeout = 200").execute(&mut *connection).await?;
    let (busy, _, _): (i64, i64, i64) =
        sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *connection).await?;
    connection.close().await?; // with its short patience
    Ok(busy == 0)
}

async fn read_all(connection: &mut SqliteConnection) -> Result<Vec<Batch>, Error> {
    type Row = (i64, i64, Vec<u8>, Option<i64>, i64);
    let found: Vec<Row> = sqlx::query_as(
        "SELECT id, at_us, mapping_sha256, (SELECT rows FROM rejected_rows WHERE batch = id), \
         (SELECT count(*) FROM reject WHERE batch = id) FROM import_batch ORDER BY id",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut batches: BTreeMap<i64, Batch> = found
        .into_iter()
        .map(|(batch, at_us, mapping, rejected_rows, reject_reasons)| {
            let (files, rows, mapping_sha256) = (Vec::new(), BTreeMap::new(), to_hex(&mapping));
            let of =
                Batch { batch, at_us, mapping_sha256, files, rows, rejected_rows, reject_reasons };
            (batch, of)
        })
        .collect();
    let files: Vec<(i64, String, Vec<u8>, i64, i64)> = sqlx::query_as(
        "SELECT batch, name, sha256, bytes, rows FROM import_file ORDER BY batch, name",
    )
    .fetch_all(&mut *connection)
    .await?;
    for (batch, name, sha256, bytes, rows) in files {
        if let Some(batch) = batches.get_mut(&batch) {
            batch.files.push(File { name, sha256: to_hex(&sha256), bytes, rows });
        }
    }
    for table in owned_tables(connection).await? {
        let sql = format!("SELECT src, count(*) FROM \"{table}\" GROUP BY src");
        let counts: Vec<(i64, i64)> =
            sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut *connection).await?;
        for (src, count) in counts {
            if let Some(batch) = batches.get_mut(&src) {
                batch.rows.insert(table.clone(), count);
            }
        }
    }
    Ok(batches.into_values().collect())
}

async fn withdraw_within(
    connection: &mut SqliteConnection,
    (batch, now_us): (i64, i64),
    dependents: Dependents,
) -> Result<Withdrawal, Fault> {
    let at: Option<i64> = sqlx::query_scalar("SELECT at_us FROM import_batch WHERE id = ?")
        .bind(batch)
        .fetch_optional(&mut *connection)
        .await
        .map_err(|e| fault(&e))?;
    let Some(imported_us) = at else {
        return Err(Fault::user(format!("there is no batch {batch}"))
            .hint("`tacit-node batches --dir DIR` lists them"));
    };
    // What people said of themselves goes with it, but for withdrawals.
    consent::take_back(connection, batch).await.map_err(|e| fault(&e))?;
    let plan = Plan::read(connection).await.map_err(|e| fault(&e))?;
    let withdrawal = plan.mark(connection, batch).await.map_err(|e| fault(&e))?;
    if dependents == Dependents::Refuse && withdrawal.others() > 0 {
        return Err(refused(&withdrawal));
    }
    let done = async {
        plan.delete(connection, batch).await?;
        sqlx::query("DELETE FROM import_batch WHERE id = ?")
            .bind(batch)
            .execute(&mut *connection)
            .await?;
        sqlx::query("INSERT INTO withdrawn_batch VALUES (?, ?, ?, ?, ?)")
            .bind(batch)
            .bind(imported_us)
            .bind(now_us)
            .bind(withdrawal.own())
            .bind(withdrawal.others())
            .execute(&mut *connection)
            .await
    };
    done.await.map_err(|e| fault(&e))?;
    Ok(withdrawal)
}

fn refused(withdrawal: &Withdrawal) -> Fault {
    let of = |(batch, rows): (&i64, &BTreeMap<String, i64>)| {
        let rows: Vec<String> = rows.iter().map(|(table, n)| format!("{n} of {table}")).collect();
        format!("batch {batch}: {}", rows.join(", "))
    };
    let named: Vec<String> = withdrawal.dependents.iter().map(of).collect();
    let message = format!(
        "{} rows of other batches refer to rows of batch {} ({}); nothing was withdrawn",
        withdrawal.others(),
        withdrawal.batch,
        named.join("; ")
    );
    Fault::user(message).hint(
        "import newer files with the same clinicians first (they then belong to that batch), or add --with-dependents: \
         those rows go too",
    )
}

/// The tables whose rows belong to batches, by name.
async fn owned_tables(connection: &mut SqliteConnection) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(
        "SELECT m.name FROM main.sqlite_schema m JOIN pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND c.name = 'src' ORDER BY m.name",
    )
    .fetch_all(connection)
    .await
}

/// A reference between two tables whose rows belong to batches.
struct Reference {
    column: String,
    target: String,
    target_column: String,
}

/// The tables, each after those it refers to.
struct Plan {
    tables: Vec<(String, Vec<Reference>)>,
}

impl Plan {
    async fn read(connection: &mut SqliteConnection) -> Result<Self, Error> {
        let names = owned_tables(connection).await?;
        let mut left = Vec::with_capacity(names.len());
        for name in &names {
            let found: Vec<(String, String, String)> = sqlx::query_as(
                "SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list(?)",
            )
            .bind(name)
            .fetch_all(&mut *connection)
            .await?;
            let reference =
                |(column, target, target_column)| Reference { column, target, target_column };
            let kept = found.into_iter().map(reference).filter(|r| names.contains(&r.target));
            left.push((name.clone(), kept.collect::<Vec<_>>()));
        }
        let (mut tables, mut placed) = (Vec::with_capacity(left.len()), BTreeSet::new());
        while !left.is_empty() {
            let before = left.len();
            let ready = |(name, references): &(String, Vec<Reference>),
                         placed: &BTreeSet<String>| {
                references.iter().all(|r| r.target == *name || placed.contains(&r.target))
            };
            let (now, later) = left.into_iter().partition(|table| ready(table, &placed));
            let now: Vec<(String, Vec<Reference>)> = now;
            placed.extend(now.iter().map(|(name, _)| name.clone()));
            tables.extend(now);
            left = later;
            if left.len() == before {
                return Err(Error::Protocol("tables refer to each other in a circle".to_owned()));
            }
        }
        Ok(Self { tables })
    }

    /// Lists, for each column that is referred to, the values that go; counts what goes.
    async fn mark(
        &self,
        connection: &mut SqliteConnection,
        batch: i64,
    ) -> Result<Withdrawal, Error> {
        let mut withdrawal = Withdrawal { batch, ..Withdrawal::default() };
        for (name, references) in &self.tables {
            let condition = condition(references);
            let sql =
                format!("SELECT src, count(*) FROM \"{name}\" WHERE {condition} GROUP BY src");
            let counts: Vec<(i64, i64)> =
                sqlx::query_as(AssertSqlSafe(sql)).bind(batch).fetch_all(&mut *connection).await?;
            for (src, count) in counts {
                if src == batch {
                    withdrawal.rows.insert(name.clone(), count);
                } else {
                    withdrawal.dependents.entry(src).or_default().insert(name.clone(), count);
                }
            }
            for column in self.referred_columns(name) {
                let gone = gone_table(name, column);
                let sql = format!("CREATE TEMP TABLE {gone} (value PRIMARY KEY) WITHOUT ROWID");
                sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
                let sql = format!(
                    "INSERT OR IGNORE INTO temp.{gone} SELECT \"{column}\" FROM \"{name}\" WHERE {condition}"
                );
                sqlx::query(AssertSqlSafe(sql)).bind(batch).execute(&mut *connection).await?;
            }
        }
        Ok(withdrawal)
    }

    /// Deletes what [`mark`](Self::mark) found, those that refer first.
    async fn delete(&self, connection: &mut SqliteConnection, batch: i64) -> Result<(), Error> {
        for (name, references) in self.tables.iter().rev() {
            let sql = format!("DELETE FROM \"{name}\" WHERE {}", condition(references));
            sqlx::query(AssertSqlSafe(sql)).bind(batch).execute(&mut *connection).await?;
        }
        for (name, _) in &self.tables {
            for column in self.referred_columns(name) {
                let sql = format!("DROP TABLE temp.{}", gone_table(name, column));
                sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
            }
        }
        Ok(())
    }

    fn referred_columns(&self, table: &str) -> BTreeSet<&str> {
        let all = self.tables.iter().flat_map(|(_, references)| references);
        all.filter(|r| r.target == table).map(|r| r.target_column.as_str()).collect()
    }
}

fn gone_table(table: &str, column: &str) -> String {
    format!("\"gone {table} {column}\"")
}

/// The rows of the batch, and those that refer to rows that go.
fn condition(references: &[Reference]) -> String {
    let mut condition = "(src = ?1".to_owned();
    for Reference { column, target, target_column } in references {
        use std::fmt::Write as _;
        let gone = gone_table(target, target_column);
        let _ = write!(condition, " OR \"{column}\" IN (SELECT value FROM temp.{gone})"); // a String
    }
    condition.push(')');
    condition
}

#[cfg(test)]
mod tests;
