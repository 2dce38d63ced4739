//! Slopes within hospitals beside the formula, and the means of groups.
use super::super::data::{Coefficient, CoefficientKind, Interval, ReportData};
use super::super::number::decimal;
use super::super::within::{GroupMean, GroupMeans, WithinPart, WithinRow};
use super::super::words::{places, range};
use super::asked::noisy;
use super::{heads, table};
use maud::{Markup, html};

/// What features are worth among clinicians of one hospital.
pub(crate) fn within(within: &WithinPart, data: &ReportData) -> Markup {
    html! {
        h3 { "Within hospitals" }
        p {
            "The formula compares clinicians of all hospitals. If a hospital's level goes with its case mix, this bends its "
            "values: what the hospital does is then credited to its patients. Comparing each clinician with others of the "
            "same hospital is free of that, but the privacy noise weighs more in it."
        }
        @if let Some(refused) = &within.refused {
            p.small { "Such a comparison is not offered here: " (refused) "." }
        } @else {
            p { (verdict(&within.rows)) }
            (slopes(within, data))
        }
    }
}

/// What the two columns say together.
fn verdict(rows: &[WithinRow]) -> String {
    let names: Vec<String> =
        rows.iter().filter(|row| row.differs).map(|row| format!("“{}”", row.label)).collect();
    match names.as_slice() {
        [] => "No value within hospitals lies clearly apart from that of the formula: wherever both are known, their ranges overlap."
            .to_owned(),
        some => format!(
            "Clearly apart from the formula, with ranges that do not overlap: {}. There the formula also counts how hospitals \
             differ; the value within hospitals is the safer one.",
            some.join(", ")
        ),
    }
}

fn slopes(within: &WithinPart, data: &ReportData) -> Markup {
    let mut names =
        heads(&["Feature", "Formula, all hospitals", "Within hospitals", "Clearly apart"]);
    if data.rehearsal {
        names.push("Within, without noise".to_owned());
    }
    let pooled = data.coefficients.iter().filter(|c| c.kind == CoefficientKind::Effect);
    let body = html! {
        tbody { @for (pooled, row) in pooled.zip(&within.rows) { (slope(pooled, row, data.rehearsal)) } }
    };
    let caption = "What each feature is worth by the formula and among clinicians of one hospital, each with its \
                   95\u{a0}% range for all such clinicians.";
    table("within", caption, &names, &body)
}

fn slope(pooled: &Coefficient, row: &WithinRow, rehearsal: bool) -> Markup {
    let places = places(pooled);
    let optional = |value: Option<f64>| value.map_or("–".to_owned(), |v| decimal(v, places));
    let apart = match (row.interval, row.differs) {
        (_, true) => "yes",
        (Interval::Between { .. }, false) => "no",
        _ => "–",
    };
    html! {
        tr {
            th scope="row" { (row.label) span.unit { (row.unit) } }
            td.num { (optional(pooled.estimate)) span.unit { (range(pooled.population, places)) } }
            td.num { (optional(row.estimate)) span.unit { (range(row.interval, places)) } }
            td.num { (apart) }
            @if rehearsal { td.num { (optional(row.truth)) } }
        }
    }
}

/// The mean outcome of each group and of everybody else.
pub(crate) fn means(data: &ReportData) -> Markup {
    let means = &data.fairness.means;
    if means.is_empty() {
        return html! {};
    }
    let mut names = heads(&[
        "Group",
        "Clinicians",
        "Mean, points",
        "Without noise, 95\u{a0}%",
        "All such clinicians, 95\u{a0}%",
    ]);
    if data.rehearsal {
        names.push("Mean without noise".to_owned());
    }
    let body = html! { tbody { @for group in means { (group_rows(group, data.rehearsal)) } } };
    let caption = format!(
        "Mean of “{}” in each group and among everybody else, before any formula.",
        data.study.outcome.label
    );
    html! {
        h3 { "Means of groups" }
        (table("means", &caption, &names, &body))
    }
}

fn group_rows(group: &GroupMeans, rehearsal: bool) -> Markup {
    html! {
        (mean_row(&group.label, &group.inside, rehearsal))
        (mean_row("everybody else", &group.outside, rehearsal))
    }
}

fn mean_row(label: &str, mean: &GroupMean, rehearsal: bool) -> Markup {
    let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| decimal(value, 2));
    html! {
        tr {
            th scope="row" { (label) }
            td.num { (noisy(mean.heads)) }
            td.num { (number(mean.mean)) }
            td.num { (range(mean.exact_data, 2)) }
            td.num { (range(mean.population, 2)) }
            @if rehearsal { td.num { (number(mean.truth)) } }
        }
    }
}
