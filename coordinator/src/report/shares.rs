//! Of the money, what is not by hospital: service lines, proposed billing codes, the equity rule.
use super::data::{Bound, Interval, Noisy};
use serde::{Deserialize, Serialize};

/// The pool divided among the levels of one factor: another view of the same money.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceLinesPart {
    /// The feature whose levels these are.
    pub feature: String,
    /// What a reader calls it.
    pub label: String,
    /// The pool, in cents of `currency`; the rows sum to it exactly.
    pub pool_cents: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// The rule in words.
    pub rule: String,
    /// One row a level, in the order of the study.
    pub rows: Vec<ServiceLineRow>,
}

/// What one service line gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceLineRow {
    /// The level of the feature.
    pub level: String,
    /// Clinicians in it; sd 0 where the count is public.
    pub heads: Noisy,
    /// Fitted labour per head over that of all; 1 on average.
    pub labour_index: f64,
    /// Extra weight by the equity rule; 0 without one.
    pub extra_weight: f64,
    /// Least it can get, cents.
    pub floor_cents: i64,
    /// Most it can get, cents.
    pub cap_cents: i64,
    /// What it gets, cents.
    pub cents: i64,
    /// Lower end of where the amount without noise lies, cents.
    pub low_cents: i64,
    /// Upper end, cents.
    pub high_cents: i64,
    /// Whether the floor or the cap decided.
    pub at: Bound,
    /// In a rehearsal, what the same rule gives on the data without noise, cents.
    pub truth_cents: Option<i64>,
}

/// What the equity rule did, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EquityPart {
    /// Extra weight of a unit all of whose clinicians are in a group that counts.
    pub weight: f64,
    /// Whether a group counts only if its gap is proven.
    pub proven_only: bool,
    /// What the rule did, in words.
    pub words: String,
    /// The groups of the rule.
    pub proofs: Vec<EquityProof>,
}

/// Whether one group counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EquityProof {
    /// The group's short name.
    pub group: String,
    /// Whether it counts.
    pub counts: bool,
    /// Its mean residual difference before the dial, points; `None` where it is lost in the noise.
    pub gap_points: Option<f64>,
    /// Interval of that difference, points.
    pub interval: Interval,
}

/// The proposed billing codes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodesPart {
    /// That these are proposals, and what they leave open.
    pub caution: String,
    /// What an amount is for: `encounter`, or `clinician and period`.
    pub per: String,
    /// The pool, in cents of `currency`.
    pub pool_cents: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// Start of the addresses of the codes.
    pub base_url: String,
    /// Unit of the time bands, in words.
    pub time_unit: String,
    /// Unit of the acuity bands, in words.
    pub acuity_unit: String,
    /// One row a code, by specialty, time and acuity.
    pub rows: Vec<CodeRow>,
}

/// One proposed code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeRow {
    /// The code.
    pub code: String,
    /// The level of the factor.
    pub specialty: String,
    /// Lower border of the time band.
    pub time_from: f64,
    /// Upper border of the time band.
    pub time_to: f64,
    /// Lower border of the acuity band.
    pub acuity_from: f64,
    /// Upper border of the acuity band.
    pub acuity_to: f64,
    /// How often the code is expected in the period.
    pub expected: f64,
    /// Fitted outcome at the bands' midpoints over that of all codes; 1 on average over expected numbers.
    pub relative_value: f64,
    /// Lower end of where that lies without noise.
    pub relative_low: f64,
    /// Upper end.
    pub relative_high: f64,
    /// Amount for one, cents, rounded.
    pub amount_cents: i64,
    /// Lower end of where that lies without noise, cents.
    pub amount_low_cents: i64,
    /// Upper end, cents.
    pub amount_high_cents: i64,
    /// Part of the pool set aside for the code, cents; the rows sum to the pool.
    pub share_cents: i64,
}
