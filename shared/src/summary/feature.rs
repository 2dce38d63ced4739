//! One clinician-period: a row of the design, scaled by the study's public bounds.
//!
//! A value beyond its bounds counts as the bound; [`super::contribution`] bounds the row as a whole.
//! Computing the values from a hospital's tables is the node's work.
use crate::id::FeatureId;
use crate::study::schema::{Feature, Histogram, Schema};
use std::fmt;

/// A value as measured, in the unit of its feature.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// One level of a factor.
    Level(FeatureId),
}

/// The measured values of one clinician-period, in the order of the schema.
pub struct Measured {
    /// The outcome, in its unit.
    pub outcome: f64,
    /// One value a feature.
    pub features: Vec<Value>,
    /// The number behind each group.
    pub groups: Vec<f64>,
    /// The number behind each histogram.
    pub histograms: Vec<f64>,
}

/// The values do not make a row. Says which part, never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// More or fewer values than the schema has.
    #[error("{found} values for {what}; the study has {expected}")]
    Count {
        /// Features or groups.
        what: &'static str,
        /// How many came.
        found: usize,
        /// How many the schema has.
        expected: usize,
    },
    /// A number that is infinite or not a number.
    #[error("the value of `{part}` is not finite")]
    NotFinite {
        /// The part of the schema.
        part: String,
    },
    /// A level the study does not name: the clinician is outside its population.
    #[error("`{part}` has a level that the study does not name")]
    UnknownLevel {
        /// The feature.
        part: String,
    },
    /// A number where a level was due, or the other way round.
    #[error("`{part}` takes {expected}")]
    Kind {
        /// The feature.
        part: String,
        /// What it takes.
        expected: &'static str,
    },
}

/// One clinician-period, scaled: x with the intercept first, y in [0, 1], group flags.
pub struct FeatureRow {
    x: Vec<f64>,
    y: f64,
    member: Vec<bool>,
    bins: Vec<usize>,
    excluded: f64,
}

impl FeatureRow {
    /// Scales measured values by the public bounds of the schema.
    ///
    /// # Errors
    /// [`FeatureError`] if a value is missing, not finite, of the wrong kind or of an unknown level.
    pub fn new(schema: &Schema, measured: &Measured) -> Result<Self, FeatureError> {
        let count = |what, found, expected| {
            if found == expected {
                Ok(())
            } else {
                Err(FeatureError::Count { what, found, expected })
            }
        };
        count("features", measured.features.len(), schema.features.len())?;
        count("groups", measured.groups.len(), schema.groups.len())?;
        count("histograms", measured.histograms.len(), schema.histograms.len())?;
        let mut x = Vec::with_capacity(schema.width());
        x.push(1.0);
        for (feature, value) in schema.features.iter().zip(&measured.features) {
            push_columns(feature, value, &mut x)?;
        }
        let outcome = &schema.outcome;
        let y = finite(outcome.id.as_str(), measured.outcome)?.clamp(outcome.low, outcome.high);
        let mut member = Vec::with_capacity(schema.groups.len());
        for (group, value) in schema.groups.iter().zip(&measured.groups) {
            let value = finite(group.id.as_str(), *value)?.clamp(group.low, group.high);
            member.push(value >= group.at_least);
        }
        let bins = schema.histograms.iter().zip(&measured.histograms);
        let bins =
            bins.map(|(histogram, value)| bin(histogram, *value)).collect::<Result<_, _>>()?;
        let y = (y - outcome.low) / (outcome.high - outcome.low);
        Ok(Self { x, y, member, bins, excluded: 0.0 })
    }

    /// The same row of a clinician who excluded this share of their encounters: from 0 to 1, and 0 if it is no
    /// number.
    #[must_use = "returns the changed row"]
    pub fn excluding(mut self, share: f64) -> Self {
        self.excluded = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        self
    }

    /// The scaled columns, intercept first.
    pub fn x(&self) -> &[f64] {
        &self.x
    }

    /// The scaled outcome, 0 to 1.
    pub fn y(&self) -> f64 {
        self.y
    }

    /// The share of the clinician's encounters that they excluded, 0 to 1.
    pub fn excluded(&self) -> f64 {
        self.excluded
    }

    /// The bin of each histogram of the study, from 0.
    pub fn bins(&self) -> &[usize] {
        &self.bins
    }

    /// Membership in each group of the study.
    pub fn member(&self) -> &[bool] {
        &self.member
    }
}

impl fmt::Debug for FeatureRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FeatureRow({} columns, {} groups)", self.x.len(), self.member.len())
    }
}

impl fmt::Debug for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Measured({} features, {} groups)", self.features.len(), self.groups.len())
    }
}

/// The bin that counts a value: the first and the last take what lies beyond.
fn bin(histogram: &Histogram, value: f64) -> Result<usize, FeatureError> {
    let value = finite(histogram.id.as_str(), value)?;
    let share = (value - histogram.low) / (histogram.high - histogram.low);
    let last = histogram.bins.saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "held to 0 and the last bin"
    )]
    let bin = (share * f64::from(histogram.bins)).floor().clamp(0.0, f64::from(last)) as usize;
    Ok(bin)
}

fn finite(part: &str, value: f64) -> Result<f64, FeatureError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(FeatureError::NotFinite { part: part.to_owned() })
    }
}

fn push_columns(feature: &Feature, value: &Value, x: &mut Vec<f64>) -> Result<(), FeatureError> {
    let part = || feature.id.to_string();
    match value {
        Value::Number(value) if feature.levels.is_empty() => {
            let value = finite(feature.id.as_str(), *value)?.clamp(feature.low, feature.high);
            x.push((value - feature.centre) / ((feature.high - feature.low) / 2.0));
            Ok(())
        }
        Value::Level(level) if !feature.levels.is_empty() => {
            if !feature.levels.contains(level) {
                return Err(FeatureError::UnknownLevel { part: part() });
            }
            x.extend(feature.levels.iter().skip(1).map(|l| f64::from(u8::from(l == level))));
            Ok(())
        }
        _ if feature.levels.is_empty() => {
            Err(FeatureError::Kind { part: part(), expected: "a number" })
        }
        _ => Err(FeatureError::Kind { part: part(), expected: "a level" }),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::study::Study;
    use crate::study::tests::SOUND;

    fn measured(acuity: f64, specialty: &str) -> Measured {
        let features = vec![Value::Number(acuity), Value::Level(specialty.parse().unwrap())];
        Measured { outcome: 40.0, features, groups: vec![0.3], histograms: vec![] }
    }

    #[test]
    fn values_are_scaled_by_public_bounds() {
        let study = Study::parse(SOUND).unwrap();
        let row = FeatureRow::new(study.schema(), &measured(4.0, "oncology")).unwrap();
        assert_eq!(row.x(), [1.0, 0.5, 0.0, 1.0]);
        assert_eq!((row.y(), row.member()), (0.75, &[true][..]));
        let row = FeatureRow::new(study.schema(), &measured(99.0, "internal")).unwrap();
        assert_eq!(row.x(), [1.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn what_is_no_row_is_refused_without_its_value() {
        let study = Study::parse(SOUND).unwrap();
        let error = |m: &Measured| FeatureRow::new(study.schema(), m).unwrap_err().to_string();
        assert_eq!(error(&measured(f64::NAN, "internal")), "the value of `acuity` is not finite");
        let text = error(&measured(3.0, "surgery"));
        assert_eq!(text, "`specialty` has a level that the study does not name");
        let mut short = measured(3.0, "internal");
        short.features.pop();
        assert_eq!(error(&short), "1 values for features; the study has 2");
    }
}
