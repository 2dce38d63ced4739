//! What a study file is refused for, key by key.
use super::modality::Modality;
use super::schema::{Feature, Histogram, Schema, Source};
use super::source::Composite;
use super::words::feeling_beside;
use super::{
    BINS_MAX, COLUMNS_MAX, FORMAT, Fairness, File, GROUPS_MAX, Group, HISTOGRAMS_MAX, Population,
    Privacy, StudyError, allocation, ask, design, evaluation, warm,
};
use crate::id::{FeatureId, GroupId};
use std::collections::BTreeSet;
use time::{Date, macros::format_description};

/// Checks a file as written; returns the first day and the day after the last.
pub(super) fn check(file: &File) -> Result<(Date, Date), StudyError> {
    if file.format != FORMAT {
        let problem = format!("is {}; this program reads format {FORMAT}", file.format);
        return Err(StudyError::key("format", problem));
    }
    let from = day("period.from", &file.period.from)?;
    let to = day("period.to", &file.period.to)?;
    if to <= from {
        return Err(StudyError::key("period.to", format!("is {to}, not after `from`, {from}")));
    }
    check_population(&file.population)?;
    check_schema(file)?;
    design::check(file)?;
    check_earlier(
        file,
        i64::from(to.to_julian_day()).saturating_sub(i64::from(from.to_julian_day())),
    )?;
    check_recipients(file)?;
    check_names(file)?;
    check_pins(file)?;
    check_privacy(&file.privacy, file.histograms.is_empty())?;
    check_fairness(&file.fairness, &file.groups)?;
    allocation::check(file)?;
    Ok((from, to))
}

fn day(key: &str, text: &str) -> Result<Date, StudyError> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map_err(|_| StudyError::key(key, format!("is `{text}`; expected a day as YYYY-MM-DD")))
}

fn check_population(population: &Population) -> Result<(), StudyError> {
    let within = |key: &str, value: u32, high: u32| {
        let problem = || format!("is {value}; expected 1 to {high}");
        if (1..=high).contains(&value) { Ok(()) } else { Err(StudyError::key(key, problem())) }
    };
    if population.roles.is_empty() {
        return Err(StudyError::key("population.roles", "is empty; expected at least one role"));
    }
    within("population.clinicians_per_site_max", population.clinicians_per_site_max, 1_000_000)?;
    within("population.links_per_patient", population.links_per_patient, 1_000)?;
    within("population.sites_per_patient", population.sites_per_patient, 100)
}

/// What the file measures.
pub(super) fn schema(file: &File) -> Schema {
    Schema {
        outcome: file.outcome.clone(),
        features: file.features.clone(),
        groups: file.groups.clone(),
        histograms: file.histograms.clone(),
    }
}

fn check_schema(file: &File) -> Result<(), StudyError> {
    let outcome = &file.outcome;
    range("outcome", outcome.low, outcome.high, outcome.centre)?;
    within("outcome", &outcome.source, (outcome.low, outcome.high))?;
    positive("outcome.residual_bound", outcome.residual_bound)?;
    no_factor("outcome", &outcome.source)?;
    let mut seen = BTreeSet::from([outcome.id.as_str().to_owned()]);
    for feature in &file.features {
        check_feature(feature)?;
        if !seen.insert(feature.id.to_string()) {
            return Err(StudyError::key(format!("features.{}", feature.id), "appears twice"));
        }
    }
    let schema = schema(file);
    if schema.width() > COLUMNS_MAX {
        let problem = format!("make {} columns; at most {COLUMNS_MAX}", schema.width());
        return Err(StudyError::key("features", problem));
    }
    if file.groups.len() > GROUPS_MAX {
        let problem = format!("are {}; at most {GROUPS_MAX}", file.groups.len());
        return Err(StudyError::key("groups", problem));
    }
    for group in &file.groups {
        let key = format!("groups.{}", group.id);
        range(&key, group.low, group.high, group.centre)?;
        within(&key, &group.source, (group.low, group.high))?;
        no_factor(&key, &group.source)?;
        if !(group.at_least > group.low && group.at_least <= group.high) {
            let problem = format!("is {}; expected above low, up to high", group.at_least);
            return Err(StudyError::key(format!("{key}.at_least"), problem));
        }
        if !seen.insert(group.id.to_string()) {
            return Err(StudyError::key(key, "has the name of another part"));
        }
    }
    check_histograms(&file.histograms, &mut seen)?;
    let columns: Vec<String> = schema.columns().into_iter().map(|column| column.name).collect();
    evaluation::check(file, &columns)?;
    ask::check(file, &columns)?;
    warm::check(file, schema.width())
}

fn check_histograms(
    histograms: &[Histogram],
    seen: &mut BTreeSet<String>,
) -> Result<(), StudyError> {
    if histograms.len() > HISTOGRAMS_MAX {
        let problem = format!("are {}; at most {HISTOGRAMS_MAX}", histograms.len());
        return Err(StudyError::key("histograms", problem));
    }
    for histogram in histograms {
        let key = format!("histograms.{}", histogram.id);
        range(&key, histogram.low, histogram.high, histogram.centre)?;
        within(&key, &histogram.source, (histogram.low, histogram.high))?;
        no_factor(&key, &histogram.source)?;
        if !(2..=BINS_MAX).contains(&histogram.bins) {
            let problem = format!("is {}; expected 2 to {BINS_MAX}", histogram.bins);
            return Err(StudyError::key(format!("{key}.bins"), problem));
        }
        if !seen.insert(histogram.id.to_string()) {
            return Err(StudyError::key(key, "has the name of another part"));
        }
    }
    Ok(())
}

/// Holds what sources that compare the period with earlier days need: they name the same ones, which are over
/// before the period begins.
fn check_earlier(file: &File, period_days: i64) -> Result<(), StudyError> {
    let schema = schema(file);
    let first = schema.lag();
    for (part, source) in schema.sources() {
        let Some(days) = source.lag() else { continue };
        if first != Some(days) {
            let problem =
                format!("{part} goes back {} days, another part not so far or farther", days.get());
            return Err(StudyError::key("sources `change:…`", problem));
        }
        if i64::from(days.get()) < period_days {
            let problem = format!(
                "goes back {} days, but the period has {period_days}: the two would overlap",
                days.get()
            );
            return Err(StudyError::key(format!("{part}.source"), problem));
        }
    }
    Ok(())
}

/// Each part of the study with its key and source.
fn parts(file: &File) -> impl Iterator<Item = (String, &str, &Source)> {
    let outcome = ("outcome.id".to_owned(), file.outcome.id.as_str(), &file.outcome.source);
    let features =
        file.features.iter().map(|f| (format!("features.{}", f.id), f.id.as_str(), &f.source));
    let groups = file.groups.iter().map(|g| (format!("groups.{}", g.id), g.id.as_str(), &g.source));
    let histograms =
        file.histograms.iter().map(|h| (format!("histograms.{}", h.id), h.id.as_str(), &h.source));
    std::iter::once(outcome).chain(features).chain(groups).chain(histograms)
}

/// What is wrong whatever a site's profile says: no employer reads what rests on a body.
fn check_recipients(file: &File) -> Result<(), StudyError> {
    if file.recipients.is_empty() {
        return Err(StudyError::key("recipients", "is empty; expected a name and a class each"));
    }
    for (place, recipient) in file.recipients.iter().enumerate() {
        if recipient.name.trim().is_empty() {
            return Err(StudyError::key("recipients", "has one without a name"));
        }
        if file.recipients.iter().take(place).any(|earlier| earlier.name == recipient.name) {
            return Err(StudyError::key("recipients", format!("names `{}` twice", recipient.name)));
        }
        let barred = |(.., source): &(String, &str, &Source)| {
            Modality::of(source).is_some_and(|m| m.is_biometric() && !recipient.class.may_read(m))
        };
        if let Some((_, id, source)) = parts(file).find(barred) {
            let problem = format!(
                "has class `{}`, which reaches employers, but `{id}` reads `{source}` of clinicians' bodies",
                recipient.class
            );
            return Err(StudyError::key("recipients", problem));
        }
    }
    Ok(())
}

/// No part is named after a feeling, but for the title of the questionnaire scale it reads.
fn check_names(file: &File) -> Result<(), StudyError> {
    for (key, id, source) in parts(file) {
        let title = match source.measured() {
            Source::Scale { instrument, scale } => Some(format!("{instrument}:{scale}")),
            _ => None,
        };
        if let Some(word) = feeling_beside(id, title.as_deref()) {
            let problem = format!("is `{id}`: `{word}` is a feeling; name what is measured");
            return Err(StudyError::key(key, problem));
        }
    }
    Ok(())
}

/// Whatever is scored is pinned: by which definition, hospitals must not each decide.
fn check_pins(file: &File) -> Result<(), StudyError> {
    if let Some(id) = file.composites.keys().find(|id| id.as_str().parse::<Composite>().is_err()) {
        return Err(StudyError::key(format!("composites.{id}"), "is no composite"));
    }
    let mut lacking = BTreeSet::new();
    for (.., source) in parts(file) {
        let (table, pins, id) = match source.measured() {
            Source::Scale { instrument, .. } => {
                ("instruments", &file.instruments, instrument.as_str())
            }
            Source::Composite { id, .. } => ("composites", &file.composites, id.word()),
            _ => continue,
        };
        if !pins.keys().any(|pinned| pinned.as_str() == id) {
            lacking.insert(format!("{table}.{id}"));
        }
    }
    if lacking.is_empty() {
        return Ok(());
    }
    let lacking: Vec<String> = lacking.into_iter().collect();
    let problem = "must have `version` and `sha256` of the definition by which it is scored; \
                   `tacit-node instrument list --toml` prints the lines";
    Err(StudyError::key(lacking.join("`, `"), problem))
}

fn no_factor(key: &str, source: &Source) -> Result<(), StudyError> {
    if source.is_factor() {
        let problem = format!("is `{source}`, which has levels; expected a number");
        return Err(StudyError::key(format!("{key}.source"), problem));
    }
    Ok(())
}

fn check_feature(feature: &Feature) -> Result<(), StudyError> {
    let key = format!("features.{}", feature.id);
    positive(&format!("{key}.rms"), feature.rms)?;
    if feature.rms > 1.0 {
        let problem = format!("is {}; a scaled column has at most 1", feature.rms);
        return Err(StudyError::key(format!("{key}.rms"), problem));
    }
    match (feature.source.is_factor(), feature.levels.len()) {
        (false, 0) => {
            range(&key, feature.low, feature.high, feature.centre)?;
            within(&key, &feature.source, (feature.low, feature.high))
        }
        (true, 2..) => {
            let distinct: BTreeSet<&FeatureId> = feature.levels.iter().collect();
            if distinct.len() < feature.levels.len() {
                return Err(StudyError::key(format!("{key}.levels"), "names a level twice"));
            }
            Ok(())
        }
        (true, found) => {
            let problem = format!("has {found}; a factor needs two levels or more");
            Err(StudyError::key(format!("{key}.levels"), problem))
        }
        (false, _) => {
            let problem = format!("are given, but `{}` is a number", feature.source);
            Err(StudyError::key(format!("{key}.levels"), problem))
        }
    }
}

fn range(key: &str, low: f64, high: f64, centre: f64) -> Result<(), StudyError> {
    let finite = low.is_finite() && high.is_finite() && centre.is_finite();
    if !finite || low >= high {
        let problem = format!("has bounds {low} to {high}; expected low below high");
        return Err(StudyError::key(key, problem));
    }
    if centre < low || centre > high {
        let problem = format!("is {centre}; expected {low} to {high}");
        return Err(StudyError::key(format!("{key}.centre"), problem));
    }
    Ok(())
}

/// Bounds wider than what a source can be would only add noise.
fn within(key: &str, source: &Source, (low, high): (f64, f64)) -> Result<(), StudyError> {
    match source.range() {
        Some([lowest, highest]) if low < lowest || high > highest => {
            let problem = format!(
                "has bounds {low} to {high}, but `{source}` goes from {lowest} to {highest}"
            );
            Err(StudyError::key(key, problem))
        }
        _ => Ok(()),
    }
}

fn positive(key: &str, value: f64) -> Result<(), StudyError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(StudyError::key(key, format!("is {value}; expected a number above 0")))
}

fn check_privacy(privacy: &Privacy, no_histograms: bool) -> Result<(), StudyError> {
    positive("privacy.epsilon", privacy.epsilon)?;
    positive("privacy.norm_cap", privacy.norm_cap)?;
    if !(privacy.delta > 0.0 && privacy.delta <= 1e-3) {
        let problem = format!("is {}; expected above 0, up to 0.001", privacy.delta);
        return Err(StudyError::key("privacy.delta", problem));
    }
    if privacy.epsilon > 20.0 {
        let problem = format!("is {}; above 20 it promises nothing", privacy.epsilon);
        return Err(StudyError::key("privacy.epsilon", problem));
    }
    if privacy.min_sites < 2 {
        let problem = format!("is {}; a sum of one site hides nothing", privacy.min_sites);
        return Err(StudyError::key("privacy.min_sites", problem));
    }
    if !(1..=366).contains(&privacy.rounds_per_year) {
        let problem = format!("is {}; expected 1 to 366", privacy.rounds_per_year);
        return Err(StudyError::key("privacy.rounds_per_year", problem));
    }
    if !(1..=100).contains(&privacy.spend_percent) {
        let problem = format!("is {}; expected 1 to 100", privacy.spend_percent);
        return Err(StudyError::key("privacy.spend_percent", problem));
    }
    let mut sum = 0.0;
    for (name, share) in privacy.shares.each() {
        positive(&format!("privacy.shares.{name}"), share)?;
        sum += share;
    }
    for (name, share) in privacy.shares.optional() {
        if !(share.is_finite() && share >= 0.0) {
            let problem = format!("is {share}; expected 0 or more");
            return Err(StudyError::key(format!("privacy.shares.{name}"), problem));
        }
        sum += share;
    }
    if no_histograms != (privacy.shares.histograms <= 0.0) {
        let problem = "and [[histograms]] belong together: a share above 0 where there is one, none otherwise";
        return Err(StudyError::key("privacy.shares.histograms", problem));
    }
    if sum > 1.0 + 1e-9 {
        return Err(StudyError::key("privacy.shares", format!("sum to {sum}; at most 1")));
    }
    Ok(())
}

fn check_fairness(fairness: &Fairness, groups: &[Group]) -> Result<(), StudyError> {
    if !(0.0..=1.0).contains(&fairness.phi) {
        let problem = format!("is {}; expected 0 to 1", fairness.phi);
        return Err(StudyError::key("fairness.phi", problem));
    }
    let distinct: BTreeSet<&GroupId> = fairness.groups.iter().collect();
    if distinct.len() < fairness.groups.len() {
        return Err(StudyError::key("fairness.groups", "names a group twice"));
    }
    for name in &fairness.groups {
        if !groups.iter().any(|group| group.id == *name) {
            let problem = format!("names `{name}`, which is not among [[groups]]");
            return Err(StudyError::key("fairness.groups", problem));
        }
    }
    Ok(())
}
