//! How fair and how accurate a fit is, from sums, with standard errors.
//!
//! ```text
//! c: mean x̃    ŷ = c·(prior + t)    ȳ = c·prior + mean residual    g: the group    r: everybody else
//! net compensation            ŷ_g − ȳ_g
//! predictive ratio            ŷ_g / ȳ_g
//! mean residual difference    (ȳ_g − ŷ_g) − (ȳ_r − ŷ_r)
//! fair covariance             N_g N_r / N² · mean residual difference
//! overall mean residual       ȳ − ŷ
//! R²                          1 − RSS/TSS      RSS = q − 2tᵀb + tᵀAt      TSS = q + 2vᵀb + vᵀAv
//! site residual               d_s = (R_s − S_sᵀt)/n_s
//! ```
//! v = prior − ȳ·unit turns the residual sums into sums about the mean. Standard errors take the fit as
//! fixed and count the known noise of the sums, to first order (the delta method, with the derivatives
//! carried along the formulas). So they answer: how far is this number from what the actual staff would
//! show? They do not count sampling, and they are not valid for a fit whose direction comes from the
//! same noisy sums ([`super::dial::Direction::SameRelease`]).
use nalgebra::{DMatrix, DVector};
use serde::Serialize;

use super::ModelError;
use super::delta::{Dual, Formula, Noise, Sums};
use super::gram::{Gram, GroupSums, Inputs};
use super::solve::same_length;
use super::uncertainty::{Interval, Z95};

/// A number and its standard error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The number.
    pub value: f64,
    /// Its standard error under the known noise, or `None` where none is valid.
    pub standard_error: Option<f64>,
}

impl Figure {
    /// value ± 1.96 standard errors, or not estimable where there is no valid standard error.
    pub fn interval(&self) -> Interval {
        self.standard_error.map_or(Interval::NotEstimable, |se| {
            Interval::between(self.value - Z95 * se, self.value + Z95 * se)
        })
    }

    /// The same number without its standard error.
    #[must_use = "returns the number without its standard error"]
    pub fn without_interval(self) -> Self {
        Self { standard_error: None, ..self }
    }
}

/// Fairness of a fit towards one group. Units: those of the outcome, unless said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupMeasures {
    /// Mean prediction less mean outcome in the group.
    pub net_compensation_group: Figure,
    /// The same outside it.
    pub net_compensation_rest: Figure,
    /// Mean residual in the group less that outside it.
    pub mean_residual_difference: Figure,
    /// Mean prediction over mean outcome in the group, no unit; `None` where the outcome is not told
    /// from zero.
    pub predictive_ratio_group: Option<Figure>,
    /// The same outside it.
    pub predictive_ratio_rest: Option<Figure>,
    /// Covariance of the group flag and the residual.
    pub fair_covariance: Figure,
}

impl GroupMeasures {
    /// The same numbers without standard errors.
    #[must_use = "returns the numbers without their standard errors"]
    pub fn without_intervals(self) -> Self {
        Self {
            net_compensation_group: self.net_compensation_group.without_interval(),
            net_compensation_rest: self.net_compensation_rest.without_interval(),
            mean_residual_difference: self.mean_residual_difference.without_interval(),
            predictive_ratio_group: self.predictive_ratio_group.map(Figure::without_interval),
            predictive_ratio_rest: self.predictive_ratio_rest.map(Figure::without_interval),
            fair_covariance: self.fair_covariance.without_interval(),
        }
    }
}

/// Accuracy of a fit over everybody.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverallMeasures {
    /// Mean outcome less mean prediction; `None` where the sums do not stand clear of their noise.
    pub overall_mean_residual: Option<Figure>,
    /// Share of the variance explained; `None` where noise leaves no positive variance.
    pub r_squared: Option<Figure>,
    /// Mean squared residual, in squared units of the outcome.
    pub mean_squared_error: Option<Figure>,
}

impl OverallMeasures {
    /// The same numbers without standard errors.
    #[must_use = "returns the numbers without their standard errors"]
    pub fn without_intervals(self) -> Self {
        Self {
            overall_mean_residual: self.overall_mean_residual.map(Figure::without_interval),
            r_squared: self.r_squared.map(Figure::without_interval),
            mean_squared_error: self.mean_squared_error.map(Figure::without_interval),
        }
    }
}

/// Measures the fit t (whitened units, p) towards one group.
///
/// # Errors
/// [`ModelError::NoSuchGroup`], [`ModelError::Shape`], and [`ModelError::TooSmall`] if the group or the
/// rest does not stand clear of its noise.
pub fn group(inputs: &Inputs, index: usize, t: &DVector<f64>) -> Result<GroupMeasures, ModelError> {
    judged(inputs, index, &Formula { t, steps: None, prior: inputs.gram().prior() })
}

/// Measures the fit t, moved by so many steps along each direction of the release, towards one group. Rows were summed
/// along the directions, which says more of the move than the sums of x̃ would.
///
/// # Errors
/// As [`group`], and [`ModelError::Shape`] unless there is one step a direction.
pub fn moved_group(
    inputs: &Inputs,
    index: usize,
    (t, steps): (&DVector<f64>, &DVector<f64>),
) -> Result<GroupMeasures, ModelError> {
    same_length("steps along directions", inputs.all().later.along.len(), steps.len())?;
    judged(inputs, index, &Formula { t, steps: Some(steps), prior: inputs.gram().prior() })
}

fn judged(
    inputs: &Inputs,
    index: usize,
    formula: &Formula<'_>,
) -> Result<GroupMeasures, ModelError> {
    same_length("fit", inputs.gram().len(), formula.t.len())?;
    let (part, all) = (inputs.group(index)?, inputs.all());
    if !part.stands_clear() || !all.without(part).stands_clear() {
        return Err(ModelError::TooSmall { index });
    }
    let noise = Noise::of(Some(part), all, formula);
    let own = Sums::of(part, formula, 0);
    let total = Sums::of(all, formula, 1);
    let rest = total - own;
    let difference = own.mean_residual() - rest.mean_residual();
    let flag_variance = own.weight * rest.weight / (total.weight * total.weight);
    let figure = |dual| figure(&noise, dual);
    Ok(GroupMeasures {
        net_compensation_group: figure(Dual::constant(0.0) - own.mean_residual()),
        net_compensation_rest: figure(Dual::constant(0.0) - rest.mean_residual()),
        mean_residual_difference: figure(difference),
        predictive_ratio_group: ratio(&noise, &own),
        predictive_ratio_rest: ratio(&noise, &rest),
        fair_covariance: figure(flag_variance * difference),
    })
}

/// Measures the fit t (whitened units, p) over everybody. `lost` is added to the residual sum of
/// squares: [`super::linear::Solution::lost_to_noise`] for a fit to this very release, 0 for a fit
/// that does not know its noise.
///
/// # Errors
/// [`ModelError::Shape`] if t has another length.
pub fn overall(
    inputs: &Inputs,
    t: &DVector<f64>,
    lost: f64,
) -> Result<OverallMeasures, ModelError> {
    let gram = inputs.gram();
    same_length("fit", gram.len(), t.len())?;
    let all = inputs.all();
    let overall_mean_residual = all.stands_clear().then(|| {
        let formula = Formula { t, steps: None, prior: gram.prior() };
        figure(&Noise::of(None, all, &formula), Sums::of(all, &formula, 1).mean_residual())
    });
    let rss = Quadratic::of(gram, &(-t), lost);
    let rows = gram.unit().dot(&(&gram.sums().a * gram.unit()));
    if rows.is_nan() || rows <= 0.0 {
        return Ok(OverallMeasures {
            overall_mean_residual,
            r_squared: None,
            mean_squared_error: None,
        });
    }
    let mean = gram.unit().dot(&(&gram.sums().b + &gram.sums().a * gram.prior())) / rows;
    let tss = Quadratic::of(gram, &(gram.prior() - gram.unit() * mean), 0.0);
    let mse = rss.value / rows;
    let rows_gradient = Quadratic {
        value: rows,
        in_q: 0.0,
        in_b: DVector::zeros(t.len()),
        in_a: gram.unit() * gram.unit().transpose(),
    };
    Ok(OverallMeasures {
        overall_mean_residual,
        r_squared: (tss.value > 0.0).then(|| {
            let left = rss.value / tss.value;
            quotient(gram, 1.0 - left, (&rss, &tss), left)
        }),
        mean_squared_error: Some(quotient(gram, mse, (&rss, &rows_gradient), mse)),
    })
}

/// The mean fitted outcome of a group, a site or everybody: x·(prior + t)/weight. Times a public head
/// count it is the labour that an allocation divides by. `None` where the weight does not stand clear
/// of its noise.
///
/// # Errors
/// [`ModelError::Shape`] if t or the sums have another length.
pub fn fitted_mean(
    gram: &Gram,
    sums: &GroupSums,
    t: &DVector<f64>,
) -> Result<Option<Figure>, ModelError> {
    same_length("fit", gram.len(), t.len())?;
    same_length("group sums", gram.len(), sums.x.len())?;
    let formula = Formula { t, steps: None, prior: gram.prior() };
    let noise = Noise::of(None, sums, &formula);
    let parts = Sums::of(sums, &formula, 1);
    let mean = (parts.fitted + parts.prior) / parts.weight;
    Ok(sums.stands_clear().then(|| figure(&noise, mean)))
}

/// Mean residual of one site with its standard error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SiteResidual {
    /// Mean residual, in units of the outcome.
    pub value: f64,
    /// Counts sampling within the site and noise.
    pub standard_error: f64,
}

/// The mean residual of a site under the fit t:
/// ```text
/// v_s = σ²/n_s + (sd_R² + sd_S²‖t‖² + sd_N² d_s²)/n_s²        n_s = x₁: + 2 sd_S² t₁ d_s /n_s²
/// ```
/// `n_s` is the weight, or the heads where these are known better: in a release the weight has the noise of the features,
/// which is several times that of the heads. Rows shrunk to the norm cap then count whole, which draws `d_s` to 0 by the few
/// percent that they lack.
///
/// `None` for a site of less than 20 clinicians, or less than four standard deviations of its count.
///
/// # Errors
/// [`ModelError::Shape`] if t has another length.
pub fn site(
    sums: &GroupSums,
    t: &DVector<f64>,
    sigma2: f64,
) -> Result<Option<SiteResidual>, ModelError> {
    same_length("fit", sums.x.len(), t.len())?;
    let noise = sums.noise;
    let by_heads = noise.heads < noise.weight;
    let (n, sd) = if by_heads { (sums.heads, noise.heads) } else { (sums.weight, noise.weight) };
    if sums.heads < 20.0 || n < 20.0 || n <= 4.0 * sd {
        return Ok(None);
    }
    let together = sums.weighs_by_first() && !by_heads;
    let first = t.iter().next().copied().filter(|_| together).unwrap_or(0.0);
    let value = (sums.residual - sums.x.dot(t)) / n;
    let from_noise = noise.residual.powi(2)
        + noise.x.powi(2) * t.norm_squared()
        + (sd * value).powi(2)
        + 2.0 * first * value * noise.x.powi(2);
    let variance = sigma2 / n + from_noise / (n * n);
    Ok(Some(SiteResidual { value, standard_error: variance.max(0.0).sqrt() }))
}

/// q + 2vᵀb + vᵀAv with its derivatives by q, b and A.
struct Quadratic {
    value: f64,
    in_q: f64,
    in_b: DVector<f64>,
    in_a: DMatrix<f64>,
}

impl Quadratic {
    fn of(gram: &Gram, v: &DVector<f64>, lost: f64) -> Self {
        let sums = gram.sums();
        Self {
            value: sums.q + 2.0 * v.dot(&sums.b) + v.dot(&(&sums.a * v)) + lost,
            in_q: 1.0,
            in_b: v * 2.0,
            in_a: v * v.transpose(),
        }
    }
}

/// A function of top/bottom whose slope is ±(d top − ratio·d bottom)/bottom. A symmetric matrix M of
/// derivatives by A has the variance τ²‖M‖², since off-diagonal entries count twice at half variance.
fn quotient(
    gram: &Gram,
    value: f64,
    (top, bottom): (&Quadratic, &Quadratic),
    ratio: f64,
) -> Figure {
    let noise = gram.noise();
    let in_q = top.in_q - ratio * bottom.in_q;
    let in_b = &top.in_b - &bottom.in_b * ratio;
    let in_a = &top.in_a - &bottom.in_a * ratio;
    let variance =
        noise.vq * in_q * in_q + noise.vb * in_b.norm_squared() + noise.tau2 * in_a.norm_squared();
    Figure { value, standard_error: Some(variance.max(0.0).sqrt() / bottom.value.abs()) }
}

fn figure(noise: &Noise, dual: Dual) -> Figure {
    Figure { value: dual.value, standard_error: Some(noise.sd(dual)) }
}

/// Predicted over observed, where the observed stands clear of its noise.
fn ratio(noise: &Noise, sums: &Sums) -> Option<Figure> {
    let observed = sums.residual + sums.prior;
    let clear = observed.value.abs() > 4.0 * noise.sd(observed);
    clear.then(|| figure(noise, (sums.fitted + sums.prior) / observed))
}
