//! What the coordinator keeps of a round, in order, for an auditor.
//!
//! Everything here went over the wire: signed messages and masked vectors. An entry is written before
//! it is acted on. With the roster and the study it lets anyone recompute the result bit for bit, which
//! is [`super::replay`]'s work. Deliveries (M4) are not kept: each goes to one site, and the result
//! does not depend on them.
//!
//! ```text
//! digest = H("tacit/v1/transcript", entry₁, …, entry_n)          what a report quotes
//! seal   = signature over Papers and digest, label "transcript"  what the coordinator answers for
//! ```
use crate::codec::{self, CodecError};
use crate::id::{Digest, SiteIndex};
use crate::secagg::key::identity::{IdentityKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::message::Signed;

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

/// What stands before the entries in an exported transcript: the two files that both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Papers {
    /// The study file.
    pub study: String,
    /// The roster file.
    pub roster: String,
    /// How many entries follow.
    pub entries: u32,
}

/// What the coordinator signs when it hands a transcript over: from then on it answers for each byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sealed {
    papers: Digest,
    entries: Digest,
}

impl Sealed {
    fn of(papers: &Papers, entries: &[Entry]) -> Result<Self, CodecError> {
        let papers = codec::hash("tacit/v1/papers", &[&codec::encode(papers)?]);
        Ok(Self { papers, entries: digest(entries)? })
    }
}

/// Digest over every entry, in order: what a report quotes.
///
/// # Errors
/// [`CodecError::TooLong`] for an entry that no round has.
pub fn digest(entries: &[Entry]) -> Result<Digest, CodecError> {
    let encoded: Result<Vec<Vec<u8>>, _> = entries.iter().map(codec::encode).collect();
    let encoded = encoded?;
    let fields: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
    Ok(codec::hash("tacit/v1/transcript", &fields))
}

/// The coordinator's seal on papers and entries.
///
/// # Errors
/// [`CodecError`], which plain data does not give.
pub fn seal(key: &IdentityKey, papers: &Papers, entries: &[Entry]) -> Result<Signed, CodecError> {
    Signed::of(key, "transcript", &Sealed::of(papers, entries)?)
}

/// Whether a seal is this coordinator's over exactly these papers and entries.
pub fn seal_holds(
    seal: &Signed,
    coordinator: &VerifyingKey,
    papers: &Papers,
    entries: &[Entry],
) -> bool {
    let sealed = seal.body::<Sealed>(coordinator, "transcript");
    sealed.is_some() && sealed == Sealed::of(papers, entries).ok()
}
