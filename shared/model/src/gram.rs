//! What a fit is given: one Gram release and the sums of groups and sites, with their noise.
//!
//! ```text
//! x̃ = s·(x W)      r = s·(y − x·b0)      s: row weight in (0, 1], depends on x only
//! A = Σ x̃x̃ᵀ + E    b = Σ x̃ r + e    q = Σ r² + e_q
//! Var E_jj = τ²    Var E_jk = τ²/2    Var e_j = v_b    Var e_q = v_q          all independent
//! a group:  weight = Σ s    residual = Σ r    x = Σ x̃                         each + known noise
//! ```
//! t are coefficients in whitened units, β = b0 + W t those of the columns as people know them.
//! The mean residual of a fit t in a group is (residual − xᵀt)/weight.
//! Noise-free sums are the special case of all variances 0, so one code serves both.
//! How a release becomes these numbers is [`crate::moments`]'s work.
use nalgebra::{DMatrix, DVector};

use crate::ModelError;
pub use crate::later::{GroupNoise, Later, Predicted};
use crate::solve::{Factor, same_length, smallest_eigenvalue};

/// Most coefficients a model may have: bounds the p³ work that a release can ask for.
pub const MOST_COEFFICIENTS: usize = 1_000;

/// The three sums of a regression: A (p×p, symmetric), b (p) and q.
#[derive(Clone, Debug, PartialEq)]
pub struct GramSums {
    /// Σ x̃x̃ᵀ.
    pub a: DMatrix<f64>,
    /// Σ x̃r.
    pub b: DVector<f64>,
    /// Σ r².
    pub q: f64,
}

/// Known noise variances of [`GramSums`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GramNoise {
    /// Variance of a diagonal entry of A; an entry off the diagonal has half of it.
    pub tau2: f64,
    /// Variance of an entry of b.
    pub vb: f64,
    /// Variance of q.
    pub vq: f64,
}

/// The public frame of a release: x̃ = x W, residuals against the prior coefficients b0.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// W, p×p, invertible.
    pub w: DMatrix<f64>,
    /// b0, p, in units of the columns.
    pub b0: DVector<f64>,
}

/// One Gram release. Only [`Gram::new`] makes one: shapes agree, every number is finite, A is
/// symmetric, W invertible. The first column of x is the constant 1; that is the caller's duty.
#[derive(Clone, Debug)]
pub struct Gram {
    sums: GramSums,
    noise: GramNoise,
    frame: Frame,
    /// W, factored.
    whitening: Factor,
    /// W⁻¹e₁: x̃ᵀ·unit = s.
    unit: DVector<f64>,
    /// W⁻¹b0: x̃ᵀ·prior = s·x·b0.
    prior: DVector<f64>,
    /// How many rows there are, where A does not say.
    rows: Option<f64>,
}

impl Gram {
    /// Checks and keeps a release.
    ///
    /// # Errors
    /// [`ModelError::Shape`], [`ModelError::NotFinite`], [`ModelError::NegativeVariance`],
    /// [`ModelError::NotSymmetric`]; [`ModelError::Singular`] if W is not invertible.
    pub fn new(sums: GramSums, noise: GramNoise, frame: Frame) -> Result<Self, ModelError> {
        let p = sums.b.len();
        if p == 0 || p > MOST_COEFFICIENTS {
            return Err(ModelError::Coefficients { found: p, most: MOST_COEFFICIENTS });
        }
        same_length("rows of A", p, sums.a.nrows())?;
        same_length("columns of A", p, sums.a.ncols())?;
        same_length("rows of W", p, frame.w.nrows())?;
        same_length("columns of W", p, frame.w.ncols())?;
        same_length("prior coefficients", p, frame.b0.len())?;
        finite("A", sums.a.iter())?;
        finite("b", sums.b.iter())?;
        finite("q", [&sums.q])?;
        finite("W", frame.w.iter())?;
        finite("b0", frame.b0.iter())?;
        for (what, variance) in [("A", noise.tau2), ("b", noise.vb), ("q", noise.vq)] {
            // A NaN is not `>= 0` either.
            if !(variance >= 0.0 && variance.is_finite()) {
                return Err(ModelError::NegativeVariance { what });
            }
        }
        let gap = (&sums.a - sums.a.transpose()).amax();
        if gap > 1e-9 * sums.a.amax() {
            return Err(ModelError::NotSymmetric);
        }
        let whitening = Factor::new(&frame.w)?;
        let mut first = DVector::zeros(p);
        if let Some(entry) = first.iter_mut().next() {
            *entry = 1.0;
        }
        let unit = whitening.solve(&first)?;
        let prior = whitening.solve(&frame.b0)?;
        let a = (&sums.a + sums.a.transpose()) * 0.5;
        let sums = GramSums { a, ..sums };
        Ok(Self { sums, noise, frame, whitening, unit, prior, rows: None })
    }

    /// The same release, of so many rows: where they are weighted, A does not count them.
    #[must_use = "returns the changed release"]
    pub fn of_rows(self, rows: f64) -> Self {
        Self { rows: Some(rows), ..self }
    }

    /// How many rows there are, where A does not say.
    pub fn rows(&self) -> Option<f64> {
        self.rows
    }

    /// Noise-free sums in the units of the columns: W = I, b0 = 0.
    ///
    /// # Errors
    /// As [`Gram::new`].
    pub fn exact(sums: GramSums) -> Result<Self, ModelError> {
        let p = sums.b.len().min(MOST_COEFFICIENTS);
        let frame = Frame { w: DMatrix::identity(p, p), b0: DVector::zeros(p) };
        Self::new(sums, GramNoise::default(), frame)
    }

    /// Number of coefficients p.
    pub fn len(&self) -> usize {
        self.sums.b.len()
    }

    /// Never true: a release has at least one coefficient.
    pub fn is_empty(&self) -> bool {
        self.sums.b.is_empty()
    }

    /// The sums A, b, q.
    pub fn sums(&self) -> &GramSums {
        &self.sums
    }

    /// The noise variances.
    pub fn noise(&self) -> GramNoise {
        self.noise
    }

    /// W and b0.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// W⁻¹e₁, the constant 1 in whitened coordinates.
    pub fn unit(&self) -> &DVector<f64> {
        &self.unit
    }

    /// W⁻¹, one column for each of [`Gram::column`].
    ///
    /// # Errors
    /// [`ModelError::Singular`] as [`Factor::inverse`].
    pub fn columns(&self) -> Result<DMatrix<f64>, ModelError> {
        self.whitening.inverse()
    }

    /// W⁻¹eⱼ, by which a row x̃ gives its s·xⱼ.
    ///
    /// # Errors
    /// [`ModelError::NoSuchCoefficient`] if there is no column j.
    pub fn column(&self, j: usize) -> Result<DVector<f64>, ModelError> {
        let coefficients = self.len();
        let mut column = DVector::zeros(coefficients);
        let entry = column.get_mut(j);
        *entry.ok_or(ModelError::NoSuchCoefficient { index: j, coefficients })? = 1.0;
        self.whitening.solve(&column)
    }

    /// W⁻¹b0, the prior coefficients in whitened coordinates.
    pub fn prior(&self) -> &DVector<f64> {
        &self.prior
    }

    /// Whether no number of the release carries noise.
    pub fn is_exact(&self) -> bool {
        self.noise == GramNoise::default()
    }

    /// Cov(e − E t), p×p: the noise of the normal equations at t.
    ///
    /// ```text
    /// (v_b + τ²‖t‖²/2) I + (τ²/2) t tᵀ
    /// ```
    pub fn noise_cov(&self, t: &DVector<f64>) -> DMatrix<f64> {
        let half = self.noise.tau2 / 2.0;
        let mut cov = t * t.transpose() * half;
        let level = self.noise.vb + half * t.norm_squared();
        // Every (p + 1)-th entry in column order is on the diagonal.
        for entry in cov.iter_mut().step_by(t.len() + 1) {
            *entry += level;
        }
        cov
    }

    /// Typical operator norm of the noise in A, √(2τ²p).
    pub fn noise_norm(&self) -> f64 {
        (2.0 * self.noise.tau2 * float(self.len())).sqrt()
    }

    /// κ: the smallest eigenvalue of A over the noise norm; infinite without noise in A.
    ///
    /// # Errors
    /// [`ModelError::NoConvergence`] if the eigenvalue iteration does not end.
    pub fn kappa(&self) -> Result<f64, ModelError> {
        let norm = self.noise_norm();
        if norm > 0.0 { Ok(smallest_eigenvalue(&self.sums.a)? / norm) } else { Ok(f64::INFINITY) }
    }

    /// β = b0 + W t, p, in units of the columns.
    ///
    /// # Errors
    /// [`ModelError::Shape`] if t has another length.
    pub fn coefficients(&self, t: &DVector<f64>) -> Result<DVector<f64>, ModelError> {
        same_length("coefficients", self.len(), t.len())?;
        Ok(&self.frame.b0 + &self.frame.w * t)
    }
}

/// Sums over one group, one site or everybody.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSums {
    /// Number of clinicians.
    pub heads: f64,
    /// Σ s, the number of clinicians after down-weighting of extreme rows.
    pub weight: f64,
    /// Σ r.
    pub residual: f64,
    /// Σ x̃, p.
    pub x: DVector<f64>,
    /// Noise of the numbers above.
    pub noise: GroupNoise,
    /// What not every release says besides.
    pub later: Later,
}

impl GroupSums {
    /// Whether the weight stands clear of its noise: positive and above four standard deviations.
    /// Ratios of anything less say nothing.
    pub fn stands_clear(&self) -> bool {
        self.weight > 0.0 && self.weight > 4.0 * self.noise.weight
    }

    /// Whether the weight is the first entry of x itself, noise and all, as in every release of a score: then the two
    /// err together.
    pub fn weighs_by_first(&self) -> bool {
        self.x.iter().next().is_some_and(|first| first.to_bits() == self.weight.to_bits())
    }

    /// Mean residual of the fit t, or `None` if the weight does not stand clear of its noise.
    /// The caller gives a t of as many entries as `x`.
    pub fn mean_residual(&self, t: &DVector<f64>) -> Option<f64> {
        let same = self.x.len() == t.len();
        (same && self.stands_clear()).then(|| (self.residual - self.x.dot(t)) / self.weight)
    }

    /// Everybody of `self` who is not in `part`, with the noise of both.
    #[must_use = "returns the difference"]
    pub fn without(&self, part: &Self) -> Self {
        Self {
            heads: self.heads - part.heads,
            weight: self.weight - part.weight,
            residual: self.residual - part.residual,
            x: &self.x - &part.x,
            noise: GroupNoise {
                heads: self.noise.heads.hypot(part.noise.heads),
                weight: self.noise.weight.hypot(part.noise.weight),
                residual: self.noise.residual.hypot(part.noise.residual),
                x: self.noise.x.hypot(part.noise.x),
            },
            later: self.later.without(&part.later),
        }
    }

    fn check(&self, p: usize) -> Result<(), ModelError> {
        same_length("group sums", p, self.x.len())?;
        finite("group sums", [&self.heads, &self.weight, &self.residual])?;
        finite("group sums", self.x.iter())?;
        let noise = self.noise;
        finite("group sums", &self.later.along)?;
        finite("group sums", &self.later.members)?;
        finite("group sums", self.later.predicted.iter().map(|predicted| &predicted.sum))?;
        let predicted = self.later.predicted.map_or(0.0, |predicted| predicted.sd);
        let later = [self.later.along_sd, self.later.members_sd, predicted];
        for sd in [noise.heads, noise.weight, noise.residual, noise.x].into_iter().chain(later) {
            if !(sd >= 0.0 && sd.is_finite()) {
                return Err(ModelError::NegativeVariance { what: "group sums" });
            }
        }
        Ok(())
    }
}

/// A Gram release with its group and site sums. Only [`Inputs::new`] makes one: all parts have the same p and are finite.
#[derive(Clone, Debug)]
pub struct Inputs {
    gram: Gram,
    all: GroupSums,
    groups: Vec<GroupSums>,
    sites: Vec<GroupSums>,
}

impl Inputs {
    /// Checks and keeps the parts. Groups may overlap; sites do not.
    ///
    /// # Errors
    /// [`ModelError::Shape`], [`ModelError::NotFinite`] or [`ModelError::NegativeVariance`].
    pub fn new(
        gram: Gram,
        all: GroupSums,
        groups: Vec<GroupSums>,
        sites: Vec<GroupSums>,
    ) -> Result<Self, ModelError> {
        for sums in std::iter::once(&all).chain(&groups).chain(&sites) {
            sums.check(gram.len())?;
        }
        Ok(Self { gram, all, groups, sites })
    }

    /// The Gram release.
    pub fn gram(&self) -> &Gram {
        &self.gram
    }

    /// Sums over everybody.
    pub fn all(&self) -> &GroupSums {
        &self.all
    }

    /// Sums of each group, in the order of the study.
    pub fn groups(&self) -> &[GroupSums] {
        &self.groups
    }

    /// Sums of each site, in the order of the roster.
    pub fn sites(&self) -> &[GroupSums] {
        &self.sites
    }

    /// The sums of one group.
    ///
    /// # Errors
    /// [`ModelError::NoSuchGroup`] if there are not that many.
    pub fn group(&self, index: usize) -> Result<&GroupSums, ModelError> {
        self.groups.get(index).ok_or(ModelError::NoSuchGroup { index, groups: self.groups.len() })
    }
}

/// A count as a number; counts here are far below 2⁵³.
#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of coefficients, groups and units are far below 2^53"
)]
pub fn float(count: usize) -> f64 {
    count as f64
}

fn finite<'a>(
    what: &'static str,
    values: impl IntoIterator<Item = &'a f64>,
) -> Result<(), ModelError> {
    if values.into_iter().all(|value| value.is_finite()) {
        Ok(())
    } else {
        Err(ModelError::NotFinite { what })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn sums() -> GramSums {
        GramSums {
            a: DMatrix::from_row_slice(2, 2, &[10.0, 1.0, 1.0, 4.0]),
            b: DVector::from_vec(vec![2.0, 1.0]),
            q: 3.0,
        }
    }

    fn frame() -> Frame {
        Frame {
            w: DMatrix::from_row_slice(2, 2, &[1.0, 0.5, 0.0, 2.0]),
            b0: DVector::from_vec(vec![0.25, 0.5]),
        }
    }

    #[test]
    fn malformed_releases_are_refused() {
        let good = Gram::new(sums(), GramNoise::default(), frame());
        assert!(good.is_ok());
        let mut skew = sums();
        skew.a = DMatrix::from_row_slice(2, 2, &[10.0, 1.0, 1.1, 4.0]);
        let mut infinite = sums();
        infinite.q = f64::INFINITY;
        let mut long = sums();
        long.b = DVector::zeros(3);
        let mut flat = frame();
        flat.w = DMatrix::from_element(2, 2, 1.0);
        let noise = GramNoise { tau2: -1.0, ..GramNoise::default() };
        let none = GramNoise::default();
        assert_eq!(Gram::new(skew, none, frame()).unwrap_err(), ModelError::NotSymmetric);
        assert_eq!(
            Gram::new(infinite, none, frame()).unwrap_err(),
            ModelError::NotFinite { what: "q" }
        );
        assert!(matches!(Gram::new(long, none, frame()), Err(ModelError::Shape { .. })));
        assert!(matches!(Gram::new(sums(), none, flat), Err(ModelError::Singular { .. })));
        assert_eq!(
            Gram::new(sums(), noise, frame()).unwrap_err(),
            ModelError::NegativeVariance { what: "A" }
        );
    }

    #[test]
    fn whitened_coordinates_lead_back_to_the_columns() {
        let gram = Gram::new(sums(), GramNoise::default(), frame()).unwrap();
        let first = &gram.frame().w * gram.unit();
        assert!((first - DVector::from_vec(vec![1.0, 0.0])).amax() < 1e-14);
        let zero = gram.coefficients(&(-gram.prior())).unwrap();
        assert!(zero.amax() < 1e-14);
        assert!(gram.kappa().unwrap().is_infinite());
    }

    #[test]
    fn group_sums_of_another_size_are_refused() {
        let gram = Gram::exact(sums()).unwrap();
        let all = GroupSums {
            heads: 10.0,
            weight: 10.0,
            residual: 2.0,
            x: DVector::zeros(3),
            noise: GroupNoise::default(),
            later: Later::default(),
        };
        assert!(matches!(
            Inputs::new(gram, all, Vec::new(), Vec::new()),
            Err(ModelError::Shape { .. })
        ));
    }
}
