//! Reference vectors through the public functions of the model.
//!
//! The files are not part of this repository: `TACIT_VECTORS` names their folder (default
//! `<workspace root>/../shared/vectors`). Where it is absent, each test says so and passes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic, and says when it had nothing to do"
)]
use std::path::PathBuf;

use nalgebra::{DMatrix, DVector};
use serde_json::{Map, Value};
use tacit_coordinator::allocation::{Claim, allocate};
use tacit_coordinator::model::dial::{Direction, Phi, equivalents, shift};
use tacit_coordinator::model::fair::{Estimator, OverallMean, estimate};
use tacit_coordinator::model::gram::{Frame, Gram, GramNoise, GramSums, Inputs};
use tacit_coordinator::model::linear::{Solution, classical, solve};
use tacit_coordinator::model::measure;
use tacit_coordinator::model::rows::Rows;
use tacit_coordinator::model::uncertainty::{Estimate, Inference, Interval, Target};
use tacit_shared::money::Cents;

fn vectors(name: &str) -> Option<Value> {
    let folder = std::env::var_os("TACIT_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
        PathBuf::from,
    );
    let path = folder.join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("{}: absent, nothing compared", path.display());
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap();
    list.iter().map(|entry| entry.as_f64().unwrap()).collect()
}

fn vector(value: &Value) -> DVector<f64> {
    DVector::from_vec(numbers(value))
}

fn matrix(value: &Value) -> DMatrix<f64> {
    let rows: Vec<_> = value.as_array().unwrap().iter().map(numbers).collect();
    DMatrix::from_fn(rows.len(), rows[0].len(), |row, column| rows[row][column])
}

/// The largest gap seen; every gap must be within the tolerance, absolutely.
struct Gap {
    tolerance: f64,
    largest: f64,
    compared: usize,
}

impl Gap {
    fn new(tolerance: &Value) -> Self {
        Self { tolerance: tolerance.as_f64().unwrap(), largest: 0.0, compared: 0 }
    }

    fn see(&mut self, what: &str, found: f64, expected: f64) {
        let gap = (found - expected).abs();
        assert!(gap <= self.tolerance, "{what}: found {found}, expected {expected}");
        self.largest = self.largest.max(gap);
        self.compared += 1;
    }

    fn report(&self, name: &str, least: usize) {
        println!("{name}: {} numbers, largest gap {:e}", self.compared, self.largest);
        assert!(self.compared >= least, "{name}: too little was compared");
    }
}

fn index(names: &[&String], name: &Value) -> usize {
    let name = name.as_str().unwrap();
    names.iter().position(|known| *known == name).unwrap()
}

fn estimator(kind: &str, params: &Map<String, Value>, names: &[&String]) -> Estimator {
    let overall = match params.get("neutral").and_then(Value::as_bool) {
        Some(true) => OverallMean::Kept,
        _ => OverallMean::Free,
    };
    let groups: Vec<usize> = match (params.get("groups"), params.get("group")) {
        (Some(list), _) => {
            let list = list.as_array().unwrap();
            list.iter().map(|name| index(names, name)).collect()
        }
        (None, Some(name)) => vec![index(names, name)],
        (None, None) => Vec::new(),
    };
    let number = |name: &str| params[name].as_f64().unwrap();
    if kind.starts_with("ols") {
        Estimator::Ols
    } else if kind.starts_with("average") {
        Estimator::Average { groups, overall }
    } else if kind.starts_with("weighted_average") {
        Estimator::WeightedAverage { group: groups[0], alpha: number("alpha"), overall }
    } else if kind.starts_with("net_compensation") {
        Estimator::NetCompensation { group: groups[0], lambda: number("lam"), overall }
    } else if kind.starts_with("covariance") {
        Estimator::Covariance { group: groups[0], m: number("m") }
    } else if kind.starts_with("mean_residual_difference") {
        Estimator::MeanResidualDifference { group: groups[0], lambda: number("lam") }
    } else {
        panic!("an estimator that is not known: {kind}")
    }
}

fn see_metrics(gap: &mut Gap, inputs: &Inputs, t: &DVector<f64>, at: usize, expected: &Value) {
    let group = measure::group(inputs, at, t).unwrap();
    let overall = measure::overall(inputs, t, 0.0).unwrap();
    let found = [
        ("net_compensation_group", group.net_compensation_group),
        ("net_compensation_rest", group.net_compensation_rest),
        ("mean_residual_difference", group.mean_residual_difference),
        ("predictive_ratio_group", group.predictive_ratio_group.unwrap()),
        ("predictive_ratio_rest", group.predictive_ratio_rest.unwrap()),
        ("fair_covariance", group.fair_covariance),
        ("overall_mean_residual", overall.overall_mean_residual.unwrap()),
        ("r_squared", overall.r_squared.unwrap()),
        ("mse", overall.mean_squared_error.unwrap()),
    ];
    assert_eq!(found.len(), expected.as_object().unwrap().len());
    for (name, figure) in found {
        gap.see(name, figure.value, expected[name].as_f64().unwrap());
        assert_eq!(figure.standard_error, Some(0.0), "exact sums have no noise");
    }
}

#[test]
fn fair_fits_match_row_level_solvers() {
    let Some(file) = vectors("fair-regression.json") else {
        return;
    };
    let mut gap = Gap::new(&file["tolerance"]);
    for case in file["cases"].as_array().unwrap() {
        let groups = case["groups"].as_object().unwrap();
        let names: Vec<&String> = groups.keys().collect();
        let rows = Rows {
            x: matrix(&case["X"]),
            y: vector(&case["y"]),
            weight: vector(&case["w"]),
            groups: groups.values().map(vector).collect(),
        };
        let inputs = rows.sums().unwrap();
        let solution = solve(inputs.gram()).unwrap();
        for (kind, result) in case["results"].as_object().unwrap() {
            let params = result["params"].as_object().unwrap();
            let t = estimate(&inputs, &solution, &estimator(kind, params, &names)).unwrap();
            for (found, expected) in t.iter().zip(numbers(&result["coef"])) {
                gap.see(kind, *found, expected);
            }
            for (name, expected) in result["metrics"].as_object().unwrap() {
                let at = names.iter().position(|known| *known == name).unwrap();
                see_metrics(&mut gap, &inputs, &t, at, expected);
            }
            if let Some(expected) = result.get("bse_model") {
                let classical = classical(inputs.gram(), inputs.all().heads).unwrap();
                gap.see("scale", classical.scale, result["scale"].as_f64().unwrap());
                for (found, expected) in classical.standard_errors.iter().zip(numbers(expected)) {
                    gap.see("standard error", *found, expected);
                }
            }
        }
        see_dial(&mut gap, &inputs, &solution, &case["results"]);
    }
    gap.report("fair-regression.json", 600);
}

/// The dial reproduces the estimators that keep the overall mean, at the φ of each.
fn see_dial(gap: &mut Gap, inputs: &Inputs, solution: &Solution, results: &Value) {
    let way = shift(inputs, solution, &[0], &Direction::SameRelease).unwrap();
    let at = |phi: f64| way.at(Phi::new(phi).unwrap());
    // What λ closes per unit of φ/(1 − φ), and of φ.
    let half = equivalents(inputs, solution, 0, Phi::new(0.5).unwrap()).unwrap();
    let odds = 2.0 / half.mean_residual_difference_lambda.unwrap();
    let mut same = vec![
        ("ols_wls", 0.0),
        ("average_neutral", 1.0),
        ("weighted_average_0.2_neutral", 0.8),
        ("weighted_average_0.6_neutral", 0.4),
        ("covariance_0.0", 1.0),
        ("covariance_0.4", 0.6),
        ("mean_residual_difference_2", odds / (1.0 + odds)),
    ];
    let linear = 2.0 / (2.0 * half.net_compensation_lambda);
    if (0.0..=1.0).contains(&linear) {
        same.push(("net_compensation_2_neutral", linear));
    }
    for (kind, phi) in same {
        let expected = numbers(&results[kind]["coef"]);
        for (found, expected) in at(phi).iter().zip(expected) {
            gap.see(kind, *found, expected);
        }
    }
}

#[test]
fn intervals_match_the_reference() {
    let Some(file) = vectors("intervals.json") else {
        return;
    };
    let mut gap = Gap::new(&file["tolerance"]);
    for case in file["cases"].as_array().unwrap() {
        let number = |name: &str| case[name].as_f64().unwrap();
        let gram = Gram::new(
            GramSums { a: matrix(&case["A"]), b: vector(&case["b"]), q: number("q") },
            GramNoise { tau2: number("tau2"), vb: number("vb"), vq: 0.0 },
            Frame { w: matrix(&case["W"]), b0: vector(&case["b0"]) },
        )
        .unwrap();
        let solution = solve(&gram).unwrap();
        gap.see("n_eff", solution.n_eff(), number("n_eff"));
        gap.see("sigma2", solution.sigma2(), number("sigma2"));
        gap.see("kappa", solution.kappa(), number("kappa"));
        gap.see("kappa", gram.kappa().unwrap(), number("kappa"));
        let cov = gram.noise_cov(solution.t());
        let expected = matrix(&case["noise_cov_at_solution"]);
        for (found, expected) in cov.iter().zip(&expected) {
            gap.see("noise covariance", *found, *expected);
        }
        for (name, target) in [("population", Target::Population), ("exact", Target::ExactData)] {
            let inference = Inference::new(&gram, &solution, target).unwrap();
            for (index, expected) in case[name].as_array().unwrap().iter().enumerate() {
                see_estimate(&mut gap, &inference.coefficient(index).unwrap(), expected);
            }
        }
    }
    gap.report("intervals.json", 90);
}

fn see_estimate(gap: &mut Gap, found: &Estimate, expected: &Value) {
    gap.see("estimate", found.value, expected["estimate"].as_f64().unwrap());
    gap.see("se", found.standard_error, expected["se"].as_f64().unwrap());
    for (name, interval) in [("wald", found.wald), ("fieller", found.fieller)] {
        match (interval, &expected[name]) {
            (Interval::NotEstimable, Value::Null) => {}
            (Interval::Bounded { low, high }, Value::Array(_)) => {
                let ends = numbers(&expected[name]);
                gap.see(name, low, ends[0]);
                gap.see(name, high, ends[1]);
            }
            (found, expected) => panic!("{name}: found {found:?}, expected {expected}"),
        }
    }
}

#[test]
fn allocations_match_the_reference() {
    let Some(file) = vectors("allocation.json") else {
        return;
    };
    let mut gap = Gap::new(&file["tolerance"]);
    for case in file["cases"].as_array().unwrap() {
        let caps = case["cap"].as_array().unwrap().iter();
        let claims: Vec<Claim> = numbers(&case["L"])
            .into_iter()
            .zip(numbers(&case["floor"]))
            .zip(caps)
            .map(|((labour, floor), cap)| Claim {
                floor,
                cap: cap.as_f64().unwrap_or(f64::INFINITY),
                ..Claim::of_labour(labour)
            })
            .collect();
        let pool = case["pool"].as_i64().unwrap();
        let awards = allocate(Cents::new(pool), &claims).unwrap();
        for (award, expected) in awards.iter().zip(numbers(&case["amount"])) {
            gap.see("amount", award.amount, expected);
        }
        let cents: Vec<i64> = awards.iter().map(|award| award.cents.value()).collect();
        let expected = case["cents"].as_array().unwrap().iter();
        assert_eq!(cents, expected.map(|value| value.as_i64().unwrap()).collect::<Vec<_>>());
    }
    gap.report("allocation.json", 7);
}
