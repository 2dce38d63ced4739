//! One row a clinician, from what happened: the definitions a node follows, on exact facts.
//!
//! ```text
//! mean of v = centre + Σ(clamp(v, low, high) − centre) / max(n, n₀)        bounds, centre, n₀: of the study
//! ```
//! Only values that are known count. A change or a composite as a feature is no part of the truth: it has the centre here.
//! Scaling and levels are `tacit_shared`'s own. Flawed encounters do not count; a patient seen by two
//! clinicians counts for both here, which a node that bounds links does not allow.
use super::PopulationError;
use super::facts::{Channel, DAY_US, Facts, MONTHS, Person, Role, Sheet, Visit};
use super::law::Clinician;
use std::collections::BTreeMap;
use tacit_shared::study::Study;
use tacit_shared::study::schema::Feature;
use tacit_shared::study::source::{self, PatientGroup, Source, Stratum};
use tacit_shared::summary::feature::{FeatureRow, Measured, Value};

/// The rows of one hospital's clinicians who are in the study's population.
pub(super) fn members(
    study: &Study,
    site: usize,
    facts: &Facts,
) -> Result<Vec<Clinician>, PopulationError> {
    let mut visits: BTreeMap<u32, Vec<&Visit>> = BTreeMap::new();
    let mut first: BTreeMap<(u32, u32), i64> = BTreeMap::new();
    for visit in facts.visits.iter().filter(|visit| visit.flaw.is_none()) {
        let met = first.entry((visit.person, visit.patient)).or_insert(visit.start_us);
        *met = visit.start_us.min(*met);
    }
    let sound = |visit: &&Visit| visit.flaw.is_none() && visit.start_us >= facts.from_us;
    for visit in facts.visits.iter().filter(sound) {
        visits.entry(visit.person).or_default().push(visit);
    }
    let roles = &study.population().roles;
    let takes_part =
        |p: &&Person| p.active && roles.iter().any(|r| r.as_str() == role_name(p.role));
    let schema = study.schema();
    let mut rows = Vec::new();
    for person in facts.persons.iter().filter(takes_part) {
        let seen = visits.get(&person.number).map_or(&[][..], Vec::as_slice);
        let seen = &Seen { from_us: facts.from_us, first: &first, visits: seen };
        let features = schema.features.iter().map(|f| value(f, person, seen));
        let groups = schema.groups.iter();
        let measured = Measured {
            outcome: schema.outcome.centre,
            features: features.collect::<Result<_, _>>()?,
            groups: groups
                .map(|g| {
                    let (bounds, prior) = ((g.low, g.high), (g.centre, g.prior_count));
                    number(&g.source, (bounds, prior), person, seen)
                })
                .collect(),
            histograms: schema.histograms.iter().map(|h| h.centre).collect(),
        };
        // A specialty that the study does not name is outside its population, as in a node.
        let Ok(row) = FeatureRow::new(schema, &measured) else {
            continue;
        };
        rows.push(Clinician {
            site,
            number: person.number,
            x: row.x().to_vec(),
            member: row.member().to_vec(),
            expected: 0.0,
        });
    }
    Ok(rows)
}

/// The encounters of a clinician that count, when each clinician of the hospital first met each patient, and when the
/// period begins.
struct Seen<'a> {
    visits: &'a [&'a Visit],
    first: &'a BTreeMap<(u32, u32), i64>,
    from_us: i64,
}

impl Seen<'_> {
    fn met_before(&self, visit: &Visit) -> bool {
        let first = self.first.get(&(visit.person, visit.patient));
        first.is_some_and(|first| *first < visit.start_us)
    }
}

fn value(feature: &Feature, person: &Person, seen: &Seen<'_>) -> Result<Value, PopulationError> {
    match &feature.source {
        Source::Specialty => level(person.specialty.name()),
        Source::Role => level(role_name(person.role)),
        Source::Stratum(stratum) => level(declared(person, *stratum).unwrap_or("not-stated")),
        other => {
            let prior = (feature.centre, feature.prior_count);
            let bounds = (feature.low, feature.high);
            Ok(Value::Number(number(other, (bounds, prior), person, seen)))
        }
    }
}

/// Lowest and highest value counted, centre and n₀ of a part of the study.
type Asked = ((f64, f64), (f64, u32));

/// A source that is a number.
fn number(source: &Source, asked: Asked, person: &Person, seen: &Seen<'_>) -> f64 {
    let ((low, high), prior) = asked;
    let flag = |is: bool| f64::from(u8::from(is));
    let months = &person.months;
    match source {
        Source::Scale { instrument, .. } if instrument.as_str() == "copenhagen-burnout" => {
            shrunk(&sheet(person.sheet.as_ref()), prior)
        }
        Source::Volume => mean(months.map(|m| m.encounters)),
        Source::Hours => mean(months.map(|m| m.hours)),
        Source::TrainingHours => months.map(|m| f64::from(m.training_hours)).iter().sum(),
        Source::InStratum { stratum, word } => {
            declared(person, *stratum).map_or(prior.0, |found| flag(found == word.as_str()))
        }
        Source::Trained { programme, within } => {
            let first_us = seen.from_us;
            let since = within.map_or(i64::MIN, |d| first_us - i64::from(d.get()) * DAY_US);
            flag(person.courses.iter().any(|course| {
                programme.as_ref().is_none_or(|p| p.as_str() == course.programme)
                    && course.to_us.is_some_and(|to_us| to_us <= first_us && to_us >= since)
            }))
        }
        Source::ContinuityShare => {
            let known = |v: &&Visit| flag(seen.met_before(v));
            shrunk(&seen.visits.iter().map(known).collect::<Vec<f64>>(), prior)
        }
        Source::NightShare => mean(months.map(|m| m.night_hours)) / mean(months.map(|m| m.hours)),
        other => {
            let values = seen.visits.iter().filter_map(|v| of_visit(other, v));
            let values: Vec<f64> = values.map(|value| value.clamp(low, high)).collect();
            shrunk(&values, prior)
        }
    }
}

pub(super) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Physician => "physician",
        Role::Nurse => "nurse",
        Role::Clerk => "other",
    }
}

fn level(name: &str) -> Result<Value, PopulationError> {
    name.parse().map(Value::Level).map_err(|_| PopulationError::Name { found: name.to_owned() })
}

/// What one encounter says of a source; a body's signals are never part of the truth.
fn of_visit(source: &Source, visit: &Visit) -> Option<f64> {
    let flag = |is: bool| f64::from(u8::from(is));
    match source {
        Source::AcuityMean => Some(f64::from(visit.acuity)),
        Source::MinutesMean(None) => Some(f64::from(visit.seconds) / 60.0),
        Source::MinutesMean(Some(by)) => {
            (channel(visit) == *by).then(|| f64::from(visit.seconds) / 60.0)
        }
        Source::PresenceMinutesMean => tenths(visit.more.presence),
        Source::ScribeMinutesMean => tenths(visit.more.scribe),
        Source::CallMinutesMean => tenths(visit.more.call),
        Source::ChannelShare(by) => Some(flag(channel(visit) == *by)),
        Source::RoutineShare => Some(flag(visit.acuity <= 2)),
        Source::LanguageShare(word) => visit.more.language.map(|l| flag(l == word.as_str())),
        Source::OtherLanguageShare(word) => visit.more.language.map(|l| flag(l != word.as_str())),
        Source::PatientGroupShare { column, word } => {
            let group = match column {
                PatientGroup::AgeBand => visit.more.age_band,
                PatientGroup::DeprivationBand => visit.more.deprivation,
                PatientGroup::Payer => visit.more.payer,
                PatientGroup::Group => visit.more.group,
            };
            group.map(|group| flag(group == word.as_str()))
        }
        Source::ReadmissionShare => Some(flag(visit.readmitted)),
        Source::EdShare => Some(flag(visit.emergency)),
        Source::InterpreterShare => Some(flag(visit.interpreter)),
        Source::RemoteShare => Some(flag(visit.channel != Channel::InPerson)),
        Source::AiShare => Some(f64::from(visit.assisted_percent.unwrap_or(0)) / 100.0),
        _ => None,
    }
}

fn tenths(minutes: Option<i32>) -> Option<f64> {
    minutes.map(|tenths| f64::from(tenths) / 10.0)
}

fn channel(visit: &Visit) -> source::Channel {
    match visit.channel {
        Channel::InPerson => source::Channel::InPerson,
        Channel::Phone => source::Channel::Phone,
        Channel::Ivr => source::Channel::Ivr,
        Channel::Video => source::Channel::Video,
        Channel::Other => source::Channel::Other,
    }
}

fn declared(person: &Person, stratum: Stratum) -> Option<&'static str> {
    match stratum {
        Stratum::AgeBand => person.strata.age_band,
        Stratum::Gender => person.strata.gender,
        Stratum::TrainingCountry => person.strata.training_country,
    }
}

/// The client scale of the burnout questionnaire, if enough items were answered.
pub(super) fn sheet(sheet: Option<&Sheet>) -> Vec<f64> {
    let items = sheet.map_or([None; 6], |sheet| sheet.items);
    let answered: Vec<f64> = items.into_iter().flatten().map(f64::from).collect();
    if answered.len() < 3 {
        return Vec::new();
    }
    let count: f64 = answered.iter().map(|_| 1.0).sum();
    vec![25.0 * answered.iter().sum::<f64>() / count]
}

fn mean(values: [u32; MONTHS]) -> f64 {
    values.map(f64::from).iter().sum::<f64>() / values.map(|_| 1.0).iter().sum::<f64>()
}

/// centre + Σ(v − centre)/max(n, n₀): the definition of the study format.
fn shrunk(values: &[f64], (centre, prior): (f64, u32)) -> f64 {
    let count: f64 = values.iter().map(|_| 1.0).sum();
    let weight = count.max(f64::from(prior));
    if weight == 0.0 {
        return centre;
    }
    centre + values.iter().map(|v| v - centre).sum::<f64>() / weight
}
