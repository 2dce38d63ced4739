//! What one release of a trial is worth, beside the same computation on sums without noise.
//!
//! ```text
//! excess       (β̂ − β_OLS)ᵀ (XᵀX/n) (β̂ − β_OLS) / s²      β_OLS, s²: plain least squares of the uncapped rows
//! closed       1 − gap of the published formula / gap of the exact plain fit, both by exact sums
//! misplaced    ½ Σ |amount − amount by exact sums| / pool      both by the formula that pays, after the dial
//! ```
//! Fairness is judged on the published formula: its interval is to hold what the exact sums say of that very formula.
use super::{Table, Trial, bug};
use nalgebra::{DMatrix, DVector};
use tacit_coordinator::allocation::labour::{self, Labour, State};
use tacit_coordinator::allocation::{Claim, allocate};
use tacit_coordinator::model::dial::Direction;
use tacit_coordinator::model::filter;
use tacit_coordinator::model::gram::Inputs;
use tacit_coordinator::model::measure::{self, Figure, GroupMeasures};
use tacit_coordinator::model::uncertainty::Interval;
use tacit_coordinator::model::{DialOutcome, Fitted};
use tacit_model::gram::float;
use tacit_shared::fault::Fault;
use tacit_shared::secagg::open::Aggregate;
use tacit_shared::study::allocation::Allocation;

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
    plain: DVector<f64>,
    paying: DVector<f64>,
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
    /// The part of the pool that another site would have had: both divisions pay by the formula after the dial, and
    /// heads are public.
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
        let heads = float(rows.len());
        let variance = (square - beta.dot(&moment)) / (heads - float(p));
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
        let (moments, fitted) = trial.fitted(&aggregate)?;
        let inputs = moments.inputs().clone();
        let (t, paying) = (fitted.t().clone(), fitted.published().clone());
        let beta = inputs.gram().coefficients(&t).map_err(bug)?;
        // Without a share for groups there is no gap to speak of.
        let gap = measure::group(&inputs, 0, &t)
            .map_or(f64::NAN, |group| group.mean_residual_difference.value);
        Ok(Self { inputs, beta, gap, plain: t, paying })
    }

    /// The exact sums.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
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
    let (moments, fitted) = trial.fitted(aggregate)?;
    let inputs = moments.inputs();
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
        misplaced: misplaced(trial.study.allocation(), exact, (inputs, &fitted))?,
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

/// The part of the pool that exact sums would give to other sites; heads are public.
fn misplaced(
    rule: &Allocation,
    exact: &Exact,
    (inputs, fitted): (&Inputs, &Fitted),
) -> Result<f64, Fault> {
    let heads: Vec<Option<f64>> = exact.inputs.sites().iter().map(|s| Some(s.heads)).collect();
    let truth = State { inputs: &exact.inputs, plain: &exact.plain, paying: &exact.paying };
    let found = State { inputs, plain: fitted.t(), paying: fitted.published() };
    let (truth, found) = (amounts(rule, &truth, &heads)?, amounts(rule, &found, &heads)?);
    Ok(moved(truth.into_iter().zip(found)))
}

/// The part of a pool that another unit gets, from pairs of amounts.
pub(super) fn moved(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (moved, all) =
        pairs.fold((0.0, 0.0), |(moved, all), (a, b)| (moved + (a - b).abs(), all + a));
    moved / all / 2.0
}

fn amounts(rule: &Allocation, state: &State<'_>, heads: &[Option<f64>]) -> Result<Vec<f64>, Fault> {
    let units = labour::sites(state, heads);
    let all: f64 = units.iter().map(|unit| unit.heads).sum();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let per_head = rule.pool_cents.value() as f64 / all;
    let claim = |unit: &Labour| Claim {
        labour: unit.labour,
        price: 1.0,
        floor: per_head * unit.heads * f64::from(rule.floor_percent_per_head) / 100.0,
        cap: per_head * unit.heads * f64::from(rule.cap_percent_per_head) / 100.0,
    };
    let claims: Vec<Claim> = units.iter().map(claim).collect();
    let awards = allocate(rule.pool_cents, &claims).map_err(bug)?;
    Ok(awards.into_iter().map(|award| award.amount).collect())
}
