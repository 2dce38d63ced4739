//! Counts, shares and positive amounts: generalised linear models by iterated least squares.
//!
//! ```text
//! η = x·β         A = Σ w v x̃x̃ᵀ      b = Σ w s x̃      t ← t + A⁻¹b      until the step is below 1e-10
//! poisson         μ = e^η            v = μ            s = y − μ         D = 2(y log y/μ − y + μ)
//! logistic        μ = 1/(1 + e^−η)   v = μ(1 − μ)     s = y − μ         D = 2(y log y/μ + (1−y) log (1−y)/(1−μ))
//! gamma, log link μ = e^η            v = 1            s = y/μ − 1       D = 2((y − μ)/μ − log y/μ)
//! ```
//! Nelder and Wedderburn 1972; the log link of the gamma keeps μ positive and is not the canonical
//! one. Each step is one pass over the rows, which the caller makes; a step that raises the deviance is
//! halved. Dispersion: 1, for gamma Pearson's Σ w (y−μ)²/Var over n − p. Intervals are normal.
use nalgebra::{DMatrix, DVector};

use super::ModelError;
use super::solve::Factor;

/// Passes before giving up.
const PASSES: usize = 100;
/// A step below this, in scaled units, is the last.
const LAST_STEP: f64 = 1e-10;
/// A model of a level and scaled columns that fits anything has no such coefficient.
const LARGEST: f64 = 100.0;

/// What an outcome is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Any number; least squares.
    #[default]
    Gaussian,
    /// A count, or anything not negative; log link.
    Poisson,
    /// Yes or no, or a share; logit link.
    Logistic,
    /// A positive amount; log link.
    Gamma,
}

impl Family {
    /// Its name in a specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gaussian => "gaussian",
            Self::Poisson => "poisson",
            Self::Logistic => "logistic",
            Self::Gamma => "gamma",
        }
    }

    /// Whether it has outcomes of this value.
    pub fn admits(self, outcome: f64) -> bool {
        match self {
            Self::Gaussian => true,
            Self::Poisson => outcome >= 0.0,
            Self::Logistic => (0.0..=1.0).contains(&outcome),
            Self::Gamma => outcome > 0.0,
        }
    }

    /// The outcomes it has, in words.
    pub const fn domain(self) -> &'static str {
        match self {
            Self::Gaussian => "a number",
            Self::Poisson => "a number of at least 0",
            Self::Logistic => "a number from 0 to 1",
            Self::Gamma => "a number above 0",
        }
    }

    /// η at a mean.
    pub fn link(self, mean: f64) -> f64 {
        match self {
            Self::Gaussian => mean,
            Self::Poisson | Self::Gamma => mean.ln(),
            Self::Logistic => (mean / (1.0 - mean)).ln(),
        }
    }

    /// The terms of one row.
    pub fn terms(self, eta: f64, outcome: f64) -> Terms {
        let y = outcome;
        match self {
            Self::Gaussian => Terms { mean: eta, v: 1.0, s: y - eta, deviance: (y - eta).powi(2) },
            Self::Poisson => {
                let mean = eta.exp();
                let deviance = 2.0 * (log_part(y, mean) - (y - mean));
                Terms { mean, v: mean, s: y - mean, deviance }
            }
            Self::Logistic => {
                // Both tails from the small side, so that neither loses its digits.
                let (mean, rest) = (1.0 / (1.0 + (-eta).exp()), 1.0 / (1.0 + eta.exp()));
                let deviance = 2.0 * (log_part(y, mean) + log_part(1.0 - y, rest));
                Terms { mean, v: mean * rest, s: y * rest - (1.0 - y) * mean, deviance }
            }
            Self::Gamma => {
                let (mean, ratio) = (eta.exp(), y * (-eta).exp());
                Terms { mean, v: 1.0, s: ratio - 1.0, deviance: 2.0 * (ratio - 1.0 - ratio.ln()) }
            }
        }
    }

    /// The variance of an outcome of this mean, up to the dispersion.
    pub fn variance(self, mean: f64) -> f64 {
        match self {
            Self::Gaussian => 1.0,
            Self::Poisson => mean,
            Self::Logistic => mean * (1.0 - mean),
            Self::Gamma => mean * mean,
        }
    }
}

/// What one row adds, before its weight.
#[derive(Clone, Copy)]
pub struct Terms {
    /// μ.
    pub mean: f64,
    /// Weight in the Gram matrix.
    pub v: f64,
    /// Factor of x̃ in the score.
    pub s: f64,
    /// Its deviance.
    pub deviance: f64,
}

/// y log(y/μ), 0 at y = 0.
fn log_part(y: f64, mean: f64) -> f64 {
    if y > 0.0 { y * (y / mean).ln() } else { 0.0 }
}

/// Sums of one pass.
pub struct Pass<'a> {
    family: Family,
    t: &'a DVector<f64>,
    a: DMatrix<f64>,
    b: DVector<f64>,
    deviance: f64,
}

impl Pass<'_> {
    /// Takes a row in: its scaled columns with the constant, outcome and weight.
    pub fn add(&mut self, scaled: &[f64], outcome: f64, weight: f64) {
        let eta = scaled.iter().zip(self.t.iter()).map(|(x, t)| x * t).sum();
        let terms = self.family.terms(eta, outcome);
        self.deviance += weight * terms.deviance;
        let (v, s) = (weight * terms.v, weight * terms.s);
        for (mut column, x) in self.a.column_iter_mut().zip(scaled) {
            for (entry, other) in column.iter_mut().zip(scaled) {
                *entry += v * x * other;
            }
        }
        for (entry, x) in self.b.iter_mut().zip(scaled) {
            *entry += s * x;
        }
    }
}

/// Weighted sums of outcomes and fitted means over some rows.
#[derive(Clone, Copy, Default)]
pub struct Means {
    /// Σ w.
    pub weight: f64,
    /// Σ w y.
    pub outcome: f64,
    /// Σ w μ.
    pub fitted: f64,
}

impl Means {
    /// Takes a row in.
    pub fn add(&mut self, outcome: f64, fitted: f64, weight: f64) {
        self.weight += weight;
        self.outcome += weight * outcome;
        self.fitted += weight * fitted;
    }

    /// Those of `self` that are not in `part`.
    #[must_use = "returns the rest"]
    pub fn without(self, part: Self) -> Self {
        Self {
            weight: self.weight - part.weight,
            outcome: self.outcome - part.outcome,
            fitted: self.fitted - part.fitted,
        }
    }
}

/// A fitted model, in scaled units.
#[derive(Clone, Debug)]
pub struct GlmFit {
    /// t, p.
    pub t: DVector<f64>,
    /// A⁻¹ at t, p×p: the covariance of t at dispersion 1.
    pub inverse: DMatrix<f64>,
    /// Deviance at t.
    pub deviance: f64,
    /// Deviance of the constant alone.
    pub null_deviance: f64,
    /// Passes over the rows.
    pub passes: usize,
}

/// Fits p coefficients from the constant alone at `level` = link of the mean outcome. `pass` shows every
/// row once to the [`Pass`] it is given.
///
/// # Errors
/// What `pass` returns; [`ModelError::NoMaximum`] if the steps do not end, [`ModelError::Singular`] if the
/// weighted columns depend on each other.
pub fn fit<E: From<ModelError>>(
    family: Family,
    p: usize,
    level: f64,
    mut pass: impl FnMut(&mut Pass<'_>) -> Result<(), E>,
) -> Result<GlmFit, E> {
    let mut t = DVector::zeros(p);
    if let Some(first) = t.get_mut(0) {
        *first = level;
    }
    let (mut kept, mut null_deviance) = (None::<(DVector<f64>, f64)>, None);
    for passes in 1..=PASSES {
        let (a, b, deviance) = {
            let mut sums = Pass {
                family,
                t: &t,
                a: DMatrix::zeros(p, p),
                b: DVector::zeros(p),
                deviance: 0.0,
            };
            pass(&mut sums)?;
            (sums.a, sums.b, sums.deviance)
        };
        let null_deviance = *null_deviance.get_or_insert(deviance);
        if let Some((before, reached)) = &kept {
            // NaN counts as worse.
            let slack = 1e-10 * (1.0 + reached.abs());
            if deviance.is_nan() || deviance > reached + slack {
                t = (before + &t) * 0.5;
                continue;
            }
        }
        let Ok(factor) = Factor::new(&a) else {
            return Err(ModelError::NoMaximum { passes }.into());
        };
        let step = factor.solve(&b)?;
        let last = step.amax() <= LAST_STEP;
        kept = Some((t.clone(), deviance));
        t += step;
        if t.amax() > LARGEST || !t.iter().all(|value| value.is_finite()) {
            return Err(ModelError::NoMaximum { passes }.into());
        }
        if last {
            let inverse = factor.inverse()?;
            return Ok(GlmFit { t, inverse, deviance, null_deviance, passes });
        }
    }
    Err(ModelError::NoMaximum { passes: PASSES }.into())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
    use super::*;
    use crate::model::gram::float;

    fn fitted(family: Family, rows: &[(f64, f64)]) -> Result<GlmFit, ModelError> {
        let mean = rows.iter().map(|(_, y)| y).sum::<f64>() / float(rows.len());
        fit(family, 2, family.link(mean), |pass| {
            for (x, y) in rows {
                pass.add(&[1.0, *x], *y, 1.0);
            }
            Ok(())
        })
    }

    #[test]
    fn two_groups_have_their_own_means() {
        // x = 0 or 1: every family fits the two means exactly, whatever its variance.
        let rows = [(0.0, 0.2), (0.0, 0.4), (0.0, 0.3), (1.0, 0.9), (1.0, 0.5)];
        for family in [Family::Poisson, Family::Logistic, Family::Gamma] {
            let fit = fitted(family, &rows).unwrap();
            let (low, high) = (fit.t[0], fit.t[0] + fit.t[1]);
            assert!((low - family.link(0.3)).abs() < 1e-12, "{family:?}");
            assert!((high - family.link(0.7)).abs() < 1e-12, "{family:?}");
            assert!(fit.deviance < fit.null_deviance);
        }
    }

    #[test]
    fn the_score_is_zero_at_the_fit() {
        let rows: Vec<(f64, f64)> =
            (0..40).map(|k| (f64::from(k) / 10.0 - 2.0, f64::from((k * k) % 7 + 1))).collect();
        for family in [Family::Poisson, Family::Gamma] {
            let fit = fitted(family, &rows).unwrap();
            let score: f64 =
                rows.iter().map(|(x, y)| x * family.terms(fit.t[0] + fit.t[1] * x, *y).s).sum();
            assert!(score.abs() < 1e-8, "{family:?}: {score}");
        }
    }

    #[test]
    fn outcomes_that_a_column_tells_apart_have_no_maximum() {
        let rows = [(-2.0, 0.0), (-1.0, 0.0), (1.0, 1.0), (2.0, 1.0)];
        assert!(matches!(fitted(Family::Logistic, &rows), Err(ModelError::NoMaximum { .. })));
    }
}
