//! The node's database: one `SQLite` file, opened with care.
//!
//! Write-ahead log, `synchronous = FULL`, foreign keys on. A file that is damaged or belongs to another
//! program is refused before anything is written to it. Statements are not logged: their text may
//! carry what a site's mapping says.
//!
//! The tables stand in `migrations/`. What they mean is the work of [`crate::intake`]; keys are made by
//! [`pseudonym`], many rows are written by [`bulk`], and [`panel`] reads what a clinician's row needs.

pub mod annotation;
pub mod approval;
pub mod away;
pub mod batch;
pub mod bulk;
pub mod consent;
pub mod earlier;
pub mod evidence;
pub mod held;
pub mod identity;
pub mod ledger;
pub mod officer;
pub mod panel;
pub mod people;
pub mod private;
pub mod profile;
pub mod pseudonym;
pub mod quality;
pub mod receipt;
pub mod release_log;
pub mod retain;
pub mod scored;
pub(crate) mod streamed;
pub mod subject;
pub mod told;
pub mod window;
pub mod withdraw;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tacit_shared::fault::Fault;

/// The name of the database within a node's folder.
pub const FILE: &str = "node.sqlite";

/// What `PRAGMA application_id` of a node's database says.
const APPLICATION: i64 = 0x5441_4354;

/// An open database, brought to the newest version of its tables.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
    path: PathBuf,
}

impl Store {
    /// Opens the database at `path`, or makes it (readable by its owner alone).
    ///
    /// # Errors
    /// An operator's fault if the file is damaged, belongs to another program, was made by a newer one,
    /// or cannot be written. A refused file is left as it was.
    pub async fn open(path: &Path) -> Result<Self, Fault> {
        let place = path.display().to_string();
        if file_length(path)? > 0 {
            inspect(path).await?;
        } else {
            create_private(path)?;
        }
        let options = options(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("secure_delete", "ON");
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options)
            .await
            .map_err(|e| fault(&e).at(&place))?;
        if let Err(error) = sqlx::migrate!("./migrations").run(&pool).await {
            pool.close().await;
            return Err(migration_fault(&error).at(&place));
        }
        Ok(Self { pool, path: path.to_owned() })
    }

    /// The connections.
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads every page and every reference of the database.
    ///
    /// # Errors
    /// An operator's fault if anything is damaged.
    pub async fn verify(&self) -> Result<(), Fault> {
        let place = self.path.display().to_string();
        let found: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
            .fetch_one(&self.pool)
            .await
            .map_err(|e| fault(&e).at(&place))?;
        let orphans: i64 = sqlx::query_scalar("SELECT count(*) FROM pragma_foreign_key_check")
            .fetch_one(&self.pool)
            .await
            .map_err(|e| fault(&e).at(&place))?;
        if found == "ok" && orphans == 0 {
            return Ok(());
        }
        Err(damaged().at(place))
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// What an error of the database means to the person who runs the node. Never quotes a value.
pub fn fault(error: &sqlx::Error) -> Fault {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .and_then(|code| code.parse::<u32>().ok());
    match code.map(|code| code & 0xff) {
        Some(11 | 26) => damaged(),
        Some(5 | 6) => Fault::operator("the node's database is in use by another program")
            .hint("wait until it ends, or stop it"),
        Some(8) => Fault::operator("the node's database is read-only")
            .hint("the node's user needs to write to the file and to its folder"),
        Some(13) => Fault::operator("the disk is full; nothing was written").hint(
            "free some space; temporary tables go to the folder that SQLITE_TMPDIR names, else /var/tmp",
        ),
        Some(14) => Fault::operator("the node's database cannot be opened")
            .hint("does its folder exist, and may the node's user write there?"),
        Some(10) => Fault::operator("the disk could not be read or written")
            .hint("look at the system's log for errors of the disk"),
        _ => Fault::bug(format!("the node's database refused a statement: {error}")),
    }
}

fn damaged() -> Fault {
    Fault::operator("the node's database is damaged or is no database at all").hint(
        "do not repair it in place: it holds the privacy ledger; after restoring a backup, compare its last charge with the coordinator's results before approving anything",
    )
}

fn migration_fault(error: &MigrateError) -> Fault {
    match error {
        MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => {
            Fault::operator("the node's database was made by a newer tacit-node")
                .hint("install the newer program; tables are never taken back to an older form")
        }
        MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _) => fault(e),
        other => Fault::operator(format!(
            "the tables of the node's database are not as expected: {other}"
        ))
        .hint("was the file changed by another program? see docs/operations.md on backups"),
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .row_buffer_size(1024)
        .disable_statement_logging()
}

fn file_length(path: &Path) -> Result<u64, Fault> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(found.len()),
        Ok(_) => {
            Err(Fault::operator("the node's database is not a file").at(path.display().to_string()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => {
            Err(Fault::operator(format!("the node's database: {error}"))
                .at(path.display().to_string()))
        }
    }
}

/// Looks at a file that exists, without changing it.
async fn inspect(path: &Path) -> Result<(), Fault> {
    let place = path.display().to_string();
    let located = |e: sqlx::Error| fault(&e).at(&place);
    let mut connection = options(path).connect().await.map_err(located)?;
    let application: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut connection)
        .await
        .map_err(located)?;
    // A node that was stopped before its first migration has that table alone.
    let sql = "SELECT count(*) FROM sqlite_master WHERE tbl_name <> '_sqlx_migrations'";
    let tables: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.map_err(located)?;
    connection.close().await.map_err(located)?;
    if application == APPLICATION || (application == 0 && tables == 0) {
        return Ok(());
    }
    Err(Fault::operator("this SQLite file belongs to another program; nothing was written to it")
        .at(place)
        .hint("give the node a folder of its own"))
}

fn create_private(path: &Path) -> Result<(), Fault> {
    let mut how = std::fs::OpenOptions::new();
    how.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        how.mode(0o600);
    }
    how.open(path).map(drop).map_err(|e| {
        Fault::operator(format!("the node's database cannot be made: {e}"))
            .at(path.display().to_string())
            .hint("does its folder exist, and may the node's user write there?")
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_store_survives_being_closed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        for _ in 0..2 {
            let store = Store::open(&path).await.unwrap();
            let mode: String =
                sqlx::query_scalar("PRAGMA journal_mode").fetch_one(store.pool()).await.unwrap();
            assert_eq!(mode, "wal");
            store.verify().await.unwrap();
            store.close().await;
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_its_owner_reads_a_store() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let store = Store::open(&path).await.unwrap();
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
        store.close().await;
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_refused_untouched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let mut damaged_header = std::fs::read(made(dir.path()).await).unwrap();
        damaged_header.iter_mut().skip(16).take(80).for_each(|b| *b = 0xff);
        for bytes in [b"person,role\np1,nurse\n".repeat(100), damaged_header] {
            std::fs::write(&path, &bytes).unwrap();
            let found = Store::open(&path).await.unwrap_err().to_string();
            let expected = format!(
                "the node's database is damaged or is no database at all\n  at:   {}\n  hint: do not \
                 repair it in place: it holds the privacy ledger; after restoring a backup, compare its last \
                 charge with the coordinator's results before approving anything",
                path.display()
            );
            assert_eq!(found, expected);
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
    }

    #[tokio::test]
    async fn a_damaged_page_is_found_on_request() {
        let dir = tempfile::tempdir().unwrap();
        let path = made(dir.path()).await;
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.iter_mut().skip(8 * 4096).take(4096).for_each(|b| *b = 0xaa);
        std::fs::write(&path, &bytes).unwrap();
        let found = match Store::open(&path).await {
            Ok(store) => store.verify().await.unwrap_err(),
            Err(fault) => fault,
        };
        assert_eq!(found.message, "the node's database is damaged or is no database at all");
    }

    #[tokio::test]
    async fn the_database_of_another_program_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        std::fs::write(&path, b"").unwrap();
        let mut other = options(&path).connect().await.unwrap();
        sqlx::query("CREATE TABLE bookmarks (id INTEGER)").execute(&mut other).await.unwrap();
        other.close().await.unwrap();
        let found = Store::open(&path).await.unwrap_err();
        assert_eq!(
            found.message,
            "this SQLite file belongs to another program; nothing was written to it"
        );
    }

    /// A sound database in one file, its log written back.
    async fn made(dir: &Path) -> PathBuf {
        let path = dir.join("made.sqlite");
        let store = Store::open(&path).await.unwrap();
        store.close().await;
        path
    }
}
