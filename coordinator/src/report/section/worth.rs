//! What emotional labour is worth: the coefficients.
use super::super::data::{Coefficient, FitQuality, ReportData};
use super::super::number::{decimal, percent};
use super::super::picture;
use super::super::words::{places, range};
use super::{heads, table};
use maud::{Markup, html};

/// Picture, table, and how well the numbers carry them.
pub(crate) fn worth(data: &ReportData) -> Markup {
    let kappa = decimal(data.fit.kappa, 1);
    if data.fit.quality == FitQuality::Withheld {
        return html! {
            p {
                "The coefficients are withheld: with this noise and this many clinicians they would say "
                "more about the noise than about the work (κ\u{a0}=\u{a0}" (kappa) "; 1 is needed)."
            }
        };
    }
    html! {
        p {
            "The formula starts from the typical clinician and adds or takes points for each feature. "
            "Points are points of “" (data.study.outcome.label) "”."
        }
        @if data.fit.quality == FitQuality::Weak {
            p.banner role="note" { "The fit is weak (κ\u{a0}=\u{a0}" (kappa) ", below 2): read each value with its range." }
        }
        @if let Some(change) = &data.change { (picture::change(change, data)) }
        @if let Some(picture) = picture::effects(data) { (picture) }
        (coefficients(data))
        p.small {
            "The formula explains " (data.fit.r_squared.map_or("–".to_owned(), |r| percent(r, 1)))
            " of the variation between clinicians and leaves a standard deviation of "
            (optional(data.fit.sigma_points, 2)) " points. κ\u{a0}=\u{a0}" (kappa)
            " (the numbers over their noise; good from 2, and 3 is what one plans for). Clinicians whose features were shrunk count for less: "
            "all together for " (decimal(data.fit.heads_weighted, 0)) "."
        }
    }
}

fn coefficients(data: &ReportData) -> Markup {
    let dial = data.coefficients.iter().any(|c| c.after_dial.is_some());
    let mut names = heads(&[
        "Feature",
        "Estimate",
        "Without noise, 95\u{a0}%",
        "All such clinicians, 95\u{a0}%",
    ]);
    if dial {
        names.push("After the dial".to_owned());
    }
    if data.rehearsal {
        names.push("Truth".to_owned());
    }
    let body = html! {
        tbody { @for row in &data.coefficients { (coefficient(row, dial, data.rehearsal)) } }
    };
    let caption = "What each feature is worth. “Without noise” is where the same computation on the same \
                   data would lie; “all such clinicians” also counts that these are a sample of them.";
    table("coefficients", caption, &names, &body)
}

fn coefficient(row: &Coefficient, dial: bool, rehearsal: bool) -> Markup {
    let places = places(row);
    html! {
        tr {
            th scope="row" { (row.label) span.unit { (row.unit) } }
            td.num { (optional(row.estimate, places)) }
            td.num { (range(row.exact_data, places)) }
            td.num { (range(row.population, places)) }
            @if dial { td.num { (optional(row.after_dial, places)) } }
            @if rehearsal { td.num { (optional(row.truth, places)) } }
        }
    }
}

fn optional(value: Option<f64>, places: usize) -> String {
    value.map_or("–".to_owned(), |value| decimal(value, places))
}
