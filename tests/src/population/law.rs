//! The known truth: what relational care depends on, and what each clinician therefore expects.
//!
//! ```text
//! μ_i = x_i·β + ẽ_i + ν_i        ẽ = (I − X(XᵀX)⁻¹Xᵀ)(Gγ + Su)        ν_i: the clinician's own
//! ```
//! β is planted in natural units and converted to the scaled columns of the study. Group effects γ
//! and site effects u are planted too; their part that the columns can express is taken off, so that
//! β is exactly what a formula blind to groups and sites is after. What is left of them, seen as mean
//! residuals, stands beside what was planted.
//! [`super::row`] builds X.
use super::facts::{Facts, TRAINED, WORN};
use super::profile::Kind;
use super::row;
use super::{Moved, PopulationError};
use tacit_shared::id::{FeatureId, GroupId, SiteId};
use tacit_shared::study::Study;
use tacit_shared::study::source::{Channel, PatientGroup, Source};

/// Relational care of a clinician at the reference of every source, in points.
pub(super) const BASE: f64 = 36.6;
/// How it changes for a clinician who was not trained, in points.
const DRIFT: f64 = -0.4;
/// How it changes from period to period for everybody, in points.
const PERIOD: f64 = -0.1;
/// What acuity takes from it more from period to period, in points a level.
const PERIOD_ACUITY: f64 = -0.04;
/// What compensation adds for everybody, in points.
const COMPENSATION: f64 = 0.9;
/// What it takes off the gap of those whose patients need an interpreter, in points.
const COMPENSATION_GAP: f64 = -1.0;
/// What a training that was completed adds, in points.
const TRAINING: f64 = 1.5;

/// What a study asks of relational care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// How it is.
    Level,
    /// How it changed since earlier days. Then trainings matter, and nothing else does.
    Change,
    /// How burnout changed since earlier days, likewise.
    Worn,
}

/// What a study asks.
pub(super) fn asked(study: &Study) -> Asked {
    match study.schema().outcome.source {
        Source::Change { ref of, .. } => match **of {
            Source::Scale { ref instrument, .. } if instrument.as_str() != "care-measure" => {
                Asked::Worn
            }
            _ => Asked::Change,
        },
        _ => Asked::Level,
    }
}

/// An effect as planted, and as a mean residual can show it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// What was added for each member, in points.
    pub planted: f64,
    /// Mean residual of the members less everybody else's (of a site: its mean residual), in points,
    /// before the clinicians' own variation.
    pub seen: f64,
}

/// What a fit is to find.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Each column of the design, in outcome points per scaled unit; the intercept in points.
    pub columns: Vec<(String, f64)>,
    /// Each group of the study.
    pub group_effects: Vec<(GroupId, Effect)>,
    /// Each hospital.
    pub site_effects: Vec<(SiteId, Effect)>,
}

/// One clinician of the study's population with exact values.
#[derive(Clone, Debug)]
pub struct Clinician {
    /// Position of the hospital, from 0.
    pub site: usize,
    pub(super) number: u32,
    /// The scaled columns, intercept first.
    pub x: Vec<f64>,
    /// Membership in each group.
    pub member: Vec<bool>,
    /// x·β and what groups and site add, in points; without the clinician's own variation.
    pub expected: f64,
}

/// What a source is worth: points a unit, and the value at which it adds nothing.
fn slope(source: &Source, asked: Asked) -> (f64, f64) {
    match (asked, source) {
        (Asked::Level, _) => {}
        (Asked::Change, Source::Trained { .. }) => return (TRAINING, 0.0),
        (Asked::Worn, Source::Trained { within: Some(_), .. }) => return (TRAINED, 0.0),
        _ => return (0.0, 0.0),
    }
    match source {
        Source::Trained { .. } => (TRAINING, 0.0),
        Source::PresenceMinutesMean => (0.16, 18.0),
        Source::AiShare => (-9.0, 0.05),
        Source::ContinuityShare => (2.0, 0.3),
        Source::ChannelShare(Channel::Phone) => (-4.0, 0.1),
        Source::ChannelShare(Channel::Ivr) => (-14.0, 0.0),
        Source::ChannelShare(Channel::Video) => (-0.8, 0.1),
        Source::ReadmissionShare => (-6.0, 0.1),
        Source::EdShare => (-4.0, 0.1),
        Source::RoutineShare => (3.0, 0.3),
        Source::AcuityMean => (-1.5, 3.0),
        Source::Volume => (-2.4 / 90.0, 90.0),
        Source::MinutesMean(None) => (0.13, 22.0),
        Source::Scale { instrument, scale }
            if instrument.as_str() == "copenhagen-burnout" && scale.as_str() == "client" =>
        {
            (-0.064, 45.0)
        }
        _ => (0.0, 0.0),
    }
}

fn level(source: &Source, level: &FeatureId) -> f64 {
    match (source, level.as_str()) {
        (Source::Role, "nurse") => 0.8,
        (Source::Specialty, "emergency") => -1.2,
        (Source::Specialty, "oncology") => 1.4,
        (Source::Specialty, "palliative") => 1.8,
        _ => 0.0,
    }
}

fn group(source: &Source, moved: Moved) -> f64 {
    match source {
        Source::PatientGroupShare { column: PatientGroup::DeprivationBand, .. } => 1.8,
        Source::PatientGroupShare { column: PatientGroup::Group, .. } => 1.5,
        Source::OtherLanguageShare(_) => 1.2,
        Source::InterpreterShare if moved.compensated => 2.2 + COMPENSATION_GAP,
        Source::InterpreterShare => 2.2,
        Source::NightShare => 1.6,
        _ => 0.0,
    }
}

/// β in points per scaled unit, in the order of the columns.
fn planted(study: &Study, moved: Moved) -> Vec<f64> {
    let asked = asked(study);
    let later = f64::from(moved.period);
    let paid = if moved.compensated { COMPENSATION } else { 0.0 };
    let base = match asked {
        Asked::Level => BASE + PERIOD * later + paid,
        Asked::Change => DRIFT,
        Asked::Worn => WORN,
    };
    let mut beta = vec![base];
    let mut intercept = 0.0;
    for feature in &study.schema().features {
        if feature.levels.is_empty() {
            let (mut per_unit, reference) = slope(&feature.source, asked);
            if feature.source == Source::AcuityMean && asked == Asked::Level {
                per_unit += PERIOD_ACUITY * later;
            }
            intercept += per_unit * (feature.centre - reference);
            beta.push(per_unit * (feature.high - feature.low) / 2.0);
        } else {
            let of = |name: &FeatureId| match asked {
                Asked::Level => level(&feature.source, name),
                Asked::Change | Asked::Worn => 0.0,
            };
            let reference = feature.levels.first().map_or(0.0, of);
            intercept += reference;
            beta.extend(feature.levels.iter().skip(1).map(|l| of(l) - reference));
        }
    }
    if let Some(first) = beta.first_mut() {
        *first += intercept;
    }
    beta
}

/// Applies the law to every hospital: the truth, and each clinician's row.
pub(super) fn apply(
    study: &Study,
    sites: &[(SiteId, Kind)],
    facts: &[Facts],
    moved: Moved,
) -> Result<(Truth, Vec<Clinician>), PopulationError> {
    let beta = planted(study, moved);
    let mut rows = Vec::new();
    for (site, hospital) in facts.iter().enumerate() {
        rows.extend(row::members(study, site, hospital)?);
    }
    let groups = study.schema().groups.iter();
    // What changed did so alike for all groups and hospitals.
    let share = if asked(study) == Asked::Level { 1.0 } else { 0.0 };
    let groups: Vec<f64> = groups.map(|g| share * group(&g.source, moved)).collect();
    let added: Vec<f64> = rows.iter().map(|row| share * added(row, &groups, sites)).collect();
    let expressed = least_squares(rows.iter().map(|row| row.x.as_slice()).zip(&added));
    let left: Vec<f64> =
        rows.iter().zip(&added).map(|(row, added)| added - dot(&row.x, &expressed)).collect();
    for (row, left) in rows.iter_mut().zip(&left) {
        row.expected = dot(&row.x, &beta) + left;
    }
    let group_effects = study.schema().groups.iter().zip(groups).enumerate();
    let group_effects = group_effects.map(|(at, (group, planted))| {
        let (inside, outside) = means(&rows, &left, |row| row.member.get(at) == Some(&true));
        let seen = inside - outside;
        (group.id.clone(), Effect { planted, seen })
    });
    let site_effects = sites.iter().enumerate().map(|(at, (site, kind))| {
        let planted = share * kind.profile().effect;
        let seen = means(&rows, &left, |row| row.site == at).0;
        (site.clone(), Effect { planted, seen })
    });
    let names = study.schema().columns().into_iter().map(|c| c.name);
    let truth = Truth {
        columns: names.zip(beta).collect(),
        group_effects: group_effects.collect(),
        site_effects: site_effects.collect(),
    };
    Ok((truth, rows))
}

/// What groups and hospital add for one clinician.
fn added(row: &Clinician, groups: &[f64], sites: &[(SiteId, Kind)]) -> f64 {
    let members = groups.iter().zip(&row.member);
    let of_groups: f64 = members.filter(|(_, is)| **is).map(|(effect, _)| effect).sum();
    of_groups + sites.get(row.site).map_or(0.0, |s| s.1.profile().effect)
}

/// Mean of the values inside and outside a set of clinicians.
fn means(rows: &[Clinician], values: &[f64], inside: impl Fn(&Clinician) -> bool) -> (f64, f64) {
    let (mut within, mut without) = ((0.0, 0.0), (0.0, 0.0));
    for (row, value) in rows.iter().zip(values) {
        let side = if inside(row) { &mut within } else { &mut without };
        side.0 += value;
        side.1 += 1.0;
    }
    let mean = |(sum, count): (f64, f64)| if count > 0.0 { sum / count } else { 0.0 };
    (mean(within), mean(without))
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// Least squares by the normal equations; a column without variation of its own gets 0.
pub fn least_squares<'a>(rows: impl Iterator<Item = (&'a [f64], &'a f64)>) -> Vec<f64> {
    let mut system: Vec<Vec<f64>> = Vec::new();
    for (x, y) in rows {
        system.resize_with(x.len(), || vec![0.0; x.len() + 1]);
        for (row, xi) in system.iter_mut().zip(x) {
            for (cell, xj) in row.iter_mut().zip(x.iter().chain(std::iter::once(y))) {
                *cell += xi * xj;
            }
        }
    }
    for pivot in 0..system.len() {
        let Some(mut lead) = system.get(pivot).cloned() else {
            break;
        };
        let size = lead.get(pivot).copied().unwrap_or(0.0);
        if size < 1e-9 {
            lead.fill(0.0);
        } else {
            lead = lead.into_iter().map(|cell| cell / size).collect();
        }
        for (at, row) in system.iter_mut().enumerate() {
            let factor = row.get(pivot).copied().unwrap_or(0.0);
            if at == pivot {
                row.clone_from(&lead);
            } else {
                for (cell, lead) in row.iter_mut().zip(&lead) {
                    *cell -= factor * lead;
                }
            }
        }
    }
    let last = |row: Vec<f64>| row.last().copied().unwrap_or(0.0);
    system.into_iter().map(last).collect()
}
