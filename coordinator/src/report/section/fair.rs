//! How the formula treats the groups, before and after the dial, and what they report.
use super::super::data::{GapMeasures, GroupFairness, Interval, ReportData};
use super::super::number::decimal;
use super::super::picture;
use super::super::words::range;
use super::asked::noisy;
use super::{heads, table};
use maud::{Markup, html};

/// Picture, table, and what the dial costs.
pub(crate) fn fairness(data: &ReportData) -> Markup {
    let fairness = &data.fairness;
    if fairness.groups.is_empty() {
        return html! {
            p { "No fairness measure is given with this report." }
            (super::within::means(data))
        };
    }
    let after = fairness.groups.iter().any(|g| g.after.interval == Interval::NotOffered);
    html! {
        p {
            "A formula can be right on average and still value one group of clinicians too low. The gap of a "
            "group is its mean outcome above the formula, less that of everybody else. One dial, φ, moves the "
            "formula from the best fit (0) to no gap (1); the formula of this report has it at "
            (decimal(fairness.phi, 2)) "."
        }
        @if let Some(picture) = picture::gaps(data) { (picture) }
        (groups(data))
        @if after && fairness.phi > 0.0 {
            p.small { "No range is offered for the gap after the dial; the notes at the end say why." }
        }
        (overall(data))
        @if let Some(picture) = picture::price(data) {
            h3 { "What closing the gap costs the fit" }
            (picture)
        }
        (equivalents(data))
        (super::within::means(data))
    }
}

fn groups(data: &ReportData) -> Markup {
    let mut names = heads(&[
        "Group and formula",
        "Gap, points",
        "95\u{a0}% range",
        "Predictive ratio and its range",
        "Net compensation, points, and its range",
        "Fair covariance, points",
    ]);
    if data.rehearsal {
        names.push("Gap without noise".to_owned());
    }
    let body = html! {
        tbody { @for group in &data.fairness.groups { (group_rows(group, (data.rehearsal, data.fairness.phi > 0.0))) } }
    };
    let caption = "Fairness of the formula by group. A gap above 0, a ratio below 1 and a net compensation \
                   below 0 each say that the group is valued too low.";
    table("groups", caption, &names, &body)
}

fn group_rows(group: &GroupFairness, (rehearsal, moved): (bool, bool)) -> Markup {
    html! {
        @for (name, measures) in formulas(group, moved) {
            tr {
                th scope="row" { (group.label) span.unit { (name) ", " (noisy(group.heads)) " clinicians" } }
                td.num { (decimal(measures.mean_residual_difference, 2)) }
                td.num { (range(measures.interval, 2)) }
                td.num {
                    (decimal(measures.predictive_ratio, 3))
                    span.unit { (range(measures.predictive_ratio_interval, 3)) }
                }
                td.num {
                    (decimal(measures.net_compensation, 2))
                    span.unit { (range(measures.net_compensation_interval, 2)) }
                }
                td.num {
                    (decimal(measures.fair_covariance, 3))
                    span.unit { (range(measures.fair_covariance_interval, 3)) }
                }
                @if rehearsal {
                    td.num { (measures.truth.map_or("–".to_owned(), |t| decimal(t, 2))) }
                }
            }
        }
    }
}

/// The formulas to show a group under: one, where the dial was not used.
fn formulas(group: &GroupFairness, moved: bool) -> Vec<(&'static str, &GapMeasures)> {
    if moved {
        vec![("before the dial", &group.before), ("after the dial", &group.after)]
    } else {
        vec![("without a dial", &group.before)]
    }
}

/// How well the formula fits everybody, before and after the dial.
fn overall(data: &ReportData) -> Markup {
    let before = if data.fairness.phi > 0.0 { "before the dial" } else { "without a dial" };
    let fits = [(before, data.fairness.overall_before), ("after it", data.fairness.overall_after)];
    let told: Vec<String> = fits
        .into_iter()
        .filter_map(|(when, fit)| {
            let fit = fit?;
            Some(format!(
                "Over everybody {when}, the outcome lies {} points from the formula on average ({}), which explains \
                 {} of its variance ({}).",
                decimal(fit.residual, 2),
                range(fit.residual_interval, 2),
                decimal(fit.r_squared, 3),
                range(fit.r_squared_interval, 3),
            ))
        })
        .collect();
    html! { @if !told.is_empty() { p.small { (told.join(" ")) } } }
}

fn equivalents(data: &ReportData) -> Markup {
    let told: Vec<String> = data
        .fairness
        .groups
        .iter()
        .filter_map(|group| {
            let equal = group.equivalents.as_ref()?;
            let lambda = equal.lambda.map_or("infinite".to_owned(), |l| decimal(l, 2));
            Some(format!(
                "For “{}”, φ = {} is the same as a weighted average with α = {}, a covariance constraint \
                 with m = {}, or a penalty of λ = {} on the squared gap.",
                group.label,
                decimal(data.fairness.phi, 2),
                decimal(equal.alpha, 2),
                decimal(equal.m, 2),
                lambda
            ))
        })
        .collect();
    html! { @if !told.is_empty() { p.small { (told.join(" ")) } } }
}
