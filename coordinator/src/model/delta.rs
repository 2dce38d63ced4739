//! The delta method for measures of group sums: numbers that carry their derivatives.
//!
//! ```text
//! Var f ≈ Σ (∂f/∂weight · sd_w)² + (∂f/∂residual · sd_r)² + ‖∂f/∂(x·t) t + ∂f/∂(x·prior) prior‖² sd_x²
//!           + (∂f/∂along · ‖k‖ sd_along)² + (∂f/∂predicted · sd_predicted)²
//! weight = x₁:   ‖∂f/∂weight e₁ + ∂f/∂(x·t) t + ∂f/∂(x·prior) prior‖² sd_x² instead of the first and third
//! ```
//! The sum runs over the group's own sums and those of everybody, whose noise is independent. First
//! order only: good where the weight stands clear of its noise, which [`super::measure`] checks.
use std::ops::{Add, Div, Mul, Sub};

use nalgebra::DVector;

use super::gram::{GroupNoise, GroupSums};

/// How many noisy numbers one set of sums contributes: weight, residual, x·t, x·prior, along·k, what the prior
/// predicts.
const PARTS: usize = 6;

/// A fit to be judged: t, and how far it was moved along the frozen directions, which rows were summed along.
#[derive(Clone, Copy)]
pub(super) struct Formula<'a> {
    /// In whitened units, p; what it was moved by is not in it.
    pub(super) t: &'a DVector<f64>,
    /// One number a direction; `None` where the release has no sums along directions.
    pub(super) steps: Option<&'a DVector<f64>>,
    /// b₀ in whitened units, p.
    pub(super) prior: &'a DVector<f64>,
}

/// A number with its derivatives: by the sums of the group, then by those of everybody.
#[derive(Clone, Copy)]
pub(super) struct Dual {
    pub(super) value: f64,
    slope: [[f64; PARTS]; 2],
}

impl Dual {
    pub(super) fn constant(value: f64) -> Self {
        Self { value, slope: [[0.0; PARTS]; 2] }
    }

    /// The number itself, number `part` of the sums `owner`.
    fn variable(value: f64, owner: usize, part: usize) -> Self {
        let mut dual = Self::constant(value);
        if let Some(slope) = dual.slope.get_mut(owner).and_then(|row| row.get_mut(part)) {
            *slope = 1.0;
        }
        dual
    }

    /// value, with the slopes of `self` times `a` and of `other` times `b`.
    fn chain(self, other: Self, value: f64, (a, b): (f64, f64)) -> Self {
        let mut slope = self.slope;
        for (slope, right) in slope.iter_mut().flatten().zip(other.slope.iter().flatten()) {
            *slope = *slope * a + right * b;
        }
        Self { value, slope }
    }
}

impl Add for Dual {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.chain(other, self.value + other.value, (1.0, 1.0))
    }
}

impl Sub for Dual {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.chain(other, self.value - other.value, (1.0, -1.0))
    }
}

impl Mul for Dual {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        self.chain(other, self.value * other.value, (other.value, self.value))
    }
}

impl Div for Dual {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        self.chain(other, value, (1.0 / other.value, -value / other.value))
    }
}

/// The sums of one set of clinicians, as far as the measures need them.
#[derive(Clone, Copy)]
pub(super) struct Sums {
    pub(super) weight: Dual,
    pub(super) residual: Dual,
    pub(super) fitted: Dual,
    pub(super) prior: Dual,
}

impl Sums {
    pub(super) fn of(sums: &GroupSums, formula: &Formula<'_>, owner: usize) -> Self {
        let weight = Dual::variable(sums.weight, owner, 0);
        let plain = Dual::variable(sums.x.dot(formula.t), owner, 2);
        let along = formula.steps.map_or(0.0, |steps| {
            sums.later.along.iter().zip(steps.iter()).map(|(sum, step)| sum * step).sum()
        });
        let prior = match sums.later.predicted {
            Some(predicted) => {
                let base = Dual::constant(predicted.base);
                Dual::variable(predicted.sum, owner, 5) + base * weight
            }
            None => Dual::variable(sums.x.dot(formula.prior), owner, 3),
        };
        Self {
            weight,
            residual: Dual::variable(sums.residual, owner, 1),
            fitted: plain + Dual::variable(along, owner, 4),
            prior,
        }
    }

    pub(super) fn mean_residual(self) -> Dual {
        (self.residual - self.fitted) / self.weight
    }
}

impl Sub for Sums {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            weight: self.weight - other.weight,
            residual: self.residual - other.residual,
            fitted: self.fitted - other.fitted,
            prior: self.prior - other.prior,
        }
    }
}

/// Noise of the two sets of sums; x·t and x·prior share the noise of x.
pub(super) struct Noise {
    parts: [Spread; 2],
    tt: f64,
    tp: f64,
    pp: f64,
    /// First entries of t and of the prior.
    first: (f64, f64),
}

/// Standard deviations of what one set of sums contributes.
struct Spread {
    plain: GroupNoise,
    /// Whether the weight errs with the first entry of x.
    together: bool,
    along: f64,
    predicted: f64,
}

impl Noise {
    /// Of a part, or none, and of everybody.
    pub(super) fn of(part: Option<&GroupSums>, all: &GroupSums, formula: &Formula<'_>) -> Self {
        let steps = formula.steps.map_or(0.0, DVector::norm);
        let spread = |sums: &GroupSums| Spread {
            plain: sums.noise,
            together: sums.weighs_by_first(),
            along: sums.later.along_sd * steps,
            predicted: sums.later.predicted.map_or(0.0, |predicted| predicted.sd),
        };
        let none =
            Spread { plain: GroupNoise::default(), together: false, along: 0.0, predicted: 0.0 };
        let (t, prior) = (formula.t, formula.prior);
        let first = |vector: &DVector<f64>| vector.iter().next().copied().unwrap_or(0.0);
        Self {
            parts: [part.map_or(none, spread), spread(all)],
            tt: t.norm_squared(),
            tp: t.dot(prior),
            pp: prior.norm_squared(),
            first: (first(t), first(prior)),
        }
    }

    pub(super) fn sd(&self, dual: Dual) -> f64 {
        let variance: f64 = self
            .parts
            .iter()
            .zip(dual.slope)
            .map(|(noise, [weight, residual, fitted, prior, along, predicted])| {
                let x = fitted * fitted * self.tt
                    + 2.0 * fitted * prior * self.tp
                    + prior * prior * self.pp;
                let of_weight = if noise.together {
                    let other = fitted * self.first.0 + prior * self.first.1;
                    (weight * weight + 2.0 * weight * other) * noise.plain.x.powi(2)
                } else {
                    (weight * noise.plain.weight).powi(2)
                };
                of_weight
                    + (residual * noise.plain.residual).powi(2)
                    + (along * noise.along).powi(2)
                    + (predicted * noise.predicted).powi(2)
                    + x * noise.plain.x.powi(2)
            })
            .sum();
        variance.max(0.0).sqrt()
    }
}
