//! Why a machine refuses, and whose fault it is.
use crate::codec::CodecError;
use crate::id::{Digest, SiteIndex};
use crate::privacy::release::ReleaseError;
use crate::privacy::sampler::SamplerError;
use crate::secagg::key::KeyError;
use crate::secagg::key::seal::SealError;
use crate::secagg::open::OpenError;
use crate::secagg::pad::PadError;
use crate::secagg::share::ShareError;

/// Who is to blame for a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// The coordinator sent something the protocol does not allow.
    Coordinator,
    /// A site did.
    Site(SiteIndex),
    /// Nobody misbehaved: time ran out, or this side cannot go on.
    Nobody,
}

/// Why a machine refused. Its secrets of the round are gone.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// The bytes are no message of this direction.
    #[error("a message that does not decode: {0}")]
    Codec(#[from] CodecError),
    /// A message longer than any of this round can be; it was not read.
    #[error("a message of {found} bytes; one of this round has at most {limit}")]
    TooLong {
        /// Its bytes.
        found: usize,
        /// The most there can be.
        limit: u32,
    },
    /// A message of another phase.
    #[error("{found} came while {expected} was due")]
    Unexpected {
        /// What came.
        found: &'static str,
        /// What was due.
        expected: &'static str,
    },
    /// The coordinator's signature does not verify.
    #[error("the coordinator's signature on the {what} does not verify")]
    CoordinatorSignature {
        /// Which message.
        what: &'static str,
    },
    /// The announced round differs from what this site computed from what it approved.
    #[error("the round announces another {field}: {found}; this site approved {expected}")]
    Plan {
        /// The field.
        field: &'static str,
        /// What was announced.
        found: String,
        /// What the site computed.
        expected: String,
    },
    /// The site's own policy asks for more than the study gives.
    #[error("this site's policy asks for {field} of {expected} or more; the study has {found}")]
    Policy {
        /// What the policy bounds.
        field: &'static str,
        /// What the study has.
        found: String,
        /// What the policy asks for.
        expected: String,
    },
    /// The round is not newer than the last one seen: a replay.
    #[error("round {found} is not newer than round {last}, the last one seen")]
    Replay {
        /// The counter announced.
        found: u64,
        /// The last counter.
        last: u64,
    },
    /// A set of sites is too small, lacks this site, or is not within the set before.
    #[error("the {what} {problem}")]
    Set {
        /// Directory, delivery or survivors.
        what: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An entry of the directory is not what its site signed, or not for this round.
    #[error("the directory's entry of site {index} {problem}")]
    Directory {
        /// Whose entry.
        index: SiteIndex,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two entries of the directory have a key in common.
    #[error("the directory lists a public key twice")]
    KeyTwice,
    /// What a site sealed for this one does not open.
    #[error("the shares of site {index} do not open: {source}")]
    Sealed {
        /// Who sealed them.
        index: SiteIndex,
        /// Why they do not open.
        source: SealError,
    },
    /// A member's header, rebuilt from what this site saw, is not what the member signed.
    #[error("site {index} signed another header than this site rebuilds")]
    Header {
        /// Whose header.
        index: SiteIndex,
    },
    /// What the coordinator says this site sent is not what it sent.
    #[error("the coordinator changed this site's own {what}")]
    Own {
        /// Entry or header.
        what: &'static str,
    },
    /// Answering would let two rounds be subtracted from each other.
    #[error(
        "these survivors differ from an earlier round's by {found} sites; {expected} or none are allowed"
    )]
    Differencing {
        /// How many sites differ.
        found: usize,
        /// The gap.
        expected: usize,
    },
    /// Too many different sets of survivors over the same data.
    #[error("{found} different sets of survivors were answered over these data; no further one is")]
    Sets {
        /// How many.
        found: usize,
    },
    /// The votes do not certify, or the sum does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Too few sites answered in time.
    #[error("{found} sites gave their {what} in time; {expected} are needed")]
    TooFew {
        /// Which answer.
        what: &'static str,
        /// How many came.
        found: usize,
        /// How many are needed.
        expected: usize,
    },
    /// The shares given do not restore a secret that was committed to.
    #[error("the shares of site {index} do not restore what it committed to")]
    Restore {
        /// Whose secret.
        index: SiteIndex,
    },
    /// The coordinator fell silent.
    #[error("no {expected} came in time")]
    Silence {
        /// What was due.
        expected: &'static str,
    },
    /// The coordinator ended the round without a result.
    #[error("the coordinator ended the round while {expected} was due")]
    Closed {
        /// What was due.
        expected: &'static str,
    },
    /// The result is not that of this round, or not of these survivors.
    #[error("the result {problem}")]
    Result {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Sum, charge and noise are not of one round.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The noise could not be drawn.
    #[error(transparent)]
    Sampler(#[from] SamplerError),
    /// A key could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Shares could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A secret could not be shared.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// A mask could not be made.
    #[error(transparent)]
    Pad(#[from] PadError),
    /// The charge is another round's.
    #[error("paid for round {}, not for {}", found.short(), expected.short())]
    Charge {
        /// The round paid for.
        found: Digest,
        /// This round.
        expected: Digest,
    },
}

impl ProtocolError {
    /// The refusal in a few words that tell nothing of this side's settings, history or data: what a site
    /// says to the coordinator.
    pub fn word(&self) -> &'static str {
        match self {
            ProtocolError::Codec(_) | ProtocolError::TooLong { .. } => "a message is none",
            ProtocolError::Unexpected { .. } => "a message of another phase came",
            ProtocolError::CoordinatorSignature { .. } => "a signature does not verify",
            ProtocolError::Plan { .. } => "the round is not the one this site approved",
            ProtocolError::Policy { .. } => "the study gives less than this site asks for",
            ProtocolError::Replay { .. } => "the round is not new",
            ProtocolError::Set { .. } => "a set of sites is not as it must be",
            ProtocolError::Directory { .. } | ProtocolError::KeyTwice => {
                "the directory is not as it must be"
            }
            ProtocolError::Sealed { .. } => "sealed shares do not open",
            ProtocolError::Header { .. } | ProtocolError::Own { .. } => {
                "a header is not what was signed"
            }
            ProtocolError::Differencing { .. } | ProtocolError::Sets { .. } => {
                "these survivors are not answered after earlier ones"
            }
            ProtocolError::Open(_) => "the votes do not certify",
            ProtocolError::Silence { .. } | ProtocolError::Closed { .. } => {
                "the round took too long"
            }
            ProtocolError::Result { .. } => "the result is not that of the round",
            ProtocolError::TooFew { .. }
            | ProtocolError::Restore { .. }
            | ProtocolError::Release(_)
            | ProtocolError::Sampler(_)
            | ProtocolError::Key(_)
            | ProtocolError::Seal(_)
            | ProtocolError::Share(_)
            | ProtocolError::Pad(_)
            | ProtocolError::Charge { .. } => "this site cannot go on",
        }
    }

    /// Whose fault it is, as seen by a site.
    ///
    /// Shares that do not open are put down to the site that sealed them, as an honest coordinator
    /// passes on what was signed; one that altered them on the way looks the same from here.
    pub fn culprit(&self) -> Culprit {
        match self {
            ProtocolError::Sealed { index, .. } | ProtocolError::Restore { index } => {
                Culprit::Site(*index)
            }
            ProtocolError::Codec(_)
            | ProtocolError::TooLong { .. }
            | ProtocolError::Unexpected { .. }
            | ProtocolError::CoordinatorSignature { .. }
            | ProtocolError::Plan { .. }
            | ProtocolError::Replay { .. }
            | ProtocolError::Set { .. }
            | ProtocolError::Directory { .. }
            | ProtocolError::KeyTwice
            | ProtocolError::Header { .. }
            | ProtocolError::Own { .. }
            | ProtocolError::Open(_)
            | ProtocolError::Result { .. } => Culprit::Coordinator,
            ProtocolError::Policy { .. }
            | ProtocolError::Differencing { .. }
            | ProtocolError::Sets { .. }
            | ProtocolError::TooFew { .. }
            | ProtocolError::Silence { .. }
            | ProtocolError::Closed { .. }
            | ProtocolError::Release(_)
            | ProtocolError::Sampler(_)
            | ProtocolError::Key(_)
            | ProtocolError::Seal(_)
            | ProtocolError::Share(_)
            | ProtocolError::Pad(_)
            | ProtocolError::Charge { .. } => Culprit::Nobody,
        }
    }
}
