//! The empirical-Bayes filter: a steadier solution for predictions where noise is strong.
//!
//! ```text
//! t ~ N(0, K)    K = w I + ¼ u uᵀ    u = W⁻¹e₁: the level stays free
//! b | t ~ N(A₊ t, V)    V = (v_b + w τ²(p + 1)/2) I    A₊: eigenvalues floored at ¼√(2τ²p)
//! w = argmax log N(b; 0, A₊KA₊ + V)    t̂ = K A₊ (A₊KA₊ + V)⁻¹ b
//! ```
//! How far the coefficients are from the prior ones is read off the release itself, by the likelihood of
//! b over 49 values of w. The solution predicts better than t̂ = A⁻¹b where κ < 2 and is biased towards the
//! prior: no interval of it is valid (46 to 95 % coverage in trials), so none is offered, and money and
//! coefficients do not use it.
use nalgebra::{Cholesky, DMatrix, DVector};

use crate::ModelError;
use crate::gram::{Gram, float};
use crate::solve::{Factor, floored};

/// Values of w: from 1e-5 to 1e4 times the size of a first solution.
const GRID: u32 = 49;
/// κ from which the plain solution predicts as well.
pub const PLAIN_FROM: f64 = 2.0;

/// The filtered solution in whitened units, p. Without noise it is the plain one.
///
/// # Errors
/// [`ModelError::NoConvergence`] or [`ModelError::Singular`] if the release has no such solution.
pub fn solve(gram: &Gram) -> Result<DVector<f64>, ModelError> {
    let (sums, noise) = (gram.sums(), gram.noise());
    let p = gram.len();
    if gram.is_exact() {
        return Factor::new(&sums.a)?.solve(&sums.b);
    }
    let norm = gram.noise_norm();
    let a = floored(&sums.a, 0.25 * norm)?;
    let first = Factor::new(&(&a + DMatrix::identity(p, p) * norm))?.solve(&sums.b)?;
    let size = (first.norm_squared() / float(p)).max(1e-12);
    let level = gram.unit() * gram.unit().transpose() * 0.25;
    let mut best: Option<(f64, DVector<f64>)> = None;
    for step in 0..GRID {
        let power = -5.0 + 9.0 * f64::from(step) / f64::from(GRID - 1);
        let w = size * 10_f64.powf(power);
        let prior = DMatrix::identity(p, p) * w + &level;
        let variance = noise.vb + w * noise.tau2 * (float(p) + 1.0) / 2.0;
        let spread = &a * &prior * &a + DMatrix::identity(p, p) * variance;
        let Some(root) = Cholesky::new(spread) else { continue };
        let inner = root.solve(&sums.b);
        let size: f64 = root.l_dirty().diagonal().iter().map(|pivot| pivot.ln()).sum();
        let likelihood = -size - 0.5 * sums.b.dot(&inner);
        if best.as_ref().is_none_or(|(most, _)| likelihood > *most) {
            best = Some((likelihood, prior * &a * inner));
        }
    }
    best.map(|(_, t)| t).ok_or(ModelError::NoConvergence)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::gram::{Frame, GramNoise, GramSums};

    fn gram(tau2: f64, vb: f64) -> Gram {
        let sums = GramSums {
            a: DMatrix::from_row_slice(
                3,
                3,
                &[900.0, 60.0, -40.0, 60.0, 500.0, 150.0, -40.0, 150.0, 420.0],
            ),
            b: DVector::from_row_slice(&[45.0, 160.0, -90.0]),
            q: 120.0,
        };
        let frame = Frame {
            w: DMatrix::from_row_slice(3, 3, &[1.0, 0.2, 0.0, 0.0, 1.5, -0.1, 0.0, 0.0, 2.0]),
            b0: DVector::from_row_slice(&[0.4, 0.05, 0.0]),
        };
        Gram::new(sums, GramNoise { tau2, vb, vq: 0.0 }, frame).unwrap()
    }

    fn beta(gram: &Gram) -> DVector<f64> {
        gram.coefficients(&solve(gram).unwrap()).unwrap()
    }

    #[test]
    fn matches_an_independent_implementation() {
        // Computed in Python with numpy from the formulas above, κ = 0.9 and 6.1.
        for (tau2, vb, expected) in [
            (
                20_000.0,
                400.0,
                [0.485_263_327_848_618_4, 0.535_223_754_488_282_6, -0.460_998_903_008_455_36],
            ),
            (
                400.0,
                30.0,
                [0.490_781_454_719_709_24, 0.724_506_313_182_870_2, -0.725_010_595_575_15],
            ),
        ] {
            let gap = beta(&gram(tau2, vb)) - DVector::from_row_slice(&expected);
            assert!(gap.amax() < 1e-10, "{gap}");
        }
    }

    #[test]
    fn without_noise_nothing_is_filtered() {
        let exact = gram(0.0, 0.0);
        let plain = Factor::new(&exact.sums().a).unwrap().solve(&exact.sums().b).unwrap();
        assert!((solve(&exact).unwrap() - plain).amax() < 1e-15);
    }
}
