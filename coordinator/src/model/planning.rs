//! What a release will be able to say, from public numbers alone, before anyone pays for it.
//!
//! ```text
//! this release     A ≈ n min(1, c²/p) Σ    Σ: second moments of x̃ from public spreads, columns independent
//!                  κ = λmin(A)/√(2τ²p)    width ratio_j = √(1 + (A⁻¹NA⁻¹)_jj/(σ²(A⁻¹)_jj))    N = (v_b + τ²σ²/2) I
//! a later period   κ ≈ 0.9 n√f/(4σ0 p^1.5)    width ratio ≈ √(1 + 25σ0²p/(fn))    excess ≈ 25σ0²p²/(fn²)
//!                  enough: n ≥ max(20σ0²p/f, 13.4σ0 p^1.5/√f)
//! ```
//! Both variances follow from the layout and the noise exactly; Σ and σ = ρ/3 are guesses of the study. A level of
//! a factor has the share rms², and no clinician is at two levels. The norm cap
//! leaves min(1, c²/p) of A. ‖t‖² = σ² stands for a fit that explains half of the outcome. The formulas of a later period, whose
//! scaling comes from an earlier result, agree with trials within 30 % where κ ≥ 2; σ0 is the noise in units
//! of one clinician, f the share of the sums of the fit.
use nalgebra::{DMatrix, DVector};
use tacit_shared::study::Study;
use tacit_shared::study::layout::{Layout, Part};

use super::ModelError;
use super::gram::float;
use super::solve::{Factor, smallest_eigenvalue};

/// κ that a plan should reach: then intervals neither widen nor vanish by chance.
pub const ENOUGH_KAPPA: f64 = 3.0;
/// Interval width, relative to no noise, that a plan should stay below.
pub const ENOUGH_WIDTH: f64 = 1.5;
/// Most of a factor's staff that its levels beside the reference may claim.
const LEVELS_MOST: f64 = 0.95;

/// A forecast for so many clinicians.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Signal-to-noise ratio of the design.
    pub kappa: f64,
    /// Interval width of each coefficient, relative to no noise; columns in the order of the study. One
    /// number for all in [`later`].
    pub widths: Vec<f64>,
    /// Clinicians from which κ and every width are enough.
    pub enough: f64,
}

impl Forecast {
    /// The widest interval and its column.
    pub fn widest(&self) -> (usize, f64) {
        let pairs = self.widths.iter().copied().enumerate();
        pairs.max_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap_or((0, f64::NAN))
    }
}

/// A release of this study, scaled by its own public spreads. `multiplier` is the noise of the sum in
/// units of what one clinician can change.
///
/// # Errors
/// [`ModelError::Range`] unless there are clinicians and noise; [`ModelError::Singular`] if the study's own
/// spreads make columns depend on each other.
pub fn this_release(
    study: &Study,
    layout: &Layout,
    multiplier: f64,
    clinicians: f64,
) -> Result<Forecast, ModelError> {
    positive(clinicians, multiplier)?;
    let scale = |part| layout.block(part).map_or(f64::NAN, |block| block.scale);
    let tau = multiplier / scale(Part::Matrix);
    let vb = (multiplier / scale(Part::Moment)).powi(2);
    let sigma2 = (layout.residual_bound() / 3.0).powi(2);
    let moments = moments(study, layout);
    let p = float(moments.nrows());
    let kept = (layout.cap().powi(2) / moments.trace()).min(1.0);
    let a = moments * (clinicians * kept);
    let kappa = smallest_eigenvalue(&a)? / (2.0 * tau * tau * p).sqrt();
    let inverse = Factor::new(&a)?.inverse()?;
    let noise = vb + tau * tau * sigma2 / 2.0;
    // Columns back to their own units; W is diagonal and leaves the ratio as it is.
    let added = &inverse * &inverse * noise;
    let ratio = |(added, sampling): (&f64, &f64)| (1.0 + added / (sigma2 * sampling)).sqrt();
    let diagonals = (added.diagonal(), inverse.diagonal());
    let widths: Vec<f64> = diagonals.0.iter().zip(diagonals.1.iter()).map(ratio).collect();
    let mut forecast = Forecast { kappa, widths, enough: 0.0 };
    let excess = forecast.widest().1.powi(2) - 1.0;
    // κ grows with n; what the noise adds to a variance falls with n, beside sampling.
    let by_width = clinicians * excess / (ENOUGH_WIDTH.powi(2) - 1.0);
    forecast.enough = (clinicians * ENOUGH_KAPPA / kappa).max(by_width).ceil();
    Ok(forecast)
}

/// A later period of p coefficients, whose scaling comes from an earlier result. `share` is the part f of the
/// budget that the sums of the fit have together.
///
/// # Errors
/// [`ModelError::Range`] unless there are clinicians, noise and a share.
pub fn later(
    p: usize,
    share: f64,
    multiplier: f64,
    clinicians: f64,
) -> Result<Forecast, ModelError> {
    positive(clinicians, multiplier)?;
    if !(share > 0.0 && share <= 1.0) {
        return Err(ModelError::Range { what: "the share of the fit" });
    }
    let (p, s2) = (float(p), multiplier * multiplier);
    let kappa = 0.9 * clinicians * share.sqrt() / (4.0 * multiplier * p.powf(1.5));
    let width = (1.0 + 25.0 * s2 * p / (share * clinicians)).sqrt();
    let enough = (20.0 * s2 * p / share).max(13.4 * multiplier * p.powf(1.5) / share.sqrt());
    Ok(Forecast { kappa, widths: vec![width], enough: enough.ceil() })
}

/// By how much privacy noise raises the mean squared error of a later period's predictions, as a share of
/// the residual variance.
pub fn later_excess(p: usize, share: f64, multiplier: f64, clinicians: f64) -> f64 {
    25.0 * (multiplier * float(p) / clinicians).powi(2) / share
}

fn positive(clinicians: f64, multiplier: f64) -> Result<(), ModelError> {
    for (what, value) in
        [("the number of clinicians", clinicians), ("the noise multiplier", multiplier)]
    {
        if !(value > 0.0 && value.is_finite()) {
            return Err(ModelError::Range { what });
        }
    }
    Ok(())
}

/// E[x̃x̃ᵀ] by the study's public guesses, p×p.
fn moments(study: &Study, layout: &Layout) -> DMatrix<f64> {
    let (mut means, mut factors) = (vec![1.0], vec![0_usize]);
    let mut squares = vec![1.0];
    for (feature, at) in study.schema().features.iter().zip(1..) {
        let square = feature.rms.powi(2);
        let levels = feature.levels.len().saturating_sub(1);
        if levels == 0 {
            means.push(0.0);
            squares.push(square);
            factors.push(at);
        }
        let share = square.min(LEVELS_MOST / float(levels.max(1)));
        for _ in 0..levels {
            means.push(share);
            squares.push(share);
            factors.push(at);
        }
    }
    let means = DVector::from_vec(means);
    let mut moments = &means * means.transpose();
    for (row, factor) in factors.iter().enumerate() {
        for (column, other) in factors.iter().enumerate() {
            let Some(entry) = moments.get_mut((row, column)) else { continue };
            if row == column {
                *entry = squares.get(row).copied().unwrap_or(f64::NAN);
            } else if factor == other {
                *entry = 0.0;
            }
        }
    }
    let w = tacit_model::moments::frame(layout).w;
    w.transpose() * moments * &w
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use tacit_shared::id::SiteIndex;

    const STUDY: &str = include_str!("../../../configs/studies/empathy-billing.toml");

    fn forecast(clinicians: f64) -> Forecast {
        let study = Study::parse(STUDY).unwrap();
        let sites: Vec<SiteIndex> = (1..=5).filter_map(SiteIndex::new).collect();
        this_release(&study, &Layout::new(&study, &sites), 2.9, clinicians).unwrap()
    }

    #[test]
    fn later_periods_need_what_the_trials_found() {
        // Clinicians at ε = 1, 2, 4, whose σ0 is 4.225, 2.230, 1.194; all with six tenths of the budget.
        for (p, sigma0, expected) in [
            (20, 4.225, 11_900.0),
            (20, 2.230, 3_450.0),
            (20, 1.194, 1_850.0),
            (8, 4.225, 4_760.0),
            (8, 2.230, 1_330.0),
            (40, 4.225, 23_800.0),
        ] {
            let enough = later(p, 0.6, sigma0, 1_000.0).unwrap().enough;
            assert!((enough / expected - 1.0).abs() < 0.01, "{p}, {sigma0}: {enough}");
        }
        // 20,000 clinicians, 20 columns, ε = 1: trials had κ = 12 and intervals 1.18 times as wide.
        let trial = later(20, 1.0, 4.225, 20_000.0).unwrap();
        assert!((trial.kappa - 12.0).abs() < 0.5);
        assert!((trial.widest().1 - 1.18).abs() < 0.03);
        assert!((later_excess(20, 1.0, 4.225, 20_000.0) - 0.000_37).abs() < 0.000_1);
    }

    #[test]
    fn more_clinicians_see_more() {
        let (few, many) = (forecast(500.0), forecast(8_000.0));
        assert_eq!(few.widths.len(), 8);
        assert!((many.kappa / few.kappa - 16.0).abs() < 1e-9, "κ grows with their number");
        assert!(few.widths.iter().zip(&many.widths).all(|(few, many)| few > many));
        assert!((few.enough / many.enough - 1.0).abs() < 0.01, "both name the same number");
        let enough = forecast(few.enough);
        assert!(enough.kappa >= ENOUGH_KAPPA - 1e-9 && enough.widest().1 <= ENOUGH_WIDTH + 1e-9);
        // Where the forecast says enough, one of the two is just so.
        assert!(enough.kappa < 1.01 * ENOUGH_KAPPA || enough.widest().1 > 0.99 * ENOUGH_WIDTH);
    }

    #[test]
    fn senseless_plans_are_refused() {
        for (share, multiplier, clinicians) in
            [(0.0, 1.0, 10.0), (0.5, 0.0, 10.0), (0.5, 1.0, f64::NAN), (f64::NAN, 1.0, 10.0)]
        {
            assert!(later(8, share, multiplier, clinicians).is_err());
        }
    }
}
