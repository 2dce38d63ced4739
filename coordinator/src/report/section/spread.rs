//! How numbers spread over clinicians, how hospitals differ, and what holds within them.
use super::super::answer::{digits, share};
use super::super::data::{HistogramPart, ReportData};
use super::super::number::decimal;
use super::super::picture;
use super::super::words::range;
use super::{heads, table};
use maud::{Markup, html};

/// Identifiers of the tables, as of the pictures.
const IDS: [&str; 4] = ["quantiles-1", "quantiles-2", "quantiles-3", "quantiles-4"];

/// Pictures and tables.
pub(crate) fn spread(data: &ReportData) -> Markup {
    html! {
        @for (at, histogram) in data.histograms.iter().enumerate() {
            h3 { (histogram.label) }
            (picture::histogram(at, histogram))
            (quantiles(at, histogram, data.rehearsal))
        }
        @if let Some(sites) = &data.sites {
            h3 { "How hospitals differ" }
            p {
                "Clinicians of one hospital resemble each other: beyond the formula, hospitals differ by a standard deviation of "
                (decimal(sites.between_points, 2)) " points, with sampling and noise taken off."
            }
            (picture::sites(sites, data.rehearsal))
        }
        @if let Some(within) = &data.within { (super::within::within(within, data)) }
    }
}

fn quantiles(at: usize, histogram: &HistogramPart, rehearsal: bool) -> Markup {
    if histogram.quantiles.is_empty() {
        return html! { p.small { "The counts do not stand clear of their noise, so no quantile is given." } };
    }
    let mut names = heads(&[
        "Clinicians below",
        "Value",
        "Without noise, 95\u{a0}%",
        "All such clinicians, 95\u{a0}%",
    ]);
    if rehearsal {
        names.push("Truth".to_owned());
    }
    let places = digits(histogram);
    let body = html! {
        tbody {
            @for quantile in &histogram.quantiles {
                tr {
                    th scope="row" { (share(quantile.share)) }
                    td.num { (decimal(quantile.value, places)) }
                    td.num { (range(quantile.exact_data, places)) }
                    td.num { (range(quantile.population, places)) }
                    @if rehearsal {
                        td.num { (quantile.truth.map_or("–".to_owned(), |t| decimal(t, places))) }
                    }
                }
            }
        }
    };
    let bins = histogram.counts.iter().map(|_| 1.0).sum::<f64>().max(1.0);
    let width = decimal((histogram.high - histogram.low) / bins, digits(histogram));
    let caption = format!(
        "Below which value so many clinicians lie, in {}, read between bins of {width} as if clinicians lay smoothly in each: a \
         value that many have exactly, such as 0, is not seen, and no range is narrower in truth than such a bin where they do.",
        histogram.unit
    );
    table(IDS.get(at).copied().unwrap_or("quantiles"), &caption, &names, &body)
}
