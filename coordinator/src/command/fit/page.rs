//! The result of a fit as a page for a terminal.
use super::result::FitResult;
use super::spec::Spec;
use crate::model::uncertainty::Z95;
use std::fmt::Write as _;

/// Digits that count.
const DIGITS: usize = 6;
/// Sites that are listed; the JSON has all of them.
const SITES_SHOWN: usize = 30;

/// The page.
pub(super) fn page(spec: &Spec, result: &FitResult) -> String {
    let mut text = head(spec, result);
    text.push_str(&coefficients(result));
    text.push_str(&groups(result));
    text.push_str(&sites(result));
    text.truncate(text.trim_end().len());
    text
}

fn head(spec: &Spec, result: &FitResult) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: String| {
        let _ = writeln!(text, "{key:<10} {value}"); // a String
    };
    let names: Vec<&str> =
        std::iter::once("1").chain(spec.covariates.iter().map(String::as_str)).collect();
    let site = spec.site.as_ref().map_or_else(String::new, |site| format!(" + (1 | {site})"));
    line("model", format!("{} ~ {}{site}", spec.outcome, names.join(" + ")));
    let kind = match result.family {
        "gaussian" => "gaussian, least squares",
        "poisson" => "poisson, log link",
        "logistic" => "binomial, logit link",
        _ => "gamma, log link",
    };
    let weights = spec.weights.as_ref().map_or_else(String::new, |name| {
        format!(", weights {name} (sum {})", number(result.weight))
    });
    line("family", kind.to_owned());
    line("rows", format!("{}{weights}", result.rows));
    if let Some(term) = &result.fairness {
        let given =
            [("phi", term.phi), ("alpha", term.alpha), ("m", term.m), ("lambda", term.lambda)];
        let parameter =
            given.iter().find_map(|(name, value)| Some(format!(", {name} = {}", (*value)?)));
        let neutral = if term.neutral == Some(true) { ", overall mean kept" } else { "" };
        let parameter = parameter.unwrap_or_default();
        let groups = term.groups.join(", ");
        line("fairness", format!("{}{parameter} for {groups}{neutral}", term.kind.name()));
    }
    let fit = [("R²", result.r2), ("σ²", Some(result.sigma2)), ("mse", result.mse)];
    let shown = |(name, value): &(&str, Option<f64>)| Some(format!("{name} {}", number((*value)?)));
    line("fit", fit.iter().filter_map(shown).collect::<Vec<_>>().join("   "));
    if let Some(glm) = result.glm {
        let (own, none) = (number(glm.deviance), number(glm.null_deviance));
        line("deviance", format!("{own}, of the intercept alone {none}; {} passes", glm.passes));
    }
    text
}

fn coefficients(result: &FitResult) -> String {
    let quantile = match result.degrees_of_freedom {
        Some(freedom) => format!("Student's t with {freedom} degrees of freedom"),
        None => format!("normal, ±{Z95:.2} standard errors"),
    };
    let end = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    let rows = result.coefficients.iter().map(|row| {
        let (estimate, error) = (number(row.estimate), number(row.standard_error));
        vec![row.name.clone(), estimate, error, end(row.low), end(row.high)]
    });
    let head = ["coefficient", "estimate", "std. error", "95 % low", "high"];
    format!("\n{}{quantile}\n", table(&head, rows))
}

fn groups(result: &FitResult) -> String {
    if result.metrics.is_empty() {
        return String::new();
    }
    let end = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    let rows = result.metrics.iter().map(|(name, metrics)| {
        vec![
            name.clone(),
            number(metrics.net_compensation_group),
            number(metrics.net_compensation_rest),
            number(metrics.mean_residual_difference),
            end(metrics.predictive_ratio_group),
            end(metrics.predictive_ratio_rest),
            number(metrics.fair_covariance),
        ]
    });
    let head = [
        "group",
        "net comp.",
        "of the rest",
        "residual diff.",
        "pred. ratio",
        "of the rest",
        "fair cov.",
    ];
    format!("\n{}", table(&head, rows))
}

fn sites(result: &FitResult) -> String {
    let Some(site) = &result.site else { return String::new() };
    let (tau2, theta) = (number(site.tau2), number(site.theta));
    let share = number(site.theta / (1.0 + site.theta));
    let rows = site.sites.iter().zip(&site.blup).take(SITES_SHOWN);
    let rows = rows.map(|(name, effect)| vec![name.clone(), number(*effect)]);
    let mut text = format!(
        "\nbetween sites: τ² {tau2}, θ = τ²/σ² {theta}, intraclass correlation {share}\n{}",
        table(&["site", "effect"], rows)
    );
    let more = site.sites.len().saturating_sub(SITES_SHOWN);
    if more > 0 {
        let _ = writeln!(text, "and {more} more; --json has them all"); // a String
    }
    text
}

/// Six digits that count; an exponent where they would not fit.
fn number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e7).contains(&size) {
        return format!("{value:.precision$e}", precision = DIGITS - 1);
    }
    let before = (0..7).filter(|power| size >= 10_f64.powi(*power)).count();
    let after = (1..=4).filter(|power| size < 10_f64.powi(-*power)).count();
    let places = if before > 0 { DIGITS.saturating_sub(before) } else { DIGITS + after };
    format!("{value:.places$}")
}

/// Columns: the first to the left, numbers to the right.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let head = head.iter().map(|&name| name.to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        for (at, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(at) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for row in &rows {
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if at == 0 {
                let _ = write!(text, "{cell:<width$}"); // a String
            } else {
                let _ = write!(text, "  {cell:>width$}"); // a String
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_six_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (12.345_678_9, "12.3457"),
            (-0.012_345_678, "-0.0123457"),
            (123_456.7, "123457"),
            (0.5, "0.500000"),
            (3.0e-9, "3.00000e-9"),
            (1.0e8, "1.00000e8"),
        ] {
            assert_eq!(number(value), expected);
        }
    }
}
