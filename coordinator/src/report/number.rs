//! Numbers as people read them: thousands apart, few decimals, a real minus sign.
//!
//! A range is written with "to", since a dash beside a minus sign misleads. The space before a unit
//! does not break.

/// U+00A0: keeps a number and its unit on one line.
const SPACE: char = '\u{a0}';
/// U+2212: as wide as a digit.
const MINUS: char = '\u{2212}';

/// `value` with `places` decimals: `−1,234.5`. Nothing that rounds to 0 has a sign.
pub(crate) fn decimal(value: f64, places: usize) -> String {
    let digits = format!("{:.places$}", value.abs());
    let (whole, rest) =
        digits.split_once('.').map_or((digits.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let zero = digits.chars().all(|c| c == '0' || c == '.');
    let mut text = String::new();
    if value < 0.0 && !zero {
        text.push(MINUS);
    }
    text.push_str(&apart(whole));
    if let Some(rest) = rest {
        text.push('.');
        text.push_str(rest);
    }
    text
}

/// The same with a plus where it is above 0.
pub(crate) fn signed(value: f64, places: usize) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    format!("{sign}{}", decimal(value, places))
}

/// Decimals that show three digits that count, from 2 to 8.
pub(crate) fn significant(value: f64) -> usize {
    let small = (2..8u8).find(|places| value.abs() * 10f64.powi(i32::from(*places)) >= 100.0);
    // What is 0, or next to nothing, is shown as such.
    let places = if value.abs() < 1e-8 { 2 } else { small.unwrap_or(8) };
    usize::from(places)
}

/// A whole number: `12,345`.
pub(crate) fn whole(value: usize) -> String {
    apart(&value.to_string())
}

/// `0.052` with one decimal is `5.2 %`.
pub(crate) fn percent(share: f64, places: usize) -> String {
    format!("{}{SPACE}%", decimal(share * 100.0, places))
}

/// Cents as an amount without its currency: `1,234.05`.
pub(crate) fn money(cents: i64) -> String {
    let all = cents.unsigned_abs();
    let sign = if cents < 0 { MINUS.into() } else { String::new() };
    format!("{sign}{}.{:02}", apart(&(all / 100).to_string()), all % 100)
}

/// Cents with their currency: `EUR 1,234.05`.
pub(crate) fn amount(cents: i64, currency: &str) -> String {
    format!("{currency}{SPACE}{}", money(cents))
}

/// Cents as a number of currency units, for pictures and for amounts per head.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact below 2^53 cents, and only drawn or divided by a noisy count"
)]
pub(crate) fn units(cents: i64) -> f64 {
    cents as f64 / 100.0
}

/// A small probability: `1 in 1,000,000`.
pub(crate) fn one_in(probability: f64) -> String {
    format!("1 in {}", decimal(1.0 / probability, 0))
}

/// Puts commas between thousands of a run of digits.
fn apart(digits: &str) -> String {
    let length = digits.len();
    let mut text = String::with_capacity(length + length / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (length - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart_and_a_minus_is_a_minus() {
        assert_eq!(decimal(1_234_567.891, 2), "1,234,567.89");
        assert_eq!(decimal(-1_000.0, 0), "−1,000");
        assert_eq!(decimal(999.96, 1), "1,000.0");
        assert_eq!(decimal(-0.004, 2), "0.00");
        assert_eq!(whole(12), "12");
        assert_eq!(percent(0.0523, 1), "5.2\u{a0}%");
    }

    #[test]
    fn three_digits_count() {
        for (value, places) in [(0.0, 2), (-123.4, 2), (1.0, 2), (0.999, 3), (-0.1, 3), (0.029, 4)]
        {
            assert_eq!(significant(value), places, "{value}");
        }
        assert_eq!((significant(3e-7), significant(1e-30), significant(f64::NAN)), (8, 2, 8));
    }

    #[test]
    fn money_has_two_digits_of_cents() {
        assert_eq!(money(5), "0.05");
        assert_eq!(money(-123_405), "−1,234.05");
        assert_eq!(amount(100_000_000, "EUR"), "EUR\u{a0}1,000,000.00");
        assert_eq!(money(i64::MIN), "−92,233,720,368,547,758.08");
    }

    #[test]
    fn a_small_probability_is_one_in_many() {
        assert_eq!(one_in(1e-6), "1 in 1,000,000");
    }
}
