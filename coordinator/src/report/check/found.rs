//! What must hold of distributions, hospitals and changes.
use super::super::data::{FitQuality, ReportData};
use super::super::found::{ChangePart, HistogramPart, MeanPart, SitesPart};
use super::{Checked, ensure, finite, interval, noisy, sorted, truth, unique};

/// Checks the three of them.
pub(super) fn check(data: &ReportData) -> Checked {
    let withheld = data.fit.quality == FitQuality::Withheld;
    let nothing = data.sites.is_none() && data.change.is_none();
    ensure(
        nothing || !withheld,
        "fit.quality",
        "is withheld, yet sites or changes follow from it",
    )?;
    unique("histograms", data.histograms.iter().map(|h| &h.name))?;
    for (at, histogram) in data.histograms.iter().enumerate() {
        of_histogram(&format!("histograms[{at}]"), histogram, data.rehearsal)?;
    }
    if let Some(sites) = &data.sites {
        of_sites(sites, data)?;
    }
    data.change.as_ref().map_or(Ok(()), |change| of_change(change, data))
}

fn of_histogram(key: &str, histogram: &HistogramPart, rehearsal: bool) -> Checked {
    let (low, high) = (histogram.low, histogram.high);
    finite(&format!("{key}.low"), low)?;
    finite(&format!("{key}.high"), high)?;
    ensure(low < high, &format!("{key}.high"), "is not above `low`")?;
    let bins = &format!("{key}.counts");
    ensure((2..=64).contains(&histogram.counts.len()), bins, "has not 2 to 64 numbers")?;
    histogram.counts.iter().try_for_each(|count| finite(bins, *count))?;
    let sd = histogram.sd;
    ensure(sd.is_finite() && sd >= 0.0, &format!("{key}.sd"), "is not at least 0")?;
    let mut before = (0.0, low);
    for (at, quantile) in histogram.quantiles.iter().enumerate() {
        let key = format!("{key}.quantiles[{at}]");
        let rising = quantile.share > before.0 && quantile.share < 1.0;
        ensure(rising, &format!("{key}.share"), "does not rise from 0 to 1")?;
        let inside = quantile.value >= before.1 && quantile.value <= high;
        ensure(inside, &format!("{key}.value"), "falls, or is outside the bins")?;
        interval(&format!("{key}.exact_data"), quantile.exact_data)?;
        interval(&format!("{key}.population"), quantile.population)?;
        truth(&format!("{key}.truth"), quantile.truth, rehearsal)?;
        before = (quantile.share, quantile.value);
    }
    Ok(())
}

fn of_sites(sites: &SitesPart, data: &ReportData) -> Checked {
    let spread = sites.between_points;
    let sound = spread.is_finite() && spread >= 0.0;
    ensure(sound, "sites.between_points", "is not a finite number of at least 0")?;
    let names: Vec<String> = sites.rows.iter().map(|row| row.site.clone()).collect();
    sorted("sites.rows", &names)?;
    let known = names.iter().all(|name| data.federation.took_part.contains(name));
    ensure(known, "sites.rows", "names a site that did not take part")?;
    for (at, row) in sites.rows.iter().enumerate() {
        finite(&format!("sites.rows[{at}].effect"), row.effect)?;
        interval(&format!("sites.rows[{at}].interval"), row.interval)?;
        truth(&format!("sites.rows[{at}].truth"), row.truth, data.rehearsal)?;
    }
    Ok(())
}

fn of_change(change: &ChangePart, data: &ReportData) -> Checked {
    let known = data.coefficients.iter().any(|c| c.name == change.coefficient);
    ensure(known, "change.coefficient", "is no coefficient")?;
    finite("change.difference", change.difference)?;
    interval("change.interval", change.interval)?;
    let mean = |key: &str, part: &MeanPart| {
        noisy(&format!("{key}.heads"), part.heads)?;
        finite(&format!("{key}.mean"), part.mean)?;
        interval(&format!("{key}.exact_data"), part.exact_data)?;
        interval(&format!("{key}.population"), part.population)
    };
    mean("change.inside", &change.inside)?;
    mean("change.outside", &change.outside)?;
    let agrees = (change.inside.mean - change.outside.mean - change.difference).abs() < 1e-6;
    ensure(agrees, "change.difference", "is not the difference of the means")
}
