//! From one noisy release to coefficients, intervals and fairness.
//!
//! ```text
//! Inputs ─► linear::solve ─► uncertainty  coefficients, two intervals each
//!   │                  ├───► dial         the fair fit at φ, what it costs
//!   └─► measure ◄──────┴───► fair         the published estimators, for comparison
//! ```
//! [`fit`] runs all of it and is the only maker of [`Fitted`]. Pure: no clock, no file, no randomness;
//! everything here is post-processing of one release and costs no further privacy. Units of t are
//! whitened ([`gram`]), those of published coefficients the study's.
//!
//! What may be said depends on the noise. κ < 1: no coefficient and no dial. A group that does not stand
//! clear of its noise: no measures. After a dial along the release's own direction: measures without
//! intervals, because the noise that judges the fit has also chosen it. Left to others: reading a
//! release ([`tacit_model::moments`]), money ([`crate::allocation`]), wording ([`crate::report`]).
use nalgebra::DVector;
use serde::Serialize;

mod delta;
pub mod dial;
pub mod fair;
pub mod glm;
pub mod histogram;
mod judged;
pub mod levels;
pub mod measure;
pub mod plain;
pub mod reml;
pub mod rows;
pub mod site;
pub mod student;
pub mod table;
pub mod uncertainty;
pub mod within;

use dial::{Direction, Equivalents, Phi, Shift};
use gram::Inputs;
pub use judged::GroupResult;
use judged::{Fair, group_results, told};
use linear::{Quality, Solution};
use measure::{OverallMeasures, SiteResidual};
use site::{Between, SiteEffect};
use solve::same_length;
pub use tacit_model::{ModelError, filter, gram, linear, planning, solve};
use uncertainty::{Inference, Interval, Target};

/// Points of the accuracy-against-fairness curve: φ = 0, 0.1, … 1.
const CURVE_STEPS: u32 = 10;
/// Clinicians that a group of the dial has at least, in noise multipliers over the root of its share.
const FEWEST: f64 = 100.0;

/// What the study asks of a fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Names of the coefficients, in the order of the columns; the first is the constant.
    pub coefficients: Vec<String>,
    /// Names of the groups, in the order of the sums.
    pub groups: Vec<String>,
    /// Names of the sites, in the order of the sums.
    pub sites: Vec<String>,
    /// The dial, if the study closes a gap.
    pub dial: Option<DialSpec>,
    /// Groups, counted from 0, and a direction: what closing their gaps would cost, whether they are closed or not.
    pub explore: Option<(Vec<usize>, Direction)>,
}

/// Which gaps to close, by how much and along which direction.
#[derive(Clone, Debug, PartialEq)]
pub struct DialSpec {
    /// The share of the gaps to close.
    pub phi: Phi,
    /// The groups whose gaps are closed, counted from 0.
    pub groups: Vec<usize>,
    /// Along which coefficients.
    pub direction: Direction,
    /// The most that one clinician's residual adds to the sum of a group, √(K+1)·ρ: with it the noise of a group is
    /// weighed against its size. 0 where nothing is released.
    pub residual_unit: f64,
}

/// The result of [`fit`]: plain data for the report.
#[derive(Clone, Debug, Serialize)]
pub struct Fitted {
    /// What κ allows to be published.
    pub quality: Quality,
    /// Signal-to-noise ratio of the design; infinite without noise.
    pub kappa: f64,
    /// Number of clinicians after down-weighting, as the release shows it.
    pub n_eff: f64,
    /// Residual variance, in squared units of the outcome.
    pub sigma2: f64,
    /// The coefficients, in the order of the study.
    pub coefficients: Vec<Coefficient>,
    /// Accuracy of the plain fit.
    pub before: OverallMeasures,
    /// The groups, in the order of the study.
    pub groups: Vec<GroupResult>,
    /// The sites, in the order of the roster.
    pub sites: Vec<SiteResult>,
    /// How much sites differ beyond noise and sampling; `None` below two sites that stand clear of their
    /// noise. The population's intervals count it where it is known.
    pub between: Option<Between>,
    /// What became of the dial; `None` if the study has none.
    pub dial: Option<DialOutcome>,
    /// Accuracy against fairness, from φ = 0 to 1, for the groups asked about; empty where noise hides it. Along the
    /// release's own direction it is a rough one: the noise makes gaps look cheaper to close.
    pub curve: Vec<CurvePoint>,
    #[serde(skip)]
    t: DVector<f64>,
    #[serde(skip)]
    published: DVector<f64>,
    #[serde(skip)]
    predicting: DVector<f64>,
    #[serde(skip)]
    direction: Option<(Direction, DVector<f64>)>,
}

impl Fitted {
    /// Variance of one clinician's outcome, in squared units of it: what the formula leaves, and what it explains.
    pub fn variance(&self) -> f64 {
        let explained = self.before.r_squared.map_or(0.0, |figure| figure.value);
        self.sigma2 / (1.0 - explained.clamp(0.0, 0.95))
    }

    /// The plain solution t̂ in whitened units, p. For computation; κ decides what is printed of it.
    pub fn t(&self) -> &DVector<f64> {
        &self.t
    }

    /// The solution to use for predictions and money, in whitened units, p: that of the dial where it
    /// was applied, otherwise t̂.
    pub fn published(&self) -> &DVector<f64> {
        &self.published
    }

    /// Along which frozen directions the dial went, and how far along each; `None` without, or along the release's own.
    pub fn direction(&self) -> Option<(&Direction, &DVector<f64>)> {
        self.direction.as_ref().map(|(direction, steps)| (direction, steps))
    }

    /// The solution that predicts best, in whitened units, p: [`filter::solve`] where κ < 2 and no dial
    /// was applied, otherwise [`Fitted::published`]. No interval of it is valid.
    pub fn predicting(&self) -> &DVector<f64> {
        &self.predicting
    }
}

/// One coefficient in units of its column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Coefficient {
    /// Its name in the study.
    pub name: String,
    /// Its estimate by plain least squares; `None` where κ < 1.
    pub estimate: Option<f64>,
    /// Its value in the fair fit, where the dial was applied.
    pub fair: Option<f64>,
    /// 95 %: what the same computation without privacy noise would give.
    pub exact_data: Interval,
    /// 95 %: the coefficient of the population.
    pub population: Interval,
}

/// One site under the plain fit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SiteResult {
    /// Its name in the roster.
    pub name: String,
    /// Its mean residual; `None` for a site too small to say.
    pub residual: Option<SiteResidual>,
    /// The same, drawn to the mean of all sites by as much as it is noise.
    pub effect: Option<SiteEffect>,
}

/// What became of the dial.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DialOutcome {
    /// The fair fit exists.
    Applied(DialResult),
    /// The noise, or the groups themselves, do not allow one.
    Withheld {
        /// Why, in one sentence.
        reason: String,
    },
}

/// A fair fit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DialResult {
    /// The share of the gaps that was asked to close.
    pub phi: Phi,
    /// For each group of the dial, which share of that to expect on the actual staff.
    pub realised: Vec<f64>,
    /// Accuracy of the fair fit.
    pub after: OverallMeasures,
    /// Parameters of the published estimators that give the same fit; for one group only.
    pub equivalents: Option<Equivalents>,
}

/// One point of the accuracy-against-fairness curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// The share of the gaps closed.
    pub phi: f64,
    /// R² of the fit there; `None` where noise leaves no positive variance.
    pub r_squared: Option<f64>,
    /// Mean residual difference left, for each group of the dial.
    pub gaps: Vec<f64>,
}

/// Fits a release as the study asks.
///
/// # Errors
/// [`ModelError::Shape`] if names and sums differ in number, [`ModelError::NoSuchGroup`] if the dial
/// names a group that does not exist, and as [`linear::solve`]. A dial that the noise does not allow is
/// no error: [`DialOutcome::Withheld`] says why.
pub fn fit(spec: &Spec, inputs: &Inputs) -> Result<Fitted, ModelError> {
    same_length("coefficient names", inputs.gram().len(), spec.coefficients.len())?;
    same_length("group names", inputs.groups().len(), spec.groups.len())?;
    same_length("site names", inputs.sites().len(), spec.sites.len())?;
    for &group in spec.dial.iter().flat_map(|dial| &dial.groups) {
        inputs.group(group)?;
    }
    let solution = linear::solve(inputs.gram())?;
    let t = solution.t();
    let lost = solution.lost_to_noise(inputs.gram(), t)?;
    let before = measure::overall(inputs, t, lost)?;
    let way = spec.explore.as_ref().filter(|_| solution.quality() != Quality::Withheld);
    let way = way.and_then(|(groups, direction)| {
        // Groups lost in noise have no curve, which is a finding and no failure.
        dial::shift(inputs, &solution, groups, direction).ok()
    });
    let curve = way.map_or_else(|| Ok(Vec::new()), |way| curve(inputs, &way, lost))?;
    let attempt = spec.dial.as_ref().map(|dial| apply(dial, inputs, &solution, lost));
    let shift = match &attempt {
        Some(Ok((shift, _))) => Some(shift),
        Some(Err(_)) | None => None,
    };
    let fair = match (shift, &spec.dial) {
        (Some(shift), Some(dial)) => Some(Fair {
            t: shift.at(dial.phi),
            steps: shift.steps(dial.phi),
            direction: &dial.direction,
        }),
        _ => None,
    };
    let between = site::between(inputs, &solution)?;
    let fair_t = fair.as_ref().map(|fair| &fair.t);
    let coefficients = coefficients(spec, inputs, (&solution, between.as_ref()), fair_t)?;
    let groups = group_results(spec, inputs, t, fair.as_ref())?;
    let sites = site_results(spec, inputs, &solution, between.as_ref())?;
    let filtered = fair.is_none() && solution.kappa() < filter::PLAIN_FROM;
    let direction = fair
        .as_ref()
        .and_then(|fair| fair.steps.as_ref().map(|steps| (fair.direction.clone(), steps.clone())));
    let published = fair.map_or_else(|| t.clone(), |fair| fair.t);
    let predicting = if filtered { filter::solve(inputs.gram())? } else { published.clone() };
    let dial = attempt.map(|attempt| match attempt {
        Ok((_, result)) => DialOutcome::Applied(result),
        Err(error) => DialOutcome::Withheld { reason: told(&error, &spec.groups) },
    });
    Ok(Fitted {
        quality: solution.quality(),
        kappa: solution.kappa(),
        n_eff: solution.n_eff(),
        sigma2: solution.sigma2(),
        coefficients,
        before,
        groups,
        sites,
        between,
        dial,
        curve,
        t: t.clone(),
        published,
        predicting,
        direction,
    })
}

fn apply(
    spec: &DialSpec,
    inputs: &Inputs,
    solution: &Solution,
    lost: f64,
) -> Result<(Shift, DialResult), ModelError> {
    if solution.quality() == Quality::Withheld {
        return Err(ModelError::DesignTooNoisy { kappa: solution.kappa() });
    }
    // Along its own direction a release says by itself how much of the gap is closed.
    let frozen = matches!(spec.direction, Direction::Frozen(_));
    for &group in spec.groups.iter().filter(|_| frozen && spec.residual_unit > 0.0) {
        let sums = inputs.group(group)?;
        // N·√f ≥ 100σ₀: with fewer, trials found the gap closed anywhere between none and all of it.
        if sums.weight * spec.residual_unit < FEWEST * sums.noise.residual {
            return Err(ModelError::DirectionTooNoisy { index: group });
        }
    }
    let shift = dial::shift(inputs, solution, &spec.groups, &spec.direction)?;
    let after = overall_after(inputs, &shift.at(spec.phi), lost, &spec.direction)?;
    let equivalents = match spec.groups.as_slice() {
        &[only] => Some(dial::equivalents(inputs, solution, only, spec.phi)?),
        _ => None,
    };
    let result =
        DialResult { phi: spec.phi, realised: shift.realised().to_vec(), after, equivalents };
    Ok((shift, result))
}

/// What closing gaps along a way would cost.
fn curve(inputs: &Inputs, shift: &Shift, lost: f64) -> Result<Vec<CurvePoint>, ModelError> {
    let mut curve = Vec::new();
    for step in 0..=CURVE_STEPS {
        let phi = Phi::new(f64::from(step) / f64::from(CURVE_STEPS))?;
        let measures = measure::overall(inputs, &shift.at(phi), lost)?;
        curve.push(CurvePoint {
            phi: phi.value(),
            r_squared: measures.r_squared.map(|figure| figure.value),
            gaps: shift.gaps().iter().map(|gap| gap * (1.0 - phi.value())).collect(),
        });
    }
    Ok(curve)
}

fn overall_after(
    inputs: &Inputs,
    t: &DVector<f64>,
    lost: f64,
    direction: &Direction,
) -> Result<OverallMeasures, ModelError> {
    let measures = measure::overall(inputs, t, lost)?;
    Ok(match direction {
        Direction::SameRelease => measures.without_intervals(),
        Direction::Frozen(_) => measures,
    })
}

fn coefficients(
    spec: &Spec,
    inputs: &Inputs,
    (solution, between): (&Solution, Option<&Between>),
    fair: Option<&DVector<f64>>,
) -> Result<Vec<Coefficient>, ModelError> {
    let gram = inputs.gram();
    let exact = Inference::new(gram, solution, Target::ExactData)?;
    let population = match between {
        Some(between) => {
            let shared = site::clustering(between, inputs, solution)?;
            Inference::clustered(gram, solution, between, &shared)?
        }
        None => Inference::new(gram, solution, Target::Population)?,
    };
    let fair = fair.map(|t| gram.coefficients(t)).transpose()?;
    let withheld = solution.quality() == Quality::Withheld;
    let mut result = Vec::new();
    for (index, name) in spec.coefficients.iter().enumerate() {
        let (exact, population) = (exact.coefficient(index)?, population.coefficient(index)?);
        let shown = |interval| {
            if withheld { Interval::NotEstimable } else { interval }
        };
        result.push(Coefficient {
            name: name.clone(),
            estimate: (!withheld).then_some(exact.value),
            fair: fair.as_ref().and_then(|beta| beta.get(index).copied()),
            exact_data: shown(exact.fieller),
            population: shown(population.fieller),
        });
    }
    Ok(result)
}

fn site_results(
    spec: &Spec,
    inputs: &Inputs,
    solution: &Solution,
    between: Option<&Between>,
) -> Result<Vec<SiteResult>, ModelError> {
    spec.sites
        .iter()
        .zip(inputs.sites())
        .map(|(name, sums)| {
            Ok(SiteResult {
                name: name.clone(),
                residual: measure::site(sums, solution.t(), solution.sigma2())?,
                effect: between.map(|b| site::effect(b, sums, solution.t())).transpose()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
