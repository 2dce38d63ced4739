//! Shares a pool of money in proportion to fitted labour, to the cent.
//!
//! ```text
//! a_u = clip(k · g_u · L_u, lo_u, hi_u)    Σ a_u = pool
//! k: the sum is piecewise linear and non-decreasing, with break points lo/gL and hi/gL; exact by
//!    bisection over the sorted break points and one linear step
//! cents: floor, then largest remainders inside the bounds, ties to the lower index
//! index: (L_u/N_u) / (ΣL/ΣN), 1 on average over clinicians
//! ```
//! L: labour fitted for a unit (a site or a service line, never a person), g: public price index.
//! Floors and caps belong *per head*: only then can no unit gain by merging or splitting. Labour that
//! noise made negative counts as none; what a unit without labour gets beyond its floor is only what
//! the caps of all others leave over, in equal parts. Where the labour comes from, and with which
//! noise replicates are drawn, is the caller's business.
use serde::Serialize;
use tacit_shared::money::Cents;
use thiserror::Error;

mod cents;
pub mod codes;
pub mod equity;
mod fill;
#[cfg(test)]
pub(crate) mod fixture;
pub mod labour;
pub mod redraw;

use cents::{as_f64, whole, whole_cents};
use fill::Tank;

/// Fewest replicates of an interval; 150 would cost about half a point of coverage.
pub const FEWEST_DRAWS: usize = 999;

/// Most replicates of an interval, which bounds its memory.
pub const MOST_DRAWS: usize = 20_000;

/// What one unit brings to the division. All amounts in cents, not necessarily whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// Fitted labour, in any unit common to all claims; negative counts as none.
    pub labour: f64,
    /// Public price index, at least 0; 1 where prices do not differ.
    pub price: f64,
    /// Least amount, at least 0.
    pub floor: f64,
    /// Greatest amount; infinite where there is no cap.
    pub cap: f64,
}

impl Claim {
    /// A claim without floor, cap and price index.
    pub fn of_labour(labour: f64) -> Self {
        Self { labour, price: 1.0, floor: 0.0, cap: f64::INFINITY }
    }
}

/// What one unit gets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Award {
    /// The exact amount in cents, before rounding.
    pub amount: f64,
    /// The amount paid.
    pub cents: Cents,
}

/// Why a pool cannot be divided. Units are counted from 0.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum AllocationError {
    /// There is nobody to share with.
    #[error("there is no unit to share the pool")]
    NoUnits,
    /// The pool is negative.
    #[error("the pool is {pool}; expected at least 0.00")]
    NegativePool {
        /// The pool.
        pool: Cents,
    },
    /// A number of a claim is not a number, or outside its range.
    #[error("unit {unit}: {what}")]
    BadClaim {
        /// Whose.
        unit: usize,
        /// Which number, and what is expected of it.
        what: &'static str,
    },
    /// A unit's floor is above its cap.
    #[error("unit {unit}: its floor is above its cap")]
    FloorAboveCap {
        /// Whose.
        unit: usize,
    },
    /// The floors ask for more than there is.
    #[error("the floors add up to more than the pool of {pool}")]
    FloorsAbovePool {
        /// The pool.
        pool: Cents,
    },
    /// The caps allow less than there is.
    #[error("the caps add up to less than the pool of {pool}: some of it could not be given out")]
    CapsBelowPool {
        /// The pool.
        pool: Cents,
    },
    /// Floors and caps leave room for the pool, but not in whole cents.
    #[error("no whole-cent division of {pool} keeps every floor and cap")]
    NoWholeCents {
        /// The pool.
        pool: Cents,
    },
    /// Too few or too many replicates for an interval.
    #[error("an interval needs {FEWEST_DRAWS} to {MOST_DRAWS} replicates; found {found}")]
    Draws {
        /// How many there were; counting stops at the first that is too many.
        found: usize,
    },
    /// A replicate, or a list of head counts, has another number of units.
    #[error("expected {expected} units, found {found}")]
    Units {
        /// As many as there are claims.
        expected: usize,
        /// As many as there were.
        found: usize,
    },
}

/// Divides the pool. The cents add up to the pool exactly and keep every floor and cap.
///
/// # Errors
/// Every variant of [`AllocationError`] but [`AllocationError::Draws`]; nothing is given out then.
pub fn allocate(pool: Cents, claims: &[Claim]) -> Result<Vec<Award>, AllocationError> {
    let amounts = amounts(pool, claims)?;
    let cents = whole_cents(pool, claims, &amounts)?;
    Ok(amounts
        .into_iter()
        .zip(cents)
        .map(|(amount, cents)| Award { amount, cents: Cents::new(cents) })
        .collect())
}

/// The 95 % interval of one unit's number, such as its amount in cents.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ShareInterval {
    /// 2.5 % point of the replicates.
    pub low: f64,
    /// 97.5 % point of the replicates.
    pub high: f64,
}

/// Percentile intervals of numbers under noise: each replicate has one for each of `units`. The caller draws
/// the replicates from the known noise of the release (a parametric bootstrap of all that leads to them);
/// the intervals answer "what would the exact data give", not "what would another month give".
///
/// # Errors
/// [`AllocationError::Draws`] and [`AllocationError::Units`].
pub fn share_intervals(
    units: usize,
    draws: impl IntoIterator<Item = Vec<f64>>,
) -> Result<Vec<ShareInterval>, AllocationError> {
    let mut columns: Vec<Vec<f64>> = vec![Vec::new(); units];
    let mut found = 0usize;
    for draw in draws {
        found = found.saturating_add(1);
        if found > MOST_DRAWS {
            break;
        }
        same_units(units, draw.len())?;
        for (column, number) in columns.iter_mut().zip(draw) {
            column.push(number);
        }
    }
    if !(FEWEST_DRAWS..=MOST_DRAWS).contains(&found) {
        return Err(AllocationError::Draws { found });
    }
    Ok(columns
        .into_iter()
        .map(|mut column| {
            column.sort_by(f64::total_cmp);
            ShareInterval { low: quantile(&column, 0.025), high: quantile(&column, 0.975) }
        })
        .collect())
}

/// Labour per head of each unit relative to that of everybody: 1 on average over heads. `None` for a
/// unit without heads, and for all if there is no labour.
///
/// # Errors
/// [`AllocationError::Units`] if the two differ in length.
pub fn labour_index(labour: &[f64], heads: &[f64]) -> Result<Vec<Option<f64>>, AllocationError> {
    same_units(labour.len(), heads.len())?;
    let average = labour.iter().sum::<f64>() / heads.iter().sum::<f64>();
    Ok(labour
        .iter()
        .zip(heads)
        .map(|(labour, heads)| Some(labour / heads / average).filter(|index| index.is_finite()))
        .collect())
}

/// The exact amounts in cents, before rounding.
///
/// # Errors
/// As [`allocate`], but for whole cents.
pub fn amounts(pool: Cents, claims: &[Claim]) -> Result<Vec<f64>, AllocationError> {
    check(pool, claims)?;
    let demand: Vec<f64> = claims.iter().map(|claim| claim.labour.max(0.0) * claim.price).collect();
    let most = demand.iter().copied().fold(0.0, f64::max);
    let tanks: Vec<Tank> = claims
        .iter()
        .zip(demand)
        .map(|(claim, demand)| Tank {
            pull: if most > 0.0 { demand / most } else { 0.0 },
            low: claim.floor,
            high: claim.cap,
        })
        .collect();
    Ok(fill::fill(&tanks, as_f64(pool)))
}

fn check(pool: Cents, claims: &[Claim]) -> Result<(), AllocationError> {
    if pool < Cents::ZERO {
        return Err(AllocationError::NegativePool { pool });
    }
    if claims.is_empty() {
        return Err(AllocationError::NoUnits);
    }
    for (unit, claim) in claims.iter().enumerate() {
        let bad = |what| Err(AllocationError::BadClaim { unit, what });
        if !claim.labour.is_finite() {
            return bad("its labour is not a finite number");
        }
        if !(claim.price.is_finite() && claim.price >= 0.0) {
            return bad("its price index is not a finite number of at least 0");
        }
        if !(claim.labour * claim.price).is_finite() {
            return bad("its labour times its price index is not a finite number");
        }
        if !(claim.floor.is_finite() && claim.floor >= 0.0) {
            return bad("its floor is not a finite amount of at least 0");
        }
        if claim.cap.is_nan() || claim.cap < 0.0 {
            return bad("its cap is not an amount of at least 0");
        }
        if claim.floor > claim.cap {
            return Err(AllocationError::FloorAboveCap { unit });
        }
    }
    // Bounds given as shares of the pool may miss it by rounding error.
    let budget = as_f64(pool);
    let slack = 1e-9 + 1e-12 * budget;
    if claims.iter().map(|claim| claim.floor).sum::<f64>() > budget + slack {
        return Err(AllocationError::FloorsAbovePool { pool });
    }
    if claims.iter().map(|claim| claim.cap).sum::<f64>() < budget - slack {
        return Err(AllocationError::CapsBelowPool { pool });
    }
    Ok(())
}

fn same_units(expected: usize, found: usize) -> Result<(), AllocationError> {
    if expected == found { Ok(()) } else { Err(AllocationError::Units { expected, found }) }
}

/// The p-quantile of sorted numbers, linear between order statistics.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let place = p * crate::model::gram::float(sorted.len().saturating_sub(1));
    let below = usize::try_from(whole(place.floor())).unwrap_or_default();
    let at = |index: usize| sorted.get(index).or(sorted.last()).copied().unwrap_or(f64::NAN);
    let (low, high) = (at(below), at(below.saturating_add(1)));
    low + (high - low) * (place - place.floor())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    fn cents(awards: &[Award]) -> Vec<i64> {
        awards.iter().map(|award| award.cents.value()).collect()
    }

    fn claims(labour: &[f64]) -> Vec<Claim> {
        labour.iter().copied().map(Claim::of_labour).collect()
    }

    #[test]
    fn equal_claims_differ_by_a_cent_at_most() {
        let awards = allocate(Cents::new(100), &claims(&[1.0, 1.0, 1.0])).unwrap();
        assert_eq!(cents(&awards), [34, 33, 33]);
    }

    #[test]
    fn a_price_index_counts_like_labour() {
        let mut dear = claims(&[1.0, 1.0]);
        dear[0].price = 3.0;
        let awards = allocate(Cents::new(1_000), &dear).unwrap();
        assert_eq!(cents(&awards), [750, 250]);
    }

    #[test]
    fn without_labour_only_floors_and_leftovers_remain() {
        let mut some = claims(&[5.0, 0.0, -2.0]);
        some[1].floor = 100.0;
        assert_eq!(cents(&allocate(Cents::new(1_000), &some).unwrap()), [900, 100, 0]);
        some[0].cap = 500.0;
        assert_eq!(
            cents(&allocate(Cents::new(1_000), &some).unwrap()),
            [500, 300, 200],
            "what the cap leaves over is poured in equal parts on top of the floors"
        );
        let none = allocate(Cents::new(10), &claims(&[0.0, 0.0, 0.0])).unwrap();
        assert_eq!(cents(&none), [4, 3, 3]);
    }

    #[test]
    fn claims_that_cannot_be_met_are_refused() {
        let pool = Cents::new(1_000);
        let with = |change: fn(&mut Claim)| {
            let mut all = claims(&[1.0, 2.0]);
            change(&mut all[1]);
            allocate(pool, &all).unwrap_err()
        };
        assert_eq!(with(|claim| claim.floor = 1_001.0), AllocationError::FloorsAbovePool { pool });
        assert_eq!(
            with(|claim| (claim.floor, claim.cap) = (2.0, 1.0)),
            AllocationError::FloorAboveCap { unit: 1 }
        );
        for change in [
            (|claim| claim.labour = f64::NAN) as fn(&mut Claim),
            |claim| claim.labour = f64::INFINITY,
            |claim| claim.price = -1.0,
            |claim| claim.floor = f64::NAN,
            |claim| claim.floor = -1.0,
            |claim| claim.cap = f64::NAN,
            |claim| (claim.labour, claim.price) = (1e300, 1e300),
        ] {
            assert!(matches!(with(change), AllocationError::BadClaim { unit: 1, .. }));
        }
        let mut low = claims(&[1.0, 1.0]);
        low[0].cap = 400.0;
        low[1].cap = 500.0;
        assert_eq!(allocate(pool, &low).unwrap_err(), AllocationError::CapsBelowPool { pool });
        let half = vec![Claim { floor: 0.5, cap: 0.5, ..Claim::of_labour(1.0) }; 2];
        assert_eq!(
            allocate(Cents::new(1), &half).unwrap_err(),
            AllocationError::NoWholeCents { pool: Cents::new(1) }
        );
        assert_eq!(allocate(pool, &[]).unwrap_err(), AllocationError::NoUnits);
        assert!(matches!(
            allocate(Cents::new(-1), &claims(&[1.0])),
            Err(AllocationError::NegativePool { .. })
        ));
    }

    #[test]
    fn intervals_are_percentiles_of_the_replicates() {
        // i/1000 for i = 1 … 999: the 2.5 % point of 999 ordered numbers.
        let draws = (1..=999).map(|part| vec![f64::from(part), f64::from(1_000 - part)]);
        for interval in share_intervals(2, draws.clone()).unwrap() {
            assert!((interval.low - 25.95).abs() < 1e-9);
            assert!((interval.high - 974.05).abs() < 1e-9);
        }
        let few = share_intervals(2, draws.clone().take(998));
        assert_eq!(few.unwrap_err(), AllocationError::Draws { found: 998 });
        let endless = std::iter::repeat_with(|| vec![1.0, 1.0]);
        let many = share_intervals(2, endless);
        assert_eq!(many.unwrap_err(), AllocationError::Draws { found: MOST_DRAWS + 1 });
        let other = share_intervals(1, draws);
        assert!(matches!(other, Err(AllocationError::Units { .. })));
    }

    #[test]
    fn the_index_is_one_on_average_over_heads() {
        let heads = [10.0, 30.0, 0.0];
        let index = labour_index(&[5.0, 30.0, 0.0], &heads).unwrap();
        let mean = (index[0].unwrap() * 10.0 + index[1].unwrap() * 30.0) / 40.0;
        assert!((mean - 1.0).abs() < 1e-15);
        assert_eq!(index[2], None);
    }

    /// Half of the claims have bounds in whole cents.
    fn any_claim() -> impl Strategy<Value = Claim> {
        let bounds = (0.0..1e4f64, 1e4..1e6f64, any::<bool>());
        (1e-3..1e3f64, 0.5..2.0f64, bounds).prop_map(|(labour, price, (floor, cap, whole))| Claim {
            labour,
            price,
            floor: if whole { floor.floor() } else { floor },
            cap: if whole { cap.floor() } else { cap },
        })
    }

    proptest! {
        #[test]
        fn cents_add_up_and_keep_floors_and_caps(
            claims in prop::collection::vec(any_claim(), 1..40),
            share in 0.0..1.0f64,
        ) {
            let least: f64 = claims.iter().map(|claim| claim.floor.ceil()).sum();
            let most: f64 = claims.iter().map(|claim| claim.cap.floor()).sum();
            let pool = Cents::new(whole((least + share * (most - least)).round()));
            let awards = allocate(pool, &claims).unwrap();
            prop_assert_eq!(Cents::sum(awards.iter().map(|award| award.cents)).unwrap(), pool);
            let cut = |bound: f64| bound.fract() != 0.0;
            let moved: f64 = claims.iter().filter(|c| cut(c.floor) || cut(c.cap)).map(|_| 1.0).sum();
            let level = |award: &Award, claim: &Claim| award.amount / (claim.labour * claim.price);
            for (award, claim) in awards.iter().zip(&claims) {
                let paid = as_f64(award.cents);
                prop_assert!(claim.floor <= paid && paid <= claim.cap);
                // What a bound in fractions of a cent cuts off is moved to whoever has room.
                prop_assert!((paid - award.amount).abs() <= moved + 1.0 + 1e-6);
                // Whoever is at neither bound has the common level.
                for (other, theirs) in awards.iter().zip(&claims) {
                    let inside = |award: &Award, claim: &Claim|
                        award.amount > claim.floor + 1e-6 && award.amount < claim.cap - 1e-6;
                    if inside(award, claim) && inside(other, theirs) {
                        let (one, two) = (level(award, claim), level(other, theirs));
                        prop_assert!((one - two).abs() <= 1e-9 * one.abs());
                    }
                }
            }
        }

        #[test]
        fn the_unit_of_labour_does_not_matter(
            claims in prop::collection::vec(any_claim(), 1..20),
            power in -200i32..200,
        ) {
            let total: f64 = claims.iter().map(|claim| claim.floor.ceil() + 5_000.0).sum();
            let pool = Cents::new(whole(total));
            let scale = 2f64.powi(power);
            let scaled: Vec<Claim> = claims
                .iter()
                .map(|claim| Claim { labour: claim.labour * scale, ..*claim })
                .collect();
            prop_assert_eq!(allocate(pool, &claims), allocate(pool, &scaled));
        }

        #[test]
        fn no_input_panics(
            numbers in prop::collection::vec(prop::array::uniform4(any::<f64>()), 0..6),
            pool: i64,
        ) {
            let claims: Vec<Claim> = numbers
                .iter()
                .map(|&[labour, price, floor, cap]| Claim { labour, price, floor, cap })
                .collect();
            let pool = Cents::new(pool);
            if let Ok(awards) = allocate(pool, &claims) {
                prop_assert_eq!(Cents::sum(awards.iter().map(|award| award.cents)).unwrap(), pool);
            }
        }

        #[test]
        fn extreme_but_lawful_claims_are_divided(
            claims in prop::collection::vec(
                (-1e300..1e300f64, 0u8..3).prop_map(|(labour, cap)| Claim {
                    cap: if cap == 0 { 9.0e18 } else { f64::INFINITY },
                    ..Claim::of_labour(labour)
                }),
                2..8,
            ),
            pool in 0..=i64::MAX,
        ) {
            let pool = Cents::new(pool);
            let awards = allocate(pool, &claims).unwrap();
            prop_assert_eq!(Cents::sum(awards.iter().map(|award| award.cents)).unwrap(), pool);
        }
    }
}
