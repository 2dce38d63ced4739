//! Means of the outcome and of columns over some clinicians, from their sums, with what noise and sampling do to them.
//!
//! ```text
//! mean y = base + (Σr + Σ s(m − base)) / Σs      m: the prior formula of the row, as released or from Σx̃, whichever has
//!                                                less noise
//! mean xⱼ = (Σx̃ · W⁻¹)ⱼ / Σs
//! a mean:   all θ with (T − θN)² ≤ z²(sd_T² + θ²sd_N² + N·variance)         Fieller, [`histogram::mean`]; also for few
//! in − out: se² = (sd_T² + mean² sd_N²) · (1/N_in + 1/N_out)² of the inside, /N_out² of everybody       first order
//! ```
//! The difference of two ratios has no such form, so it is given only where both counts stand clear of their noise, and
//! there the first order is enough. Everything is in scaled units of the outcome or of the column.
//!
//! [`histogram::mean`]: crate::model::histogram::mean
use crate::model::gram::{GroupSums, Inputs};
use crate::model::histogram::{Measured, mean};
use crate::model::uncertainty::{Interval, Z95};
use nalgebra::DVector;

/// A mean, or the difference of two, with where it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// The number.
    pub value: f64,
    exact: Interval,
    sampled: Interval,
}

impl Level {
    /// Where it would lie without noise, 95 times in 100.
    pub fn exact_data(&self) -> Interval {
        self.exact
    }

    /// Where it lies for all such clinicians.
    pub fn population(&self) -> Interval {
        self.sampled
    }
}

/// A sum over rows, on top of `base` for each weight.
struct Sum {
    base: f64,
    value: f64,
    sd: f64,
}

impl Sum {
    /// What the noise of the sum and of the weight does to a ratio about `mean`, times the weight.
    fn spread(&self, sums: &GroupSums, mean: f64) -> f64 {
        self.sd.hypot(mean * sums.noise.weight)
    }

    /// The same about its own mean.
    fn own_spread(&self, sums: &GroupSums) -> f64 {
        self.spread(sums, self.value / sums.weight)
    }
}

/// The outcome by x̃: what the prior formula says of the rows, residuals on top.
fn by_rows(sums: &GroupSums, prior: &DVector<f64>) -> Sum {
    let base = prior.iter().next().copied().unwrap_or(0.0);
    let rest = prior.iter().zip(sums.x.iter()).skip(1);
    let value = rest.map(|(v, x)| v * x).sum::<f64>();
    let length: f64 = prior.iter().skip(1).map(|v| v * v).sum();
    let sd = sums.noise.residual.hypot(sums.noise.x * length.sqrt());
    Sum { base, value: sums.residual + value, sd }
}

/// The outcome by what the prior formula says as the release sums it up, where it does.
fn by_labour(sums: &GroupSums) -> Option<Sum> {
    let m = sums.later.predicted?;
    let sd = sums.noise.residual.hypot(m.sd);
    Some(Sum { base: m.base, value: sums.residual + m.sum, sd })
}

/// The one of the two that has less noise: which it is follows from the noise and hardly from the numbers.
fn outcome(sums: &GroupSums, prior: &DVector<f64>) -> Sum {
    let rows = by_rows(sums, prior);
    match by_labour(sums) {
        Some(labour) if labour.own_spread(sums) < rows.own_spread(sums) => labour,
        _ => rows,
    }
}

fn level(sums: &GroupSums, sum: &Sum, variance: f64) -> Option<Level> {
    let total = Measured { value: sum.value, sd: sum.sd };
    let count = Measured { value: sums.weight, sd: sums.noise.weight };
    let (exact, sampled) = (mean(total, count, 0.0), mean(total, count, variance));
    let (low, high) = (exact.interval.shifted(sum.base), sampled.interval.shifted(sum.base));
    let known = sums.weight > 0.0 && exact.interval != Interval::NotEstimable;
    known.then_some(Level { value: sum.base + exact.value, exact: low, sampled: high })
}

/// Mean outcome of a group or of everybody; `variance` is that of one clinician's. `None` where the noise of the count
/// leaves every value possible.
pub fn of(inputs: &Inputs, sums: &GroupSums, variance: f64) -> Option<Level> {
    level(sums, &outcome(sums, inputs.gram().prior()), variance)
}

/// Mean outcome of a group less that of everybody else; `None` unless both stand clear of their noise.
pub fn difference(inputs: &Inputs, part: &GroupSums, variance: f64) -> Option<Level> {
    let (prior, all) = (inputs.gram().prior(), inputs.all());
    let rest = all.without(part);
    if !(part.stands_clear() && rest.stands_clear()) {
        return None;
    }
    // All three alike: the noise of the part is in the others too.
    let labour = || Some((by_labour(part)?, by_labour(all)?, by_labour(&rest)?));
    let rows = (by_rows(part, prior), by_rows(all, prior), by_rows(&rest, prior));
    let quieter = labour().filter(|(own, ..)| own.own_spread(part) < rows.0.own_spread(part));
    let (own, whole, others) = quieter.unwrap_or(rows);
    let (n, m) = (part.weight, rest.weight);
    let (inside, outside) = (own.value / n, others.value / m);
    let from_part = own.spread(part, inside) * (1.0 / n + 1.0 / m);
    let noise = from_part.hypot(whole.spread(all, outside) / m);
    let sampling = (variance.max(0.0) * (1.0 / n + 1.0 / m)).sqrt();
    let value = own.base + inside - others.base - outside;
    let around = |sd: f64| Interval::between(value - Z95 * sd, value + Z95 * sd);
    Some(Level { value, exact: around(noise), sampled: around(noise.hypot(sampling)) })
}

/// Mean of a scaled column over everybody; `variance` is that of one clinician's value.
pub fn column(inputs: &Inputs, at: usize, variance: f64) -> Option<Level> {
    let (all, back) = (inputs.all(), inputs.gram().column(at).ok()?);
    let base = back.iter().next().copied()?;
    let rest = back.iter().zip(all.x.iter()).skip(1);
    let value = rest.map(|(w, x)| w * x).sum::<f64>();
    let length: f64 = back.iter().skip(1).map(|w| w * w).sum();
    level(all, &Sum { base, value, sd: all.noise.x * length.sqrt() }, variance)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::model::gram::{Frame, Gram, GramNoise, GramSums, GroupNoise, Later, Predicted};
    use nalgebra::DMatrix;

    fn sums(rows: &[(f64, f64)], noise: f64) -> GroupSums {
        let heads = rows.iter().map(|_| 1.0).sum();
        let x: f64 = rows.iter().map(|(x, _)| 2.0 * x).sum();
        // Residuals from 0.5 + 0.1 x, which is 0.5 + 0.05 x̃.
        let residual = rows.iter().map(|(x, y)| y - 0.5 - 0.1 * x).sum();
        let noise = GroupNoise { heads: noise, weight: noise, residual: noise, x: noise };
        GroupSums {
            heads,
            weight: heads,
            residual,
            x: DVector::from_vec(vec![heads, x]),
            noise,
            later: Later::default(),
        }
    }

    fn inputs(noise: f64) -> (Inputs, f64, f64) {
        let rows: Vec<(f64, f64)> =
            (0..400).map(|i| (f64::from(i % 7) - 3.0, f64::from(i % 11) / 11.0)).collect();
        let (inside, _) = rows.split_at(100);
        let mean = |rows: &[(f64, f64)]| {
            rows.iter().map(|(_, y)| y).sum::<f64>() / rows.iter().map(|_| 1.0).sum::<f64>()
        };
        let (own, rest) = (mean(inside), mean(rows.get(100..).unwrap()));
        let frame = Frame {
            w: DMatrix::from_row_slice(2, 2, &[1.0, 0.0, 0.0, 2.0]),
            b0: DVector::from_vec(vec![0.5, 0.1]),
        };
        let gram = GramSums {
            a: DMatrix::identity(2, 2) * 400.0,
            b: DVector::from_vec(vec![0.0, 0.0]),
            q: 1.0,
        };
        let gram = Gram::new(gram, GramNoise::default(), frame).unwrap();
        let group = vec![sums(inside, noise)];
        (Inputs::new(gram, sums(&rows, noise), group, Vec::new()).unwrap(), own, rest)
    }

    #[test]
    fn means_without_noise_are_those_of_the_rows_whatever_the_prior() {
        let (inputs, own, rest) = inputs(0.0);
        let part = inputs.group(0).unwrap();
        let mean = of(&inputs, part, 0.25).unwrap();
        assert!((mean.value - own).abs() < 1e-12 && mean.exact_data().width() < 1e-12);
        assert!((mean.population().width() - 2.0 * Z95 * 0.05).abs() < 1e-12);
        let others = of(&inputs, &inputs.all().without(part), 0.25).unwrap();
        assert!((others.value - rest).abs() < 1e-12);
        let between = difference(&inputs, part, 0.25).unwrap();
        assert!(
            (between.value - (own - rest)).abs() < 1e-12 && between.exact_data().width() < 1e-12
        );
        let reach = Z95 * (0.25_f64 * (1.0 / 100.0 + 1.0 / 300.0)).sqrt();
        assert!((between.population().width() - 2.0 * reach).abs() < 1e-12);
        let x: f64 = (0..400).map(|i| f64::from(i % 7) - 3.0).sum::<f64>() / 400.0;
        assert!((column(&inputs, 1, 0.0).unwrap().value - x).abs() < 1e-12);
        assert!((column(&inputs, 0, 0.0).unwrap().value - 1.0).abs() < 1e-12);
    }

    #[test]
    fn of_two_ways_to_a_mean_the_one_with_less_noise_is_taken() {
        let (inputs, own, _) = inputs(2.0);
        let plain = inputs.group(0).unwrap();
        let with = |sd: f64| {
            let mut part = plain.clone();
            // What the prior formula says of the rows, on top of 0.5.
            let sum = 0.05 * part.x.get(1).unwrap();
            part.later.predicted = Some(Predicted { sum, sd, base: 0.5 });
            of(&inputs, &part, 0.0).unwrap()
        };
        let rows = of(&inputs, plain, 0.0).unwrap();
        let (loud, quiet) = (with(50.0), with(0.0));
        assert_eq!(loud, rows);
        for level in [rows, quiet] {
            assert!((level.value - own).abs() < 1e-9, "{level:?}");
        }
        assert!(quiet.exact_data().width() < rows.exact_data().width());
    }

    #[test]
    fn noise_widens_a_mean_and_a_difference_more() {
        let (inputs, ..) = inputs(5.0);
        let part = inputs.group(0).unwrap();
        let mean = of(&inputs, part, 0.0).unwrap().exact_data();
        // √(25 + (0.05·5)² + small)/100.
        assert!((mean.width() - 2.0 * Z95 * 0.05).abs() < 0.01, "{mean:?}");
        let between = difference(&inputs, part, 0.0).unwrap().exact_data();
        assert!(between.width() > mean.width() && between.width() < 0.32, "{between:?}");
    }

    #[test]
    fn few_have_a_wide_range_and_fewer_none() {
        // 100 clinicians with noise of 40 and of 60: 2.5 and 1.7 standard deviations.
        let (few, ..) = inputs(40.0);
        let part = few.group(0).unwrap();
        let mean = of(&few, part, 0.0).unwrap();
        let Interval::Bounded { low, high } = mean.exact_data() else { unreachable!("{mean:?}") };
        // Fieller's range is wider than first order's, and not symmetric.
        assert!(high - low > 2.0 * Z95 * 0.4, "{mean:?}");
        assert!((f64::midpoint(low, high) - mean.value).abs() > 1e-3, "{mean:?}");
        assert!(difference(&few, part, 0.0).is_none());
        let (fewer, ..) = inputs(60.0);
        assert!(of(&fewer, fewer.group(0).unwrap(), 0.0).is_none());
    }
}
