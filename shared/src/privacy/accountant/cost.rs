//! Costs in fixed point, and the budget that admits them.
//!
//! ```text
//! ρ = Δ²/2σ²   H = ⌈√d⌉·Δ/σ²      per release, in units of 2⁻⁶⁴, rounded up
//! H_B = ε_B/200   ρ_B = μ_max(ε_B − H_B, δ_B)²/2      per budget, rounded down
//! ```
//! Integers from the noise to the comparison: no rounding of a float decides what is still admitted.
use super::{AccountantError, epsilon_at, epsilon_zcdp, mu_max};
use crate::units::{Delta, Epsilon, Mu, Rho};
use serde::{Deserialize, Serialize};

/// What a release costs one kind of protected person, in fixed point: units of 2⁻⁶⁴, rounded up.
/// Both parts add up, also over releases chosen after seeing earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// ρ in units of 2⁻⁶⁴.
    pub rho_fp: u128,
    /// The lattice term H, added to ε, in units of 2⁻⁶⁴.
    pub lattice_fp: u128,
}

impl Cost {
    /// Nothing spent.
    pub const ZERO: Self = Self { rho_fp: 0, lattice_fp: 0 };

    /// The cost of one release: ⌈Δ²·2⁶³/σ²⌉ and ⌈⌈√d⌉·Δ·2⁶⁴/σ²⌉, in integers throughout.
    ///
    /// `l2_int` is Δ in lattice units; `sigma_guaranteed_sq` the variance that remains if all
    /// tolerated colluders and drop-outs withhold their noise, in lattice units squared; `dimension`
    /// the length of the vector.
    ///
    /// # Errors
    /// [`AccountantError::NoVariance`], or [`AccountantError::Overflow`] if ρ or H reaches 2⁶⁴.
    pub fn of(
        l2_int: u64,
        sigma_guaranteed_sq: u128,
        dimension: u64,
    ) -> Result<Self, AccountantError> {
        let l2 = u128::from(l2_int);
        let square = l2.checked_mul(l2).ok_or(AccountantError::Overflow)?;
        let floor_root = dimension.isqrt();
        let exact = floor_root.checked_mul(floor_root) == Some(dimension);
        let root = u128::from(floor_root)
            .checked_add(u128::from(!exact))
            .ok_or(AccountantError::Overflow)?;
        let l1 = root.checked_mul(l2).ok_or(AccountantError::Overflow)?;
        Ok(Self {
            rho_fp: scaled_ratio_up(square, 63, sigma_guaranteed_sq)?,
            lattice_fp: scaled_ratio_up(l1, 64, sigma_guaranteed_sq)?,
        })
    }

    /// Both costs together; `None` if a part no longer fits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self {
            rho_fp: self.rho_fp.checked_add(other.rho_fp)?,
            lattice_fp: self.lattice_fp.checked_add(other.lattice_fp)?,
        })
    }

    /// ρ as a number to show, rounded up.
    pub fn rho(self) -> f64 {
        units_up(self.rho_fp)
    }

    /// μ = √(2ρ), rounded up. A figure to show; admission compares integers.
    ///
    /// # Errors
    /// [`AccountantError::Unit`] never: the value is finite.
    pub fn mu(self) -> Result<Mu, AccountantError> {
        Ok(Mu::new(libm::sqrt(2.0 * units_up(self.rho_fp)).next_up())?)
    }

    /// ε at `delta` by the exact Gaussian curve, plus H; `None` if no finite ε holds.
    pub fn epsilon(self, delta: Delta) -> Option<Epsilon> {
        if self == Self::ZERO {
            return Epsilon::new(0.0).ok();
        }
        let smooth = epsilon_at(self.mu().ok()?, delta)?;
        Epsilon::new((smooth.value() + units_up(self.lattice_fp)).next_up()).ok()
    }

    /// ε at `delta` by the zCDP conversion, which needs no lattice term; `None` if no ε holds.
    pub fn epsilon_zcdp(self, delta: Delta) -> Option<Epsilon> {
        epsilon_zcdp(Rho::new(units_up(self.rho_fp)).ok()?, delta)
    }
}

/// The claim "(ε, δ) for everything ever answered", as the two totals that a ledger may reach.
///
/// Fixed in advance, the totals make a valid filter: the analyst may choose each question after
/// seeing the answers before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    epsilon: Epsilon,
    delta: Delta,
    total: Cost,
}

impl Budget {
    /// Sets aside ε/200 for the lattice term and turns the rest into ρ, rounded down.
    ///
    /// # Errors
    /// [`AccountantError::NotABudget`] unless ε > 0 and 0 < δ < 1.
    pub fn new(epsilon: Epsilon, delta: Delta) -> Result<Self, AccountantError> {
        if epsilon.value() <= 0.0 || delta.value() <= 0.0 || delta.value() >= 1.0 {
            return Err(AccountantError::NotABudget {
                epsilon: epsilon.value(),
                delta: delta.value(),
            });
        }
        let lattice = epsilon.value() * LATTICE_SHARE;
        let mu = mu_max(Epsilon::new(epsilon.value() - lattice)?, delta)?.value();
        // The curve is computed to a few parts in 10¹³; what is given up here covers that.
        let rho = mu * mu / 2.0 * (1.0 - 1.0 / TRUST);
        let total = Cost { rho_fp: units_down(rho), lattice_fp: units_down(lattice) };
        Ok(Self { epsilon, delta, total })
    }

    /// The ε claimed.
    pub fn epsilon(&self) -> Epsilon {
        self.epsilon
    }

    /// The δ claimed.
    pub fn delta(&self) -> Delta {
        self.delta
    }

    /// The totals (`rho_B`, `H_B`) that spending may reach.
    pub fn total(&self) -> Cost {
        self.total
    }

    /// Whether `asked` may still be spent after `spent`: both parts stay within the totals.
    pub fn admits(&self, spent: Cost, asked: Cost) -> bool {
        spent.checked_add(asked).is_some_and(|sum| {
            sum.rho_fp <= self.total.rho_fp && sum.lattice_fp <= self.total.lattice_fp
        })
    }
}

/// The part of ε set aside for the lattice term H.
const LATTICE_SHARE: f64 = 1.0 / 200.0;

/// 2⁴⁰: the budget gives up one part in it, more than the rounding of the curve.
const TRUST: f64 = 1_099_511_627_776.0;
/// 2⁶⁴, the fixed point's unit.
const FIXED: f64 = 18_446_744_073_709_551_616.0;
/// ⌈numerator·2^shift / divisor⌉ by long division, one bit at a time.
fn scaled_ratio_up(numerator: u128, shift: u32, divisor: u128) -> Result<u128, AccountantError> {
    let mut quotient = numerator.checked_div(divisor).ok_or(AccountantError::NoVariance)?;
    let mut rest = numerator.checked_rem(divisor).ok_or(AccountantError::NoVariance)?;
    for _ in 0..shift {
        quotient = quotient.checked_mul(2).ok_or(AccountantError::Overflow)?;
        rest = rest.checked_mul(2).ok_or(AccountantError::Overflow)?;
        if let Some(less) = rest.checked_sub(divisor) {
            rest = less;
            quotient = quotient.checked_add(1).ok_or(AccountantError::Overflow)?;
        }
    }
    quotient.checked_add(u128::from(rest > 0)).ok_or(AccountantError::Overflow)
}

#[expect(clippy::cast_precision_loss, reason = "the nearest number, then the next above it")]
fn units_up(fixed: u128) -> f64 {
    if fixed == 0 { 0.0 } else { (fixed as f64 / FIXED).next_up() }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a scaled cost at least 0; the cast rounds down and saturates"
)]
fn units_down(value: f64) -> u128 {
    (value * FIXED) as u128
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn budget(epsilon: f64, delta: f64) -> Result<Budget, AccountantError> {
        Budget::new(Epsilon::new(epsilon).unwrap(), Delta::new(delta).unwrap())
    }

    #[test]
    fn a_cost_is_the_formula_rounded_up() {
        // Δ = σ: ρ = 1/2. d = 10: ⌈√10⌉ = 4, so H = 4/2²⁴ = 2⁻²².
        let cost = Cost::of(1 << 24, 1 << 48, 10).unwrap();
        assert_eq!(cost, Cost { rho_fp: 1 << 63, lattice_fp: 1 << 42 });
        // 1/3 in binary never ends: the last place is rounded up.
        let cost = Cost::of(1, 3, 9).unwrap();
        assert_eq!(cost.rho_fp, (1 << 63) / 3 + 1);
        assert_eq!(cost.lattice_fp, 1 << 64);
        let tiny = Cost::of(1, 1 << 120, 1).unwrap();
        assert_eq!(tiny, Cost { rho_fp: 1, lattice_fp: 1 });
    }

    #[test]
    fn a_cost_that_does_not_fit_is_refused() {
        assert_eq!(Cost::of(1, 0, 1), Err(AccountantError::NoVariance));
        assert_eq!(Cost::of(u64::MAX, 1, 1), Err(AccountantError::Overflow));
        assert_eq!(Cost::of(u64::MAX, u128::MAX, 1), Err(AccountantError::Overflow));
        assert!(Cost::of(1 << 40, 1 << 48, u64::MAX).is_ok());
        assert_eq!(
            Cost { rho_fp: u128::MAX, lattice_fp: 0 }
                .checked_add(Cost { rho_fp: 1, lattice_fp: 0 }),
            None
        );
    }

    #[test]
    fn a_budget_admits_to_its_last_unit_and_no_further() {
        let budget = budget(1.0, 1e-6).unwrap();
        let total = budget.total();
        let one = Cost { rho_fp: 1, lattice_fp: 0 };
        let one_lattice = Cost { rho_fp: 0, lattice_fp: 1 };
        assert!(budget.admits(Cost::ZERO, total));
        assert!(budget.admits(total, Cost::ZERO));
        assert!(!budget.admits(total, one));
        assert!(!budget.admits(total, one_lattice));
        assert!(!budget.admits(one, Cost { rho_fp: u128::MAX, lattice_fp: 0 }));
        assert!(budget.admits(Cost { rho_fp: total.rho_fp - 1, ..total }, one));
        assert_eq!(total.lattice_fp, units_down(0.005));
    }

    #[test]
    fn a_budget_spent_to_the_end_keeps_its_claim() {
        for (epsilon, delta) in [(0.01, 1e-9), (1.0, 1e-6), (4.0, 1e-6), (20.0, 1e-5)] {
            let budget = budget(epsilon, delta).unwrap();
            let spent = budget.total().epsilon(budget.delta()).unwrap().value();
            assert!(spent <= epsilon, "{spent} above {epsilon}");
            assert!(spent > epsilon * (1.0 - 1e-9), "{spent} far below {epsilon}");
        }
    }

    #[test]
    fn a_budget_needs_something_to_spend_and_something_to_promise() {
        for (epsilon, delta) in [(0.0, 1e-6), (1.0, 0.0), (1.0, 1.0)] {
            assert_eq!(budget(epsilon, delta), Err(AccountantError::NotABudget { epsilon, delta }));
        }
    }

    #[test]
    fn the_figures_of_a_cost_round_up() {
        let delta = Delta::new(1e-6).unwrap();
        assert_eq!(Cost::ZERO.epsilon(Delta::new(0.0).unwrap()), Epsilon::new(0.0).ok());
        let cost = Cost::of(1 << 24, 1 << 48, 100_000).unwrap();
        let exact = 4.886_554_117_462_212 + 317.0 / 16_777_216.0;
        let epsilon = cost.epsilon(delta).unwrap().value();
        assert!(epsilon >= exact && epsilon < exact + 1e-9, "{epsilon}");
        assert!(cost.epsilon_zcdp(delta).unwrap().value() > 5.2215);
        assert_eq!(cost.epsilon(Delta::new(0.0).unwrap()), None);
    }

    proptest! {
        #[test]
        fn long_division_is_the_division(
            numerator in 0u128..1 << 60, shift in 0u32..65, divisor in 1u128..1 << 70,
        ) {
            let expected = (numerator << shift).div_ceil(divisor);
            prop_assert_eq!(scaled_ratio_up(numerator, shift, divisor), Ok(expected));
        }
    }
}
