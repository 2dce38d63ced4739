//! Whole cents by largest remainders.
//!
//! Every amount is rounded down, then the cents left over go to the largest remainders, ties to the
//! lower index; floors and caps hold throughout, and the result adds up to the pool exactly.
use tacit_shared::money::Cents;

use super::{AllocationError, Claim};

/// Largest remainders inside the bounds; the result adds up to the pool.
pub(super) fn whole_cents(
    pool: Cents,
    claims: &[Claim],
    amounts: &[f64],
) -> Result<Vec<i64>, AllocationError> {
    let mut units: Vec<Rounding> = claims
        .iter()
        .zip(amounts)
        .enumerate()
        .map(|(unit, (claim, &amount))| Rounding::new(unit, claim, amount))
        .collect();
    if units.iter().any(|unit| unit.low > unit.high) {
        return Err(AllocationError::NoWholeCents { pool });
    }
    units.sort_by(|one, two| two.remainder.total_cmp(&one.remainder));
    let given: i128 = units.iter().map(|unit| i128::from(unit.cents)).sum();
    let count = i128::try_from(units.len()).unwrap_or(i128::MAX).max(1);
    let mut left = i128::from(pool.value()) - given;
    while left != 0 {
        let before = left;
        // One cent each; more only where a pool beyond 2^53 cents left more than a cent for each.
        let each = (left.abs() / count).max(1);
        if left > 0 {
            for unit in &mut units {
                left -= unit.move_by(each.min(left));
            }
        } else {
            for unit in units.iter_mut().rev() {
                left -= unit.move_by(-each.min(-left));
            }
        }
        if left == before {
            return Err(AllocationError::NoWholeCents { pool });
        }
    }
    units.sort_by_key(|unit| unit.unit);
    Ok(units.into_iter().map(|unit| unit.cents).collect())
}

struct Rounding {
    unit: usize,
    cents: i64,
    low: i64,
    high: i64,
    remainder: f64,
}

impl Rounding {
    /// Amounts within 1e-9 of a whole cent count as whole: less is rounding error of the division.
    fn new(unit: usize, claim: &Claim, amount: f64) -> Self {
        let low = whole((claim.floor - 1e-9).ceil());
        let high = whole((claim.cap + 1e-9).floor());
        let cents = whole((amount + 1e-9).floor()).min(high).max(low);
        Self { unit, cents, low, high, remainder: amount - as_f64(Cents::new(cents)) }
    }

    /// Moves by up to `wanted` cents inside the bounds and says by how many.
    fn move_by(&mut self, wanted: i128) -> i128 {
        let now = i128::from(self.cents);
        let target = (now + wanted).clamp(i128::from(self.low), i128::from(self.high));
        match i64::try_from(target) {
            Ok(cents) => {
                self.cents = cents;
                target - now
            }
            Err(_) => 0,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "water-filling is in floating point; the rounding to cents gives out the exact pool"
)]
pub(super) fn as_f64(cents: Cents) -> f64 {
    cents.value() as f64
}

/// A whole number; beyond the range of `i64` its nearest end.
#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` saturates, which is what a cap without limit needs"
)]
pub(super) fn whole(value: f64) -> i64 {
    value as i64
}
