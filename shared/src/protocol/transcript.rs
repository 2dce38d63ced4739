//! What the coordinator keeps of a round, in order, for an auditor.
//!
//! Everything here went over the wire: signed messages and masked vectors. An entry is written before
//! it is acted on. With the roster and the study it lets anyone recompute the result bit for bit.
use crate::id::SiteIndex;
use serde::{Deserialize, Serialize};

/// Who sent an entry, or to whom it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Party {
    /// The coordinator, to every site still in the round.
    Coordinator,
    /// A site, to the coordinator.
    Site(SiteIndex),
}

/// One message as it passed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Who sent it.
    pub from: Party,
    /// What it is called.
    pub name: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({:?}, {}, {} bytes)", self.from, self.name, self.bytes.len())
    }
}
