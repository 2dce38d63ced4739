//! What releases cost: from noise to (ε, δ) and back, and the fixed-point costs that ledgers add.
//!
//! ```text
//! μ² = Σ (Δᵢ/σᵢ)²   ρ = μ²/2                      Gaussian releases compose exactly
//! δ(ε) = Φ(−h) − e^ε Φ(−x)   h = ε/μ − μ/2, x = h + μ         Balle and Wang 2018, eq. 6
//!      = φ(h)·(R(h) − R(x)) = φ(h)·∫ₕˣ (1 − t·R(t)) dt        R(t) = Φ(−t)/φ(t), Mills' ratio
//! ε = inf over α of αρ + ln(1 − 1/α) − (ln δ + ln α)/(α − 1)  CKS20, Proposition 12
//! ```
//! The first curve is the claim, the second a looser figure published beside it. The noise is
//! discrete: by stochastic domination (`docs/privacy.md`) that adds at most H = √d·Δ/σ² per release
//! to ε, and the H of a person's releases add up as the ρ do.
//!
//! Bisections end at neighbouring numbers, on the side that claims less privacy. `libm` computes the
//! functions, so each machine gets the same bits. Costs are integers in units of 2⁻⁶⁴, rounded up.
//! Who pays, and that it is on disk before anything is sent, is the ledger's work.
mod cost;
mod curve;

use crate::units::{Delta, Epsilon, Mu, NoiseMultiplier, Probability, Rho, UnitError};
use curve::{between, boundary, ln_delta, ln_phi, zcdp_bound};

pub use cost::{Budget, Cost};

/// Why no figure came.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum AccountantError {
    /// A result left the range of its unit: the inputs are too large or too small to account for.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// No noise is strong enough: ε = 0 and δ = 0 would need an infinite amount.
    #[error("no finite noise gives epsilon = {epsilon} at delta = {delta}")]
    NoNoiseSuffices {
        /// The ε asked for.
        epsilon: f64,
        /// The δ asked for.
        delta: f64,
    },
    /// Nothing is promised (δ = 1, or no release), so no amount of noise follows.
    #[error("{releases} releases at delta = {delta} need no noise; nothing to calibrate")]
    NoNoiseNeeded {
        /// The number of releases.
        releases: u64,
        /// The δ asked for.
        delta: f64,
    },
    /// A budget needs ε above 0 and δ strictly between 0 and 1.
    #[error(
        "a budget of epsilon = {epsilon} at delta = {delta} can pay for nothing or promises nothing"
    )]
    NotABudget {
        /// The ε offered.
        epsilon: f64,
        /// The δ offered.
        delta: f64,
    },
    /// The guaranteed variance of a release is 0.
    #[error("a release without noise has no finite cost")]
    NoVariance,
    /// A cost does not fit 2⁶⁴ in fixed point.
    #[error("a cost is beyond what fixed point can hold")]
    Overflow,
}

/// `count` releases of the same kind, with Gaussian noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianReleases {
    /// By how much one person can move a release, in the L2 norm. Units: as `sigma`.
    pub l2: f64,
    /// The noise's standard deviation.
    pub sigma: f64,
    /// How many.
    pub count: u64,
}

/// μ of all the releases together, also when later ones were chosen after seeing earlier ones.
///
/// # Errors
/// [`AccountantError::Unit`] if a sensitivity is negative or not finite, or a σ is not above 0.
pub fn compose(releases: &[GaussianReleases]) -> Result<Mu, AccountantError> {
    let mut total = 0.0f64;
    for release in releases {
        let sensitivity = Rho::new(release.l2)?.value();
        let sigma = NoiseMultiplier::new(release.sigma)?.value();
        total += count(release.count) * (sensitivity / sigma) * (sensitivity / sigma);
    }
    Ok(Mu::new(libm::sqrt(total))?)
}

/// μ of `releases` releases of noise multiplier `multiplier`.
///
/// # Errors
/// [`AccountantError::Unit`] never, since √k/z is a number at least 0; kept for the constructor.
pub fn mu_of(multiplier: NoiseMultiplier, releases: u64) -> Result<Mu, AccountantError> {
    Ok(Mu::new(libm::sqrt(count(releases)) / multiplier.value())?)
}

/// ρ = μ²/2.
///
/// # Errors
/// [`AccountantError::Unit`] if μ is too large for ρ to be finite.
pub fn rho_of(mu: Mu) -> Result<Rho, AccountantError> {
    Ok(Rho::new(mu.value() * mu.value() / 2.0)?)
}

/// μ = √(2ρ).
///
/// # Errors
/// [`AccountantError::Unit`] if 2ρ overflows.
pub fn mu_of_rho(rho: Rho) -> Result<Mu, AccountantError> {
    Ok(Mu::new(libm::sqrt(2.0 * rho.value()))?)
}

/// The smallest δ for which (ε, δ) holds at `mu`; underflows to 0 below 5·10⁻³²⁴.
///
/// # Errors
/// [`AccountantError::Unit`] never: the value is clamped to [0, 1].
pub fn delta_at(mu: Mu, epsilon: Epsilon) -> Result<Delta, AccountantError> {
    let delta = libm::exp(ln_delta(mu.value(), epsilon.value()));
    Ok(Delta::new(delta.clamp(0.0, 1.0))?)
}

/// The smallest ε that holds at `mu` with failure probability `delta`, rounded up; `None` if no
/// finite ε does (δ = 0 with μ > 0, or μ beyond accounting).
pub fn epsilon_at(mu: Mu, delta: Delta) -> Option<Epsilon> {
    let ln_allowed = libm::log(delta.value());
    let holds = |epsilon: f64| ln_delta(mu.value(), epsilon) <= ln_allowed;
    if holds(0.0) {
        return Epsilon::new(0.0).ok();
    }
    if delta.value() <= 0.0 || mu.value().is_infinite() {
        return None;
    }
    Epsilon::new(boundary(|epsilon| !holds(epsilon))?.above).ok()
}

/// The largest μ at which (ε, δ) holds, rounded down. Infinite if δ = 1.
///
/// # Errors
/// [`AccountantError::Unit`] never: the value is at least 0.
pub fn mu_max(epsilon: Epsilon, delta: Delta) -> Result<Mu, AccountantError> {
    if delta.value() >= 1.0 {
        return Ok(Mu::new(f64::INFINITY)?);
    }
    if delta.value() <= 0.0 {
        return Ok(Mu::new(0.0)?);
    }
    let ln_allowed = libm::log(delta.value());
    let edge = boundary(|mu| ln_delta(mu, epsilon.value()) <= ln_allowed);
    Ok(Mu::new(edge.map_or(0.0, |edge| edge.below))?)
}

/// The least noise multiplier with which `releases` releases together stay within (ε, δ).
///
/// # Errors
/// [`AccountantError::NoNoiseSuffices`] if δ = 0; [`AccountantError::NoNoiseNeeded`] if δ = 1 or
/// there is no release.
pub fn noise_multiplier(
    epsilon: Epsilon,
    delta: Delta,
    releases: u64,
) -> Result<NoiseMultiplier, AccountantError> {
    let mu = mu_max(epsilon, delta)?.value();
    if releases == 0 || mu.is_infinite() {
        return Err(AccountantError::NoNoiseNeeded { releases, delta: delta.value() });
    }
    if mu <= 0.0 {
        return Err(AccountantError::NoNoiseSuffices {
            epsilon: epsilon.value(),
            delta: delta.value(),
        });
    }
    Ok(NoiseMultiplier::new((libm::sqrt(count(releases)) / mu).next_up())?)
}

/// ε of the zCDP conversion, the looser second figure; `None` if no finite ε holds.
pub fn epsilon_zcdp(rho: Rho, delta: Delta) -> Option<Epsilon> {
    if rho.value() <= 0.0 || delta.value() >= 1.0 {
        return Epsilon::new(0.0).ok();
    }
    if delta.value() <= 0.0 {
        return None;
    }
    Epsilon::new(zcdp_bound(rho.value(), libm::log(delta.value())).max(0.0)).ok()
}

/// The largest ρ at which the zCDP conversion stays within (ε, δ), rounded down.
///
/// # Errors
/// [`AccountantError::NoNoiseNeeded`] if δ = 1, where any ρ would do.
pub fn rho_max_zcdp(epsilon: Epsilon, delta: Delta) -> Result<Rho, AccountantError> {
    if delta.value() >= 1.0 {
        return Err(AccountantError::NoNoiseNeeded { releases: 1, delta: delta.value() });
    }
    if delta.value() <= 0.0 {
        return Ok(Rho::new(0.0)?);
    }
    let ln_delta = libm::log(delta.value());
    let edge = boundary(|rho| zcdp_bound(rho, ln_delta) <= epsilon.value());
    Ok(Rho::new(edge.map_or(0.0, |edge| edge.below))?)
}

/// The probability with which the best attacker detects a person, at the given false-alarm rate:
/// Φ(Φ⁻¹(rate) + μ). In words for an officer: knowing everything else, how often is one found out?
///
/// # Errors
/// [`AccountantError::Unit`] never: the value is clamped to [0, 1].
pub fn attacker_power(mu: Mu, rate: Probability) -> Result<Probability, AccountantError> {
    if rate.value() <= 0.0 || rate.value() >= 1.0 {
        return Ok(rate);
    }
    // The quantile lies within ±39: beyond, Φ is 0 or 1 in this arithmetic.
    let (mut below, mut above) = (-39.0, 39.0);
    while let Some(middle) = between(below, above) {
        if libm::exp(ln_phi(middle)) <= rate.value() {
            below = middle;
        } else {
            above = middle;
        }
    }
    let power = libm::exp(ln_phi(above + mu.value()));
    Ok(Probability::new(power.clamp(0.0, 1.0))?)
}

#[expect(clippy::cast_precision_loss, reason = "counts above 2⁵³ are beyond any study")]
fn count(releases: u64) -> f64 {
    releases as f64
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn mu(value: f64) -> Mu {
        Mu::new(value).unwrap()
    }

    fn delta(value: f64) -> Delta {
        Delta::new(value).unwrap()
    }

    fn epsilon(value: f64) -> Epsilon {
        Epsilon::new(value).unwrap()
    }

    fn close(found: f64, expected: f64, tolerance: f64) {
        assert!((found / expected - 1.0).abs() <= tolerance, "{found}, expected {expected}");
    }

    #[test]
    fn the_ends_of_the_domain_have_their_limits() {
        for (m, d, expected) in [
            (0.0, 0.0, Some(0.0)),
            (0.0, 1e-6, Some(0.0)),
            (1.0, 1.0, Some(0.0)),
            (f64::INFINITY, 1.0, Some(0.0)),
            (1.0, 0.0, None),
            (5e-324, 0.0, None),
            (f64::INFINITY, 0.5, None),
            (1e200, 1e-6, None),
            (1e-300, 1e-6, Some(0.0)),
            (5e-324, 1e-300, Some(0.0)),
        ] {
            assert_eq!(epsilon_at(mu(m), delta(d)).map(Epsilon::value), expected, "μ {m}, δ {d}");
        }
    }

    /// Expected values by 80-digit arithmetic.
    #[test]
    fn matches_high_precision_far_from_the_ordinary() {
        for (m, d, expected) in [
            (1e-14, 1e-15, 9.023_463_475_100_37e-15),
            (1e-9, 1e-12, 2.717_805_515_645_323e-9),
            (1e-6, 1e-12, 4.424_892_759_089_482e-6),
            (1e-6, 1e-300, 3.657_431_251_424_889e-5),
            (0.0099, 1e-9, 0.048_358_314_904_312_84),
            (0.0101, 1e-9, 0.049_374_664_458_147_2),
            (0.01, 1e-200, 0.299_446_351_626_650_73),
            (0.05, 0.001, 0.084_017_662_655_424_1),
            (1.0, 1e-300, 37.448_847_912_139_11),
            (3.0, 0.5, 3.529_275_780_931_74),
            (50.0, 1e-6, 1_486.716_041_494_015_1),
            (1000.0, 1e-10, 506_360.344_069_977_47),
            (1e6, 1e-6, 500_004_753_423.308_84),
        ] {
            close(epsilon_at(mu(m), delta(d)).unwrap().value(), expected, 1e-11);
            close(mu_max(epsilon(expected), delta(d)).unwrap().value(), m, 1e-11);
        }
    }

    #[test]
    fn epsilon_is_on_the_safe_side_of_the_curve() {
        for (m, d) in [(0.001, 1e-12), (0.01, 1e-6), (0.5, 1e-6), (1.0, 1e-9), (30.0, 1e-5)] {
            let above = epsilon_at(mu(m), delta(d)).unwrap();
            let below = epsilon(above.value().next_down());
            assert!(delta_at(mu(m), above).unwrap().value() <= d * (1.0 + 1e-12));
            assert!(ln_delta(m, below.value()) > libm::log(d));
        }
    }

    #[test]
    fn the_curve_has_no_step_where_its_formula_changes() {
        for e in [0.0, 1e-4, 0.01, 0.04, 0.06, 0.3] {
            let below = ln_delta(0.01f64.next_down(), e);
            let above = ln_delta(0.01, e);
            assert!((below - above).abs() < 1e-9, "ε {e}: {below} {above}");
        }
    }

    #[test]
    fn the_noise_multiplier_keeps_what_it_promises() {
        for (e, d, releases) in [(1.0, 1e-6, 1), (1.0, 1e-6, 52), (4.0, 1e-9, 365), (0.0, 1e-6, 1)]
        {
            let z = noise_multiplier(epsilon(e), delta(d), releases).unwrap();
            let kept = epsilon_at(mu_of(z, releases).unwrap(), delta(d)).unwrap().value();
            assert!(kept <= e * (1.0 + 1e-12) + 1e-15, "{kept} above {e}");
        }
        assert_eq!(
            noise_multiplier(epsilon(0.0), delta(0.0), 1),
            Err(AccountantError::NoNoiseSuffices { epsilon: 0.0, delta: 0.0 })
        );
        for (d, releases) in [(1.0, 1), (1e-6, 0)] {
            assert_eq!(
                noise_multiplier(epsilon(1.0), delta(d), releases),
                Err(AccountantError::NoNoiseNeeded { releases, delta: d })
            );
        }
    }

    #[test]
    fn a_release_with_no_noise_or_no_sense_does_not_compose() {
        for (l2, sigma) in [(1.0, 0.0), (f64::NAN, 1.0), (-1.0, 1.0), (1.0, f64::INFINITY)] {
            assert!(compose(&[GaussianReleases { l2, sigma, count: 1 }]).is_err());
        }
        assert_eq!(compose(&[]).unwrap(), mu(0.0));
    }

    #[test]
    fn the_zcdp_figure_is_looser_and_has_the_same_ends() {
        for (r, d) in [(0.005, 1e-6), (0.5, 1e-9), (8.0, 1e-6), (1e-9, 1e-12), (1e4, 1e-3)] {
            let rho = Rho::new(r).unwrap();
            let exact = epsilon_at(mu_of_rho(rho).unwrap(), delta(d)).unwrap();
            let loose = epsilon_zcdp(rho, delta(d)).unwrap();
            assert!(loose > exact, "ρ {r}: {loose:?} {exact:?}");
            close(rho_max_zcdp(loose, delta(d)).unwrap().value(), r, 1e-9);
        }
        let rho = |value| Rho::new(value).unwrap();
        assert_eq!(epsilon_zcdp(rho(0.0), delta(0.0)), Some(epsilon(0.0)));
        assert_eq!(epsilon_zcdp(rho(1.0), delta(1.0)), Some(epsilon(0.0)));
        assert_eq!(epsilon_zcdp(rho(1.0), delta(0.0)), None);
    }

    #[test]
    fn the_attacker_gains_what_gaussian_privacy_allows() {
        let power =
            |m, rate| attacker_power(mu(m), Probability::new(rate).unwrap()).unwrap().value();
        close(power(0.0, 0.05), 0.05, 1e-12);
        close(power(0.5, 0.05), 0.126_113_1, 1e-3);
        close(power(f64::INFINITY, 0.05), 1.0, 0.0);
        assert!(power(3.0, 0.0) <= 0.0);
        close(power(3.0, 1.0), 1.0, 0.0);
    }
}
