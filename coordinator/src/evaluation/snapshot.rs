//! What one release says of everything that can be compared over periods, in the study's units.
//!
//! Intervals are those of the population: they count privacy noise and sampling, but not that clinicians of a hospital
//! resemble each other, since the hospitals are the same in every period and what they share cancels.
use super::{Estimate, Period, Reading};
use crate::conclusion::{fit_study, means};
use crate::model::gram::{Gram, GramNoise, Inputs};
use crate::model::linear::{self, Quality};
use crate::model::uncertainty::{Inference, Interval, Target, Z95};
use crate::model::{Fitted, ModelError};
use tacit_shared::study::Study;
use tacit_shared::study::evaluation::Watched;
use time::Date;

/// Reads a release, noisy or exact; `sites` names its hospitals in their order, `began` is the first day from which work
/// is compensated.
///
/// # Errors
/// [`ModelError`] if the sums do not determine a fit.
pub fn read(
    study: &Study,
    began: Option<Date>,
    sites: &[String],
    inputs: &Inputs,
) -> Result<(Period, Vec<Reading>), ModelError> {
    let fitted = fit_study(study, sites, inputs)?;
    let mut readings = Vec::new();
    // Rows of another family are residuals over their own spread: their sums are no means.
    if study.family().is_additive() {
        readings.extend(levels(study, inputs, &fitted));
        readings.extend(gaps(study, inputs, &fitted)?);
    }
    readings.extend(coefficients(study, inputs, &fitted)?);
    let (from, to) = study.period();
    let period = Period {
        from: from.to_string(),
        to: to.to_string(),
        compensated: began.is_some_and(|began| from >= began),
        kappa: fitted.kappa,
        width_ratio: width_ratio(inputs)?,
    };
    Ok((period, readings))
}

fn estimate(value: f64, interval: Interval, unit: impl Fn(f64) -> f64) -> Estimate {
    let interval = match interval {
        Interval::Bounded { low, high } => Some((unit(low), unit(high))),
        Interval::NotEstimable => None,
    };
    Estimate { value: unit(value), interval }
}

fn range(study: &Study) -> f64 {
    study.schema().outcome.high - study.schema().outcome.low
}

/// Mean outcome, and the mean of each feature that is a number.
fn levels(study: &Study, inputs: &Inputs, fitted: &Fitted) -> Vec<Reading> {
    let outcome = &study.schema().outcome;
    let mean = means::of(inputs, inputs.all(), fitted.variance());
    let points = |scaled: f64| outcome.low + range(study) * scaled;
    let mut readings = vec![Reading {
        watched: Watched::Outcome,
        label: outcome.label.clone(),
        unit: outcome.unit.clone(),
        estimate: mean.map(|mean| estimate(mean.value, mean.population(), points)),
    }];
    for (at, column) in study.schema().columns().iter().enumerate() {
        let feature = study.schema().features.iter().find(|f| f.id.as_str() == column.name);
        let Some(feature) = feature.filter(|f| f.levels.is_empty()) else { continue };
        // How much clinicians differ is taken from the public guess.
        let mean = means::column(inputs, at, column.rms.powi(2));
        let natural = |scaled: f64| column.centre + column.half_range * scaled;
        readings.push(Reading {
            watched: Watched::Mean(feature.id.clone()),
            label: format!("Mean of “{}”", feature.label),
            unit: feature.unit.clone(),
            estimate: mean.map(|mean| estimate(mean.value, mean.population(), natural)),
        });
    }
    readings
}

/// The gap of each group under the best fit.
fn gaps(study: &Study, inputs: &Inputs, fitted: &Fitted) -> Result<Vec<Reading>, ModelError> {
    let mut readings = Vec::new();
    for (at, group) in study.schema().groups.iter().enumerate() {
        let part = inputs.group(at)?;
        let rest = inputs.all().without(part);
        let found = fitted.groups.get(at).and_then(|found| found.before.as_ref());
        let shown = found.filter(|_| fitted.quality != Quality::Withheld);
        let gap = shown.map(|measures| {
            let figure = measures.mean_residual_difference;
            let sampling = fitted.sigma2 * (1.0 / part.weight + 1.0 / rest.weight);
            let reach = Z95 * figure.standard_error.unwrap_or(f64::NAN).hypot(sampling.sqrt());
            let interval = Interval::between(figure.value - reach, figure.value + reach);
            estimate(figure.value, interval, |scaled| scaled * range(study))
        });
        readings.push(Reading {
            watched: Watched::Gap(group.id.clone()),
            label: format!("Gap of “{}”", group.label),
            unit: study.schema().outcome.unit.clone(),
            estimate: gap,
        });
    }
    Ok(readings)
}

fn coefficients(
    study: &Study,
    inputs: &Inputs,
    fitted: &Fitted,
) -> Result<Vec<Reading>, ModelError> {
    let solution = linear::solve(inputs.gram())?;
    let inference = Inference::new(inputs.gram(), &solution, Target::Population)?;
    let mut readings = Vec::new();
    let (low, range) = (study.schema().outcome.low, range(study));
    for (at, column) in study.schema().columns().into_iter().enumerate() {
        let found = inference.coefficient(at)?;
        let (offset, factor) = match (study.family().is_additive(), at) {
            (true, 0) => (low, range),
            (true, _) => (0.0, range / column.half_range),
            (false, _) => (0.0, 1.0 / column.half_range),
        };
        let shown = fitted.quality != Quality::Withheld;
        let natural = |scaled: f64| offset + factor * scaled;
        let unit = if study.family().is_additive() {
            study.schema().outcome.unit.as_str()
        } else {
            "on the scale of the link"
        };
        readings.push(Reading {
            watched: Watched::Coefficient(column.name),
            label: column.label,
            unit: if column.unit.is_empty() {
                unit.to_owned()
            } else {
                format!("{unit} per {}", column.unit)
            },
            estimate: shown.then(|| estimate(found.value, found.fieller, natural)),
        });
    }
    Ok(readings)
}

/// The median over coefficients of interval width over that of the same sums without noise.
fn width_ratio(inputs: &Inputs) -> Result<Option<f64>, ModelError> {
    let gram = inputs.gram();
    let quiet = Gram::new(gram.sums().clone(), GramNoise::default(), gram.frame().clone())?;
    let (noisy, exact) = (linear::solve(gram)?, linear::solve(&quiet)?);
    let noisy = Inference::new(gram, &noisy, Target::Population)?;
    let exact = Inference::new(&quiet, &exact, Target::Population)?;
    let mut ratios = Vec::new();
    for at in 0..gram.len() {
        let (wide, narrow) = (noisy.coefficient(at)?.fieller, exact.coefficient(at)?.fieller);
        ratios.push(wide.width() / narrow.width());
    }
    ratios.retain(|ratio| ratio.is_finite());
    ratios.sort_by(f64::total_cmp);
    Ok(ratios.get(ratios.len() / 2).copied())
}
