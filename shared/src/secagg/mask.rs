//! Hides a noisy release: the only patient-derived value with a wire form.
//!
//! ```text
//! y_j = X_j + Z_j + PRG(self_j) + Σ_{k>j} PRG(pair_jk) − Σ_{k<j} PRG(pair_kj)      mod 2^64
//! ```
//! To whoever lacks the seeds, y is uniform. Pair masks cancel in the sum; a self mask goes once
//! enough sites give their shares of its seed ([`super::open`]).
//!
//! ```
//! # use tacit_shared::{codec, privacy::release::Noised, secagg::{mask::{MaskSeeds, mask}, pad::PadError}};
//! fn masked(noised: Noised, seeds: MaskSeeds) -> Result<(), PadError> {
//!     let masked = mask(noised, seeds)?;
//!     let _ = codec::encode(masked.body());
//!     Ok(())
//! }
//! ```
//! A sum is not a release, and a release is masked once:
//!
//! ```compile_fail,E0308
//! # use tacit_shared::{secagg::mask::{MaskSeeds, mask}, summary::sum::SiteSum};
//! fn without_noise(sum: SiteSum, seeds: MaskSeeds) {
//!     let _ = mask(sum, seeds);
//! }
//! ```
//! ```compile_fail,E0382
//! # use tacit_shared::{privacy::release::Noised, secagg::mask::{MaskSeeds, mask}};
//! fn twice(noised: Noised, seeds: (MaskSeeds, MaskSeeds)) {
//!     let _ = mask(noised, seeds.0);
//!     let _ = mask(noised, seeds.1); // the difference would be the masks'
//! }
//! ```
//! Nothing before the mask has a wire form:
//!
//! ```compile_fail,E0277
//! # use tacit_shared::{codec, privacy::release::Noised};
//! fn noised(noised: &Noised) {
//!     let _ = codec::encode(noised);
//! }
//! ```
//! ```compile_fail,E0277
//! # use tacit_shared::{codec, privacy::release::Opening};
//! fn opening(opening: &Opening) {
//!     let _ = codec::encode(opening);
//! }
//! ```
//! ```compile_fail,E0277
//! # use tacit_shared::{codec, summary::sum::SiteSum};
//! fn sum(sum: &SiteSum) {
//!     let _ = codec::encode(sum);
//! }
//! ```
//! ```compile_fail,E0277
//! # use tacit_shared::{codec, summary::contribution::Contribution};
//! fn contribution(contribution: &Contribution) {
//!     let _ = codec::encode(contribution);
//! }
//! ```
//! ```compile_fail,E0277
//! # use tacit_shared::{codec, summary::feature::FeatureRow};
//! fn row(row: &FeatureRow) {
//!     let _ = codec::encode(row);
//! }
//! ```
//! ```compile_fail,E0277
//! # use tacit_shared::{codec, summary::feature::Measured};
//! fn measured(measured: &Measured) {
//!     let _ = codec::encode(measured);
//! }
//! ```
use super::pad::{PadError, PadKey, add_pad, sub_pad};
use crate::codec::{self, Bytes};
use crate::id::{Digest, SiteIndex};
use crate::privacy::release::Noised;
use std::fmt;
use zeroize::Zeroizing;

/// The seeds of one site's masks in one round.
#[derive(Debug)]
pub struct MaskSeeds {
    /// The mask that the site alone knows for now.
    pub own: PadKey,
    /// The masks it has in common with each other site.
    pub pairs: Vec<(SiteIndex, PadKey)>,
    /// The site itself.
    pub index: SiteIndex,
}

/// A masked release, ready for the wire: 8 bytes a number, little endian.
#[must_use = "a masked release that is not sent was paid for nothing"]
pub struct Masked {
    body: Bytes,
    digest: Digest,
    commitment: Digest,
    head: Digest,
}

impl Masked {
    /// The bytes to send.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// SHA-256 of the bytes, as the signed header names them.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// ic of the input.
    pub fn commitment(&self) -> Digest {
        self.commitment
    }

    /// Head of the ledger once the release was paid.
    pub fn ledger_head(&self) -> Digest {
        self.head
    }
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masked({} bytes)", self.body.0.len())
    }
}

/// Masks a release; release and seeds are used up.
///
/// # Errors
/// [`PadError`] if the vector is longer than one keystream.
#[expect(clippy::needless_pass_by_value, reason = "a second mask of one release would leak it")]
pub fn mask(noised: Noised, seeds: MaskSeeds) -> Result<Masked, PadError> {
    let mut words = Zeroizing::new(noised.words().to_vec());
    add_pad(&seeds.own, &mut words)?;
    for (peer, pad) in &seeds.pairs {
        if *peer > seeds.index {
            add_pad(pad, &mut words)?;
        } else {
            sub_pad(pad, &mut words)?;
        }
    }
    let body = Bytes(words.iter().flat_map(|word| word.to_le_bytes()).collect());
    let digest = codec::sha256(&body.0);
    Ok(Masked { body, digest, commitment: noised.commitment(), head: noised.ledger_head() })
}
