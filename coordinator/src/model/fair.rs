//! Fair regression from sums: the five estimators of Zink and Rose.
//!
//! ```text
//! equality(C, d)             t̂ + A⁻¹Cᵀ (C A⁻¹Cᵀ)⁻¹ (d − C t̂)
//! average                    equality: mean residual 0 in each group
//! weighted average α         α t̂ + (1 − α)·average
//! covariance m               |cov(flag, residual)| ≤ m·|that of t̂|
//! net compensation λ         RSS + λ · mean residual of the group            linear: overshoots for large λ
//! mean residual difference λ RSS + λ · (mean residual of the group − of the rest)²
//! ```
//! Zink & Rose 2020, "Fair regression for health care spending". The loss is a sum over rows, as in
//! their code, but m is compared with a covariance and not with a sum. With an intercept, every one of
//! them that keeps the overall mean lies on one line, [`super::dial`]; that is what the product offers.
//! Fits are in whitened units, so one code serves exact sums and noisy releases.
use nalgebra::{DMatrix, DVector};

use super::ModelError;
use super::gram::{GroupSums, Inputs};
use super::linear::Solution;
use super::solve::Factor;

/// Whether a fair fit may move the mean residual of everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverallMean {
    /// As in the plain formulas.
    Free,
    /// Held at zero, which is what centring does in the published code.
    Kept,
}

/// One of the estimators of Zink and Rose. Groups are counted from 0.
#[derive(Clone, Debug, PartialEq)]
pub enum Estimator {
    /// Plain weighted least squares.
    Ols,
    /// No residual on average in any of the groups.
    Average {
        /// The groups.
        groups: Vec<usize>,
        /// What happens to the overall mean.
        overall: OverallMean,
    },
    /// Between plain and average.
    WeightedAverage {
        /// The group.
        group: usize,
        /// Share of the plain fit, 0 to 1.
        alpha: f64,
        /// What happens to the overall mean.
        overall: OverallMean,
    },
    /// A bound on the covariance of flag and residual.
    Covariance {
        /// The group.
        group: usize,
        /// Bound as a share of the plain fit's covariance, 0 to 1.
        m: f64,
    },
    /// A penalty on the group's mean residual.
    NetCompensation {
        /// The group.
        group: usize,
        /// Penalty, at least 0.
        lambda: f64,
        /// What happens to the overall mean.
        overall: OverallMean,
    },
    /// A penalty on the squared difference of mean residuals.
    MeanResidualDifference {
        /// The group.
        group: usize,
        /// Penalty, at least 0.
        lambda: f64,
    },
}

/// Fits one of the estimators; t in whitened units, p. `solution` must come from `inputs`.
///
/// # Errors
/// [`ModelError::NoSuchGroup`], [`ModelError::TooSmall`], [`ModelError::Range`];
/// [`ModelError::Singular`] if the rows of several groups depend on each other.
pub fn estimate(
    inputs: &Inputs,
    solution: &Solution,
    estimator: &Estimator,
) -> Result<DVector<f64>, ModelError> {
    let plain = solution.t();
    match *estimator {
        Estimator::Ols => Ok(plain.clone()),
        Estimator::Average { ref groups, overall } => average(inputs, solution, groups, overall),
        Estimator::WeightedAverage { group, alpha, overall } => {
            share("alpha", alpha)?;
            let fair = average(inputs, solution, &[group], overall)?;
            Ok(plain * alpha + fair * (1.0 - alpha))
        }
        Estimator::Covariance { group, m } => {
            share("m", m)?;
            let gap = Gap::of(inputs, solution, group)?;
            Ok(plain + gap.path * ((1.0 - m) * gap.value / gap.reach))
        }
        Estimator::NetCompensation { group, lambda, overall } => {
            penalty(lambda)?;
            let path = group_path(inputs, solution, group, overall)?;
            Ok(plain + path * (lambda / 2.0))
        }
        Estimator::MeanResidualDifference { group, lambda } => {
            penalty(lambda)?;
            let gap = Gap::of(inputs, solution, group)?;
            // Sherman and Morrison: (A + λuuᵀ)⁻¹(b + λvu) = t̂ + λh/(1 + λuᵀP)·P.
            let step = lambda * gap.value / (1.0 + lambda * gap.reach);
            Ok(plain + gap.path * step)
        }
    }
}

/// A group against the rest: u, h, P = A⁻¹u and uᵀP.
pub(super) struct Gap {
    pub(super) row: DVector<f64>,
    pub(super) value: f64,
    pub(super) path: DVector<f64>,
    pub(super) reach: f64,
}

impl Gap {
    pub(super) fn of(
        inputs: &Inputs,
        solution: &Solution,
        group: usize,
    ) -> Result<Self, ModelError> {
        let part = inputs.group(group)?;
        let (own, own_target) = mean_row(part, group)?;
        let (rest, rest_target) = mean_row(&inputs.all().without(part), group)?;
        let row = own - rest;
        let value = own_target - rest_target - row.dot(solution.t());
        let path = solution.factor().solve(&row)?;
        let reach = row.dot(&path);
        // Zero: the columns do not tell the group from the rest, so no fit can close its gap.
        if reach.is_nan() || reach <= f64::EPSILON * row.norm() * path.norm() {
            return Err(ModelError::OutOfReach { index: group });
        }
        Ok(Self { row, value, path, reach })
    }
}

/// Mean x̃ and mean residual of a group.
pub(super) fn mean_row(sums: &GroupSums, index: usize) -> Result<(DVector<f64>, f64), ModelError> {
    if sums.stands_clear() {
        Ok((&sums.x / sums.weight, sums.residual / sums.weight))
    } else {
        Err(ModelError::TooSmall { index })
    }
}

pub(super) fn overall_row(inputs: &Inputs) -> Result<(DVector<f64>, f64), ModelError> {
    let all = inputs.all();
    if all.stands_clear() {
        Ok((&all.x / all.weight, all.residual / all.weight))
    } else {
        Err(ModelError::EverybodyTooSmall)
    }
}

fn average(
    inputs: &Inputs,
    solution: &Solution,
    groups: &[usize],
    overall: OverallMean,
) -> Result<DVector<f64>, ModelError> {
    let mut rows = Vec::new();
    let mut distances = Vec::new();
    for &group in groups {
        let (row, target) = mean_row(inputs.group(group)?, group)?;
        distances.push(target - row.dot(solution.t()));
        rows.push(row);
    }
    if overall == OverallMean::Kept {
        let (row, target) = overall_row(inputs)?;
        distances.push(target - row.dot(solution.t()));
        rows.push(row);
    }
    Ok(solution.t() + equality(solution.factor(), &rows, &distances)?)
}

/// The shift of least cost with rowᵀ·shift = distance for every row.
pub(super) fn equality(
    factor: &Factor,
    rows: &[DVector<f64>],
    distances: &[f64],
) -> Result<DVector<f64>, ModelError> {
    if rows.is_empty() {
        return Err(ModelError::Range { what: "the number of groups" });
    }
    let rows = DMatrix::from_columns(rows);
    let paths = factor.solve_columns(&rows)?;
    let system = rows.transpose() * &paths;
    let steps = Factor::new(&system)?.solve(&DVector::from_row_slice(distances))?;
    Ok(paths * steps)
}

/// A⁻¹c for the mean row c of a group, freed from what moves the overall mean if that is kept.
pub(super) fn group_path(
    inputs: &Inputs,
    solution: &Solution,
    group: usize,
    overall: OverallMean,
) -> Result<DVector<f64>, ModelError> {
    let (row, _) = mean_row(inputs.group(group)?, group)?;
    let path = solution.factor().solve(&row)?;
    match overall {
        OverallMean::Free => Ok(path),
        OverallMean::Kept => {
            let (mean, _) = overall_row(inputs)?;
            let back = solution.factor().solve(&mean)?;
            let share = mean.dot(&path) / mean.dot(&back);
            Ok(path - back * share)
        }
    }
}

pub(super) fn share(what: &'static str, value: f64) -> Result<(), ModelError> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(ModelError::Range { what }) }
}

fn penalty(lambda: f64) -> Result<(), ModelError> {
    if lambda >= 0.0 && lambda.is_finite() {
        Ok(())
    } else {
        Err(ModelError::Range { what: "lambda" })
    }
}
