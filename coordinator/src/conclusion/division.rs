//! Divides the pool among the sites of a release, with intervals by redrawing its noise.
//!
//! ```text
//! t* ~ N(t̂, Ω)      x_u*, n_u* : the site's sums with fresh noise of the known sd      999 draws
//! ```
//! Ω is the noise part of the fit's covariance, so an interval says where the amount without noise
//! would lie. Floors and caps are per head, of the heads as released.
use super::ConclusionError;
use crate::allocation::{
    Award, Claim, FEWEST_DRAWS, ShareInterval, allocate, labour_index, share_intervals,
};
use crate::model::Fitted;
use crate::model::gram::{GroupSums, Inputs};
use crate::model::linear;
use crate::model::uncertainty::{Inference, Target};
use nalgebra::{Cholesky, DMatrix, DVector};
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use rand_distr::{Distribution as _, StandardNormal};
use tacit_shared::money::Cents;
use tacit_shared::study::Study;

/// What one site gets, before it is put into words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Amount to the cent.
    pub cents: Cents,
    /// Labour a head over that of everybody; 1 on average.
    pub index: f64,
    /// Least and most it can get.
    pub bounds: (f64, f64),
    /// Where the amount without noise lies.
    pub interval: (f64, f64),
}

/// The division, in the order of the sites.
#[derive(Clone, Debug, PartialEq)]
pub struct Division {
    /// One share a site.
    pub shares: Vec<Share>,
}

/// Divides the study's pool by a fit.
///
/// # Errors
/// [`ConclusionError::Allocation`] if floors and caps do not admit the pool.
pub fn divide(
    study: &Study,
    inputs: &Inputs,
    fitted: &Fitted,
    seed: [u8; 32],
) -> Result<Division, ConclusionError> {
    let rule = study.allocation();
    let pool = rule.pool_cents;
    let heads: Vec<f64> = inputs.sites().iter().map(|site| site.heads.max(1.0)).collect();
    let labour = labour(inputs, fitted.published(), |_, sums| sums.clone());
    let all: f64 = heads.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "a pool is far below 2^53 cents")]
    let per_head = pool.value() as f64 / all;
    let percent = |share: u32| f64::from(share) / 100.0;
    let claim = |(labour, heads): (&f64, &f64)| Claim {
        labour: *labour,
        price: 1.0,
        floor: per_head * heads * percent(rule.floor_percent_per_head),
        cap: per_head * heads * percent(rule.cap_percent_per_head),
    };
    let claims: Vec<Claim> = labour.iter().zip(&heads).map(claim).collect();
    let awards = allocate(pool, &claims)?;
    let intervals = if inputs.gram().is_exact() {
        awards.iter().map(|a| ShareInterval { low: a.amount, high: a.amount }).collect()
    } else {
        share_intervals(pool, &claims, draws(inputs, fitted, seed)?)?
    };
    let index = labour_index(&labour, &heads)?;
    let share = |(((award, claim), interval), index): (
        ((&Award, &Claim), &ShareInterval),
        &Option<f64>,
    )| Share {
        cents: award.cents,
        index: index.unwrap_or(1.0),
        bounds: (claim.floor, claim.cap),
        interval: (interval.low, interval.high),
    };
    let shares = awards.iter().zip(&claims).zip(&intervals).zip(&index).map(share).collect();
    Ok(Division { shares })
}

/// Labour of each site: heads times the mean fitted outcome.
fn labour(
    inputs: &Inputs,
    t: &DVector<f64>,
    mut noise: impl FnMut(usize, &GroupSums) -> GroupSums,
) -> Vec<f64> {
    let formula = inputs.gram().prior() + t;
    let of_site = |(at, sums): (usize, &GroupSums)| {
        let sums = noise(at, sums);
        let mean = if sums.weight > 0.0 { sums.x.dot(&formula) / sums.weight } else { 0.0 };
        (sums.heads * mean).max(0.0)
    };
    inputs.sites().iter().enumerate().map(of_site).collect()
}

fn draws(
    inputs: &Inputs,
    fitted: &Fitted,
    seed: [u8; 32],
) -> Result<Vec<Vec<f64>>, ConclusionError> {
    let solution = linear::solve(inputs.gram())?;
    let inference = Inference::new(inputs.gram(), &solution, Target::ExactData)?;
    let root = root(inference.covariance());
    let mut rng = ChaCha20Rng::from_seed(seed);
    let mut normal = move || -> f64 { StandardNormal.sample(&mut rng) };
    let p = fitted.published().len();
    let mut all = Vec::with_capacity(FEWEST_DRAWS);
    for _ in 0..FEWEST_DRAWS {
        let t = fitted.published() + &root * DVector::from_fn(p, |_, _| normal());
        all.push(labour(inputs, &t, |_, sums| jittered(sums, &mut normal)));
    }
    Ok(all)
}

/// A matrix R with `RRᵀ` the covariance; rounding may have left it slightly indefinite.
fn root(covariance: &DMatrix<f64>) -> DMatrix<f64> {
    match Cholesky::new(covariance.clone()) {
        Some(factor) => factor.l(),
        None => DMatrix::from_diagonal(&covariance.diagonal().map(|v| v.max(0.0).sqrt())),
    }
}

fn jittered(sums: &GroupSums, normal: &mut impl FnMut() -> f64) -> GroupSums {
    let mut other = sums.clone();
    other.heads += sums.noise.heads * normal();
    other.x.iter_mut().for_each(|x| *x += sums.noise.x * normal());
    // The weight is the first feature, and so is its noise.
    other.weight = other.x.iter().next().copied().unwrap_or(other.weight);
    other
}
