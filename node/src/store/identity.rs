//! The ids behind the keyed hashes of people, sealed, for sites that choose to keep them.
//!
//! ```text
//! row = (kind, hash, batch, nonce, ChaCha20-Poly1305(k, nonce, pad(id), aad = domain kind 0x00 hash))   RFC 8439
//! pad = length (2 bytes, big endian), id, zeros up to a multiple of 64 bytes
//! ```
//! A file of its own, apart from the node's database; the key is another file again, made apart from
//! `pseudonym.key`. The kind and the hash are bound into the seal: a sealed id moved to another row does not open.
//! Nonces are random: of 2^32 seals under one key two share a nonce with probability 2^-33 (96 bits). Ids of
//! clinicians and patients are kept, those of encounters, responses and recordings never: they are nobody's name.
//!
//! Without this file a person is still found by their id: [`Pseudonyms::key`](super::pseudonym::Pseudonyms::key) makes the
//! hash from it. What only this file can do is the way back.
use super::pseudonym::{self, Key, Kind};
use super::{Store, bulk, create_private, fault};
use bulk::{Bulk, Cell};
use rand::TryRng as _;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::Serialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Error};
use std::fmt;
use std::path::{Path, PathBuf};
use tacit_shared::fault::Fault;
use tacit_shared::id::to_hex;
use tokio::sync::Mutex;

/// The name of the file within a node's folder.
pub const FILE: &str = "identities.sqlite";
/// The name of its key file.
pub const KEY_FILE: &str = "identities.key";
/// The kinds whose ids are kept.
pub const KINDS: [Kind; 2] = [Kind::Person, Kind::Patient];

/// Ids are padded to a multiple of so many bytes, so that a seal tells little of its length.
const BLOCK: usize = 64;
/// Ids sealed at once.
const PAGE: i64 = 20_000;
/// Fewest hexadecimal digits of a hash that a search takes.
const PREFIX_MIN: usize = 8;
/// Most ids that a search opens.
const FOUND_MAX: i64 = 20;

/// An id that was found again.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// `person` or `patient`.
    pub kind: String,
    /// The keyed hash, in hexadecimal digits.
    pub hash: String,
    /// The hospital's id.
    pub id: String,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Found({})", self.kind) // never the id
    }
}

/// A row as it is stored: kind, hash, nonce, sealed id.
type Sealed = (String, Vec<u8>, Vec<u8>, Vec<u8>);

/// The sealed ids of a node.
pub struct Identities {
    connection: Mutex<SqliteConnection>,
    key: LessSafeKey,
    path: PathBuf,
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({})", self.path.display())
    }
}

impl Identities {
    /// Opens the file of a node, if it keeps ids.
    ///
    /// # Errors
    /// An operator's fault if the file or its key is damaged, missing beside the other, or readable by others.
    pub async fn open(dir: &Path) -> Result<Option<Self>, Fault> {
        if !dir.join(FILE).exists() {
            return Ok(None);
        }
        let key_path = dir.join(KEY_FILE);
        if !key_path.exists() {
            return Err(Fault::operator("the sealed ids are there, but their key file is not")
                .at(key_path.display().to_string())
                .hint("restore it from the backup, or give the ids up with `tacit-node identities --forget`"));
        }
        Self::open_or_create(dir).await.map(Some)
    }

    /// Opens the file and its key, or makes both.
    ///
    /// # Errors
    /// As [`open`](Self::open); what cannot be written.
    pub async fn open_or_create(dir: &Path) -> Result<Self, Fault> {
        let (path, place) = (dir.join(FILE), dir.join(FILE).display().to_string());
        let fresh = !path.exists();
        let secret = pseudonym::secret(&dir.join(KEY_FILE), "without it no sealed id opens again")?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &*secret)
            .map_err(|_| Fault::bug("a key of another length"))?;
        if fresh {
            create_private(&path)?;
        }
        let made = async {
            let mut connection = SqliteConnectOptions::new()
                .filename(&path)
                .journal_mode(SqliteJournalMode::Delete)
                .synchronous(SqliteSynchronous::Full)
                .pragma("secure_delete", "ON")
                .disable_statement_logging()
                .connect()
                .await?;
            sqlx::query(
                "CREATE TABLE IF NOT EXISTS sealed (kind TEXT NOT NULL, hash BLOB NOT NULL CHECK (length(hash) = 16), \
                 batch INTEGER NOT NULL, nonce BLOB NOT NULL CHECK (length(nonce) = 12), id BLOB NOT NULL, \
                 PRIMARY KEY (kind, hash, batch)) STRICT, WITHOUT ROWID",
            )
            .execute(&mut connection)
            .await?;
            Ok::<_, Error>(connection)
        };
        let connection = made.await.map_err(|e| fault(&e).at(place))?;
        Ok(Self { connection: Mutex::new(connection), key: LessSafeKey::new(key), path })
    }

    /// Closes the file.
    pub async fn close(self) {
        // Whatever was written is committed; a close that fails loses nothing.
        let _ = self.connection.into_inner().close().await;
    }

    /// Removes the ids that nothing in the node's database speaks of (any more): of batches that were withdrawn or never
    /// came to an end, and of people whose last row is gone. How many.
    ///
    /// # Errors
    /// A fault of either database.
    pub async fn sweep(&self, store: &Store) -> Result<u64, Fault> {
        let mut connection = self.connection.lock().await;
        let attach =
            sqlx::query("ATTACH DATABASE ? AS node").bind(store.path().display().to_string());
        attach.execute(&mut *connection).await.map_err(|e| fault(&e))?;
        let swept = sweep_attached(&mut connection).await;
        let detached = sqlx::query("DETACH DATABASE node").execute(&mut *connection).await;
        let swept = swept.map_err(|e| fault(&e))?;
        detached.map_err(|e| fault(&e))?;
        Ok(swept)
    }

    /// Seals the ids that an import has met and taken over. `source` is its connection; there the query that `taken`
    /// gives for a kind yields id and hash, by id, from after its first parameter on, at most so many as its
    /// second says. All of them are there at the end, or none.
    ///
    /// # Errors
    /// A fault of either database; no randomness.
    pub async fn keep(
        &self,
        source: &mut SqliteConnection,
        batch: i64,
        taken: impl Fn(Kind) -> String,
    ) -> Result<u64, Fault> {
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin().await.map_err(|e| fault(&e))?;
        let mut bulk = Bulk::new("sealed", &["kind", "hash", "batch", "nonce", "id"]);
        for kind in KINDS {
            let sql = taken(kind);
            let mut last = String::new();
            loop {
                let page: Vec<(String, Vec<u8>)> = sqlx::query_as(AssertSqlSafe(sql.as_str()))
                    .bind(&last)
                    .bind(PAGE)
                    .fetch_all(&mut *source)
                    .await
                    .map_err(|e| fault(&e))?;
                let Some((end, _)) = page.last() else { break };
                last.clone_from(end);
                for (id, hash) in page {
                    let hash =
                        Key::try_from(hash).map_err(|_| Fault::bug("a hash of another length"))?;
                    let (nonce, sealed) = self.seal(kind, &hash, &id)?;
                    let mut row = vec![
                        Cell::Text(kind.word().to_owned()),
                        Cell::Blob(hash.to_vec()),
                        Cell::Integer(batch),
                        Cell::Blob(nonce.to_vec()),
                        Cell::Blob(sealed),
                    ];
                    bulk.push(&mut transaction, &mut row).await.map_err(|e| fault(&e))?;
                }
            }
        }
        let kept = bulk.flush(&mut transaction).await.map_err(|e| fault(&e))?;
        transaction.commit().await.map_err(|e| fault(&e))?;
        Ok(kept)
    }

    /// The ids whose hash starts with the hexadecimal digits, each once; the first twenty by kind and hash.
    ///
    /// # Errors
    /// A user's fault for a prefix that is too short or no hexadecimal number; an operator's if a seal does not open.
    pub async fn find(&self, prefix: &str) -> Result<Vec<Found>, Fault> {
        let digits = prefix.len();
        if !(PREFIX_MIN..=32).contains(&digits) || !prefix.bytes().all(|b| b.is_ascii_hexdigit()) {
            let problem = format!(
                "a search for {digits} signs; expected {PREFIX_MIN} to 32 hexadecimal digits"
            );
            return Err(Fault::user(problem).hint("the start of a hash as the node shows it"));
        }
        let mut connection = self.connection.lock().await;
        let rows: Vec<Sealed> = sqlx::query_as(
            "SELECT kind, hash, nonce, id FROM sealed s WHERE hex(hash) LIKE ? || '%' AND batch = \
             (SELECT max(batch) FROM sealed t WHERE t.kind = s.kind AND t.hash = s.hash) ORDER BY kind, hash LIMIT ?",
        )
        .bind(prefix)
        .bind(FOUND_MAX)
        .fetch_all(&mut *connection)
        .await
        .map_err(|e| fault(&e))?;
        rows.into_iter().map(|row| self.opened(row)).collect()
    }

    /// How many people's ids are kept, by kind.
    ///
    /// # Errors
    /// A fault of the file.
    pub async fn counts(&self) -> Result<Vec<(String, i64)>, Fault> {
        let mut connection = self.connection.lock().await;
        sqlx::query_as("SELECT kind, count(DISTINCT hash) FROM sealed GROUP BY kind ORDER BY kind")
            .fetch_all(&mut *connection)
            .await
            .map_err(|e| fault(&e))
    }

    fn opened(&self, (kind, hash, nonce, mut sealed): Sealed) -> Result<Found, Fault> {
        let damaged = || {
            Fault::operator(
                "a sealed id does not open: the file was changed, or the key file is another's",
            )
            .at(self.path.display().to_string())
            .hint("restore both from the same backup")
        };
        let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| damaged())?;
        let plain = self
            .key
            .open_in_place(nonce, Aad::from(bound(&kind, &hash)), &mut sealed)
            .map_err(|_| damaged())?;
        let id = unpadded(plain).ok_or_else(damaged)?;
        Ok(Found { kind, hash: to_hex(&hash), id })
    }

    fn seal(&self, kind: Kind, hash: &Key, id: &str) -> Result<([u8; NONCE_LEN], Vec<u8>), Fault> {
        let mut nonce = [0; NONCE_LEN];
        rand::rngs::SysRng
            .try_fill_bytes(&mut nonce)
            .map_err(|e| Fault::operator(format!("the system gives no randomness: {e}")))?;
        let mut text = padded(id)?;
        let aad = Aad::from(bound(kind.word(), hash));
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text)
            .map_err(|_| Fault::bug("an id cannot be sealed"))?;
        Ok((nonce, text))
    }
}

/// Gives up the ids of a node: deletes the key first, without which the rest is noise, then the file. Whether there
/// was anything.
///
/// # Errors
/// An operator's fault if a file cannot be deleted.
pub fn forget(dir: &Path) -> Result<bool, Fault> {
    let mut found = false;
    for name in [KEY_FILE, FILE, "identities.sqlite-journal"] {
        let path = dir.join(name);
        match std::fs::remove_file(&path) {
            Ok(()) => found = true,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Fault::operator(format!("the sealed ids cannot be deleted: {error}"))
                    .at(path.display().to_string()));
            }
        }
    }
    Ok(found)
}

async fn sweep_attached(connection: &mut SqliteConnection) -> Result<u64, Error> {
    let sql = "DELETE FROM main.sealed WHERE batch NOT IN (SELECT id FROM node.import_batch)";
    let mut swept = sqlx::query(sql).execute(&mut *connection).await?.rows_affected();
    for kind in KINDS {
        let word = kind.word();
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM node.sqlite_schema m WHERE type = 'table' \
             AND EXISTS (SELECT 1 FROM pragma_table_info(m.name, 'node') c WHERE c.name = 'src') \
             AND EXISTS (SELECT 1 FROM pragma_table_info(m.name, 'node') c WHERE c.name = ?)",
        )
        .bind(word)
        .fetch_all(&mut *connection)
        .await?;
        let spoken: Vec<String> = tables
            .iter()
            .map(|table| format!("SELECT {word} FROM node.\"{table}\" WHERE {word} IS NOT NULL"))
            .collect();
        if spoken.is_empty() {
            continue;
        }
        let sql = format!(
            "DELETE FROM main.sealed WHERE kind = '{word}' AND hash NOT IN ({})",
            spoken.join(" UNION ")
        );
        let done = sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        swept = swept.saturating_add(done.rows_affected());
    }
    Ok(swept)
}

fn bound(kind: &str, hash: &[u8]) -> Vec<u8> {
    [b"tacit/v1/identity/", kind.as_bytes(), &[0], hash].concat()
}

fn padded(id: &str) -> Result<Vec<u8>, Fault> {
    let length = u16::try_from(id.len()).map_err(|_| Fault::bug("an id beyond its limit"))?;
    let mut text = length.to_be_bytes().to_vec();
    text.extend_from_slice(id.as_bytes());
    text.resize(text.len().next_multiple_of(BLOCK), 0);
    Ok(text)
}

fn unpadded(text: &[u8]) -> Option<String> {
    let (length, rest) = text.split_first_chunk::<2>()?;
    let id = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
    String::from_utf8(id.to_vec()).ok()
}

#[cfg(test)]
mod tests;
