//! Axes: round steps over a range of values, and where values fall on a picture.
/// Even steps over a range of values, and where they fall on the picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    step: f64,
    start: f64,
    length: f64,
}

/// Most steps an axis is drawn with, whatever the values.
const STEPS_MAX: u32 = 24;
/// Larger values are not drawn to scale.
const VALUE_MAX: f64 = 1e300;

impl Scale {
    /// Covers `values` in steps of 1, 2 or 5 times a power of ten, about `steps` of them.
    ///
    /// `start` and `length` are picture units; a negative length runs upwards.
    pub(crate) fn over(
        values: impl Iterator<Item = f64>,
        steps: f64,
        start: f64,
        length: f64,
    ) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|v| v.abs() <= VALUE_MAX) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let widest = (high - low).max(f64::EPSILON * low.abs().max(high.abs()) * 64.0);
        let raw = if widest > 0.0 { widest / steps } else { 1.0 };
        let power = 10f64.powf(raw.log10().floor());
        let step = power
            * match raw / power {
                r if r <= 1.0 => 1.0,
                r if r <= 2.0 => 2.0,
                r if r <= 5.0 => 5.0,
                _ => 10.0,
            };
        let low = (low / step + 1e-9).floor() * step;
        let high = ((high / step - 1e-9).ceil() * step).max(low + step);
        Self { low, high, step, start, length }
    }

    /// From 0 to 1, for signs in a legend.
    pub(crate) fn unit(start: f64, length: f64) -> Self {
        let (low, high, step) = (0.0, 1.0, 1.0);
        Self { low, high, step, start, length }
    }

    /// Half way along the axis, on the picture.
    pub(crate) fn middle(&self) -> f64 {
        self.start + self.length / 2.0
    }

    /// Where `value` falls on the picture.
    pub(crate) fn at(&self, value: f64) -> f64 {
        self.start + (value - self.low) / (self.high - self.low) * self.length
    }

    /// The values at the steps.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        (0..=STEPS_MAX)
            .map(|n| f64::from(n).mul_add(self.step, self.low))
            .take_while(|value| *value <= self.high + self.step / 2.0)
            .collect()
    }

    /// Decimals that tell two steps apart.
    pub(crate) fn places(&self) -> usize {
        (0..6)
            .find(|places| self.step * 10f64.powi(*places) >= 0.999)
            .and_then(|places| usize::try_from(places).ok())
            .unwrap_or(6)
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the steps are exact in these cases")]
mod tests {
    use super::*;

    #[test]
    fn an_axis_covers_its_values_in_round_steps() {
        let scale = Scale::over([-1.3, 4.1].into_iter(), 6.0, 100.0, 600.0);
        assert_eq!(scale.ticks(), [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(scale.at(-2.0), 100.0);
        assert_eq!(scale.at(5.0), 700.0);
        assert_eq!(scale.places(), 0);
    }

    #[test]
    fn an_axis_of_one_value_none_or_huge_ones_is_still_an_axis() {
        for values in [
            vec![],
            vec![0.0],
            vec![3.5],
            vec![-1e300, 1e300],
            vec![1e-12, 2e-12],
            vec![f64::NAN],
            vec![1e9, 1e9 + 1e-9],
        ] {
            let scale = Scale::over(values.iter().copied(), 5.0, 0.0, 100.0);
            let ticks = scale.ticks();
            assert!((2..=25).contains(&ticks.len()), "{values:?}: {ticks:?}");
            for value in values.iter().filter(|v| v.is_finite()) {
                assert!(scale.at(*value).is_finite(), "{values:?}");
            }
        }
    }
}
