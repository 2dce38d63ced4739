//! Noise-free sums of a table of rows: for checks against references and for rehearsals.
//!
//! ```text
//! A = Σ w xxᵀ    b = Σ w x y    q = Σ w y²        a group: Σ w, Σ w y, Σ w x
//! ```
//! A hospital's rows never reach the coordinator; a federation sends sums.
use nalgebra::{DMatrix, DVector};

use super::ModelError;
use super::gram::{Gram, GramSums, GroupNoise, GroupSums, Inputs, Later};
use super::solve::same_length;

/// A table of n rows and p columns.
#[derive(Clone)]
pub struct Rows {
    /// n×p, first column 1.
    pub x: DMatrix<f64>,
    /// Outcome, n.
    pub y: DVector<f64>,
    /// Weight of each row in the sum of squares, n.
    pub weight: DVector<f64>,
    /// One column of flags (0 or 1) per group, each n.
    pub groups: Vec<DVector<f64>>,
}

impl Rows {
    /// The sums, in units of the columns: W = I, b0 = 0, so that t = β.
    ///
    /// # Errors
    /// [`ModelError::Shape`] if the columns differ in length, [`ModelError::NotFinite`] or
    /// [`ModelError::Coefficients`] as [`Gram::new`].
    pub fn sums(&self) -> Result<Inputs, ModelError> {
        let n = self.x.nrows();
        same_length("outcomes", n, self.y.len())?;
        same_length("weights", n, self.weight.len())?;
        let mut weighted = self.x.clone();
        for mut column in weighted.column_iter_mut() {
            column.component_mul_assign(&self.weight);
        }
        let gram = Gram::exact(GramSums {
            a: self.x.transpose() * &weighted,
            b: weighted.transpose() * &self.y,
            q: self.y.component_mul(&self.weight).dot(&self.y),
        })?;
        let all = self.part(&DVector::repeat(n, 1.0))?;
        let groups =
            self.groups.iter().map(|member| self.part(member)).collect::<Result<_, _>>()?;
        Inputs::new(gram, all, groups, Vec::new())
    }

    fn part(&self, member: &DVector<f64>) -> Result<GroupSums, ModelError> {
        same_length("group flags", self.x.nrows(), member.len())?;
        let weight = member.component_mul(&self.weight);
        Ok(GroupSums {
            heads: member.sum(),
            weight: weight.sum(),
            residual: weight.dot(&self.y),
            x: self.x.transpose() * weight,
            noise: GroupNoise::default(),
            later: Later::default(),
        })
    }
}
