//! Which profile is in force: what two people signed, while it lasts, or else the built-in one.
//!
//! ```text
//! word      = document, role, given or taken back, time ‖ signature by the role's pinned key, label "profile"
//! stands    = the officer's last word is given and, if it is wider than the built-in one, so is the staff
//!             representative's, by another key; today is not after its end, nor more than five years after either
//!             signed what ends
//! in force  = the document that was signed last, if it stands; while it still lacks a signature, the one before
//! ```
//! Otherwise the built-in `self-report-only` is: what was taken back, or has ended, gives way to nothing older. A word on a
//! wider document stands while neither person's key was replaced since: by order, for a clock can be set. Keys, documents
//! and words on disk are the work of [`crate::store::profile`]; what a study may ask for, of [`super::policy`].
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use tacit_shared::codec::CodecError;
use tacit_shared::id::Digest;
use tacit_shared::protocol::message::Signed;
use tacit_shared::secagg::key::identity::{IdentityKey, VerifyingKey};
use tacit_shared::study::profile::document::Document;
use time::{Date, Duration, OffsetDateTime};

/// The label of such a signature.
const LABEL: &str = "profile";
/// For how many years a signature stands behind a document that ends, whatever end it names.
const YEARS_MAX: i64 = 5;

/// Whose word it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Role {
    /// The privacy officer.
    Officer,
    /// Whom the clinicians chose to speak for them.
    StaffRepresentative,
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// It may be in force.
    Given,
    /// It may not any more.
    TakenBack,
}

/// A word on a document, as signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Digest of the document.
    pub document: Digest,
    /// Whose word it is.
    pub role: Role,
    /// What is said.
    pub said: Said,
    /// Seconds since 1970, UTC.
    pub at_unix_s: i64,
}

/// How many keys had been pinned for each person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    /// For the officer.
    pub officers: u32,
    /// For the staff representative.
    pub representatives: u32,
}

/// The keys that are pinned now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pinned {
    /// The officer's.
    pub officer: Option<VerifyingKey>,
    /// The staff representative's.
    pub representative: Option<VerifyingKey>,
    /// How many there were of each so far.
    pub pins: Pins,
}

/// A word as it was said: signed, and under which keys.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The signed word.
    pub record: Signed,
    /// How many keys had been pinned then.
    pub pins: Pins,
}

/// A document with all that was said of it, oldest first.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The document.
    pub document: Document,
    /// The words.
    pub words: Vec<Heard>,
}

impl Kept {
    /// Groups words by document, in the order of the last word on each; those on a document that is not here are left out.
    pub fn all(documents: &BTreeMap<Digest, Document>, words: &[(Digest, Heard)]) -> Vec<Self> {
        let mut found: BTreeMap<Digest, (usize, Vec<Heard>)> = BTreeMap::new();
        for (place, (digest, word)) in words.iter().enumerate() {
            let (last, heard) = found.entry(*digest).or_default();
            *last = place;
            heard.push(word.clone());
        }
        let mut all: Vec<(usize, Self)> = found
            .into_iter()
            .filter_map(|(digest, (last, words))| {
                let document = documents.get(&digest)?.clone();
                Some((last, Self { document, words }))
            })
            .collect();
        all.sort_by_key(|(last, _)| *last);
        all.into_iter().map(|(_, kept)| kept).collect()
    }
}

/// The profile that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// What it says.
    pub document: Document,
    /// Who signed it, and when; nobody the built-in one.
    pub signed: Vec<Word>,
    /// Why the document signed last is not the one in force, if it is not.
    pub falls_short: Option<String>,
}

impl Role {
    /// Its word in tables and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Role::Officer => "officer",
            Role::StaffRepresentative => "staff-representative",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Pinned {
    /// The key of a role.
    pub fn of(&self, role: Role) -> Option<VerifyingKey> {
        match role {
            Role::Officer => self.officer,
            Role::StaffRepresentative => self.representative,
        }
    }
}

impl Pins {
    /// Whether a word that was said under these still stands, the document being wider: neither key was replaced since.
    fn stand(self, now: Self) -> bool {
        let first = self.representatives == 0 && now.representatives == 1;
        self.officers == now.officers && (self.representatives == now.representatives || first)
    }
}

impl Word {
    /// The word that a record holds, if this key signed it.
    pub fn read(record: &Signed, key: &VerifyingKey) -> Option<Self> {
        record.body(key, LABEL)
    }

    /// Signs it.
    ///
    /// # Errors
    /// [`CodecError`], which plain data does not give.
    pub fn sign(&self, key: &IdentityKey) -> Result<Signed, CodecError> {
        Signed::of(key, LABEL, self)
    }

    /// Whether it is at most [`YEARS_MAX`] years old on a day.
    fn binds(&self, today: Date) -> bool {
        let said = OffsetDateTime::from_unix_timestamp(self.at_unix_s).map(OffsetDateTime::date);
        let days = Duration::days(YEARS_MAX * 365 + 1);
        said.is_ok_and(|said| said.checked_add(days).is_none_or(|last| today <= last))
    }
}

/// The latest moment at which anybody whose key is pinned said something of a document, seconds since 1970.
pub fn last_said(kept: &[Kept], pinned: &Pinned) -> Option<i64> {
    let keys = [pinned.officer, pinned.representative];
    let words = kept.iter().flat_map(|kept| &kept.words);
    let said = words.filter_map(|heard| {
        keys.iter().flatten().find_map(|key| Word::read(&heard.record, key)).map(|w| w.at_unix_s)
    });
    said.max()
}

/// The profile in force on a day, of the documents in the order in which they were signed last.
pub fn in_force(built_in: Document, kept: &[Kept], pinned: &Pinned, today: Date) -> InForce {
    let mut falls_short = None;
    for Kept { document, words } in kept.iter().rev() {
        match stands(document, words, pinned, today) {
            Ok(signed) => return InForce { document: document.clone(), signed, falls_short },
            Err(Short { why, waits }) => {
                falls_short = falls_short.or(Some(why));
                if waits == Waits::No {
                    break;
                }
            }
        }
    }
    InForce { document: built_in, signed: Vec::new(), falls_short }
}

/// Why a document is not in force.
struct Short {
    why: String,
    waits: Waits,
}

/// Whether a document only lacks a signature that may still come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    ForASignature,
    No,
}

/// The words that a document rests on, or why it is not in force.
fn stands(
    document: &Document,
    words: &[Heard],
    pinned: &Pinned,
    today: Date,
) -> Result<Vec<Word>, Short> {
    let waits = |why| Short { why, waits: Waits::ForASignature };
    let over = |why| Short { why, waits: Waits::No };
    let name = format!("profile `{}`, version {},", document.kind(), document.version());
    let mut roles = vec![Role::Officer];
    if document.is_wider() {
        roles.push(Role::StaffRepresentative);
        if pinned.officer.is_some() && pinned.officer == pinned.representative {
            return Err(waits(format!(
                "{name} is signed twice by one key; two people must sign it"
            )));
        }
    }
    let mut signed = Vec::new();
    for role in roles {
        let key =
            pinned.of(role).ok_or_else(|| waits(format!("no key of the {role} is pinned here")))?;
        let of = |heard: &Heard| {
            Word::read(&heard.record, &key)
                .filter(|w| w.role == role && w.document == document.digest())
                .map(|word| (word, heard.pins))
        };
        match words.iter().filter_map(of).next_back() {
            Some((Word { said: Said::TakenBack, .. }, _)) => {
                return Err(over(format!("{name} was taken back by the {role}")));
            }
            Some((_, pins)) if document.is_wider() && !pins.stand(pinned.pins) => {
                return Err(waits(format!(
                    "{name} was signed by the {role} before a key was replaced; it has to be signed again"
                )));
            }
            Some((word, _)) => signed.push(word),
            None => return Err(waits(format!("{name} lacks the signature of the {role}"))),
        }
    }
    if !document.lasts(today) {
        return Err(over(format!("{name} has ended")));
    }
    // Both must stand: the older of the two words says how long they bind.
    if signed.iter().any(|word| document.ends().is_some() && !word.binds(today)) {
        return Err(over(format!("{name} was signed more than {YEARS_MAX} years ago")));
    }
    Ok(signed)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
pub(crate) mod tests {
    use super::*;
    use tacit_shared::study::profile::Profile;
    use time::macros::date;

    pub(crate) const RESEARCH: &str =
        include_str!("../../../configs/profiles/ethics-approved-research.toml");
    const TODAY: Date = date!(2026 - 11 - 22);
    /// 2026-11-01.
    const SIGNED: i64 = 1_793_491_200;

    fn key(seed: u8) -> IdentityKey {
        IdentityKey::from_seed(&[seed; 32]).unwrap()
    }

    fn pinned(officer: u8, representative: u8) -> Pinned {
        let key = |seed| (seed > 0).then(|| key(seed).verifying_key());
        let pins = Pins { officers: 1, representatives: 1 };
        Pinned { officer: key(officer), representative: key(representative), pins }
    }

    fn kept(document: &Document, words: &[(u8, Role, Said)]) -> Kept {
        let word = |(at, (seed, role, said)): (i64, &(u8, Role, Said))| {
            let word = Word {
                document: document.digest(),
                role: *role,
                said: *said,
                at_unix_s: SIGNED + at,
            };
            let pins = Pins { officers: 1, representatives: 1 };
            Heard { record: word.sign(&key(*seed)).unwrap(), pins }
        };
        Kept { document: document.clone(), words: (1..).zip(words).map(word).collect() }
    }

    fn found(all: &[Kept], pinned: &Pinned, today: Date) -> (Profile, Option<String>) {
        let found = in_force(Document::built_in().unwrap(), all, pinned, today);
        (found.document.kind(), found.falls_short)
    }

    use Role::{Officer, StaffRepresentative as Staff};
    use Said::{Given, TakenBack};

    #[test]
    fn two_keys_put_a_wider_profile_in_force_until_it_ends() {
        let document = Document::parse(RESEARCH).unwrap();
        let both = [kept(&document, &[(1, Officer, Given), (2, Staff, Given)])];
        let keys = pinned(1, 2);
        assert_eq!(found(&both, &keys, TODAY), (Profile::EthicsApprovedResearch, None));
        let ended = document.ends().unwrap().next_day().unwrap();
        let (kind, why) = found(&both, &keys, ended);
        assert_eq!(kind, Profile::SelfReportOnly);
        assert!(why.unwrap().ends_with("has ended"));
        assert_eq!(found(&[], &keys, TODAY), (Profile::SelfReportOnly, None));
    }

    #[test]
    fn a_signature_binds_for_five_years_whatever_end_the_document_names() {
        let text = RESEARCH.replace("2027-12-31", "9999-12-31");
        let document = Document::parse(&text).unwrap();
        let both = [kept(&document, &[(1, Officer, Given), (2, Staff, Given)])];
        let keys = pinned(1, 2);
        let last = date!(2031 - 11 - 01);
        assert_eq!(found(&both, &keys, last), (Profile::EthicsApprovedResearch, None));
        let (kind, why) = found(&both, &keys, last.next_day().unwrap());
        assert_eq!(kind, Profile::SelfReportOnly);
        assert!(why.unwrap().ends_with("was signed more than 5 years ago"));
        assert_eq!(last_said(&both, &keys), Some(SIGNED + 2));
        assert_eq!(last_said(&both, &pinned(1, 3)), Some(SIGNED + 1), "a stranger's word is none");
    }

    #[test]
    fn nothing_less_than_both_pinned_keys_does() {
        let document = Document::parse(RESEARCH).unwrap();
        let other =
            Document::parse(&RESEARCH.replacen("version = \"1\"", "version = \"2\"", 1)).unwrap();
        let short = |all: &[Kept], keys: &Pinned| {
            let (kind, why) = found(all, keys, TODAY);
            assert_eq!(kind, Profile::SelfReportOnly);
            why.unwrap()
        };
        let both: &[_] = &[(1, Officer, Given), (2, Staff, Given)];
        for (words, keys, why) in [
            (&both[..1], pinned(1, 2), "lacks the signature of the staff-representative"),
            (&both[1..], pinned(1, 2), "lacks the signature of the officer"),
            (both, pinned(3, 2), "lacks the signature of the officer"),
            (both, pinned(1, 0), "no key of the staff-representative is pinned here"),
            (both, pinned(0, 2), "no key of the officer is pinned here"),
            (&[(1, Officer, Given), (1, Staff, Given)], pinned(1, 1), "two people must sign it"),
            (
                &[(1, Officer, Given), (1, Staff, Given)],
                pinned(1, 2),
                "lacks the signature of the staff",
            ),
            (
                &[(1, Officer, Given), (2, Staff, Given), (2, Staff, TakenBack)],
                pinned(1, 2),
                "was taken back by the staff-representative",
            ),
        ] {
            let found = short(&[kept(&document, words)], &keys);
            assert!(found.contains(why), "{why}: {found}");
        }
        // The words of one document are none on another.
        let moved = Kept { document: other, ..kept(&document, both) };
        assert!(short(&[moved], &pinned(1, 2)).contains("lacks the signature of the officer"));
    }

    #[test]
    fn a_key_that_was_replaced_voids_both_words_whatever_the_clock_shows() {
        let document = Document::parse(RESEARCH).unwrap();
        let pins = |officers, representatives| Pins { officers, representatives };
        let found = |said: Pins, now: Pins| {
            let mut both = kept(&document, &[(1, Officer, Given), (2, Staff, Given)]);
            both.words.iter_mut().for_each(|heard| heard.pins = said);
            let keys = Pinned { pins: now, ..pinned(1, 2) };
            in_force(Document::built_in().unwrap(), &[both], &keys, TODAY)
        };
        let research = |said, now| found(said, now).document == document;
        assert!(research(pins(1, 1), pins(1, 1)));
        // The officer may sign before the representative has a key at all.
        assert!(research(pins(1, 0), pins(1, 1)));
        for now in [pins(2, 1), pins(1, 2)] {
            let found = found(pins(1, 1), now);
            assert_eq!(found.document, Document::built_in().unwrap());
            assert!(found.falls_short.unwrap().ends_with("it has to be signed again"));
        }
        assert!(!research(pins(1, 0), pins(1, 2)));
    }

    #[test]
    fn words_are_grouped_by_document_in_the_order_of_the_last() {
        let first = Document::parse(RESEARCH).unwrap();
        let second =
            Document::parse(&RESEARCH.replacen("version = \"1\"", "version = \"2\"", 1)).unwrap();
        let word = |document: &Document| {
            let heard = kept(document, &[(1, Officer, Given)]).words.remove(0);
            (document.digest(), heard)
        };
        let documents = [&first, &second].map(|d| (d.digest(), d.clone())).into();
        let words = [word(&first), word(&second), word(&first)];
        let found = Kept::all(&documents, &words);
        let order: Vec<_> =
            found.iter().map(|kept| (kept.document.digest(), kept.words.len())).collect();
        assert_eq!(order, [(second.digest(), 1), (first.digest(), 2)]);
        assert!(Kept::all(&BTreeMap::new(), &words).is_empty());
    }

    #[test]
    fn what_was_signed_before_holds_until_the_next_is_signed_by_all() {
        let document = Document::parse(RESEARCH).unwrap();
        let narrower = tacit_shared::study::profile::document::BUILT_IN.replacen(
            "answers = 730",
            "answers = 30",
            1,
        );
        let narrower = Document::parse(&narrower).unwrap();
        let first = kept(&narrower, &[(1, Officer, Given)]);
        let second = kept(&document, &[(1, Officer, Given)]);
        let found = in_force(Document::built_in().unwrap(), &[first, second], &pinned(1, 2), TODAY);
        assert_eq!(found.document, narrower);
        assert_eq!(found.signed.len(), 1);
        let back =
            kept(&document, &[(1, Officer, Given), (2, Staff, Given), (2, Staff, TakenBack)]);
        let first = kept(&narrower, &[(1, Officer, Given)]);
        let all = [first, back];
        let none_older = in_force(Document::built_in().unwrap(), &all, &pinned(1, 2), TODAY);
        assert_eq!(none_older.document, Document::built_in().unwrap());
        assert!(found.falls_short.unwrap().contains("lacks the signature of the staff"));
    }
}
