//! What a study measures: an outcome, features and groups, each with public bounds.
//!
//! ```text
//! scaled(v) = (clamp(v, low, high) − centre) / ((high − low)/2)      features
//! scaled(y) = (clamp(y, low, high) − low) / (high − low)             outcome, in [0, 1]
//! ```
//! Bounds, centres and spreads are public guesses written before anyone looked at data; the tighter
//! they are, the less noise a result carries. Where numbers come from is [`super::source`]'s.
use crate::id::{FeatureId, GroupId};
use serde::{Deserialize, Serialize};

use super::source::Days;
pub use super::source::{Origin, Source};

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

/// Clinicians counted by bins of a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Histogram {
    /// Its short name.
    pub id: FeatureId,
    /// What a reader calls it.
    pub label: String,
    /// Where the number comes from.
    pub source: Source,
    /// Its unit, in words.
    pub unit: String,
    /// Lower end of the first bin; what is below counts there.
    pub low: f64,
    /// Upper end of the last bin; what is above counts there.
    pub high: f64,
    /// A public typical value, given to a clinician of whom nothing is known.
    pub centre: f64,
    /// How many bins of one width.
    pub bins: u32,
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
    /// The histograms counted.
    pub histograms: Vec<Histogram>,
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
        let groups = self.groups.iter().map(|g| (g.id.as_str(), &g.source));
        let histograms = self.histograms.iter().map(|h| (h.id.as_str(), &h.source));
        outcome.chain(features).chain(groups).chain(histograms)
    }
}

impl Schema {
    /// How much earlier the days began that the period is compared with, if any source compares it.
    pub fn lag(&self) -> Option<Days> {
        self.sources().find_map(|(_, source)| source.lag())
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
