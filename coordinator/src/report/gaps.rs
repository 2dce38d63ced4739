//! How the formula treats the groups, and how it fits everybody.
use super::data::{Interval, Noisy};
use super::within::GroupMeans;
use serde::{Deserialize, Serialize};

/// How the formula treats the groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FairnessPart {
    /// φ of the formula that pays: 0 leaves the gap as it is, 1 closes it.
    pub phi: f64,
    /// The groups, in the order of the study; empty if the coefficients are withheld.
    pub groups: Vec<GroupFairness>,
    /// Mean outcomes of all groups, in the order of the study; empty if the coefficients are withheld.
    pub means: Vec<GroupMeans>,
    /// What a dial of φ would cost, by rising φ; may be empty.
    pub curve: Vec<CurvePoint>,
    /// How the formula fits everybody before the dial; `None` if the coefficients are withheld.
    pub overall_before: Option<OverallFit>,
    /// The same after the dial, where it was used.
    pub overall_after: Option<OverallFit>,
}

/// How the formula treats one group, against everybody else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupFairness {
    /// The short name.
    pub name: String,
    /// What a reader calls it.
    pub label: String,
    /// Clinicians in the group.
    pub heads: Noisy,
    /// With the formula before the dial.
    pub before: GapMeasures,
    /// With the formula that pays.
    pub after: GapMeasures,
    /// φ in the words of other authors; `None` if the dial was not used for this group.
    pub equivalents: Option<Equivalents>,
}

/// Measures of one group under one formula (Zink and Rose 2020).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GapMeasures {
    /// Mean residual of the group less that of everybody else, points; above 0: valued too low.
    pub mean_residual_difference: f64,
    /// Interval of the mean residual difference, points.
    pub interval: Interval,
    /// Mean of the formula over mean of the outcome in the group; below 1: valued too low.
    pub predictive_ratio: f64,
    /// Interval of the predictive ratio.
    pub predictive_ratio_interval: Interval,
    /// Mean of the formula less mean of the outcome in the group, points; below 0: valued too low.
    pub net_compensation: f64,
    /// Interval of the net compensation, points.
    pub net_compensation_interval: Interval,
    /// Covariance of belonging to the group and what the formula leaves, points; above 0: valued too low.
    pub fair_covariance: f64,
    /// Interval of the covariance, points.
    pub fair_covariance_interval: Interval,
    /// In a rehearsal, the mean residual difference without noise, points.
    pub truth: Option<f64>,
}

/// How a formula fits everybody.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverallFit {
    /// Mean outcome less mean of the formula, points.
    pub residual: f64,
    /// Its interval, points.
    pub residual_interval: Interval,
    /// Share of the outcome's variance that the formula explains.
    pub r_squared: f64,
    /// Its interval.
    pub r_squared_interval: Interval,
}

/// The same fit in the words of other authors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equivalents {
    /// Weight of the unconstrained fit in a weighted average: 1 − φ.
    pub alpha: f64,
    /// Share of the covariance that is left: 1 − φ.
    pub m: f64,
    /// Penalty on the squared mean residual difference; `None` if it would be infinite.
    pub lambda: Option<f64>,
}

/// What one setting of the dial costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurvePoint {
    /// The setting, 0 to 1.
    pub phi: f64,
    /// Share of the outcome's variance that the formula explains.
    pub r_squared: f64,
    /// Largest gap that is left in any group, points, at least 0.
    pub gap_points: f64,
}
