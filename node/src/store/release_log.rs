//! Which releases were cut: for which purpose, for whom, under which profile and whose approval.
//!
//! A row stands before its charge. Should the charge fail there is a row without an entry in the ledger: what was
//! tried is seen, too. The ledger alone says what was paid.
use super::{Store, fault, officer, profile as profiles};
use crate::office::decision::SmallCells;
use crate::office::profile::InForce;
use tacit_shared::fault::Fault;
use tacit_shared::id::{Digest, to_hex};
use tacit_shared::secagg::key::identity::VerifyingKey;
use tacit_shared::study::Study;

/// One release.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, sqlx::FromRow)]
pub struct Release {
    /// The round.
    pub round: String,
    /// Seconds since 1970, UTC.
    pub at_unix_s: i64,
    /// Digest of the study.
    pub study: String,
    /// Its short name.
    pub name: String,
    /// Its purpose.
    pub purpose: String,
    /// Its recipients, with the class of each.
    pub recipients: String,
    /// Digest of the profile that was in force.
    pub profile: String,
    /// Its kind.
    pub kind: String,
    /// What the officer said of small cells.
    pub small_cells: String,
    /// The key of the officer who approved.
    pub officer: String,
    /// How many words on profiles had been said then.
    pub words: u32,
    /// How many keys of officers had been pinned.
    pub officers: u32,
    /// How many of staff representatives.
    pub representatives: u32,
}

/// Writes a release down; again the same changes nothing.
///
/// # Errors
/// A fault of the database: then nothing may be paid for.
pub async fn keep(
    store: &Store,
    (study, roster): (&Study, Digest),
    profile: &InForce,
    round: Digest,
    at_unix_s: i64,
) -> Result<(), Fault> {
    let accepted = officer::decisions(store).await?.approves(study.digest(), roster);
    let small_cells = match accepted {
        Some(SmallCells::Accepted) => "accepted",
        Some(SmallCells::Refused) | None => "refused",
    };
    let words = u32::try_from(profiles::words(store).await?.len()).unwrap_or(u32::MAX);
    let pins = profiles::pinned(store).await?.pins;
    let recipients: Vec<String> = study.recipients().iter().map(ToString::to_string).collect();
    sqlx::query(
        "INSERT OR IGNORE INTO release_log (round, at_unix_s, study, name, purpose, recipients, profile, kind, \
         small_cells, officer, words, officers, representatives) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(round.to_string())
    .bind(at_unix_s)
    .bind(study.digest().to_string())
    .bind(study.name().as_str().to_owned())
    .bind(study.purpose().to_owned())
    .bind(recipients.join(", "))
    .bind(profile.document.digest().to_string())
    .bind(profile.document.kind().to_string())
    .bind(small_cells)
    .bind(to_hex(officer::pinned(store).await?.as_bytes()))
    .bind(words)
    .bind(pins.officers)
    .bind(pins.representatives)
    .execute(store.pool())
    .await
    .map_err(|e| fault(&e))?;
    Ok(())
}

/// When the last of those that an officer approved was cut, seconds since 1970.
///
/// # Errors
/// A fault of the database.
pub async fn last_unix_s(store: &Store, officer: &VerifyingKey) -> Result<Option<i64>, Fault> {
    sqlx::query_scalar("SELECT max(at_unix_s) FROM release_log WHERE officer = ?")
        .bind(to_hex(officer.as_bytes()))
        .fetch_one(store.pool())
        .await
        .map_err(|e| fault(&e))
}

/// Every release, oldest first.
///
/// # Errors
/// A fault of the database.
pub async fn all(store: &Store) -> Result<Vec<Release>, Fault> {
    let sql = "SELECT round, at_unix_s, study, name, purpose, recipients, profile, kind, small_cells, officer, words, \
               officers, representatives FROM release_log ORDER BY at_unix_s, round";
    sqlx::query_as(sql).fetch_all(store.pool()).await.map_err(|e| fault(&e))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use tacit_shared::study::profile::document::Document;

    #[tokio::test]
    async fn a_release_is_kept_with_its_purpose_recipients_and_profile_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
        let key = officer::create_key(&dir.path().join("officer.p8")).unwrap().verifying_key();
        officer::pin(&store, &key, 1).await.unwrap();
        let study =
            Study::parse(include_str!("../../../configs/studies/empathy-billing.toml")).unwrap();
        let document = Document::built_in().unwrap();
        let profile = InForce { document, signed: Vec::new(), falls_short: None };
        let (roster, round) = (study.digest(), study.digest());
        assert_eq!(
            (all(&store).await.unwrap(), last_unix_s(&store, &key).await.unwrap()),
            (vec![], None)
        );
        for at_unix_s in [7, 8] {
            keep(&store, (&study, roster), &profile, round, at_unix_s).await.unwrap();
        }
        let found = all(&store).await.unwrap();
        let [one] = found.as_slice() else { panic!("{} releases", found.len()) };
        assert_eq!((one.at_unix_s, one.purpose.as_str()), (7, "research-aggregate"));
        assert!(one.recipients.contains("policymakers (policy)"), "{}", one.recipients);
        assert_eq!(one.profile, profile.document.digest().to_string());
        assert_eq!((one.small_cells.as_str(), &one.officer), ("refused", &to_hex(key.as_bytes())));
        assert_eq!((one.words, one.officers, one.representatives), (0, 1, 0));
        assert_eq!(last_unix_s(&store, &key).await.unwrap(), Some(7));
        let other = officer::create_key(&dir.path().join("other.p8")).unwrap().verifying_key();
        assert_eq!(last_unix_s(&store, &other).await.unwrap(), None);
    }
}
