//! One entry of the ledger, as it stands on disk.
use crate::codec;
use crate::id::{Digest, PopulationId, StudyName};
use crate::privacy::plan::{Charges, Terms};
use crate::roster::Key;
use serde::{Deserialize, Serialize};

/// Why an entry was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// An answer was about to leave.
    Release,
    /// An answer had left, as this site's own signature shows, and its entry was lost with the database.
    Loss {
        /// Head of the chain that the answer stated.
        head: Digest,
    },
}

/// One charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the chain, from 1.
    pub sequence: u64,
    /// Digest of the entry before, zeros for the first.
    pub previous: Digest,
    /// Seconds since 1970, UTC.
    pub at_unix_s: i64,
    /// Why it was charged.
    pub cause: Cause,
    /// The round that was paid for.
    pub round: Digest,
    /// Key of the coordinator that asked.
    pub coordinator: Key,
    /// Whose data were asked: today all of a site's.
    pub population: PopulationId,
    /// Short name of the study.
    pub family: StudyName,
    /// Digest of the study.
    pub study: Digest,
    /// What the charges follow from.
    pub terms: Terms,
    /// What was charged.
    pub charges: Charges,
}

impl Entry {
    /// Digest of the entry: the head of the chain once it is the last.
    ///
    /// # Errors
    /// [`codec::CodecError`], which plain data does not give.
    pub fn digest(&self) -> Result<Digest, codec::CodecError> {
        Ok(codec::hash("tacit/v1/ledger", &[&codec::encode(self)?]))
    }
}

/// An answer that left and has no entry any more, as far as the answer itself shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Head of the chain that the answer stated.
    pub head: Digest,
    /// The round.
    pub round: Digest,
    /// Its counter.
    pub counter: u64,
    /// Key of the coordinator that asked.
    pub coordinator: Key,
    /// Short name of the study.
    pub family: StudyName,
    /// Digest of the study.
    pub study: Digest,
    /// What its cost follows from.
    pub terms: Terms,
}
