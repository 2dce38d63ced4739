//! What passes between a site and the coordinator, byte for byte.
//!
//! A signature covers the payload as received; nothing is decoded before it verified. Sets are
//! bitmaps over the roster, lists ascend. The comments name the messages M0 to M10.
use super::config::RoundId;
use super::error::ProtocolError;
use super::set::Bitmap;
use crate::codec::{self, Bytes, CodecError};
use crate::id::{Digest, SiteIndex};
use crate::secagg::key::PublicKey;
use crate::secagg::key::identity::{IdentityKey, Signature, VerifyingKey};
use crate::secagg::open::Aggregate;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeSet;

/// A payload and its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The bytes that were signed.
    pub payload: Bytes,
    /// Ed25519 over label and payload.
    pub signature: Signature,
}

impl Signed {
    /// Signs a body.
    ///
    /// # Errors
    /// [`CodecError`] if the body is too long.
    pub fn of<T: Serialize>(
        key: &IdentityKey,
        label: &'static str,
        body: &T,
    ) -> Result<Self, CodecError> {
        let payload = codec::encode(body)?;
        let signature = key.sign(label, &payload);
        Ok(Self { payload: Bytes(payload), signature })
    }

    /// The body, once the signature verified; `None` if it does not, or if the body is none.
    pub fn body<T: Serialize + DeserializeOwned>(
        &self,
        key: &VerifyingKey,
        label: &'static str,
    ) -> Option<T> {
        key.verify(label, &self.payload.0, &self.signature).ok()?;
        codec::decode(&self.payload.0).ok()
    }
}

/// M1: a site's fresh keys. Signed "advertise".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advertise {
    /// The round.
    pub round_id: RoundId,
    /// Digest of its configuration.
    pub config: Digest,
    /// The site.
    pub index: SiteIndex,
    /// Its key for sealing shares.
    pub sealing: PublicKey,
    /// Its key for pair masks.
    pub masking: PublicKey,
    /// hb: what its self-mask secret is checked against when it is restored.
    pub commitment: Digest,
}

/// M3, signed part, "shares".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharesHeader {
    /// The round.
    pub round_id: RoundId,
    /// Digest of the key directory.
    pub u1: Digest,
    /// Who sealed.
    pub index: SiteIndex,
    /// Digest over what was sealed, in order.
    pub sealed: Digest,
}

/// Two shares sealed for one site, or from one site: 80 bytes.
pub type Sealed = (SiteIndex, Bytes);

/// M4: who shared, and what they sealed for the receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// U2.
    pub shared: Bitmap,
    /// From each member of U2 but the receiver, ascending.
    pub sealed: Vec<Sealed>,
}

/// M5, signed part, "masked", in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskedHeader {
    /// The round.
    pub round_id: RoundId,
    /// Digest of its configuration.
    pub config: Digest,
    /// Digest of the key directory.
    pub u1: Digest,
    /// U2.
    pub u2: Bitmap,
    /// The site.
    pub index: SiteIndex,
    /// SHA-256 of the masked vector.
    pub body: Digest,
    /// ic: commitment to the input.
    pub input: Digest,
    /// Head of the site's ledger once the release was paid.
    pub ledger_head: Digest,
}

/// M6, one member of U3: what its signed header says that the receiver cannot know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The site.
    pub index: SiteIndex,
    /// SHA-256 of its masked vector.
    pub body: Digest,
    /// Its commitment.
    pub input: Digest,
    /// Head of its ledger.
    pub ledger_head: Digest,
    /// Its signature on the header.
    pub signature: Signature,
}

/// M6: who survived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survivors {
    /// U3.
    pub survivors: Bitmap,
    /// Each member, ascending.
    pub members: Vec<Member>,
}

/// M7: what a vote signs, "survivors".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ballot {
    /// The round.
    pub round_id: RoundId,
    /// Digest of its configuration.
    pub config: Digest,
    /// Digest of the key directory.
    pub u1: Digest,
    /// U2.
    pub u2: Bitmap,
    /// U3.
    pub u3: Bitmap,
    /// Digest over the digests of all headers, ascending.
    pub headers: Digest,
}

/// M9: shares of self masks of survivors and of mask keys of the others. Signed "unmask".
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmask {
    /// The round.
    pub round_id: RoundId,
    /// Digest of the ballot that was certified.
    pub ballot: Digest,
    /// Who answers.
    pub index: SiteIndex,
    /// Shares of b for U3, ascending.
    pub own: Vec<(SiteIndex, [u8; 32])>,
    /// Shares of r for U2 \ U3, ascending.
    pub dropped: Vec<(SiteIndex, [u8; 32])>,
}

impl std::fmt::Debug for Unmask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unmask(site {}, {} + {} shares)", self.index, self.own.len(), self.dropped.len())
    }
}

/// M10: what was opened. Signed "result".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The round.
    pub round_id: RoundId,
    /// Digest of its configuration.
    pub config: Digest,
    /// U3.
    pub survivors: Bitmap,
    /// The noisy sum, in quanta.
    pub sum: Vec<i64>,
    /// Receipt: the ledger head each survivor stated, ascending.
    pub ledger_heads: Vec<(SiteIndex, Digest)>,
}

impl Outcome {
    /// A result that the coordinator signed, and the aggregate it vouches for.
    ///
    /// `None` if the signature does not verify or the survivors are no set of `sites` sites.
    pub fn verified(
        signed: &Signed,
        coordinator: &VerifyingKey,
        sites: usize,
    ) -> Option<(Self, Aggregate)> {
        let outcome = signed.body::<Self>(coordinator, "result")?;
        let survivors: BTreeSet<SiteIndex> = outcome.survivors.set(sites)?;
        let aggregate = Aggregate::published(outcome.sum.clone(), survivors, outcome.config);
        Some((outcome, aggregate))
    }

    /// Digest of the result, as a report quotes it.
    ///
    /// # Errors
    /// [`CodecError`] if the vector is too long.
    pub fn digest(&self) -> Result<Digest, CodecError> {
        Ok(codec::hash("tacit/v1/result", &[&codec::encode(self)?]))
    }
}

/// What the coordinator sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToSite {
    /// M0: the configuration, signed "announce".
    Announce(Signed),
    /// M2: every M1, ascending.
    Directory(Vec<Signed>),
    /// M4.
    Delivery(Delivery),
    /// M6.
    Survivors(Survivors),
    /// M8: votes, ascending.
    Certificate(Vec<(SiteIndex, Signature)>),
    /// M10, signed "result".
    Result(Signed),
    /// The round is over for this site without a result.
    Closed,
}

/// What a site sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToHost {
    /// M1.
    Advertise(Signed),
    /// M3: signed header, and what was sealed for each other site, ascending.
    Shares(Signed, Vec<Sealed>),
    /// M5: signed header, and the masked vector.
    Masked(Signed, Bytes),
    /// M7.
    Vote(Signature),
    /// M9.
    Unmask(Signed),
    /// The site takes no part, and what its operator may tell.
    Declined(String),
}

impl ToSite {
    /// What the message is called.
    pub fn name(&self) -> &'static str {
        match self {
            ToSite::Announce(_) => "announcement",
            ToSite::Directory(_) => "directory",
            ToSite::Delivery(_) => "delivery",
            ToSite::Survivors(_) => "survivors",
            ToSite::Certificate(_) => "certificate",
            ToSite::Result(_) => "result",
            ToSite::Closed => "end of the round",
        }
    }
}

impl ToHost {
    /// Which answer of a round it is, from 1; `None` for a refusal, which may come at any time.
    pub(crate) fn phase(&self) -> Option<u8> {
        match self {
            ToHost::Advertise(_) => Some(1),
            ToHost::Shares(..) => Some(2),
            ToHost::Masked(..) => Some(3),
            ToHost::Vote(_) => Some(4),
            ToHost::Unmask(_) => Some(5),
            ToHost::Declined(_) => None,
        }
    }

    /// What the message is called.
    pub fn name(&self) -> &'static str {
        match self {
            ToHost::Advertise(_) => "keys",
            ToHost::Shares(..) => "shares",
            ToHost::Masked(..) => "masked vector",
            ToHost::Vote(_) => "vote",
            ToHost::Unmask(_) => "unmasking shares",
            ToHost::Declined(_) => "refusal",
        }
    }
}

/// Longest message to a site: the directory grows with the sites, the result with the vector.
pub fn to_site_bytes_max(sites: usize, dimension: usize) -> u32 {
    bounded(sites.saturating_mul(360).saturating_add(dimension.saturating_mul(10)))
}

/// Longest message to the coordinator: sealed shares grow with the sites, the body with the vector.
pub fn to_host_bytes_max(sites: usize, dimension: usize) -> u32 {
    bounded(sites.saturating_mul(100).saturating_add(dimension.saturating_mul(8)))
}

fn bounded(variable: usize) -> u32 {
    u32::try_from(variable.saturating_add(4096).min(codec::BYTES_MAX)).unwrap_or(u32::MAX)
}

/// Digest over everything a site sealed in M3.
pub(crate) fn sealed_digest(sealed: &[Sealed]) -> Digest {
    let index: Vec<[u8; 2]> = sealed.iter().map(|(index, _)| index.to_bytes()).collect();
    let fields: Vec<&[u8]> = index
        .iter()
        .zip(sealed)
        .flat_map(|(index, (_, bytes))| [index.as_slice(), bytes.0.as_slice()])
        .collect();
    codec::hash("tacit/v1/sealed", &fields)
}

/// u1: digest of the whole signed directory, in order.
pub(crate) fn directory_digest(entries: &[Signed]) -> Digest {
    let fields: Vec<Vec<u8>> =
        entries.iter().map(|e| [e.payload.0.as_slice(), e.signature.as_bytes()].concat()).collect();
    let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
    codec::hash("tacit/v1/u1", &fields)
}

/// Digest over the digests of all headers.
pub(crate) fn headers_digest(headers: &[Vec<u8>]) -> Digest {
    let digests: Vec<Digest> = headers.iter().map(|h| codec::sha256(h)).collect();
    let fields: Vec<&[u8]> = digests.iter().map(|d| d.as_bytes().as_slice()).collect();
    codec::hash("tacit/v1/headers", &fields)
}

/// Reads a message of one direction.
pub(crate) fn read<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, ProtocolError> {
    Ok(codec::decode(bytes)?)
}
