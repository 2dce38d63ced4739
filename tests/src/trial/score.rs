//! What one release of a trial is worth, beside the same computation on sums without noise.
//!
//! ```text
//! excess       (β̂ − β_OLS)ᵀ (XᵀX/n) (β̂ − β_OLS) / s²      β_OLS, s²: plain least squares of the uncapped rows
//! closed       1 − gap of the published formula / gap of the exact plain fit, both by exact sums
//! misplaced    ½ Σ |amount − amount by exact sums| / pool
//! ```
//! Fairness is judged on the published formula: its interval is to hold what the exact sums say of that very formula.
use super::{Table, Trial, bug};
use nalgebra::{DMatrix, DVector};
use tacit_coordinator::allocation::{Claim, allocate};
use tacit_coordinator::conclusion::fit_study;
use tacit_coordinator::model::dial::Direction;
use tacit_coordinator::model::filter;
use tacit_coordinator::model::gram::{GroupSums, Inputs};
use tacit_coordinator::model::linear;
use tacit_coordinator::model::measure::{self, Figure, GroupMeasures};
use tacit_coordinator::model::uncertainty::Interval;
use tacit_coordinator::model::{DialOutcome, Fitted};
use tacit_model::moments::Moments;
use tacit_shared::fault::Fault;
use tacit_shared::secagg::open::Aggregate;

/// Plain least squares of the rows as they are.
#[derive(Clone, Debug)]
pub struct Plain {
    second: DMatrix<f64>,
    beta: DVector<f64>,
    variance: f64,
    heads: f64,
}

/// What the exact sums of a table say in the frame of a trial.
#[derive(Debug)]
pub struct Exact {
    inputs: Inputs,
    beta: DVector<f64>,
    gap: f64,
}

/// One release, judged.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// κ of the release.
    pub kappa: f64,
    /// Excess risk of the plain solution, a share of the residual variance.
    pub excess: f64,
    /// The same of the filtered solution.
    pub excess_filtered: f64,
    /// For each coefficient whether the interval for the exact data holds it; `None` if not estimable.
    pub exact_data: Vec<Option<bool>>,
    /// For each coefficient the ends of the interval for the population.
    pub population: Vec<Option<(f64, f64)>>,
    /// Whether the intervals before the dial hold: mean residual difference, net compensation, predictive ratio, fair
    /// covariance.
    pub before: Vec<bool>,
    /// The same after it.
    pub after: Vec<bool>,
    /// Half width of the interval of the mean residual difference before the dial, scaled units.
    pub half_width: f64,
    /// The part of the gap that the dial closed.
    pub closed: Option<f64>,
    /// The part of the pool that another site would have had.
    pub misplaced: f64,
}

impl Plain {
    /// Least squares of a table.
    ///
    /// # Errors
    /// A bug's fault if columns depend on each other.
    pub fn of(table: &Table) -> Result<Self, Fault> {
        let rows = table.rows();
        let p = rows.first().map_or(0, |row| row.x.len());
        let (mut second, mut moment, mut square) = (DMatrix::zeros(p, p), DVector::zeros(p), 0.0);
        for row in &rows {
            let x = DVector::from_column_slice(&row.x);
            second.ger(1.0, &x, &x, 1.0);
            moment.axpy(row.y, &x, 1.0);
            square += row.y * row.y;
        }
        let beta = second.clone().cholesky().ok_or_else(|| bug("columns depend"))?.solve(&moment);
        let heads = super::float(rows.len());
        let variance = (square - beta.dot(&moment)) / (heads - super::float(p));
        Ok(Self { second, beta, variance, heads })
    }

    fn excess(&self, beta: &DVector<f64>) -> f64 {
        let apart = beta - &self.beta;
        apart.dot(&(&self.second * &apart)) / self.heads / self.variance
    }
}

impl Exact {
    /// Reads exact sums as if they had been opened.
    ///
    /// # Errors
    /// A bug's fault if they do not determine a fit.
    pub fn of(trial: &Trial, sum: Vec<i64>) -> Result<Self, Fault> {
        let aggregate = trial.signed(sum)?;
        let moments = Moments::of(&trial.plan, &aggregate).map_err(bug)?;
        let inputs = moments.inputs().clone();
        let t = linear::solve(inputs.gram()).map_err(bug)?.t().clone();
        let beta = inputs.gram().coefficients(&t).map_err(bug)?;
        // Without a share for groups there is no gap to speak of.
        let gap = measure::group(&inputs, 0, &t)
            .map_or(f64::NAN, |group| group.mean_residual_difference.value);
        Ok(Self { inputs, beta, gap })
    }

    /// Coefficients of the capped rows without noise.
    pub fn beta(&self) -> &DVector<f64> {
        &self.beta
    }
}

/// Judges a release.
///
/// # Errors
/// A bug's fault if it cannot be fitted.
pub fn score(
    trial: &Trial,
    plain: &Plain,
    exact: &Exact,
    aggregate: &Aggregate,
) -> Result<Score, Fault> {
    let moments = Moments::of(&trial.plan, aggregate).map_err(bug)?;
    let inputs = moments.inputs();
    let names: Vec<String> = inputs.sites().iter().map(|_| "a site".to_owned()).collect();
    let fitted = fit_study(&trial.study, &names, inputs).map_err(bug)?;
    let gram = inputs.gram();
    let beta = |t: &DVector<f64>| gram.coefficients(t).map_err(bug);
    let filtered = filter::solve(gram).map_err(bug)?;
    let ends = |interval: &Interval| match *interval {
        Interval::Bounded { low, high } => Some((low, high)),
        Interval::NotEstimable => None,
    };
    let holds = |(c, truth): (&tacit_coordinator::model::Coefficient, &f64)| {
        ends(&c.exact_data).map(|(low, high)| low <= *truth && *truth <= high)
    };
    let (before, half_width) = match fitted.groups.first().and_then(|g| g.before.as_ref()) {
        // Exact sums are read with the noise they would have: a group they lose in it is not judged.
        Some(found) => match measure::group(&exact.inputs, 0, fitted.t()) {
            Ok(truth) => {
                let se = found.mean_residual_difference.standard_error.unwrap_or(f64::INFINITY);
                (held(found, &truth), 1.96 * se)
            }
            Err(_) => (Vec::new(), f64::INFINITY),
        },
        None => (Vec::new(), f64::INFINITY),
    };
    let (after, closed) = dial(exact, &fitted, trial);
    Ok(Score {
        kappa: fitted.kappa,
        excess: plain.excess(&beta(fitted.t())?),
        excess_filtered: plain.excess(&beta(&filtered)?),
        exact_data: fitted.coefficients.iter().zip(exact.beta.iter()).map(holds).collect(),
        population: fitted.coefficients.iter().map(|c| ends(&c.population)).collect(),
        before,
        after,
        half_width,
        closed,
        misplaced: misplaced(exact, inputs, &fitted)?,
    })
}

/// Whether the intervals after the dial hold, and what it closed.
fn dial(exact: &Exact, fitted: &Fitted, trial: &Trial) -> (Vec<bool>, Option<f64>) {
    if !matches!(fitted.dial, Some(DialOutcome::Applied(_))) {
        return (Vec::new(), None);
    }
    let (published, exact_sums) = (fitted.published(), &exact.inputs);
    let truth = match fitted.direction() {
        Some((Direction::Frozen(_), steps)) if !exact_sums.all().later.along.is_empty() => {
            measure::moved_group(exact_sums, 0, (fitted.t(), steps))
        }
        _ => measure::group(exact_sums, 0, published),
    };
    // A group that exact sums lose in the noise they would have is not judged.
    let Ok(truth) = truth else { return (Vec::new(), None) };
    let closed = 1.0 - truth.mean_residual_difference.value / exact.gap;
    let after = fitted.groups.first().and_then(|g| g.after.as_ref());
    let judged = trial.study.warm().is_some();
    (after.filter(|_| judged).map_or_else(Vec::new, |found| held(found, &truth)), Some(closed))
}

/// Which of the four intervals hold.
fn held(found: &GroupMeasures, truth: &GroupMeasures) -> Vec<bool> {
    let hold = |found: Figure, truth: Figure| found.interval().contains(truth.value);
    let ratio = match (found.predictive_ratio_group, truth.predictive_ratio_group) {
        (Some(found), Some(truth)) => hold(found, truth),
        _ => true,
    };
    vec![
        hold(found.mean_residual_difference, truth.mean_residual_difference),
        hold(found.net_compensation_group, truth.net_compensation_group),
        ratio,
        hold(found.fair_covariance, truth.fair_covariance),
    ]
}

/// The part of the pool that exact sums and the exact plain fit would give to other sites; heads are public.
fn misplaced(exact: &Exact, inputs: &Inputs, fitted: &Fitted) -> Result<f64, Fault> {
    let heads: Vec<f64> = exact.inputs.sites().iter().map(|site| site.heads).collect();
    let t = linear::solve(exact.inputs.gram()).map_err(bug)?.t().clone();
    let truth = amounts(&exact.inputs, &heads, &t)?;
    let found = amounts(inputs, &heads, fitted.t())?;
    let (moved, all) = truth
        .iter()
        .zip(&found)
        .fold((0.0, 0.0), |(moved, all), (a, b)| (moved + (a - b).abs(), all + a));
    Ok(moved / all / 2.0)
}

fn amounts(inputs: &Inputs, heads: &[f64], t: &DVector<f64>) -> Result<Vec<f64>, Fault> {
    let pool = 100_000_000_i64;
    let all: f64 = heads.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let per_head = pool as f64 / all;
    let labour = |(sums, heads): (&GroupSums, &f64)| match sums.later.predicted {
        Some(predicted) => predicted.base * heads + predicted.sum + sums.x.dot(t),
        None => heads * sums.x.dot(&(inputs.gram().prior() + t)) / sums.weight,
    };
    let claim = |(sums, heads): (&GroupSums, &f64)| Claim {
        labour: labour((sums, heads)),
        price: 1.0,
        floor: 0.85 * per_head * heads,
        cap: 1.15 * per_head * heads,
    };
    let claims: Vec<Claim> = inputs.sites().iter().zip(heads).map(claim).collect();
    let awards = allocate(tacit_shared::money::Cents::new(pool), &claims).map_err(bug)?;
    Ok(awards.into_iter().map(|award| award.amount).collect())
}
