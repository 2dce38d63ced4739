//! The one way from an exact sum to a noisy one.
//!
//! [`release`] takes the sum, the proof of payment and the noise by value: none of them serves
//! twice. The noise is drawn before the data are touched ([`Noise::draw`]), so how long drawing took
//! says nothing about when or what is sent.
//!
//! ```
//! # use tacit_shared::{privacy::{ledger::Charge, release::{Noise, release}}, summary::sum::SiteSum};
//! fn once(sum: SiteSum, paid: Charge, noise: Noise) {
//!     let _ = release(sum, paid, noise, [0; 32]);
//! }
//! ```
//! Without a charge, or without noise, there is no release:
//!
//! ```compile_fail,E0061
//! # use tacit_shared::{privacy::{ledger::Charge, release::{Noise, release}}, summary::sum::SiteSum};
//! fn unpaid(sum: SiteSum, noise: Noise) {
//!     let _ = release(sum, noise, [0; 32]);
//! }
//! ```
//! ```compile_fail,E0061
//! # use tacit_shared::{privacy::{ledger::Charge, release::{Noise, release}}, summary::sum::SiteSum};
//! fn exact(sum: SiteSum, paid: Charge) {
//!     let _ = release(sum, paid, [0; 32]);
//! }
//! ```
//! Neither the sum, nor the charge, nor the noise serves twice:
//!
//! ```compile_fail,E0382
//! # use tacit_shared::{privacy::{ledger::Charge, release::{Noise, release}}, summary::sum::SiteSum};
//! fn same_sum(sum: SiteSum, paid: (Charge, Charge), noise: (Noise, Noise)) {
//!     let _ = release(sum, paid.0, noise.0, [0; 32]);
//!     let _ = release(sum, paid.1, noise.1, [0; 32]);
//! }
//! ```
//! ```compile_fail,E0382
//! # use tacit_shared::{privacy::{ledger::Charge, release::{Noise, release}}, summary::sum::SiteSum};
//! fn same_charge(sum: (SiteSum, SiteSum), paid: Charge, noise: (Noise, Noise)) {
//!     let _ = release(sum.0, paid, noise.0, [0; 32]);
//!     let _ = release(sum.1, paid, noise.1, [0; 32]);
//! }
//! ```
//! ```compile_fail,E0382
//! # use tacit_shared::{privacy::{ledger::Charge, release::{Noise, release}}, summary::sum::SiteSum};
//! fn same_noise(sum: (SiteSum, SiteSum), paid: (Charge, Charge), noise: Noise) {
//!     let _ = release(sum.0, paid.0, noise, [0; 32]);
//!     let _ = release(sum.1, paid.1, noise, [0; 32]);
//! }
//! ```
//! ```
//! # use tacit_shared::{privacy::{ledger::Charge, release::{Noise, release}}, summary::sum::SiteSum};
//! fn two_of_each(sum: (SiteSum, SiteSum), paid: (Charge, Charge), noise: (Noise, Noise)) {
//!     let _ = release(sum.0, paid.0, noise.0, [0; 32]);
//!     let _ = release(sum.1, paid.1, noise.1, [0; 32]);
//! }
//! ```
//! A charge is what a ledger gave, and is not copied:
//!
//! ```compile_fail,E0451
//! # use tacit_shared::{id::Digest, privacy::{ledger::Charge, plan::Charges}};
//! fn forged(round: Digest, charges: Charges) -> Charge {
//!     Charge { round, charges, head: round }
//! }
//! ```
//! ```compile_fail,E0382
//! # use tacit_shared::privacy::ledger::Charge;
//! fn copied(paid: Charge) -> (Charge, Charge) {
//!     (paid, paid)
//! }
//! ```
use super::ledger::Charge;
use super::plan::{Charges, Plan};
use super::sampler::{DiscreteGaussian, SamplerError};
use crate::codec;
use crate::id::Digest;
use crate::summary::sum::SiteSum;
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// Why nothing was released. Sum, charge and noise are gone: a new attempt needs a new round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// The charge or the noise is another round's.
    #[error("the {what} belongs to round {}, not to {}", found.short(), expected.short())]
    Round {
        /// Charge or noise.
        what: &'static str,
        /// The round of it.
        found: Digest,
        /// The round of the noise.
        expected: Digest,
    },
    /// The charge is not what the noise costs.
    #[error("the charge is not the one of the plan that the noise was drawn for")]
    Charges,
    /// The sum has more rows than the plan's bounds were computed for.
    #[error("a sum of {found} rows; the plan admits {expected}")]
    Rows {
        /// The sum's.
        found: u32,
        /// The plan's.
        expected: u32,
    },
    /// The sum has another length than the noise.
    #[error("a sum of {found} numbers; the plan has {expected}")]
    Dimension {
        /// The sum's.
        found: usize,
        /// The plan's.
        expected: usize,
    },
}

/// One site's share of the noise of one round, drawn and not yet used.
#[must_use = "noise that is not released was drawn for nothing"]
pub struct Noise {
    values: Vec<i64>,
    seed: Zeroizing<[u8; 32]>,
    round: Digest,
    charges: Charges,
    rows_max: u32,
}

impl Noise {
    /// Draws the site's share for a round from 32 bytes of the system's randomness.
    ///
    /// # Errors
    /// [`SamplerError`], with a probability below 2⁻³⁰⁰.
    pub fn draw(plan: &Plan, round: Digest, seed: [u8; 32]) -> Result<Self, SamplerError> {
        let mut values = vec![0; plan.layout().dimension()];
        let seed = Zeroizing::new(seed);
        DiscreteGaussian::new(plan.noise().site_scale())?.fill(&seed, &mut values)?;
        Ok(Self { values, seed, round, charges: plan.charges(), rows_max: plan.rows_max() })
    }
}

impl Drop for Noise {
    fn drop(&mut self) {
        self.values.zeroize();
    }
}

impl fmt::Debug for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Noise({} numbers)", self.values.len())
    }
}

/// A sum under exact noise for the cost paid. Its only way on is a mask.
#[must_use = "a release that is not masked and sent was paid for nothing"]
pub struct Noised {
    words: Vec<u64>,
    commitment: Digest,
    head: Digest,
}

impl Noised {
    /// ic: what the site commits to, so that it can open its input to an auditor later.
    pub fn commitment(&self) -> Digest {
        self.commitment
    }

    /// Head of the ledger once the release was paid.
    pub fn ledger_head(&self) -> Digest {
        self.head
    }

    /// The words, for the mask that consumes the release.
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }
}

impl Drop for Noised {
    fn drop(&mut self) {
        self.words.zeroize();
    }
}

impl fmt::Debug for Noised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Noised({} numbers)", self.words.len())
    }
}

/// What opens a commitment: salt, exact sum and noise seed. Stays at the hospital, for audits.
pub struct Opening {
    salt: [u8; 32],
    sum: Zeroizing<Vec<u8>>,
    seed: Zeroizing<[u8; 32]>,
}

impl Opening {
    /// Salt, noise seed and exact sum, one after the other, for the hospital's own evidence store.
    pub fn for_the_hospitals_own_evidence(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.sum.len().saturating_add(64)));
        bytes.extend_from_slice(&self.salt);
        bytes.extend_from_slice(self.seed.as_slice());
        bytes.extend_from_slice(&self.sum);
        bytes
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opening({} bytes)", self.sum.len())
    }
}

/// Adds the noise that was paid for. The exact sum is gone afterwards, but for the opening.
///
/// # Errors
/// [`ReleaseError`] if sum, charge and noise are not of one round and one plan.
#[expect(clippy::needless_pass_by_value, reason = "all three are used up: that is the point")]
pub fn release(
    sum: SiteSum,
    paid: Charge,
    noise: Noise,
    salt: [u8; 32],
) -> Result<(Noised, Opening), ReleaseError> {
    if paid.round() != noise.round {
        let (found, expected) = (paid.round(), noise.round);
        return Err(ReleaseError::Round { what: "charge", found, expected });
    }
    if paid.charges() != noise.charges {
        return Err(ReleaseError::Charges);
    }
    if sum.rows() > noise.rows_max {
        let (found, expected) = (sum.rows(), noise.rows_max);
        return Err(ReleaseError::Rows { found, expected });
    }
    if sum.dimension() != noise.values.len() {
        let (found, expected) = (sum.dimension(), noise.values.len());
        return Err(ReleaseError::Dimension { found, expected });
    }
    // The capacity is exact: a vector that grew would leave an unwiped copy of the sum behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(sum.dimension().saturating_mul(8)));
    sum.numbers().iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes()));
    let opening = Opening { salt, sum: bytes, seed: noise.seed.clone() };
    let fields: [&[u8]; 3] = [&opening.salt, &opening.sum, opening.seed.as_slice()];
    let commitment = codec::hash("tacit/v1/input", &fields);
    let add = |(x, z): (&i64, &i64)| x.wrapping_add(*z).cast_unsigned();
    let words = sum.numbers().iter().zip(&noise.values).map(add).collect();
    Ok((Noised { words, commitment, head: paid.head() }, opening))
}
