//! The pictures of distributions, hospitals and changes, each with one sentence that says what it shows.
use super::answer::{digits, share};
use super::bars::{self, Bars};
use super::data::{HistogramPart, Interval, ReportData};
use super::found::{ChangePart, MeanPart, SitesPart};
use super::number::{decimal, whole};
use super::picture::{figure, told};
use super::svg::{self, Mark, Row, Rows};
use super::words::range;
use maud::Markup;

/// Identifiers of the pictures of a study's histograms, of which there are four at most.
const IDS: [&str; 4] = ["spread-1", "spread-2", "spread-3", "spread-4"];

/// How one number spreads over clinicians.
pub(crate) fn histogram(at: usize, histogram: &HistogramPart) -> Markup {
    let places = digits(histogram);
    let lines = histogram.quantiles.iter().filter(|q| [0.1, 0.5, 0.9].contains(&q.share));
    let lines: Vec<(f64, String)> = lines
        .map(|q| (q.value, format!("{}: {}", share(q.share), decimal(q.value, places))))
        .collect();
    let each = histogram.quantiles.iter().map(|q| {
        let around = range(q.exact_data, places);
        format!(
            "{} of clinicians lie below {} ({around}).",
            share(q.share),
            decimal(q.value, places)
        )
    });
    let desc: Vec<String> = each.collect();
    let picture = Bars {
        id: IDS.get(at).copied().unwrap_or("spread"),
        title: histogram.label.clone(),
        desc: desc.join(" "),
        axis: format!("{}, {}", histogram.label, histogram.unit),
        ends: (histogram.low, histogram.high),
        counts: histogram.counts.clone(),
        sd: histogram.sd,
        lines,
    };
    let caption = format!(
        "Each of the {} bars counts clinicians by “{}”, with a line for what the noise does to it (one standard deviation), and the \
         dashed lines stand where a tenth, half and nine tenths of clinicians lie below.",
        whole(histogram.counts.len()),
        histogram.label
    );
    figure(&bars::bars(&picture), &caption)
}

/// What is reported at each hospital beyond the formula.
pub(crate) fn sites(sites: &SitesPart, rehearsal: bool) -> Markup {
    let rows: Vec<Row> = sites
        .rows
        .iter()
        .map(|row| {
            let mut marks = between(row.interval, Mark::Thin);
            marks.extend(row.truth.map(Mark::Truth));
            marks.push(Mark::Dot(row.effect));
            Row { label: row.site.clone(), value: decimal(row.effect, 2), marks }
        })
        .collect();
    let mut legend = vec![(Mark::Dot(0.0), "hospital"), (Mark::Thin(0.0, 0.0), "95\u{a0}% range")];
    let mut caption = "Each dot is what is reported at a hospital beyond what the formula gives for its clinicians, in points, drawn \
                       towards the others by as much as it is noise"
        .to_owned();
    if rehearsal {
        legend.push((Mark::Truth(0.0), "without noise"));
        caption.push_str(", and the diamond is the same without noise");
    }
    caption.push('.');
    let picture = Rows {
        id: "hospitals",
        title: "How hospitals differ".to_owned(),
        desc: told(&rows),
        axis: "points beyond the formula".to_owned(),
        anchor: 0.0,
        legend,
        rows,
    };
    figure(&svg::rows(&picture), &caption)
}

/// What changed for some and for the others, and the difference of both.
pub(crate) fn change(change: &ChangePart, data: &ReportData) -> Markup {
    let mean = |label: String, part: &MeanPart| {
        let mut marks = between(part.exact_data, Mark::Thick);
        marks.extend(between(part.population, Mark::Thin));
        marks.push(Mark::Dot(part.mean));
        Row { label, value: decimal(part.mean, 2), marks }
    };
    let mut rows = vec![
        mean(change.label.clone(), &change.inside),
        mean("Everybody else".to_owned(), &change.outside),
    ];
    let mut marks = between(change.interval, Mark::Thin);
    marks.push(Mark::Dot(change.difference));
    let value = decimal(change.difference, 2);
    rows.push(Row { label: "Difference of the two".to_owned(), value, marks });
    let adjusted = data.coefficients.iter().find(|c| c.name == change.coefficient);
    if let Some((row, estimate)) = adjusted.and_then(|row| Some((row, row.estimate?))) {
        let mut marks = between(row.exact_data, Mark::Thick);
        marks.extend(between(row.population, Mark::Thin));
        marks.extend(row.truth.map(Mark::Truth));
        marks.push(Mark::Dot(estimate));
        let label = "Difference in differences, other features held equal".to_owned();
        rows.push(Row { label, value: decimal(estimate, 2), marks });
    }
    let mut legend = vec![
        (Mark::Dot(0.0), "estimate"),
        (Mark::Thick(0.0, 0.0), "same data without noise"),
        (Mark::Thin(0.0, 0.0), "all such clinicians"),
    ];
    if data.rehearsal {
        legend.push((Mark::Truth(0.0), "truth"));
    }
    let picture = Rows {
        id: "changes",
        title: "What changed for whom".to_owned(),
        desc: told(&rows),
        axis: "points of change since the earlier days".to_owned(),
        anchor: 0.0,
        legend,
        rows,
    };
    let caption = "The first two dots are mean changes since the earlier days, the third is the one less the other, and the fourth is \
                   what is left of it when clinicians with the same other features are compared.";
    figure(&svg::rows(&picture), caption)
}

fn between(interval: Interval, mark: fn(f64, f64) -> Mark) -> Vec<Mark> {
    match interval {
        Interval::Between { low, high } => vec![mark(low, high)],
        Interval::NotEstimable | Interval::NotOffered => Vec::new(),
    }
}
