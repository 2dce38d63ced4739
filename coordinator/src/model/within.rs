//! Slopes within sites: free of whatever makes sites differ as a whole.
//!
//! ```text
//! A_w = A − Σ S_sS_sᵀ/n_s + Σ sd_S²/n_s I        b_w = b − Σ S_sR_s/n_s        n_s: Σ s of the site
//! x·γ, γ without the constant, which no site tells from its own level:   J = W⁻¹ without its first column
//! γ̂ = (Jᵀ A_w J)⁻¹ Jᵀ b_w        β = b0 + γ̂
//! Cov score = σ² A_w + Cov(e − E t) + Σ z_sz_sᵀ(sd_R² + sd_S²‖t‖² + sd_N² d_s²)
//!             + Σ (sd_S² d_s² + sd_S²(sd_R² + sd_S²‖t‖²)/n_s²) I                z_s = S_s/n_s
//! v(θ̂ + u) = v0 + v2 u²      v2 = Var aᵀN d      a = J(JᵀA_wJ)⁻¹e      d = JΩe/eᵀΩe, Ω the covariance
//! N: noise of A_w, E − Σ (n_s z_sᵀ + z_s n_sᵀ) + Σ z_sz_sᵀ·noise of n_s              reach = z√(v0/(1 − z²v2))
//! ```
//! If a site's level goes with its case mix, pooled slopes are biased and these are not. The price is
//! noise: the fit breaks where n is below 3 S times the noise of a site sum, and is refused there. Where a column
//! hardly varies within sites its slope alone is not estimable, as by [`super::uncertainty`]'s intervals (1 ≤ z²v2); the
//! middle term v1 u of those is left out, and the interval is symmetric. Small sites are merged into one. Exact
//! where no row was shrunk to the norm cap; shrunk rows count with s in the site sums and with s² in A.
use nalgebra::{DMatrix, DVector};

use super::ModelError;
use super::gram::{Gram, GroupNoise, GroupSums, Inputs, Later, float};
use super::linear::Solution;
use super::plain::{Coefficient, coefficient};
use super::solve::{Factor, floored, smallest_eigenvalue};
use super::student::two_sided_95;
use super::uncertainty::Interval;

/// Weight below which a site is merged with others as small.
const SMALLEST_SITE: f64 = 20.0;
/// Least eigenvalue of exact sums within sites, over their largest entry: less may be what rounding left of nothing.
const LEAST_LEFT: f64 = 1e-11;

/// Fits the slopes within sites: one [`Coefficient`] for each column but the constant. `solution` gives σ²
/// and must come from `inputs`.
///
/// # Errors
/// [`ModelError::TooFewSites`] below two sites, [`ModelError::WithinTooNoisy`] if the noise is too large for so few,
/// [`ModelError::Singular`] without noise if a column does not vary within sites.
pub fn fit(inputs: &Inputs, solution: &Solution) -> Result<Vec<Coefficient>, ModelError> {
    let gram = inputs.gram();
    let sites = merged(inputs.sites(), gram.len());
    if sites.len() < 2 {
        return Err(ModelError::TooFewSites { found: sites.len() });
    }
    let heads: f64 = sites.iter().map(|site| site.weight).sum();
    let noise = sites.iter().map(|site| site.noise.x).fold(0.0, f64::max);
    let needed = 3.0 * float(sites.len()) * noise;
    if heads.is_nan() || heads < needed {
        return Err(ModelError::WithinTooNoisy { heads, needed });
    }
    let slopes = slopes(gram)?;
    let (a, b) = equations(gram, &sites);
    let a = slopes.transpose() * a * &slopes;
    let left = smallest_eigenvalue(&a)? / a.amax();
    if gram.is_exact() && left < LEAST_LEFT {
        return Err(ModelError::Singular { smallest_pivot: left });
    }
    let factor = Factor::new(&a)?;
    let gamma = factor.solve(&(slopes.transpose() * b))?;
    let t = &slopes * &gamma;
    let floor = 0.25 * gram.noise_norm();
    let smallest = slopes.norm_squared() / float(gram.len());
    let sampling = if floor > 0.0 { floored(&a, floor * smallest)? } else { a };
    let noise = slopes.transpose() * noise_cov(gram, &sites, &t) * &slopes;
    let half = factor.solve_columns(&(sampling * solution.sigma2() + noise))?;
    let covariance = factor.solve_columns(&half.transpose())?;
    let freedom = solution.n_eff() - float(gram.len()) - float(sites.len()) + 1.0;
    let quantile = two_sided_95(freedom);
    let prior = gram.frame().b0.iter().skip(1);
    let (inverse, variances) = (factor.inverse()?, covariance.diagonal());
    let columns = inverse.column_iter().zip(covariance.column_iter());
    let found = gamma.iter().zip(prior).zip(columns).zip(variances.iter().copied());
    let found = found.map(|(((gamma, b0), (a, d)), variance)| {
        let (a, d) = (&slopes * a, &slopes * d / variance);
        slope(b0 + gamma, (variance, moved(gram, &sites, &a, &d)), quantile)
    });
    Ok(found.collect())
}

/// Sites of some size, and all others as one.
fn merged(sites: &[GroupSums], p: usize) -> Vec<GroupSums> {
    let is_small = |site: &&GroupSums| site.weight.is_nan() || site.weight < SMALLEST_SITE;
    let mut kept: Vec<GroupSums> = sites.iter().filter(|site| !is_small(site)).cloned().collect();
    let empty = GroupSums {
        heads: 0.0,
        weight: 0.0,
        residual: 0.0,
        x: DVector::zeros(p),
        noise: GroupNoise::default(),
        later: Later::default(),
    };
    let rest = sites.iter().filter(is_small).fold(empty, |sum, site| GroupSums {
        heads: sum.heads + site.heads,
        weight: sum.weight + site.weight,
        residual: sum.residual + site.residual,
        x: sum.x + &site.x,
        noise: GroupNoise {
            heads: sum.noise.heads.hypot(site.noise.heads),
            weight: sum.noise.weight.hypot(site.noise.weight),
            residual: sum.noise.residual.hypot(site.noise.residual),
            x: sum.noise.x.hypot(site.noise.x),
        },
        later: Later::default(),
    });
    if rest.weight >= SMALLEST_SITE {
        kept.push(rest);
    }
    kept
}

/// J, p×(p−1).
fn slopes(gram: &Gram) -> Result<DMatrix<f64>, ModelError> {
    let p = gram.len();
    if p < 2 {
        return Err(ModelError::Coefficients { found: p, most: super::gram::MOST_COEFFICIENTS });
    }
    Ok(gram.columns()?.columns(1, p.saturating_sub(1)).into_owned())
}

fn equations(gram: &Gram, sites: &[GroupSums]) -> (DMatrix<f64>, DVector<f64>) {
    let (mut a, mut b) = (gram.sums().a.clone(), gram.sums().b.clone());
    let mut level = 0.0;
    for site in sites {
        a -= &site.x * site.x.transpose() / site.weight;
        b.axpy(-site.residual / site.weight, &site.x, 1.0);
        level += site.noise.x.powi(2) / site.weight;
    }
    a += DMatrix::identity(gram.len(), gram.len()) * level;
    (a, b)
}

fn noise_cov(gram: &Gram, sites: &[GroupSums], t: &DVector<f64>) -> DMatrix<f64> {
    let mut cov = gram.noise_cov(t);
    let mut level = 0.0;
    for site in sites {
        let (n, noise) = (site.weight, site.noise);
        let d = (site.residual - site.x.dot(t)) / n;
        // Where the weight is the first sum, the two err together.
        let first = t.iter().next().copied().filter(|_| site.weighs_by_first()).unwrap_or(0.0);
        let of_sum =
            noise.residual.powi(2) + noise.x.powi(2) * (t.norm_squared() + 2.0 * first * d);
        let row = &site.x / n;
        cov += &row * row.transpose() * (of_sum + (noise.weight * d).powi(2));
        level += (noise.x * d).powi(2) + noise.x.powi(2) * of_sum / (n * n);
    }
    cov + DMatrix::identity(gram.len(), gram.len()) * level
}

/// Var aᵀN d, N the noise of `A_w`.
fn moved(gram: &Gram, sites: &[GroupSums], a: &DVector<f64>, d: &DVector<f64>) -> f64 {
    let lengths = a.norm_squared() * d.norm_squared();
    let across = a.dot(d);
    let of_site = |site: &GroupSums| {
        let mean = &site.x / site.weight;
        let (along_a, along_d) = (mean.dot(a), mean.dot(d));
        let crossed = a.norm_squared() * along_d.powi(2)
            + d.norm_squared() * along_a.powi(2)
            + 2.0 * across * along_a * along_d;
        site.noise.x.powi(2) * crossed + (site.noise.weight * along_a * along_d).powi(2)
    };
    let of_sites: f64 = sites.iter().map(of_site).sum();
    gram.noise().tau2 / 2.0 * (lengths + across.powi(2)) + of_sites
}

/// The coefficient whose interval is v(θ₀)'s, its middle term left out.
fn slope(value: f64, (variance, moved): (f64, f64), quantile: f64) -> Coefficient {
    let lead = 1.0 - quantile.powi(2) * moved;
    let found = coefficient(value, variance / lead, quantile);
    if lead > 0.0 {
        found
    } else {
        let standard_error = variance.max(0.0).sqrt();
        Coefficient { standard_error, interval: Interval::NotEstimable, ..found }
    }
}
