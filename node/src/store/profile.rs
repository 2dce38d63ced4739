//! Profiles on disk: the staff representative's key, signed documents, and what was refused under them.
//!
//! The officer's key is [`super::officer`]'s. Every read checks every signature anew, by the keys that are pinned
//! now; which document is in force is decided in [`crate::office::profile`].
use super::{Store, fault, officer};
use crate::office::profile::{InForce, Kept, Pinned, Role, Said, Word, in_force};
use sqlx::Row as _;
use tacit_shared::codec::Bytes;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::protocol::message::Signed;
use tacit_shared::roster::Key;
use tacit_shared::secagg::key::identity::{IdentityKey, Signature, VerifyingKey};
use tacit_shared::study::profile::document::Document;
use time::OffsetDateTime;

/// A study that was refused under a profile.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, sqlx::FromRow)]
pub struct Refusal {
    /// The study's digest.
    pub study: String,
    /// What it asked for.
    pub why: String,
    /// When first, seconds since 1970 UTC.
    pub first_unix_s: i64,
    /// When last.
    pub last_unix_s: i64,
    /// How often.
    pub times: i64,
}

/// Pins the staff representative's key; it counts from now on.
///
/// # Errors
/// A user's fault if it is the officer's; a fault of the database.
pub async fn pin(store: &Store, key: &VerifyingKey, now_s: i64) -> Result<(), Fault> {
    if officer::keys(store).await?.contains(key) {
        return Err(Fault::user("this key is the officer's")
            .hint("two people sign a profile, each with a key of their own"));
    }
    sqlx::query(
        "INSERT INTO representative (key, pinned_unix_s) VALUES (?, ?) \
         ON CONFLICT (key) DO UPDATE SET pinned_unix_s = excluded.pinned_unix_s",
    )
    .bind(String::from(Key(*key.as_bytes())))
    .bind(now_s)
    .execute(store.pool())
    .await
    .map_err(|e| fault(&e))?;
    Ok(())
}

/// The keys that count now.
///
/// # Errors
/// A fault of the database.
pub async fn pinned(store: &Store) -> Result<Pinned, Fault> {
    let sql = "SELECT key FROM representative ORDER BY pinned_unix_s DESC, rowid DESC LIMIT 1";
    let key: Option<String> =
        sqlx::query_scalar(sql).fetch_optional(store.pool()).await.map_err(|e| fault(&e))?;
    let key = key.map(|text| {
        let key = Key::try_from(text);
        let key = key.map_err(|_| Fault::operator("the staff representative's key is damaged"))?;
        Ok::<_, Fault>(VerifyingKey::from_bytes(key.0))
    });
    let officer = officer::keys(store).await?.pop();
    Ok(Pinned { officer, representative: key.transpose()? })
}

/// The documents that were signed, in the order of the last word on each.
///
/// # Errors
/// A fault of the database; a document in it that cannot be read any more.
pub async fn kept(store: &Store) -> Result<Vec<Kept>, Fault> {
    let sql = "SELECT d.text, w.payload, w.signature FROM profile_word w \
               JOIN profile_document d ON d.digest = w.digest ORDER BY \
               (SELECT max(l.rowid) FROM profile_word l WHERE l.digest = w.digest), w.rowid";
    let rows = sqlx::query(sql).fetch_all(store.pool()).await.map_err(|e| fault(&e))?;
    let mut all: Vec<Kept> = Vec::new();
    for row in rows {
        let text: String = row.try_get("text").map_err(|e| fault(&e))?;
        let payload: Vec<u8> = row.try_get("payload").map_err(|e| fault(&e))?;
        let signature: Vec<u8> = row.try_get("signature").map_err(|e| fault(&e))?;
        let signature = <[u8; 64]>::try_from(signature.as_slice())
            .map_err(|_| Fault::operator("a signature on a profile is damaged"))?;
        let word = Signed { payload: Bytes(payload), signature: Signature::from_bytes(signature) };
        let document = Document::parse(&text).map_err(|e| e.into_fault("a signed profile"))?;
        match all.last_mut() {
            Some(last) if last.document.digest() == document.digest() => last.words.push(word),
            _ => all.push(Kept { document, words: vec![word] }),
        }
    }
    Ok(all)
}

/// The profile in force at a moment.
///
/// # Errors
/// A fault of the database.
pub async fn now(store: &Store, now_s: i64) -> Result<InForce, Fault> {
    let built_in = Document::built_in().map_err(|e| Fault::bug(e.to_string()))?;
    let today = OffsetDateTime::from_unix_timestamp(now_s)
        .map_err(|_| {
            Fault::operator("the clock of this machine shows no day").hint("set the clock")
        })?
        .date();
    Ok(in_force(built_in, &kept(store).await?, &pinned(store).await?, today))
}

/// Signs a word on a document and makes both durable.
///
/// # Errors
/// A user's fault if the key is not the role's; a fault of the database.
pub async fn say(
    store: &Store,
    key: &IdentityKey,
    (document, text): (&Document, &str),
    (role, said): (Role, Said),
    at_unix_s: i64,
) -> Result<(), Fault> {
    if pinned(store).await?.of(role) != Some(key.verifying_key()) {
        return Err(Fault::user(format!(
            "this key is not the key of the {role} that is pinned here"
        ))
        .hint("`--key FILE` names the right one"));
    }
    let digest = document.digest();
    let word = Word { document: digest, role, said, at_unix_s };
    let record = word.sign(key).map_err(|e| Fault::bug(e.to_string()))?;
    let written = async {
        let mut transaction = store.pool().begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO profile_document (digest, text) VALUES (?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(digest.to_string())
        .bind(text)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "INSERT INTO profile_word (digest, role, payload, signature) VALUES (?, ?, ?, ?)",
        )
        .bind(digest.to_string())
        .bind(role.word())
        .bind(record.payload.0)
        .bind(record.signature.as_bytes().to_vec())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    };
    written.await.map_err(|e| fault(&e))
}

/// The text of a signed document.
///
/// # Errors
/// A user's fault if there is none; a fault of the database.
pub async fn text(store: &Store, digest: Digest) -> Result<String, Fault> {
    let text = sqlx::query_scalar("SELECT text FROM profile_document WHERE digest = ?")
        .bind(digest.to_string())
        .fetch_optional(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    text.ok_or_else(|| {
        Fault::user(format!("no profile with the digest {digest} was signed here"))
            .hint("`tacit-node profile show` lists what was")
    })
}

/// Writes a refusal down: once for each study and reason, with a count.
///
/// # Errors
/// A fault of the database.
pub async fn refused(store: &Store, study: Digest, why: &str, now_s: i64) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO refusal (study, why, first_unix_s, last_unix_s, times) VALUES (?1, ?2, ?3, ?3, 1) \
         ON CONFLICT (study, why) DO UPDATE SET last_unix_s = excluded.last_unix_s, times = times + 1",
    )
    .bind(study.to_string())
    .bind(why.to_owned())
    .bind(now_s)
    .execute(store.pool())
    .await
    .map_err(|e| fault(&e))?;
    Ok(())
}

/// What was refused, the latest first; at most 1000.
///
/// # Errors
/// A fault of the database.
pub async fn refusals(store: &Store) -> Result<Vec<Refusal>, Fault> {
    let sql = "SELECT study, why, first_unix_s, last_unix_s, times FROM refusal \
               ORDER BY last_unix_s DESC, study, why LIMIT 1000";
    sqlx::query_as(sql).fetch_all(store.pool()).await.map_err(|e| fault(&e))
}
