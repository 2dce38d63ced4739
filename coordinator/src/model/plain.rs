//! A fit without noise, with textbook intervals: plain, fair, or with random intercepts.
//!
//! ```text
//! y = x·β + u_s + e      Var e_i = σ²/w_i      u_s: of the site, variance τ², 0 without sites
//! every fair fit is affine in y:     t = t̂ + D ε + constant     ε_g = mean residual of t̂ in group g
//! Cov t = σ² (A⁻¹ + D V Dᵀ) + τ² Σ_s l_s l_sᵀ
//! V_gh  = Σ_{g∩h} w/(N_g N_h) − c_gᵀA⁻¹c_h          l_s = A⁻¹S_s + D (N_gs/N_g − c_gᵀA⁻¹S_s)_g
//! ```
//! t̂ and its residuals are uncorrelated, so the fairness term only adds. D is found by moving each mean
//! residual by one and fitting again, exact for affine fits and the same for every estimator; `l_s` is the
//! fit to the indicator of a site. Without a fairness term sites mean the random-intercept fit
//! ([`super::reml`]); with one the fit is the pooled one, and the sites widen its intervals.
//!
//! σ² is that of the plain fit over n − p. Intervals: Student's t with n − p degrees of freedom, with
//! sites S − 1.
use nalgebra::{DMatrix, DVector};

use super::ModelError;
use super::dial::{Direction, Phi, shift};
use super::fair::{Estimator, OverallMean, estimate};
use super::gram::{Gram, GramNoise, GramSums, GroupSums, Inputs, float};
use super::linear::{Solution, classical, solve};
use super::reml::{self, Reml};
use super::student::two_sided_95;
use super::table::TableSums;
use super::uncertainty::Interval;

/// What a fit is asked to be fair about.
#[derive(Clone, Debug, PartialEq)]
pub enum Fairness {
    /// Nothing: least squares, or the random-intercept fit if there are sites.
    None,
    /// One of the published estimators.
    Estimator(Estimator),
    /// α times the plain fit and 1 − α times the average of several groups.
    WeightedAverage {
        /// The groups, from 0.
        groups: Vec<usize>,
        /// Share of the plain fit, 0 to 1.
        alpha: f64,
        /// What happens to the overall mean.
        overall: OverallMean,
    },
    /// The share φ of the groups' gaps is closed, the overall mean kept.
    Dial {
        /// The groups, from 0.
        groups: Vec<usize>,
        /// The share.
        phi: Phi,
    },
}

/// One coefficient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficient {
    /// Its value, in units of the outcome per unit of the column.
    pub estimate: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// 95 %.
    pub interval: Interval,
}

/// A fit. Only [`fit`] makes one.
#[derive(Clone, Debug)]
pub struct PlainFit {
    /// The solution in scaled units, for measures.
    pub t: DVector<f64>,
    /// The constant, then the columns.
    pub coefficients: Vec<Coefficient>,
    /// Residual variance: within sites, where there are sites.
    pub sigma2: f64,
    /// Degrees of freedom of the intervals.
    pub freedom: f64,
    /// Covariance of the coefficients, p×p.
    pub covariance: DMatrix<f64>,
    /// The random-intercept fit, where there are sites.
    pub sites: Option<Reml>,
}

/// Fits a table.
///
/// # Errors
/// As [`solve`], [`estimate`], [`shift`] and [`reml::fit`].
pub fn fit(sums: &TableSums, fairness: &Fairness) -> Result<PlainFit, ModelError> {
    let gram = sums.inputs.gram();
    let sites = match sums.inputs.sites() {
        [] => None,
        sites => Some(reml::fit(gram, sites, sums.rows)?),
    };
    let between = float(sums.inputs.sites().len()) - 1.0;
    if let (Some(reml), Fairness::None) = (&sites, fairness) {
        let (t, covariance) = (reml.t.clone(), reml.covariance.clone());
        return assemble(gram, (t, covariance), (reml.sigma2, between), sites);
    }
    let solution = solve(gram)?;
    let t = apply(&sums.inputs, &solution, fairness)?;
    let (sigma2, tau2, freedom) = match &sites {
        Some(reml) => (reml.sigma2, reml.tau2, between),
        None => (classical(gram, sums.rows)?.scale, 0.0, sums.rows - float(gram.len())),
    };
    let covariance = covariance(sums, &solution, fairness, (sigma2, tau2))?;
    let w = &gram.frame().w;
    assemble(gram, (t, w * covariance * w.transpose()), (sigma2, freedom), sites)
}

fn assemble(
    gram: &Gram,
    (t, covariance): (DVector<f64>, DMatrix<f64>),
    (sigma2, freedom): (f64, f64),
    sites: Option<Reml>,
) -> Result<PlainFit, ModelError> {
    let quantile = two_sided_95(freedom);
    let beta = gram.coefficients(&t)?;
    let variances = covariance.diagonal();
    let pairs = beta.iter().zip(variances.iter());
    let coefficients = pairs.map(|(&value, &variance)| coefficient(value, variance, quantile));
    let coefficients = coefficients.collect();
    Ok(PlainFit { t, coefficients, sigma2, freedom, covariance, sites })
}

/// A coefficient with the interval value ± quantile·√variance.
pub fn coefficient(value: f64, variance: f64, quantile: f64) -> Coefficient {
    let standard_error = variance.max(0.0).sqrt();
    let reach = quantile * standard_error;
    let interval = Interval::between(value - reach, value + reach);
    Coefficient { estimate: value, standard_error, interval }
}

fn apply(
    inputs: &Inputs,
    solution: &Solution,
    fairness: &Fairness,
) -> Result<DVector<f64>, ModelError> {
    match fairness {
        Fairness::None => Ok(solution.t().clone()),
        Fairness::Estimator(estimator) => estimate(inputs, solution, estimator),
        Fairness::WeightedAverage { groups, alpha, overall } => {
            super::fair::share("alpha", *alpha)?;
            let average = Estimator::Average { groups: groups.clone(), overall: *overall };
            let fair = estimate(inputs, solution, &average)?;
            Ok(solution.t() * *alpha + fair * (1.0 - alpha))
        }
        Fairness::Dial { groups, phi } => {
            Ok(shift(inputs, solution, groups, &Direction::SameRelease)?.at(*phi))
        }
    }
}

/// Cov t in scaled units.
fn covariance(
    sums: &TableSums,
    solution: &Solution,
    fairness: &Fairness,
    (sigma2, tau2): (f64, f64),
) -> Result<DMatrix<f64>, ModelError> {
    let inputs = &sums.inputs;
    let inverse = solution.factor().inverse()?;
    let response = response(inputs, fairness)?;
    let means = mean_rows(inputs);
    let mut spread = sums.shared.clone();
    for (mut row, group) in spread.row_iter_mut().zip(inputs.groups()) {
        row /= group.weight;
    }
    for (mut column, group) in spread.column_iter_mut().zip(inputs.groups()) {
        column /= group.weight;
    }
    spread -= means.transpose() * &inverse * &means;
    let mut result = (&inverse + &response * spread * response.transpose()) * sigma2;
    for (site, mut members) in inputs.sites().iter().zip(sums.at_site.clone().column_iter_mut()) {
        for (member, group) in members.iter_mut().zip(inputs.groups()) {
            *member /= group.weight;
        }
        let plain = &inverse * &site.x;
        let moved = members - means.transpose() * &plain;
        let along = plain + &response * moved;
        result += &along * along.transpose() * tau2;
    }
    Ok(result)
}

/// D: how the fit answers when the mean residual of each group moves by one, p×K.
fn response(inputs: &Inputs, fairness: &Fairness) -> Result<DMatrix<f64>, ModelError> {
    let p = inputs.gram().len();
    let mut columns = Vec::new();
    let still = solved(inputs, None, fairness)?;
    for group in 0..inputs.groups().len() {
        columns.push(solved(inputs, Some(group), fairness)? - &still);
    }
    Ok(if columns.is_empty() { DMatrix::zeros(p, 0) } else { DMatrix::from_columns(&columns) })
}

/// The fit to an outcome of which x knows nothing: all sums zero, one group's mean residual one.
fn solved(
    inputs: &Inputs,
    moved: Option<usize>,
    fairness: &Fairness,
) -> Result<DVector<f64>, ModelError> {
    let gram = inputs.gram();
    let sums =
        GramSums { a: gram.sums().a.clone(), b: DVector::zeros(gram.len()), q: gram.sums().q };
    let gram = Gram::new(sums, GramNoise::default(), gram.frame().clone())?;
    let still = |group: &GroupSums| GroupSums { residual: 0.0, ..group.clone() };
    let mut groups: Vec<GroupSums> = inputs.groups().iter().map(still).collect();
    if let Some(group) = moved.and_then(|at| groups.get_mut(at)) {
        group.residual = group.weight;
    }
    let inputs = Inputs::new(gram, still(inputs.all()), groups, Vec::new())?;
    apply(&inputs, &solve(inputs.gram())?, fairness)
}

/// Mean row of each group, p×K.
fn mean_rows(inputs: &Inputs) -> DMatrix<f64> {
    let columns: Vec<DVector<f64>> =
        inputs.groups().iter().map(|group| &group.x / group.weight).collect();
    let p = inputs.gram().len();
    if columns.is_empty() { DMatrix::zeros(p, 0) } else { DMatrix::from_columns(&columns) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
    use super::*;
    use crate::model::table::{Profile, Row, Summation};

    const ROWS: usize = 24;

    /// A small table with weights, two overlapping groups and four sites, and this outcome.
    fn sums(outcome: &dyn Fn(usize) -> f64, sites: usize) -> TableSums {
        let row = |at: usize, take: &mut dyn FnMut(&Row<'_>)| {
            let f = |factor: usize, of: usize| f64::from(u8::try_from(at * factor % of).unwrap());
            let groups =
                [f64::from(u8::from(at.is_multiple_of(3))), f64::from(u8::from(at % 5 < 2))];
            take(&Row {
                covariates: &[f(7, 11), f(5, 13) + groups[0]],
                outcome: outcome(at),
                weight: 0.5 + f(3, 4),
                groups: &groups,
                site: (sites > 0).then_some(at % sites.max(1)),
            });
        };
        let mut profile = Profile::new(2, 2);
        (0..ROWS).for_each(|at| row(at, &mut |row| profile.add(row)));
        let mut sums = Summation::new(&profile, sites);
        (0..ROWS).for_each(|at| row(at, &mut |row| sums.add(row)));
        sums.finish().unwrap()
    }

    fn terms() -> Vec<Fairness> {
        let overall = OverallMean::Free;
        vec![
            Fairness::None,
            Fairness::Estimator(Estimator::Average { groups: vec![0, 1], overall }),
            Fairness::Estimator(Estimator::NetCompensation { group: 0, lambda: 3.0, overall }),
            Fairness::Estimator(Estimator::MeanResidualDifference { group: 1, lambda: 4.0 }),
            Fairness::Estimator(Estimator::Covariance { group: 1, m: 0.3 }),
            Fairness::WeightedAverage {
                groups: vec![0, 1],
                alpha: 0.25,
                overall: OverallMean::Kept,
            },
            Fairness::Dial { groups: vec![1], phi: Phi::new(0.6).unwrap() },
        ]
    }

    /// The fit as a matrix: how β answers to each single outcome.
    fn hat(fairness: &Fairness) -> DMatrix<f64> {
        let beta = |outcome: &dyn Fn(usize) -> f64| {
            let sums = sums(outcome, 0);
            let solution = solve(sums.inputs.gram()).unwrap();
            let t = apply(&sums.inputs, &solution, fairness).unwrap();
            sums.inputs.gram().coefficients(&t).unwrap()
        };
        let level = |at: usize| f64::from(u8::try_from(at).unwrap());
        let still = beta(&level);
        let columns: Vec<DVector<f64>> = (0..ROWS)
            .map(|moved| beta(&|at| level(at) + f64::from(u8::from(at == moved))) - &still)
            .collect();
        DMatrix::from_columns(&columns)
    }

    #[test]
    fn standard_errors_are_those_of_the_fit_as_a_matrix() {
        let outcome = |at: usize| f64::from(u8::try_from(at * at % 17).unwrap());
        let sums = sums(&outcome, 0);
        let scale = classical(sums.inputs.gram(), sums.rows).unwrap().scale;
        for fairness in terms() {
            let hat = hat(&fairness);
            let fit = fit(&sums, &fairness).unwrap();
            for (row, found) in hat.row_iter().zip(&fit.coefficients) {
                let weight = |at: usize| 0.5 + f64::from(u8::try_from(at * 3 % 4).unwrap());
                let variance: f64 =
                    row.iter().enumerate().map(|(at, h)| scale * h * h / weight(at)).sum();
                let gap = found.standard_error - variance.sqrt();
                assert!(gap.abs() < 1e-10 * variance.sqrt(), "{fairness:?}: {gap} of {variance}");
            }
        }
    }

    #[test]
    fn sites_widen_a_fair_fit_by_what_they_share() {
        let outcome = |at: usize| f64::from(u8::try_from(at * at % 17 + 9 * (at % 4)).unwrap());
        let sums = sums(&outcome, 4);
        for fairness in terms().into_iter().skip(1) {
            let hat = hat(&fairness);
            let fit = fit(&sums, &fairness).unwrap();
            let reml = fit.sites.as_ref().unwrap();
            assert!(reml.tau2 > 1.0);
            for (row, found) in hat.row_iter().zip(&fit.coefficients) {
                let mut variance = 0.0;
                let mut sites = [0.0; 4];
                for (at, h) in row.iter().enumerate() {
                    variance +=
                        reml.sigma2 * h * h / (0.5 + f64::from(u8::try_from(at * 3 % 4).unwrap()));
                    sites[at % 4] += h;
                }
                variance += reml.tau2 * sites.iter().map(|sum| sum * sum).sum::<f64>();
                let gap = found.standard_error - variance.sqrt();
                assert!(gap.abs() < 1e-10 * variance.sqrt(), "{fairness:?}: {gap} of {variance}");
            }
            assert!((fit.freedom - 3.0).abs() < 1e-15);
        }
    }
}
