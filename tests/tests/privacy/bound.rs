//! What an attacker's guesses prove about a mechanism: a lower bound on μ and ε that holds with a
//! stated confidence.
//!
//! ```text
//! μ ≥ Φ⁻¹(1 − FPR) − Φ⁻¹(FNR)            any test against a μ-GDP mechanism (Dong, Roth, Su 2022)
//! ε ≥ ln((TPR − δ)/FPR)                  any test against an (ε, δ)-DP mechanism (Kairouz et al. 2015)
//! ```
//! Both rates are replaced by their upper Clopper-Pearson limits (Nasr et al. 2023). The threshold is
//! chosen on one half of the draws and judged on the other, so the limits need no correction for the
//! choice. Nothing here is taken from the code under audit but the last step, from μ to ε.
use tacit_shared::privacy::accountant::epsilon_at;
use tacit_shared::units::{Delta, Mu};

/// How often a bound may exceed the truth: half of it for each of the two rates.
pub(crate) const FALSE_ALARM: f64 = 1e-4;

/// Thresholds tried on the first half: quantiles of both worlds together.
const THRESHOLDS: usize = 60;

/// Those tried for μ leave out a tenth at each end, where limits are wide and luck chooses.
const CENTRAL: std::ops::Range<usize> = THRESHOLDS / 10..THRESHOLDS - THRESHOLDS / 10 + 1;

/// What a test of presence proves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    /// The mechanism is not μ-GDP for any smaller μ.
    pub(crate) mu: f64,
    /// ε at this μ by the exact curve.
    pub(crate) epsilon: f64,
    /// ε from the two rates alone, whatever the shape of the noise: weaker, and free of the curve.
    pub(crate) epsilon_of_rates: f64,
}

/// The bound from an attacker's statistic with and without the person; larger says "present".
pub(crate) fn lower(absent: &[f64], present: &[f64], delta: Delta) -> Bound {
    let (choose, judge) = (halves(absent, present, 0), halves(absent, present, 1));
    let mut pooled = [choose.0.as_slice(), choose.1.as_slice()].concat();
    pooled.sort_by(f64::total_cmp);
    let best = |tried: std::ops::Range<usize>, score: &dyn Fn(&Rates) -> f64| {
        let thresholds = tried.map(|i| pooled[i * pooled.len() / THRESHOLDS]);
        let scored = thresholds.map(|at| (score(&Rates::of(&choose, at)), at));
        let (_, at) = scored.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        score(&Rates::of(&judge, at))
    };
    let mu = best(CENTRAL, &Rates::mu).max(0.0);
    let epsilon = epsilon_at(Mu::new(mu).unwrap(), delta).unwrap().value();
    let epsilon_of_rates = best(1..THRESHOLDS, &|rates| rates.epsilon(delta.value()));
    Bound { mu, epsilon, epsilon_of_rates }
}

/// Every second draw of each world, from `first` on.
fn halves(absent: &[f64], present: &[f64], first: usize) -> (Vec<f64>, Vec<f64>) {
    let half = |draws: &[f64]| draws.iter().skip(first).step_by(2).copied().collect();
    (half(absent), half(present))
}

/// Upper limits of both error rates of one threshold.
struct Rates {
    false_alarm: f64,
    miss: f64,
}

impl Rates {
    fn of((absent, present): &(Vec<f64>, Vec<f64>), threshold: f64) -> Self {
        let alarms = absent.iter().filter(|t| **t >= threshold).count();
        let misses = present.iter().filter(|t| **t < threshold).count();
        Self {
            false_alarm: upper_limit(alarms, absent.len(), FALSE_ALARM / 2.0),
            miss: upper_limit(misses, present.len(), FALSE_ALARM / 2.0),
        }
    }

    fn mu(&self) -> f64 {
        normal_quantile(1.0 - self.false_alarm) - normal_quantile(self.miss)
    }

    fn epsilon(&self, delta: f64) -> f64 {
        let one = ((1.0 - self.miss - delta).max(0.0) / self.false_alarm).ln();
        let other = ((1.0 - self.false_alarm - delta).max(0.0) / self.miss).ln();
        one.max(other).max(0.0)
    }
}

/// The largest p at which `count` or fewer of `draws` still have probability `alpha` (Clopper and
/// Pearson 1934): the true rate is above it with probability `alpha` at most.
fn upper_limit(count: usize, draws: usize, alpha: f64) -> f64 {
    if count >= draws {
        return 1.0;
    }
    let (mut low, mut high) = (count as f64 / draws as f64, 1.0);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if binomial_tail(count, draws, middle) > alpha {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// P[Bin(n, p) ≤ k], by ratios of neighbouring terms from the likeliest one on, both ways.
fn binomial_tail(k: usize, n: usize, p: f64) -> f64 {
    let odds = p / (1.0 - p);
    let mode = (((n + 1) as f64 * p) as usize).min(n);
    let (mut total, mut tail) = (0.0, 0.0);
    let mut add = |at: usize, weight: f64| {
        total += weight;
        tail += if at <= k { weight } else { 0.0 };
        weight > 1e-30
    };
    let (mut at, mut weight) = (mode, 1.0);
    while add(at, weight) && at < n {
        weight *= (n - at) as f64 / (at + 1) as f64 * odds;
        at += 1;
    }
    (at, weight) = (mode, 1.0);
    while at > 0 {
        weight *= at as f64 / (n - at + 1) as f64 / odds;
        at -= 1;
        if !add(at, weight) {
            break;
        }
    }
    tail / total
}

/// Φ by Simpson's rule from 0, within ±8.
fn normal(z: f64) -> f64 {
    const STEPS: u32 = 160;
    let density = |t: f64| (-t * t / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let step = z / f64::from(STEPS);
    let weight = |i: u32| match i {
        0 | STEPS => 1.0,
        _ if i % 2 == 1 => 4.0,
        _ => 2.0,
    };
    let sum: f64 = (0..=STEPS).map(|i| weight(i) * density(step * f64::from(i))).sum();
    0.5 + sum * step / 3.0
}

/// Φ⁻¹, within ±8.
fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if normal(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand::rngs::ChaCha20Rng;
    use rand_distr::{Distribution as _, Normal};

    fn close(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() < tolerance, "{found}, expected {expected}");
    }

    #[test]
    fn limits_and_quantiles_are_the_tabulated_ones() {
        // 1 − α^(1/n) for no success; Clopper and Pearson's table for 10 of 100 at 2.5 %.
        close(upper_limit(0, 1000, 0.05), 1.0 - 0.05_f64.powf(0.001), 1e-9);
        close(upper_limit(10, 100, 0.025), 0.176_222_6, 1e-6);
        close(upper_limit(100, 100, 0.025), 1.0, 1e-12);
        close(normal_quantile(0.975), 1.959_963_985, 1e-7);
        close(normal_quantile(5e-5), -3.890_591_886, 1e-6);
        close(binomial_tail(2, 4, 0.5), 11.0 / 16.0, 1e-12);
    }

    /// Twenty experiments with noise of known μ: the bound is below μ (false alarm 0.4 % in all) and
    /// above μ − 0.25: its mean lies 0.10 to 0.15 below μ, its standard deviation is below 0.025.
    #[test]
    fn a_bound_is_below_the_truth_and_near_it() {
        let mut rng = ChaCha20Rng::seed_from_u64(11);
        let delta = Delta::new(1e-6).unwrap();
        for (round, mu) in [0.3, 0.8, 1.5, 2.5].into_iter().cycle().take(20).enumerate() {
            let mut draw = |mean: f64| -> Vec<f64> {
                let noise = Normal::new(mean, 1.0).unwrap();
                (0..20_000).map(|_| noise.sample(&mut rng)).collect()
            };
            let bound = lower(&draw(0.0), &draw(mu), delta);
            assert!(bound.mu < mu && bound.mu > mu - 0.25, "{round}: {bound:?} for {mu}");
            let truth = epsilon_at(Mu::new(mu).unwrap(), delta).unwrap().value();
            assert!(bound.epsilon < truth && bound.epsilon_of_rates < truth, "{round}: {bound:?}");
        }
    }
}
