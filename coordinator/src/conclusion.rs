//! What a round says: moments, the fit, the division of the pool, and the report of them.
//!
//! [`conclude`] is the one road from an opened aggregate to a [`Report`]; everything on it is
//! post-processing. How a pool is divided by sums, noisy or exact, is [`divide`]'s work, so that a
//! rehearsal divides its known truth by the same rule.
mod division;
mod found;
pub mod means;
mod money;
mod parts;
mod prices;
mod within;

pub use division::{Divided, Division, Ground, Share, divide};
pub use found::exact_quantiles;
pub use prices::{Priced, Prices};

use crate::model::dial::{Direction, Phi};
use crate::model::gram::Inputs;
use crate::model::linear::Quality;
use crate::model::{DialOutcome, DialSpec, Fitted, ModelError, Spec, fit};
use crate::report::data::{FORMAT, ReportData};
use crate::report::{Report, ReportError};
use nalgebra::{DMatrix, DVector};
use std::collections::BTreeMap;
use tacit_model::moments::Moments;
use tacit_model::sane::{self, Unsound};
use tacit_shared::fault::Fault;
use tacit_shared::id::{Digest, GroupId};
use tacit_shared::privacy::plan::Plan;
use tacit_shared::protocol::message::Outcome;
use tacit_shared::roster::Roster;
use tacit_shared::secagg::open::Aggregate;
use tacit_shared::study::allocation::Allocation;
use tacit_shared::study::{Study, StudyError};

/// Why nothing could be concluded.
#[derive(Debug, thiserror::Error)]
pub enum ConclusionError {
    /// Nothing may be concluded from the sum.
    #[error(transparent)]
    Unsound(#[from] Unsound),
    /// The sums do not determine a fit.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The pool cannot be divided.
    #[error(transparent)]
    Allocation(#[from] crate::allocation::AllocationError),
    /// Rates and odds multiply: there is no labour to add up.
    #[error("no money is divided: the outcome is a count, a share or a positive number")]
    NoLabour,
    /// Noise hides the design, so no money is divided by it.
    #[error("no money is divided: noise hides the formula (κ = {kappa:.2}, at least 1 is needed)")]
    Withheld {
        /// Signal-to-noise ratio of the design.
        kappa: f64,
    },
    /// The equity rule weighs sites, but the release does not say who is where.
    #[error("the equity rule cannot weigh sites: this release has no heads of its groups at sites")]
    NoMembers,
    /// The rule of the money does not fit the study or its sites.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// The parts of the report contradict each other.
    #[error(transparent)]
    Report(#[from] ReportError),
}

impl ConclusionError {
    /// The same, for a person.
    pub fn to_fault(&self) -> Fault {
        if let ConclusionError::Unsound(Unsound::Senseless(_)) = self {
            return Fault::user(format!("the result is withheld: {self}")).hint(
                "ask each hospital's officer to look at what it committed to: `tacit-node opening --round DIGEST`; \
                 nothing of this result is to be used before",
            );
        }
        let hint =
            "the signed result is stored: a corrected study of the same layout can be fitted to it";
        Fault::user(format!("the result cannot be reported: {self}")).hint(hint)
    }
}

/// The round that is concluded.
#[derive(Clone, Copy, Debug)]
pub struct Round<'a> {
    /// The study.
    pub study: &'a Study,
    /// The roster.
    pub roster: &'a Roster,
    /// The plan of both.
    pub plan: &'a Plan,
    /// What was opened.
    pub aggregate: &'a Aggregate,
    /// What the coordinator signed.
    pub outcome: &'a Outcome,
    /// Digest of the transcript.
    pub transcript: Digest,
}

/// What a rehearsal knows: the values the hospitals were made with, in the report's own units.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Truth {
    /// By column.
    pub coefficients: BTreeMap<String, f64>,
    /// Mean residual difference before and after the dial, by group, in points.
    pub gaps: BTreeMap<String, (f64, f64)>,
    /// Cents by site.
    pub cents: BTreeMap<String, i64>,
    /// Cents by level, by the feature of a service line.
    pub lines: BTreeMap<String, BTreeMap<String, i64>>,
    /// Quantiles of each histogram, by rising share.
    pub quantiles: BTreeMap<String, Vec<f64>>,
    /// Effects of sites, in points.
    pub sites: BTreeMap<String, f64>,
    /// Mean outcome inside a group and outside it, by group, in points.
    pub means: BTreeMap<String, (f64, f64)>,
    /// What the pool pays for what.
    pub prices: Option<Prices>,
    /// What the fit within hospitals gives without noise, by column, in points per unit.
    pub within: BTreeMap<String, f64>,
}

/// Concludes a round; `truth` is known in a rehearsal only.
///
/// # Errors
/// [`ConclusionError`] if the numbers do not make a report.
pub fn conclude(round: &Round<'_>, truth: Option<&Truth>) -> Result<Report, ConclusionError> {
    let moments = sane::read(round.plan, round.aggregate)?;
    let sites = site_names(round, &moments);
    let fitted = fit_study(round.study, &sites, moments.inputs())?;
    let divided = match fitted.quality {
        Quality::Withheld => None,
        // Rates and odds multiply: there is no labour to add up.
        _ if !round.study.family().is_additive() => None,
        Quality::Weak | Quality::Good => {
            let rule = round.study.allocation();
            rule.check_sites(round.roster.sites().map(|(_, party)| &party.id))?;
            let (study, inputs, seed) = (round.study, moments.inputs(), seed(round));
            let ground = Ground { study, sites: &sites, inputs, fitted: &fitted, seed };
            Some(divide(&ground, rule)?)
        }
    };
    let scene = parts::Scene { round, moments: &moments, fitted: &fitted, truth };
    let coefficients = scene.coefficients();
    let data = ReportData {
        format: FORMAT,
        generated_by: concat!("tacit-coordinator ", env!("CARGO_PKG_VERSION")).to_owned(),
        rehearsal: truth.is_some(),
        study: scene.study(),
        federation: scene.federation(),
        privacy: scene.privacy(),
        quality: scene.quality(),
        fit: scene.fit(),
        within: scene.within(&coefficients),
        coefficients,
        fairness: scene.fairness()?,
        histograms: scene.histograms(),
        sites: scene.sites(),
        change: scene.change(),
        answer: Vec::new(),
        questions: scene.questions(),
        allocation: divided.as_ref().and_then(|divided| scene.allocation(divided)),
        service_lines: divided
            .as_ref()
            .map_or_else(Vec::new, |divided| scene.service_lines(divided)),
        prices: divided.as_ref().map(|divided| scene.prices(divided)),
        equity: divided.as_ref().and_then(|divided| scene.equity(divided)),
        codes: divided.as_ref().and_then(|divided| scene.codes(divided)),
        inputs: scene.inputs(),
        notes: notes(round.study, &fitted),
    };
    Ok(Report::new(data)?)
}

/// Divides the pool of a round by each of `rules`, which may differ from the study's in public numbers alone.
///
/// # Errors
/// [`ConclusionError::Withheld`] if no fit is published, and as [`divide`].
pub fn what_if(round: &Round<'_>, rules: &[&Allocation]) -> Result<Vec<Divided>, ConclusionError> {
    let moments = sane::read(round.plan, round.aggregate)?;
    if !round.study.family().is_additive() {
        return Err(ConclusionError::NoLabour);
    }
    let sites = site_names(round, &moments);
    let fitted = fit_study(round.study, &sites, moments.inputs())?;
    if fitted.quality == Quality::Withheld {
        return Err(ConclusionError::Withheld { kappa: fitted.kappa });
    }
    let (study, inputs, seed) = (round.study, moments.inputs(), seed(round));
    let ground = Ground { study, sites: &sites, inputs, fitted: &fitted, seed };
    let by = |rule: &&Allocation| {
        rule.check_sites(round.roster.sites().map(|(_, party)| &party.id))?;
        divide(&ground, rule)
    };
    rules.iter().map(by).collect()
}

/// Fits a study to sums, noisy or exact; `sites` names them in their order.
///
/// # Errors
/// [`ModelError`] if the sums do not determine a fit.
pub fn fit_study(study: &Study, sites: &[String], inputs: &Inputs) -> Result<Fitted, ModelError> {
    let schema = study.schema();
    let spec = Spec {
        coefficients: schema.columns().into_iter().map(|column| column.name).collect(),
        groups: schema.groups.iter().map(|group| group.id.to_string()).collect(),
        sites: sites.to_vec(),
        dial: dial_of(study, inputs),
        explore: explored(study),
    };
    fit(&spec, inputs)
}

/// The groups whose gaps a study asks about, counted from 0.
fn dialled(study: &Study) -> Vec<usize> {
    let all = &study.schema().groups;
    let position = |id: &GroupId| all.iter().position(|group| group.id == *id);
    study.fairness().groups.iter().filter_map(position).collect()
}

/// The dial that a study asks for. A first period has none: along a direction that its own noise chose, neither gaps nor
/// amounts would have an interval that holds (in trials those of amounts covered 74 to 92 %).
fn dial_of(study: &Study, inputs: &Inputs) -> Option<DialSpec> {
    let (groups, phi) = (dialled(study), study.fairness().phi);
    let wanted = !groups.is_empty() && phi > 0.0;
    match (Phi::new(phi), frozen(study)) {
        (Ok(phi), Some(direction)) if wanted => {
            Some(DialSpec { phi, groups, direction, residual_unit: residual_unit(study, inputs) })
        }
        _ => None,
    }
}

/// What is shown of the price of fairness before anyone chooses φ: in a first period roughly, along its own direction.
fn explored(study: &Study) -> Option<(Vec<usize>, Direction)> {
    let groups = dialled(study);
    let direction = match study.warm() {
        Some(_) => frozen(study)?,
        None => Direction::SameRelease,
    };
    (!groups.is_empty() && study.family().is_additive()).then_some((groups, direction))
}

/// The directions that earlier results gave; `None` in a first period, or where they gave none.
fn frozen(study: &Study) -> Option<Direction> {
    let columns: Vec<DVector<f64>> =
        study.warm()?.directions.iter().map(|column| DVector::from_column_slice(column)).collect();
    (!columns.is_empty()).then(|| Direction::Frozen(DMatrix::from_columns(&columns)))
}

/// √(K+1)·ρ; 0 for sums without noise.
fn residual_unit(study: &Study, inputs: &Inputs) -> f64 {
    if inputs.gram().is_exact() {
        return 0.0;
    }
    let outcome = &study.schema().outcome;
    let groups = u32::try_from(study.schema().groups.len()).unwrap_or(u32::MAX);
    (f64::from(groups) + 1.0).sqrt() * outcome.residual_bound / (outcome.high - outcome.low)
}

fn site_names(round: &Round<'_>, moments: &Moments) -> Vec<String> {
    let name = |index: &_| round.roster.site(*index).map(|party| party.id.to_string());
    moments.sites().iter().filter_map(name).collect()
}

/// The bootstrap is repeatable: its randomness follows from the result.
fn seed(round: &Round<'_>) -> [u8; 32] {
    *round.aggregate.round().as_bytes()
}

fn notes(study: &Study, fitted: &Fitted) -> Vec<String> {
    let mut notes = vec![
        clustering(fitted),
        "The intervals of amounts count the privacy noise in everything that leads to them."
            .to_owned(),
    ];
    if !study.family().is_additive() {
        notes.push(
            "The outcome is a count, a share or a positive number: a coefficient says by how many percent its rate, odds or mean differ, and neither gaps between groups nor a division of the pool are offered.".to_owned(),
        );
    }
    let frozen = study.warm().is_some();
    let asked = study.fairness().phi > 0.0 && !study.fairness().groups.is_empty();
    match &fitted.dial {
        Some(DialOutcome::Applied(_)) => notes.push(
            "The dial moves the formula along a direction that earlier results gave, so the noise of this release judges it without having chosen it; the intervals after the dial count that noise.".to_owned(),
        ),
        Some(DialOutcome::Withheld { reason }) => {
            notes.push(format!("The dial was not used: {reason}."));
        }
        None if asked && !frozen => notes.push(
            "The dial waits for the second period: along a direction estimated from these very sums, no interval of a gap or an amount would hold. This result gives the direction; what closing the gap would cost is shown roughly.".to_owned(),
        ),
        None if asked => notes.push(
            "The dial was not used: earlier results gave no direction that stands clear of their noise.".to_owned(),
        ),
        None => {}
    }
    if let Some(warm) = study.warm() {
        let results = warm.results.len();
        notes.push(format!(
            "Scaling, prior formula and caps follow from {results} earlier signed result{}; every hospital derived them itself before it took part.",
            if results == 1 { "" } else { "s" }
        ));
    }
    if fitted.quality == Quality::Weak {
        notes.push("The noise is large for so many coefficients; read them with care.".to_owned());
    }
    notes
}

/// Whether the population's intervals count that clinicians of one hospital resemble each other.
fn clustering(fitted: &Fitted) -> String {
    match &fitted.between {
        Some(between) => format!(
            "The population intervals of the formula count sampling, privacy noise, and that clinicians of one hospital resemble each other; with {} hospitals to tell this from, they are as wide as so few allow. Those of means and quantiles count sampling and noise alone, gaps and amounts noise alone.",
            between.sites
        ),
        None => "The population intervals count sampling and privacy noise. How much hospitals differ could not be told from the noise, so they do not count that clinicians of one hospital resemble each other.".to_owned(),
    }
}
