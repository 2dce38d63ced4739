//! Distributions, hospitals and a change of the sample.
use super::super::data::{Coefficient, CoefficientKind, Interval, ReportData};
use super::super::found::{
    ChangePart, HistogramPart, MeanPart, QuantilePart, SiteEffectPart, SitesPart,
};
use super::super::within::{GroupMean, GroupMeans, WithinPart, WithinRow, differs};
use super::noisy;

/// Takes the truth of distributions, hospitals, means and prices away.
pub(crate) fn forget_spreads(data: &mut ReportData) {
    for histogram in &mut data.histograms {
        histogram.quantiles.iter_mut().for_each(|quantile| quantile.truth = None);
    }
    if let Some(sites) = &mut data.sites {
        sites.rows.iter_mut().for_each(|row| row.truth = None);
    }
    if let Some(within) = &mut data.within {
        within.rows.iter_mut().for_each(|row| row.truth = None);
    }
    for group in &mut data.fairness.means {
        (group.inside.truth, group.outside.truth) = (None, None);
    }
    if let Some(prices) = &mut data.prices {
        let columns = prices.columns.iter_mut().map(|column| &mut column.price);
        let gaps = prices.gaps.iter_mut().map(|gap| &mut gap.price);
        columns.chain(gaps).chain([&mut prices.point]).for_each(|price| price.truth = None);
    }
}

pub(super) fn histogram() -> HistogramPart {
    let quantile = |share: f64, value: f64, half: f64| QuantilePart {
        share,
        value,
        exact_data: Interval::Between { low: value - half, high: value + half },
        population: Interval::Between { low: value - 1.4 * half, high: value + 1.4 * half },
        truth: Some(value + 0.3),
    };
    HistogramPart {
        name: "call-minutes".to_owned(),
        label: "Minutes of a call".to_owned(),
        unit: "minutes".to_owned(),
        low: 0.0,
        high: 40.0,
        counts: vec![-12.1, 240.3, 811.0, 1_330.6, 998.2, 470.9, 160.4, 21.7],
        sd: 22.3,
        quantiles: vec![
            quantile(0.1, 8.4, 0.5),
            quantile(0.25, 12.6, 0.4),
            quantile(0.5, 17.9, 0.4),
            quantile(0.75, 23.2, 0.5),
            quantile(0.9, 27.8, 0.8),
        ],
    }
}

pub(super) fn sites() -> SitesPart {
    let names =
        ["city-general", "north-coast-rural", "riverside", "safety-net-county", "st-brigid"];
    let row = |(site, effect): (&str, f64)| SiteEffectPart {
        site: site.to_owned(),
        effect,
        interval: Interval::Between { low: effect - 0.7, high: effect + 0.7 },
        truth: Some(effect + 0.1),
    };
    let rows = names.into_iter().zip([0.31, 0.12, 0.2, -1.04, 0.36]).map(row).collect();
    SitesPart { between_points: 0.62, rows }
}

pub(super) fn change() -> ChangePart {
    let mean = |heads: f64, mean: f64, half: f64| MeanPart {
        heads: noisy(heads, 15.8),
        mean,
        exact_data: Interval::Between { low: mean - half, high: mean + half },
        population: Interval::Between { low: mean - 1.5 * half, high: mean + 1.5 * half },
    };
    ChangePart {
        coefficient: "emergency".to_owned(),
        label: "Clinicians of emergency medicine".to_owned(),
        inside: mean(1_102.0, 1.5, 0.2),
        outside: mean(2_897.0, -0.25, 0.1),
        difference: 1.75,
        interval: Interval::Between { low: 1.4, high: 2.1 },
    }
}

/// Acuity is worth clearly less within hospitals than between them.
pub(super) fn within(pooled: &[Coefficient]) -> WithinPart {
    let effects = pooled.iter().filter(|row| row.kind == CoefficientKind::Effect);
    let rows = effects.map(|row| {
        let own = match row.name.as_str() {
            "acuity" => Some((0.4, 1.3)),
            "presence" => None,
            _ => row.estimate.map(|pooled| (0.95 * pooled, 1.9)),
        };
        let interval = own.map_or(Interval::NotEstimable, |(estimate, reach)| Interval::Between {
            low: estimate - reach,
            high: estimate + reach,
        });
        WithinRow {
            name: row.name.clone(),
            label: row.label.clone(),
            unit: row.unit.clone(),
            estimate: own.map(|(estimate, _)| estimate),
            interval,
            differs: differs(interval, row.population),
            truth: row.truth,
        }
    });
    WithinPart { refused: None, rows: rows.collect() }
}

/// One group that is known well, and one that the noise hides.
pub(super) fn means() -> Vec<GroupMeans> {
    let mean = |heads: f64, mean: f64, half: f64| GroupMean {
        heads: noisy(heads, 15.8),
        mean: Some(mean),
        exact_data: Interval::Between { low: mean - half, high: mean + half * 1.1 },
        population: Interval::Between { low: mean - half * 1.2, high: mean + half * 1.3 },
        truth: Some(mean + 0.2),
    };
    let lost = GroupMean {
        heads: noisy(21.4, 15.8),
        mean: None,
        exact_data: Interval::NotEstimable,
        population: Interval::NotEstimable,
        truth: Some(39.3),
    };
    let group = |name: &str, label: &str, inside, outside| GroupMeans {
        name: name.to_owned(),
        label: label.to_owned(),
        inside,
        outside,
    };
    vec![
        group(
            "interpreter-panel",
            "Panels that often need an interpreter",
            mean(463.0, 40.31, 1.02),
            mean(3_534.0, 38.02, 0.14),
        ),
        group("night-staff", "Night staff", mean(802.0, 37.84, 0.61), mean(3_195.0, 38.4, 0.16)),
        group("newly-started", "In their first month", lost, mean(3_976.0, 38.3, 0.13)),
    ]
}
