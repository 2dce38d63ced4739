//! Scores by a composite, for one person or encounter.
//!
//! ```text
//! score = Σ w m(v) / Σ w           over the components that are present
//! share = Σ w present / Σ w all
//! ```
//! No score without the anchor, or below the least share: nothing is imputed. A score carries the share, a pattern
//! of what was present (1 or 0 for each component with a weight, by id), version and digest: scores of different
//! patterns do not compare. A signal counts only for a person who opted in, under a profile that allows it and
//! with an approval named: only [`Composite::admit`] makes what scores.
use super::definition::{Composite, Kind, Output, Own, Source};
use super::map::Map;
use std::collections::BTreeMap;
use std::fmt;
use tacit_shared::id::{Digest, FeatureId};
use tacit_shared::study::profile::Profile;

/// A component of a weighted mean.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) id: FeatureId,
    pub(super) source: Source,
    pub(super) weight: f64,
    pub(super) map: Map,
    pub(super) anchor: bool,
}

impl Part {
    pub(super) fn is_signal(&self) -> bool {
        matches!(self.source, Source::Signal(_))
    }
}

/// A weighted mean: parts by id.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Blend {
    parts: Vec<Part>,
    least: f64,
}

impl Blend {
    pub(super) fn new(parts: Vec<Part>, least: f64) -> Self {
        Self { parts, least }
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }
}

/// A weighted component as a caller sees it.
#[derive(Clone, Copy, Debug)]
pub struct Weighted<'a> {
    /// Its id.
    pub id: &'a FeatureId,
    /// Where its reading comes from.
    pub source: &'a Source,
}

/// A composite is not one score over the components asked for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PatternError {
    /// It is not blended.
    #[error("composite `{output}` is no single number")]
    Apart {
        /// The composite.
        output: Output,
    },
    /// Another number of marks than of weighted components.
    #[error(
        "composite `{output}` has {expected} weighted components, by id {ids}; the pattern has {found} marks"
    )]
    Length {
        /// The composite.
        output: Output,
        /// How many marks came.
        found: usize,
        /// How many there are.
        expected: usize,
        /// The components.
        ids: String,
    },
    /// An anchor is left out.
    #[error("the pattern leaves out `{id}`, without which composite `{output}` has no score")]
    Anchor {
        /// The composite.
        output: Output,
        /// The component.
        id: FeatureId,
    },
    /// Too little of the weight.
    #[error(
        "the pattern has {share} of the weight of composite `{output}`; expected at least {least}"
    )]
    TooLittle {
        /// The composite.
        output: Output,
        /// What it has.
        share: f64,
        /// What is needed.
        least: f64,
    },
}

/// What a site may do with signals.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The profile in force.
    pub profile: Profile,
    /// The ethics approval it rests on.
    pub approval_id: Option<&'a str>,
}

/// Whether a person agreed to have signals of their body read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OptIn {
    /// The default.
    #[default]
    NotGiven,
    /// Recorded, and not withdrawn.
    Given,
}

/// The composite is not for this site.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmitError {
    /// The profile in force is narrower than what the file needs.
    #[error("composite `{output}` needs the profile `{needs}`; here `{has}` is in force")]
    Profile {
        /// The composite.
        output: Output,
        /// What it needs.
        needs: Profile,
        /// What is in force.
        has: Profile,
    },
    /// Signals are read, and no approval is named.
    #[error("composite `{output}` reads signals of a body, and no approval is named")]
    NoApproval {
        /// The composite.
        output: Output,
    },
}

/// A reading does not fit the composite. The value is not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadingError {
    /// No such component.
    #[error("`{id}` is no component")]
    Unknown {
        /// The name given.
        id: FeatureId,
    },
    /// Infinite or not a number.
    #[error("the reading of `{id}` is no number")]
    NotANumber {
        /// The component.
        id: FeatureId,
    },
    /// Two readings of one component.
    #[error("`{id}` has two readings")]
    Twice {
        /// The component.
        id: FeatureId,
    },
}

/// Why there is no score.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoScore {
    /// An anchor is absent.
    #[error("the anchor `{id}` is absent")]
    AnchorAbsent {
        /// The component.
        id: FeatureId,
    },
    /// Too little of the weight is present.
    #[error("{share} of the weight is present; expected at least {least}")]
    TooLittle {
        /// What is present.
        share: f64,
        /// What is needed.
        least: f64,
    },
}

/// A score or the reason for none, with all that must travel with it.
#[derive(Clone, PartialEq)]
pub struct Blended {
    value: Result<f64, NoScore>,
    weight_share: f64,
    pattern: String,
    version: String,
    composite: Digest,
}

impl fmt::Debug for Blended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blended({} components)", self.pattern.len())
    }
}

impl Blended {
    /// The score, in [0, 1].
    pub fn value(&self) -> Option<f64> {
        self.value.as_ref().ok().copied()
    }

    /// Why there is none.
    pub fn none(&self) -> Option<&NoScore> {
        self.value.as_ref().err()
    }

    /// The share of the weight that was present, in [0, 1].
    pub fn weight_share(&self) -> f64 {
        self.weight_share
    }

    /// 1 for each weighted component that was present, 0 for each that was not, by id.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// How many components were present.
    pub fn present(&self) -> usize {
        self.pattern.matches('1').count()
    }

    /// The version of the composite.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The digest of the composite's file.
    pub fn composite(&self) -> Digest {
        self.composite
    }
}

/// Readings side by side, by component; absent ones are `None`.
pub type Apart<'a> = Vec<(&'a Own, Option<f64>)>;

/// A composite that the site may use.
#[derive(Clone, Copy, Debug)]
pub struct Admitted<'a> {
    composite: &'a Composite,
}

/// What readings give: one score, or each for itself.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// A weighted mean.
    Blended(Blended),
    /// Unblended.
    Apart(Apart<'a>),
}

impl Composite {
    /// Whether a signal has a say in it.
    pub fn reads_signals(&self) -> bool {
        match &self.kind {
            Kind::Blend(blend) => {
                blend.parts.iter().any(|part| part.is_signal() && part.weight > 0.0)
            }
            Kind::Apart(own) => own.iter().any(|own| matches!(own.source, Source::Signal(_))),
        }
    }

    /// The weighted components of a pattern (1 or 0 for each by id; all if none is given), if there is a score over them.
    ///
    /// # Errors
    /// [`PatternError`] if there is none.
    pub fn over(
        &self,
        pattern: Option<impl ExactSizeIterator<Item = bool>>,
    ) -> Result<Vec<Weighted<'_>>, PatternError> {
        let output = self.output;
        let Kind::Blend(blend) = &self.kind else { return Err(PatternError::Apart { output }) };
        let weighted = || blend.parts.iter().filter(|part| part.weight > 0.0);
        let expected = weighted().count();
        let marks: Vec<bool> = pattern.map_or_else(|| vec![true; expected], Iterator::collect);
        if marks.len() != expected {
            let ids: Vec<&str> = weighted().map(|part| part.id.as_str()).collect();
            let (found, ids) = (marks.len(), ids.join(", "));
            return Err(PatternError::Length { output, found, expected, ids });
        }
        let marked = || weighted().zip(&marks);
        if let Some((part, _)) = marked().find(|(part, mark)| part.anchor && !**mark) {
            return Err(PatternError::Anchor { output, id: part.id.clone() });
        }
        let all: f64 = weighted().map(|part| part.weight).sum();
        let chosen = || marked().filter(|(_, mark)| **mark).map(|(part, _)| part);
        let share = chosen().map(|part| part.weight).sum::<f64>() / all;
        if share < blend.least - 1e-12 {
            return Err(PatternError::TooLittle { output, share, least: blend.least });
        }
        Ok(chosen().map(|part| Weighted { id: &part.id, source: &part.source }).collect())
    }

    /// Holds that the site may use it.
    ///
    /// # Errors
    /// [`AdmitError`] if the profile in force does not allow it, or no approval is named for signals.
    pub fn admit(&self, terms: &Terms<'_>) -> Result<Admitted<'_>, AdmitError> {
        let output = self.output;
        let research = Profile::EthicsApprovedResearch;
        if self.profile == research && terms.profile != research {
            return Err(AdmitError::Profile { output, needs: research, has: terms.profile });
        }
        let approved = terms.approval_id.is_some_and(|id| !id.trim().is_empty());
        if self.reads_signals() && !approved {
            return Err(AdmitError::NoApproval { output });
        }
        Ok(Admitted { composite: self })
    }
}

impl<'a> Admitted<'a> {
    /// What one person's readings give. Without their opt-in every signal is absent.
    ///
    /// # Errors
    /// [`ReadingError`] for a reading that is no number, of no component, or given twice.
    pub fn score<'b>(
        &self,
        readings: impl Iterator<Item = (&'b FeatureId, f64)>,
        opt_in: OptIn,
    ) -> Result<Outcome<'a>, ReadingError> {
        match &self.composite.kind {
            Kind::Blend(blend) => of(self.composite, blend, readings, opt_in).map(Outcome::Blended),
            Kind::Apart(own) => {
                let readings = gather(readings, |id| own.iter().any(|own| own.id == *id))?;
                let heard =
                    |own: &Own| opt_in == OptIn::Given || !matches!(own.source, Source::Signal(_));
                let value =
                    |own: &'a Own| (own, readings.get(&own.id).copied().filter(|_| heard(own)));
                Ok(Outcome::Apart(own.iter().map(value).collect()))
            }
        }
    }
}

/// The readings by component.
fn gather<'b>(
    readings: impl Iterator<Item = (&'b FeatureId, f64)>,
    known: impl Fn(&FeatureId) -> bool,
) -> Result<BTreeMap<&'b FeatureId, f64>, ReadingError> {
    let mut gathered = BTreeMap::new();
    for (id, value) in readings {
        if !known(id) {
            return Err(ReadingError::Unknown { id: id.clone() });
        }
        if !value.is_finite() {
            return Err(ReadingError::NotANumber { id: id.clone() });
        }
        if gathered.insert(id, value).is_some() {
            return Err(ReadingError::Twice { id: id.clone() });
        }
    }
    Ok(gathered)
}

/// The weighted mean of the readings. Sums run in the order of ids, whatever the order of the readings.
pub(super) fn of<'b>(
    composite: &Composite,
    blend: &Blend,
    readings: impl Iterator<Item = (&'b FeatureId, f64)>,
    opt_in: OptIn,
) -> Result<Blended, ReadingError> {
    let readings = gather(readings, |id| blend.parts.iter().any(|part| part.id == *id))?;
    let (mut sum, mut present, mut all) = (0.0, 0.0, 0.0);
    let mut pattern = String::new();
    let mut anchor = None;
    for part in blend.parts.iter().filter(|part| part.weight > 0.0) {
        all += part.weight;
        let heard = opt_in == OptIn::Given || !part.is_signal();
        if let Some(value) = readings.get(&part.id).filter(|_| heard) {
            sum += part.weight * part.map.value(*value);
            present += part.weight;
            pattern.push('1');
        } else {
            anchor = anchor.or(Some(&part.id).filter(|_| part.anchor));
            pattern.push('0');
        }
    }
    let weight_share = present / all;
    let value = if let Some(id) = anchor {
        Err(NoScore::AnchorAbsent { id: id.clone() })
    } else if weight_share < blend.least - 1e-12 {
        Err(NoScore::TooLittle { share: weight_share, least: blend.least })
    } else {
        Ok(sum / present)
    };
    let (version, composite) = (composite.version.clone(), composite.sha256);
    Ok(Blended { value, weight_share, pattern, version, composite })
}
