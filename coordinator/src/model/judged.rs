//! Each group of a study under the plain fit and under the fair one.
//!
//! Standard errors after the dial are given along frozen directions only: along the release's own direction the noise
//! that judges the fit has also chosen it.
use super::ModelError;
use super::Spec;
use super::dial::Direction;
use super::gram::Inputs;
use super::measure::{self, GroupMeasures};
use nalgebra::DVector;
use serde::Serialize;

/// One group, before and after the dial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupResult {
    /// Its name in the study.
    pub name: String,
    /// Under the plain fit; `None` where the group does not stand clear of its noise.
    pub before: Option<GroupMeasures>,
    /// Under the fair fit, where the dial was applied. Without standard errors along the release's own
    /// direction: the noise that judges the fit has also chosen it.
    pub after: Option<GroupMeasures>,
}

/// The fit after the dial, and how it came about.
pub(super) struct Fair<'a> {
    pub(super) t: DVector<f64>,
    pub(super) steps: Option<DVector<f64>>,
    pub(super) direction: &'a Direction,
}

impl Fair<'_> {
    /// Measures towards one group, with standard errors where they are valid.
    fn towards(
        &self,
        inputs: &Inputs,
        index: usize,
        plain: &DVector<f64>,
    ) -> Result<Option<GroupMeasures>, ModelError> {
        match (self.direction, &self.steps) {
            (Direction::SameRelease, _) => {
                let measures = clear(measure::group(inputs, index, &self.t))?;
                Ok(measures.map(GroupMeasures::without_intervals))
            }
            (Direction::Frozen(_), Some(steps))
                if inputs.all().later.along.len() == steps.len() =>
            {
                clear(measure::moved_group(inputs, index, (plain, steps)))
            }
            (Direction::Frozen(_), _) => clear(measure::group(inputs, index, &self.t)),
        }
    }
}

pub(super) fn group_results(
    spec: &Spec,
    inputs: &Inputs,
    t: &DVector<f64>,
    fair: Option<&Fair<'_>>,
) -> Result<Vec<GroupResult>, ModelError> {
    let mut result = Vec::new();
    for (index, name) in spec.groups.iter().enumerate() {
        let before = clear(measure::group(inputs, index, t))?;
        let after = match fair {
            Some(fair) => fair.towards(inputs, index, t)?,
            None => None,
        };
        result.push(GroupResult { name: name.clone(), before, after });
    }
    Ok(result)
}

/// A group lost in its noise has no measures, which is a finding and no failure.
fn clear(measures: Result<GroupMeasures, ModelError>) -> Result<Option<GroupMeasures>, ModelError> {
    match measures {
        Ok(measures) => Ok(Some(measures)),
        Err(ModelError::TooSmall { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// An error in words that name the group.
pub(super) fn told(error: &ModelError, groups: &[String]) -> String {
    let named = |index: &usize| groups.get(*index).cloned().unwrap_or_default();
    match error {
        ModelError::DirectionTooNoisy { index } => {
            format!("noise would decide how the gap of `{}` is closed", named(index))
        }
        ModelError::TooSmall { index } => {
            format!(
                "`{}`, or the rest beside it, is too small to be told from its noise",
                named(index)
            )
        }
        other => other.to_string(),
    }
}
