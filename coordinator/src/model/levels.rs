//! Sums over the levels of a factor, read off the Gram matrix at no further noise.
//!
//! ```text
//! a_l = W⁻¹e_l, so that x̃·a_l = s·x_l            the reference: a_0 = unit − Σ a_l
//! Σ s²x_l = a_lᵀA·unit      Σ s²x_l (x·β) = a_lᵀA f, f = prior + t      Σ s²x_l x_j = a_lᵀA a_j
//! Cov(aᵀEb, cᵀEd) = τ²/2 · ((a·c)(b·d) + (a·d)(b·c))                    svec noise, any a, b, c, d
//! ```
//! The last line holds because the noise of A does not change its law when the axes are turned: `Var E_jj = τ²` and
//! `Var E_jk = τ²/2` are its two cases. The levels of a factor exclude each other and cover everybody, which
//! makes the reference the rest. Of a group, x̃ summed over its members gives `Σ s·x_l` in the group.
use nalgebra::DVector;

use super::ModelError;
use super::gram::{Gram, GroupSums};
use super::measure::Figure;

/// Where the levels of one factor stand; the reference first. Depends on W alone, not on the noise.
#[derive(Clone, Debug)]
pub struct Levels {
    at: Vec<DVector<f64>>,
}

impl Levels {
    /// The levels whose columns are given, counted from 0 in the design; the reference has none.
    ///
    /// # Errors
    /// [`ModelError::NoSuchCoefficient`] if there is no such column.
    pub fn new(gram: &Gram, columns: &[usize]) -> Result<Self, ModelError> {
        let others = columns.iter().map(|&at| gram.column(at)).collect::<Result<Vec<_>, _>>()?;
        let reference = others.iter().fold(gram.unit().clone(), |rest, level| rest - level);
        Ok(Self { at: std::iter::once(reference).chain(others).collect() })
    }

    /// How many levels there are, with the reference.
    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// Never true: a factor has its reference at least.
    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// Σ s² of each level with the standard deviation of its noise.
    pub fn weights(&self, gram: &Gram) -> Vec<Figure> {
        let of = |a: &DVector<f64>| {
            let variance = covariance(gram, (a, gram.unit()), (a, gram.unit()));
            let value = a.dot(&(&gram.sums().a * gram.unit()));
            Figure { value, standard_error: Some(variance.max(0.0).sqrt()) }
        };
        self.at.iter().map(of).collect()
    }

    /// Σ s²·(x·(prior + t)) of each level: its fitted outcomes, summed.
    pub fn fitted(&self, gram: &Gram, t: &DVector<f64>) -> Vec<f64> {
        let row = &gram.sums().a * (gram.prior() + t);
        self.at.iter().map(|a| a.dot(&row)).collect()
    }

    /// The mean fitted outcome of each level, with its standard error under the noise of A for a fixed t; `None`
    /// where the level's weight is not above four standard deviations of its noise.
    pub fn means(&self, gram: &Gram, t: &DVector<f64>) -> Vec<Option<Figure>> {
        let formula = gram.prior() + t;
        let of = |((a, weight), fitted): ((&DVector<f64>, Figure), f64)| {
            let clear = weight.value > 4.0 * weight.standard_error.unwrap_or(0.0);
            (clear && weight.value > 0.0).then(|| {
                let mean = fitted / weight.value;
                let about = &formula - gram.unit() * mean;
                let variance = covariance(gram, (a, &about), (a, &about)).max(0.0);
                Figure { value: mean, standard_error: Some(variance.sqrt() / weight.value) }
            })
        };
        self.at.iter().zip(self.weights(gram)).zip(self.fitted(gram, t)).map(of).collect()
    }

    /// `Σ s²·x_l·x_j` of each level, for the column j that `along` = `W⁻¹e_j` stands for.
    pub fn sums_along(&self, gram: &Gram, along: &DVector<f64>) -> Vec<f64> {
        let row = &gram.sums().a * along;
        self.at.iter().map(|a| a.dot(&row)).collect()
    }

    /// Σ s of each level within a group, a site or everybody.
    pub fn within(&self, sums: &GroupSums) -> Vec<f64> {
        self.at.iter().map(|a| a.dot(&sums.x)).collect()
    }
}

/// Cov(aᵀEb, cᵀEd) of the noise E in A.
pub fn covariance(
    gram: &Gram,
    (a, b): (&DVector<f64>, &DVector<f64>),
    (c, d): (&DVector<f64>, &DVector<f64>),
) -> f64 {
    gram.noise().tau2 / 2.0 * (a.dot(c) * b.dot(d) + a.dot(d) * b.dot(c))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::super::gram::{Frame, GramNoise, GramSums};
    use super::*;
    use nalgebra::DMatrix;
    use rand::SeedableRng as _;
    use rand::rngs::ChaCha20Rng;
    use rand_distr::{Distribution as _, StandardNormal};

    /// 600 clinicians: a constant, a number, two levels beside the reference; W mixes the columns.
    fn table() -> (DMatrix<f64>, Frame) {
        let x = DMatrix::from_fn(600, 4, |row, column| match column {
            0 => 1.0,
            1 => f64::from(u32::try_from(row * 7 % 40).unwrap()) / 20.0 - 1.0,
            level => f64::from(u8::from(row % 5 == level - 2)),
        });
        let w = [1.0, -0.2, -0.4, -0.3, 0.0, 1.7, 0.1, 0.2, 0.0, 0.0, 2.4, 0.5, 0.0, 0.0, 0.0, 2.2];
        let b0 = DVector::from_vec(vec![0.5, 0.02, 0.0, 0.05]);
        (x, Frame { w: DMatrix::from_row_slice(4, 4, &w), b0 })
    }

    fn gram(tau: f64, seed: u64) -> Gram {
        let (x, frame) = table();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let z = &x * &frame.w;
        let mut a = z.transpose() * &z;
        for j in 0..4 {
            for i in 0..=j {
                let sd = if i == j { tau } else { tau / 2f64.sqrt() };
                let error = sd * normal();
                a[(i, j)] += error;
                a[(j, i)] = a[(i, j)];
            }
        }
        let noise = GramNoise { tau2: tau * tau, vb: 0.0, vq: 0.0 };
        Gram::new(GramSums { a, b: DVector::zeros(4), q: 1.0 }, noise, frame).unwrap()
    }

    #[test]
    fn the_levels_of_a_table_are_counted_and_summed() {
        let (x, frame) = table();
        let gram = gram(0.0, 0);
        let t = DVector::from_vec(vec![0.1, 0.05, -0.02, 0.07]);
        let beta = &frame.b0 + &frame.w * &t;
        let levels = Levels::new(&gram, &[2, 3]).unwrap();
        let fitted = &x * &beta;
        let member = |row: usize, level: usize| match level {
            0 => x[(row, 2)] + x[(row, 3)] == 0.0,
            level => x[(row, level + 1)] > 0.0,
        };
        for level in 0..levels.len() {
            let rows: Vec<usize> = (0..600).filter(|row| member(*row, level)).collect();
            let sum = |of: &dyn Fn(usize) -> f64| rows.iter().map(|row| of(*row)).sum::<f64>();
            let close = |found: f64, expected: f64| {
                assert!((found - expected).abs() < 1e-9, "level {level}: {found} for {expected}");
            };
            let heads = sum(&|_| 1.0);
            close(levels.weights(&gram)[level].value, heads);
            close(levels.fitted(&gram, &t)[level], sum(&|row| fitted[row]));
            close(levels.means(&gram, &t)[level].unwrap().value, sum(&|row| fitted[row]) / heads);
            let along = gram.column(1).unwrap();
            close(levels.sums_along(&gram, &along)[level], sum(&|row| x[(row, 1)]));
        }
        assert!(Levels::new(&gram, &[9]).is_err() && gram.column(4).is_err());
    }

    #[test]
    fn the_noise_of_levels_is_the_one_derived() {
        // 4,000 draws: an sd is known to 1.1 %, so 5 % is 4.5 of its own sds; 6 figures, seeds fixed.
        let t = DVector::from_vec(vec![0.1, 0.05, -0.02, 0.07]);
        let truth = gram(0.0, 0);
        let levels = Levels::new(&truth, &[2, 3]).unwrap();
        let expected = (levels.weights(&truth), levels.means(&truth, &t));
        let draws = 4_000_u32;
        let mut squares = [[0.0; 2]; 3];
        let mut cross = 0.0;
        for draw in 0..draws {
            let noisy = gram(3.0, u64::from(draw) + 1);
            let (weights, means) = (levels.weights(&noisy), levels.means(&noisy, &t));
            let off = |level: usize| weights[level].value - expected.0[level].value;
            for (level, square) in squares.iter_mut().enumerate() {
                let mean = means[level].unwrap().value - expected.1[level].unwrap().value;
                square[0] += off(level).powi(2) / f64::from(draws);
                square[1] += mean.powi(2) / f64::from(draws);
            }
            cross += off(1) * off(2) / f64::from(draws);
        }
        let noisy = gram(3.0, 1);
        let told = (levels.weights(&noisy), levels.means(&truth, &t));
        for (level, square) in squares.iter().enumerate() {
            let weight = square[0].sqrt() / told.0[level].standard_error.unwrap();
            assert!((weight - 1.0).abs() < 0.05, "weight of level {level}: {weight}");
            // The delta method, with the noise of the releases drawn.
            let gram = self::gram(3.0, 7);
            let mean =
                square[1].sqrt() / levels.means(&gram, &t)[level].unwrap().standard_error.unwrap();
            assert!((mean - 1.0).abs() < 0.08, "mean of level {level}: {mean}");
        }
        let at = |level: usize| &levels.at[level];
        let derived = covariance(&noisy, (at(1), noisy.unit()), (at(2), noisy.unit()));
        let sds: f64 = [1, 2].iter().map(|level| told.0[*level].standard_error.unwrap()).product();
        assert!(((cross - derived) / sds).abs() < 0.06, "{cross} against {derived}");
    }
}
