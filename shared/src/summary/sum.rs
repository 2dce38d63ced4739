//! The exact sum of one site's contributions.
//!
//! Contributions are at most 2^24 each and a site has at most 10^6 rows, so a coordinate stays below
//! 2^44: the sum cannot overflow, and is checked all the same.
use super::contribution::Contribution;
use std::fmt;
use zeroize::Zeroize;

/// Why a contribution was not added. The sum is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SumError {
    /// The study admits no more rows.
    #[error("more than {cap} rows; the study admits no more per site")]
    RowCap {
        /// The cap.
        cap: u32,
    },
    /// The contribution was made for another layout.
    #[error("a contribution of {found} numbers; the sum has {expected}")]
    Dimension {
        /// Its length.
        found: usize,
        /// The sum's.
        expected: usize,
    },
    /// Beyond 64 bits, which the row cap rules out.
    #[error("the sum left the range of 64 bits")]
    Overflow,
}

/// One site's exact sum. It leaves a hospital only as noise covers it: a release consumes it.
#[must_use = "release the sum, or nothing of this site is counted"]
pub struct SiteSum {
    sum: Vec<i64>,
    rows: u32,
    cap: u32,
}

impl SiteSum {
    /// An empty sum of `dimension` numbers that admits `cap` rows.
    pub fn new(dimension: usize, cap: u32) -> Self {
        Self { sum: vec![0; dimension], rows: 0, cap }
    }

    /// The sum with one more clinician.
    ///
    /// # Errors
    /// [`SumError`]; the sum is given up, for a site that has more rows than the study admits must
    /// not answer with some of them.
    #[expect(clippy::should_implement_trait, reason = "it can fail")]
    pub fn add(mut self, contribution: &Contribution) -> Result<Self, SumError> {
        let quanta = contribution.quanta();
        if quanta.len() != self.sum.len() {
            let expected = self.sum.len();
            return Err(SumError::Dimension { found: quanta.len(), expected });
        }
        if self.rows >= self.cap {
            return Err(SumError::RowCap { cap: self.cap });
        }
        for (total, x) in self.sum.iter_mut().zip(quanta) {
            *total = total.checked_add(*x).ok_or(SumError::Overflow)?;
        }
        self.rows = self.rows.saturating_add(1);
        Ok(self)
    }

    /// How many rows it sums. Stays at the hospital.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// How many numbers it has.
    pub fn dimension(&self) -> usize {
        self.sum.len()
    }

    /// The numbers, for the release that consumes the sum.
    pub(crate) fn numbers(&self) -> &[i64] {
        &self.sum
    }
}

impl Drop for SiteSum {
    fn drop(&mut self) {
        self.sum.zeroize();
    }
}

impl fmt::Debug for SiteSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SiteSum({} numbers)", self.sum.len())
    }
}
