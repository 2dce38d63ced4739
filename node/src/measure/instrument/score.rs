//! Scores one filled-in questionnaire.
//!
//! ```text
//! sum        Σ v · items / answered                missing ones count as the mean of the answered
//! mean       Σ v / answered
//! top-all    1 if every answered v is the maximum, else 0
//! top-share  answered v at the maximum / answered
//! linear100  Σ 100 (v − min) / (max − min) / answered
//! imported   the number that the site brings
//! ```
//! v: the value of an answer's code, min + max − value for a reversed item; min and max over all codes. No score
//! if more than `max_missing` items are missing, or if it would lie outside the scale's range. A code the
//! instrument does not have is an error, never taken as missing.
use super::definition::{Flag, Instrument, Method, Scale, span};
use std::fmt;
use tacit_shared::id::Digest;

/// The answers do not belong to the instrument. Names the item, never the code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScoreError {
    /// An item that is not one of the instrument's.
    #[error("an answer is to an item that the instrument does not have")]
    UnknownItem,
    /// A code that is not one of the instrument's.
    #[error(
        "an answer to item `{item}` has a code that the instrument does not have; expected {expected}"
    )]
    UnknownCode {
        /// The item.
        item: String,
        /// The codes there are.
        expected: String,
    },
    /// An imported score that is none.
    #[error("the imported score `{scale}` is no number")]
    NotANumber {
        /// The scale.
        scale: String,
    },
    /// Two answers to one item.
    #[error("item `{item}` is answered twice")]
    Twice {
        /// The item.
        item: String,
    },
}

/// Why answers that belong to the instrument yield no score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// More items than the scale bears.
    #[error("{missing} items are missing; at most {most} may be")]
    Missing {
        /// How many are missing.
        missing: usize,
        /// How many may be.
        most: usize,
    },
    /// The number lies outside the scale's range. The number is not told.
    #[error("outside the range of the scale")]
    OutsideRange,
}

/// What one questionnaire gives on one scale, with the digest of the definition it was scored by.
#[derive(Clone, PartialEq)]
pub struct Score {
    value: Result<f64, Invalid>,
    answered: usize,
    instrument: Digest,
}

impl fmt::Debug for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Score({} answered)", self.answered)
    }
}

impl Score {
    /// The score, if there is one.
    pub fn value(&self) -> Option<f64> {
        self.value.ok()
    }

    /// Why there is none.
    pub fn invalid(&self) -> Option<Invalid> {
        self.value.err()
    }

    /// How many items of the scale were answered; 1 for an imported score.
    pub fn answered(&self) -> usize {
        self.answered
    }

    /// The digest of the instrument's file.
    pub fn instrument(&self) -> Digest {
        self.instrument
    }

    /// Whether a flag on this scale is raised; `None` without a score.
    pub fn raises(&self, flag: &Flag) -> Option<bool> {
        self.value().map(|value| value >= flag.at_least)
    }
}

impl Instrument {
    /// The score of a scale from (item, code) pairs. Answers to items of other scales are checked, and do not
    /// count. Whether a site may score at all is [`super::licence`]'s question.
    pub(super) fn score<'a>(
        &self,
        scale: &Scale,
        answers: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Score, ScoreError> {
        let own = |item: &str| match scale.method {
            Method::Imported => (item == scale.id.as_str()).then_some(0),
            _ => scale.items.iter().position(|own| own == item),
        };
        let items = if scale.method == Method::Imported { 1 } else { scale.items.len() };
        let mut slots: Vec<Option<Option<f64>>> = vec![None; items];
        for (item, code) in answers {
            let value = self.value(item, code)?;
            let Some(slot) = own(item).and_then(|slot| slots.get_mut(slot)) else {
                continue;
            };
            if slot.replace(value).is_some() {
                return Err(ScoreError::Twice { item: item.to_owned() });
            }
        }
        let values: Vec<f64> = slots.into_iter().flatten().flatten().collect();
        let answered = values.len();
        let missing = items.saturating_sub(answered);
        let value = if missing > scale.max_missing || answered == 0 {
            Err(Invalid::Missing { missing, most: scale.max_missing })
        } else {
            self.combine(scale, &values)
        };
        Ok(Score { value, answered, instrument: self.sha256() })
    }

    /// What an answer is worth; `None` if its code counts as missing.
    ///
    /// # Errors
    /// [`ScoreError`] for a code or an item that the instrument does not have.
    pub fn value(&self, item: &str, code: &str) -> Result<Option<f64>, ScoreError> {
        let items = &self.file.items;
        if self.imported().any(|scale| scale.id.as_str() == item) {
            if items.not_applicable.contains(code) {
                return Ok(None);
            }
            let number = code.parse::<f64>().ok().filter(|value| value.is_finite());
            let wrong = || ScoreError::NotANumber { scale: item.to_owned() };
            return number.map(Some).ok_or_else(wrong);
        }
        if !items.ids.iter().any(|id| id == item) {
            return Err(ScoreError::UnknownItem);
        }
        if items.not_applicable.contains(code) {
            return Ok(None);
        }
        let Some(value) = items.codes.get(code) else {
            let expected = self.codes().collect::<Vec<_>>().join(", ");
            return Err(ScoreError::UnknownCode { item: item.to_owned(), expected });
        };
        if items.reverse.contains(item) {
            let (low, high) = span(items);
            return Ok(Some(low + high - value));
        }
        Ok(Some(*value))
    }

    /// The score of what was answered: at least one value.
    fn combine(&self, scale: &Scale, values: &[f64]) -> Result<f64, Invalid> {
        let (low, high) = span(&self.file.items);
        let top = |value: f64| value >= high - 1e-9 * (high - low);
        let sum: f64 = values.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "a scale has few items")]
        let (items, answered) = (scale.items.len() as f64, values.len() as f64);
        #[expect(clippy::cast_precision_loss, reason = "a scale has few items")]
        let tops = values.iter().filter(|value| top(**value)).count() as f64;
        let score = match scale.method {
            Method::Sum => sum * items / answered,
            Method::Mean => sum / answered,
            Method::TopAll => f64::from(values.iter().all(|value| top(*value))),
            Method::TopShare => tops / answered,
            Method::Linear100 => {
                values.iter().map(|value| (value - low) / (high - low) * 100.0).sum::<f64>()
                    / answered
            }
            Method::Imported => sum,
        };
        let [least, most] = scale.range;
        let slack = 1e-9 * (most - least); // rounding; a score is then put onto the bound
        if (least - slack..=most + slack).contains(&score) {
            Ok(score.clamp(least, most))
        } else {
            Err(Invalid::OutsideRange)
        }
    }
}
