//! Scores one filled-in questionnaire.
//!
//! ```text
//! sum    Σ v over answered items × (items / answered)      missing ones count as the mean of the answered
//! mean   Σ v over answered items / answered
//! ```
//! No score if more than `max_missing` items are missing. A code the instrument does not have is an error,
//! never taken as missing.
use super::definition::{Instrument, Method, Scale};

/// The answers do not belong to the instrument. Names the item, never the code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScoreError {
    /// An item that is not one of the instrument's.
    #[error("an answer is to an item that the instrument does not have")]
    UnknownItem,
    /// A code that is not one of the instrument's.
    #[error("an answer to item `{item}` has a code that the instrument does not have")]
    UnknownCode {
        /// The item.
        item: String,
    },
    /// Two answers to one item.
    #[error("item `{item}` is answered twice")]
    Twice {
        /// The item.
        item: String,
    },
}

impl Instrument {
    /// The score of a scale from (item, code) pairs; `None` if too many items are missing. Answers to items
    /// of other scales are checked, and do not count.
    ///
    /// # Errors
    /// [`ScoreError`] for an answer that is not one of the instrument's.
    pub fn score<'a>(
        &self,
        scale: &Scale,
        answers: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Option<f64>, ScoreError> {
        let mut values: Vec<Option<f64>> = vec![None; scale.items.len()];
        let mut sum = 0.0;
        let mut answered = 0_u32;
        for (item, code) in answers {
            let Some(value) = self.value(item, code)? else {
                continue;
            };
            let slot = scale.items.iter().position(|own| own == item);
            let Some(slot) = slot.and_then(|slot| values.get_mut(slot)) else {
                continue;
            };
            if slot.replace(value).is_some() {
                return Err(ScoreError::Twice { item: item.to_owned() });
            }
            sum += value;
            answered += 1;
        }
        let missing = values.iter().filter(|value| value.is_none()).count();
        if missing > scale.max_missing || answered == 0 {
            return Ok(None);
        }
        #[expect(clippy::cast_precision_loss, reason = "a scale has few items")]
        let items = scale.items.len() as f64;
        let mean = sum / f64::from(answered);
        Ok(Some(match scale.method {
            Method::Sum => mean * items,
            Method::Mean => mean,
        }))
    }
}
