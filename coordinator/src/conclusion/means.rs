//! Means of the outcome and of columns over some clinicians, from their sums, with what noise and sampling do to them.
//!
//! ```text
//! mean y = base + (Σr + Σ s(m − base)) / Σs      m: the prior formula of the row, as released or from Σx̃
//! mean xⱼ = (Σx̃ · W⁻¹)ⱼ / Σs
//! se² = (sd_T² + mean² sd_N²)/N² and, for the population, variance/N         first order
//! in − out: the noise of the inside counts with 1/N_in + 1/N_out, that of everybody with 1/N_out
//! ```
//! Everything is in scaled units of the outcome or of the column.
use crate::model::gram::{GroupSums, Inputs};
use crate::model::uncertainty::{Interval, Z95};
use nalgebra::DVector;

/// A number, the standard deviation of its noise, and that of sampling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// The number.
    pub value: f64,
    /// What privacy noise does to it.
    pub noise: f64,
    /// What it does that these clinicians are a sample.
    pub sampling: f64,
}

impl Level {
    /// Where it would lie without noise, 95 times in 100.
    pub fn exact_data(&self) -> Interval {
        self.around(self.noise)
    }

    /// Where it lies for all such clinicians.
    pub fn population(&self) -> Interval {
        self.around(self.noise.hypot(self.sampling))
    }

    fn around(&self, sd: f64) -> Interval {
        Interval::between(self.value - Z95 * sd, self.value + Z95 * sd)
    }
}

/// A sum over rows, on top of `base` for each weight.
struct Sum {
    base: f64,
    value: f64,
    sd: f64,
}

fn outcome(sums: &GroupSums, prior: &DVector<f64>) -> Sum {
    if let Some(m) = sums.later.predicted {
        let sd = sums.noise.residual.hypot(m.sd);
        return Sum { base: m.base, value: sums.residual + m.sum, sd };
    }
    let base = prior.iter().next().copied().unwrap_or(0.0);
    let rest = prior.iter().zip(sums.x.iter()).skip(1);
    let value = rest.map(|(v, x)| v * x).sum::<f64>();
    let length: f64 = prior.iter().skip(1).map(|v| v * v).sum();
    let sd = sums.noise.residual.hypot(sums.noise.x * length.sqrt());
    Sum { base, value: sums.residual + value, sd }
}

fn level(sums: &GroupSums, sum: &Sum, variance: f64) -> Option<Level> {
    sums.stands_clear().then(|| {
        let mean = sum.value / sums.weight;
        Level {
            value: sum.base + mean,
            noise: sum.sd.hypot(mean * sums.noise.weight) / sums.weight,
            sampling: (variance.max(0.0) / sums.weight).sqrt(),
        }
    })
}

/// Mean outcome of a group or of everybody; `variance` is that of one clinician's. `None` where the sums do not stand clear.
pub fn of(inputs: &Inputs, sums: &GroupSums, variance: f64) -> Option<Level> {
    level(sums, &outcome(sums, inputs.gram().prior()), variance)
}

/// Mean outcome of a group less that of everybody else.
pub fn difference(inputs: &Inputs, part: &GroupSums, variance: f64) -> Option<Level> {
    let (prior, all) = (inputs.gram().prior(), inputs.all());
    let rest = all.without(part);
    let (own, whole, others) = (outcome(part, prior), outcome(all, prior), outcome(&rest, prior));
    let (inside, outside) = (level(part, &own, variance)?, level(&rest, &others, variance)?);
    let spread = |sum: &Sum, sums: &GroupSums, mean: f64| {
        sum.sd.hypot((mean - sum.base) * sums.noise.weight)
    };
    let (n, m) = (part.weight, rest.weight);
    let from_part = spread(&own, part, inside.value) * (1.0 / n + 1.0 / m);
    let from_all = spread(&whole, all, outside.value) / m;
    Some(Level {
        value: inside.value - outside.value,
        noise: from_part.hypot(from_all),
        sampling: inside.sampling.hypot(outside.sampling),
    })
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
    use crate::model::gram::{Frame, Gram, GramNoise, GramSums, GroupNoise, Later};
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
        assert!((mean.value - own).abs() < 1e-12 && mean.noise == 0.0);
        assert!((mean.sampling - 0.05).abs() < 1e-12);
        let between = difference(&inputs, part, 0.0).unwrap();
        assert!((between.value - (own - rest)).abs() < 1e-12 && between.sampling == 0.0);
        let x: f64 = (0..400).map(|i| f64::from(i % 7) - 3.0).sum::<f64>() / 400.0;
        assert!((column(&inputs, 1, 0.0).unwrap().value - x).abs() < 1e-12);
        assert!((column(&inputs, 0, 0.0).unwrap().value - 1.0).abs() < 1e-12);
    }

    #[test]
    fn noise_widens_and_hides_what_is_small() {
        let (inputs, ..) = inputs(5.0);
        let part = inputs.group(0).unwrap();
        let mean = of(&inputs, part, 0.0).unwrap();
        // √(25 + (0.05·5)² + small)/100.
        assert!((mean.noise - 0.05).abs() < 0.002, "{mean:?}");
        let between = difference(&inputs, part, 0.0).unwrap();
        assert!(between.noise > mean.noise && between.noise < 0.08, "{between:?}");
        let (hidden, ..) = super::tests::inputs(40.0);
        assert!(of(&hidden, hidden.group(0).unwrap(), 0.0).is_none());
    }
}
