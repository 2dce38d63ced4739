//! Units of privacy, each a number that can only be made within its range.
//!
//! The letters are those of the literature: ε and δ of approximate differential privacy, ρ of
//! zero-concentrated privacy (BS16), μ of Gaussian differential privacy (Dong, Roth and Su 2022).
//! A file cannot bring in a value that the constructor refuses: reading goes through it. What the
//! numbers mean for each other is [`crate::privacy::accountant`]'s work.
use serde::{Deserialize, Serialize};

/// A number outside the range of its unit.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{unit} is {found}; expected {expected}")]
pub struct UnitError {
    /// The unit, as users call it.
    pub unit: &'static str,
    /// The value offered.
    pub found: f64,
    /// The range that is accepted.
    pub expected: &'static str,
}

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident, $unit:literal, $expected:literal, |$value:ident| $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl $name {
            /// Checks the range.
            ///
            /// # Errors
            #[doc = concat!("[`UnitError`] unless the value is ", $expected, "; NaN never is.")]
            pub fn new($value: f64) -> Result<Self, UnitError> {
                if $valid {
                    // −0 becomes 0: equal values have equal bits.
                    Ok(Self($value + 0.0))
                } else {
                    Err(UnitError { unit: $unit, found: $value, expected: $expected })
                }
            }

            /// The bare number.
            pub fn value(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = UnitError;

            fn try_from(value: f64) -> Result<Self, UnitError> {
                Self::new(value)
            }
        }

        impl From<$name> for f64 {
            fn from(unit: $name) -> f64 {
                unit.0
            }
        }
    };
}

unit!(
    /// ε of (ε, δ)-differential privacy: the bound on the log of a likelihood ratio. Finite; "no ε
    /// holds" is said by the absence of a value, so a file cannot ask for a boundless budget.
    Epsilon, "epsilon", "a finite number, at least 0", |value| value.is_finite() && value >= 0.0
);

unit!(
    /// δ of (ε, δ)-differential privacy: the probability that ε may fail with. Both ends are
    /// meaningful to the accountant (0: never; 1: no promise); a budget wants one in between.
    Delta, "delta", "between 0 and 1", |value| (0.0..=1.0).contains(&value)
);

unit!(
    /// ρ of zero-concentrated privacy; the costs of one person add up.
    Rho, "rho", "a finite number, at least 0", |value| value.is_finite() && value >= 0.0
);

unit!(
    /// μ of Gaussian differential privacy: telling a person's presence is as hard as telling
    /// N(μ, 1) from N(0, 1). The squares of one person's μ add up. May be infinite: no noise at all.
    Mu, "mu", "a number, at least 0", |value| value >= 0.0
);

unit!(
    /// σ over the L2 sensitivity of one release.
    NoiseMultiplier, "noise multiplier", "a finite number above 0",
    |value| value.is_finite() && value > 0.0
);

unit!(
    /// A probability or a rate.
    Probability, "probability", "between 0 and 1", |value| (0.0..=1.0).contains(&value)
);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn each_unit_keeps_its_range() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e-300] {
            assert!(Epsilon::new(bad).is_err());
            assert!(Delta::new(bad).is_err());
            assert!(Rho::new(bad).is_err());
            assert!(NoiseMultiplier::new(bad).is_err());
            assert!(Probability::new(bad).is_err());
        }
        for bad in [f64::NAN, f64::NEG_INFINITY, -1e-300] {
            assert!(Mu::new(bad).is_err());
        }
        assert!(NoiseMultiplier::new(0.0).is_err());
        assert!(Delta::new(1.0f64.next_up()).is_err());
        assert!(Mu::new(f64::INFINITY).is_ok());
        for edge in [0.0, 1.0, 5e-324] {
            assert!(Delta::new(edge).is_ok());
        }
    }

    #[test]
    fn minus_zero_is_zero_to_the_bit() {
        assert_eq!(Mu::new(-0.0).unwrap().value().to_bits(), 0);
    }

    #[test]
    fn a_file_cannot_bring_in_a_value_out_of_range() {
        #[derive(Debug, Deserialize)]
        struct File {
            epsilon: Epsilon,
        }
        let read = |text| toml::from_str::<File>(text);
        assert!((read("epsilon = 0.5").unwrap().epsilon.value() - 0.5).abs() < 1e-15);
        for bad in ["epsilon = nan", "epsilon = inf", "epsilon = -1.0"] {
            let message = read(bad).unwrap_err().to_string();
            assert!(message.contains("expected a finite number, at least 0"), "{message}");
        }
    }

    #[test]
    fn the_error_names_unit_value_and_range() {
        assert_eq!(
            Delta::new(-1e-6).unwrap_err().to_string(),
            "delta is -0.000001; expected between 0 and 1"
        );
    }
}
