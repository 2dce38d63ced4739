//! The one dial behind fair regression: close the share φ of a group's gap.
//!
//! ```text
//! u = mean x̃ of the group − that of the rest     h = mean residual difference of t̂     P = A⁻¹u
//! t(φ) = t̂ + φ · h/(uᵀP) · P                      RSS(φ) = RSS + φ² h²/(uᵀP)
//! several groups: Cᵀ step = (h, 0), step = A⁻¹C(CᵀA⁻¹C)⁻¹(h, 0), C = (u₁ … u_K, overall mean x̃)
//! ```
//! Stationarity of any fit that is constrained or penalised only through group mean residuals puts the
//! change into the span of A⁻¹C; keeping the overall mean leaves P. So φ = 1 is the average and the
//! covariance bound 0, and [`Equivalents`] gives α, m and λ of any φ. Half of a gap costs a quarter of
//! the accuracy.
//!
//! Under noise P from the same release is attenuated, E[uᵀA⁻¹u] = uᵀA⁻¹u + tr(A⁻¹ Cov u):
//! [`Shift::realised`] says how much of φ to expect, and no interval afterwards is valid, because the
//! noise that judges has chosen the direction. [`Direction::Frozen`] takes P from earlier periods.
use nalgebra::{DMatrix, DVector};
use serde::Serialize;

use super::ModelError;
use super::fair::{Gap, OverallMean, equality, group_path, mean_row, overall_row, share};
use super::gram::{GroupSums, Inputs};
use super::linear::Solution;
use super::solve::{Factor, same_length};

/// The share φ of the group gap that is closed, from 0 (plain fit) to 1 (no gap).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Phi(f64);

impl Phi {
    /// # Errors
    /// [`ModelError::Range`] unless 0 ≤ `value` ≤ 1.
    pub fn new(value: f64) -> Result<Self, ModelError> {
        share("phi", value)?;
        Ok(Self(value))
    }

    /// The share.
    pub const fn value(self) -> f64 {
        self.0
    }
}

/// Parameters of the other estimators that give the same fit as the dial at one φ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Equivalents {
    /// α of the weighted average that keeps the overall mean.
    pub alpha: f64,
    /// m of the covariance bound.
    pub m: f64,
    /// λ of the mean residual difference; none at φ = 1, where it is infinite.
    pub mean_residual_difference_lambda: Option<f64>,
    /// λ of the net compensation that keeps the overall mean; negative for an over-compensated group.
    pub net_compensation_lambda: f64,
}

/// The parameters equivalent to φ for one group.
///
/// # Errors
/// As [`super::fair::estimate`].
pub fn equivalents(
    inputs: &Inputs,
    solution: &Solution,
    group: usize,
    phi: Phi,
) -> Result<Equivalents, ModelError> {
    let phi = phi.value();
    let gap = Gap::of(inputs, solution, group)?;
    let path = group_path(inputs, solution, group, OverallMean::Kept)?;
    let (row, target) = mean_row(inputs.group(group)?, group)?;
    let own = target - row.dot(solution.t());
    Ok(Equivalents {
        alpha: 1.0 - phi,
        m: 1.0 - phi,
        mean_residual_difference_lambda: (phi < 1.0).then(|| phi / ((1.0 - phi) * gap.reach)),
        net_compensation_lambda: 2.0 * phi * own / row.dot(&path),
    })
}

/// Along which coefficients a gap is closed.
#[derive(Clone, Debug, PartialEq)]
pub enum Direction {
    /// P = A⁻¹u from the sums that also judge the result: the only one in a first period. Its metrics
    /// afterwards have no valid interval.
    SameRelease,
    /// Columns P (p × number of groups, whitened units of this release) from earlier periods.
    Frozen(DMatrix<f64>),
}

/// The way from the plain fit to the fit without gaps. Only [`shift`] makes one.
#[derive(Clone, Debug)]
pub struct Shift {
    plain: DVector<f64>,
    step: DVector<f64>,
    cost: f64,
    gaps: Vec<f64>,
    realised: Vec<f64>,
    along: Option<DVector<f64>>,
}

impl Shift {
    /// How far t̂ is moved along each frozen direction at φ; `None` for a direction of the same release.
    pub fn steps(&self, phi: Phi) -> Option<DVector<f64>> {
        self.along.as_ref().map(|along| along * phi.value())
    }

    /// The fit at φ: t̂ + φ·step, in whitened units.
    pub fn at(&self, phi: Phi) -> DVector<f64> {
        &self.plain + &self.step * phi.value()
    }

    /// By how much the residual sum of squares at φ exceeds that of the plain fit.
    pub fn cost(&self, phi: Phi) -> f64 {
        phi.value().powi(2) * self.cost
    }

    /// Mean residual difference of the plain fit for each group of the dial.
    pub fn gaps(&self) -> &[f64] {
        &self.gaps
    }

    /// For each group, which share of the requested closing to expect once noise in the direction is
    /// discounted: 1 − tr(A⁻¹ Cov u)/uᵀA⁻¹u. 1 for a frozen direction and without noise.
    pub fn realised(&self) -> &[f64] {
        &self.realised
    }
}

/// Finds the way that closes the gaps of all `groups` at once and leaves the overall mean residual as
/// it is: one group is t̂ + φ·h/(uᵀP)·P, several are a K×K system (K+1 with the overall row).
///
/// # Errors
/// As [`super::fair::estimate`], and [`ModelError::DirectionTooNoisy`] if less than half of the closing is to be
/// expected, or if a frozen direction moves its gap by less than four standard deviations of that
/// movement.
pub fn shift(
    inputs: &Inputs,
    solution: &Solution,
    groups: &[usize],
    direction: &Direction,
) -> Result<Shift, ModelError> {
    let found = groups
        .iter()
        .map(|&group| Gap::of(inputs, solution, group))
        .collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() {
        return Err(ModelError::Range { what: "the number of groups of the dial" });
    }
    let gaps: Vec<f64> = found.iter().map(|gap| gap.value).collect();
    let (step, realised, along) = match direction {
        Direction::SameRelease => {
            let (step, realised) = along_same_release(inputs, solution, groups, &found)?;
            (step, realised, None)
        }
        Direction::Frozen(columns) => {
            let along = along_frozen(inputs, groups, &found, columns)?;
            (columns * &along, vec![1.0; found.len()], Some(along))
        }
    };
    let cost = step.dot(&(&inputs.gram().sums().a * &step));
    Ok(Shift { plain: solution.t().clone(), step, cost, gaps, realised, along })
}

fn along_same_release(
    inputs: &Inputs,
    solution: &Solution,
    groups: &[usize],
    found: &[Gap],
) -> Result<(DVector<f64>, Vec<f64>), ModelError> {
    let (mean, _) = overall_row(inputs)?;
    let mut rows: Vec<DVector<f64>> = found.iter().map(|gap| gap.row.clone()).collect();
    let mut distances: Vec<f64> = found.iter().map(|gap| gap.value).collect();
    rows.push(mean);
    distances.push(0.0);
    let step = equality(solution.factor(), &rows, &distances)?;
    let inverse = solution.factor().inverse()?;
    let mut realised = Vec::new();
    for (&group, gap) in groups.iter().zip(found) {
        let noise = row_noise(inputs, group, &inverse)?;
        let share = (1.0 - noise / gap.reach).clamp(0.0, 1.0);
        if share < 0.5 {
            return Err(ModelError::DirectionTooNoisy { index: group });
        }
        realised.push(share);
    }
    Ok((step, realised))
}

/// How far to go along each frozen direction to close the gaps.
fn along_frozen(
    inputs: &Inputs,
    groups: &[usize],
    found: &[Gap],
    columns: &DMatrix<f64>,
) -> Result<DVector<f64>, ModelError> {
    same_length("rows of the frozen direction", inputs.gram().len(), columns.nrows())?;
    same_length("columns of the frozen direction", groups.len(), columns.ncols())?;
    if columns.iter().any(|value| !value.is_finite()) {
        return Err(ModelError::NotFinite { what: "frozen direction" });
    }
    let mut rows = Vec::new();
    for (place, (&group, gap)) in groups.iter().zip(found).enumerate() {
        let moved = moved(inputs, (group, gap), columns)?;
        let own = moved.means.get(place).copied().unwrap_or(0.0).abs();
        let sd = moved.variances.get(place).copied().unwrap_or(0.0).max(0.0).sqrt();
        if own.is_nan() || own <= 4.0 * sd {
            return Err(ModelError::DirectionTooNoisy { index: group });
        }
        rows.push(moved.means.transpose());
    }
    let system = DMatrix::from_rows(&rows);
    let gaps = DVector::from_iterator(found.len(), found.iter().map(|gap| gap.value));
    Factor::new(&system)?.solve(&gaps)
}

/// By how much each direction moves the gap of a group, and the variance of the noise in that.
struct Moved {
    means: DVector<f64>,
    variances: DVector<f64>,
}

/// From the sums along the directions where the release has them, otherwise from the sums of x̃.
fn moved(
    inputs: &Inputs,
    (group, gap): (usize, &Gap),
    columns: &DMatrix<f64>,
) -> Result<Moved, ModelError> {
    let (part, all) = (inputs.group(group)?, inputs.all());
    let rest = all.without(part);
    let k = columns.ncols();
    if all.later.along.len() == k && part.later.along.len() == k {
        let mean = |sums: &GroupSums| DVector::from_column_slice(&sums.later.along) / sums.weight;
        // The group's noise is in both means.
        let own = part.later.along_sd * (1.0 / part.weight + 1.0 / rest.weight);
        let variance = own.powi(2) + (all.later.along_sd / rest.weight).powi(2);
        let by_weight =
            |mean: f64, sums: &GroupSums| (mean * sums.noise.weight / sums.weight).powi(2);
        let (of_part, of_rest) = (mean(part), mean(&rest));
        let counted =
            of_part.zip_map(&of_rest, |own, other| by_weight(own, part) + by_weight(other, &rest));
        return Ok(Moved { means: of_part - of_rest, variances: counted.add_scalar(variance) });
    }
    let noise = |column: DVector<f64>| row_noise(inputs, group, &(&column * column.transpose()));
    let variances: Vec<f64> =
        columns.column_iter().map(|c| noise(c.clone_owned())).collect::<Result<_, _>>()?;
    let means = columns.transpose() * &gap.row;
    Ok(Moved { means, variances: DVector::from_vec(variances) })
}

/// tr(M Cov u) for the noise of a group's row u, first order; M symmetric, p×p.
pub(super) fn row_noise(
    inputs: &Inputs,
    group: usize,
    m: &DMatrix<f64>,
) -> Result<f64, ModelError> {
    let (part, all) = (inputs.group(group)?, inputs.all());
    let (own, _) = mean_row(part, group)?;
    let (rest, _) = mean_row(&all.without(part), group)?;
    let rest_weight = all.weight - part.weight;
    let from_part = (1.0 / part.weight + 1.0 / rest_weight) * part.noise.x;
    let from_all = all.noise.x / rest_weight;
    let by_part = (own / part.weight + &rest / rest_weight, part, from_part);
    let by_all = (rest / rest_weight, all, from_all);
    let of_weights = [by_part, by_all].map(|(by, sums, from_x)| {
        let moved = m * &by;
        let own = by.dot(&moved) * sums.noise.weight.powi(2);
        // The weight is the first entry of x: what is divided errs with what it is divided by.
        let first = moved.iter().next().copied().filter(|_| sums.weighs_by_first());
        own - 2.0 * first.unwrap_or(0.0) * from_x * sums.noise.x
    });
    let of_x = (from_part.powi(2) + from_all.powi(2)) * m.trace();
    Ok((of_x + of_weights.iter().sum::<f64>()).max(0.0))
}
