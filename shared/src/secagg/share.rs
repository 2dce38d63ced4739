//! Splits a secret among the sites so that any `T` of them restore it and fewer learn nothing.
//!
//! ```text
//! f(x) = s + a₁x + … + a_{T−1}x^{T−1}   over Z/ℓ, ℓ = 2²⁵² + 277…493      share of site j: f(j), j ≥ 1
//! s = Σ_j λ_j f(j),   λ_j = Π_{k≠j} k / (k − j)                           Shamir 1979
//! ```
//! Every coefficient a₁ … a_{T−1} is uniform, the leading one included: leaving out zero there, as one published
//! library did (RUSTSEC-2024-0398), tells T − 1 holders what the secret is not. Secrets and shares meet only
//! constant-time scalar arithmetic; site indices are public and may branch. Which `T` holds, and the check that a
//! restored secret is the one committed to, are the protocol's ([`super::open`]).

use std::fmt;

use curve25519_dalek::Scalar;
use rand::CryptoRng;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Why a secret was not split, or shares not put together. Nothing was made.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ShareError {
    /// The 32 bytes are ℓ or more: another encoding of a scalar that has its own.
    #[error("the scalar is not in canonical form (32 bytes, little endian, below the group order)")]
    NotCanonical,
    /// A share at x = 0 is the secret itself.
    #[error("site index 0 holds no share: indices start at 1")]
    IndexZero,
    /// Two points with the same x do not determine a line.
    #[error("site index {index} appears twice")]
    DuplicateIndex {
        /// The index that repeats.
        index: u16,
    },
    /// A threshold of 0 or 1 would hand the secret to every holder.
    #[error("a threshold of {got} protects nothing: at least 2 is needed")]
    ThresholdTooLow {
        /// The threshold asked for.
        got: usize,
    },
    /// Fewer holders than the threshold could never restore the secret.
    #[error("{expected} holders are needed, {got} were given")]
    TooFewHolders {
        /// The least that is needed.
        expected: usize,
        /// How many were given.
        got: usize,
    },
    /// The shares are not those of the set the coefficients were made for.
    #[error("expected {expected} shares, one for each answering site, got {got}")]
    WrongCount {
        /// Sites the coefficients were made for.
        expected: usize,
        /// Shares given.
        got: usize,
    },
    /// A share stands where another site's belongs.
    #[error("expected the share held by site {expected}, got that of site {got}")]
    WrongHolder {
        /// The site whose share belongs here.
        expected: u16,
        /// The site whose share was given.
        got: u16,
    },
}

/// A secret number modulo ℓ: what is shared, or a value of its polynomial. Wiped when dropped; prints no digit.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretScalar(Scalar);

impl SecretScalar {
    /// A uniform scalar, from 64 bytes of `rng` reduced modulo ℓ (bias below 2⁻²⁵⁰).
    pub fn draw<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut wide = Zeroizing::new([0_u8; 64]);
        rng.fill_bytes(wide.as_mut_slice());
        Self(Scalar::from_bytes_mod_order_wide(&wide))
    }

    /// The scalar with this canonical encoding: 32 bytes, little endian, below ℓ.
    ///
    /// # Errors
    /// [`ShareError::NotCanonical`] if the bytes stand for ℓ or more.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, ShareError> {
        Option::from(Scalar::from_canonical_bytes(*bytes)).map(Self).ok_or(ShareError::NotCanonical)
    }

    /// The canonical encoding, LE(s): 32 bytes, little endian. The copy wipes itself too.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }
}

impl fmt::Debug for SecretScalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretScalar(32 bytes)")
    }
}

/// The value at x = `holder` of one secret's polynomial. Wiped when dropped; prints its holder only.
pub struct Share {
    holder: u16,
    value: SecretScalar,
}

impl Share {
    /// The share that site `holder` received as these 32 bytes.
    ///
    /// # Errors
    /// [`ShareError::IndexZero`], or [`ShareError::NotCanonical`] if the bytes stand for ℓ or more.
    pub fn from_bytes(holder: u16, bytes: &[u8; 32]) -> Result<Self, ShareError> {
        if holder == 0 {
            return Err(ShareError::IndexZero);
        }
        SecretScalar::from_bytes(bytes).map(|value| Self { holder, value })
    }

    /// The site that holds it: its x, from 1.
    pub fn holder(&self) -> u16 {
        self.holder
    }

    /// The value, canonical: 32 bytes, little endian. The copy wipes itself too.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.value.to_bytes()
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share(of site {}, 32 bytes)", self.holder)
    }
}

/// Splits `secret` so that any `threshold` of the sites in `holders` restore it; one share each, in their order.
///
/// Work: holders × threshold multiplications modulo ℓ. `rng` gives 64 bytes for each of threshold − 1 coefficients.
///
/// # Errors
/// [`ShareError::ThresholdTooLow`], [`ShareError::TooFewHolders`], [`ShareError::IndexZero`] or
/// [`ShareError::DuplicateIndex`]; `rng` is untouched then.
pub fn split<R: CryptoRng + ?Sized>(
    secret: &SecretScalar,
    threshold: usize,
    holders: &[u16],
    rng: &mut R,
) -> Result<Vec<Share>, ShareError> {
    if threshold < 2 {
        return Err(ShareError::ThresholdTooLow { got: threshold });
    }
    if holders.len() < threshold {
        return Err(ShareError::TooFewHolders { expected: threshold, got: holders.len() });
    }
    check_indices(holders)?;
    // Highest power first, as Horner's rule reads them. The capacity is exact: a vector that grew would leave an
    // unwiped copy behind.
    let mut polynomial = Zeroizing::new(Vec::with_capacity(threshold));
    polynomial.extend((1..threshold).map(|_| SecretScalar::draw(rng).0));
    polynomial.push(secret.0);
    Ok(holders
        .iter()
        .map(|&holder| Share { holder, value: evaluate(&polynomial, holder) })
        .collect())
}

/// The weights λ that restore any secret from one set of answering sites. Made once per set, used for each secret.
#[derive(Clone, Debug)]
pub struct Lagrange {
    weights: Vec<(u16, Scalar)>,
}

impl Lagrange {
    /// The weights at x = 0 of the sites in `answering`, which number at least the threshold of the sharing; fewer
    /// give a number that has nothing to do with the secret. The indices are public.
    ///
    /// # Errors
    /// [`ShareError::TooFewHolders`] for an empty set, [`ShareError::IndexZero`], [`ShareError::DuplicateIndex`].
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a field: no scalar product or difference overflows"
    )]
    pub fn at_zero(answering: &[u16]) -> Result<Self, ShareError> {
        if answering.is_empty() {
            return Err(ShareError::TooFewHolders { expected: 1, got: 0 });
        }
        check_indices(answering)?;
        let points: Vec<Scalar> = answering.iter().copied().map(Scalar::from).collect();
        let all: Scalar = points.iter().product();
        // λ_j = Π_k k / (j · Π_{k≠j} (k − j)). No factor below is zero: indices are distinct, not 0, and below ℓ.
        let mut weights: Vec<Scalar> = points
            .iter()
            .map(|j| points.iter().filter(|k| *k != j).fold(*j, |product, k| product * (k - j)))
            .collect();
        Scalar::invert_batch_alloc(&mut weights);
        let weights =
            answering.iter().zip(weights).map(|(&j, inverse)| (j, all * inverse)).collect();
        Ok(Self { weights })
    }

    /// The sites the weights are for, in the order [`Lagrange::recombine`] wants their shares.
    pub fn holders(&self) -> impl ExactSizeIterator<Item = u16> {
        self.weights.iter().map(|&(holder, _)| holder)
    }

    /// The secret that these shares are of: Σ λ f(j). One share per site of the set, in the set's order.
    ///
    /// A false share gives a false secret and no error: compare the result with what its owner committed to.
    ///
    /// # Errors
    /// [`ShareError::WrongCount`] or [`ShareError::WrongHolder`] if the shares are another set's.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a field: no scalar product or sum overflows"
    )]
    pub fn recombine(&self, shares: &[Share]) -> Result<SecretScalar, ShareError> {
        if shares.len() != self.weights.len() {
            return Err(ShareError::WrongCount { expected: self.weights.len(), got: shares.len() });
        }
        let mut secret = SecretScalar(Scalar::ZERO);
        for (&(expected, weight), share) in self.weights.iter().zip(shares) {
            if share.holder != expected {
                return Err(ShareError::WrongHolder { expected, got: share.holder });
            }
            secret.0 += weight * share.value.0;
        }
        Ok(secret)
    }
}

/// Value at x of the polynomial with these coefficients, highest power first, by Horner's rule.
#[expect(clippy::arithmetic_side_effects, reason = "a field: no scalar product or sum overflows")]
fn evaluate(polynomial: &[Scalar], x: u16) -> SecretScalar {
    let x = Scalar::from(x);
    SecretScalar(polynomial.iter().fold(Scalar::ZERO, |value, coefficient| value * x + coefficient))
}

/// Refuses index 0 and an index that appears twice.
fn check_indices(indices: &[u16]) -> Result<(), ShareError> {
    let mut sorted = indices.to_vec();
    sorted.sort_unstable();
    if sorted.first() == Some(&0) {
        return Err(ShareError::IndexZero);
    }
    match sorted.iter().zip(sorted.iter().skip(1)).find(|(a, b)| a == b) {
        Some((&index, _)) => Err(ShareError::DuplicateIndex { index }),
        None => Ok(()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#[expect(clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::ChaCha20Rng};

    use super::*;

    fn rng(seed: u64) -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(seed)
    }

    fn scalar(value: u64) -> SecretScalar {
        SecretScalar(Scalar::from(value))
    }

    fn share(holder: u16, value: Scalar) -> Share {
        Share { holder, value: SecretScalar(value) }
    }

    fn restore(shares: &[Share]) -> Scalar {
        let holders: Vec<u16> = shares.iter().map(Share::holder).collect();
        Lagrange::at_zero(&holders).unwrap().recombine(shares).unwrap().0
    }

    /// ℓ, the group order, little endian.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_threshold_of_the_holders_restore_the_secret(
            seed in any::<u64>(),
            holders in prop::collection::btree_set(1_u16.., 2..40),
            pick in any::<prop::sample::Index>(),
        ) {
            let mut rng = rng(seed);
            let holders: Vec<u16> = holders.into_iter().collect();
            let threshold = 2 + pick.index(holders.len() - 1);
            let secret = SecretScalar::draw(&mut rng);
            let mut shares = split(&secret, threshold, &holders, &mut rng).unwrap();
            prop_assert_eq!(shares.len(), holders.len());
            for turn in 0..holders.len() {
                shares.rotate_left(turn % 3 + 1);
                prop_assert_eq!(restore(&shares[..threshold]), secret.0);
            }
            prop_assert_eq!(restore(&shares), secret.0);
            if threshold > 2 {
                prop_assert_ne!(restore(&shares[..threshold - 1]), secret.0);
            }
        }

        #[test]
        fn fewer_than_the_threshold_fit_every_secret(seed in any::<u64>(), threshold in 3_u16..20) {
            let mut rng = rng(seed);
            let holders: Vec<u16> = (1..=threshold).collect();
            let mut shares = split(&scalar(5), usize::from(threshold), &holders, &mut rng).unwrap();
            shares.pop();
            // For any other secret there is a polynomial of the same degree through the T − 1 shares held: the one
            // whose last share is chosen to fit.
            let other = SecretScalar::draw(&mut rng);
            let weights = Lagrange::at_zero(&holders).unwrap().weights;
            let held: Scalar = shares.iter().zip(&weights).map(|(s, (_, w))| w * s.value.0).sum();
            let (last, weight) = weights[weights.len() - 1];
            shares.push(share(last, (other.0 - held) * weight.invert()));
            prop_assert_eq!(restore(&shares), other.0);
        }

        #[test]
        fn shares_add_up_like_their_secrets(seed in any::<u64>()) {
            let mut rng = rng(seed);
            let (a, b) = (SecretScalar::draw(&mut rng), SecretScalar::draw(&mut rng));
            let one = split(&a, 3, &[1, 4, 9, 16], &mut rng).unwrap();
            let two = split(&b, 3, &[1, 4, 9, 16], &mut rng).unwrap();
            let sum: Vec<Share> =
                one.iter().zip(&two).map(|(s, t)| share(s.holder, s.value.0 + t.value.0)).collect();
            prop_assert_eq!(restore(&sum[1..]), a.0 + b.0);
        }

        #[test]
        fn encodings_round_trip(seed in any::<u64>(), holder in 1_u16..) {
            let scalar = SecretScalar::draw(&mut rng(seed));
            let bytes = scalar.to_bytes();
            prop_assert_eq!(SecretScalar::from_bytes(&bytes).unwrap().0, scalar.0);
            let share = Share::from_bytes(holder, &bytes).unwrap();
            prop_assert_eq!((share.holder(), share.to_bytes()), (holder, bytes));
        }
    }

    #[test]
    fn two_splits_of_one_secret_share_no_value() {
        let mut rng = rng(1);
        let (one, two) = (
            split(&scalar(7), 2, &[1, 2, 3], &mut rng),
            split(&scalar(7), 2, &[1, 2, 3], &mut rng),
        );
        for (a, b) in one.unwrap().iter().zip(&two.unwrap()) {
            assert_ne!(a.to_bytes(), b.to_bytes());
        }
    }

    #[test]
    fn the_shares_lie_on_the_polynomial_that_was_drawn() {
        let shares = split(&scalar(11), 4, &[3, 1, 1000], &mut rng(2));
        assert_eq!(shares.unwrap_err(), ShareError::TooFewHolders { expected: 4, got: 3 });
        let shares = split(&scalar(11), 4, &[3, 1, 1000, 65535], &mut rng(2)).unwrap();
        let mut again = rng(2);
        let drawn: Vec<Scalar> = (0..3).map(|_| SecretScalar::draw(&mut again).0).collect();
        for share in shares {
            let x = Scalar::from(share.holder);
            let expected =
                drawn[0] * x * x * x + drawn[1] * x * x + drawn[2] * x + Scalar::from(11_u64);
            assert_eq!(share.value.0, expected);
        }
    }

    #[test]
    fn the_largest_planned_round_restores() {
        let mut rng = rng(3);
        let holders: Vec<u16> = (1..=1000).collect();
        let secret = SecretScalar::draw(&mut rng);
        let shares = split(&secret, 667, &holders, &mut rng).unwrap();
        assert_eq!(restore(&shares[333..]), secret.0);
        assert_ne!(restore(&shares[334..]), secret.0);
    }

    #[test]
    fn useless_splits_are_refused() {
        let refused = |threshold, holders: &[u16]| {
            split(&scalar(1), threshold, holders, &mut rng(4)).unwrap_err()
        };
        assert_eq!(refused(0, &[1, 2]), ShareError::ThresholdTooLow { got: 0 });
        assert_eq!(refused(1, &[1, 2]), ShareError::ThresholdTooLow { got: 1 });
        assert_eq!(refused(3, &[1, 2]), ShareError::TooFewHolders { expected: 3, got: 2 });
        assert_eq!(refused(2, &[1, 0, 2]), ShareError::IndexZero);
        assert_eq!(refused(2, &[5, 1, 5]), ShareError::DuplicateIndex { index: 5 });
    }

    #[test]
    fn useless_answers_are_refused() {
        let weights =
            |holders: &[u16]| Lagrange::at_zero(holders).map(|w| w.holders().collect::<Vec<_>>());
        assert_eq!(weights(&[]).unwrap_err(), ShareError::TooFewHolders { expected: 1, got: 0 });
        assert_eq!(weights(&[1, 0]).unwrap_err(), ShareError::IndexZero);
        assert_eq!(weights(&[9, 2, 9]).unwrap_err(), ShareError::DuplicateIndex { index: 9 });
        assert_eq!(weights(&[9, 2]).unwrap(), [9, 2]);

        let set = Lagrange::at_zero(&[1, 2]).unwrap();
        let one = || share(1, Scalar::ONE);
        assert_eq!(
            set.recombine(&[one()]).unwrap_err(),
            ShareError::WrongCount { expected: 2, got: 1 }
        );
        let swapped = set.recombine(&[share(2, Scalar::ONE), one()]).unwrap_err();
        assert_eq!(swapped, ShareError::WrongHolder { expected: 1, got: 2 });
    }

    #[test]
    fn only_the_canonical_encoding_is_read() {
        assert_eq!(SecretScalar::from_bytes(&ORDER).unwrap_err(), ShareError::NotCanonical);
        assert_eq!(SecretScalar::from_bytes(&[0xff; 32]).unwrap_err(), ShareError::NotCanonical);
        assert_eq!(Share::from_bytes(1, &ORDER).unwrap_err(), ShareError::NotCanonical);
        assert_eq!(Share::from_bytes(0, &[0; 32]).unwrap_err(), ShareError::IndexZero);
        let mut largest = ORDER;
        largest[0] -= 1;
        assert_eq!(SecretScalar::from_bytes(&largest).unwrap().0, -Scalar::ONE);
    }

    #[test]
    fn debug_prints_no_digit_of_a_secret() {
        let shown = format!("{:?} {:?}", scalar(77), share(3, Scalar::from(77_u64)));
        assert_eq!(shown, "SecretScalar(32 bytes) Share(of site 3, 32 bytes)");
    }

    #[test]
    fn zeroize_wipes_a_secret() {
        let mut secret = scalar(77);
        secret.zeroize();
        assert_eq!(secret.0, Scalar::ZERO);
    }
}
