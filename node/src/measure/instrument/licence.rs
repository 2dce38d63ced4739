//! Whether a site may use an instrument.
//!
//! An instrument whose definition says `site_must_confirm` is locked until the site enters the licence it has:
//! `[licences]` in `node.toml`. Only [`Instrument::licensed`] makes a [`Licensed`], and only that one scores.
use super::definition::{Instrument, Scale};
use super::score::{Score, ScoreError};
use crate::config::LicenceReference;
use tacit_shared::fault::Fault;
use tacit_shared::id::FeatureId;

/// An instrument that a site may use.
///
/// ```compile_fail
/// # use tacit_node::measure::instrument::{Instrument, licence::Licensed};
/// fn bypass(instrument: &Instrument) -> Licensed<'_> {
///     Licensed { instrument, reference: None } // private fields
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Licensed<'a> {
    instrument: &'a Instrument,
    reference: Option<&'a LicenceReference>,
}

/// The instrument needs a licence, and the site has entered none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "instrument `{instrument}` is locked: its licence is {status}, held by {holder}, and the site has entered none"
)]
pub struct Locked {
    /// The instrument.
    pub instrument: FeatureId,
    /// The terms, in a word.
    pub status: &'static str,
    /// Who holds the rights.
    pub holder: String,
}

impl From<Locked> for Fault {
    fn from(locked: Locked) -> Fault {
        let hint = format!(
            "once the site has a licence, name it in node.toml: [licences] {} = \"contract, letter or date\"",
            locked.instrument
        );
        Fault::user(locked.to_string()).hint(hint)
    }
}

impl Instrument {
    /// Unlocks the instrument with the reference the site entered, if it needs one.
    ///
    /// # Errors
    /// [`Locked`] if it needs one and there is none.
    pub fn licensed<'a>(
        &'a self,
        reference: Option<&'a LicenceReference>,
    ) -> Result<Licensed<'a>, Locked> {
        let licence = self.licence();
        if licence.site_must_confirm && reference.is_none() {
            return Err(Locked {
                instrument: self.id().clone(),
                status: licence.status.word(),
                holder: licence.holder.clone(),
            });
        }
        Ok(Licensed {
            instrument: self,
            reference: reference.filter(|_| licence.site_must_confirm),
        })
    }
}

impl<'a> Licensed<'a> {
    /// The instrument.
    pub fn instrument(&self) -> &'a Instrument {
        self.instrument
    }

    /// The licence it is used under; `None` if it needs none.
    pub fn reference(&self) -> Option<&'a LicenceReference> {
        self.reference
    }

    /// The score of a scale from (item, code) pairs; an imported score stands under its scale's id. Answers to
    /// items of other scales are checked, and do not count.
    ///
    /// # Errors
    /// [`ScoreError`] for an answer that is not one of the instrument's.
    pub fn score<'b>(
        &self,
        scale: &Scale,
        answers: impl Iterator<Item = (&'b str, &'b str)>,
    ) -> Result<Score, ScoreError> {
        self.instrument.score(scale, answers)
    }
}
