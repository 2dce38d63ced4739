//! A read-only session, and what its errors mean.
//!
//! One transaction, `REPEATABLE READ READ ONLY`: all sections see one state of the hospital's tables, and nothing
//! can be written. Its clock is UTC. What `PostgreSQL` says of a statement that cannot be prepared names tables and
//! columns and is told; what it says while one runs may quote a cell, so of that only its five-letter code is.
use super::address::Database;
use sqlx::postgres::{PgConnection, PgDatabaseError, PgErrorPosition};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Error};
use std::time::Duration;
use tacit_shared::fault::Fault;

/// How long the way to the database may take.
const CONNECT: Duration = Duration::from_secs(15);
/// 12.0: the first that runs a named query in place.
const VERSION_MIN: i32 = 120_000;

/// A session with the hospital's database.
pub(super) struct Session {
    pub(super) connection: PgConnection,
    place: String,
    statement_s: u32,
}

/// A table or view that a section may read.
pub(super) struct Relation {
    /// Its name with the schema, quoted.
    pub(super) name: String,
    /// The columns of its primary key, quoted, if it has one.
    pub(super) key: Option<String>,
    /// Its columns, for a hint.
    pub(super) columns: String,
}

impl Session {
    /// Connects and begins the transaction.
    pub(super) async fn open(database: &Database, statement_s: u32) -> Result<Self, Fault> {
        let (options, place) = database.options()?;
        let late = || Fault::operator("the hospital's database did not answer in 15 s").at(&place);
        let connected = tokio::time::timeout(CONNECT, options.connect()).await;
        let connection =
            connected.map_err(|_| late())?.map_err(|e| of_connection(&e).at(&place))?;
        let mut session = Self { connection, place, statement_s };
        let schemas: Vec<String> = database.schemas().iter().map(|name| quoted(name)).collect();
        let mut settings = vec![
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned(),
            "SET LOCAL TIME ZONE 'UTC'".to_owned(),
            "SET LOCAL client_min_messages = error".to_owned(), // a notice may quote a cell
            "SET LOCAL lock_timeout = '10s'".to_owned(),
            // Between two pages the rows are written here.
            "SET LOCAL idle_in_transaction_session_timeout = '1h'".to_owned(),
            format!("SET LOCAL statement_timeout = '{}s'", session.statement_s),
        ];
        if !schemas.is_empty() {
            settings.push(format!("SET LOCAL search_path = {}", schemas.join(", ")));
        }
        for sql in settings {
            let done = sqlx::query(AssertSqlSafe(sql)).execute(&mut session.connection).await;
            done.map_err(|e| session.fault(&e))?;
        }
        let version = "SELECT current_setting('server_version_num')::int";
        let found: i32 = sqlx::query_scalar(version)
            .fetch_one(&mut session.connection)
            .await
            .map_err(|e| session.fault(&e))?;
        if found < VERSION_MIN {
            let message = format!(
                "the hospital's database is PostgreSQL {}; expected 12 or newer",
                found / 10_000
            );
            return Err(Fault::operator(message).at(session.place));
        }
        Ok(session)
    }

    /// The table or view of that name in the schemas searched.
    pub(super) async fn relation(&mut self, name: &str) -> Result<Option<Relation>, Fault> {
        let sql = "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), \
             (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.nth) FROM pg_index i \
              CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, nth) \
              JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum \
              WHERE i.indrelid = c.oid AND i.indisprimary), \
             coalesce((SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute a \
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '') \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.oid = to_regclass(quote_ident($1)) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";
        let found: Option<(String, Option<String>, String)> = sqlx::query_as(sql)
            .bind(name)
            .fetch_optional(&mut self.connection)
            .await
            .map_err(|e| self.fault(&e))?;
        Ok(found.map(|(name, key, columns)| Relation { name, key, columns }))
    }

    /// What an error outside the mapping's own statements means.
    pub(super) fn fault(&self, error: &Error) -> Fault {
        let known = running(error, self.statement_s).unwrap_or_else(|| match code(error) {
            Some(code) => refused(code),
            None => of_connection(error),
        });
        known.at(&self.place)
    }

    /// What an error of a section's statement means: what is wrong in it, and the line of its text if
    /// `PostgreSQL` names one; a fault of something else.
    pub(super) fn section_fault(&self, error: &Error) -> Result<(String, Option<usize>), Fault> {
        let Some(found) = database_error(error) else { return Err(self.fault(error)) };
        if let Some(known) = running(error, self.statement_s) {
            return Err(known.at(&self.place));
        }
        match found.code() {
            // Syntax, names, types of the statement itself: tables and columns, no cell.
            code if code.starts_with("42") || code == "0A000" => {
                let at = match found.position() {
                    Some(PgErrorPosition::Original(at)) => Some(at),
                    _ => None,
                };
                Ok((found.message().to_owned(), at))
            }
            "25006" => Ok(("it would write, and the session is read-only".to_owned(), None)),
            code if code.starts_with("22") => {
                let told = format!(
                    "a value of the database does not suit one of its functions or casts (SQLSTATE {code})"
                );
                Ok((told, None))
            }
            code => Err(refused(code).at(&self.place)),
        }
    }
}

/// A name as `PostgreSQL` quotes it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn database_error(error: &Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()
}

fn code(error: &Error) -> Option<&str> {
    database_error(error).map(PgDatabaseError::code)
}

fn refused(code: &str) -> Fault {
    Fault::operator(format!("the hospital's database refused a statement (SQLSTATE {code})"))
        .hint("its own log says why")
}

/// What can befall any statement while it runs.
fn running(error: &Error, statement_s: u32) -> Option<Fault> {
    Some(match code(error)? {
        "57014" => Fault::user(format!("the hospital's database stopped a statement that took more than {statement_s} s"))
            .hint("a larger --statement-seconds, an index on the columns that the section joins by, or a narrower WHERE"),
        "55P03" => Fault::operator("a table of the hospital's database is locked by another program")
            .hint("try again when that has ended"),
        "40001" => Fault::operator("the hospital's database is a copy that had to catch up, and broke off the reading")
            .hint("try again, or have max_standby_streaming_delay raised on it"),
        code if code.starts_with("53") => Fault::operator(format!("the hospital's database ran out of memory, disk or connections (SQLSTATE {code})")),
        code if code.starts_with("57P") || code.starts_with("08") => Fault::operator("the hospital's database closed the connection"),
        _ => return None,
    })
}

fn of_connection(error: &Error) -> Fault {
    let hint = "the password is taken from the file that PGPASSFILE names, from ~/.pgpass or from PGPASSWORD";
    match error {
        Error::Io(error) => {
            Fault::operator(format!("the hospital's database cannot be reached: {error}"))
        }
        Error::Tls(error) => Fault::operator(format!(
            "no TLS with the hospital's database: {error}"
        ))
        .hint("sslrootcert=FILE in the address names the authority that signed its certificate"),
        error => match code(error) {
            Some(code) if code.starts_with("28") => {
                Fault::operator("the hospital's database refused the user or the password")
                    .hint(hint)
            }
            Some("3D000") => Fault::user("the server has no database of that name"),
            Some(code) => refused(code),
            None => {
                Fault::operator("the hospital's database answered in a way that is not understood")
                    .hint(hint)
            }
        },
    }
}
