//! One part of a study becomes a column: a value a clinician.
//!
//! Which function of the panel a source is read by, and by which questionnaires and composites it is scored. What is
//! put together of several means is [`super::reading`]'s.
use super::part::{Column, Part};
use super::pin::pinned;
use super::reading;
use crate::measure::composite;
use crate::measure::composite::definition::Source as Component;
use crate::measure::instrument::definition::{Respondent, Scale, Unit};
use crate::measure::instrument::licence::Licensed;
use crate::measure::instrument::{Catalogue, Instrument};
use crate::store::fault;
use crate::store::panel::clipped::Clipped;
use crate::store::panel::{Bounds, Clinician, Detail, Panel, Tally, Work};
use crate::store::scored::ScoredBy;
use std::collections::BTreeSet;
use tacit_shared::fault::Fault;
use tacit_shared::id::FeatureId;
use tacit_shared::study::Study;
use tacit_shared::study::source::{Composite as Named, Days, Pattern, Source, Stratum};

/// The level of a clinician whose stratum is not recorded.
const NOT_STATED: &str = "not-stated";

/// The values of one part.
///
/// # Errors
/// A user's fault for what the node cannot measure, or a stored answer that its instrument does not have; an
/// operator's of the database.
pub(super) async fn column(
    panel: &mut Panel,
    catalogue: &Catalogue,
    part: &Part<'_>,
) -> Result<Column, Fault> {
    let Part { bounds, prior_count, .. } = part;
    let centre = bounds.centre;
    if let Some(what) = detail(part.source) {
        let tallies = panel.encounters(what, bounds).await.map_err(|e| fault(&e))?;
        return Ok(numbers(means(&tallies, centre, *prior_count), centre));
    }
    let values = match part.source {
        Source::Specialty => return Ok(levels(panel, |c| Some(&c.specialty))),
        Source::Role => return Ok(levels(panel, |c| Some(&c.role))),
        Source::Stratum(stratum) => return Ok(levels(panel, |c| declared(c, *stratum))),
        Source::InStratum { stratum, word } => {
            let is = |c: &Clinician| {
                let found = declared(c, *stratum)?;
                Some(f64::from(u8::from(found == word.as_str())))
            };
            panel.clinicians().iter().map(is).collect()
        }
        Source::Trained { programme, within } => {
            let programme = programme.as_ref().map(FeatureId::as_str);
            let trained = panel.trained(programme, within.map(Days::get)).await;
            trained.map_err(|e| fault(&e))?.into_iter().map(Some).collect()
        }
        Source::Scale { instrument, scale } => {
            let (instrument, scale) = find(catalogue, instrument, scale, &part.key)?;
            let place = (part.key.as_str(), bounds);
            let (tallies, clipped) = scores(panel, instrument, scale, place).await?;
            let prior = match instrument.instrument().respondent() {
                Respondent::Patient => *prior_count,
                Respondent::Clinician => 0,
            };
            let values = means(&tallies, centre, prior);
            return Ok(Column::Numbers { values, centre, scores: Some(clipped) });
        }
        Source::ContinuityShare => {
            let tallies = panel.continuity(bounds).await.map_err(|e| fault(&e))?;
            means(&tallies, centre, *prior_count)
        }
        Source::Composite { .. } | Source::Change { .. } => {
            reading::values(panel, catalogue, part).await?
        }
        other => plain(panel, other).await?,
    };
    Ok(numbers(values, centre))
}

fn numbers(values: Vec<Option<f64>>, centre: f64) -> Column {
    Column::Numbers { values, centre, scores: None }
}

/// The questionnaires and composites by which a part is scored, added to `found`.
///
/// # Errors
/// A user's fault that names the part: an instrument or scale the node does not know or may not use, a questionnaire
/// about wards, a pattern without a score, bounds beyond what the scale can be, or a definition that is not the one
/// the study pins.
pub(super) fn rests_on(
    (study, catalogue): (&Study, &Catalogue),
    part: &Part<'_>,
    found: &mut BTreeSet<ScoredBy>,
) -> Result<(), Fault> {
    let change = part.source.lag().is_some();
    match part.source.measured() {
        Source::Scale { instrument, scale } => {
            let (licensed, scale) = find(catalogue, instrument, scale, &part.key)?;
            let [low, high] = scale.range;
            let range = if change { [low - high, high - low] } else { [low, high] };
            within(part, &format!("scale `{}` of `{instrument}`", scale.id), range)?;
            let by = scored_by(licensed);
            pinned(study.instruments(), &by, &part.key)?;
            found.insert(by);
        }
        Source::Composite { id, pattern } => {
            let composite = composite::named(*id, catalogue)?;
            let components = components(&composite, pattern.as_ref(), &part.key)?;
            for component in components {
                if let Component::Scale { instrument, scale } = component.source {
                    let by = scored_by(find(catalogue, instrument, scale, &part.key)?.0);
                    pinned(study.instruments(), &by, &part.key)?;
                    found.insert(by);
                }
            }
            let by = ScoredBy {
                instrument: name(*id)?,
                version: composite.version().to_owned(),
                sha256: composite.sha256().to_string(),
                licence: None,
            };
            pinned(study.composites(), &by, &part.key)?;
            found.insert(by);
        }
        _ => {}
    }
    Ok(())
}

/// The components over which a study wants a composite's score.
pub(super) fn components<'a>(
    composite: &'a composite::Composite,
    pattern: Option<&Pattern>,
    key: &str,
) -> Result<Vec<composite::blend::Weighted<'a>>, Fault> {
    composite.over(pattern.map(Pattern::parts)).map_err(|error| {
        Fault::user(error.to_string())
            .at(key)
            .hint("a pattern has 1 for each weighted component that is to count and 0 for the others, by id")
    })
}

fn name(id: Named) -> Result<FeatureId, Fault> {
    id.word().parse().map_err(|_| Fault::bug("a composite whose name is none"))
}

fn scored_by(licensed: Licensed<'_>) -> ScoredBy {
    let instrument = licensed.instrument();
    ScoredBy {
        instrument: instrument.id().clone(),
        version: instrument.version().to_owned(),
        sha256: instrument.sha256().to_string(),
        licence: licensed.reference().map(|reference| reference.as_str().to_owned()),
    }
}

fn within(part: &Part<'_>, what: &str, [low, high]: [f64; 2]) -> Result<(), Fault> {
    let Bounds { low: lowest, high: highest, .. } = part.bounds;
    if lowest >= low && highest <= high {
        return Ok(());
    }
    let problem = format!("bounds are {lowest} to {highest}, but {what} goes from {low} to {high}");
    let fault = Fault::user(problem).at(part.key.clone());
    Err(fault.hint("bounds wider than the scale only add noise"))
}

/// An instrument that the site may use, and its scale.
///
/// # Errors
/// A user's fault at `key`: see [`rests_on`].
pub(super) fn find<'a>(
    catalogue: &'a Catalogue,
    instrument: &FeatureId,
    scale: &FeatureId,
    key: &str,
) -> Result<(Licensed<'a>, &'a Scale), Fault> {
    let wrong = |problem: String| Fault::user(problem).at(key);
    let names =
        |ids: Vec<&FeatureId>| ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
    let licensed = catalogue.licensed(instrument).map_err(|fault| fault.at(key))?;
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
    Ok((licensed, scale))
}

/// The number of an encounter that a source is a mean of.
pub(super) fn detail(source: &Source) -> Option<Detail<'_>> {
    Some(match source {
        Source::AcuityMean => Detail::Acuity,
        Source::MinutesMean(None) => Detail::Minutes,
        Source::MinutesMean(Some(by)) => Detail::MinutesBy(*by),
        Source::PresenceMinutesMean => Detail::PresenceMinutes,
        Source::ScribeMinutesMean => Detail::ScribeMinutes,
        Source::CallMinutesMean => Detail::CallMinutes,
        Source::AiShare => Detail::AiShare,
        Source::RemoteShare => Detail::Remote,
        Source::ChannelShare(by) => Detail::By(*by),
        Source::RoutineShare => Detail::Routine,
        Source::InterpreterShare => Detail::Interpreter,
        Source::LanguageShare(word) => Detail::Language(word),
        Source::OtherLanguageShare(word) => Detail::OtherLanguage(word),
        Source::PatientGroupShare { column, word } => Detail::Group(*column, word),
        Source::ReadmissionShare => Detail::Readmitted,
        Source::EdShare => Detail::Emergency,
        _ => return None,
    })
}

/// A number of staff records or recordings.
pub(super) async fn plain(panel: &mut Panel, source: &Source) -> Result<Vec<Option<f64>>, Fault> {
    let found = match source {
        Source::Volume => panel.work(Work::Volume).await,
        Source::Hours => panel.work(Work::Hours).await,
        Source::NightShare => panel.work(Work::NightShare).await,
        Source::TrainingHours => panel.work(Work::TrainingHours).await,
        Source::MeanHr => panel.recordings("mean_hr_bpm").await,
        Source::LnRmssd => panel.recordings("ln_rmssd").await,
        other => return Err(Fault::bug(format!("nobody measures `{other}`"))),
    };
    found.map_err(|e| fault(&e))
}

/// Valid scores of a scale, tallied within bounds; and how many lie outside. `key` is the part's name.
pub(super) async fn scores(
    panel: &mut Panel,
    licensed: Licensed<'_>,
    scale: &Scale,
    (key, bounds): (&str, &Bounds),
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
                    .at(key)
                    .hint("the definition changed since the import: import the files again with --replace")
            })?;
            if let (Some(score), Some(tally)) = (score.value(), tallies.get_mut(response.clinician))
            {
                clipped.count(score, bounds);
                tally.n = tally.n.saturating_add(1);
                tally.deviation += bounds.deviation(score);
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

fn levels(panel: &Panel, of: impl Fn(&Clinician) -> Option<&str>) -> Column {
    let level = |c: &Clinician| of(c).unwrap_or(NOT_STATED).parse().ok();
    Column::Levels(panel.clinicians().iter().map(level).collect())
}

/// What staff records declare of a clinician.
fn declared(clinician: &Clinician, stratum: Stratum) -> Option<&str> {
    match stratum {
        Stratum::AgeBand => clinician.age_band.as_deref(),
        Stratum::Gender => clinician.gender.as_deref(),
        Stratum::TrainingCountry => clinician.training_country.as_deref(),
    }
}
