//! The parts of a report, each from what is known of the round.
//!
//! Scaled numbers become points of the outcome here, and only here:
//! ```text
//! points = low + (high − low)·y      an effect: β·(high − low)/half range, points per unit
//! ```
use super::{Round, Truth};
use crate::model::dial::Equivalents as ModelEquivalents;
use crate::model::linear::Quality;
use crate::model::measure::{Figure, GroupMeasures, OverallMeasures, fitted_mean};
use crate::model::uncertainty::Interval as ModelInterval;
use crate::model::{DialOutcome, DialResult, Fitted, ModelError};
use crate::report::data::{
    Coefficient, CoefficientKind, CurvePoint, Definition, Equivalents, FairnessPart,
    FederationPart, FitPart, FitQuality, GapMeasures, GroupFairness, InputsPart, Interval, Noisy,
    OutcomePart, OverallFit, PatientPrivacy, PrivacyPart, QualityPart, ScoredByPart, StudyPart,
};
use nalgebra::DVector;
use tacit_model::moments::{Moments, Noisy as Moment};
use tacit_shared::id::FeatureId;
use tacit_shared::privacy::accountant::{Cost, attacker_power};
use tacit_shared::study::Study;
use tacit_shared::study::family::Family;
use tacit_shared::study::pin::Pin;
use tacit_shared::study::schema::Column;
use tacit_shared::units::{Epsilon, Mu, Probability};

/// Everything a part may be written from.
pub(super) struct Scene<'a> {
    pub(super) round: &'a Round<'a>,
    pub(super) moments: &'a Moments,
    pub(super) fitted: &'a Fitted,
    pub(super) truth: Option<&'a Truth>,
}

impl Scene<'_> {
    /// Points in one scaled unit of the outcome.
    pub(super) fn range(&self) -> f64 {
        let outcome = &self.round.study.schema().outcome;
        outcome.high - outcome.low
    }

    pub(super) fn low(&self) -> f64 {
        self.round.study.schema().outcome.low
    }

    pub(super) fn shown(&self) -> bool {
        self.fitted.quality != Quality::Withheld
    }

    pub(super) fn study(&self) -> StudyPart {
        let study = self.round.study;
        let (from, to) = study.period();
        let outcome = &study.schema().outcome;
        StudyPart {
            name: study.name().to_string(),
            title: study.title().to_owned(),
            question: study.question().to_owned(),
            purpose: study.purpose().to_owned(),
            recipients: study.recipients().iter().map(ToString::to_string).collect(),
            limits: study.limits().to_vec(),
            from: from.to_string(),
            to: to.to_string(),
            outcome: OutcomePart {
                name: outcome.id.to_string(),
                label: outcome.label.clone(),
                low_points: outcome.low,
                high_points: outcome.high,
            },
            scored_by: scored_by(study),
        }
    }

    pub(super) fn federation(&self) -> FederationPart {
        let roster = self.round.roster;
        let survivors = self.round.aggregate.survivors();
        let mut part = FederationPart {
            name: roster.federation().to_string(),
            round: self.round.aggregate.round().to_string(),
            invited: Vec::new(),
            took_part: Vec::new(),
            dropped: Vec::new(),
        };
        for (index, party) in roster.sites() {
            let name = party.id.to_string();
            part.invited.push(name.clone());
            let list =
                if survivors.contains(&index) { &mut part.took_part } else { &mut part.dropped };
            list.push(name);
        }
        for list in [&mut part.invited, &mut part.took_part, &mut part.dropped] {
            list.sort();
        }
        part
    }

    pub(super) fn privacy(&self) -> PrivacyPart {
        let (plan, study) = (self.round.plan, self.round.study);
        let charges = plan.charges();
        let delta = plan.delta();
        let epsilon = |cost: Cost| cost.epsilon(delta).map_or(f64::INFINITY, Epsilon::value);
        let rounds = study.privacy().rounds_per_year;
        let once = charges.clinician;
        let year =
            (1..study.privacy().releases_a_year()).try_fold(once, |sum, _| sum.checked_add(once));
        let mu = once.mu().ok();
        let power = Probability::new(0.05)
            .ok()
            .zip(mu)
            .and_then(|(rate, mu)| attacker_power(mu, rate).ok());
        PrivacyPart {
            epsilon: epsilon(once),
            delta: delta.value(),
            epsilon_zcdp: once.epsilon_zcdp(delta).map_or(f64::INFINITY, Epsilon::value),
            mu: mu.map_or(f64::INFINITY, Mu::value),
            patient: PatientPrivacy {
                epsilon: epsilon(charges.patient),
                clinicians_per_site: plan.links_per_patient(),
                sites: plan.sites_per_patient(),
            },
            noise_multiplier: plan.noise().guaranteed_multiplier(),
            min_sites: plan.min_sites(),
            colluders: plan.colluders(),
            attacker_power: power.map_or(1.0, Probability::value),
            releases_per_year: rounds,
            year_epsilon: year.map_or(f64::INFINITY, epsilon),
            words: String::new(),
        }
    }

    pub(super) fn quality(&self) -> QualityPart {
        let all = self.moments.inputs().all();
        QualityPart {
            heads: Noisy { value: all.heads, sd: all.noise.heads },
            rows_shrunk: noisy(self.moments.rows_capped()),
            residuals_cut: noisy(self.moments.residuals_cut()),
            excluded_shares: noisy(self.moments.excluded_shares()),
        }
    }

    pub(super) fn fit(&self) -> FitPart {
        let fitted = self.fitted;
        let quality = match fitted.quality {
            Quality::Good => FitQuality::Good,
            Quality::Weak => FitQuality::Weak,
            Quality::Withheld => FitQuality::Withheld,
        };
        let additive = self.round.study.family().is_additive();
        let r_squared = fitted.before.r_squared.map(|figure| figure.value);
        FitPart {
            kappa: fitted.kappa,
            quality,
            r_squared: r_squared.filter(|_| self.shown() && additive),
            sigma_points: (self.shown() && additive).then(|| fitted.sigma2.sqrt() * self.range()),
            heads_weighted: fitted.n_eff,
        }
    }

    pub(super) fn coefficients(&self) -> Vec<Coefficient> {
        let columns = self.round.study.schema().columns();
        let first = columns.first().map(|column| column.name.clone());
        let pairs = columns.iter().zip(&self.fitted.coefficients);
        pairs
            .map(|(column, fitted)| {
                let baseline = first.as_ref() == Some(&column.name);
                let points = self.units(column, baseline);
                let kind =
                    if baseline { CoefficientKind::Baseline } else { CoefficientKind::Effect };
                let truth = self.truth.and_then(|t| t.coefficients.get(&column.name).copied());
                Coefficient {
                    name: column.name.clone(),
                    label: column.label.clone(),
                    unit: unit((column, baseline), self.round.study.family()),
                    kind,
                    // Of a factor, one level against the reference; of a number, its public spread.
                    typical: if column.unit.is_empty() {
                        1.0
                    } else {
                        column.half_range * column.rms
                    },
                    estimate: fitted.estimate.map(&points),
                    exact_data: interval(fitted.exact_data, &points),
                    population: interval(fitted.population, &points),
                    after_dial: fitted.fair.filter(|_| self.shown()).map(&points),
                    truth,
                }
            })
            .collect()
    }

    /// From a coefficient as fitted to one for people: where the formula starts, or what one unit of a feature adds; of
    /// counts, shares and positive numbers by how many percent it multiplies.
    fn units(&self, column: &Column, baseline: bool) -> Box<dyn Fn(f64) -> f64> {
        let (low, range, half) = (self.low(), self.range(), column.half_range);
        match (self.round.study.family(), baseline) {
            (Family::Gaussian, true) => Box::new(move |value| low + range * value),
            (Family::Gaussian, false) => Box::new(move |value| range / half * value),
            (Family::Poisson | Family::Gamma, true) => Box::new(f64::exp),
            (Family::Logistic, true) => Box::new(move |value| low + range / (1.0 + (-value).exp())),
            (_, false) => Box::new(move |value| 100.0 * (value / half).exp_m1()),
        }
    }

    pub(super) fn fairness(&self) -> Result<FairnessPart, ModelError> {
        let applied = match &self.fitted.dial {
            Some(DialOutcome::Applied(result)) => Some(result),
            _ => None,
        };
        let phi = applied.map_or(0.0, |result| result.phi.value());
        let curve = if self.shown() { self.curve() } else { Vec::new() };
        let mut groups = Vec::new();
        if self.shown() && self.round.study.family().is_additive() {
            for at in 0..self.fitted.groups.len() {
                groups.extend(self.group(at, applied)?);
            }
        }
        let additive = self.shown() && self.round.study.family().is_additive();
        let overall = |measures: &OverallMeasures| self.overall(measures);
        Ok(FairnessPart {
            phi,
            groups,
            means: self.means(),
            curve,
            overall_before: additive.then(|| overall(&self.fitted.before)).flatten(),
            overall_after: applied.and_then(|result| overall(&result.after)),
        })
    }

    /// How a formula fits everybody, in points; `None` where noise leaves no such number.
    fn overall(&self, measures: &OverallMeasures) -> Option<OverallFit> {
        let residual = measures.overall_mean_residual?;
        let r_squared = measures.r_squared?;
        Some(OverallFit {
            residual: residual.value * self.range(),
            residual_interval: figure_interval(residual, self.range()),
            r_squared: r_squared.value,
            r_squared_interval: figure_interval(r_squared, 1.0),
        })
    }

    fn curve(&self) -> Vec<CurvePoint> {
        let largest = |gaps: &[f64]| gaps.iter().fold(0.0_f64, |most, gap| most.max(gap.abs()));
        let point = |p: &crate::model::CurvePoint| {
            let gap_points = largest(&p.gaps) * self.range();
            Some(CurvePoint { phi: p.phi, r_squared: p.r_squared?, gap_points })
        };
        self.fitted.curve.iter().filter_map(point).collect()
    }

    /// One group; `None` if it does not stand clear of its noise.
    fn group(
        &self,
        at: usize,
        applied: Option<&DialResult>,
    ) -> Result<Option<GroupFairness>, ModelError> {
        let study = self.round.study;
        let inputs = self.moments.inputs();
        let (Some(group), Some(found)) =
            (study.schema().groups.get(at), self.fitted.groups.get(at))
        else {
            return Ok(None);
        };
        let sums = inputs.group(at)?;
        let name = group.id.to_string();
        let truth = self.truth.and_then(|t| t.gaps.get(&name).copied());
        let Some(before) = &found.before else { return Ok(None) };
        let before = self.gap(at, before, self.fitted.t(), truth.map(|t| t.0))?;
        let after = match &found.after {
            Some(after) => self.gap(at, after, self.fitted.published(), truth.map(|t| t.1))?,
            None => before.clone(),
        };
        let dialled = study.fairness().groups.contains(&group.id);
        let equivalents = applied.filter(|_| dialled).and_then(|r| r.equivalents.as_ref());
        Ok(Some(GroupFairness {
            name,
            label: group.label.clone(),
            heads: Noisy { value: sums.heads, sd: sums.noise.heads },
            before,
            after,
            equivalents: equivalents.map(equivalents_of),
        }))
    }

    fn gap(
        &self,
        at: usize,
        measures: &GroupMeasures,
        t: &DVector<f64>,
        truth: Option<f64>,
    ) -> Result<GapMeasures, ModelError> {
        let inputs = self.moments.inputs();
        let range = self.range();
        let gap = measures.mean_residual_difference;
        let net = measures.net_compensation_group.value;
        let formula = fitted_mean(inputs.gram(), inputs.group(at)?, t)?.map(|mean| mean.value);
        let points = |scaled: f64| self.low() + range * scaled;
        let ratio = |net: f64| formula.map_or(1.0, |mean| points(mean) / points(mean - net));
        // The formula's mean is far better known than the outcome's, so the ratio moves with what is between them.
        let observed = |net: f64| formula.map_or(f64::NAN, |mean| points(mean - net));
        let ratio_interval = match measures.net_compensation_group.interval() {
            // A mean that may be zero, as of a change, has no ratio to speak of.
            ModelInterval::Bounded { low, high } if observed(low) * observed(high) > 0.0 => {
                let (a, b) = (ratio(low), ratio(high));
                Interval::Between { low: a.min(b), high: a.max(b) }
            }
            ModelInterval::Bounded { .. } => Interval::NotEstimable,
            ModelInterval::NotEstimable => figure_interval(measures.net_compensation_group, 1.0),
        };
        Ok(GapMeasures {
            mean_residual_difference: gap.value * range,
            interval: figure_interval(gap, range),
            predictive_ratio: ratio(net),
            predictive_ratio_interval: ratio_interval,
            net_compensation: net * range,
            net_compensation_interval: figure_interval(measures.net_compensation_group, range),
            fair_covariance: measures.fair_covariance.value * range,
            fair_covariance_interval: figure_interval(measures.fair_covariance, range),
            truth,
        })
    }

    pub(super) fn inputs(&self) -> InputsPart {
        let digest = self.round.outcome.digest();
        InputsPart {
            study: self.round.study.digest().to_string(),
            roster: self.round.roster.digest().to_string(),
            round_config: self.round.aggregate.round().to_string(),
            result: digest.map_or_else(|_| String::new(), |d| d.to_string()),
            transcript: self.round.transcript.to_string(),
        }
    }
}

/// The definitions that the study pins: hospitals with others took no part.
fn scored_by(study: &Study) -> Vec<ScoredByPart> {
    let part = |kind| {
        move |(name, pin): (&FeatureId, &Pin)| ScoredByPart {
            kind,
            name: name.to_string(),
            version: pin.version().to_owned(),
            sha256: pin.sha256().to_string(),
        }
    };
    let instruments = study.instruments().iter().map(part(Definition::Instrument));
    instruments.chain(study.composites().iter().map(part(Definition::Composite))).collect()
}

fn noisy(moment: Moment) -> Noisy {
    Noisy { value: moment.value, sd: moment.sd }
}

fn unit((column, baseline): (&Column, bool), family: Family) -> String {
    let what = match (family, baseline) {
        (Family::Gaussian, _) | (_, true) => "points",
        (Family::Poisson, false) => "% of the rate",
        (Family::Logistic, false) => "% of the odds",
        (Family::Gamma, false) => "% of the mean",
    };
    match (baseline, column.unit.as_str()) {
        (true, _) | (false, "") => what.to_owned(),
        (false, unit) => format!("{what} per {unit}"),
    }
}

pub(super) fn interval(found: ModelInterval, points: impl Fn(f64) -> f64) -> Interval {
    match found {
        ModelInterval::Bounded { low, high } => {
            Interval::Between { low: points(low), high: points(high) }
        }
        ModelInterval::NotEstimable => Interval::NotEstimable,
    }
}

fn figure_interval(figure: Figure, range: f64) -> Interval {
    match (figure.standard_error, figure.interval()) {
        (None, _) => Interval::NotOffered,
        (Some(_), ModelInterval::Bounded { low, high }) => {
            Interval::Between { low: low * range, high: high * range }
        }
        (Some(_), ModelInterval::NotEstimable) => Interval::NotEstimable,
    }
}

fn equivalents_of(found: &ModelEquivalents) -> Equivalents {
    let lambda = found.mean_residual_difference_lambda;
    Equivalents { alpha: found.alpha, m: found.m, lambda }
}
