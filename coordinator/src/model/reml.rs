//! The random-intercept model from sums alone: exact restricted maximum likelihood.
//!
//! ```text
//! y = x·β + u_s + e    Var u = τ²    Var e = σ²/w    θ = τ²/σ²    c_s = θ/(1 + n_sθ)    n_s = Σ w of the site
//! A_θ = A − Σ c_s S_sS_sᵀ    b_θ = b − Σ c_s S_sR_s    q_θ = q − Σ c_s R_s²    t = A_θ⁻¹ b_θ    σ² = (q_θ − tᵀb_θ)/(n − p)
//! ℓ(θ) = (n − p) log σ² + Σ log(1 + n_sθ) + log|A_θ|                                   least is best
//! ℓ'(θ) = Σ n_s/(1 + n_sθ) − Σ c_s' S_sᵀA_θ⁻¹S_s − Σ c_s' (R_s − S_sᵀt)²/σ²            c_s' = 1/(1 + n_sθ)²
//! û_s = c_s (R_s − S_sᵀt)
//! ```
//! A, b, q with weight, S and R of every site are sufficient (Patterson and Thompson 1971; profiled over
//! θ as in Lindstrom and Bates 1988), so no row is needed. The zero of ℓ' is found, not the least of ℓ:
//! a minimum is flat, a zero is not. Sums with privacy noise are [`super::site`]'s.
use nalgebra::{DMatrix, DVector};

use super::ModelError;
use super::gram::{Gram, GroupSums, float};
use super::solve::{Factor, same_length};

/// log θ is sought between ± this: shares of variance from one in 10⁶ to all but one in 10⁶.
const REACH: f64 = 14.0;
/// Points of the coarse search; between two of them ℓ is taken to have one valley.
const GRID: u32 = 112;

/// A fitted random intercept. Only [`fit`] makes one.
#[derive(Clone, Debug)]
pub struct Reml {
    /// τ²/σ²; 0 if the sites differ no more than chance lets them.
    pub theta: f64,
    /// Variance between sites, squared units of the outcome.
    pub tau2: f64,
    /// Variance within sites.
    pub sigma2: f64,
    /// Coefficients in whitened units, p.
    pub t: DVector<f64>,
    /// Their covariance in units of the columns, p×p.
    pub covariance: DMatrix<f64>,
    /// The predicted effect of each site.
    pub effects: Vec<f64>,
}

/// Fits the model to noise-free sums over `rows` rows.
///
/// # Errors
/// [`ModelError::TooFewSites`] below two sites, [`ModelError::TooFewRows`] unless there are more rows
/// than coefficients, [`ModelError::Singular`] if the columns depend on each other.
pub fn fit(gram: &Gram, sites: &[GroupSums], rows: f64) -> Result<Reml, ModelError> {
    if sites.len() < 2 {
        return Err(ModelError::TooFewSites { found: sites.len() });
    }
    if rows.is_nan() || rows <= float(gram.len()) {
        return Err(ModelError::TooFewRows { coefficients: gram.len() });
    }
    for site in sites {
        same_length("site sums", gram.len(), site.x.len())?;
    }
    let problem = Problem { gram, sites, freedom: rows - float(gram.len()) };
    let theta = problem.best()?;
    let state = problem.at(theta)?;
    let w = &gram.frame().w;
    let spread = state.factor.solve_columns(&w.transpose())?;
    Ok(Reml {
        theta,
        tau2: theta * state.sigma2,
        sigma2: state.sigma2,
        covariance: w * spread * state.sigma2,
        effects: sites.iter().map(|site| share(site, theta) * sum(site, &state.t)).collect(),
        t: state.t,
    })
}

struct Problem<'a> {
    gram: &'a Gram,
    sites: &'a [GroupSums],
    freedom: f64,
}

/// The model at one θ.
struct State {
    factor: Factor,
    t: DVector<f64>,
    sigma2: f64,
    slope: f64,
    criterion: f64,
}

impl Problem<'_> {
    fn at(&self, theta: f64) -> Result<State, ModelError> {
        let sums = self.gram.sums();
        let (mut a, mut b, mut q) = (sums.a.clone(), sums.b.clone(), sums.q);
        let mut weighted = self.columns();
        for (mut column, site) in weighted.column_iter_mut().zip(self.sites) {
            let c = share(site, theta);
            b.axpy(-c * site.residual, &site.x, 1.0);
            q -= c * site.residual * site.residual;
            column *= c.sqrt();
        }
        a -= &weighted * weighted.transpose();
        let factor = Factor::new(&a)?;
        let t = factor.solve(&b)?;
        let sigma2 = (q - t.dot(&b)) / self.freedom;
        if sigma2.is_nan() || sigma2 <= 0.0 {
            return Err(ModelError::NothingLeft);
        }
        let (mut slope, mut criterion) = (0.0, self.freedom * sigma2.ln() + factor.log_size());
        for site in self.sites {
            let grown = 1.0 + site.weight * theta;
            let leverage = site.x.dot(&factor.solve(&site.x)?);
            slope += site.weight / grown;
            slope -= (leverage + sum(site, &t).powi(2) / sigma2) / (grown * grown);
            criterion += grown.ln();
        }
        Ok(State { factor, t, sigma2, slope, criterion })
    }

    fn columns(&self) -> DMatrix<f64> {
        let columns: Vec<DVector<f64>> = self.sites.iter().map(|site| site.x.clone()).collect();
        DMatrix::from_columns(&columns)
    }

    /// θ of the deepest valley: the coarse search finds it, bisection of ℓ' its floor.
    fn best(&self) -> Result<f64, ModelError> {
        let none = self.at(0.0)?;
        let (mut best, mut least) = (0.0, none.criterion);
        let step = 2.0 * REACH / f64::from(GRID);
        // A valley lies where ℓ' turns from negative to positive; θ = 0 counts as the first point.
        let (mut before, mut falling) = (0.0_f64, none.slope < 0.0);
        for point in 0..=GRID {
            let here = (f64::from(point) * step - REACH).exp();
            let state = self.at(here)?;
            if falling && state.slope >= 0.0 {
                let theta = self.floor(before, here)?;
                let criterion = self.at(theta)?.criterion;
                if criterion < least {
                    (best, least) = (theta, criterion);
                }
            }
            (before, falling) = (here, state.slope < 0.0);
        }
        if falling { Err(ModelError::NothingLeft) } else { Ok(best) }
    }

    fn floor(&self, mut low: f64, mut high: f64) -> Result<f64, ModelError> {
        for _ in 0..200 {
            let middle = f64::midpoint(low, high);
            if middle <= low || middle >= high {
                break;
            }
            if self.at(middle)?.slope < 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(f64::midpoint(low, high))
    }
}

/// The factor by which a site's sum of residuals counts.
fn share(site: &GroupSums, theta: f64) -> f64 {
    theta / (1.0 + site.weight * theta)
}

/// The sum of residuals of a site under t.
fn sum(site: &GroupSums, t: &DVector<f64>) -> f64 {
    site.residual - site.x.dot(t)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::model::table::{Profile, Row, Summation, TableSums};

    /// `per_site` rows at each site, effects as given, a slope of 2 within and errors of ±1.
    fn table(per_site: u32, effects: &[f64]) -> TableSums {
        let rows: Vec<(f64, f64, usize)> = effects
            .iter()
            .enumerate()
            .flat_map(|(site, effect)| {
                (0..per_site).map(move |row| {
                    let x = f64::from(row % 7) - 3.0;
                    let error = if (row / 7) % 2 == 0 { 1.0 } else { -1.0 };
                    (x, 10.0 + 2.0 * x + effect + error, site)
                })
            })
            .collect();
        let mut profile = Profile::new(1, 0);
        let row = |(x, y, site): &(f64, f64, usize), take: &mut dyn FnMut(&Row<'_>)| {
            take(&Row {
                covariates: &[*x],
                outcome: *y,
                weight: 1.0,
                groups: &[],
                site: Some(*site),
            });
        };
        for one in &rows {
            row(one, &mut |row| profile.add(row));
        }
        let mut sums = Summation::new(&profile, effects.len());
        for one in &rows {
            row(one, &mut |row| sums.add(row));
        }
        sums.finish().unwrap()
    }

    #[test]
    fn a_balanced_table_has_the_analysis_of_variance() {
        // Balanced, x alike at every site: REML is the ANOVA estimate in closed form.
        let effects = [3.0, -1.0, 0.5, -2.5, 0.0];
        let sums = table(28, &effects);
        let fit = fit(sums.inputs.gram(), sums.inputs.sites(), sums.rows).unwrap();
        // Errors sum to nothing at a site: within = n/(n − S − 1), between from the effects alone.
        let within = 140.0 / (140.0 - 5.0 - 1.0);
        let between = effects.iter().map(|u| u * u).sum::<f64>() / 4.0 - within / 28.0;
        assert!((fit.sigma2 - within).abs() < 1e-10);
        assert!((fit.tau2 - between).abs() < 1e-9);
        let beta = sums.inputs.gram().coefficients(&fit.t).unwrap();
        assert!((beta - DVector::from_vec(vec![10.0, 2.0])).amax() < 1e-12);
        let shrink = 28.0 * fit.theta / (1.0 + 28.0 * fit.theta);
        for (found, effect) in fit.effects.iter().zip(effects) {
            assert!((found - shrink * effect).abs() < 1e-10);
        }
    }

    #[test]
    fn sites_alike_have_no_variance() {
        let sums = table(28, &[0.0, 0.0, 0.0]);
        let fit = fit(sums.inputs.gram(), sums.inputs.sites(), sums.rows).unwrap();
        assert!(fit.theta.abs() < 1e-15 && fit.effects.iter().all(|effect| effect.abs() < 1e-15));
    }

    #[test]
    fn one_site_is_refused() {
        let sums = table(28, &[0.0]);
        let one = fit(sums.inputs.gram(), sums.inputs.sites(), sums.rows);
        assert_eq!(one.unwrap_err(), ModelError::TooFewSites { found: 1 });
    }
}
