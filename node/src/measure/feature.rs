//! Tables become feature rows: one a clinician and period.
//!
//! ```text
//! mean = centre + Σ (clamp(v, low, high) − centre) / max(n, n₀)      values of patients; n₀ and bounds are public
//! ```
//! Whether a clinician has a row is decided by staff records and never by patients: no row appears or
//! vanishes with one of them, and a clinician of whom nothing is known is given the public centre. A
//! clinician's own questionnaire, staff numbers and recordings are plain means; where there is none, the centre.
//!
//! | source | value |
//! |---|---|
//! | `volume`, `hours` | a month of 365.25/12 days, over the staff records that overlap the period, by their overlap |
//! | `night-share` | night hours over hours of the records that have both |
//! | `training-hours` | sum over the period |
//! | `acuity-mean` … `interpreter-share` | means over encounters that began in the period |
//! | `mean-hr`, `ln-rmssd` | mean over recordings that began in the period of each recording's median window |
//! | `scale:…` | mean over responses of the period with a valid score |
//!
//! Which encounters and responses count is decided in [`crate::store::panel`].
pub mod spread;

use super::instrument::definition::{Respondent, Scale, Unit};
use super::instrument::licence::Licensed;
use super::instrument::{Catalogue, Instrument};
use crate::store::consent::Access;
use crate::store::panel::clipped::Clipped;
use crate::store::panel::{Asked, Bounds, Detail, Excluded, Links, Panel, Span, Tally, Work};
use crate::store::pseudonym::Pseudonyms;
use crate::store::scored::ScoredBy;
use crate::store::{Store, fault};
use std::collections::BTreeSet;
use std::fmt;
use tacit_shared::fault::Fault;
use tacit_shared::id::FeatureId;
use tacit_shared::study::Study;
use tacit_shared::study::schema::{Feature, Group, Outcome, Source};
use tacit_shared::summary::feature::{FeatureError, FeatureRow, Measured, Value};
use time::Date;

/// The rows of a study, and what did not go as one would wish: counts only.
pub struct Rows {
    /// One row a clinician, in the order of their keys.
    pub rows: Vec<FeatureRow>,
    /// How many encounters each of them had, in the same order.
    pub encounters: Vec<u32>,
    /// Active clinicians with a role of the study whom the site's rules on consent admit.
    pub considered: usize,
    /// Those of them whose specialty or role is not a level of the study.
    pub outside_population: usize,
    /// For each part of the study, how many clinicians were given its centre because nothing was known.
    pub at_centre: Vec<(String, usize)>,
    /// Links of patients with clinicians.
    pub links: Links,
    /// Encounters that their clinicians excluded.
    pub excluded: Excluded,
    /// The questionnaires that were scored, by id.
    pub scored_by: Vec<ScoredBy>,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({})", self.rows.len())
    }
}

impl Rows {
    /// Each clinician's groups and number of encounters: what cells are made of.
    pub fn cells(&self) -> impl Iterator<Item = (&[bool], u32)> {
        self.rows.iter().map(FeatureRow::member).zip(self.encounters.iter().copied())
    }
}

/// Holds that the node can measure what the study asks for.
///
/// # Errors
/// A user's fault that names the part of the study: an instrument or scale the node does not know, a
/// questionnaire about wards, or bounds beyond what the scale can be.
pub fn check_fits(study: &Study, catalogue: &Catalogue) -> Result<(), Fault> {
    scored_by(study, catalogue).map(drop)
}

/// The questionnaires that a study asks to be scored, each once, by id.
///
/// # Errors
/// As [`check_fits`].
pub fn scored_by(study: &Study, catalogue: &Catalogue) -> Result<Vec<ScoredBy>, Fault> {
    let mut found = BTreeSet::new();
    for part in parts(study) {
        if let Source::Scale { instrument, scale } = part.source {
            let (licensed, _) = find(catalogue, instrument, scale, &part)?;
            let instrument = licensed.instrument();
            found.insert(ScoredBy {
                instrument: instrument.id().clone(),
                version: instrument.version().to_owned(),
                sha256: instrument.sha256().to_string(),
                licence: licensed.reference().map(|reference| reference.as_str().to_owned()),
            });
        }
    }
    Ok(found.into_iter().collect())
}

/// Computes the rows of a study from a node's tables.
///
/// # Errors
/// As [`check_fits`]; more clinicians than the study admits; answers that the instrument does not have; an
/// operator's fault of the database.
pub async fn rows(
    store: &Store,
    study: &Study,
    catalogue: &Catalogue,
    pseudonyms: &Pseudonyms,
    access: &Access,
) -> Result<Rows, Fault> {
    let scored_by = scored_by(study, catalogue)?;
    let mut panel = open(store, study, pseudonyms, access).await?;
    let (considered, most) =
        (panel.clinicians().len(), study.population().clinicians_per_site_max as usize);
    if considered > most {
        return Err(Fault::user(format!(
            "{considered} active clinicians have a role of the study, which admits {most}"
        ))
        .at("population.clinicians_per_site_max")
        .hint("mark who does not work there any more as inactive, or ask for a study with a higher number"));
    }
    let mut columns = Vec::new();
    for part in parts(study) {
        columns.push(column(&mut panel, catalogue, &part).await?);
    }
    let tallies = encounters_of_each(&mut panel).await?;
    let rows = Rows { scored_by, ..assemble(study, &panel, &columns, &tallies)? };
    panel.close().await.map_err(|e| fault(&e))?;
    Ok(rows)
}

async fn open(
    store: &Store,
    study: &Study,
    pseudonyms: &Pseudonyms,
    access: &Access,
) -> Result<Panel, Fault> {
    pseudonyms.bind(store).await?;
    let population = study.population();
    let roles: Vec<&str> = population.roles.iter().map(FeatureId::as_str).collect();
    let (from, to) = study.period();
    let span = Span { from_us: midnight_us(from), to_us: midnight_us(to) };
    let links_per_patient = population.links_per_patient;
    let asked = Asked { roles: &roles, span, links_per_patient };
    Panel::open(store, pseudonyms, access, &asked).await.map_err(|e| fault(&e))
}

/// How many encounters each clinician had: every one has an acuity, so its tally counts them.
async fn encounters_of_each(panel: &mut Panel) -> Result<Vec<Tally>, Fault> {
    let acuity = Bounds { low: 1.0, high: 5.0, centre: 3.0 };
    panel.encounters(Detail::Acuity, &acuity).await.map_err(|e| fault(&e))
}

/// A part of the study with its public numbers.
struct Part<'a> {
    key: String,
    source: &'a Source,
    bounds: Bounds,
    prior_count: u32,
}

/// Values of one part: one a clinician, `None` where nothing is known. Of scores it is counted besides how many
/// lie outside of the bounds.
enum Column {
    Numbers { values: Vec<Option<f64>>, centre: f64, scores: Option<Clipped> },
    Levels(Vec<Option<FeatureId>>),
}

/// The outcome, then the features, then the groups, as in the schema.
fn parts(study: &Study) -> impl Iterator<Item = Part<'_>> {
    let schema = study.schema();
    let Outcome { source, low, high, centre, prior_count, .. } = &schema.outcome;
    let outcome = Part {
        key: "outcome".to_owned(),
        source,
        bounds: Bounds { low: *low, high: *high, centre: *centre },
        prior_count: *prior_count,
    };
    let feature =
        |f: &'_ Feature| (format!("features.{}", f.id), f.low, f.high, f.centre, f.prior_count);
    let group = |g: &'_ Group| (format!("groups.{}", g.id), g.low, g.high, g.centre, g.prior_count);
    let part = |source, (key, low, high, centre, prior_count)| Part {
        key,
        source,
        bounds: Bounds { low, high, centre },
        prior_count,
    };
    let features = schema.features.iter().map(move |f| part(&f.source, feature(f)));
    let groups = schema.groups.iter().map(move |g| part(&g.source, group(g)));
    std::iter::once(outcome).chain(features).chain(groups)
}

fn find<'a>(
    catalogue: &'a Catalogue,
    instrument: &FeatureId,
    scale: &FeatureId,
    part: &Part<'_>,
) -> Result<(Licensed<'a>, &'a Scale), Fault> {
    let wrong = |problem: String| Fault::user(problem).at(part.key.clone());
    let names =
        |ids: Vec<&FeatureId>| ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
    let licensed = catalogue.licensed(instrument).map_err(|fault| fault.at(part.key.clone()))?;
    let licensed = licensed.ok_or_else(|| {
        let known = names(catalogue.iter().map(Instrument::id).collect());
        wrong(format!("the node has no instrument `{instrument}`"))
            .hint(format!("it has {known}; more can be put into its folder `instruments`"))
    })?;
    let found = licensed.instrument();
    let scale = found.scale(scale).ok_or_else(|| {
        let known = names(found.scales().map(|s| &s.id).collect());
        wrong(format!("instrument `{instrument}` has no scale `{scale}`"))
            .hint(format!("it has {known}"))
    })?;
    if found.unit() == Unit::WardPeriod {
        let problem =
            format!("instrument `{instrument}` is about wards and says nothing of one clinician");
        return Err(wrong(problem).hint("choose an instrument about encounters or clinicians"));
    }
    let [low, high] = scale.range;
    if part.bounds.low < low || part.bounds.high > high {
        let problem = format!(
            "bounds are {} to {}, but scale `{}` of `{instrument}` goes from {low} to {high}",
            part.bounds.low, part.bounds.high, scale.id
        );
        return Err(wrong(problem).hint("bounds wider than the scale only add noise"));
    }
    Ok((licensed, scale))
}

async fn column(
    panel: &mut Panel,
    catalogue: &Catalogue,
    part: &Part<'_>,
) -> Result<Column, Fault> {
    let centre = part.bounds.centre;
    let work = match part.source {
        Source::Specialty => return Ok(levels(panel, |c| &c.specialty)),
        Source::Role => return Ok(levels(panel, |c| &c.role)),
        Source::Scale { instrument, scale } => {
            let (instrument, scale) = find(catalogue, instrument, scale, part)?;
            let (tallies, clipped) = scores(panel, instrument, scale, part).await?;
            let prior = match instrument.instrument().respondent() {
                Respondent::Patient => part.prior_count,
                Respondent::Clinician => 0,
            };
            let values = means(&tallies, centre, prior);
            return Ok(Column::Numbers { values, centre, scores: Some(clipped) });
        }
        Source::Volume => panel.work(Work::Volume).await,
        Source::Hours => panel.work(Work::Hours).await,
        Source::NightShare => panel.work(Work::NightShare).await,
        Source::TrainingHours => panel.work(Work::TrainingHours).await,
        Source::MeanHr => panel.recordings("mean_hr_bpm").await,
        Source::LnRmssd => panel.recordings("ln_rmssd").await,
        Source::AcuityMean => return encounters(panel, Detail::Acuity, part).await,
        Source::MinutesMean => return encounters(panel, Detail::Minutes, part).await,
        Source::AiShare => return encounters(panel, Detail::AiShare, part).await,
        Source::RemoteShare => return encounters(panel, Detail::Remote, part).await,
        Source::InterpreterShare => return encounters(panel, Detail::Interpreter, part).await,
    };
    Ok(Column::Numbers { values: work.map_err(|e| fault(&e))?, centre, scores: None })
}

async fn encounters(panel: &mut Panel, what: Detail, part: &Part<'_>) -> Result<Column, Fault> {
    let tallies = panel.encounters(what, &part.bounds).await.map_err(|e| fault(&e))?;
    let centre = part.bounds.centre;
    let values = means(&tallies, centre, part.prior_count);
    Ok(Column::Numbers { values, centre, scores: None })
}

async fn scores(
    panel: &mut Panel,
    licensed: Licensed<'_>,
    scale: &Scale,
    part: &Part<'_>,
) -> Result<(Vec<Tally>, Clipped), Fault> {
    let mut clipped = Clipped::default();
    let instrument = licensed.instrument();
    let (id, respondent) = (instrument.id().as_str(), instrument.respondent().word());
    panel.choose(id, respondent).await.map_err(|e| fault(&e))?;
    let mut tallies = vec![Tally::default(); panel.clinicians().len()];
    let mut first = 0;
    while let Some((responses, next)) = panel.responses(first).await.map_err(|e| fault(&e))? {
        first = next;
        for response in responses {
            let score = licensed.score(scale, response.answers()).map_err(|error| {
                Fault::user(format!("a stored response to `{id}` cannot be scored: {error}"))
                    .at(part.key.clone())
                    .hint("the definition changed since the import: import the files again with --replace")
            })?;
            if let (Some(score), Some(tally)) = (score.value(), tallies.get_mut(response.clinician))
            {
                clipped.count(score, &part.bounds);
                tally.n = tally.n.saturating_add(1);
                tally.deviation += part.bounds.deviation(score);
            }
        }
    }
    Ok((tallies, clipped))
}

fn means(tallies: &[Tally], centre: f64, prior_count: u32) -> Vec<Option<f64>> {
    let mean = |tally: &Tally| {
        (tally.n > 0).then(|| centre + tally.deviation / f64::from(tally.n.max(prior_count).max(1)))
    };
    tallies.iter().map(mean).collect()
}

fn levels(panel: &Panel, of: impl Fn(&crate::store::panel::Clinician) -> &str) -> Column {
    Column::Levels(panel.clinicians().iter().map(|c| of(c).parse().ok()).collect())
}

fn assemble(
    study: &Study,
    panel: &Panel,
    columns: &[Column],
    tallies: &[Tally],
) -> Result<Rows, Fault> {
    let features = study.schema().features.len();
    let mut at_centre = Vec::new();
    for (part, column) in parts(study).zip(columns) {
        if let Column::Numbers { values, .. } = column
            && let count @ 1.. = values.iter().filter(|value| value.is_none()).count()
        {
            at_centre.push((part.key, count));
        }
    }
    let considered = panel.clinicians().len();
    let mut rows = Vec::with_capacity(considered);
    let mut encounters = Vec::with_capacity(considered);
    let mut outside_population = 0;
    for clinician in 0..considered {
        let values: Option<Vec<Value>> = columns.iter().map(|c| c.value(clinician)).collect();
        let Some(measured) = values.and_then(|values| measured(values, features)) else {
            outside_population += 1; // a level that is no name is none of the study's
            continue;
        };
        match FeatureRow::new(study.schema(), &measured) {
            Ok(row) => {
                rows.push(row);
                encounters.push(tallies.get(clinician).map_or(0, |tally| tally.n));
            }
            Err(FeatureError::UnknownLevel { .. }) => outside_population += 1,
            Err(error) => return Err(Fault::bug(error.to_string())),
        }
    }
    let (links, excluded) = (panel.links(), panel.excluded());
    let scored_by = Vec::new();
    Ok(Rows {
        rows,
        encounters,
        considered,
        outside_population,
        at_centre,
        links,
        excluded,
        scored_by,
    })
}

impl Column {
    fn value(&self, clinician: usize) -> Option<Value> {
        match self {
            Column::Numbers { values, centre, .. } => {
                values.get(clinician).map(|value| Value::Number(value.unwrap_or(*centre)))
            }
            Column::Levels(levels) => levels.get(clinician)?.clone().map(Value::Level),
        }
    }
}

/// Splits the values of a clinician as the schema does; `None` if the outcome or a group is no number.
fn measured(values: Vec<Value>, features: usize) -> Option<Measured> {
    let number = |value: Value| match value {
        Value::Number(value) => Some(value),
        Value::Level(_) => None,
    };
    let mut values = values.into_iter();
    let outcome = number(values.next()?)?;
    let features = values.by_ref().take(features).collect();
    let groups = values.map(number).collect::<Option<Vec<f64>>>()?;
    Some(Measured { outcome, features, groups })
}

fn midnight_us(day: Date) -> i64 {
    day.midnight().assume_utc().unix_timestamp().saturating_mul(1_000_000)
}
