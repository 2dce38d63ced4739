//! What a rehearsal knows: the values its hospitals were made with, in the report's units.
//!
//! Coefficients are the ones planted. Gaps and amounts are those that the same fit and the same rule
//! give on the sites' own rows without noise, summed a second time by the oracle.
use crate::federation::Federation;
use crate::oracle;
use crate::population::Population;
use std::collections::BTreeMap;
use tacit_coordinator::conclusion::means;
use tacit_coordinator::conclusion::{Division, Ground, Truth, divide, exact_quantiles, fit_study};
use tacit_coordinator::evaluation::{Reading, snapshot};
use tacit_coordinator::model::gram::Inputs;
use tacit_coordinator::model::plain::Coefficient as Slope;
use tacit_coordinator::model::{SiteResult, linear, within};
use tacit_shared::fault::Fault;
use tacit_shared::study::Study;
use tacit_shared::study::allocation::By;
use tacit_shared::study::schema::Column;

/// The truth of a federation of synthetic hospitals in the period of `study`, which has no frame of earlier results, and
/// what its rows say without noise of everything that is compared over periods.
///
/// # Errors
/// A fault if the sites cannot be read, or if their exact rows make no fit.
pub(super) async fn of(
    federation: &Federation,
    population: &Population,
    study: &Study,
) -> Result<(Truth, Vec<Reading>), Fault> {
    let columns = study.schema().columns();
    let per_unit = |(name, points): &(String, f64)| {
        let column = columns.iter().find(|column| column.name == *name)?;
        Some((name.clone(), points / column.half_range))
    };
    let coefficients = population.truth().columns.iter().filter_map(per_unit).collect();
    let sites: Vec<String> = federation.members().iter().map(|m| m.site.to_string()).collect();
    let rows = federation.rows().await?;
    let bug = |e: &dyn std::error::Error| Fault::bug(format!("the exact rows make no fit: {e}"));
    let exact = oracle::inputs(study, sites.len(), &rows).map_err(|e| bug(&e))?;
    let fitted = fit_study(study, &sites, &exact).map_err(|e| bug(&e))?;
    let ground = Ground { study, sites: &sites, inputs: &exact, fitted: &fitted, seed: [0; 32] };
    let divided = divide(&ground, study.allocation()).map_err(|e| bug(&e))?;
    let cents_of = |division: &Division| -> BTreeMap<String, i64> {
        division.shares.iter().map(|share| (share.unit.clone(), share.cents.value())).collect()
    };
    let range = study.schema().outcome.high - study.schema().outcome.low;
    let gap = |group: &tacit_coordinator::model::GroupResult| {
        let points = |m: &tacit_coordinator::model::measure::GroupMeasures| {
            m.mean_residual_difference.value * range
        };
        let before = points(group.before.as_ref()?);
        let after = group.after.as_ref().map_or(before, points);
        Some((group.name.clone(), (before, after)))
    };
    let cents = divided.view(&By::Sites).map_or_else(BTreeMap::new, cents_of);
    let line = |division: &Division| match &division.by {
        By::Levels(feature) => Some((feature.to_string(), cents_of(division))),
        By::Sites | By::Codes => None,
    };
    let lines = divided.divisions.iter().filter_map(line).collect();
    let histograms = study.schema().histograms.iter().enumerate();
    let quantiles = histograms.map(|(at, asked)| {
        let bins = rows.iter().filter_map(|row| row.bins.get(at).copied());
        (asked.id.to_string(), exact_quantiles(asked, bins))
    });
    let effect = |site: &SiteResult| Some((site.name.clone(), site.effect?.value * range));
    let (_, readings) = snapshot::read(study, None, &sites, &exact).map_err(|e| bug(&e))?;
    let truth = Truth {
        coefficients,
        gaps: fitted.groups.iter().filter_map(gap).collect(),
        cents,
        lines,
        quantiles: quantiles.collect(),
        sites: fitted.sites.iter().filter_map(effect).collect(),
        means: means_of(study, &exact),
        prices: Some(divided.prices),
        within: within_of(study, &exact),
    };
    Ok((truth, readings))
}

/// Slopes within hospitals, in points per unit. They are not the ones planted: what the columns express of a hospital's level
/// is taken off its rows, so that slopes over all hospitals together are.
fn within_of(study: &Study, exact: &Inputs) -> BTreeMap<String, f64> {
    let outcome = &study.schema().outcome;
    let found = linear::solve(exact.gram()).and_then(|solution| within::fit(exact, &solution));
    let columns = study.schema().columns().into_iter().skip(1);
    let points = |(column, slope): (Column, Slope)| {
        let unit = (outcome.high - outcome.low) / column.half_range;
        (column.name, slope.estimate * unit)
    };
    columns.zip(found.unwrap_or_default()).map(points).collect()
}

/// Mean outcomes inside and outside each group, in points.
fn means_of(study: &Study, exact: &Inputs) -> BTreeMap<String, (f64, f64)> {
    let outcome = &study.schema().outcome;
    let points = |scaled: f64| outcome.low + (outcome.high - outcome.low) * scaled;
    let groups = study.schema().groups.iter().zip(exact.groups());
    let both = groups.filter_map(|(group, sums)| {
        let inside = means::of(exact, sums, 0.0)?.value;
        let outside = means::of(exact, &exact.all().without(sums), 0.0)?.value;
        Some((group.id.to_string(), (points(inside), points(outside))))
    });
    both.collect()
}
