//! The page over periods: what is watched, how it moved, and whether to go on.
use super::{Estimate, Evaluated, LeftOut, Row};
use crate::report::html::{document, period};
use crate::report::number::{decimal, signed};
use crate::report::svg::{self, Mark, Rows};
use maud::{Markup, html};

/// Identifiers of the pictures.
const IDS: [&str; 16] = [
    "watched-1",
    "watched-2",
    "watched-3",
    "watched-4",
    "watched-5",
    "watched-6",
    "watched-7",
    "watched-8",
    "watched-9",
    "watched-10",
    "watched-11",
    "watched-12",
    "watched-13",
    "watched-14",
    "watched-15",
    "watched-16",
];

/// The page as text, in UTF-8.
pub fn page(data: &Evaluated) -> String {
    let rehearsal = data.rows.iter().any(|row| row.truth.iter().any(Option::is_some));
    let body = html! {
        header {
            h1 { (data.title) ": over periods" }
            p.under { (data.periods.len()) " periods, compared by their signed results alone." }
            @if rehearsal {
                p.banner role="note" { "Rehearsal on synthetic hospitals: what the data say without noise is shown beside each estimate." }
            }
        }
        main id="main" {
            section aria-labelledby="answer" {
                h2 id="answer" { "Go on or stop" }
                div.answer {
                    p { (data.verdict.words) }
                    @for row in data.rows.iter().filter(|row| row.named) { p { (told(row)) } }
                }
                @if !data.verdict.rules.is_empty() {
                    h3 { "The rules that the study states" }
                    ul { @for rule in &data.verdict.rules { li { (rule) } } }
                }
                p.small {
                    "A difference counts the privacy noise and the sampling of every period in it. There is no comparison group: what \
                     else changed meanwhile is in it too."
                }
            }
            section aria-labelledby="periods" { h2 id="periods" { "The periods" } (periods(data))
                @for out in &data.left_out { p.small { (left_out(out)) } }
            }
            section aria-labelledby="watched" {
                h2 id="watched" { "What is watched" }
                @for (id, row) in IDS.iter().zip(shown(data)) { (picture(id, row, data)) }
            }
            section aria-labelledby="all" { h2 id="all" { "Everything that can be compared" } (table(data)) }
        }
        footer { p { "Intervals are meant to hold the true value 95 times in 100." } }
    };
    document(&data.title, &body)
}

/// What the study names; of one that names nothing, the outcome and the gaps.
fn shown(data: &Evaluated) -> impl Iterator<Item = &Row> {
    let any = data.rows.iter().any(|row| row.named);
    let plain = |row: &Row| row.watched == "outcome" || row.watched.starts_with("gap:");
    data.rows.iter().filter(move |row| if any { row.named } else { plain(row) })
}

/// How a number moved, in one sentence.
pub fn told(row: &Row) -> String {
    let Some(moved) = row.moved else {
        return format!("{}: nothing to compare yet, or noise hides it.", row.label);
    };
    let Some((low, high)) = moved.interval else {
        return format!("{}: what moved is not estimable.", row.label);
    };
    let how = match (low > 0.0, high < 0.0) {
        (true, _) => "rose",
        (_, true) => "fell",
        _ => "is not told to have moved",
    };
    format!(
        "{} {how} since compensation began: {} (95\u{a0}%\u{a0}range {} to {}; unit: {}).",
        row.label,
        signed(moved.value, 2),
        decimal(low, 2),
        decimal(high, 2),
        row.unit,
    )
}

/// Why a period is not compared, in one sentence.
pub fn left_out(out: &LeftOut) -> String {
    format!(
        "{} is withheld and not compared: {}.",
        period(&out.from, &out.to),
        out.reasons.join("; ")
    )
}

fn periods(data: &Evaluated) -> Markup {
    html! {
        div.scroll role="region" aria-label="Periods" tabindex="0" {
            table {
                thead { tr {
                    th scope="col" { "Period" } th scope="col" { "Compensated" } th scope="col" { "κ" }
                    th scope="col" { "Interval width, times without noise" }
                } }
                tbody {
                    @for one in &data.periods {
                        tr {
                            th scope="row" { (period(&one.from, &one.to)) }
                            td { (if one.compensated { "yes" } else { "no" }) }
                            td.num { (decimal(one.kappa, 1)) }
                            td.num { (one.width_ratio.map_or("–".to_owned(), |ratio| decimal(ratio, 2))) }
                        }
                    }
                }
            }
        }
    }
}

fn picture(id: &'static str, row: &Row, data: &Evaluated) -> Markup {
    let each = data.periods.iter().zip(&row.values).enumerate();
    let rows: Vec<svg::Row> = each
        .map(|(at, (one, value))| {
            let mut marks = Vec::new();
            marks.extend(value.and_then(|v| v.interval).map(|(low, high)| Mark::Thin(low, high)));
            marks.extend(row.truth.get(at).copied().flatten().map(Mark::Truth));
            marks.extend(
                value.map(
                    |v| if one.compensated { Mark::Dot(v.value) } else { Mark::Ring(v.value) },
                ),
            );
            svg::Row {
                label: period(&one.from, &one.to),
                value: value.map_or("–".to_owned(), |v| decimal(v.value, 2)),
                marks,
            }
        })
        .collect();
    let first = row.values.iter().flatten().next().map_or(0.0, |v| v.value);
    let mut legend = vec![
        (Mark::Ring(0.0), "before compensation"),
        (Mark::Dot(0.0), "since"),
        (Mark::Thin(0.0, 0.0), "95\u{a0}% range"),
    ];
    if row.truth.iter().any(Option::is_some) {
        legend.push((Mark::Truth(0.0), "without noise"));
    }
    let desc: Vec<String> =
        rows.iter().map(|row| format!("{}: {}.", row.label, row.value)).collect();
    let drawing = Rows {
        id,
        title: row.label.clone(),
        desc: desc.join(" "),
        axis: format!("{}, {}", row.label, row.unit),
        anchor: first,
        legend,
        rows,
    };
    html! {
        h3 { (row.label) }
        figure {
            (svg::rows(&drawing))
            figcaption {
                "Each row is a period with its 95\u{a0}% range, beside the firm line of the first period's estimate."
            }
        }
        p { (told(row)) }
    }
}

fn table(data: &Evaluated) -> Markup {
    html! {
        div.scroll role="region" aria-label="Everything by period" tabindex="0" {
            table {
                thead { tr {
                    th scope="col" { "What" }
                    th scope="col" { "Since less before" }
                    th scope="col" { "Newest less first" }
                    @for one in &data.periods { th scope="col" { (one.from) } }
                } }
                tbody {
                    @for row in &data.rows {
                        tr {
                            th scope="row" { (row.label) span.unit { (row.unit) } }
                            td.num { (cell(row.moved)) }
                            td.num { (cell(row.drift)) }
                            @for value in &row.values { td.num { (cell(*value)) } }
                        }
                    }
                }
            }
        }
    }
}

fn cell(value: Option<Estimate>) -> Markup {
    let places = |v: Estimate| {
        let half = v.interval.map_or(0.0, |(low, high)| (high - low) / 2.0);
        if half > 0.0 && half < 0.05 { 4 } else { 2 }
    };
    html! {
        @match value {
            None => "–",
            Some(v) => {
                (decimal(v.value, places(v)))
                span.unit {
                    @match v.interval {
                        Some((low, high)) => { (decimal(low, places(v))) " to " (decimal(high, places(v))) },
                        None => "not estimable",
                    }
                }
            }
        }
    }
}
