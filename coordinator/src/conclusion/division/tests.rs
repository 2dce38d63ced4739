//! Divisions of synthetic releases: truth without noise, coverage with it. Seeds are fixed.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use super::super::fit_study;
use super::*;
use crate::allocation::fixture::{SITES, later, release, rows, site_names, study};
use crate::conclusion::{Priced, Prices};

const VIEWS: &str = "by = [\"sites\", \"levels:specialty\", \"codes\"]";
const EQUITY: &str = "[allocation.equity]\ngroups = [\"interpreter-panel\"]\nweight = 0.5\n";

fn divided(study: &Study, inputs: &Inputs, seed: u8) -> Divided {
    let sites = site_names();
    let fitted = fit_study(study, &sites, inputs).unwrap();
    let ground = Ground { study, sites: &sites, inputs, fitted: &fitted, seed: [seed; 32] };
    divide(&ground, study.allocation()).unwrap()
}

fn sum(division: &Division) -> i64 {
    division.shares.iter().map(|share| share.cents.value()).sum()
}

#[test]
fn without_noise_labour_is_that_of_the_rows() {
    let table = rows(1_200, 1);
    let study = study(VIEWS, "");
    let inputs = release(&table, 0.0, 0);
    let fitted = fit_study(&study, &site_names(), &inputs).unwrap();
    let beta = inputs.gram().coefficients(fitted.published()).unwrap();
    let outcome = &table.x * beta;
    let all = outcome.mean();
    let views = divided(&study, &inputs, 0);
    let index = |inside: &dyn Fn(usize) -> bool| {
        let own: Vec<f64> = (0..1_200).filter(|row| inside(*row)).map(|row| outcome[row]).collect();
        own.iter().sum::<f64>() / f64::from(u32::try_from(own.len()).unwrap()) / all
    };
    for (site, share) in views.view(&By::Sites).unwrap().shares.iter().enumerate() {
        assert!((share.index - index(&|row| table.site[row] == site)).abs() < 1e-9);
        assert_eq!(share.interval.0.to_bits(), share.interval.1.to_bits());
    }
    let lines = By::Levels("specialty".parse().unwrap());
    for (level, share) in views.view(&lines).unwrap().shares.iter().enumerate() {
        let inside = |row: usize| match level {
            0 => (5..8).all(|column| table.x[(row, column)] == 0.0),
            level => table.x[(row, 4 + level)] > 0.0,
        };
        assert!((share.index - index(&inside)).abs() < 1e-9, "{}", share.unit);
    }
    assert!(views.divisions.iter().all(|view| sum(view) == 1_000_000_000));
}

#[test]
fn a_later_period_gives_the_same_labour_by_another_road() {
    let table = rows(1_200, 2);
    let study = study("by = \"sites\"", "");
    let (first, later) = (release(&table, 0.0, 0), later(&table, 0.0, 0));
    let (one, two) = (divided(&study, &first, 0), divided(&study, &later, 0));
    for (a, b) in one.divisions[0].shares.iter().zip(&two.divisions[0].shares) {
        assert!((a.index - b.index).abs() < 1e-9 && a.cents == b.cents);
    }
}

#[test]
fn codes_average_one_over_their_expected_numbers_and_rise_with_time_and_acuity() {
    let views = divided(&study(VIEWS, ""), &release(&rows(1_200, 3), 0.0, 0), 0);
    let shares = &views.view(&By::Codes).unwrap().shares;
    assert_eq!(shares.len(), 36);
    let all: f64 = shares.iter().map(|share| share.heads.0).sum();
    let mean: f64 = shares.iter().map(|share| share.heads.0 * share.index).sum::<f64>() / all;
    assert!((mean - 1.0).abs() < 1e-9);
    let of = |name: &str| shares.iter().find(|share| share.unit == name).unwrap();
    assert!(of("EL-ONC-T1-A2").index < of("EL-ONC-T3-A2").index);
    assert!(of("EL-ONC-T2-A1").index < of("EL-ONC-T2-A3").index);
    // 0.5 · 0.5 of the encounters against 0.25 · 0.25.
    let ratio = of("EL-INT-T2-A2").heads.0 / of("EL-INT-T1-A1").heads.0;
    assert!((ratio - 4.0).abs() < 1e-9);
    let paid: f64 = shares.iter().map(|share| share.rate * share.heads.0).sum();
    assert!((paid / 1e9 - 1.0).abs() < 1e-9);
}

#[test]
fn prices_are_those_by_which_the_pool_was_divided() {
    let table = rows(1_200, 9);
    let study = study("by = \"sites\"", "");
    for inputs in [release(&table, 0.0, 0), later(&table, 0.0, 0)] {
        let fitted = fit_study(&study, &site_names(), &inputs).unwrap();
        let found = divided(&study, &inputs, 0).prices;
        let beta = inputs.gram().coefficients(fitted.published()).unwrap();
        let range = study.schema().outcome.high - study.schema().outcome.low;
        let labour = (&table.x * &beta).sum() * range;
        assert!((found.point.cents * labour / 1e9 - 1.0).abs() < 1e-9);
        for (column, (priced, b)) in
            study.schema().columns().iter().zip(found.columns.iter().zip(beta.iter()))
        {
            let expected = found.point.cents * b * range / column.half_range;
            assert!((priced.cents - expected).abs() < 1e-6 * expected.abs());
            assert_eq!(priced.interval, Some((priced.cents, priced.cents)));
        }
        let residual = &table.y - &table.x * &beta;
        for (group, priced) in table.member.iter().zip(&found.gaps) {
            let (mut inside, mut heads) = (0.0, 0.0);
            for (row, _) in group.iter().enumerate().filter(|(_, member)| **member) {
                inside += residual[row];
                heads += 1.0;
            }
            let gap = inside / heads - (residual.sum() - inside) / (1_200.0 - heads);
            let expected = found.point.cents * gap * range * heads;
            assert!((priced.unwrap().cents - expected).abs() < 1e-6 * expected.abs());
        }
    }
}

#[test]
fn public_heads_that_have_no_row_count_in_prices_as_in_the_division() {
    let heads: Vec<String> = (0..SITES).map(|site| format!("site-{site} = 400")).collect();
    let study =
        study("by = \"sites\"", &format!("[allocation.heads.sites]\n{}\n", heads.join("\n")));
    let inputs = later(&rows(1_200, 10), 0.0, 0);
    let fitted = fit_study(&study, &site_names(), &inputs).unwrap();
    let labour: f64 = inputs
        .sites()
        .iter()
        .map(|site| {
            let earlier = site.later.predicted.unwrap();
            400.0 * earlier.base + earlier.sum + site.x.dot(fitted.published())
        })
        .sum();
    let range = study.schema().outcome.high - study.schema().outcome.low;
    let found = divided(&study, &inputs, 0).prices.point.cents;
    assert!((found * labour * range / 1e9 - 1.0).abs() < 1e-9, "{found}");
}

#[test]
fn public_heads_and_prices_count() {
    let inputs = release(&rows(1_200, 4), 0.0, 0);
    let plain = divided(&study("by = \"sites\"", ""), &inputs, 0);
    let more =
        "[allocation.heads.sites]\nsite-0 = 1\n[allocation.price_index.sites]\nsite-1 = 1.1\n";
    let other = divided(&study("by = \"sites\"", more), &inputs, 0);
    let share = |divided: &Divided, site: usize| divided.divisions[0].shares[site].clone();
    assert!((share(&other, 0).heads.0 - 1.0).abs() < 1e-12 && share(&other, 0).heads.1 == 0.0);
    assert!(share(&other, 0).cents.value() < share(&plain, 0).cents.value() / 10);
    assert!((share(&other, 0).index / share(&plain, 0).index - 1.0).abs() < 0.1);
    assert!(share(&other, 1).rate > 1.05 * share(&plain, 1).rate);
    assert_eq!(sum(&other.divisions[0]), 1_000_000_000);
}

#[test]
fn equity_moves_money_to_proven_gaps_and_keeps_the_pool() {
    let table = rows(1_200, 5);
    let inputs = release(&table, 0.0, 0);
    let by = "by = [\"sites\", \"levels:specialty\"]";
    let (plain, fair) =
        (divided(&study(by, ""), &inputs, 0), divided(&study(by, EQUITY), &inputs, 0));
    assert!(plain.equity.is_empty() && fair.equity[0].counts);
    for (before, after) in plain.divisions.iter().zip(&fair.divisions) {
        assert_eq!((sum(before), sum(after)), (1_000_000_000, 1_000_000_000));
        let extras = after.shares.iter().map(|share| share.extra);
        let (least, most) = (extras.clone().fold(1.0, f64::min), extras.fold(0.0, f64::max));
        assert!(least > 0.0 && most < 0.5 && most > least);
        let gain = |at: usize| after.shares[at].rate / before.shares[at].rate;
        let extra = |at: &usize| after.shares[*at].extra.to_bits();
        let count = after.shares.len();
        let highest = (0..count).max_by_key(extra).unwrap();
        let lowest = (0..count).min_by_key(extra).unwrap();
        assert!(gain(highest) > 1.0 && gain(lowest) < 1.0);
    }
    // Noise that hides the gap leaves the weights alone; a study may insist.
    let loud = release(&table, 6.0, 1);
    let road = |more: &str| {
        let study = study("by = \"sites\"", more);
        let rule = study.allocation().equity.clone().unwrap();
        let t = crate::model::linear::solve(loud.gram()).unwrap().t().clone();
        equity::proofs(&study, &rule, &loud, &t).unwrap()[0].counts
    };
    assert!(!road(EQUITY) && road(&format!("{EQUITY}proven_only = false\n")));
}

#[test]
fn a_rule_that_names_what_is_not_there_is_refused() {
    let study = study("by = \"sites\"", "");
    let inputs = release(&rows(600, 6), 0.0, 0);
    let sites = site_names();
    let fitted = fit_study(&study, &sites, &inputs).unwrap();
    let ground =
        Ground { study: &study, sites: &sites, inputs: &inputs, fitted: &fitted, seed: [0; 32] };
    let mut rule = study.allocation().clone();
    rule.by = vec![By::Levels("ward".parse().unwrap())];
    let error = divide(&ground, &rule).unwrap_err().to_string();
    assert!(error.contains("there is no feature `ward`"), "{error}");
    rule.by = vec![By::Codes];
    assert!(divide(&ground, &rule).is_err());
}

/// Shares of draws whose interval holds what the exact data give: amounts by view, and prices.
fn coverage(study: &Study, scale: f64, repeats: u8) -> (Vec<(By, f64)>, f64) {
    let table = rows(2_000, 7);
    let truth = divided(study, &release(&table, 0.0, 0), 0);
    let mut hits = vec![(0_u32, 0_u32); truth.divisions.len()];
    let mut priced = (0_u32, 0_u32);
    let all = |prices: &Prices| -> Vec<Priced> {
        let gaps = prices.gaps.iter().flatten();
        [prices.point]
            .into_iter()
            .chain(prices.columns.iter().copied())
            .chain(gaps.copied())
            .collect()
    };
    for seed in 0..repeats {
        let found = divided(study, &release(&table, scale, 100 + u64::from(seed)), seed);
        let views = truth.divisions.iter().zip(&found.divisions);
        for ((exact, noisy), (hit, all)) in views.zip(hits.iter_mut()) {
            for (exact, noisy) in exact.shares.iter().zip(&noisy.shares) {
                let amount = exact.rate * exact.heads.0;
                *hit += u32::from(noisy.interval.0 <= amount && amount <= noisy.interval.1);
                *all += 1;
            }
        }
        for (exact, noisy) in all(&truth.prices).iter().zip(all(&found.prices)) {
            let (low, high) = noisy.interval.unwrap();
            priced.0 += u32::from(low <= exact.cents && exact.cents <= high);
            priced.1 += 1;
        }
    }
    let share = |(hit, all): (u32, u32)| f64::from(hit) / f64::from(all);
    let views = truth.divisions.into_iter().map(|view| view.by);
    (views.zip(hits.into_iter().map(share)).collect(), share(priced))
}

#[test]
fn ninety_five_percent_intervals_of_amounts_hold_the_exact_amount_that_often() {
    // 40 releases of one table, 8 sites and 4 lines each: 320 and 160 amounts.
    let study = study("by = [\"sites\", \"levels:specialty\"]", "");
    let (amounts, prices) = coverage(&study, 0.6, 40);
    for (by, share) in amounts {
        assert!((share - 0.95).abs() <= 0.03, "{by}: {share}");
    }
    // A point, 8 columns and 2 gaps each time; of one draw they go together.
    assert!((prices - 0.95).abs() <= 0.04, "{prices}");
    assert_eq!(SITES, 8);
}

#[test]
#[ignore = "minutes of computing: the same with codes and the equity rule, more often"]
fn intervals_hold_with_codes_and_equity_too() {
    let study = study(VIEWS, EQUITY);
    for (by, share) in coverage(&study, 0.6, 200).0 {
        assert!((share - 0.95).abs() <= 0.03, "{by}: {share}");
    }
}
