//! Draws the noise of a release: the discrete Gaussian, exactly, with integers only.
//!
//! ```text
//! P[Y = y] ∝ exp(−y² / 2s²)      y, s: integers (lattice units)      CKS20, Definition 1
//! ```
//! Rejection sampling as in Canonne, Kamath and Steinke (2020, Algorithms 1 to 3), with the proposal
//! of Karney (2016, Algorithm D) in place of the discrete Laplace distribution: |y| = v·s + u with
//! 0 ≤ u < s, so
//!
//! ```text
//! exp(−y²/2s²) = exp(−v²/2) · exp(−v·x) · exp(−x²/2)      x = u/s < 1
//! ```
//! Draw v ∝ exp(−v²/2), u uniform and a sign; accept with probability exp(−x)^v · exp(−x²/2); refuse
//! minus zero, which would count zero twice. Why each step is exact, though words are finite:
//!
//! * A coin of probability a/b asks whether a uniform real U is below a/b. The first 64 bits of U
//!   settle it unless a/b lies inside their cell of width 2⁻⁶⁴; then the same question is asked about
//!   the cell, with fresh bits (`coin`).
//! * exp(−x) needs rational coins only: toss x/1, x/2, x/3, … until one fails; the number of the
//!   failing toss is odd with probability 1 − x + x²/2! − x³/3! + … (von Neumann).
//! * v compares U with the constants of `STRIPS`, known to 256 bits. Should all 256 bits of U be
//!   those of a constant (a chance below 2⁻²⁵¹ per draw), the draw ends in an error, not in a guess.
//!
//! The time a draw takes depends on its value: noise is to be drawn before a site says it is ready,
//! not while someone waits for it. How much noise a release needs is [`super::mechanism`]'s work;
//! where the seed comes from, [`super::release`]'s.
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use zeroize::Zeroize;

/// The largest scale s, in lattice units: sums of many sites stay far from the ring's 2⁶⁴.
pub const MAX_SCALE: u64 = 1 << 40;

/// Why no noise came. No value was released and none should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SamplerError {
    /// The scale is outside the range that the sampler serves.
    #[error("the noise scale is {scale}; expected 1 to {MAX_SCALE}")]
    Scale {
        /// The scale asked for.
        scale: u64,
    },
    /// The key stream of one seed (256 GiB) is used up.
    #[error("the key stream of this seed is used up")]
    Exhausted,
    /// 256 random bits were those of a tabulated constant; fewer than one draw in 2²⁵¹ ends so.
    #[error("256 random bits did not settle a draw")]
    Undecided,
    /// A number left its type. Happens only if the bounds of this module are wrong.
    #[error("a draw left the range of its type")]
    Overflow,
}

/// Random words: the `ChaCha20` key stream (RFC 8439, counter 0, nonce 0) of a 32-byte seed.
///
/// The caller ensures that a seed serves one release only: one key, one stream, from its beginning.
pub struct Keystream {
    cipher: ChaCha20,
    words: [u64; WORDS],
    next: usize,
    bits: u64,
    bits_left: u32,
}

/// 2 KiB at a time: long enough for the cipher's widest kernel, short enough for the first-level cache.
const WORDS: usize = 256;

impl Keystream {
    /// The stream of `seed`, from its beginning.
    pub fn new(seed: &[u8; 32]) -> Self {
        Self {
            cipher: ChaCha20::new(&(*seed).into(), &[0; 12].into()),
            words: [0; WORDS],
            next: WORDS,
            bits: 0,
            bits_left: 0,
        }
    }

    #[inline]
    fn word(&mut self) -> Result<u64, SamplerError> {
        if let Some(word) = self.words.get(self.next) {
            self.next = self.next.wrapping_add(1);
            return Ok(*word);
        }
        self.refill()
    }

    #[cold]
    fn refill(&mut self) -> Result<u64, SamplerError> {
        let mut bytes = [0; WORDS * 8];
        let written = self.cipher.try_write_keystream(&mut bytes);
        for (word, eight) in self.words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*eight);
        }
        bytes.zeroize();
        written.map_err(|_| SamplerError::Exhausted)?;
        self.next = 1;
        self.words.first().copied().ok_or(SamplerError::Overflow)
    }

    #[inline]
    fn bit(&mut self) -> Result<bool, SamplerError> {
        if self.bits_left == 0 {
            self.bits = self.word()?;
            self.bits_left = u64::BITS;
        }
        let bit = self.bits & 1 == 1;
        self.bits >>= 1;
        self.bits_left = self.bits_left.wrapping_sub(1);
        Ok(bit)
    }
}

impl Drop for Keystream {
    fn drop(&mut self) {
        self.words.zeroize();
        self.bits.zeroize();
    }
}

impl std::fmt::Debug for Keystream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keystream").finish_non_exhaustive()
    }
}

/// The distribution `N_Z(0, s²)` on the integers: P[Y = y] ∝ exp(−y²/2s²).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscreteGaussian {
    s: u64,
    /// 2⁶⁴ mod s: how many of the 2⁶⁴ words would make some u likelier than others.
    surplus: u64,
}

impl DiscreteGaussian {
    /// The distribution of scale `s`, in lattice units.
    ///
    /// # Errors
    /// [`SamplerError::Scale`] unless 1 ≤ s ≤ [`MAX_SCALE`].
    pub fn new(s: u64) -> Result<Self, SamplerError> {
        if s > MAX_SCALE {
            return Err(SamplerError::Scale { scale: s });
        }
        let surplus = s.wrapping_neg().checked_rem(s).ok_or(SamplerError::Scale { scale: s })?;
        Ok(Self { s, surplus })
    }

    /// The scale s, in lattice units. From s = 3 on, the variance is s² to one part in 10⁷⁰.
    pub fn scale(&self) -> u64 {
        self.s
    }

    /// One draw, in lattice units. Its size stays below 19·s.
    ///
    /// # Errors
    /// [`SamplerError::Exhausted`], or [`SamplerError::Undecided`] with a chance below 2⁻²⁵¹.
    #[inline]
    pub fn sample(&self, stream: &mut Keystream) -> Result<i64, SamplerError> {
        loop {
            let Some(v) = strip(stream)? else { continue };
            let u = self.below(stream)?;
            if !half_square_survives(stream, u, self.s)? || !self.slope_survives(stream, v, u)? {
                continue;
            }
            let size = v
                .checked_mul(self.s)
                .and_then(|start| start.checked_add(u))
                .and_then(|size| i64::try_from(size).ok())
                .ok_or(SamplerError::Overflow)?;
            match (stream.bit()?, size) {
                (true, 0) => {}
                (true, _) => return size.checked_neg().ok_or(SamplerError::Overflow),
                (false, _) => return Ok(size),
            }
        }
    }

    /// Fills `out` with independent draws, a function of `seed` alone: the same on every machine.
    ///
    /// # Errors
    /// As [`Self::sample`]; `out` is all zeros then.
    pub fn fill(&self, seed: &[u8; 32], out: &mut [i64]) -> Result<(), SamplerError> {
        let mut stream = Keystream::new(seed);
        for index in 0..out.len() {
            match self.sample(&mut stream) {
                Ok(draw) => {
                    if let Some(slot) = out.get_mut(index) {
                        *slot = draw;
                    }
                }
                Err(error) => {
                    out.zeroize();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// u uniform on 0 ≤ u < s: the high word of word·s, refusing words that would favour some u
    /// (Lemire 2019).
    #[inline]
    fn below(&self, stream: &mut Keystream) -> Result<u64, SamplerError> {
        loop {
            let (low, high) = stream.word()?.carrying_mul(self.s, 0);
            if low >= self.surplus {
                return Ok(high);
            }
        }
    }

    /// True with probability exp(−v·u/s).
    #[inline]
    fn slope_survives(&self, stream: &mut Keystream, v: u64, u: u64) -> Result<bool, SamplerError> {
        for _ in 0..v {
            if !exponential_survives(stream, u, self.s)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// ½·Σ exp(−k²/2) over k ≤ v, for v = 0 … 18: the first 256 bits, most significant word first.
///
/// A uniform U below the first row gives v = 0, between the first and the second v = 1, and so on;
/// above the last, no v. The sum over all k begins with the bits of the last row too: no v is missed.
#[rustfmt::skip] // one row a line
const STRIPS: [[u64; 4]; 19] = [
    [0x8000_0000_0000_0000, 0x0000_0000_0000_0000, 0x0000_0000_0000_0000, 0x0000_0000_0000_0000],
    [0xcda2_cbf1_be58_27f9, 0xeb3a_d1aa_9866_ebb3, 0xf1a3_dfc5_6874_055d, 0xe725_74ac_3080_a18c],
    [0xdef5_7695_7dd9_f399, 0xc6b1_bc8b_c569_8125, 0xea12_aad4_39b9_6a28, 0xb62f_0993_0ed9_af90],
    [0xe061_7b99_e736_350d, 0x98cb_fbc5_974e_fd6b, 0xc9d5_ad07_e75c_a966, 0x426c_ee8e_bd27_5367],
    [0xe06c_79aa_693e_48e3, 0xf6ca_65f9_57ce_70fb, 0x2067_aaed_a701_ea59, 0x0620_e64e_ca40_b4df],
    [0xe06c_98ed_567d_b1ca, 0x86eb_75db_6249_16f2, 0xf138_7d53_609d_e03c, 0xa94b_747e_72d0_0bea],
    [0xe06c_990e_0b42_ca9d, 0xc62d_06e4_44f8_61ca, 0xdc14_b118_50b5_2310, 0x1af3_c2cc_ab83_4c5b],
    [0xe06c_990e_17d9_4e89, 0x3eda_28c0_ef1b_3e0d, 0x2918_7823_89a7_956c, 0x5538_1e91_26fc_efa4],
    [0xe06c_990e_17db_16cf, 0x8e50_3f07_70fd_d7ad, 0x3b5c_ffab_d70c_2743, 0x41de_09fc_c9db_08c0],
    [0xe06c_990e_17db_16e7, 0x5282_58a5_6657_9871, 0x5653_1332_f1b0_5055, 0x57f3_2aa4_1627_707c],
    [0xe06c_990e_17db_16e7, 0x52f6_ee9a_b84f_b96c, 0xb2c9_c5f9_64c6_23ff, 0xb227_670f_8c26_22fb],
    [0xe06c_990e_17db_16e7, 0x52f6_ef6d_1d2f_86a8, 0xd35b_3d7b_b617_cac0, 0x7a05_45a8_1d12_10b2],
    [0xe06c_990e_17db_16e7, 0x52f6_ef6d_1dbb_3421, 0x3b0b_b3a4_f28b_c50f, 0xda74_e461_583d_a782],
    [0xe06c_990e_17db_16e7, 0x52f6_ef6d_1dbb_3443, 0x5817_3339_eff1_426e, 0xd2e0_94fb_9896_b7bc],
    [0xe06c_990e_17db_16e7, 0x52f6_ef6d_1dbb_3443, 0x581a_43dd_a073_738f, 0xe190_cfa4_025f_d284],
    [0xe06c_990e_17db_16e7, 0x52f6_ef6d_1dbb_3443, 0x581a_43dd_ba62_b77e, 0x9954_c6d3_3fcc_804a],
    [0xe06c_990e_17db_16e7, 0x52f6_ef6d_1dbb_3443, 0x581a_43dd_ba62_b7cf, 0x543c_953f_2bf8_a285],
    [0xe06c_990e_17db_16e7, 0x52f6_ef6d_1dbb_3443, 0x581a_43dd_ba62_b7cf, 0x543c_f1b1_cced_d0bf],
    [0xe06c_990e_17db_16e7, 0x52f6_ef6d_1dbb_3443, 0x581a_43dd_ba62_b7cf, 0x543c_f1b1_cd14_c2ec],
];

/// v with probability ∝ exp(−v²/2), or `None` (one time in eight) where U lies above them all.
#[inline]
fn strip(stream: &mut Keystream) -> Result<Option<u64>, SamplerError> {
    let first = stream.word()?;
    for (v, [bound, ..]) in (0..).zip(&STRIPS) {
        if first < *bound {
            return Ok(Some(v));
        }
        if first == *bound {
            return strip_by_all_words(stream, first);
        }
    }
    Ok(None)
}

/// The same where the first 64 bits are those of a bound, with 192 bits more.
#[cold]
fn strip_by_all_words(stream: &mut Keystream, first: u64) -> Result<Option<u64>, SamplerError> {
    let drawn = [first, stream.word()?, stream.word()?, stream.word()?];
    for (v, bound) in (0..).zip(&STRIPS) {
        match drawn.cmp(bound) {
            std::cmp::Ordering::Less => return Ok(Some(v)),
            std::cmp::Ordering::Equal => return Err(SamplerError::Undecided),
            std::cmp::Ordering::Greater => {}
        }
    }
    Ok(None)
}

/// True with probability exp(−u/s), 0 ≤ u < s.
#[inline]
fn exponential_survives(stream: &mut Keystream, u: u64, s: u64) -> Result<bool, SamplerError> {
    let mut toss = 1;
    while one_in(stream, toss)? && coin(stream, u, s)? {
        toss = toss.checked_add(1).ok_or(SamplerError::Overflow)?;
    }
    Ok(toss & 1 == 1)
}

/// True with probability exp(−(u/s)²/2), 0 ≤ u < s: a coin of x²/2k is three coins, 1/2k, x and x.
#[inline]
fn half_square_survives(stream: &mut Keystream, u: u64, s: u64) -> Result<bool, SamplerError> {
    let mut toss: u64 = 1;
    loop {
        let twice = toss.checked_mul(2).ok_or(SamplerError::Overflow)?;
        if !(one_in(stream, twice)? && coin(stream, u, s)? && coin(stream, u, s)?) {
            return Ok(toss & 1 == 1);
        }
        toss = toss.checked_add(1).ok_or(SamplerError::Overflow)?;
    }
}

/// True with probability 1/n, n ≥ 1; the commonest n cost a bit or nothing.
#[inline]
fn one_in(stream: &mut Keystream, n: u64) -> Result<bool, SamplerError> {
    match n {
        1 => Ok(true),
        2 => stream.bit(),
        4 => Ok(stream.bit()? && stream.bit()?),
        _ => coin(stream, 1, n),
    }
}

/// True with probability a/b, 0 ≤ a ≤ b: is a uniform real U below a/b?
///
/// With r the first 64 bits of U: yes if (r+1)·b ≤ a·2⁶⁴, no if r·b ≥ a·2⁶⁴. Otherwise U is uniform
/// in the cell [r, r+1)/2⁶⁴, and a/b divides that cell at (a·2⁶⁴ − r·b)/b: the same question again.
#[inline]
fn coin(stream: &mut Keystream, mut a: u64, b: u64) -> Result<bool, SamplerError> {
    loop {
        let product =
            u128::from(stream.word()?).checked_mul(u128::from(b)).ok_or(SamplerError::Overflow)?;
        let Some(rest) = (u128::from(a) << 64).checked_sub(product) else {
            return Ok(false);
        };
        if rest >= u128::from(b) {
            return Ok(true);
        }
        a = u64::try_from(rest).map_err(|_| SamplerError::Overflow)?;
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a test may panic, and compares counts with real expectations"
)]
mod tests {
    use super::*;

    fn draws(s: u64, seed: u8, count: usize) -> Vec<i64> {
        let mut out = vec![0; count];
        DiscreteGaussian::new(s).unwrap().fill(&[seed; 32], &mut out).unwrap();
        out
    }

    /// A stream that begins with the given words.
    fn stream_of(words: &[u64]) -> Keystream {
        let mut stream = Keystream::new(&[0; 32]);
        stream.words[..words.len()].copy_from_slice(words);
        stream.next = 0;
        stream
    }

    /// Passes below the chi-square quantile of probability 1 − 3·10⁻⁷ (Wilson and Hilferty).
    fn assert_fits(chi_square: f64, freedom: f64) {
        let spread = 2.0 / (9.0 * freedom);
        let bound = freedom * (1.0 - spread + 5.0 * spread.sqrt()).powi(3);
        assert!(chi_square < bound, "χ² = {chi_square}, bound {bound}");
    }

    #[test]
    fn matches_the_exact_distribution_at_small_scales() {
        const COUNT: usize = 2_000_000;
        for (s, seed) in [(1u64, 11), (3, 12), (8, 13), (20, 14)] {
            let weight = |y: i64| (-((y * y) as f64) / (2.0 * (s * s) as f64)).exp();
            let total: f64 = (-40 * s as i64..=40 * s as i64).map(weight).sum();
            let mut edge = 0;
            while COUNT as f64 * weight(edge + 1) / total > 20.0 {
                edge += 1;
            }
            let mut seen = vec![0u64; 2 * edge as usize + 3];
            for y in draws(s, seed, COUNT) {
                seen[(y.clamp(-edge - 1, edge + 1) + edge + 1) as usize] += 1;
            }
            let mut expected: Vec<f64> =
                (-edge - 1..=edge + 1).map(|y| COUNT as f64 * weight(y) / total).collect();
            let tail: f64 = (edge + 1..40 * s as i64).map(weight).sum();
            *expected.first_mut().unwrap() = COUNT as f64 * tail / total;
            *expected.last_mut().unwrap() = COUNT as f64 * tail / total;
            let chi_square = seen
                .iter()
                .zip(&expected)
                .map(|(seen, expected)| (*seen as f64 - expected).powi(2) / expected)
                .sum();
            assert_fits(chi_square, (expected.len() - 1) as f64);
        }
    }

    /// Each bound is five standard errors: false alarms 6·10⁻⁷ each, nine bounds.
    #[test]
    fn has_the_moments_of_a_gaussian_at_large_scales() {
        const COUNT: usize = 2_000_000;
        let n = COUNT as f64;
        for (s, seed) in [(1u64 << 10, 21), (1 << 24, 22), (1 << 36, 23)] {
            let z: Vec<f64> = draws(s, seed, COUNT).iter().map(|y| *y as f64 / s as f64).collect();
            let moment = |power| z.iter().map(|z| z.powi(power)).sum::<f64>() / n;
            let (mean, variance) = (moment(1), moment(2));
            let kurtosis = moment(4) / variance.powi(2);
            let lag = z.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / n;
            assert!(mean.abs() < 5.0 / n.sqrt(), "mean {mean}");
            assert!((variance - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "variance {variance}");
            assert!((kurtosis - 3.0).abs() < 5.0 * (24.0 / n).sqrt(), "kurtosis {kurtosis}");
            assert!(lag.abs() < 5.0 / n.sqrt(), "lag {lag}");
        }
    }

    /// Noise that is always even would show the parity of the data. False alarms 3·10⁻⁷ each.
    #[test]
    fn favours_no_residue_of_a_power_of_two() {
        const COUNT: usize = 2_000_000;
        let draws = draws(1 << 24, 31, COUNT);
        for modulus in [2usize, 4, 8, 16] {
            let mut seen = vec![0u64; modulus];
            for y in &draws {
                seen[y.rem_euclid(modulus as i64) as usize] += 1;
            }
            let expected = COUNT as f64 / modulus as f64;
            let chi_square =
                seen.iter().map(|seen| (*seen as f64 - expected).powi(2) / expected).sum();
            assert_fits(chi_square, (modulus - 1) as f64);
        }
    }

    #[test]
    fn a_seed_gives_the_same_bytes_for_ever() {
        assert_eq!(draws(5, 7, 12), [2, -2, 4, -1, -1, 5, 2, -2, 8, 2, -7, 0]);
        assert_eq!(
            draws(77_000_000, 7, 6),
            [33_830_490, -35_672_366, 76_102_848, -18_580_273, -15_924_145, 81_261_363]
        );
        assert_eq!(
            draws(MAX_SCALE, 7, 4),
            [483_078_155_450, -509_378_990_688, 1_086_700_871_692, -265_314_636_244]
        );
    }

    #[test]
    fn the_stream_is_chacha20_from_counter_zero() {
        // RFC 8439, A.1, test vector 1: zero key, zero nonce, block 0.
        let mut stream = Keystream::new(&[0; 32]);
        assert_eq!(
            stream.word().unwrap().to_le_bytes(),
            [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90]
        );
        assert_eq!(
            stream.word().unwrap().to_le_bytes(),
            [0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28]
        );
    }

    #[test]
    fn a_coin_on_the_edge_asks_for_more_bits() {
        let third = u64::MAX / 3;
        for (words, expected) in [
            (vec![third - 1], true),
            (vec![third + 1], false),
            (vec![third, 0], true),
            (vec![third, u64::MAX], false),
            (vec![third, third, 0], true),
        ] {
            let mut stream = stream_of(&words);
            assert_eq!(coin(&mut stream, 1, 3).unwrap(), expected);
            assert_eq!(stream.next, words.len());
        }
    }

    #[test]
    fn a_strip_on_the_edge_asks_for_more_bits_and_never_guesses() {
        for (v, edge) in STRIPS.into_iter().enumerate().skip(1) {
            let [a, b, c, d] = edge;
            assert_eq!(strip(&mut stream_of(&edge)), Err(SamplerError::Undecided));
            assert_eq!(strip(&mut stream_of(&[a, b, c, d - 1])), Ok(Some(v as u64)));
            let above = (v + 1 < STRIPS.len()).then_some(v as u64 + 1);
            assert_eq!(strip(&mut stream_of(&[a, b, c, d + 1])), Ok(above));
        }
    }

    /// Recomputes the table by its power series, in fixed point: 512 bits before and after the point.
    #[test]
    fn the_strips_are_the_sums_they_claim_to_be() {
        const LIMBS: usize = 16;
        type Fixed = [u64; LIMBS];
        let scaled = |x: Fixed, times: u64, over: u64| {
            let mut wide = [0u64; LIMBS + 1];
            let mut carry = 0u128;
            for (slot, limb) in wide.iter_mut().zip(x) {
                carry += u128::from(limb) * u128::from(times);
                *slot = carry as u64;
                carry >>= 64;
            }
            wide[LIMBS] = carry as u64;
            let mut rest = 0u128;
            for limb in wide.iter_mut().rev() {
                rest = rest << 64 | u128::from(*limb);
                *limb = (rest / u128::from(over)) as u64;
                rest %= u128::from(over);
            }
            assert_eq!(wide[LIMBS], 0);
            <Fixed>::try_from(&wide[..LIMBS]).unwrap()
        };
        let added = |mut x: Fixed, y: Fixed, negate: bool| {
            let mut carry = u128::from(negate);
            for (slot, limb) in x.iter_mut().zip(y) {
                carry += u128::from(*slot) + u128::from(if negate { !limb } else { limb });
                *slot = carry as u64;
                carry >>= 64;
            }
            x
        };
        let mut one = [0; LIMBS];
        one[8] = 1;
        let mut total = [0; LIMBS];
        for k in 0..24u64 {
            let (mut term, mut sum) = (one, one);
            for j in 1..1_000u64 {
                term = scaled(term, k * k, 2 * j);
                sum = added(sum, term, j % 2 == 1);
            }
            total = added(total, scaled(sum, 1, 2), false);
            let top = [total[7], total[6], total[5], total[4]];
            assert_eq!(top, STRIPS[(k as usize).min(18)], "strip {k}");
            // The truncations above are below 2⁻⁴⁰⁰: they cannot have carried into these bits.
            assert!(k == 0 || (total[3] != 0 && total[3] != u64::MAX));
        }
    }

    #[test]
    fn a_scale_out_of_range_is_refused() {
        for scale in [0, MAX_SCALE + 1, u64::MAX] {
            assert_eq!(DiscreteGaussian::new(scale), Err(SamplerError::Scale { scale }));
        }
    }

    #[test]
    fn a_stream_shows_nothing_of_itself() {
        assert_eq!(format!("{:?}", Keystream::new(&[9; 32])), "Keystream { .. }");
    }

    #[test]
    fn no_floating_point_is_in_the_sampler() {
        let (code, _) = include_str!("sampler.rs").split_once("#[cfg(test)]").unwrap();
        for size in ["32", "64"] {
            assert!(!code.contains(&format!("f{size}")));
        }
        for float_only in [".powi(", ".sqrt(", "libm", ".exp("] {
            assert!(!code.contains(float_only));
        }
    }
}
