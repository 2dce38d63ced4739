//! The officer's key file, its pin, and the decisions signed with it.
//!
//! `officer.p8` is readable by its owner only and may be kept elsewhere between decisions: the node needs
//! the public key alone, which is pinned in its database. What the records mean is the work of
//! [`crate::office::decision`]; every read checks the whole chain.
use super::{Store, approval, away, fault, private};
use crate::office::decision::{Decisions, SmallCells, What};
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use sqlx::Row as _;
use std::path::Path;
use tacit_shared::codec::Bytes;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::protocol::message::Signed;
use tacit_shared::roster::Key;
use tacit_shared::secagg::key::identity::{IdentityKey, Signature, VerifyingKey};
use tacit_shared::study::Study;
use zeroize::Zeroizing;

/// The key file's name within a node's folder.
pub const FILE: &str = "officer.p8";
/// A key file is larger than this only by mistake.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Makes a new key in a file of its own, readable by its owner only.
///
/// # Errors
/// An operator's fault if the file exists or cannot be written.
pub fn create_key(path: &Path) -> Result<IdentityKey, Fault> {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_| Fault::bug("the officer's key could not be made"))?;
    let unwritten = |e: std::io::Error| {
        Fault::operator(format!("the officer's key cannot be written: {e}"))
            .at(path.display().to_string())
            .hint("a key is never overwritten: name another file, or move the old one away")
    };
    private::write(path, document.as_ref()).map_err(unwritten)?;
    IdentityKey::from_pkcs8(document.as_ref()).map_err(|e| Fault::bug(e.to_string()))
}

/// Reads a key file.
///
/// # Errors
/// A user's fault if it is missing or no key.
pub fn read_key(path: &Path) -> Result<IdentityKey, Fault> {
    let place = path.display().to_string();
    let unread = |problem: String| {
        Fault::user(format!("the officer's key cannot be read: {problem}"))
            .at(&place)
            .hint("`--key FILE` names it; `tacit-node officer init` makes one")
    };
    let length = std::fs::metadata(path).map_err(|e| unread(e.to_string()))?.len();
    if length > FILE_BYTES_MAX {
        return Err(unread(format!("{length} bytes; expected at most {FILE_BYTES_MAX}")));
    }
    let document = Zeroizing::new(std::fs::read(path).map_err(|e| unread(e.to_string()))?);
    IdentityKey::from_pkcs8(&document).map_err(|e| unread(e.to_string()))
}

/// Pins a public key; it counts from now on, and what was signed with another does not any more.
///
/// # Errors
/// A fault of the database.
pub async fn pin(store: &Store, key: &VerifyingKey, now_s: i64) -> Result<(), Fault> {
    sqlx::query("INSERT INTO officer (key, pinned_unix_s) VALUES (?, ?)")
        .bind(text(key))
        .bind(now_s)
        .execute(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    Ok(())
}

/// Every key ever pinned, oldest first; the last one counts.
///
/// # Errors
/// A fault of the database.
pub async fn keys(store: &Store) -> Result<Vec<VerifyingKey>, Fault> {
    Ok(pins(store).await?.into_iter().map(|(key, _)| VerifyingKey::from_bytes(key.0)).collect())
}

/// The same with the time at which each was pinned, seconds since 1970.
///
/// # Errors
/// A fault of the database.
pub async fn pins(store: &Store) -> Result<Vec<(Key, i64)>, Fault> {
    let keys: Vec<(String, i64)> =
        sqlx::query_as("SELECT key, pinned_unix_s FROM officer ORDER BY rowid")
            .fetch_all(store.pool())
            .await
            .map_err(|e| fault(&e))?;
    let key = |(text, at_unix_s): (String, i64)| {
        let key = Key::try_from(text).map_err(|_| Fault::operator("an officer's key is damaged"));
        key.map(|key| (key, at_unix_s))
    };
    keys.into_iter().map(key).collect()
}

/// The key that counts.
///
/// # Errors
/// A user's fault if none is pinned.
pub async fn pinned(store: &Store) -> Result<VerifyingKey, Fault> {
    keys(store).await?.pop().ok_or_else(|| {
        Fault::user("no officer's key is pinned here")
            .hint("`tacit-node officer init` makes one and pins it")
    })
}

/// The records of a key, oldest first, as they were made.
///
/// # Errors
/// A fault of the database.
pub async fn records(store: &Store, key: &VerifyingKey) -> Result<Vec<Signed>, Fault> {
    let rows =
        sqlx::query("SELECT payload, signature FROM decision WHERE officer = ? ORDER BY sequence")
            .bind(text(key))
            .fetch_all(store.pool())
            .await
            .map_err(|e| fault(&e))?;
    let record = |row: &sqlx::sqlite::SqliteRow| {
        let payload: Vec<u8> = row.try_get("payload").map_err(|e| fault(&e))?;
        let signature: Vec<u8> = row.try_get("signature").map_err(|e| fault(&e))?;
        let signature = <[u8; 64]>::try_from(signature.as_slice())
            .map_err(|_| Fault::operator("a decision of the officer is damaged"))?;
        Ok(Signed { payload: Bytes(payload), signature: Signature::from_bytes(signature) })
    };
    rows.iter().map(record).collect()
}

/// The decisions of the key that counts, checked.
///
/// # Errors
/// A user's fault if no key is pinned; an operator's if a record is not the officer's or is missing.
pub async fn decisions(store: &Store) -> Result<Decisions, Fault> {
    let key = pinned(store).await?;
    Decisions::of(&key, &records(store, &key).await?).map_err(|e| {
        Fault::operator(e.to_string()).at("the officer's decisions").hint(
            "the database was changed by something else than this program: nothing is answered",
        )
    })
}

/// Signs a decision and makes it durable.
///
/// # Errors
/// A user's fault if the key is not the pinned one; a fault of the database.
pub async fn decide(store: &Store, key: &IdentityKey, what: What, now_s: i64) -> Result<(), Fault> {
    let roster = approval::roster(store).await?;
    let roster = roster.map_or(Digest::new([0; 32]), |roster| roster.digest());
    decide_under(store, key, roster, what, now_s).await
}

/// As [`decide`], under the roster that was shown to the officer.
///
/// # Errors
/// As [`decide`].
pub async fn decide_under(
    store: &Store,
    key: &IdentityKey,
    roster: Digest,
    what: What,
    now_s: i64,
) -> Result<(), Fault> {
    let own = key.verifying_key();
    if own != pinned(store).await? {
        return Err(Fault::user("this key is not the officer's key that is pinned here")
            .hint("`--key FILE` names the right one"));
    }
    let (sequence, record) = decisions(store)
        .await?
        .sign(key, roster, now_s, what)
        .map_err(|e| Fault::bug(e.to_string()))?;
    // Two decisions at once would have the same number: the second one is refused.
    sqlx::query("INSERT INTO decision (officer, sequence, payload, signature) VALUES (?, ?, ?, ?)")
        .bind(text(&own))
        .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
        .bind(record.payload.0)
        .bind(record.signature.as_bytes().to_vec())
        .execute(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    Ok(())
}

/// Where a site stands with a study.
#[derive(Clone, Debug)]
pub enum Standing {
    /// The officer's last word is an approval under the pinned roster.
    Approved(Box<Study>),
    /// So it is, but a cell was too small when the data last changed: why.
    Away(String),
    /// It is not.
    No,
}

/// Where this site stands with a study.
///
/// # Errors
/// As [`decisions`]; a study in the database that cannot be read any more.
pub async fn standing(store: &Store, study: Digest) -> Result<Standing, Fault> {
    let Some(roster) = approval::roster(store).await? else { return Ok(Standing::No) };
    let Some(small_cells) = decisions(store).await?.approves(study, roster.digest()) else {
        return Ok(Standing::No);
    };
    let Some(kept) = approval::kept(store, study).await? else { return Ok(Standing::No) };
    if small_cells == SmallCells::Refused
        && let Some(why) = away::why(store, study).await?
    {
        return Ok(Standing::Away(why));
    }
    Ok(Standing::Approved(Box::new(kept)))
}

/// Studies that stand approved under the pinned roster and whose cells must not be small.
///
/// # Errors
/// As [`decisions`]; a study in the database that cannot be read any more.
pub async fn watched(store: &Store) -> Result<Vec<Study>, Fault> {
    let Some(roster) = approval::roster(store).await? else { return Ok(Vec::new()) };
    if keys(store).await?.is_empty() {
        return Ok(Vec::new());
    }
    let decisions = decisions(store).await?;
    let mut studies = Vec::new();
    for (_, digest) in approval::list(store).await? {
        if decisions.approves(digest, roster.digest()) == Some(SmallCells::Refused) {
            studies.extend(approval::kept(store, digest).await?);
        }
    }
    Ok(studies)
}

fn text(key: &VerifyingKey) -> String {
    String::from(Key(*key.as_bytes()))
}
