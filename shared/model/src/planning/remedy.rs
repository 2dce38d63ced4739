//! What would help a study whose forecast is hopeless or weak: a smaller formula, more clinicians, a larger ε.
//!
//! ```text
//! κ ∝ n        κ ∝ 1/σ0 ∝ μ(ε, δ)        of a later period κ ∝ p^−1.5
//! ```
//! So the least n and ε follow from κ as it is. Of a first period columns are taken away one by one, the one whose
//! coefficient is determined worst first, and the cap shrinks with √p as a study would write it. A level taken away is one
//! merged with the reference.
use super::{Design, ENOUGH_KAPPA, Forecast, LEAST_KAPPA, fit_share, later};
use crate::ModelError;
use serde::Serialize;
use std::fmt;
use tacit_shared::privacy::accountant::{epsilon_at, mu_max};
use tacit_shared::study::Study;
use tacit_shared::study::layout::Layout;
use tacit_shared::units::{Delta, Epsilon, Mu};

/// Largest ε that a study may state.
const EPSILON_MAX: f64 = 20.0;
/// A formula has a column beside the intercept.
const COLUMNS_MIN: usize = 2;

/// What κ would take, each way by itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Remedy {
    /// The κ to reach.
    pub kappa: f64,
    /// Columns of the study, the intercept included.
    pub of: usize,
    /// How many of them it takes at most; `None` if no two would do.
    pub columns: Option<usize>,
    /// Which could be left out for that; empty in a later period, where all are alike.
    pub without: Vec<String>,
    /// How many clinicians it takes, the study as it is.
    pub clinicians: f64,
    /// Which ε it takes, the study as it is otherwise; `None` if more than a study may state.
    pub epsilon: Option<f64>,
}

/// What it takes to reach κ of 1 and of 3, where the forecast is below. `multiplier` and `clinicians` as in
/// [`super::forecast`].
///
/// # Errors
/// As [`super::forecast`].
pub fn remedies(
    study: &Study,
    layout: &Layout,
    (multiplier, clinicians): (f64, f64),
    forecast: &Forecast,
) -> Result<Vec<Remedy>, ModelError> {
    let below = |kappa: &f64| forecast.kappa < *kappa;
    let remedy = |kappa: f64| {
        let (columns, without) = smaller(study, layout, (multiplier, clinicians), kappa)?;
        Ok(Remedy {
            kappa,
            of: layout.whitening().len(),
            columns,
            without,
            clinicians: (clinicians * kappa / forecast.kappa).ceil(),
            epsilon: epsilon(study, kappa / forecast.kappa),
        })
    };
    [LEAST_KAPPA, ENOUGH_KAPPA].into_iter().filter(below).map(remedy).collect()
}

/// The largest part of the columns that reaches κ, and which are left out.
fn smaller(
    study: &Study,
    layout: &Layout,
    (multiplier, clinicians): (f64, f64),
    kappa: f64,
) -> Result<(Option<usize>, Vec<String>), ModelError> {
    let p = layout.whitening().len();
    if study.warm().is_some() {
        let share = fit_share(study);
        for columns in (COLUMNS_MIN..=p).rev() {
            if later(columns, share, multiplier, clinicians)?.brought(study).kappa >= kappa {
                return Ok((Some(columns), Vec::new()));
            }
        }
        return Ok((None, Vec::new()));
    }
    let mut names: Vec<String> = study.schema().columns().into_iter().map(|c| c.name).collect();
    let (mut design, mut without) = (Design::of(study, layout), Vec::new());
    while design.columns() >= COLUMNS_MIN {
        if design.kappa(multiplier, clinicians)? >= kappa {
            return Ok((Some(design.columns()), without));
        }
        let weakest = design.weakest()?;
        if weakest < names.len() {
            without.push(names.remove(weakest));
        }
        design = design.without(weakest);
    }
    Ok((None, Vec::new()))
}

/// The ε at which the noise is so many times less, at the study's δ.
fn epsilon(study: &Study, times: f64) -> Option<f64> {
    let privacy = study.privacy();
    let delta = Delta::new(privacy.delta).ok()?;
    let mu = mu_max(Epsilon::new(privacy.epsilon).ok()?, delta).ok()?;
    let epsilon = epsilon_at(Mu::new(mu.value() * times).ok()?, delta)?.value();
    // As it would be written: rounded up to hundredths.
    let written = (epsilon * 100.0).ceil() / 100.0;
    (written <= EPSILON_MAX).then_some(written)
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "κ of {} takes ", self.kappa)?;
        match self.columns {
            Some(columns) => {
                write!(f, "at most {columns} of the {} columns, intercept included", self.of)?;
                if !self.without.is_empty() {
                    write!(f, " (say, without {})", self.without.join(", "))?;
                }
                f.write_str(", or ")?;
            }
            None => f.write_str("more than a smaller formula: ")?,
        }
        write!(f, "{:.0} clinicians in all sites together, or ε ", self.clinicians)?;
        match self.epsilon {
            Some(epsilon) => write!(f, "of {epsilon}"),
            None => write!(f, "beyond the {EPSILON_MAX} that a study may state"),
        }
    }
}

/// All of it in one sentence; empty if nothing is lacking.
pub fn told(remedies: &[Remedy]) -> String {
    remedies.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::forecast;
    use super::*;
    use tacit_shared::id::SiteIndex;

    const STUDY: &str = include_str!("../../../../configs/studies/empathy-billing.toml");
    /// Of five sites with one colluder at ε = 2.
    const NOISE: f64 = 2.8927;

    fn of(text: &str, noise: f64, clinicians: f64) -> (Forecast, Vec<Remedy>) {
        let study = Study::parse(text).unwrap();
        let sites: Vec<SiteIndex> = (1..=5).filter_map(SiteIndex::new).collect();
        let layout = Layout::new(&study, &sites);
        let found = forecast(&study, &layout, noise, clinicians).unwrap();
        let remedies = remedies(&study, &layout, (noise, clinicians), &found).unwrap();
        (found, remedies)
    }

    fn kappa(text: &str, noise: f64, clinicians: f64) -> f64 {
        of(text, noise, clinicians).0.kappa
    }

    #[test]
    fn as_many_clinicians_and_as_large_an_epsilon_reach_it_and_no_less() {
        let (found, remedies) = of(STUDY, NOISE, 1_500.0);
        assert!(found.kappa < 1.0 && remedies.len() == 2);
        let multiplier = |epsilon| {
            let (epsilon, delta) = (Epsilon::new(epsilon).unwrap(), Delta::new(1e-6).unwrap());
            1.0 / mu_max(epsilon, delta).unwrap().value()
        };
        for remedy in remedies {
            assert!(kappa(STUDY, NOISE, remedy.clinicians) >= remedy.kappa);
            assert!(kappa(STUDY, NOISE, remedy.clinicians - 1.0) < remedy.kappa);
            let at = |epsilon| kappa(STUDY, NOISE * multiplier(epsilon) / multiplier(2.0), 1_500.0);
            let epsilon = remedy.epsilon.unwrap();
            assert!(at(epsilon) >= remedy.kappa && at(epsilon - 0.011) < remedy.kappa, "{epsilon}");
        }
    }

    #[test]
    fn the_study_without_the_columns_it_names_reaches_it() {
        let study = include_str!("../../../../configs/studies/equity-value.toml");
        let (found, remedies) = of(study, NOISE, 600.0);
        assert!(found.kappa < 1.0);
        let least = remedies.first().unwrap();
        assert_eq!(
            (least.columns, least.of, least.without.as_slice()),
            (Some(5), 6, &["minutes".to_owned()][..])
        );
        let start = study.find("[[features]]\nid = \"minutes\"").unwrap();
        let end = start + 1 + study.get(start + 1..).unwrap().find("\n[[").unwrap();
        // The cap a study of one column less would state.
        let shorter = format!("norm_cap = {}", 3.6 * (5.0_f64 / 6.0).sqrt());
        let text = study.replacen(study.get(start..end).unwrap(), "", 1).replacen(
            "norm_cap = 3.6",
            &shorter,
            1,
        );
        assert!(kappa(&text, NOISE, 600.0) >= 1.0, "{}", kappa(&text, NOISE, 600.0));
    }

    #[test]
    fn a_later_period_is_shrunk_by_its_own_formula() {
        let whitening: Vec<String> =
            (0..8).map(|zeros| format!("[{}1.0]", "0.0, ".repeat(zeros))).collect();
        let warm = format!(
            "\n[warm]\nresults = [\"{}\"]\nwhitening = [{}]\nprior = [0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]\n",
            "ab".repeat(32),
            whitening.join(", ")
        );
        let (found, remedies) = of(&format!("{STUDY}{warm}"), NOISE, 300.0);
        assert!(found.kappa < 1.0, "{}", found.kappa);
        let columns = remedies.first().unwrap().columns.unwrap();
        assert!(later(columns, 0.61, NOISE, 300.0).unwrap().kappa >= 1.0);
        assert!(later(columns + 1, 0.61, NOISE, 300.0).unwrap().kappa < 1.0);
    }

    #[test]
    fn what_is_lacking_is_told_in_a_sentence() {
        let told = |clinicians| told(&of(STUDY, NOISE, clinicians).1);
        assert_eq!(
            told(600.0),
            "κ of 1 takes at most 5 of the 8 columns, intercept included (say, without specialty=palliative, \
             specialty=oncology, specialty=emergency), or 1600 clinicians in all sites together, or ε of 6; κ of 3 takes at \
             most 3 of the 8 columns, intercept included (say, without specialty=palliative, specialty=oncology, \
             specialty=emergency, minutes, volume), or 4799 clinicians in all sites together, or ε beyond the 20 that a study \
             may state"
        );
        assert!(told(20.0).starts_with(
            "κ of 1 takes more than a smaller formula: 1600 clinicians in all sites together, or ε beyond the 20"
        ));
        assert_eq!(told(6_000.0), "");
    }
}
