//! What a report says besides of distributions, of hospitals, and of what changed: plain data.
//!
//! Units are those of the study: of a histogram its own, everywhere else points of the outcome.
use super::data::{Interval, Noisy};
use serde::{Deserialize, Serialize};

/// How a number spreads over clinicians.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistogramPart {
    /// The short name.
    pub name: String,
    /// What a reader calls it.
    pub label: String,
    /// Its unit, in words.
    pub unit: String,
    /// Lower end of the first bin; what is below counts there.
    pub low: f64,
    /// Upper end of the last bin; what is above counts there.
    pub high: f64,
    /// Clinicians in each bin of one width, noisy; may be below 0.
    pub counts: Vec<f64>,
    /// Standard deviation of the noise of each count.
    pub sd: f64,
    /// By rising share; empty where the counts do not stand clear of their noise.
    pub quantiles: Vec<QuantilePart>,
}

/// The value below which a share of clinicians lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantilePart {
    /// The share of clinicians, above 0, below 1.
    pub share: f64,
    /// The value, in the unit of the histogram.
    pub value: f64,
    /// Where it would lie without noise.
    pub exact_data: Interval,
    /// Where it lies for all such clinicians.
    pub population: Interval,
    /// In a rehearsal, the value without noise.
    pub truth: Option<f64>,
}

/// How hospitals differ beyond what the formula gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SitesPart {
    /// Standard deviation between hospitals beyond sampling and noise, points; 0 if these explain how they differ.
    pub between_points: f64,
    /// One row a site that took part, sorted by name.
    pub rows: Vec<SiteEffectPart>,
}

/// What is reported at one site beyond what the formula gives, drawn to the mean of all by as much as it is noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteEffectPart {
    /// The site.
    pub site: String,
    /// Points.
    pub effect: f64,
    /// Counts sampling, noise, and that the spread between hospitals is an estimate.
    pub interval: Interval,
    /// In a rehearsal, the same without noise.
    pub truth: Option<f64>,
}

/// A comparison of what changed for some and for the others: a difference in differences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangePart {
    /// The column whose coefficient is the adjusted difference.
    pub coefficient: String,
    /// What a reader calls those whom it marks.
    pub label: String,
    /// Mean change of those.
    pub inside: MeanPart,
    /// Mean change of everybody else.
    pub outside: MeanPart,
    /// The one less the other, points, nothing held equal.
    pub difference: f64,
    /// Of the difference, for all such clinicians.
    pub interval: Interval,
}

/// A mean of the outcome over some clinicians.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeanPart {
    /// How many they are.
    pub heads: Noisy,
    /// The mean, points.
    pub mean: f64,
    /// Where it would lie without noise.
    pub exact_data: Interval,
    /// Where it lies for all such clinicians.
    pub population: Interval,
}
