//! The coordinator's database: rounds, transcripts, signed results. SQLite, one file.
//!
//! An entry of a transcript is durable before it is acted on.

pub mod receipt;
pub mod transcript;

use sqlx::Row as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use std::path::Path;
use std::time::Duration;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::roster::Roster;
use tacit_shared::study::Study;

/// The file's name within the coordinator's folder.
pub const FILE: &str = "coordinator.sqlite";

/// What `PRAGMA application_id` of a coordinator's database says.
const APPLICATION: i64 = 0x5441_434f;

/// An open database.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
}

/// A round that began.
#[derive(Clone, Copy, Debug)]
pub struct Started<'a> {
    /// Digest of its configuration.
    pub config: Digest,
    /// Its counter.
    pub counter: u64,
    /// The study's digest.
    pub study: Digest,
    /// The study file.
    pub study_text: &'a str,
    /// The roster file.
    pub roster_text: &'a str,
    /// Seconds since 1970, UTC.
    pub at_unix_s: i64,
}

/// A round that began and did not end: the program ended in the middle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Digest of its configuration.
    pub config: Digest,
    /// The study's digest.
    pub study: Digest,
    /// The roster file.
    pub roster_text: String,
    /// Seconds since 1970, UTC.
    pub at_unix_s: i64,
}

/// A round that ended with a result.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Digest of its configuration.
    pub config: Digest,
    /// The study.
    pub study: Study,
    /// The roster.
    pub roster: Roster,
    /// The result as signed.
    pub signed: Vec<u8>,
}

impl Store {
    /// Opens or creates the database of a folder.
    ///
    /// # Errors
    /// An operator's fault if the file is damaged or cannot be written.
    pub async fn open(dir: &Path) -> Result<Self, Fault> {
        let path = dir.join(FILE);
        let place = path.display().to_string();
        create_private(&path).map_err(|e| {
            Fault::operator(format!("the coordinator's database cannot be made: {e}"))
                .at(&place)
                .hint("does its folder exist, and may the coordinator's user write there?")
        })?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await;
        let pool = pool.map_err(|e| fault(&e).at(&place))?;
        if !is_ours(&pool).await.map_err(|e| fault(&e).at(&place))? {
            let message =
                "this SQLite file belongs to another program; none of its tables was touched";
            return Err(Fault::operator(message)
                .at(&place)
                .hint("give the coordinator a folder of its own"));
        }
        sqlx::migrate!("./migrations").run(&pool).await.map_err(|e| {
            Fault::operator(format!("the coordinator's database cannot be used: {e}"))
                .at(&place)
                .hint("is the file damaged, or made by another program or a newer version?")
        })?;
        Ok(Self { pool })
    }

    /// The connections.
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// The counter after the highest used; it never repeats, whatever became of a round.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn next_counter(&self) -> Result<u64, Fault> {
        let last: i64 = sqlx::query_scalar("SELECT coalesce(max(counter), 0) FROM round")
            .fetch_one(&self.pool)
            .await
            .map_err(|e| fault(&e))?;
        Ok(u64::try_from(last).unwrap_or(0).saturating_add(1))
    }

    /// Writes down that a round begins.
    ///
    /// # Errors
    /// A fault of the database: then the round may not be announced.
    pub async fn start(&self, round: &Started<'_>) -> Result<(), Fault> {
        sqlx::query(
            "INSERT INTO round (config, counter, study, study_text, roster_text, started_unix_s)
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(round.config.to_string())
        .bind(i64::try_from(round.counter).unwrap_or(i64::MAX))
        .bind(round.study.to_string())
        .bind(round.study_text)
        .bind(round.roster_text)
        .bind(round.at_unix_s)
        .execute(&self.pool)
        .await
        .map_err(|e| fault(&e))?;
        Ok(())
    }

    /// Writes down how a round ended: with a signed result, or why without.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn end(
        &self,
        config: Digest,
        result: Result<&[u8], &str>,
        at_unix_s: i64,
    ) -> Result<(), Fault> {
        sqlx::query(
            "UPDATE round SET ended_unix_s = ?, signed_result = ?, failure = ? WHERE config = ?",
        )
        .bind(at_unix_s)
        .bind(result.ok())
        .bind(result.err())
        .bind(config.to_string())
        .execute(&self.pool)
        .await
        .map_err(|e| fault(&e))?;
        Ok(())
    }

    /// The round begun last, if it has not ended. Sites answer no round older than the last.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn unfinished(&self) -> Result<Option<Unfinished>, Fault> {
        let row = sqlx::query(
            "SELECT config, study, roster_text, started_unix_s, ended_unix_s FROM round
             ORDER BY counter DESC LIMIT 1",
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(|e| fault(&e))?;
        let Some(row) = row else { return Ok(None) };
        let ended: Option<i64> = row.try_get("ended_unix_s").map_err(|e| fault(&e))?;
        if ended.is_some() {
            return Ok(None);
        }
        let text = |column: &str| row.try_get::<String, _>(column).map_err(|e| fault(&e));
        let digest =
            |column: &str| text(column)?.parse().map_err(|_| Fault::operator("a round is damaged"));
        Ok(Some(Unfinished {
            config: digest("config")?,
            study: digest("study")?,
            roster_text: text("roster_text")?,
            at_unix_s: row.try_get("started_unix_s").map_err(|e| fault(&e))?,
        }))
    }

    /// Every round with a result, newest first, and why others cannot be read any more: the checks of this program may be
    /// stricter than those of the program that ran them.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn finished(&self) -> Result<(Vec<Finished>, Vec<Fault>), Fault> {
        let rows = sqlx::query(
            "SELECT config, study_text, roster_text, signed_result FROM round
             WHERE signed_result IS NOT NULL ORDER BY counter DESC",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(|e| fault(&e))?;
        let (mut finished, mut unread) = (Vec::new(), Vec::new());
        for row in &rows {
            match read(row) {
                Ok(one) => finished.push(one),
                Err(fault) => unread.push(fault),
            }
        }
        Ok((finished, unread))
    }
}

/// Makes the file, readable by its owner alone, if there is none.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut how = std::fs::OpenOptions::new();
    how.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        how.mode(0o600);
    }
    how.open(path).map(drop)
}

/// Whether the file is a coordinator's: by its mark, by the table that marked it before there was one, or empty.
async fn is_ours(pool: &SqlitePool) -> Result<bool, sqlx::Error> {
    let mark: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(pool).await?;
    let sql = "SELECT count(*), count(*) FILTER (WHERE name IN ('round', 'transcript')) FROM sqlite_master
               WHERE type = 'table' AND name <> '_sqlx_migrations'";
    let (tables, own): (i64, i64) = sqlx::query_as(sql).fetch_one(pool).await?;
    Ok(mark == APPLICATION || (mark == 0 && (tables == 0 || own == 2)))
}

fn read(row: &SqliteRow) -> Result<Finished, Fault> {
    let text = |column: &str| row.try_get::<String, _>(column).map_err(|e| fault(&e));
    let config = text("config")?.parse().map_err(|_| Fault::operator("a round is damaged"))?;
    let study = Study::parse(&text("study_text")?).map_err(|e| e.into_fault("a stored study"))?;
    let roster =
        Roster::parse(&text("roster_text")?).map_err(|e| e.into_fault("a stored roster"))?;
    let signed = row.try_get("signed_result").map_err(|e| fault(&e))?;
    Ok(Finished { config, study, roster, signed })
}

/// What an error of the database means to the person who runs the coordinator.
pub fn fault(error: &sqlx::Error) -> Fault {
    Fault::operator(format!("the coordinator's database refused: {error}"))
        .hint("is the disk full, the file damaged, or another coordinator using it?")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_store_is_its_owners_and_survives_being_closed() {
        let dir = tempfile::tempdir().unwrap();
        for counter in 1..=3 {
            let store = Store::open(dir.path()).await.unwrap();
            assert_eq!(store.next_counter().await.unwrap(), counter);
            let digest = Digest::new([u8::try_from(counter).unwrap(); 32]);
            let started = Started {
                config: digest,
                counter,
                study: digest,
                study_text: "",
                roster_text: "",
                at_unix_s: 0,
            };
            store.start(&started).await.unwrap();
            #[cfg(unix)]
            for entry in std::fs::read_dir(dir.path()).unwrap() {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = entry.unwrap().metadata().unwrap().permissions().mode();
                assert_eq!(mode & 0o077, 0);
            }
            store.pool().close().await;
        }
    }

    #[tokio::test]
    async fn the_database_of_another_program_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let options =
            SqliteConnectOptions::new().filename(dir.path().join(FILE)).create_if_missing(true);
        let other = SqlitePool::connect_with(options).await.unwrap();
        sqlx::query("CREATE TABLE bookmarks (id INTEGER)").execute(&other).await.unwrap();
        other.close().await;
        let found = Store::open(dir.path()).await.unwrap_err().to_string();
        assert!(found.starts_with("this SQLite file belongs to another program"), "{found}");
    }
}
