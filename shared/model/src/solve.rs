//! Linear algebra of the model: small, dense, symmetric systems without a ridge.
//!
//! ```text
//! A x = b        by LU of D A D, D = diag(|A_jj|)^(-1/2)       p × p, p up to a few hundred
//! A₊             A with its eigenvalues raised to at least a floor
//! ```
//! A ridge would bias the coefficients and spoil their intervals, so a system without a solution is
//! an error here and never mended silently. LU and not Cholesky: a noisy release may be indefinite,
//! and its plain solution is still the centre of the noise-aware interval.
use nalgebra::linalg::LU;
use nalgebra::{DMatrix, DVector, Dyn, SymmetricEigen};

use crate::ModelError;

/// Smallest pivot, relative to the largest of the scaled matrix, that counts as a solution.
const SMALLEST_PIVOT: f64 = 1e-13;

/// A symmetric matrix, factored once for many right-hand sides.
#[derive(Clone, Debug)]
pub struct Factor {
    lu: LU<f64, Dyn, Dyn>,
    scale: DVector<f64>,
}

impl Factor {
    /// Factors a square matrix. Rows and columns are scaled by the square root of the diagonal
    /// first, so that the units of the coefficients do not decide what counts as singular.
    ///
    /// # Errors
    /// [`ModelError::Shape`] if the matrix is not square; [`ModelError::Singular`] if a pivot of
    /// the scaled matrix is below 1e-13 of the largest, with that ratio.
    pub fn new(matrix: &DMatrix<f64>) -> Result<Self, ModelError> {
        if !matrix.is_square() || matrix.is_empty() {
            return Err(ModelError::Shape {
                what: "system",
                expected: matrix.nrows().max(1),
                found: matrix.ncols(),
            });
        }
        let diagonal = matrix.diagonal();
        let scale = if diagonal.iter().all(|&value| value.abs() > 0.0) {
            diagonal.map(|value| 1.0 / value.abs().sqrt())
        } else {
            DVector::repeat(matrix.nrows(), 1.0)
        };
        let lu = LU::new(scaled(matrix, &scale));
        let pivots = lu.u().diagonal().map(f64::abs);
        let ratio = pivots.min() / pivots.max();
        // `>` and not `<=`, so that a pivot that is not a number counts as singular.
        if ratio > SMALLEST_PIVOT {
            Ok(Self { lu, scale })
        } else {
            Err(ModelError::Singular { smallest_pivot: ratio })
        }
    }

    /// log|det| of the matrix.
    pub fn log_size(&self) -> f64 {
        let pivots: f64 = self.lu.u().diagonal().iter().map(|pivot| pivot.abs().ln()).sum();
        pivots - 2.0 * self.scale.iter().map(|scale| scale.ln()).sum::<f64>()
    }

    /// The solution for one right-hand side of as many rows as the matrix.
    ///
    /// # Errors
    /// [`ModelError::Shape`] if the number of rows differs.
    pub fn solve(&self, rhs: &DVector<f64>) -> Result<DVector<f64>, ModelError> {
        same_length("right-hand side", self.scale.len(), rhs.len())?;
        self.lu
            .solve(&rhs.component_mul(&self.scale))
            .map(|solution| solution.component_mul(&self.scale))
            .ok_or(ModelError::Singular { smallest_pivot: 0.0 })
    }

    /// The solutions for the columns of `rhs`.
    ///
    /// # Errors
    /// [`ModelError::Shape`] if the number of rows differs.
    pub fn solve_columns(&self, rhs: &DMatrix<f64>) -> Result<DMatrix<f64>, ModelError> {
        same_length("right-hand side", self.scale.len(), rhs.nrows())?;
        let mut solution = rhs.clone();
        for mut column in solution.column_iter_mut() {
            let solved = self.solve(&column.clone_owned())?;
            column.copy_from(&solved);
        }
        Ok(solution)
    }

    /// The inverse of the matrix.
    ///
    /// # Errors
    /// [`ModelError::Singular`] if a column has no solution.
    pub fn inverse(&self) -> Result<DMatrix<f64>, ModelError> {
        let rows = self.scale.len();
        self.solve_columns(&DMatrix::identity(rows, rows))
    }
}

/// Raises the eigenvalues of a symmetric matrix to at least `floor`.
///
/// # Errors
/// [`ModelError::NoConvergence`] if the eigenvalue iteration does not end.
pub fn floored(matrix: &DMatrix<f64>, floor: f64) -> Result<DMatrix<f64>, ModelError> {
    let eigen = eigen(matrix)?;
    let values = eigen.eigenvalues.map(|value| value.max(floor));
    let vectors = &eigen.eigenvectors;
    Ok(vectors * DMatrix::from_diagonal(&values) * vectors.transpose())
}

/// The smallest eigenvalue of a symmetric matrix.
///
/// # Errors
/// [`ModelError::NoConvergence`] if the eigenvalue iteration does not end.
pub fn smallest_eigenvalue(matrix: &DMatrix<f64>) -> Result<f64, ModelError> {
    Ok(eigen(matrix)?.eigenvalues.min())
}

/// Checks a number of entries.
///
/// # Errors
/// [`ModelError::Shape`] if the two differ.
pub fn same_length(what: &'static str, expected: usize, found: usize) -> Result<(), ModelError> {
    if expected == found { Ok(()) } else { Err(ModelError::Shape { what, expected, found }) }
}

fn eigen(matrix: &DMatrix<f64>) -> Result<SymmetricEigen<f64, Dyn>, ModelError> {
    // Implicit QR needs two or three sweeps per eigenvalue; a hundred is far beyond any finite matrix.
    let limit = matrix.nrows().max(1).saturating_mul(100);
    SymmetricEigen::try_new(matrix.clone(), f64::EPSILON, limit).ok_or(ModelError::NoConvergence)
}

fn scaled(matrix: &DMatrix<f64>, scale: &DVector<f64>) -> DMatrix<f64> {
    let mut result = matrix.clone();
    for (mut column, factor) in result.column_iter_mut().zip(scale.iter()) {
        column.component_mul_assign(scale);
        column *= *factor;
    }
    result
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_solution_solves_whatever_the_units() {
        let matrix = DMatrix::from_row_slice(2, 2, &[4.0e12, 2.0e6, 2.0e6, 3.0]);
        let truth = DVector::from_vec(vec![1.0e-6, -2.0]);
        let solution = Factor::new(&matrix).unwrap().solve(&(&matrix * &truth)).unwrap();
        assert!((solution - truth).amax() < 1e-12);
    }

    #[test]
    fn an_indefinite_matrix_still_has_a_plain_solution() {
        let matrix = DMatrix::from_row_slice(2, 2, &[1.0, 2.0, 2.0, 1.0]);
        let solution =
            Factor::new(&matrix).unwrap().solve(&DVector::from_vec(vec![3.0, 3.0])).unwrap();
        assert!((solution - DVector::from_vec(vec![1.0, 1.0])).amax() < 1e-14);
    }

    #[test]
    fn dependent_columns_and_bad_shapes_are_refused() {
        let dependent = DMatrix::from_row_slice(2, 2, &[1.0, 3.0, 3.0, 9.0]);
        assert!(matches!(Factor::new(&dependent), Err(ModelError::Singular { .. })));
        assert!(matches!(
            Factor::new(&DMatrix::from_element(2, 2, f64::NAN)),
            Err(ModelError::Singular { .. })
        ));
        assert!(matches!(Factor::new(&DMatrix::zeros(2, 3)), Err(ModelError::Shape { .. })));
        let unit = Factor::new(&DMatrix::identity(2, 2)).unwrap();
        assert!(unit.solve(&DVector::zeros(3)).is_err());
        assert!(unit.solve_columns(&DMatrix::zeros(1, 2)).is_err());
    }

    #[test]
    fn the_floor_lifts_small_eigenvalues_only() {
        let matrix = DMatrix::from_row_slice(2, 2, &[1.0, 2.0, 2.0, 1.0]);
        let lifted = floored(&matrix, 0.5).unwrap();
        assert!((smallest_eigenvalue(&matrix).unwrap() + 1.0).abs() < 1e-12);
        assert!((smallest_eigenvalue(&lifted).unwrap() - 0.5).abs() < 1e-12);
        let unit = DVector::from_vec(vec![1.0, 1.0]);
        assert!((&lifted * &unit - 3.0 * &unit).amax() < 1e-12);
    }
}
