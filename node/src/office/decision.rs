//! What the officer decided: signed records in a hash chain, and what follows from them.
//!
//! ```text
//! record   = payload ‖ signature by the officer's key, label "decision"
//! previous = H("tacit/v1/decision", payload, signature) of the record before; zeros for the first
//! ```
//! Of all decisions about one study the last one counts, and an approval counts for the roster it was
//! given under only: with other hospitals a study has another noise and other readers. The key and the
//! records on disk are the work of [`crate::store::officer`].
use serde::{Deserialize, Serialize};
use tacit_shared::codec::{self, Bytes};
use tacit_shared::id::Digest;
use tacit_shared::protocol::message::Signed;
use tacit_shared::secagg::key::identity::{IdentityKey, VerifyingKey};

/// The label of a decision's signature.
const LABEL: &str = "decision";

/// What the officer said about cells that are too small ([`super::cells`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SmallCells {
    /// The site takes no part while there is one: what is said unless the officer says otherwise.
    Refused,
    /// The site takes part all the same; the noise alone protects.
    Accepted,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// The site takes part in rounds of the study.
    Approve {
        /// Digest of the study.
        study: Digest,
        /// Whether cells may be small.
        small_cells: SmallCells,
    },
    /// It does not any more.
    Revoke {
        /// Digest of the study.
        study: Digest,
    },
    /// A release that waited may leave.
    Release {
        /// The round.
        round: Digest,
    },
    /// A release that waited may not leave.
    Withhold {
        /// The round.
        round: Digest,
    },
    /// An answer whose charge was lost with the database is charged again.
    AcceptLoss {
        /// Head of the ledger that the answer stated.
        head: Digest,
    },
}

/// One decision, as signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Position in the chain of this key, from 1.
    pub sequence: u64,
    /// Digest of the record before, zeros for the first.
    pub previous: Digest,
    /// Seconds since 1970, UTC.
    pub at_unix_s: i64,
    /// Digest of the roster that was pinned then; zeros if none was.
    pub roster: Digest,
    /// What was decided.
    pub what: What,
}

/// Why records are no decisions of the officer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecisionError {
    /// The signature is not the officer's, or what it signs is no decision.
    #[error("decision {sequence} is not signed by the officer's key")]
    Signature {
        /// Its place, from 1.
        sequence: u64,
    },
    /// A record does not follow the one before: one was changed, lost or put in.
    #[error("decision {sequence} does not follow the one before")]
    Chain {
        /// Its place, from 1.
        sequence: u64,
    },
}

/// The decisions of one key, every signature and link checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decisions {
    made: Vec<Decision>,
    head: Digest,
}

impl Decisions {
    /// Checks the records of a key, oldest first.
    ///
    /// # Errors
    /// [`DecisionError`] naming the first that is not the officer's or does not follow.
    pub fn of(key: &VerifyingKey, records: &[Signed]) -> Result<Self, DecisionError> {
        let mut decisions = Self { made: Vec::new(), head: Digest::new([0; 32]) };
        for record in records {
            let sequence = decisions.next_sequence();
            let decision: Decision =
                record.body(key, LABEL).ok_or(DecisionError::Signature { sequence })?;
            if decision.sequence != sequence || decision.previous != decisions.head {
                return Err(DecisionError::Chain { sequence });
            }
            decisions.made.push(decision);
            decisions.head = digest(record);
        }
        Ok(decisions)
    }

    /// Signs the next decision. Nothing is kept: the record counts once it is on disk.
    ///
    /// # Errors
    /// [`codec::CodecError`], which plain data does not give.
    pub fn sign(
        &self,
        key: &IdentityKey,
        roster: Digest,
        at_unix_s: i64,
        what: What,
    ) -> Result<(u64, Signed), codec::CodecError> {
        let (sequence, previous) = (self.next_sequence(), self.head);
        let decision = Decision { sequence, previous, at_unix_s, roster, what };
        Ok((sequence, Signed::of(key, LABEL, &decision)?))
    }

    /// All decisions, oldest first.
    pub fn made(&self) -> &[Decision] {
        &self.made
    }

    /// What was said about small cells, if the last word on a study is an approval under this roster.
    pub fn approves(&self, study: Digest, roster: Digest) -> Option<SmallCells> {
        let last = self.made.iter().rev().find(|decision| decision.speaks_of(study))?;
        match last.what {
            What::Approve { small_cells, .. } if last.roster == roster => Some(small_cells),
            _ => None,
        }
    }

    /// Whether the last word on a study is an approval, under whichever roster.
    pub fn stands(&self, study: Digest) -> bool {
        let last = self.made.iter().rev().find(|decision| decision.speaks_of(study));
        last.is_some_and(|decision| matches!(decision.what, What::Approve { .. }))
    }

    /// Whether a study stood approved under a roster at a time: the last word on it until then.
    pub fn approved_at(&self, study: Digest, roster: Digest, at_unix_s: i64) -> bool {
        let counts =
            |decision: &&Decision| decision.at_unix_s <= at_unix_s && decision.speaks_of(study);
        let last = self.made.iter().rev().find(counts);
        last.is_some_and(|decision| {
            matches!(decision.what, What::Approve { .. }) && decision.roster == roster
        })
    }

    /// Whether the loss of an answer's charge was accepted.
    pub fn accepted_loss(&self, of: Digest) -> bool {
        self.made.iter().any(|decision| decision.what == What::AcceptLoss { head: of })
    }

    /// When the last decision was made, seconds since 1970.
    pub fn last_unix_s(&self) -> Option<i64> {
        self.made.iter().map(|decision| decision.at_unix_s).max()
    }

    /// Whether a round's release was let go (`true`) or withheld; `None` while nothing was decided.
    /// The first word counts: what has left cannot be called back, and what was withheld is lost.
    pub fn released(&self, of: Digest) -> Option<bool> {
        self.made.iter().find_map(|decision| match decision.what {
            What::Release { round } if round == of => Some(true),
            What::Withhold { round } if round == of => Some(false),
            _ => None,
        })
    }

    fn next_sequence(&self) -> u64 {
        u64::try_from(self.made.len()).map_or(u64::MAX, |made| made.saturating_add(1))
    }
}

impl Decision {
    fn speaks_of(&self, of: Digest) -> bool {
        match self.what {
            What::Approve { study, .. } | What::Revoke { study } => study == of,
            What::Release { .. } | What::Withhold { .. } | What::AcceptLoss { .. } => false,
        }
    }
}

fn digest(record: &Signed) -> Digest {
    let Signed { payload: Bytes(payload), signature } = record;
    codec::hash("tacit/v1/decision", &[payload, signature.as_bytes()])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    fn key(seed: u8) -> IdentityKey {
        IdentityKey::from_seed(&[seed; 32]).unwrap()
    }

    fn digest_of(byte: u8) -> Digest {
        Digest::new([byte; 32])
    }

    fn approve(study: Digest) -> What {
        What::Approve { study, small_cells: SmallCells::Refused }
    }

    fn records(of: &[(u8, i64, What)]) -> Vec<Signed> {
        let mut records = Vec::new();
        for (roster, at, what) in of {
            let so_far = Decisions::of(&key(1).verifying_key(), &records).unwrap();
            let (_, record) = so_far.sign(&key(1), digest_of(*roster), *at, *what).unwrap();
            records.push(record);
        }
        records
    }

    fn decisions(of: &[(u8, i64, What)]) -> Decisions {
        Decisions::of(&key(1).verifying_key(), &records(of)).unwrap()
    }

    #[test]
    fn the_last_word_on_a_study_counts_under_its_roster_only() {
        let (study, other) = (digest_of(7), digest_of(8));
        let refused = Some(SmallCells::Refused);
        let (yes, no) = (approve(study), What::Revoke { study });
        assert_eq!(decisions(&[]).approves(study, digest_of(1)), None);
        let approved = decisions(&[(1, 10, yes)]);
        assert_eq!(approved.approves(study, digest_of(1)), refused);
        assert_eq!(approved.approves(study, digest_of(2)), None);
        assert_eq!(approved.approves(other, digest_of(1)), None);
        assert_eq!(decisions(&[(1, 10, yes), (1, 20, no)]).approves(study, digest_of(1)), None);
        let again = decisions(&[(1, 10, yes), (1, 20, no), (1, 30, yes)]);
        assert_eq!(again.approves(study, digest_of(1)), refused);
        let at = |time| again.approved_at(study, digest_of(1), time);
        assert_eq!([9, 10, 19, 20, 29, 30].map(at), [false, true, true, false, false, true]);
        assert!(!again.approved_at(study, digest_of(2), 30));
    }

    #[test]
    fn the_first_word_on_a_release_counts() {
        let round = digest_of(9);
        let (go, stay) = (What::Release { round }, What::Withhold { round });
        assert_eq!(decisions(&[]).released(round), None);
        assert_eq!(decisions(&[(1, 1, go), (1, 2, stay)]).released(round), Some(true));
        assert_eq!(decisions(&[(1, 1, stay), (1, 2, go)]).released(round), Some(false));
    }

    #[test]
    fn a_changed_lost_or_foreign_record_breaks_the_chain() {
        let study = digest_of(7);
        let sound = records(&[
            (1, 10, approve(study)),
            (1, 20, What::Revoke { study }),
            (1, 30, approve(study)),
        ]);
        let check = |records: &[Signed]| Decisions::of(&key(1).verifying_key(), records);
        assert!(check(&sound).is_ok());
        assert_eq!(
            check(&[sound[0].clone(), sound[2].clone()]),
            Err(DecisionError::Chain { sequence: 2 })
        );
        assert_eq!(check(&sound[1..]), Err(DecisionError::Chain { sequence: 1 }));
        for place in 0..sound[1].payload.0.len() {
            let mut changed = sound.clone();
            changed[1].payload.0[place] ^= 1;
            assert_eq!(check(&changed), Err(DecisionError::Signature { sequence: 2 }));
        }
        let empty = Decisions::of(&key(2).verifying_key(), &[]).unwrap();
        let (_, foreign) = empty.sign(&key(2), digest_of(1), 5, approve(study)).unwrap();
        assert_eq!(check(&[foreign]), Err(DecisionError::Signature { sequence: 1 }));
    }
}
