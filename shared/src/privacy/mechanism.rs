//! How much noise each site adds, so that what is left without drop-outs and colluders suffices.
//!
//! ```text
//! (m − t)·s² ≥ ⌈z·C⌉²      s: per-site scale, an integer     z: noise multiplier
//! m: least number of sites     t: most colluders     C: clip norm in lattice units
//! ```
//! At least m sites answer or none; at most t of them tell the coordinator their noise: m − t shares
//! remain. Privacy is paid for by that guaranteed variance, never by the actual one. With m = 1 and
//! t = 0 this is the release of a single site. The sum of m − t discrete Gaussians with s ≥ 16 is a
//! Gaussian to within 10⁻¹⁰⁰⁰ (KLS21, Theorem 1), so the accountant needs no term for it.
//!
//! Drawing is [`super::sampler`]'s work, the cost [`super::accountant`]'s.
use super::sampler::MAX_SCALE;
use crate::units::NoiseMultiplier;

/// The least per-site scale: below it, a sum of discrete Gaussians is not yet a Gaussian.
pub const MIN_SCALE: u64 = 16;

/// Why there is no plan. Nothing was drawn or spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MechanismError {
    /// Colluders could hold all the noise.
    #[error(
        "{max_colluders} colluders of {min_sites} sites leave no site whose noise is secret; \
         expected fewer colluders than sites"
    )]
    NoHonestSite {
        /// The least number of sites that answer.
        min_sites: u32,
        /// The most colluders that are tolerated.
        max_colluders: u32,
    },
    /// The clip norm is 0: the rows carry nothing.
    #[error("the clip norm is 0 lattice units; expected at least 1")]
    NoClipNorm,
    /// The noise would need a larger per-site scale than the sampler serves.
    #[error("the noise needs a per-site scale above {MAX_SCALE}; lower the noise multiplier")]
    ScaleTooLarge,
}

/// The noise of a release: what each site draws and what is guaranteed to remain of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoisePlan {
    c_int: u64,
    honest_sites: u32,
    site_scale: u64,
}

impl NoisePlan {
    /// The smallest per-site scale that guarantees `multiplier` for rows of norm `c_int`.
    ///
    /// # Errors
    /// [`MechanismError`]; the scale is exact in integers, and rounded up.
    pub fn new(
        multiplier: NoiseMultiplier,
        c_int: u64,
        min_sites: u32,
        max_colluders: u32,
    ) -> Result<Self, MechanismError> {
        let honest_sites = min_sites
            .checked_sub(max_colluders)
            .filter(|honest| *honest > 0)
            .ok_or(MechanismError::NoHonestSite { min_sites, max_colluders })?;
        if c_int == 0 {
            return Err(MechanismError::NoClipNorm);
        }
        let needed = product_up(multiplier, c_int).ok_or(MechanismError::ScaleTooLarge)?;
        let variance = needed.checked_mul(needed).ok_or(MechanismError::ScaleTooLarge)?;
        let share = variance.div_ceil(u128::from(honest_sites));
        let root = share.isqrt();
        let exact = root.checked_mul(root) == Some(share);
        let site_scale = root
            .checked_add(u128::from(!exact))
            .and_then(|root| u64::try_from(root).ok())
            .map(|scale| scale.max(MIN_SCALE))
            .filter(|scale| *scale <= MAX_SCALE)
            .ok_or(MechanismError::ScaleTooLarge)?;
        Ok(Self { c_int, honest_sites, site_scale })
    }

    /// The scale s of the noise that each site draws, in lattice units.
    pub fn site_scale(&self) -> u64 {
        self.site_scale
    }

    /// (m − t)·s², in lattice units squared: what privacy is accounted with.
    pub fn guaranteed_variance(&self) -> u128 {
        self.variance_of(self.honest_sites)
    }

    /// n·s² for `survivors` sites whose vectors are in the sum, in lattice units squared: what
    /// intervals are computed with.
    pub fn actual_variance(&self, survivors: u32) -> u128 {
        self.variance_of(survivors)
    }

    /// √((m − t)·s²)/C: at least the multiplier asked for, up to the rounding of this division.
    #[expect(clippy::cast_precision_loss, reason = "a figure to show")]
    pub fn guaranteed_multiplier(&self) -> f64 {
        libm::sqrt(self.guaranteed_variance() as f64) / self.c_int as f64
    }

    fn variance_of(&self, sites: u32) -> u128 {
        // At most 2³²·2⁸⁰: saturation is out of reach.
        let scale = u128::from(self.site_scale);
        scale.saturating_mul(scale).saturating_mul(u128::from(sites))
    }
}

/// Whether sums and noise stay inside the ring: N·rows·C + N·64·s < 2⁶².
///
/// Each site checks it before it answers, for the N, the row cap and the C of the study. A wrap
/// would spoil the result; privacy does not depend on it.
pub fn wrap_bound_holds(sites: u32, max_rows: u64, c_int: u64, site_scale: u64) -> bool {
    let per_site = u128::from(max_rows)
        .checked_mul(u128::from(c_int))
        .zip(u128::from(site_scale).checked_mul(64))
        .and_then(|(rows, noise)| rows.checked_add(noise));
    per_site
        .and_then(|per_site| per_site.checked_mul(u128::from(sites)))
        .is_some_and(|total| total < 1 << 62)
}

/// ⌈z·C⌉ exactly: z is an integer of 53 bits times a power of two, and is taken as that.
fn product_up(multiplier: NoiseMultiplier, c_int: u64) -> Option<u128> {
    const FRACTION_BITS: u32 = 52;
    let bits = multiplier.value().to_bits();
    let field = u32::try_from(bits >> FRACTION_BITS).ok()?;
    let fraction = bits & ((1 << FRACTION_BITS) - 1);
    let hidden = if field == 0 { 0 } else { 1 << FRACTION_BITS };
    // z = (fraction + hidden)·2^(max(field, 1) − 1075)
    let product = u128::from(fraction | hidden).checked_mul(u128::from(c_int))?;
    let power = field.max(1);
    if let Some(left) = power.checked_sub(1075) {
        return product.checked_mul(1_u128.checked_shl(left)?);
    }
    let right = 1075_u32.checked_sub(power)?;
    match 1_u128.checked_shl(right) {
        Some(divisor) => Some(product.div_ceil(divisor)),
        None => Some(1), // a product below 2¹¹⁷ over at least 2¹²⁸, rounded up
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(z: f64, c_int: u64, min_sites: u32, max_colluders: u32) -> NoisePlan {
        NoisePlan::new(NoiseMultiplier::new(z).unwrap(), c_int, min_sites, max_colluders).unwrap()
    }

    #[test]
    fn one_honest_site_of_two_carries_all_the_noise() {
        let plan = plan(1.0, 1 << 24, 2, 1);
        assert_eq!(plan.site_scale(), 1 << 24);
        assert_eq!(plan.guaranteed_variance(), 1 << 48);
        assert_eq!(plan.actual_variance(2), 1 << 49);
        assert!((plan.guaranteed_multiplier() - 1.0).abs() < 1e-15);
    }

    #[test]
    fn a_product_a_hair_above_an_integer_is_rounded_up() {
        let product = |z: f64, c| product_up(NoiseMultiplier::new(z).unwrap(), c);
        // The number nearest to 0.1 is above it: ten million of them are above a million.
        assert_eq!(product(0.1, 10_000_000), Some(1_000_001));
        assert_eq!(product(1.0f64.next_up(), 1000), Some(1001));
        assert_eq!(product(0.5, 3), Some(2));
        assert_eq!(product(3.0, 7), Some(21));
        assert_eq!(product(5e-324, u64::MAX), Some(1));
        assert_eq!(product(1e-30, u64::MAX), Some(1));
        assert_eq!(
            product(f64::from(u32::MAX) * 4_294_967_296.0, 2),
            Some((u128::from(u32::MAX) << 32) * 2)
        );
        assert_eq!(product(f64::MAX, 1), None);
    }

    #[test]
    fn a_tiny_scale_is_raised_to_the_least() {
        assert_eq!(plan(0.001, 256, 4, 1).site_scale(), MIN_SCALE);
    }

    #[test]
    fn what_cannot_be_planned_is_refused() {
        let refusal = |z: f64, c_int, min_sites, max_colluders| {
            NoisePlan::new(NoiseMultiplier::new(z).unwrap(), c_int, min_sites, max_colluders)
                .unwrap_err()
        };
        for (min_sites, max_colluders) in [(0, 0), (1, 1), (3, 5)] {
            assert_eq!(
                refusal(1.0, 1 << 24, min_sites, max_colluders),
                MechanismError::NoHonestSite { min_sites, max_colluders }
            );
        }
        assert_eq!(refusal(1.0, 0, 3, 1), MechanismError::NoClipNorm);
        assert_eq!(refusal(65_537.0, 1 << 24, 1, 0), MechanismError::ScaleTooLarge);
        assert_eq!(refusal(f64::MAX, 1 << 24, 1, 0), MechanismError::ScaleTooLarge);
        assert_eq!(plan(65_536.0, 1 << 24, 1, 0).site_scale(), MAX_SCALE);
    }

    #[test]
    fn the_wrap_bound_is_strict() {
        assert!(wrap_bound_holds(1000, 100_000, 1 << 24, 1 << 24));
        assert!(!wrap_bound_holds(1, 1 << 38, 1 << 24, 0));
        assert!(wrap_bound_holds(1, (1 << 38) - 1, 1 << 24, 0));
        assert!(!wrap_bound_holds(1, (1 << 38) - 1, 1 << 24, 1 << 18));
        assert!(!wrap_bound_holds(u32::MAX, u64::MAX, u64::MAX, u64::MAX));
    }

    proptest! {
        #[test]
        fn the_scale_is_the_smallest_that_suffices(
            z in 0.01f64..1000.0, bits in 16u32..29, min_sites in 1u32..1001, colluders in 0u32..1001,
        ) {
            prop_assume!(colluders < min_sites);
            let c_int = 1u64 << bits;
            let plan = plan(z, c_int, min_sites, colluders);
            // A power of two times z is exact, so the ceiling of the float is the true one.
            let needed = (z * f64::from(1u32 << bits)).ceil();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2³⁹")]
            let needed = needed as u128;
            prop_assert!(plan.guaranteed_variance() >= needed * needed);
            let less = u128::from(plan.site_scale() - 1);
            let honest = u128::from(min_sites - colluders);
            prop_assert!(plan.site_scale() == MIN_SCALE || honest * less * less < needed * needed);
            prop_assert!(plan.guaranteed_multiplier() >= z * (1.0 - 1e-15));
        }
    }
}
