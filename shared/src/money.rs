//! Amounts of money in whole cents.
//!
//! An amount is an integer, so that the parts of a pool add up to the pool to the cent. The currency
//! is the study's business, not this type's. How a pool is shared is the coordinator's `allocation`.
//!
//! ```
//! # use tacit_shared::money::Cents;
//! let pool: Cents = "1,234.56".parse()?;
//! assert_eq!(pool, Cents::new(123_456));
//! assert_eq!(pool.to_string(), "1,234.56");
//! # Ok::<(), tacit_shared::money::MoneyError>(())
//! ```
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest text that is read as an amount: the smallest `i64` with separators needs 27 bytes.
const LONGEST: usize = 40;

/// An amount in hundredths of the study's currency. Negative amounts are debts.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Cents(i64);

/// Why a text or a sum is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// The text has another form than `1,234.56`, `1234.56`, `1234.5` or `1234`.
    #[error("not an amount of money; expected a form like 1,234.56 with at most two decimals")]
    NotAnAmount,
    /// The amount needs more than the 63 bits that cents are kept in.
    #[error("the amount is beyond 92,233,720,368,547,758.07")]
    TooLarge,
}

impl Cents {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount from its number of cents.
    pub const fn new(cents: i64) -> Self {
        Self(cents)
    }

    /// The number of cents.
    pub const fn value(self) -> i64 {
        self.0
    }

    /// The sum, or `None` if it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` if it does not fit.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The sum of all amounts.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] if the sum, or a partial sum in the given order, does not fit.
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add).ok_or(MoneyError::TooLarge)
    }
}

impl fmt::Display for Cents {
    /// Writes `-1,234.56`: separators for thousands, always two decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.unsigned_abs();
        let (units, rest) = (size.div_euclid(100), size.rem_euclid(100));
        let digits = units.to_string();
        let mut grouped = String::new();
        for (index, digit) in digits.chars().enumerate() {
            let left = digits.len().saturating_sub(index);
            if index > 0 && left.is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        let sign = if self.0 < 0 { "-" } else { "" };
        f.pad(&format!("{sign}{grouped}.{rest:02}"))
    }
}

impl FromStr for Cents {
    type Err = MoneyError;

    /// Reads `1,234.56`, `1234.56`, `1234.5` or `1234`, with an optional leading minus.
    ///
    /// A separator is accepted only where [`Cents`] writes one, so `1,5` is refused and never read
    /// as fifteen or as one and a half.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        if text.len() > LONGEST {
            return Err(MoneyError::NotAnAmount);
        }
        let (negative, size) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (units, decimals) = match size.split_once('.') {
            Some((units, decimals)) => (units, Some(decimals)),
            None => (size, None),
        };
        let units = whole_units(units)?;
        let decimals = decimals.map_or(Ok(0), hundredths)?;
        let size = units
            .checked_mul(100)
            .and_then(|cents| cents.checked_add(decimals))
            .ok_or(MoneyError::TooLarge)?;
        let signed =
            if negative { 0i128.checked_sub(size).ok_or(MoneyError::TooLarge)? } else { size };
        i64::try_from(signed).map(Self).map_err(|_| MoneyError::TooLarge)
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn whole_units(text: &str) -> Result<i128, MoneyError> {
    let mut groups = text.split(',');
    let first = groups.next().unwrap_or_default();
    let separated = text.contains(',');
    if !is_digits(first) || (separated && first.len() > 3) {
        return Err(MoneyError::NotAnAmount);
    }
    let mut digits = first.to_owned();
    for group in groups {
        if group.len() != 3 || !is_digits(group) {
            return Err(MoneyError::NotAnAmount);
        }
        digits.push_str(group);
    }
    digits.parse().map_err(|_| MoneyError::TooLarge)
}

fn hundredths(text: &str) -> Result<i128, MoneyError> {
    if !is_digits(text) || text.len() > 2 {
        return Err(MoneyError::NotAnAmount);
    }
    let number: i128 = text.parse().map_err(|_| MoneyError::NotAnAmount)?;
    let tenths_only = text.len() == 1;
    let scale = if tenths_only { 10 } else { 1 };
    number.checked_mul(scale).ok_or(MoneyError::TooLarge)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_print_with_thousands_and_two_decimals() {
        let printed: Vec<String> = [0, 5, 99, 100, 123_456, 100_000_000, -7, -123_456, i64::MIN]
            .iter()
            .map(|&cents| Cents::new(cents).to_string())
            .collect();
        assert_eq!(
            printed,
            [
                "0.00",
                "0.05",
                "0.99",
                "1.00",
                "1,234.56",
                "1,000,000.00",
                "-0.07",
                "-1,234.56",
                "-92,233,720,368,547,758.08"
            ]
        );
    }

    #[test]
    fn accepted_forms_agree() {
        for text in ["1,234.50", "1234.5", "1234.50"] {
            assert_eq!(text.parse(), Ok(Cents::new(123_450)), "{text}");
        }
        assert_eq!("12".parse(), Ok(Cents::new(1_200)));
        assert_eq!("-0.01".parse(), Ok(Cents::new(-1)));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "", "-", ".5", "1.", "1.234", "1,5", "1,2345", "1234,567", "1,,234", "+1", " 1", "1 ",
            "1e3", "--1", "1.2.3", "1,234,", "٣",
        ] {
            assert_eq!(text.parse::<Cents>(), Err(MoneyError::NotAnAmount), "{text}");
        }
        assert_eq!("92233720368547758.08".parse::<Cents>(), Err(MoneyError::TooLarge));
        assert_eq!("9".repeat(41).parse::<Cents>(), Err(MoneyError::NotAnAmount));
    }

    #[test]
    fn sums_that_do_not_fit_are_refused() {
        let most = Cents::new(i64::MAX);
        assert_eq!(most.checked_add(Cents::new(1)), None);
        assert_eq!(Cents::new(i64::MIN).checked_sub(Cents::new(1)), None);
        assert_eq!(Cents::sum([most, Cents::new(1)]), Err(MoneyError::TooLarge));
        assert_eq!(Cents::sum([Cents::new(2), Cents::new(-5)]), Ok(Cents::new(-3)));
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(cents: i64) {
            let amount = Cents::new(cents);
            prop_assert_eq!(amount.to_string().parse::<Cents>().unwrap(), amount);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,45}") {
            let _ = text.parse::<Cents>();
        }
    }
}
