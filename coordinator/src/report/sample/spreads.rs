//! Distributions, hospitals and a change of the sample.
use super::super::data::{Interval, ReportData};
use super::super::found::{
    ChangePart, HistogramPart, MeanPart, QuantilePart, SiteEffectPart, SitesPart,
};
use super::noisy;

/// Takes the truth of distributions and hospitals away.
pub(crate) fn forget_spreads(data: &mut ReportData) {
    for histogram in &mut data.histograms {
        histogram.quantiles.iter_mut().for_each(|quantile| quantile.truth = None);
    }
    if let Some(sites) = &mut data.sites {
        sites.rows.iter_mut().for_each(|row| row.truth = None);
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
