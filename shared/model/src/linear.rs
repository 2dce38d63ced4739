//! Least squares from one Gram release, without a ridge.
//!
//! ```text
//! t̂  = A⁻¹ b                                  β̂ = b0 + W t̂
//! A₊ = A, eigenvalues floored at ¼√(2τ²p)     n = (W⁻ᵀ A₊ W⁻¹)₁₁ = Σ s²
//!                                             (of weighted rows n is their released number)
//! σ̂² = ( q − 2tᵀb + tᵀA₊t + tr(A₊⁻¹ Cov(e − E t)) ) / (n − p)      at t = A₊⁻¹ b
//! ```
//! The trace takes back what the noise adds to the residual sum of squares. σ̂² is held between
//! 0.2 q/n and q/n, and at least 1e-4 before the upper bound (one point in a hundred of an outcome
//! in [0, 1]), because with much noise its raw form may be negative. Intervals are
//! the coordinator's work; a biased filter for predictions at κ < 2 is left out.
use nalgebra::{DMatrix, DVector};
use serde::Serialize;

use crate::ModelError;
use crate::gram::{Gram, float};
use crate::solve::{Factor, floored, smallest_eigenvalue};

/// What the signal-to-noise ratio κ of the design allows to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// κ < 1: no coefficient is published.
    Withheld,
    /// 1 ≤ κ < 2: published with a warning.
    Weak,
    /// κ ≥ 2.
    Good,
}

impl Quality {
    /// The class of κ. What is not a number is withheld.
    pub fn of(kappa: f64) -> Self {
        if kappa >= 2.0 {
            Self::Good
        } else if kappa >= 1.0 {
            Self::Weak
        } else {
            Self::Withheld
        }
    }
}

/// The plain solution of one release and what its intervals need. Only [`solve`] makes one.
#[derive(Clone, Debug)]
pub struct Solution {
    t: DVector<f64>,
    factor: Factor,
    positive: DMatrix<f64>,
    positive_factor: Factor,
    n_eff: f64,
    sigma2: f64,
    kappa: f64,
}

impl Solution {
    /// t̂, p, in whitened units.
    pub fn t(&self) -> &DVector<f64> {
        &self.t
    }

    /// The factored A.
    pub fn factor(&self) -> &Factor {
        &self.factor
    }

    /// A₊, p×p.
    pub fn positive(&self) -> &DMatrix<f64> {
        &self.positive
    }

    /// The factored A₊.
    pub fn positive_factor(&self) -> &Factor {
        &self.positive_factor
    }

    /// Σ s², the number of rows after down-weighting, as the floored matrix has it.
    pub fn n_eff(&self) -> f64 {
        self.n_eff
    }

    /// Residual variance σ̂², in squared units of the outcome.
    pub fn sigma2(&self) -> f64 {
        self.sigma2
    }

    /// Signal-to-noise ratio κ of the design; infinite without noise.
    pub fn kappa(&self) -> f64 {
        self.kappa
    }

    /// What κ allows to be published.
    pub fn quality(&self) -> Quality {
        Quality::of(self.kappa)
    }

    /// tr(A₊⁻¹ Cov(e − E t)): by how much the residual sum of squares at t̂ comes out too small.
    ///
    /// # Errors
    /// [`ModelError::Shape`] if t is not of this release.
    pub fn lost_to_noise(&self, gram: &Gram, t: &DVector<f64>) -> Result<f64, ModelError> {
        let cov = gram.noise_cov(t);
        Ok(self.positive_factor.solve_columns(&cov)?.trace())
    }
}

/// Solves a release.
///
/// # Errors
/// [`ModelError::Singular`] if A, or A₊, has no solution; [`ModelError::Indefinite`] if A carries no
/// noise and still has a negative eigenvalue, which no table of rows produces;
/// [`ModelError::NoConvergence`] if the eigenvalue iteration does not end.
pub fn solve(gram: &Gram) -> Result<Solution, ModelError> {
    let sums = gram.sums();
    let p = float(gram.len());
    let factor = Factor::new(&sums.a)?;
    let t = factor.solve(&sums.b)?;
    let smallest = smallest_eigenvalue(&sums.a)?;
    let norm = gram.noise_norm();
    let (positive, positive_factor, kappa) = if norm > 0.0 {
        let positive = floored(&sums.a, 0.25 * norm)?;
        let positive_factor = Factor::new(&positive)?;
        (positive, positive_factor, smallest / norm)
    } else if smallest > 0.0 {
        (sums.a.clone(), factor.clone(), f64::INFINITY)
    } else {
        return Err(ModelError::Indefinite { smallest_eigenvalue: smallest });
    };
    let at = positive_factor.solve(&sums.b)?;
    let lost = positive_factor.solve_columns(&gram.noise_cov(&at))?.trace();
    let rss = sums.q - 2.0 * at.dot(&sums.b) + at.dot(&(&positive * &at)) + lost;
    let counted = || gram.unit().dot(&(&positive * gram.unit()));
    let n_eff = gram.rows().unwrap_or_else(counted);
    let raw = (rss / (n_eff - p).max(1.0)).max(1e-4);
    let n = n_eff.max(p + 10.0);
    let sigma2 = raw.max(0.2 * sums.q / n).max(1e-6).min(sums.q.max(1e-3) / n);
    if !(t.iter().all(|value| value.is_finite()) && sigma2.is_finite()) {
        return Err(ModelError::NotFinite { what: "solution" });
    }
    Ok(Solution { t, factor, positive, positive_factor, n_eff, sigma2, kappa })
}

/// Textbook weighted least squares of noise-free sums.
#[derive(Clone, Debug, PartialEq)]
pub struct Classical {
    /// Residual sum of squares over n − p.
    pub scale: f64,
    /// Model-based standard errors of β̂, p, in units of the columns.
    pub standard_errors: DVector<f64>,
}

/// The textbook standard errors of noise-free sums over `rows` rows.
///
/// # Errors
/// [`ModelError::TooFewRows`] if there are not more rows than coefficients, and as [`solve`].
pub fn classical(gram: &Gram, rows: f64) -> Result<Classical, ModelError> {
    let sums = gram.sums();
    let p = float(gram.len());
    if rows.is_nan() || rows <= p {
        return Err(ModelError::TooFewRows { coefficients: gram.len() });
    }
    let solution = solve(gram)?;
    let t = solution.t();
    let rss = sums.q - 2.0 * t.dot(&sums.b) + t.dot(&(&sums.a * t));
    let scale = (rss / (rows - p)).max(0.0);
    let w = &gram.frame().w;
    let spread = solution.factor().solve_columns(&w.transpose())?;
    let standard_errors = (w * spread).diagonal().map(|value| (value * scale).max(0.0).sqrt());
    Ok(Classical { scale, standard_errors })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::gram::{Frame, GramNoise, GramSums};

    fn sums() -> GramSums {
        GramSums {
            a: DMatrix::from_row_slice(2, 2, &[100.0, 10.0, 10.0, 40.0]),
            b: DVector::from_vec(vec![20.0, 10.0]),
            q: 9.0,
        }
    }

    #[test]
    fn quality_follows_kappa() {
        use Quality::{Good, Weak, Withheld};
        let classes: Vec<Quality> = [f64::NAN, -3.0, 0.99, 1.0, 1.99, 2.0, f64::INFINITY]
            .into_iter()
            .map(Quality::of)
            .collect();
        assert_eq!(classes, [Withheld, Withheld, Withheld, Weak, Weak, Good, Good]);
    }

    #[test]
    fn a_fit_does_not_depend_on_the_frame() {
        let plain = Gram::exact(sums()).unwrap();
        let w = DMatrix::from_row_slice(2, 2, &[1.0, 0.3, 0.0, 2.0]);
        let b0 = DVector::from_vec(vec![0.1, -0.2]);
        // The same rows, whitened by hand: x̃ = xW, r = y − x·b0.
        let GramSums { a, b, q } = sums();
        let moved = Gram::new(
            GramSums {
                a: w.transpose() * &a * &w,
                b: w.transpose() * (&b - &a * &b0),
                q: q - 2.0 * b0.dot(&b) + b0.dot(&(&a * &b0)),
            },
            GramNoise::default(),
            Frame { w, b0 },
        )
        .unwrap();
        let one = solve(&plain).unwrap();
        let two = solve(&moved).unwrap();
        let gap = plain.coefficients(one.t()).unwrap() - moved.coefficients(two.t()).unwrap();
        assert!(gap.amax() < 1e-14);
        assert!((one.n_eff() - two.n_eff()).abs() < 1e-10);
        let se = classical(&plain, 100.0).unwrap();
        let other = classical(&moved, 100.0).unwrap();
        assert!((se.standard_errors - other.standard_errors).amax() < 1e-14);
    }

    #[test]
    fn sums_that_no_table_gives_are_refused() {
        let mut bad = sums();
        bad.a = DMatrix::from_row_slice(2, 2, &[1.0, 2.0, 2.0, 1.0]);
        let gram = Gram::exact(bad.clone()).unwrap();
        assert!(matches!(solve(&gram), Err(ModelError::Indefinite { .. })));
        let noisy = GramNoise { tau2: 25.0, vb: 1.0, vq: 1.0 };
        let frame = gram.frame().clone();
        let gram = Gram::new(bad, noisy, frame).unwrap();
        assert_eq!(solve(&gram).unwrap().quality(), Quality::Withheld);
    }

    #[test]
    fn fewer_rows_than_coefficients_have_no_standard_error() {
        let gram = Gram::exact(sums()).unwrap();
        assert!(matches!(classical(&gram, 2.0), Err(ModelError::TooFewRows { .. })));
        assert!(classical(&gram, f64::NAN).is_err());
    }
}
