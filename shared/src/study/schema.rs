//! What a study measures: an outcome, features and groups, each with public bounds.
//!
//! ```text
//! scaled(v) = (clamp(v, low, high) − centre) / ((high − low)/2)      features
//! scaled(y) = (clamp(y, low, high) − low) / (high − low)             outcome, in [0, 1]
//! ```
//! Bounds, centres and spreads are public guesses written before anyone looked at data; the tighter
//! they are, the less noise a result carries. How a node computes a source is its own work.
use crate::id::{FeatureId, GroupId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Whom a source says something about, beyond the clinician whose row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Staff records: no patient can change them.
    Staff,
    /// Encounters and patients' answers: a patient can change them.
    Patients,
    /// The clinician's own body: numbers that need a profile and an opt-in.
    Biometric,
}

/// Where a number of a clinician-period comes from. The names are what a study file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// `specialty`: the clinician's specialty (factor).
    Specialty,
    /// `role`: the clinician's role (factor).
    Role,
    /// `volume`: encounters a month, from staff records.
    Volume,
    /// `hours`: hours worked a month.
    Hours,
    /// `night-share`: hours at night over hours worked, 0 to 1.
    NightShare,
    /// `training-hours`: hours of communication training in the period.
    TrainingHours,
    /// `acuity-mean`: mean acuity of encounters, 1 to 5.
    AcuityMean,
    /// `minutes-mean`: mean minutes of an encounter.
    MinutesMean,
    /// `ai-share`: mean share of an encounter that an AI assistant carried, 0 to 1.
    AiShare,
    /// `remote-share`: share of encounters not in person, 0 to 1.
    RemoteShare,
    /// `interpreter-share`: share of encounters with an interpreter, 0 to 1.
    InterpreterShare,
    /// `mean-hr`: median over valid windows of the mean heart rate, beats a minute.
    MeanHr,
    /// `ln-rmssd`: median over valid windows of ln RMSSD, ln ms.
    LnRmssd,
    /// `scale:INSTRUMENT:SCALE`: mean score of a questionnaire scale.
    Scale {
        /// The instrument's id, as in `configs/instruments`.
        instrument: FeatureId,
        /// The scale's id within it.
        scale: FeatureId,
    },
}

const PLAIN: [(&str, Source); 13] = [
    ("specialty", Source::Specialty),
    ("role", Source::Role),
    ("volume", Source::Volume),
    ("hours", Source::Hours),
    ("night-share", Source::NightShare),
    ("training-hours", Source::TrainingHours),
    ("acuity-mean", Source::AcuityMean),
    ("minutes-mean", Source::MinutesMean),
    ("ai-share", Source::AiShare),
    ("remote-share", Source::RemoteShare),
    ("interpreter-share", Source::InterpreterShare),
    ("mean-hr", Source::MeanHr),
    ("ln-rmssd", Source::LnRmssd),
];

impl Source {
    /// Whom the source says something about. A questionnaire is taken to be the patients', the safe
    /// side: only the node knows who answers it.
    pub fn origin(&self) -> Origin {
        match self {
            Source::Specialty
            | Source::Role
            | Source::Volume
            | Source::Hours
            | Source::NightShare
            | Source::TrainingHours => Origin::Staff,
            Source::MeanHr | Source::LnRmssd => Origin::Biometric,
            _ => Origin::Patients,
        }
    }

    /// Whether the source is one of several levels, not a number.
    pub fn is_factor(&self) -> bool {
        matches!(self, Source::Specialty | Source::Role)
    }
}

impl FromStr for Source {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, source)) = PLAIN.iter().find(|(name, _)| *name == text) {
            return Ok(source.clone());
        }
        let mut parts = text.splitn(3, ':');
        if let (Some("scale"), Some(instrument), Some(scale)) =
            (parts.next(), parts.next(), parts.next())
        {
            let part = |name: &str| name.parse().map_err(|e: crate::id::IdError| e.to_string());
            return Ok(Source::Scale { instrument: part(instrument)?, scale: part(scale)? });
        }
        let names: Vec<&str> = PLAIN.iter().map(|(name, _)| *name).collect();
        Err(format!(
            "`{text}` is not a source: expected {} or scale:INSTRUMENT:SCALE",
            names.join(", ")
        ))
    }
}

impl TryFrom<String> for Source {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Source> for String {
    fn from(source: Source) -> String {
        source.to_string()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Scale { instrument, scale } => write!(f, "scale:{instrument}:{scale}"),
            plain => {
                let name = PLAIN.iter().find(|(_, source)| source == plain).map_or("", |(n, _)| n);
                f.write_str(name)
            }
        }
    }
}

/// A number with public bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Its short name.
    pub id: FeatureId,
    /// What a reader calls it.
    pub label: String,
    /// Where it comes from.
    pub source: Source,
    /// Its unit, in words.
    pub unit: String,
    /// Lowest value counted, in its unit.
    pub low: f64,
    /// Highest value counted.
    pub high: f64,
    /// A public typical value; also what a clinician without answers is given.
    pub centre: f64,
    /// Largest distance from `centre` that is counted, in its unit.
    pub residual_bound: f64,
    /// n₀: with fewer answers, the mean is drawn to `centre` as if n₀ had been given.
    #[serde(default)]
    pub prior_count: u32,
}

/// One covariate: a number, or a factor if `levels` are given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Its short name.
    pub id: FeatureId,
    /// What a reader calls it.
    pub label: String,
    /// Where it comes from.
    pub source: Source,
    /// Its unit, in words; a factor has none.
    #[serde(default)]
    pub unit: String,
    /// Lowest value counted.
    #[serde(default)]
    pub low: f64,
    /// Highest value counted.
    #[serde(default)]
    pub high: f64,
    /// A public typical value.
    #[serde(default)]
    pub centre: f64,
    /// Public root mean square of the scaled column (of each column of a factor), above 0.
    pub rms: f64,
    /// n₀ as in [`Outcome::prior_count`].
    #[serde(default)]
    pub prior_count: u32,
    /// The levels of a factor; the first is the reference.
    #[serde(default)]
    pub levels: Vec<FeatureId>,
}

/// Clinicians whose treatment is compared with everybody else's. Never part of the formula.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its short name.
    pub id: GroupId,
    /// What a reader calls it.
    pub label: String,
    /// Where the number behind it comes from.
    pub source: Source,
    /// Members have at least this.
    pub at_least: f64,
    /// Lowest value counted.
    pub low: f64,
    /// Highest value counted.
    pub high: f64,
    /// A public typical value, given to a clinician of whom nothing is known.
    pub centre: f64,
    /// n₀ as in [`Outcome::prior_count`].
    #[serde(default)]
    pub prior_count: u32,
}

/// One column of the design: its name and how the report speaks of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// `intercept`, the feature's id, or `feature=level`.
    pub name: String,
    /// What a reader calls it.
    pub label: String,
    /// One unit of the scaled column, in the feature's own unit; 1 for the intercept and for levels.
    pub half_range: f64,
    /// Public centre of the column, in the feature's own unit.
    pub centre: f64,
    /// Its unit, in words.
    pub unit: String,
    /// Public root mean square of the scaled column.
    pub rms: f64,
}

/// Everything a row needs to know, in the order of its columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// The outcome.
    pub outcome: Outcome,
    /// The covariates; the intercept comes first and is not among them.
    pub features: Vec<Feature>,
    /// The groups compared.
    pub groups: Vec<Group>,
}

impl Schema {
    /// The columns of the design, intercept first; a factor has one a level but the reference.
    pub fn columns(&self) -> Vec<Column> {
        let intercept = Column {
            name: "intercept".to_owned(),
            label: "Everyone at typical values".to_owned(),
            half_range: 1.0,
            centre: 0.0,
            unit: String::new(),
            rms: 1.0,
        };
        std::iter::once(intercept).chain(self.features.iter().flat_map(Feature::columns)).collect()
    }

    /// How many columns the design has.
    pub fn width(&self) -> usize {
        let of = |feature: &Feature| feature.levels.len().saturating_sub(1).max(1);
        self.features.iter().map(of).fold(1, usize::saturating_add)
    }

    /// Every source the study reads, with the id it is read for.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        let outcome = std::iter::once((self.outcome.id.as_str(), &self.outcome.source));
        let features = self.features.iter().map(|f| (f.id.as_str(), &f.source));
        outcome.chain(features).chain(self.groups.iter().map(|g| (g.id.as_str(), &g.source)))
    }
}

impl Feature {
    fn columns(&self) -> Vec<Column> {
        let numeric = || Column {
            name: self.id.to_string(),
            label: self.label.clone(),
            half_range: (self.high - self.low) / 2.0,
            centre: self.centre,
            unit: self.unit.clone(),
            rms: self.rms,
        };
        let level = |level: &FeatureId| Column {
            name: format!("{}={level}", self.id),
            label: match self.levels.first() {
                Some(reference) => format!("{}: {level}, against {reference}", self.label),
                None => format!("{}: {level}", self.label),
            },
            half_range: 1.0,
            centre: 0.0,
            unit: String::new(),
            rms: self.rms,
        };
        if self.levels.is_empty() {
            vec![numeric()]
        } else {
            self.levels.iter().skip(1).map(level).collect()
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn every_source_survives_its_name() {
        for (name, source) in PLAIN {
            assert_eq!(name.parse::<Source>().unwrap(), source);
            assert_eq!(source.to_string(), name);
        }
        let scale = "scale:care-measure:total".parse::<Source>().unwrap();
        assert_eq!(scale.to_string(), "scale:care-measure:total");
        assert!("scale:care-measure".parse::<Source>().is_err());
        assert!("mood".parse::<Source>().unwrap_err().contains("expected specialty, role"));
    }
}
