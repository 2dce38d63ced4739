//! A clamped, piecewise linear, monotone map into [0, 1].
//!
//! ```text
//! m(x) = y₀ + (y₁ − y₀) (x − x₀) / (x₁ − x₀)   between neighbouring knots; the end's y beyond them
//! ```
//! Rounding keeps it monotone: each step is, and the result is held between y₀ and y₁.
use crate::measure::instrument::term::Direction;

/// Most knots of a map.
const KNOTS_MAX: usize = 64;

/// Knots (x, y) with growing x.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Map(Vec<[f64; 2]>);

impl Map {
    /// A map that goes the declared way; a word on what is wrong otherwise.
    pub(super) fn new(knots: Vec<[f64; 2]>, direction: Direction) -> Result<Self, String> {
        if !(2..=KNOTS_MAX).contains(&knots.len()) {
            return Err(format!("`map` has {} knots; expected 2 to {KNOTS_MAX}", knots.len()));
        }
        if knots.iter().any(|[x, y]| !x.is_finite() || !(0.0..=1.0).contains(y)) {
            return Err("`map` has a knot that is no number, or leaves [0, 1]".to_owned());
        }
        let pairs = || knots.iter().zip(knots.iter().skip(1));
        if pairs().any(|([a, _], [b, _])| a >= b || !(b - a).is_finite()) {
            return Err("`map` has knots whose first numbers do not grow".to_owned());
        }
        let wrong = |a: f64, b: f64| match direction {
            Direction::HigherBetter => a > b,
            Direction::LowerBetter => a < b,
        };
        if pairs().any(|([_, a], [_, b])| wrong(*a, *b)) {
            return Err(format!("`map` does not go one way, as {} says", direction.word()));
        }
        if pairs().all(|([_, a], [_, b])| a >= b) && pairs().all(|([_, a], [_, b])| a <= b) {
            return Err("`map` is flat: the component says nothing".to_owned());
        }
        Ok(Self(knots))
    }

    /// The value in [0, 1] of a finite `x`.
    pub(super) fn value(&self, x: f64) -> f64 {
        let mut before: Option<[f64; 2]> = None;
        for &[x1, y1] in &self.0 {
            if x <= x1 {
                let Some([x0, y0]) = before else {
                    return y1; // before the first knot
                };
                let y = y0 + (y1 - y0) * ((x - x0) / (x1 - x0));
                return y.clamp(y0.min(y1), y0.max(y1));
            }
            before = Some([x1, y1]);
        }
        before.map_or(0.0, |[_, y]| y)
    }
}
