//! What the pool pays for a unit of the outcome, for a unit of each column, and for closing the gap of a group.
//!
//! ```text
//! L̂ = Σ over everybody of what the paying formula gives, above the low end of the scale
//! of a column      B βⱼ/L̂ a head            B: the pool, β: the paying formula
//! of a gap         B g n_g/L̂                g: mean residual difference under the best formula, n_g heads
//! ```
//! By the rule of division alone, before floors, caps, price indices and extra weights: what a pool of this size says a
//! point is worth. Each is computed anew in every draw of the division, so an interval says where it lies without noise.
use crate::allocation::labour::State;
use crate::allocation::{AllocationError, share_intervals};
use crate::model::{ModelError, measure};
use tacit_shared::study::Study;
use tacit_shared::study::allocation::{Allocation, By};

/// A price in cents, and where it lies without noise; no interval where a draw gave none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Priced {
    /// Cents.
    pub cents: f64,
    /// Lower and upper end.
    pub interval: Option<(f64, f64)>,
}

/// All prices of a division.
#[derive(Clone, Debug, PartialEq)]
pub struct Prices {
    /// Of one point of the outcome more for one head.
    pub point: Priced,
    /// Of one unit of each column more for one head, in the order of the design; of the intercept the typical clinician.
    pub columns: Vec<Priced>,
    /// Of closing the gap of each group, in the order of the study; `None` where noise hides the group.
    pub gaps: Vec<Option<Priced>>,
}

/// Everybody's heads, where all of them are public.
pub(super) fn public_heads(rule: &Allocation, sites: &[String]) -> Option<f64> {
    sites.iter().map(|site| rule.heads_of(&By::Sites, site)).sum()
}

/// The prices as numbers, one after the other: the point, the columns, the gaps. What cannot be computed is NaN.
///
/// # Errors
/// [`ModelError`] if the fit is of another design.
pub(super) fn numbers(
    study: &Study,
    pool: f64,
    public: Option<f64>,
    state: &State<'_>,
) -> Result<Vec<f64>, ModelError> {
    let (inputs, schema) = (state.inputs, study.schema());
    let all = inputs.all();
    let heads = public.unwrap_or(all.heads).max(1.0);
    let labour = match all.later.predicted {
        // As of the sites one by one: whoever has public heads and no row is at the typical value.
        Some(earlier) => earlier.base * heads + earlier.sum + all.x.dot(state.paying),
        None => heads * all.x.dot(&(inputs.gram().prior() + state.paying)) / all.weight,
    };
    let per_point = if labour > 0.0 { pool / labour } else { f64::NAN };
    let beta = inputs.gram().coefficients(state.paying)?;
    let mut numbers = vec![per_point / (schema.outcome.high - schema.outcome.low)];
    let columns = schema.columns();
    numbers.extend(columns.iter().zip(beta.iter()).map(|(c, b)| per_point * b / c.half_range));
    for at in 0..schema.groups.len() {
        let gap = measure::group(inputs, at, state.plain).map(|g| g.mean_residual_difference.value);
        numbers.push(per_point * gap.unwrap_or(f64::NAN) * inputs.group(at)?.heads.max(0.0));
    }
    Ok(numbers)
}

impl Prices {
    /// Reads [`numbers`] of a release, with those of its draws, if it was drawn again.
    ///
    /// # Errors
    /// [`AllocationError`] if there are too few draws, or one is of another length.
    pub(super) fn of(
        study: &Study,
        numbers: &[f64],
        redrawn: Option<Vec<Vec<f64>>>,
    ) -> Result<Self, AllocationError> {
        let ends: Vec<Option<(f64, f64)>> = match redrawn {
            None => numbers.iter().map(|cents| Some((*cents, *cents))).collect(),
            Some(draws) => {
                let finite =
                    |at: usize| draws.iter().all(|d| d.get(at).is_some_and(|v| v.is_finite()));
                let known: Vec<bool> = (0..numbers.len()).map(finite).collect();
                let intervals = share_intervals(numbers.len(), draws)?;
                let ends = intervals.into_iter().map(|interval| (interval.low, interval.high));
                ends.zip(known).map(|(ends, known)| known.then_some(ends)).collect()
            }
        };
        let priced =
            |(cents, interval): (&f64, Option<(f64, f64)>)| Priced { cents: *cents, interval };
        let all: Vec<Priced> = numbers.iter().zip(ends).map(priced).collect();
        let nothing = Priced { cents: f64::NAN, interval: None };
        let width = study.schema().width();
        let gaps = all.iter().skip(width.saturating_add(1));
        Ok(Self {
            point: all.first().copied().unwrap_or(nothing),
            columns: all.iter().skip(1).take(width).copied().collect(),
            gaps: gaps.map(|p| Some(*p).filter(|p| p.cents.is_finite())).collect(),
        })
    }
}
