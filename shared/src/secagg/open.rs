//! Opens the sum of certified survivors, and nothing else.
//!
//! ```text
//! ΣX + ΣZ = Σ_{U3} y − Σ_{U3} PRG(self) − dangling pair masks between U3 and U2 \ U3      mod 2^64
//! ```
//! A [`Certificate`] is T equal votes of distinct members of U3. For a member of U3 only its self mask
//! is restored, for one that dropped out only its pair masks, so a site that was late stays hidden.
use super::key::identity::{Signature, VerifyingKey};
use super::pad::{PadError, PadKey, Sign, apply_pads};
use super::work::{InTurn, Workers};
use crate::id::{Digest, SiteIndex};
use std::collections::BTreeSet;

/// The label of votes.
pub const VOTE_LABEL: &str = "survivors";

/// Why nothing was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not as many votes as the threshold.
    #[error("{found} votes for the survivors; {expected} needed")]
    TooFewVotes {
        /// Valid votes of distinct survivors.
        found: usize,
        /// T.
        expected: u16,
    },
    /// Not as many survivors as the study asks for.
    #[error("{found} survivors; the study opens a sum of {expected} or more")]
    TooFewSurvivors {
        /// |U3|.
        found: usize,
        /// m.
        expected: u16,
    },
    /// A vote from outside U3, a second one, or one that does not verify.
    #[error("the vote of site {index} does not count")]
    BadVote {
        /// Whose vote.
        index: SiteIndex,
    },
    /// A masked vector of another length.
    #[error("{found} bytes; a masked vector has {expected}")]
    Length {
        /// Bytes found.
        found: usize,
        /// Bytes expected.
        expected: usize,
    },
    /// A mask could not be expanded.
    #[error(transparent)]
    Pad(#[from] PadError),
}

/// Proof that T survivors voted for one set of survivors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    survivors: BTreeSet<SiteIndex>,
}

/// What a certificate is checked against: the roster's numbers and keys, the vote's exact bytes.
#[derive(Debug)]
pub struct Electorate<'a> {
    /// U3.
    pub survivors: &'a BTreeSet<SiteIndex>,
    /// m.
    pub min_sites: u16,
    /// T.
    pub threshold: u16,
    /// The bytes that each vote signs.
    pub ballot: &'a [u8],
}

impl Certificate {
    /// Counts votes.
    ///
    /// # Errors
    /// [`OpenError`] naming the first vote that does not count, or how many are missing.
    pub fn of(
        electorate: &Electorate<'_>,
        votes: &[(SiteIndex, Signature)],
        key_of: impl Fn(SiteIndex) -> Option<VerifyingKey>,
    ) -> Result<Self, OpenError> {
        let survivors = electorate.survivors;
        if survivors.len() < usize::from(electorate.min_sites) {
            let (found, expected) = (survivors.len(), electorate.min_sites);
            return Err(OpenError::TooFewSurvivors { found, expected });
        }
        let mut counted = BTreeSet::new();
        for (index, signature) in votes {
            let key = key_of(*index).filter(|_| survivors.contains(index));
            let valid =
                key.is_some_and(|k| k.verify(VOTE_LABEL, electorate.ballot, signature).is_ok());
            if !valid || !counted.insert(*index) {
                return Err(OpenError::BadVote { index: *index });
            }
        }
        if counted.len() < usize::from(electorate.threshold) {
            let expected = electorate.threshold;
            return Err(OpenError::TooFewVotes { found: counted.len(), expected });
        }
        Ok(Self { survivors: survivors.clone() })
    }

    /// U3.
    pub fn survivors(&self) -> &BTreeSet<SiteIndex> {
        &self.survivors
    }
}

/// The running sum of masked vectors: uniform until the masks are taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedSum {
    words: Vec<u64>,
}

impl MaskedSum {
    /// An empty sum of `dimension` numbers.
    pub fn new(dimension: usize) -> Self {
        Self { words: vec![0; dimension] }
    }

    /// Adds one masked body.
    ///
    /// # Errors
    /// [`OpenError::Length`]; nothing was added.
    pub fn add(&mut self, body: &[u8]) -> Result<(), OpenError> {
        let expected = self.words.len().saturating_mul(8);
        if body.len() != expected {
            return Err(OpenError::Length { found: body.len(), expected });
        }
        let (numbers, _) = body.as_chunks::<8>();
        for (word, number) in self.words.iter_mut().zip(numbers) {
            *word = word.wrapping_add(u64::from_le_bytes(*number));
        }
        Ok(())
    }
}

/// The masks that remain in the sum of survivors.
#[derive(Debug, Default)]
pub struct Residue {
    /// Self masks of the survivors.
    pub own: Vec<PadKey>,
    /// Pair masks of a survivor (first) and a site that dropped out (second).
    pub dangling: Vec<(SiteIndex, SiteIndex, PadKey)>,
}

/// The noisy sum of at least `min_sites` certified survivors.
///
/// [`open`] makes one; whoever holds a result that the coordinator signed gets it back from
/// [`crate::protocol::message::Outcome`].
#[derive(Clone, PartialEq, Eq)]
pub struct Aggregate {
    sum: Vec<i64>,
    survivors: BTreeSet<SiteIndex>,
    round: Digest,
}

impl Aggregate {
    /// The aggregate that a coordinator's signature vouches for.
    pub(crate) fn published(sum: Vec<i64>, survivors: BTreeSet<SiteIndex>, round: Digest) -> Self {
        Self { sum, survivors, round }
    }

    /// The numbers, in quanta, in the order of the layout.
    pub fn sum(&self) -> &[i64] {
        &self.sum
    }

    /// Whose sum it is.
    pub fn survivors(&self) -> &BTreeSet<SiteIndex> {
        &self.survivors
    }

    /// The round that gave it.
    pub fn round(&self) -> Digest {
        self.round
    }
}

impl std::fmt::Debug for Aggregate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Aggregate({} numbers, {} sites)", self.sum.len(), self.survivors.len())
    }
}

/// Takes the remaining masks off the sum of certified survivors.
///
/// The caller ensures that `sum` is the survivors' and that `residue` holds exactly their masks.
///
/// # Errors
/// [`OpenError::Pad`] if the vector is longer than one keystream.
pub fn open(
    sum: MaskedSum,
    certificate: &Certificate,
    residue: &Residue,
    round: Digest,
) -> Result<Aggregate, OpenError> {
    open_with(sum, certificate, residue, round, &InTurn)
}

/// As [`open`], by these workers. The result does not depend on them.
///
/// # Errors
/// [`OpenError::Pad`] if the vector is longer than one keystream.
pub fn open_with(
    mut sum: MaskedSum,
    certificate: &Certificate,
    residue: &Residue,
    round: Digest,
    workers: &dyn Workers,
) -> Result<Aggregate, OpenError> {
    let own = residue.own.iter().map(|pad| (Sign::Minus, pad));
    // The survivor added the pad if its index is the lower one: take off what it did.
    let dangling = residue.dangling.iter().map(|(survivor, dropped, pad)| {
        (if survivor < dropped { Sign::Minus } else { Sign::Plus }, pad)
    });
    let pads: Vec<(Sign, &PadKey)> = own.chain(dangling).collect();
    apply_pads(&pads, &mut sum.words, workers)?;
    let sum = sum.words.iter().map(|word| word.cast_signed()).collect();
    Ok(Aggregate { sum, survivors: certificate.survivors.clone(), round })
}
