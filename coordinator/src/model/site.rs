//! How sites differ, from their noisy sums: variance between them, their effects, and what both mean for
//! the coefficients.
//!
//! ```text
//! d_s = (R_s − S_sᵀt̂)/n_s         v_s = σ²/n_s + (sd_R² + sd_S²‖t̂‖² + sd_N² d_s²)/n_s²
//! τ²:  Σ (d_s − μ)²/(v_s + τ²) = S − 1, 0 if negative         σ² = σ²_total − τ², four times        n_s: see [`measure::site`]
//! û_s = γ_s d_s + (1 − γ_s) μ      γ_s = τ²/(τ² + v_s)         μ: mean of d_s, weights 1/(v_s + τ²)
//! mse_s = γ_s v_s + (1 − γ_s)²/Σw + 2 v_s²/(v_s + τ²)³ · 2/Σw²            w_s = 1/(v_s + τ²)
//! Var score = σ² A₊ + τ² M         M = A₊ + clear part of (Σ S_sS_sᵀ − Σ sd_S² I − A₊)
//! ```
//! Paule and Mandel 1982 for τ²; Fay and Herriot 1979 for the shrinkage, with the allowance of Prasad and
//! Rao 1990 for not knowing τ². An eigenvalue is clear above 3√S times the
//! noise variance of an entry of S. Without noise M is the sum alone: what rows of a site share. Quantiles are Student's with S − 1 degrees of freedom. A site that does not stand
//! clear of its noise, or has fewer than 20 clinicians, is drawn to μ entirely and has the standard error
//! τ. Without noise nothing is lost by [`super::reml`], which is exact; slopes free of what sites differ
//! in are [`super::within`]'s.
use nalgebra::{DMatrix, DVector, SymmetricEigen};
use serde::Serialize;

use super::ModelError;
use super::gram::{GroupSums, Inputs, float};
use super::linear::Solution;
use super::measure::{self, SiteResidual};
use super::student::two_sided_95;
use super::uncertainty::Interval;

/// Rounds in which σ² and τ² are told apart.
const ROUNDS: u32 = 4;
/// Least share of the residual variance that is left within sites.
const LEAST_WITHIN: f64 = 0.05;

/// The variance between sites. Only [`between`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Between {
    /// τ², squared units of the outcome; 0 if noise and sampling explain how the sites differ.
    pub tau2: f64,
    /// μ, the mean effect, around which sites are told apart.
    pub mean: f64,
    /// σ² within sites.
    pub sigma2: f64,
    /// Sites that it rests on.
    pub sites: usize,
    weights: f64,
    squared_weights: f64,
}

impl Between {
    /// The quantile of 95 % intervals that rest on these sites.
    pub fn quantile(&self) -> f64 {
        two_sided_95(float(self.sites) - 1.0)
    }
}

/// The effect of one site: how much more or less is observed there than the formula gives.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SiteEffect {
    /// Units of the outcome.
    pub value: f64,
    /// Counts sampling, noise, and that τ² and the mean are estimates.
    pub standard_error: f64,
    /// 95 %.
    pub interval: Interval,
}

/// Estimates the variance between sites; `None` below two sites that stand clear.
///
/// # Errors
/// [`ModelError::Shape`] if `solution` is not of `inputs`.
pub fn between(inputs: &Inputs, solution: &Solution) -> Result<Option<Between>, ModelError> {
    let total = solution.sigma2();
    let mut found = None;
    let mut sigma2 = total;
    for _ in 0..=ROUNDS {
        let mut residuals = Vec::new();
        for sums in inputs.sites() {
            residuals.extend(measure::site(sums, solution.t(), sigma2)?);
        }
        if residuals.len() < 2 {
            return Ok(None);
        }
        let pairs: Vec<(f64, f64)> = residuals.iter().map(pair).collect();
        let tau2 = paule_mandel(&pairs);
        let centre = Centre::of(&pairs, tau2);
        found = Some(Between {
            tau2,
            mean: centre.mean,
            sigma2,
            sites: pairs.len(),
            weights: centre.weights,
            squared_weights: centre.squared_weights,
        });
        sigma2 = (total - tau2).max(LEAST_WITHIN * total);
    }
    Ok(found)
}

/// The effect of one site.
///
/// # Errors
/// [`ModelError::Shape`] if t is not of these sums.
pub fn effect(
    between: &Between,
    sums: &GroupSums,
    t: &DVector<f64>,
) -> Result<SiteEffect, ModelError> {
    let tau2 = between.tau2;
    let (value, mse) = match measure::site(sums, t, between.sigma2)? {
        Some(residual) => {
            let (d, v) = pair(&residual);
            let share = tau2 / (tau2 + v);
            let of_mean = (1.0 - share).powi(2) / between.weights;
            let of_tau2 = 2.0 * v.powi(2) / (v + tau2).powi(3) * 2.0 / between.squared_weights;
            (share * d + (1.0 - share) * between.mean, share * v + of_mean + of_tau2)
        }
        None => (between.mean, tau2 + 1.0 / between.weights),
    };
    let standard_error = mse.max(0.0).sqrt();
    let reach = between.quantile() * standard_error;
    let interval = Interval::between(value - reach, value + reach);
    Ok(SiteEffect { value, standard_error, interval })
}

/// τ² M: what differences between sites add to the variance of the score, p×p.
///
/// # Errors
/// [`ModelError::NoConvergence`] if the eigenvalue iteration does not end.
pub fn clustering(
    between: &Between,
    inputs: &Inputs,
    solution: &Solution,
) -> Result<DMatrix<f64>, ModelError> {
    let p = inputs.gram().len();
    let columns: Vec<DVector<f64>> = inputs.sites().iter().map(|site| site.x.clone()).collect();
    if columns.is_empty() || between.tau2 <= 0.0 {
        return Ok(DMatrix::zeros(p, p));
    }
    let columns = DMatrix::from_columns(&columns);
    let shared = &columns * columns.transpose();
    let noise: f64 = inputs.sites().iter().map(|site| site.noise.x.powi(2)).sum();
    if noise <= 0.0 {
        return Ok(shared * between.tau2);
    }
    let within = solution.positive();
    let excess = shared - within - DMatrix::identity(p, p) * noise;
    let limit = p.max(1).saturating_mul(100);
    let eigen = SymmetricEigen::try_new(excess, f64::EPSILON, limit);
    let eigen = eigen.ok_or(ModelError::NoConvergence)?;
    // Noise of Σ SSᵀ: S sites of variance sd² each, so √S·sd² an entry.
    let clear = 3.0 * noise / float(inputs.sites().len()).sqrt();
    let kept = eigen.eigenvalues.map(|value| if value > clear { value } else { 0.0 });
    let vectors = &eigen.eigenvectors;
    let excess = vectors * DMatrix::from_diagonal(&kept) * vectors.transpose();
    Ok((within + excess) * between.tau2)
}

/// τ² from pairs of a mean and its known variance.
pub fn paule_mandel(pairs: &[(f64, f64)]) -> f64 {
    let freedom = float(pairs.len()) - 1.0;
    let excess = |tau2: f64| {
        let mean = Centre::of(pairs, tau2).mean;
        pairs.iter().map(|(d, v)| (d - mean).powi(2) / (v + tau2)).sum::<f64>() - freedom
    };
    let apart = excess(0.0);
    if pairs.len() < 2 || apart.is_nan() || apart <= 0.0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, 1.0_f64);
    let largest = pairs.iter().map(|(d, _)| d.abs()).fold(0.0, f64::max);
    high = high.min(largest * largest);
    while excess(high) > 0.0 && high.is_finite() {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if excess(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

fn pair(residual: &SiteResidual) -> (f64, f64) {
    (residual.value, residual.standard_error.powi(2))
}

/// The weighted mean of site residuals.
struct Centre {
    mean: f64,
    weights: f64,
    squared_weights: f64,
}

impl Centre {
    fn of(pairs: &[(f64, f64)], tau2: f64) -> Self {
        let (mut weights, mut squared_weights, mut sum) = (0.0, 0.0, 0.0);
        for (d, v) in pairs {
            let weight = 1.0 / (v + tau2);
            weights += weight;
            squared_weights += weight * weight;
            sum += weight * d;
        }
        Self { mean: sum / weights, weights, squared_weights }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_variances_give_the_textbook_variance() {
        // All v alike: τ² is the variance of the means less v.
        let pairs = [(1.0, 0.5), (3.0, 0.5), (-2.0, 0.5), (0.0, 0.5)];
        let variance = (0.25 + 6.25 + 6.25 + 0.25) / 3.0;
        assert!((paule_mandel(&pairs) - (variance - 0.5)).abs() < 1e-12);
    }

    #[test]
    fn what_chance_explains_is_no_variance() {
        assert!(paule_mandel(&[(0.1, 1.0), (-0.1, 1.0), (0.2, 1.0)]).abs() < 1e-15);
        assert!(paule_mandel(&[(5.0, 1.0)]).abs() < 1e-15);
        assert!(paule_mandel(&[(f64::NAN, 1.0), (1.0, 1.0)]).abs() < 1e-15);
    }

    #[test]
    fn unequal_variances_solve_the_equation() {
        let pairs = [(0.4, 0.01), (-0.2, 0.04), (0.9, 0.2), (0.1, 0.02), (-0.5, 0.09)];
        let tau2 = paule_mandel(&pairs);
        let weights: Vec<f64> = pairs.iter().map(|(_, v)| 1.0 / (v + tau2)).collect();
        let mean = pairs.iter().zip(&weights).map(|((d, _), w)| d * w).sum::<f64>()
            / weights.iter().sum::<f64>();
        let sum: f64 = pairs.iter().zip(&weights).map(|((d, _), w)| w * (d - mean).powi(2)).sum();
        assert!(tau2 > 0.0 && (sum - 4.0).abs() < 1e-10);
    }
}
