//! The two-sided 95 % point of Student's t.
//!
//! ```text
//! P(|T| > t) = I_x(ν/2, 1/2)    x = ν/(ν + t²)                                 by bisection, ν ≤ 10⁴
//! t ≈ z + (z³ + z)/4ν + (5z⁵ + 16z³ + 3z)/96ν² + (3z⁷ + 19z⁵ + 17z³ − 15z)/384ν³          beyond
//! ```
//! Abramowitz and Stegun 26.7.5 gives the series; at ν = 10⁴ what it leaves out is below 1e-14.
use statrs::function::beta::beta_reg;

use super::uncertainty::Z95;

/// Above so many degrees of freedom the series is more exact than the bisection.
const SERIES_FROM: f64 = 1.0e4;

/// The value that |T| exceeds once in twenty times, for ν degrees of freedom. That of the normal law if
/// ν is infinite; infinite if ν is below 1 or not a number, because then there is no interval.
pub fn two_sided_95(freedom: f64) -> f64 {
    if freedom.is_nan() || freedom < 1.0 {
        f64::INFINITY
    } else if freedom > SERIES_FROM {
        series(freedom)
    } else {
        bisected(freedom)
    }
}

fn series(freedom: f64) -> f64 {
    let (z, v) = (Z95, 1.0 / freedom);
    let square = z * z;
    let first = z * (square + 1.0) / 4.0;
    let second = z * (5.0 * square.powi(2) + 16.0 * square + 3.0) / 96.0;
    let third = z * (3.0 * square.powi(3) + 19.0 * square.powi(2) + 17.0 * square - 15.0) / 384.0;
    z + v * (first + v * (second + v * third))
}

fn bisected(freedom: f64) -> f64 {
    let tail = |t: f64| beta_reg(freedom / 2.0, 0.5, freedom / (freedom + t * t));
    // For ν = 1 it is 12.7, the largest of all.
    let (mut low, mut high) = (Z95, 13.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if tail(middle) > 0.05 {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_published_tables() {
        for (freedom, expected) in [
            (1.0, 12.706_204_736_174_698),
            (2.0, 4.302_652_729_749_464),
            (10.0, 2.228_138_851_986_274),
            (30.0, 2.042_272_456_301_238),
            (1_000.0, 1.962_339_080_826_408_3),
        ] {
            assert!((two_sided_95(freedom) - expected).abs() < 1e-11, "{freedom}");
        }
        assert!((two_sided_95(f64::INFINITY) - Z95).abs() < 1e-15);
        assert!(two_sided_95(0.0).is_infinite() && two_sided_95(f64::NAN).is_infinite());
    }

    #[test]
    fn the_two_ways_meet() {
        assert!((series(SERIES_FROM) - bisected(SERIES_FROM)).abs() < 1e-10);
    }
}
