//! Profiles on disk: the staff representative's key, signed documents, and what was refused under them.
//!
//! The officer's key is [`super::officer`]'s. Every read checks every signature anew, by the keys that are pinned
//! now; which document is in force is decided in [`crate::office::profile`].
use super::{Store, fault, officer, release_log};
use crate::office::profile::{
    Heard, InForce, Kept, Pinned, Pins, Role, Said, Word, in_force, last_said,
};
use sqlx::Row as _;
use std::collections::BTreeMap;
use tacit_shared::codec::Bytes;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::protocol::message::Signed;
use tacit_shared::roster::Key;
use tacit_shared::secagg::key::identity::{IdentityKey, Signature, VerifyingKey};
use tacit_shared::study::profile::document::Document;
use time::OffsetDateTime;

/// How far a clock may step back, seconds: an hour, as clocks are set.
const CLOCK_S: i64 = 3600;

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

/// Pins the staff representative's key; it counts from now on, whatever the clock showed when another was pinned.
///
/// # Errors
/// A user's fault if it is the officer's; a fault of the database.
pub async fn pin(store: &Store, key: &VerifyingKey, now_s: i64) -> Result<(), Fault> {
    if officer::keys(store).await?.contains(key) {
        return Err(Fault::user("this key is the officer's")
            .hint("two people sign a profile, each with a key of their own"));
    }
    sqlx::query("INSERT INTO representative (key, pinned_unix_s) VALUES (?, ?)")
        .bind(String::from(Key(*key.as_bytes())))
        .bind(now_s)
        .execute(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    Ok(())
}

/// Every pin of a staff representative's key, oldest first, and when, seconds since 1970; the last one counts.
///
/// # Errors
/// A fault of the database.
pub async fn pins(store: &Store) -> Result<Vec<(Key, i64)>, Fault> {
    let sql = "SELECT key, pinned_unix_s FROM representative ORDER BY nth";
    let pins: Vec<(String, i64)> =
        sqlx::query_as(sql).fetch_all(store.pool()).await.map_err(|e| fault(&e))?;
    let key = |(text, at_unix_s): (String, i64)| {
        let key = Key::try_from(text);
        let key = key.map_err(|_| Fault::operator("the staff representative's key is damaged"))?;
        Ok((key, at_unix_s))
    };
    pins.into_iter().map(key).collect()
}

/// The keys that count now.
///
/// # Errors
/// A fault of the database.
pub async fn pinned(store: &Store) -> Result<Pinned, Fault> {
    let (mut officers, representatives) = (officer::keys(store).await?, pins(store).await?);
    let count = |all: usize| u32::try_from(all).unwrap_or(u32::MAX);
    let pins =
        Pins { officers: count(officers.len()), representatives: count(representatives.len()) };
    let last = representatives.last().map(|(key, _)| VerifyingKey::from_bytes(key.0));
    Ok(Pinned { officer: officers.pop(), representative: last, pins })
}

/// Every document that was signed, as its exact text, by its digest.
///
/// # Errors
/// A fault of the database.
pub async fn documents(store: &Store) -> Result<Vec<String>, Fault> {
    let sql = "SELECT text FROM profile_document ORDER BY rowid";
    sqlx::query_scalar(sql).fetch_all(store.pool()).await.map_err(|e| fault(&e))
}

/// Every word that was said, oldest first, with the digest of the document under which it stands.
///
/// # Errors
/// A fault of the database.
pub async fn words(store: &Store) -> Result<Vec<(Digest, Heard)>, Fault> {
    let sql = "SELECT digest, payload, signature, officers, representatives FROM profile_word ORDER BY rowid";
    let rows = sqlx::query(sql).fetch_all(store.pool()).await.map_err(|e| fault(&e))?;
    let damaged = || Fault::operator("a signature on a profile is damaged");
    let word = |row: &sqlx::sqlite::SqliteRow| {
        let digest: String = row.try_get("digest").map_err(|e| fault(&e))?;
        let payload: Vec<u8> = row.try_get("payload").map_err(|e| fault(&e))?;
        let signature: Vec<u8> = row.try_get("signature").map_err(|e| fault(&e))?;
        let signature = <[u8; 64]>::try_from(signature.as_slice()).map_err(|_| damaged())?;
        let record =
            Signed { payload: Bytes(payload), signature: Signature::from_bytes(signature) };
        let pins = Pins {
            officers: row.try_get("officers").map_err(|e| fault(&e))?,
            representatives: row.try_get("representatives").map_err(|e| fault(&e))?,
        };
        Ok((digest.parse().map_err(|_| damaged())?, Heard { record, pins }))
    };
    rows.iter().map(word).collect()
}

/// The documents that were signed, in the order of the last word on each.
///
/// # Errors
/// A fault of the database; a document in it that cannot be read any more.
pub async fn kept(store: &Store) -> Result<Vec<Kept>, Fault> {
    let mut documents = BTreeMap::new();
    for text in self::documents(store).await? {
        let document = Document::parse(&text).map_err(|e| e.into_fault("a signed profile"))?;
        documents.insert(document.digest(), document);
    }
    Ok(Kept::all(&documents, &words(store).await?))
}

/// The profile in force at a moment.
///
/// # Errors
/// An operator's fault if the clock went back behind what was signed, decided or released here: an approval that has
/// ended would be in force again. A fault of the database.
pub async fn now(store: &Store, now_s: i64) -> Result<InForce, Fault> {
    let built_in = Document::built_in().map_err(|e| Fault::bug(e.to_string()))?;
    let today = OffsetDateTime::from_unix_timestamp(now_s)
        .map_err(|_| {
            Fault::operator("the clock of this machine shows no day").hint("set the clock")
        })?
        .date();
    let (kept, pinned) = (kept(store).await?, pinned(store).await?);
    not_gone_back(store, &kept, &pinned, now_s).await?;
    Ok(in_force(built_in, &kept, &pinned, today))
}

/// Holds that the clock shows nothing much earlier than what the keys that count now signed, and what was released under
/// the officer's: with a new key, of which nothing was signed yet, one that was ahead is forgotten.
async fn not_gone_back(
    store: &Store,
    kept: &[Kept],
    pinned: &Pinned,
    now_s: i64,
) -> Result<(), Fault> {
    let mut last = Vec::new();
    for (role, of) in [
        (Role::Officer, Pinned { representative: None, ..*pinned }),
        (Role::StaffRepresentative, Pinned { officer: None, ..*pinned }),
    ] {
        last.extend(last_said(kept, &of).map(|at_s| (at_s, role, "signed a profile")));
    }
    if let Some(key) = pinned.officer {
        let decided = officer::decisions(store).await?.last_unix_s();
        last.extend(decided.map(|at_s| (at_s, Role::Officer, "signed a decision")));
        let cut = release_log::last_unix_s(store, &key).await?;
        last.extend(cut.map(|at_s| (at_s, Role::Officer, "let a release go")));
    }
    let Some((at_s, role, what)) = last.into_iter().max_by_key(|(at_s, ..)| *at_s) else {
        return Ok(());
    };
    if now_s >= at_s.saturating_sub(CLOCK_S) {
        return Ok(());
    }
    let day = |at_s| {
        OffsetDateTime::from_unix_timestamp(at_s)
            .map_or_else(|_| "an impossible day".to_owned(), |at| at.date().to_string())
    };
    let renew = match role {
        Role::Officer => "`tacit-node officer init --replace`",
        Role::StaffRepresentative => "`tacit-node profile key --replace`",
    };
    let (today, then) = (day(now_s), day(at_s));
    let message = format!(
        "the clock of this machine shows {today} and went back: the {role} {what} here on {then}"
    );
    Err(Fault::operator(message).at("the profile in force").hint(format!(
        "set the clock, or nobody can tell which approvals have ended; if {today} is right and the clock was ahead \
         then, the {role} gets a new key ({renew}), and what the old one signed is signed again"
    )))
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
    let pinned = pinned(store).await?;
    if pinned.of(role) != Some(key.verifying_key()) {
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
            "INSERT INTO profile_word (digest, role, payload, signature, officers, representatives) \
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(digest.to_string())
        .bind(role.word())
        .bind(record.payload.0)
        .bind(record.signature.as_bytes().to_vec())
        .bind(pinned.pins.officers)
        .bind(pinned.pins.representatives)
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use tacit_shared::id::to_hex;
    use tacit_shared::study::profile::Profile;

    const RESEARCH: &str = include_str!("../../../configs/profiles/ethics-approved-research.toml");
    /// 2026-11-01.
    const SIGNED: i64 = 1_793_491_200;
    const DAY_S: i64 = 86_400;

    fn key(seed: u8) -> IdentityKey {
        IdentityKey::from_seed(&[seed; 32]).unwrap()
    }

    async fn empty(dir: &tempfile::TempDir) -> Store {
        let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
        officer::pin(&store, &key(1).verifying_key(), 1).await.unwrap();
        store
    }

    #[tokio::test]
    async fn the_key_pinned_last_counts_whatever_the_clock_showed() {
        let dir = tempfile::tempdir().unwrap();
        let store = empty(&dir).await;
        for (seed, at_s) in [(2, 4_000_000_000), (3, SIGNED), (2, SIGNED + 1), (4, SIGNED)] {
            pin(&store, &key(seed).verifying_key(), at_s).await.unwrap();
            let counts = pinned(&store).await.unwrap().representative;
            assert_eq!(counts, Some(key(seed).verifying_key()), "{seed}");
        }
        let times: Vec<i64> =
            pins(&store).await.unwrap().into_iter().map(|(_, at_s)| at_s).collect();
        assert_eq!(times, [4_000_000_000, SIGNED, SIGNED + 1, SIGNED]);
        let own = pin(&store, &key(1).verifying_key(), SIGNED).await.unwrap_err();
        assert_eq!(own.message, "this key is the officer's");
    }

    #[tokio::test]
    async fn a_clock_that_went_back_puts_nothing_in_force_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = empty(&dir).await;
        pin(&store, &key(2).verifying_key(), 1).await.unwrap();
        let document = Document::parse(RESEARCH).unwrap();
        for (seed, role) in [(1, Role::Officer), (2, Role::StaffRepresentative)] {
            let said = (role, Said::Given);
            say(&store, &key(seed), (&document, RESEARCH), said, SIGNED).await.unwrap();
        }
        let kind = async |at_s| now(&store, at_s).await.map(|found| found.document.kind());
        assert_eq!(kind(SIGNED).await.unwrap(), Profile::EthicsApprovedResearch);
        assert_eq!(kind(SIGNED - 60).await.unwrap(), Profile::EthicsApprovedResearch);
        assert_eq!(kind(SIGNED + 600 * DAY_S).await.unwrap(), Profile::SelfReportOnly);
        assert!(kind(SIGNED - DAY_S).await.unwrap_err().message.contains("went back"));
        sqlx::query(
            "INSERT INTO release_log VALUES ('r', ?, 's', 'n', 'p', 'w', 'd', 'k', 'refused', ?, 2, 1, 1)",
        )
        .bind(SIGNED + 500 * DAY_S)
        .bind(to_hex(key(1).verifying_key().as_bytes()))
        .execute(store.pool())
        .await
        .unwrap();
        assert!(kind(SIGNED + 499 * DAY_S).await.unwrap_err().message.contains("went back"));
    }

    #[tokio::test]
    async fn a_clock_that_was_ahead_is_left_behind_with_the_key_that_signed_under_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = empty(&dir).await;
        pin(&store, &key(2).verifying_key(), 1).await.unwrap();
        let document = Document::parse(RESEARCH).unwrap();
        let sign = async |seed, role, at_s| {
            let said = (role, Said::Given);
            say(&store, &key(seed), (&document, RESEARCH), said, at_s).await.unwrap();
        };
        // The representative signs with the clock four years ahead; it is set back.
        sign(1, Role::Officer, SIGNED).await;
        sign(2, Role::StaffRepresentative, SIGNED + 1400 * DAY_S).await;
        let fault = now(&store, SIGNED).await.unwrap_err();
        assert_eq!(
            fault.message,
            "the clock of this machine shows 2026-11-01 and went back: the staff-representative signed a profile here on \
             2030-09-01"
        );
        assert!(fault.hint.unwrap().contains("`tacit-node profile key --replace`"));
        // With a new key nothing of before is in force, until both sign again.
        pin(&store, &key(3).verifying_key(), SIGNED).await.unwrap();
        let found = async || now(&store, SIGNED + DAY_S).await.unwrap().document.kind();
        assert_eq!(found().await, Profile::SelfReportOnly);
        sign(3, Role::StaffRepresentative, SIGNED).await;
        assert_eq!(found().await, Profile::SelfReportOnly, "the officer signed under another key");
        sign(1, Role::Officer, SIGNED).await;
        assert_eq!(found().await, Profile::EthicsApprovedResearch);
        // The officer alone does not bring back what has ended, whatever the clock shows.
        officer::pin(&store, &key(4).verifying_key(), SIGNED).await.unwrap();
        sign(4, Role::Officer, SIGNED).await;
        assert_eq!(found().await, Profile::SelfReportOnly);
    }
}
