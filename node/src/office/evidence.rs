//! What a site can show for itself, and what anyone can make of it offline.
//!
//! ```text
//! ledger     each entry holds the digest of the one before; the last digest is the head
//! charge     = what the study costs under a roster the site pinned, recomputed
//! receipt    M10, signed by the coordinator: names the site's head once the round was charged
//! decision   signed by the officer; each charge has an approval that stood when it was made
//! profile    in force at each release and charge, recomputed from the documents, the words that two people signed, and
//!            the order in which keys were pinned
//! ```
//! A receipt whose head is not in the chain means that the ledger was set back, or that somebody answered
//! outside of it. Nothing here derives from a person: rosters, studies, digests, costs, and the published
//! sums. Openings (exact sums) are not part of it. Reading the store is the work of the command,
//! holding it against itself that of [`check`].
mod check;
mod profiles;

use crate::office::profile::Pins;
use serde::{Deserialize, Serialize};
use tacit_shared::codec::{self, Bytes};
use tacit_shared::id::{Digest, SiteId, to_hex};
use tacit_shared::protocol::message::Signed;
use tacit_shared::protocol::receipt::Receipt;
use tacit_shared::roster::Key;
use tacit_shared::secagg::key::identity::Signature;

pub use check::{Proved, Spent, check};

/// The version of the file format this program reads and writes.
pub const FORMAT: u32 = 2;
/// The label of the site's signature.
pub const LABEL: &str = "evidence";

/// Bytes as hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hex(pub Vec<u8>);

/// What one kind of person may lose over everything.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// ε.
    pub epsilon: f64,
    /// δ.
    pub delta: f64,
}

/// What both kinds of person may lose under one limit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// What a clinician may lose.
    pub clinician: Account,
    /// What a patient may lose.
    pub patient: Account,
}

/// A signed record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What was signed.
    pub payload: Hex,
    /// 64 bytes.
    pub signature: Hex,
}

/// An officer's key and what was decided with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Officer {
    /// The public key that was pinned.
    pub key: Key,
    /// When, seconds since 1970 by the clock of then.
    pub pinned_unix_s: i64,
    /// The decisions, oldest first.
    pub decisions: Vec<Record>,
}

/// A key of the staff representative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The public key that was pinned.
    pub key: Key,
    /// When, seconds since 1970 by the clock of then.
    pub pinned_unix_s: i64,
}

/// What somebody said of a profile's document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// How many keys had been pinned then.
    pub pins: Pins,
    /// The signed word.
    pub word: Record,
}

/// A release that was cut: for what, for whom, and under which profile. It stands before its charge; one without a
/// charge was tried only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The round.
    pub round: String,
    /// Seconds since 1970.
    pub at_unix_s: i64,
    /// Digest of the study.
    pub study: String,
    /// Its purpose.
    pub purpose: String,
    /// Its recipients, with the class of each.
    pub recipients: String,
    /// Digest of the profile that was in force.
    pub profile: String,
    /// What the officer said of small cells.
    pub small_cells: String,
    /// How many words on profiles had been said then.
    pub words: u32,
    /// How many keys had been pinned.
    pub pins: Pins,
}

/// Under which profiles the site released.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profiles {
    /// Every key of the staff representative that was pinned, in that order.
    pub representatives: Vec<Pin>,
    /// Every document of which something was said, as its exact text.
    pub documents: Vec<String>,
    /// Every word, oldest first.
    pub words: Vec<Said>,
    /// Every release, oldest first.
    pub releases: Vec<Release>,
}

/// Everything a site can show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// [`FORMAT`].
    pub format: u32,
    /// The site.
    pub site: SiteId,
    /// What the site allows over everything.
    pub budget: Accounts,
    /// What it allows for one study, if it says so.
    pub budget_study: Option<Accounts>,
    /// What it allows in one year, if it says so.
    pub budget_year: Option<Accounts>,
    /// Rosters that were pinned, oldest first.
    pub rosters: Vec<String>,
    /// Studies that were decided on.
    pub studies: Vec<String>,
    /// Officers, in the order in which their keys were pinned.
    pub officers: Vec<Officer>,
    /// The profiles.
    pub profiles: Profiles,
    /// The ledger's entries, as they were hashed.
    pub ledger: Vec<Hex>,
    /// Results, as the coordinator signed them: payload and signature.
    pub results: Vec<Record>,
    /// Answers of this site that its ledger did not know when the coordinator showed them.
    pub receipts: Vec<Shown>,
}

/// An answer of this site, as a coordinator showed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// The configuration of the round.
    pub config: Hex,
    /// The header of the answer, signed by this site.
    pub header: Record,
}

/// The file: evidence, and the site's signature over [`Evidence::digest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// What is shown.
    pub evidence: Evidence,
    /// 64 bytes.
    pub signature: Hex,
}

impl TryFrom<String> for Hex {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
        let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        bytes.filter(|_| rest.is_empty()).map(Self).ok_or("expected pairs of hexadecimal digits")
    }
}

impl From<Hex> for String {
    fn from(hex: Hex) -> String {
        to_hex(&hex.0)
    }
}

impl std::fmt::Debug for Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hex({} bytes)", self.0.len())
    }
}

impl From<&Signed> for Record {
    fn from(signed: &Signed) -> Self {
        let signature = Hex(signed.signature.as_bytes().to_vec());
        Self { payload: Hex(signed.payload.0.clone()), signature }
    }
}

impl From<&Receipt> for Shown {
    fn from(receipt: &Receipt) -> Self {
        Self { config: Hex(receipt.config.0.clone()), header: Record::from(&receipt.header) }
    }
}

impl Shown {
    fn receipt(&self) -> Option<Receipt> {
        Some(Receipt { config: Bytes(self.config.0.clone()), header: self.header.signed()? })
    }
}

impl Evidence {
    /// `H("tacit/v1/evidence", JSON without spaces, in the order of the fields)`; `None` for numbers that JSON
    /// does not have.
    pub fn digest(&self) -> Option<Digest> {
        let bytes = serde_json::to_vec(self).ok()?;
        Some(codec::hash("tacit/v1/evidence", &[&bytes]))
    }
}

impl Record {
    fn signed(&self) -> Option<Signed> {
        let signature = signature(&self.signature)?;
        Some(Signed { payload: Bytes(self.payload.0.clone()), signature })
    }
}

fn signature(hex: &Hex) -> Option<Signature> {
    <[u8; 64]>::try_from(hex.0.as_slice()).ok().map(Signature::from_bytes)
}
