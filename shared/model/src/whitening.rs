//! W of a later period: rows about white, but nobody longer than the norm cap by one column alone.
//!
//! ```text
//! A₊ = A, eigenvalues floored at √(2τ²p)        A' = W⁻ᵀA₊W⁻¹, n = A'₁₁        S = A'/n, floored at 1e-4
//!     Sⱼⱼ raised until (S⁻¹)ⱼⱼ dⱼ² ≤ 1.5625p, column by column        d: 1 for the level of a factor, 2 for a number that
//!     is 0 or 1, ½ for another
//! S = LLᵀ, W_next = L⁻ᵀ
//! ```
//! A row moves by (S⁻¹)ⱼⱼ^½ when column j does by one unit. Left to itself, whoever has a rare mark would be longer than the
//! cap, the release would show the mark weaker than it is, and the next W stretch it further, period after period.
use crate::ModelError;
use crate::gram::{Gram, float};
use crate::solve::{Factor, floored};
use nalgebra::{Cholesky, DMatrix};
use tacit_shared::study::schema::{Column, Feature, Schema};

/// Least eigenvalue of the second moments that whitening blows up.
const SPECTRUM_FLOOR: f64 = 1e-4;
/// The norm cap over the root of the number of columns, for rows whose second moments are 1.
pub(crate) const CAP: f64 = 1.25;
/// How far from its mean, in half ranges, a number counts as special. Farther ones are few, or the column is narrow, and
/// then stretching it is what whitening is for.
const REACH: f64 = 0.5;

/// How far whoever is special in a column lies from the mean, in units of the column: of a mark its whole. The intercept has
/// no reach.
pub(crate) fn reaches(schema: &Schema) -> Vec<f64> {
    let of = |feature: &Feature| {
        let (columns, reach) = match feature.levels.len() {
            // From one end of the range to the other are two units.
            0 if feature.source.is_flag() => (1, 2.0),
            0 => (1, REACH),
            levels => (levels.saturating_sub(1), 1.0),
        };
        std::iter::repeat_n(reach, columns)
    };
    std::iter::once(0.0).chain(schema.features.iter().flat_map(of)).collect()
}

/// How far whitening brings the columns of a study, by their public spreads: the least second moment that one has
/// afterwards, at most 1. A rare level is brought less far, so that whoever has it is no longer than the cap.
pub fn brought(schema: &Schema) -> f64 {
    let reaches = reaches(schema);
    let levels = schema.features.iter().flat_map(|feature| {
        std::iter::repeat_n(
            !feature.levels.is_empty(),
            feature.levels.len().saturating_sub(1).max(1),
        )
    });
    let columns = schema.columns();
    let most = CAP * CAP * float(columns.len());
    let after = |((column, reach), level): ((&Column, &f64), bool)| {
        let square = column.rms * column.rms;
        let variance = if level { square * (1.0 - square).max(0.0) } else { square };
        variance * most / (reach * reach)
    };
    let effects = columns.iter().zip(&reaches).skip(1).zip(levels);
    effects.map(after).fold(1.0, f64::min)
}

/// W of the next period, upper triangular with a first column of (1, 0, …), and A'₁₁.
/// Nobody who lies by `reaches` from the mean in one column is made longer than the cap by it.
pub(crate) fn whitening(gram: &Gram, reaches: &[f64]) -> Result<(DMatrix<f64>, f64), ModelError> {
    let positive = floored(&gram.sums().a, gram.noise_norm())?;
    let back = gram.columns()?;
    let moments = back.transpose() * positive * &back;
    let weight = moments.iter().next().copied().unwrap_or(0.0);
    let mut spectrum = floored(&(moments / weight), SPECTRUM_FLOOR)?;
    let mut inverse = Factor::new(&spectrum)?.inverse()?;
    for (column, reach) in reaches.iter().enumerate().skip(1) {
        let most = CAP * CAP * float(gram.len()) / (reach * reach);
        let stretch = inverse.get((column, column)).copied();
        // By Sherman and Morrison this makes it `most`, and no other larger.
        let lacks = stretch.filter(|stretch| *stretch > most).map(|g| 1.0 / most - 1.0 / g);
        if let Some((entry, lacks)) = spectrum.get_mut((column, column)).zip(lacks) {
            *entry += lacks;
            inverse = Factor::new(&spectrum)?.inverse()?;
        }
    }
    let level = spectrum.iter().next().copied().unwrap_or(1.0);
    let root = Cholesky::new((&spectrum + spectrum.transpose()) * (0.5 / level));
    let root = root.ok_or(ModelError::NoConvergence)?.l();
    let mut w = Factor::new(&root.transpose())?.inverse()?;
    w.fill_lower_triangle(0.0, 1);
    if let Some(first) = w.iter_mut().next() {
        *first = 1.0;
    }
    Ok((w, weight))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::gram::{Frame, GramNoise, GramSums};
    use nalgebra::DVector;
    use tacit_shared::study::Study;

    const STUDY: &str = include_str!("../../../configs/studies/empathy-billing.toml");

    /// 8 columns of 20,000 rows: an intercept, six spread-out numbers, and a mark that one row in `rare` has.
    fn marked(rare: f64) -> DMatrix<f64> {
        let p = 8;
        let mut moments = DMatrix::from_diagonal_element(p, p, 0.11);
        let share = 1.0 / rare;
        for (at, value) in [((0, 0), 1.0), ((0, 7), share), ((7, 0), share), ((7, 7), share)] {
            *moments.get_mut(at).unwrap() = value;
        }
        moments * 20_000.0
    }

    fn whitened(a: DMatrix<f64>) -> DMatrix<f64> {
        let p = a.nrows();
        let sums = GramSums { a, b: DVector::zeros(p), q: 1.0 };
        let frame = Frame { w: DMatrix::identity(p, p), b0: DVector::zeros(p) };
        let gram = Gram::new(sums, GramNoise::default(), frame).unwrap();
        let mut reaches = vec![REACH; p];
        *reaches.last_mut().unwrap() = 1.0;
        whitening(&gram, &reaches).unwrap().0
    }

    #[test]
    fn narrow_numbers_and_such_as_go_together_are_white_all_the_same() {
        for (spread, together) in [(0.04, 0.0), (0.11, 0.8)] {
            let mut moments = DMatrix::from_diagonal_element(8, 8, spread);
            let alike = together * spread;
            for (at, value) in [((0, 0), 1.0), ((7, 7), 0.2), ((1, 2), alike), ((2, 1), alike)] {
                *moments.get_mut(at).unwrap() = value;
            }
            let w = whitened(&moments * 20_000.0);
            assert!((w.transpose() * &moments * &w - DMatrix::identity(8, 8)).amax() < 1e-9);
        }
    }

    #[test]
    fn rows_are_white_unless_a_rare_mark_would_make_them_longer_than_the_cap() {
        let moved = |w: &DMatrix<f64>, column: usize| w.row(column).norm_squared();
        let most = CAP * CAP * 8.0;
        let common = marked(4.0);
        let w = whitened(common.clone());
        let white = w.transpose() * (common / 20_000.0) * &w;
        assert!((white - DMatrix::identity(8, 8)).amax() < 1e-9);
        assert!(moved(&w, 7) < most);
        let rare = whitened(marked(1_000.0));
        assert!((moved(&rare, 7) / most - 1.0).abs() < 1e-9, "{}", moved(&rare, 7));
        for column in 1..7 {
            assert!((moved(&rare, column) * 0.11 - 1.0).abs() < 1e-9);
        }
    }

    /// Period after period each release shows the mark as weak as the cap makes it: W stays.
    #[test]
    fn what_the_cap_takes_from_a_rare_mark_is_not_made_up_for_again_and_again() {
        let (rare, cap) = (200.0, CAP * CAP * 8.0);
        let mut last = whitened(marked(rare)).row(7).norm();
        for _ in 0..6 {
            // A marked row has about this length; it is shrunk to the cap, and counts by its square.
            let weight = (cap / (last * last + 7.0)).min(1.0);
            let next = whitened(marked(rare / weight)).row(7).norm();
            assert!(next < 1.05 * cap.sqrt(), "{next}");
            last = next;
        }
    }

    #[test]
    fn a_plan_counts_that_rare_levels_stay_behind() {
        let of = |rms: &str| {
            let text = STUDY.split("[[asks]]").next().unwrap();
            let at = text.find("id = \"specialty\"").unwrap();
            let (before, after) = text.split_at(at);
            let line = after.lines().find(|line| line.starts_with("rms")).unwrap();
            let text = format!("{before}{}", after.replacen(line, &format!("rms = {rms}"), 1));
            brought(Study::parse(&text).unwrap().schema())
        };
        assert!((of("0.5") - 1.0).abs() < 1e-12);
        // One in a hundred: .01 · .99 · 1.5625 · 8.
        assert!((of("0.1") - 0.123_75).abs() < 1e-9, "{}", of("0.1"));
    }
}
