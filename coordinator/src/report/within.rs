//! What a report says of slopes within hospitals, and of the means of groups: plain data.
use super::data::{Interval, Noisy};
use serde::{Deserialize, Serialize};

/// What features are worth among clinicians of one hospital, beside what they are worth over all together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithinPart {
    /// Why there is no such fit, in words; `None` exactly if there are rows.
    pub refused: Option<String>,
    /// One row a coefficient but the first, in the order of the study.
    pub rows: Vec<WithinRow>,
}

/// One slope within hospitals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithinRow {
    /// The short name of the column.
    pub name: String,
    /// What a reader calls it.
    pub label: String,
    /// Its unit in words, as of the coefficient.
    pub unit: String,
    /// The estimate; `None` where the noise leaves every value possible.
    pub estimate: Option<f64>,
    /// Where it lies for all such clinicians.
    pub interval: Interval,
    /// Whether it differs clearly from the pooled one: see [`differs`].
    pub differs: bool,
    /// In a rehearsal, the same without noise.
    pub truth: Option<f64>,
}

/// Whether two ranges of the same value have nothing in common. However the two estimates hang together, this happens
/// less than once in twenty times where they aim at the same value.
pub fn differs(own: Interval, pooled: Interval) -> bool {
    match (own, pooled) {
        (
            Interval::Between { low, high },
            Interval::Between { low: pooled_low, high: pooled_high },
        ) => low > pooled_high || high < pooled_low,
        _ => false,
    }
}

/// The mean outcome of a group and of everybody else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupMeans {
    /// The short name of the group.
    pub name: String,
    /// What a reader calls it.
    pub label: String,
    /// Of the clinicians in the group.
    pub inside: GroupMean,
    /// Of everybody else.
    pub outside: GroupMean,
}

/// The mean outcome of some clinicians, who may be too few to say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupMean {
    /// How many they are.
    pub heads: Noisy,
    /// The mean, points; `None` where the noise leaves every value possible.
    pub mean: Option<f64>,
    /// Where it would lie without noise.
    pub exact_data: Interval,
    /// Where it lies for all such clinicians.
    pub population: Interval,
    /// In a rehearsal, the mean without noise.
    pub truth: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_or_are_missing_do_not_differ() {
        let range = |low, high| Interval::Between { low, high };
        assert!(
            differs(range(1.0, 2.0), range(2.1, 3.0)) && differs(range(4.0, 5.0), range(2.1, 3.0))
        );
        assert!(
            !differs(range(1.0, 2.0), range(2.0, 3.0))
                && !differs(range(0.0, 9.0), range(2.0, 3.0))
        );
        assert!(!differs(range(1.0, 2.0), Interval::NotEstimable));
        assert!(!differs(Interval::NotOffered, range(1.0, 2.0)));
    }
}
