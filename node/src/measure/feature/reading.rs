//! Composites of a clinician's means, and what changed since earlier days.
//!
//! ```text
//! reading     = (v, n)            v: a mean within the source's own public range; n: how many values it is of
//! composite   = (Σ w m(v) / Σ w, least n)      over the components of one pattern; none unless all of them are there
//! change      = (v − v′, least n)              v′: of the earlier days; none unless both are there
//! value       = centre + (v − centre) · min(1, n/n₀)      n₀, centre: the study's
//! ```
//! Scores of different patterns do not compare, so a study has one pattern for everyone: all weighted components, or
//! those it names. A clinician who lacks one of them has no score, and is given the centre as anybody of whom nothing is
//! known; their row stays. What staff and clinicians say of themselves is not drawn to the centre. Typical values that
//! a component is held against stand in the composite's file.
use super::column::{components, detail, find, plain, scores};
use super::part::Part;
use crate::measure::composite::blend::{OptIn, Outcome, Terms};
use crate::measure::composite::definition::Source as Component;
use crate::measure::composite::{self, Composite};
use crate::measure::instrument::Catalogue;
use crate::measure::instrument::definition::Respondent;
use crate::store::fault;
use crate::store::panel::{Bounds, Detail, Panel, Tally, When};
use tacit_shared::fault::Fault;
use tacit_shared::id::FeatureId;
use tacit_shared::study::profile::Profile;
use tacit_shared::study::source::{Pattern, Source};

/// Minutes beyond so many times the typical ones are recorded wrongly, or belong to no encounter.
const RATIO_MAX: f64 = 10.0;

/// A mean, and how many values it is of.
#[derive(Clone, Copy, PartialEq)]
struct Reading {
    value: f64,
    n: u32,
}

type Readings = Vec<Option<Reading>>;

/// The values of a part whose source is a composite or a change.
///
/// # Errors
/// As [`super::column::column`].
pub(super) async fn values(
    panel: &mut Panel,
    catalogue: &Catalogue,
    part: &Part<'_>,
) -> Result<Vec<Option<f64>>, Fault> {
    let readings = match part.source {
        Source::Change { of, .. } => {
            let now = readings(panel, catalogue, of, &part.key).await?;
            panel.look_at(When::Earlier);
            let before = readings(panel, catalogue, of, &part.key).await;
            panel.look_at(When::Period);
            now.into_iter().zip(before?).map(change).collect()
        }
        plain => readings(panel, catalogue, plain, &part.key).await?,
    };
    let (centre, prior) = (part.bounds.centre, part.prior_count);
    let drawn = |Reading { value, n }: Reading| {
        if n >= prior {
            return value;
        }
        centre + (value - centre) * (f64::from(n) / f64::from(prior))
    };
    Ok(readings.into_iter().map(|reading| reading.map(drawn)).collect())
}

fn change((now, before): (Option<Reading>, Option<Reading>)) -> Option<Reading> {
    let (now, before) = (now?, before?);
    Some(Reading { value: now.value - before.value, n: now.n.min(before.n) })
}

async fn readings(
    panel: &mut Panel,
    catalogue: &Catalogue,
    source: &Source,
    key: &str,
) -> Result<Readings, Fault> {
    match source {
        Source::Scale { instrument, scale } => {
            scale_readings(panel, catalogue, (instrument, scale), key).await
        }
        Source::Composite { id, pattern } => {
            let composite = composite::named(*id, catalogue)?;
            composed(panel, catalogue, (&composite, pattern.as_ref()), key).await
        }
        Source::ContinuityShare => continuity(panel).await,
        other => {
            if let (Some(what), Some(bounds)) = (detail(other), bounds(other)) {
                return encounters(panel, what, bounds).await;
            }
            let of_staff = |value| Reading { value, n: u32::MAX };
            Ok(plain(panel, other).await?.into_iter().map(|v| v.map(of_staff)).collect())
        }
    }
}

/// The composite's score over the readings of one pattern.
async fn composed(
    panel: &mut Panel,
    catalogue: &Catalogue,
    (composite, pattern): (&Composite, Option<&Pattern>),
    key: &str,
) -> Result<Readings, Fault> {
    let wrong = |problem: String| Fault::user(problem).at(key);
    let chosen = components(composite, pattern, key)?;
    let mut columns = Vec::with_capacity(chosen.len());
    for component in &chosen {
        let readings = match component.source {
            Component::Scale { instrument, scale } => {
                scale_readings(panel, catalogue, (instrument, scale), key).await?
            }
            Component::Fact("minutes_ratio") => {
                let what = Detail::MinutesRatio(composite.typical_minutes());
                {
                    let bounds = Bounds { low: 0.0, high: RATIO_MAX, centre: 0.0 };
                    encounters(panel, what, bounds).await?
                }
            }
            Component::Fact("continuity") => continuity(panel).await?,
            Component::Fact("interruptions_per_hour") => {
                let found = panel.interruptions().await.map_err(|e| fault(&e))?;
                let reading = |(n, value)| Reading { value, n };
                found.into_iter().map(|one| one.map(reading)).collect()
            }
            Component::Fact(other) | Component::Signal(other) => {
                let problem = format!("component `{}` reads `{other}`", component.id);
                return Err(wrong(problem).hint("a study's composite rests on no such reading"));
            }
        };
        columns.push((component.id, readings));
    }
    // Neither of a study's composites reads a signal.
    let terms = Terms { profile: Profile::SelfReportOnly, approval_id: None };
    let admitted = composite.admit(&terms).map_err(|e| wrong(e.to_string()))?;
    let score = |clinician: usize| -> Result<Option<Reading>, Fault> {
        let found = columns.iter().map(|column| of_clinician(column, clinician));
        let Some(found) = found.collect::<Option<Vec<_>>>() else { return Ok(None) };
        let given = found.iter().map(|(id, reading)| (*id, reading.value));
        let scored = admitted.score(given, OptIn::NotGiven);
        match scored.map_err(|e| Fault::bug(e.to_string()))? {
            Outcome::Blended(blended) => {
                let n = found.iter().map(|(_, reading)| reading.n).min().unwrap_or(0);
                Ok(blended.value().map(|value| Reading { value, n }))
            }
            Outcome::Apart(_) => Err(Fault::bug("a composite that is no single number")),
        }
    };
    (0..panel.clinicians().len()).map(score).collect()
}

fn of_clinician<'a>(
    (id, readings): &(&'a FeatureId, Readings),
    clinician: usize,
) -> Option<(&'a FeatureId, Reading)> {
    readings.get(clinician).copied().flatten().map(|reading| (*id, reading))
}

async fn scale_readings(
    panel: &mut Panel,
    catalogue: &Catalogue,
    (instrument, scale): (&FeatureId, &FeatureId),
    key: &str,
) -> Result<Readings, Fault> {
    let (licensed, scale) = find(catalogue, instrument, scale, key)?;
    let [low, high] = scale.range;
    let bounds = Bounds { low, high, centre: low };
    let (tallies, _) = scores(panel, licensed, scale, (key, &bounds)).await?;
    let mut readings = means(&tallies, low);
    if licensed.instrument().respondent() == Respondent::Clinician {
        readings.iter_mut().flatten().for_each(|reading| reading.n = u32::MAX);
    }
    Ok(readings)
}

async fn encounters(
    panel: &mut Panel,
    what: Detail<'_>,
    bounds: Bounds,
) -> Result<Readings, Fault> {
    let tallies = panel.encounters(what, &bounds).await.map_err(|e| fault(&e))?;
    Ok(means(&tallies, bounds.low))
}

/// The bounds of a reading: what the source can be at all.
pub(super) fn bounds(source: &Source) -> Option<Bounds> {
    let [low, high] = source.range()?;
    Some(Bounds { low, high, centre: low })
}

async fn continuity(panel: &mut Panel) -> Result<Readings, Fault> {
    let bounds = Bounds { low: 0.0, high: 1.0, centre: 0.0 };
    let tallies = panel.continuity(&bounds).await.map_err(|e| fault(&e))?;
    Ok(means(&tallies, 0.0))
}

fn means(tallies: &[Tally], low: f64) -> Readings {
    let mean = |tally: &Tally| {
        let value = low + tally.deviation / f64::from(tally.n.max(1));
        (tally.n > 0).then_some(Reading { value, n: tally.n })
    };
    tallies.iter().map(mean).collect()
}
