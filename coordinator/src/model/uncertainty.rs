//! Intervals that count sampling and privacy noise.
//!
//! At the true t the normal equations miss zero by b − A t, whose covariance is known given t:
//!
//! ```text
//! V(t) = S + Cov(e − E t)        S = σ̂² A₊ for the population, 0 for the exact data
//! ```
//! A value θ₀ of the contrast θ = cᵀt is kept when (θ̂ − θ₀)² ≤ z² v(θ₀), the variance taken at θ₀ and
//! not at θ̂ (Fieller's form; Anderson and Rubin's test, the nuisance moved along d):
//!
//! ```text
//! a = A⁻¹c    Ω = A⁻¹ V(t̂) A⁻ᵀ    d = Ωc / cᵀΩc    h = τ²/2
//! v(θ̂ + u) = v0 + v1 u + v2 u²
//! v0 = aᵀSa + ‖a‖²(v_b + h‖t̂‖²) + h(aᵀt̂)²    v1 = 2h(‖a‖² t̂ᵀd + aᵀt̂·aᵀd)    v2 = h(‖a‖²‖d‖² + (aᵀd)²)
//! (1 − z²v2) u² − z²v1 u − z²v0 ≤ 0
//! ```
//! With 1 − z²v2 ≤ 0 no finite interval exists: "not estimable at this privacy level". Wald's
//! interval θ̂ ± z√v0 is the limit for large κ; it is offered for comparison. Coverage holds for one
//! contrast at a time. κ < 1 is [`super::linear::Quality`]'s business.
use nalgebra::{DMatrix, DVector};
use serde::Serialize;

use super::ModelError;
use super::gram::Gram;
use super::linear::Solution;
use super::site::Between;
use super::solve::same_length;

/// The 97.5 % point of the standard normal distribution: intervals here are 95 %.
pub const Z95: f64 = 1.959_963_984_540_054;

/// Below this the quadratic has no usable leading coefficient.
const SMALLEST_LEAD: f64 = 1e-9;

/// What an interval is meant to cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The coefficient of the population the clinicians are a sample of.
    Population,
    /// What the same computation without privacy noise would give. Money uses this one.
    ExactData,
}

/// A 95 % interval, or the statement that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// Both ends, finite, `low` ≤ `high`.
    Bounded {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// The noise leaves no finite interval: not estimable at this privacy level.
    NotEstimable,
}

impl Interval {
    /// `low` to `high`, or [`Interval::NotEstimable`] if an end is not finite or they are crossed.
    pub fn between(low: f64, high: f64) -> Self {
        if low.is_finite() && high.is_finite() && low <= high {
            Self::Bounded { low, high }
        } else {
            Self::NotEstimable
        }
    }

    /// Whether `value` lies inside; what is not estimable excludes nothing.
    pub fn contains(&self, value: f64) -> bool {
        match *self {
            Self::Bounded { low, high } => low <= value && value <= high,
            Self::NotEstimable => true,
        }
    }

    /// Distance between the ends; infinite when not estimable.
    pub fn width(&self) -> f64 {
        match *self {
            Self::Bounded { low, high } => high - low,
            Self::NotEstimable => f64::INFINITY,
        }
    }

    /// The same, moved by a number.
    #[must_use = "returns the moved interval"]
    pub fn shifted(self, by: f64) -> Self {
        match self {
            Self::Bounded { low, high } => Self::between(low + by, high + by),
            Self::NotEstimable => self,
        }
    }
}

/// A contrast of the coefficients with both forms of interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The value at t̂.
    pub value: f64,
    /// Its standard error √v0.
    pub standard_error: f64,
    /// The interval to publish.
    pub fieller: Interval,
    /// The large-κ form, for comparison.
    pub wald: Interval,
}

/// The variance of one solution for one target, ready for any number of contrasts.
#[derive(Debug)]
pub struct Inference<'a> {
    gram: &'a Gram,
    solution: &'a Solution,
    quantile: f64,
    sampling: DMatrix<f64>,
    omega: DMatrix<f64>,
}

impl<'a> Inference<'a> {
    /// Prepares S and Ω. `solution` must come from `gram`.
    ///
    /// # Errors
    /// [`ModelError::Shape`] if the two differ in size.
    pub fn new(gram: &'a Gram, solution: &'a Solution, target: Target) -> Result<Self, ModelError> {
        same_length("solution", gram.len(), solution.t().len())?;
        let sampling = match target {
            Target::Population => solution.positive() * solution.sigma2(),
            Target::ExactData => DMatrix::zeros(gram.len(), gram.len()),
        };
        Self::with(gram, solution, sampling, Z95)
    }

    /// The same for the population, where clinicians of a site resemble each other: S = σ² A₊ + τ² M, σ² that
    /// within sites, and Student's quantile for so many sites. `shared` is τ² M of [`super::site::clustering`].
    ///
    /// # Errors
    /// [`ModelError::Shape`] if the parts differ in size.
    pub fn clustered(
        gram: &'a Gram,
        solution: &'a Solution,
        between: &Between,
        shared: &DMatrix<f64>,
    ) -> Result<Self, ModelError> {
        same_length("solution", gram.len(), solution.t().len())?;
        same_length("clustering", gram.len(), shared.nrows())?;
        let sampling = solution.positive() * between.sigma2 + shared;
        Self::with(gram, solution, sampling, between.quantile())
    }

    fn with(
        gram: &'a Gram,
        solution: &'a Solution,
        sampling: DMatrix<f64>,
        quantile: f64,
    ) -> Result<Self, ModelError> {
        let variance = &sampling + gram.noise_cov(solution.t());
        let half = solution.factor().solve_columns(&variance)?;
        let omega = solution.factor().solve_columns(&half.transpose())?;
        Ok(Self { gram, solution, quantile, sampling, omega })
    }

    /// The coefficient of column `index` in units of the columns: b0 + (row of W)·t.
    ///
    /// # Errors
    /// [`ModelError::NoSuchCoefficient`] if there are not that many.
    pub fn coefficient(&self, index: usize) -> Result<Estimate, ModelError> {
        let frame = self.gram.frame();
        let prior = frame.b0.get(index).filter(|_| index < self.gram.len());
        let Some(&prior) = prior else {
            return Err(ModelError::NoSuchCoefficient { index, coefficients: self.gram.len() });
        };
        let estimate = self.contrast(&frame.w.row(index).transpose())?;
        Ok(Estimate {
            value: estimate.value + prior,
            standard_error: estimate.standard_error,
            fieller: estimate.fieller.shifted(prior),
            wald: estimate.wald.shifted(prior),
        })
    }

    /// Ω, p×p: the covariance of t̂ in whitened units, for replicates of what is computed from t̂.
    pub fn covariance(&self) -> &DMatrix<f64> {
        &self.omega
    }

    /// The contrast cᵀt in whitened units.
    ///
    /// # Errors
    /// [`ModelError::Shape`] if c has another length.
    pub fn contrast(&self, c: &DVector<f64>) -> Result<Estimate, ModelError> {
        same_length("contrast", self.gram.len(), c.len())?;
        let t = self.solution.t();
        let noise = self.gram.noise();
        let h = noise.tau2 / 2.0;
        let a = self.solution.factor().solve(c)?;
        let (aa, at) = (a.norm_squared(), a.dot(t));
        let v0 =
            a.dot(&(&self.sampling * &a)) + aa * (noise.vb + h * t.norm_squared()) + h * at * at;
        let (v1, v2) = self.slope_and_curvature(c, &a);
        let value = c.dot(t);
        let standard_error = v0.max(0.0).sqrt();
        let reach = self.quantile * standard_error;
        Ok(Estimate {
            value,
            standard_error,
            fieller: fieller((v0, v1, v2), self.quantile).shifted(value),
            wald: Interval::between(value - reach, value + reach),
        })
    }

    /// v1 and v2: how the variance changes along the nuisance path d. Zero without noise in A.
    fn slope_and_curvature(&self, c: &DVector<f64>, a: &DVector<f64>) -> (f64, f64) {
        let h = self.gram.noise().tau2 / 2.0;
        let direction = &self.omega * c;
        let spread = c.dot(&direction);
        if h <= 0.0 || c.amax() <= 0.0 {
            return (0.0, 0.0);
        }
        let (t, path) = (self.solution.t(), direction / spread);
        let (aa, ad) = (a.norm_squared(), a.dot(&path));
        let v1 = 2.0 * h * (aa * t.dot(&path) + a.dot(t) * ad);
        let v2 = h * (aa * path.norm_squared() + ad * ad);
        (v1, v2)
    }
}

/// The interval of u = θ₀ − θ̂.
fn fieller((v0, v1, v2): (f64, f64, f64), quantile: f64) -> Interval {
    let z2 = quantile * quantile;
    let (lead, linear, constant) = (1.0 - z2 * v2, -z2 * v1, -z2 * v0);
    // A spread of zero makes v2 not a number, which must not pass as estimable.
    if lead.is_nan() || lead <= SMALLEST_LEAD {
        return Interval::NotEstimable;
    }
    let root = (linear * linear - 4.0 * lead * constant).max(0.0).sqrt();
    Interval::between((-linear - root) / (2.0 * lead), (-linear + root) / (2.0 * lead))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;
    use crate::model::gram::{Frame, GramNoise, GramSums};
    use crate::model::linear::{classical, solve};

    fn gram(noise: GramNoise) -> Gram {
        let sums = GramSums {
            a: DMatrix::from_row_slice(
                3,
                3,
                &[900.0, 20.0, -10.0, 20.0, 700.0, 30.0, -10.0, 30.0, 800.0],
            ),
            b: DVector::from_vec(vec![40.0, 90.0, -60.0]),
            q: 30.0,
        };
        let frame = Frame {
            w: DMatrix::from_diagonal(&DVector::from_vec(vec![1.0, 1.5, 0.5])),
            b0: DVector::from_vec(vec![0.25, 0.0, -0.1]),
        };
        Gram::new(sums, noise, frame).unwrap()
    }

    fn noise(tau2: f64) -> GramNoise {
        GramNoise { tau2, vb: tau2 / 20.0, vq: tau2 / 100.0 }
    }

    #[test]
    fn without_noise_it_is_the_textbook_interval() {
        let gram = gram(GramNoise::default());
        let solution = solve(&gram).unwrap();
        let population = Inference::new(&gram, &solution, Target::Population).unwrap();
        let exact = Inference::new(&gram, &solution, Target::ExactData).unwrap();
        let textbook = classical(&gram, solution.n_eff()).unwrap();
        for (index, se) in textbook.standard_errors.iter().enumerate() {
            let estimate = population.coefficient(index).unwrap();
            assert!((estimate.standard_error - se).abs() < 1e-12);
            assert!((estimate.fieller.width() - 2.0 * Z95 * se).abs() < 1e-12);
            let sure = exact.coefficient(index).unwrap();
            assert_eq!(
                sure.fieller,
                Interval::between(sure.value, sure.value),
                "the same computation without noise gives the same number"
            );
        }
    }

    #[test]
    fn much_noise_is_not_estimable() {
        let gram = gram(noise(3.0e5));
        let solution = solve(&gram).unwrap();
        let inference = Inference::new(&gram, &solution, Target::ExactData).unwrap();
        let estimate = inference.coefficient(1).unwrap();
        assert_eq!(estimate.fieller, Interval::NotEstimable);
        assert!(estimate.wald.width().is_finite());
    }

    #[test]
    fn a_contrast_that_asks_nothing_is_zero() {
        let gram = gram(noise(100.0));
        let solution = solve(&gram).unwrap();
        let inference = Inference::new(&gram, &solution, Target::Population).unwrap();
        let estimate = inference.contrast(&DVector::zeros(3)).unwrap();
        assert_eq!(estimate.fieller, Interval::between(0.0, 0.0));
        assert!(inference.contrast(&DVector::zeros(2)).is_err());
        assert!(inference.coefficient(3).is_err());
    }

    proptest! {
        #[test]
        fn the_interval_contains_the_estimate_and_grows_with_noise(
            tau2 in 0.0..2.0e4f64,
            more in 1.01..4.0f64,
            c in prop::array::uniform3(-2.0..2.0f64),
        ) {
            let c = DVector::from_row_slice(&c);
            let width = |tau2: f64| {
                let gram = gram(noise(tau2));
                let solution = solve(&gram).unwrap();
                let inference = Inference::new(&gram, &solution, Target::ExactData).unwrap();
                let estimate = inference.contrast(&c).unwrap();
                prop_assert!(estimate.fieller.contains(estimate.value));
                prop_assert!(estimate.wald.contains(estimate.value));
                Ok(estimate.fieller.width())
            };
            let (less, greater) = (width(tau2)?, width(tau2 * more)?);
            prop_assert!(less <= greater, "{less} > {greater}");
        }
    }
}
