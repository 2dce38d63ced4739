//! Coefficients, the division of the pool and codes as CSV (RFC 4180): one table each, numbers plain and unrounded.
//!
//! An interval fills its two cells, or leaves them empty and says why in the third. A cell that a
//! spreadsheet would run as a formula gets an apostrophe in front.
use super::Report;
use super::data::{
    AllocationRow, Bound, CoefficientKind, Interval, Noisy, ServiceLineRow, WithinRow,
};
use std::fmt::Display;

/// The coefficients, or the head line alone where they are withheld.
pub fn coefficients(report: &Report) -> String {
    let head = [
        "name",
        "label",
        "unit",
        "kind",
        "estimate",
        "exact_data_low",
        "exact_data_high",
        "exact_data_is",
        "population_low",
        "population_high",
        "population_is",
        "after_dial",
        "truth",
        "within_estimate",
        "within_low",
        "within_high",
    ];
    let mut table = line(&head.map(str::to_owned));
    for row in &report.data().coefficients {
        let kind = match row.kind {
            CoefficientKind::Baseline => "baseline",
            CoefficientKind::Effect => "effect",
        };
        let mut cells = vec![
            text(&row.name),
            text(&row.label),
            text(&row.unit),
            kind.to_owned(),
            optional(row.estimate),
        ];
        cells.extend(interval(row.exact_data));
        cells.extend(interval(row.population));
        cells.extend([optional(row.after_dial), optional(row.truth)]);
        let within = report.data().within.iter().flat_map(|within| &within.rows);
        cells.extend(slope(within.into_iter().find(|slope| slope.name == row.name)));
        table.push_str(&line(&cells));
    }
    table
}

/// The allocation, or the head line alone where no money is divided.
pub fn allocation(report: &Report) -> String {
    let head = [
        "site",
        "currency",
        "heads",
        "heads_sd",
        "labour_index",
        "extra_weight",
        "floor_cents",
        "cap_cents",
        "cents",
        "low_cents",
        "high_cents",
        "at",
        "truth_cents",
    ];
    let mut table = line(&head.map(str::to_owned));
    let Some(allocation) = &report.data().allocation else {
        return table;
    };
    for row in &allocation.rows {
        let AllocationRow { heads, labour_index, extra_weight, at, truth_cents, .. } = *row;
        let cents = [row.floor_cents, row.cap_cents, row.cents, row.low_cents, row.high_cents];
        let mut cells = vec![text(&row.site), text(&allocation.currency)];
        cells.extend(share(heads, [labour_index, extra_weight], cents, at, truth_cents));
        table.push_str(&line(&cells));
    }
    table
}

/// The service lines, or the head line alone where there are none.
pub fn service_lines(report: &Report) -> String {
    let head = "feature,level,currency,heads,heads_sd,labour_index,extra_weight,floor_cents,cap_cents,cents,low_cents,high_cents,at,truth_cents";
    let mut table = format!("{head}\r\n");
    for part in &report.data().service_lines {
        for row in &part.rows {
            let ServiceLineRow { heads, labour_index, extra_weight, at, truth_cents, .. } = *row;
            let cents = [row.floor_cents, row.cap_cents, row.cents, row.low_cents, row.high_cents];
            let mut cells = vec![text(&part.feature), text(&row.level), text(&part.currency)];
            cells.extend(share(heads, [labour_index, extra_weight], cents, at, truth_cents));
            table.push_str(&line(&cells));
        }
    }
    table
}

/// The proposed codes, or the head line alone where there are none.
pub fn codes(report: &Report) -> String {
    let head = "code,specialty,time_from,time_to,acuity_from,acuity_to,expected,relative_value,relative_low,relative_high,currency,amount_cents,amount_low_cents,amount_high_cents,share_cents";
    let mut table = format!("{head}\r\n");
    let Some(part) = &report.data().codes else { return table };
    for row in &part.rows {
        table.push_str(&line(&[
            text(&row.code),
            text(&row.specialty),
            row.time_from.to_string(),
            row.time_to.to_string(),
            row.acuity_from.to_string(),
            row.acuity_to.to_string(),
            row.expected.to_string(),
            row.relative_value.to_string(),
            row.relative_low.to_string(),
            row.relative_high.to_string(),
            text(&part.currency),
            row.amount_cents.to_string(),
            row.amount_low_cents.to_string(),
            row.amount_high_cents.to_string(),
            row.share_cents.to_string(),
        ]));
    }
    table
}

/// The cells of a share from `heads` on: index and extra weight, then floor, cap, amount and its range in cents.
fn share(
    heads: Noisy,
    weights: [f64; 2],
    cents: [i64; 5],
    bound: Bound,
    truth: Option<i64>,
) -> Vec<String> {
    let mut cells = vec![heads.value.to_string(), heads.sd.to_string()];
    cells.extend(weights.map(|weight| weight.to_string()));
    cells.extend(cents.map(|cents| cents.to_string()));
    cells.extend([at(bound).to_owned(), optional(truth)]);
    cells
}

fn at(bound: Bound) -> &'static str {
    match bound {
        Bound::None => "none",
        Bound::Floor => "floor",
        Bound::Cap => "cap",
    }
}

fn line(cells: &[String]) -> String {
    format!("{}\r\n", cells.join(","))
}

fn optional(value: Option<impl Display>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

fn interval(interval: Interval) -> [String; 3] {
    let none = |why: &str| [String::new(), String::new(), why.to_owned()];
    match interval {
        Interval::Between { low, high } => {
            [low.to_string(), high.to_string(), "between".to_owned()]
        }
        Interval::NotEstimable => none("not_estimable"),
        Interval::NotOffered => none("not_offered"),
    }
}

/// The value within hospitals and its range, empty where there is none.
fn slope(row: Option<&WithinRow>) -> [String; 3] {
    let Some(row) = row else { return [String::new(), String::new(), String::new()] };
    let [low, high, _] = interval(row.interval);
    [optional(row.estimate), low, high]
}

/// Words from a study, quoted where they must be.
fn text(words: &str) -> String {
    let guard = if words.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    let words = format!("{guard}{words}");
    if words.contains(['"', ',', '\n', '\r']) {
        return format!("\"{}\"", words.replace('"', "\"\""));
    }
    words
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_line_has_the_cells_of_the_head() {
        let report = Report::new(sample::data()).unwrap();
        for (table, cells, rows) in [
            (coefficients(&report), 16, 8),
            (allocation(&report), 13, 5),
            (service_lines(&report), 14, 3),
            (codes(&report), 15, 2),
        ] {
            assert_eq!(table.lines().count(), rows + 1);
            // No label of the sample holds a comma, so commas are the cell borders.
            assert!(table.lines().all(|l| l.split(',').count() == cells), "{table}");
        }
    }

    #[test]
    fn the_cents_in_the_file_sum_to_the_pool() {
        let report = Report::new(sample::data()).unwrap();
        let sum: i64 = allocation(&report)
            .lines()
            .skip(1)
            .map(|l| l.split(',').nth(8).unwrap().parse::<i64>().unwrap())
            .sum();
        assert_eq!(sum, 100_000_000);
    }

    #[test]
    fn a_missing_interval_says_why_and_leaves_its_cells_empty() {
        assert_eq!(interval(Interval::NotEstimable), ["", "", "not_estimable"]);
        let report = Report::new(sample::withheld()).unwrap();
        assert_eq!(allocation(&report).lines().count(), 1);
    }

    #[test]
    fn words_are_quoted_and_never_run_as_a_formula() {
        assert_eq!(text("=1+1"), "'=1+1");
        assert_eq!(text("a, \"b\""), "\"a, \"\"b\"\"\"");
        assert_eq!(text("plain"), "plain");
    }
}
