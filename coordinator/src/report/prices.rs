//! What the pool pays for what: plain data.
//!
//! Prices are by the rule of division alone, before floors, caps, price indices and extra weights. They are cents of the
//! pool's currency, for one clinician and the period, and are no amounts that anybody receives: so they keep their fractions.
use super::data::Interval;
use serde::{Deserialize, Serialize};

/// All prices of a division.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PricesPart {
    /// ISO 4217 code.
    pub currency: String,
    /// The pool, in cents.
    pub pool_cents: i64,
    /// Of one point of the outcome more.
    pub point: PricePart,
    /// Of one unit of each column more, in the order of the coefficients; the first is the typical clinician's.
    pub columns: Vec<ColumnPrice>,
    /// Of closing the gap of a group, in the order of the groups; those that noise hides are not here.
    pub gaps: Vec<GapPrice>,
}

/// A price in cents, with its fraction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PricePart {
    /// The price, cents.
    pub cents: f64,
    /// Where it would lie without noise, cents.
    pub interval: Interval,
    /// In a rehearsal, the price without noise, cents.
    pub truth: Option<f64>,
}

/// The price of one unit of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnPrice {
    /// The short name of the column.
    pub name: String,
    /// One unit of it in words, such as `minute`; empty where the column says whether or not.
    pub unit: String,
    /// The price for one clinician.
    pub price: PricePart,
}

/// The price of a gap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GapPrice {
    /// The short name of the group.
    pub name: String,
    /// The price for the whole group.
    pub price: PricePart,
}
