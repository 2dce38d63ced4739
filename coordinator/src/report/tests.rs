//! What a report refuses, and that it survives its own file.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use super::data::{Bound, Interval, ReportData, WithinPart, WithinRow};
use super::{Report, ReportError, sample};
use serde_json::Value;
use std::collections::BTreeSet;

/// The key that is refused after `break_it`.
fn refused(break_it: impl FnOnce(&mut ReportData)) -> String {
    let mut data = sample::data();
    break_it(&mut data);
    match Report::new(data) {
        Err(ReportError::Key { key, .. }) => key,
        other => format!("{other:?}"),
    }
}

#[test]
fn a_report_survives_its_own_file() {
    for data in [sample::data(), sample::withheld()] {
        let report = Report::new(data).unwrap();
        let json = report.to_json().unwrap();
        assert_eq!(Report::from_json(&json).unwrap(), report);
    }
}

#[test]
fn a_cent_too_many_is_refused() {
    let mut data = sample::data();
    data.allocation.as_mut().unwrap().rows[0].cents += 1;
    let (sum, pool) = (100_000_001, 100_000_000);
    assert_eq!(Report::new(data), Err(ReportError::Pool { sum, pool }));
}

#[test]
fn each_number_that_is_none_is_refused_by_its_key() {
    let nan = f64::NAN;
    assert_eq!(refused(|d| d.fit.kappa = nan), "fit.kappa");
    assert_eq!(refused(|d| d.privacy.epsilon = nan), "privacy.epsilon");
    assert_eq!(
        refused(|d| d.coefficients[2].estimate = Some(f64::INFINITY)),
        "coefficients[2].estimate"
    );
    assert_eq!(
        refused(|d| d.fairness.groups[1].after.net_compensation = nan),
        "fairness.groups[1].after.net_compensation"
    );
    assert_eq!(
        refused(|d| d.allocation.as_mut().unwrap().rows[3].heads.sd = -1.0),
        "allocation.rows[3].heads.sd"
    );
}

#[test]
fn numbers_that_contradict_each_other_are_refused() {
    let upside_down = Interval::Between { low: 2.0, high: 1.0 };
    assert_eq!(
        refused(|d| d.coefficients[1].exact_data = upside_down),
        "coefficients[1].exact_data"
    );
    assert_eq!(refused(|d| d.fit.kappa = 1.9), "fit.quality");
    assert_eq!(refused(|d| d.fit.r_squared = None), "fit.r_squared");
    assert_eq!(refused(|d| d.privacy.min_sites = 6), "federation.took_part");
    assert_eq!(refused(|d| d.privacy.year_epsilon = 1.0), "privacy.year_epsilon");
    assert_eq!(refused(|d| d.study.to = "2026-07-01".into()), "study.to");
    assert_eq!(refused(|d| d.study.from = "July".into()), "study.from");
    assert_eq!(refused(|d| d.fairness.curve.reverse()), "fairness.curve");
    assert_eq!(refused(|d| d.inputs.result.truncate(9)), "inputs.result");
    assert_eq!(refused(|d| d.federation.dropped.clear()), "federation.invited");
}

#[test]
fn rows_are_sorted_and_name_the_sites_that_took_part() {
    let rows = |d: &mut ReportData| d.allocation.as_mut().unwrap().rows.swap(0, 1);
    assert_eq!(refused(rows), "allocation.rows");
    assert_eq!(refused(|d| d.federation.took_part.reverse()), "federation.took_part");
    let twice = |d: &mut ReportData| d.coefficients[1].name = d.coefficients[2].name.clone();
    assert_eq!(refused(twice), "coefficients");
}

#[test]
fn an_amount_beyond_its_cap_is_refused() {
    let beyond = |d: &mut ReportData| {
        let row = &mut d.allocation.as_mut().unwrap().rows[3];
        assert_eq!(row.at, Bound::Cap);
        row.cap_cents -= 1;
    };
    assert_eq!(refused(beyond), "allocation.rows[3].cents");
}

#[test]
fn nothing_follows_from_withheld_coefficients() {
    let mut data = sample::withheld();
    data.allocation = sample::data().allocation;
    let error = Report::new(data).unwrap_err();
    assert!(error.to_string().starts_with("`fit.quality` is withheld"));
    let mut data = sample::withheld();
    data.coefficients[0].estimate = Some(1.0);
    assert!(Report::new(data).is_err());
}

#[test]
fn only_a_rehearsal_knows_the_truth() {
    assert_eq!(refused(|d| d.rehearsal = false), "coefficients[0].truth");
    let mut data = sample::data();
    data.rehearsal = false;
    for row in &mut data.coefficients {
        row.truth = None;
    }
    for group in &mut data.fairness.groups {
        (group.before.truth, group.after.truth) = (None, None);
    }
    let held = Report::new(data.clone()).unwrap_err().to_string();
    assert!(held.starts_with("`histograms[0].quantiles[0].truth`"), "{held}");
    sample::forget_spreads(&mut data);
    let held = Report::new(data.clone()).unwrap_err().to_string();
    assert!(held.starts_with("`allocation.rows[0].truth_cents`"), "{held}");
    for row in &mut data.allocation.as_mut().unwrap().rows {
        row.truth_cents = None;
    }
    let held = Report::new(data.clone()).unwrap_err().to_string();
    assert!(held.starts_with("`service_lines[0].rows[0].truth_cents`"), "{held}");
    data.service_lines[0].rows.iter_mut().for_each(|row| row.truth_cents = None);
    assert!(Report::new(data).is_ok());
}

fn code(data: &mut ReportData, row: usize) -> &mut super::data::CodeRow {
    &mut data.codes.as_mut().unwrap().rows[row]
}

#[test]
fn the_other_views_of_the_money_are_held_to_their_numbers() {
    let lines = |d: &mut ReportData| d.service_lines[0].rows[1].cap_cents = 1;
    assert_eq!(refused(lines), "service_lines[0].rows[1].floor_cents");
    let twice = |d: &mut ReportData| d.service_lines[0].rows[1].level = "internal".to_owned();
    assert_eq!(refused(twice), "service_lines[0].rows");
    assert_eq!(refused(|d| code(d, 0).expected = 0.0), "codes.rows[0].expected");
    assert_eq!(refused(|d| code(d, 1).time_to = 1.0), "codes.rows[1].time_to");
    assert_eq!(refused(|d| code(d, 1).relative_low = 2.0), "codes.rows[1].relative_low");
    let counts = |d: &mut ReportData| d.equity.as_mut().unwrap().proofs[0].counts = false;
    assert_eq!(refused(counts), "equity.proofs[0].counts");
    let mut data = sample::data();
    data.codes.as_mut().unwrap().rows[0].share_cents -= 1;
    assert_eq!(Report::new(data), Err(ReportError::Pool { sum: 99_999_999, pool: 100_000_000 }));
}

#[test]
fn distributions_sites_and_changes_agree_with_the_rest() {
    let falls = |d: &mut ReportData| d.histograms[0].quantiles[3].value = 1.0;
    assert_eq!(refused(falls), "histograms[0].quantiles[3].value");
    assert_eq!(refused(|d| d.histograms[0].sd = -1.0), "histograms[0].sd");
    assert_eq!(refused(|d| d.sites.as_mut().unwrap().rows.swap(0, 1)), "sites.rows");
    assert_eq!(refused(|d| d.change.as_mut().unwrap().difference = 0.0), "change.difference");
    let renamed = |d: &mut ReportData| d.change.as_mut().unwrap().coefficient = "age".to_owned();
    assert_eq!(refused(renamed), "change.coefficient");
    let mut data = sample::withheld();
    data.sites = sample::data().sites;
    assert!(Report::new(data).is_err());
}

#[test]
fn slopes_within_hospitals_agree_with_the_formula() {
    let row = |d: &mut ReportData, change: fn(&mut WithinRow)| {
        change(&mut d.within.as_mut().unwrap().rows[0]);
    };
    let key = |name: &str| format!("within.rows[0].{name}");
    assert_eq!(refused(|d| row(d, |r| r.differs = false)), key("differs"));
    assert_eq!(refused(|d| row(d, |r| r.estimate = Some(f64::NAN))), key("estimate"));
    assert_eq!(refused(|d| row(d, |r| r.name = "volume".to_owned())), key("name"));
    let refusal = |d: &mut ReportData| d.within.as_mut().unwrap().refused = Some("no".to_owned());
    assert_eq!(refused(refusal), "within.refused");
    assert_eq!(refused(|d| d.within.as_mut().unwrap().rows.truncate(3)), "within.rows");
    let mut data = sample::withheld();
    data.within = Some(WithinPart { refused: Some("no".to_owned()), rows: Vec::new() });
    assert!(Report::new(data).is_err());
}

#[test]
fn a_mean_stands_with_its_ranges_or_not_at_all() {
    let mean = |d: &mut ReportData, mean| d.fairness.means[0].inside.mean = mean;
    assert_eq!(refused(|d| mean(d, Some(f64::NAN))), "fairness.means[0].inside.mean");
    assert_eq!(refused(|d| mean(d, None)), "fairness.means[0].inside.exact_data");
    let twice = |d: &mut ReportData| d.fairness.means[1] = d.fairness.means[0].clone();
    assert_eq!(refused(twice), "fairness.means");
    let mut data = sample::withheld();
    data.fairness.means = sample::data().fairness.means;
    assert!(Report::new(data).is_err());
}

#[test]
fn a_file_of_another_version_with_unknown_keys_or_of_huge_size_is_refused() {
    let json = Report::new(sample::data()).unwrap().to_json().unwrap();
    let other = json.replacen("\"format\": 1", "\"format\": 2", 1);
    assert_eq!(Report::from_json(&other), Err(ReportError::Format { found: 2 }));
    let unknown = json.replacen("\"kappa\"", "\"kapa\": 1, \"kappa\"", 1);
    let error = Report::from_json(&unknown).unwrap_err().to_string();
    assert!(error.contains("unknown field `kapa`") && error.contains("line "), "{error}");
    let unknown = json.replacen("\"is\": \"between\",", "\"is\": \"between\", \"mid\": 1,", 1);
    assert!(Report::from_json(&unknown).is_err());
    let huge = " ".repeat(super::FILE_BYTES_MAX + 1);
    assert!(matches!(Report::from_json(&huge), Err(ReportError::Syntax(_))));
}

#[test]
fn the_promise_is_written_from_the_figures() {
    let mut data = sample::data();
    data.privacy.words = "We promise everything.".to_owned();
    let report = Report::new(data).unwrap();
    assert_eq!(report.data().privacy.words, sample::PROMISE);
}

/// Every key in `value`, at any depth.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                found.insert(key.clone());
                keys(inner, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| keys(inner, found)),
        _ => {}
    }
}

#[test]
fn the_format_page_describes_every_key_that_is_written() {
    let page = include_str!("../../../docs/report-format.md");
    let json = Report::new(sample::data()).unwrap().to_json().unwrap();
    let mut found = BTreeSet::new();
    keys(&serde_json::from_str(&json).unwrap(), &mut found);
    assert!(found.len() > 70, "{}", found.len());
    let missing: Vec<_> =
        found.iter().filter(|key| !page.contains(&format!("| `{key}` |"))).collect();
    assert!(missing.is_empty(), "not in docs/report-format.md: {missing:?}");
}

#[test]
fn the_format_page_describes_no_key_that_is_not_written() {
    let page = include_str!("../../../docs/report-format.md");
    let json = Report::new(sample::data()).unwrap().to_json().unwrap();
    let mut found = BTreeSet::new();
    keys(&serde_json::from_str(&json).unwrap(), &mut found);
    let described = page.lines().filter_map(|l| l.strip_prefix("| `")?.split_once("` |"));
    for (key, _) in described {
        assert!(found.contains(key), "`{key}` is described, but not written");
    }
}
