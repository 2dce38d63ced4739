//! Counts, yes and no, and positive numbers: each period is one step from the formula of the last, and comes to the
//! maximum of the likelihood that other software finds.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic, and says what it found"
)]
use nalgebra::DVector;
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution, Gamma, Poisson, StandardNormal};
use tacit_coordinator::conclusion::fit_study;
use tacit_coordinator::model::glm::{self, Family as Likelihood};
use tacit_coordinator::model::uncertainty::Interval;
use tacit_coordinator::model::{Fitted, ModelError};
use tacit_model::moments::Moments;
use tacit_shared::summary::feature::{FeatureRow, Measured, Value};
use tacit_tests::trial::{Setting, Table, Trial};

const SETTING: Setting = Setting {
    clinicians: 4_000,
    columns: 8,
    sites: 5,
    epsilon: 4.0,
    products_only: true,
    between: 0.0,
};
const LAW: [f64; 8] = [0.0, 0.5, -0.4, 0.3, 0.0, 0.6, -0.2, 0.0];

struct Case {
    likelihood: Likelihood,
    /// Words of the study, as they are and as this outcome needs them.
    words: Vec<(&'static str, &'static str)>,
    level: f64,
    bounds: (f64, f64),
    draw: fn(f64, &mut ChaCha20Rng) -> f64,
}

fn cases() -> Vec<Case> {
    let common = ("groups = [\"group-a\"]", "groups = []");
    let bounds = "low = 10.0\nhigh = 50.0\ncentre = 28.0\nresidual_bound = 18.0";
    vec![
        Case {
            likelihood: Likelihood::Poisson,
            words: vec![
                common,
                (bounds, "low = 0.0\nhigh = 60.0\ncentre = 3.0\nresidual_bound = 11.0"),
                ("[fairness]", "[model]\nfamily = \"poisson\"\n[fairness]"),
            ],
            level: 1.2,
            bounds: (0.0, 60.0),
            draw: |eta, rng| Poisson::new(eta.exp()).unwrap().sample(rng),
        },
        Case {
            likelihood: Likelihood::Logistic,
            words: vec![
                common,
                (bounds, "low = 0.0\nhigh = 1.0\ncentre = 0.4\nresidual_bound = 11.0"),
                ("[fairness]", "[model]\nfamily = \"logistic\"\n[fairness]"),
            ],
            level: -0.6,
            bounds: (0.0, 1.0),
            draw: |eta, rng| f64::from(u8::from(rng.random::<f64>() < 1.0 / (1.0 + (-eta).exp()))),
        },
        Case {
            likelihood: Likelihood::Gamma,
            words: vec![
                common,
                (bounds, "low = 0.01\nhigh = 400.0\ncentre = 10.0\nresidual_bound = 11.0"),
                ("[fairness]", "[model]\nfamily = \"gamma\"\n[fairness]"),
            ],
            level: 2.4,
            bounds: (0.01, 400.0),
            draw: |eta, rng| Gamma::new(4.0, eta.exp() / 4.0).unwrap().sample(rng),
        },
    ]
}

/// Rows of a case with their outcomes as counted.
fn table(case: &Case, trial: &Trial, seed: u64) -> (Table, Vec<(Vec<f64>, f64)>) {
    table_of(case, trial, (SETTING.clinicians, &[0.0; 5]), seed)
}

/// So many rows, spread over hospitals that add this to the linear predictor.
fn table_of(
    case: &Case,
    trial: &Trial,
    (clinicians, added): (usize, &[f64]),
    seed: u64,
) -> (Table, Vec<(Vec<f64>, f64)>) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let (mut rows, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..clinicians {
        let site = rng.random_range(0..added.len());
        let normal = |rng: &mut ChaCha20Rng| -> f64 { StandardNormal.sample(rng) };
        let mut x = vec![1.0];
        x.extend((1..8).map(|_| (normal(&mut rng) / 3.0).clamp(-1.0, 1.0)));
        let eta = case.level + added[site] + x.iter().zip(LAW).map(|(x, b)| x * b).sum::<f64>();
        let y = (case.draw)(eta, &mut rng).clamp(case.bounds.0, case.bounds.1);
        let features = trial.study.schema().features.iter().zip(x.iter().skip(1));
        let value = |(f, x): (&tacit_shared::study::schema::Feature, &f64)| {
            Value::Number(f.centre + x * (f.high - f.low) / 2.0)
        };
        let measured = Measured {
            outcome: y,
            features: features.map(value).collect(),
            groups: vec![0.1, 0.1],
            histograms: vec![],
        };
        let row = FeatureRow::new(trial.study.schema(), &measured).unwrap();
        rows.push((site, row));
        plain.push((x, y));
    }
    (Table::of(rows), plain)
}

fn fitted(trial: &Trial, sum: Vec<i64>) -> (Fitted, DVector<f64>) {
    let moments = Moments::of(&trial.plan, &trial.signed(sum).unwrap()).unwrap();
    let sites: Vec<String> = (1..=5).map(|at| format!("site-{at}")).collect();
    let fitted = fit_study(&trial.study, &sites, moments.inputs()).unwrap();
    let beta = moments.inputs().gram().coefficients(fitted.t()).unwrap();
    (fitted, beta)
}

/// How much of the outcome's deviance a formula leaves.
fn deviance(likelihood: Likelihood, plain: &[(Vec<f64>, f64)], beta: &DVector<f64>) -> f64 {
    let part = |a: f64, b: f64| if a > 0.0 { a * (a / b).ln() } else { 0.0 };
    let of = |(x, y): &(Vec<f64>, f64)| {
        let eta: f64 = x.iter().zip(beta.iter()).map(|(x, b)| x * b).sum();
        match likelihood {
            Likelihood::Poisson => part(*y, eta.exp()) - (y - eta.exp()),
            Likelihood::Logistic => {
                let mean = 1.0 / (1.0 + (-eta).exp());
                part(*y, mean) + part(1.0 - y, 1.0 - mean)
            }
            _ => (y - eta.exp()) / eta.exp() - (y / eta.exp()).ln(),
        }
    };
    2.0 * plain.iter().map(of).sum::<f64>()
}

#[tokio::test]
async fn periods_come_to_the_maximum_of_the_likelihood() {
    for case in cases() {
        let mut trial = SETTING.first_with(&case.words).unwrap();
        let (rows, plain) = table(&case, &trial, 9);
        let best = glm::fit(case.likelihood, 8, case.level, |pass| {
            for (x, y) in &plain {
                pass.add(x, *y, 1.0);
            }
            Ok::<(), ModelError>(())
        })
        .unwrap();
        let spread = |at: usize| best.inverse[(at, at)].sqrt();
        let apart = |beta: &DVector<f64>| {
            (0..8).map(|at| (beta[at] - best.t[at]).abs() / spread(at)).fold(0.0, f64::max)
        };
        let left = |beta: &DVector<f64>| deviance(case.likelihood, &plain, beta);
        assert!((left(&best.t) / best.deviance - 1.0).abs() < 1e-9, "the same deviance");
        let explained = |beta: &DVector<f64>| {
            (best.null_deviance - left(beta)) / (best.null_deviance - best.deviance)
        };
        let mut distances = Vec::new();
        for period in 0..3 {
            let exact = trial.exact(&rows).await.unwrap();
            distances.push(apart(&fitted(&trial, exact.clone()).1));
            let opened = trial.noised(&exact, period).unwrap();
            trial = trial.next(&SETTING, &[(&trial, &opened)]).unwrap();
        }
        let (last, beta) = fitted(&trial, trial.exact(&rows).await.unwrap());
        distances.push(apart(&beta));
        let exact = trial.exact(&rows).await.unwrap();
        let noised = trial.noised(&exact, 77).unwrap().sum().to_vec();
        let (exactly, noisily) = (explained(&beta), explained(&fitted(&trial, noised).1));
        println!(
            "{:?}: {distances:.2?} standard errors, {exactly:.4} and {noisily:.4} of what the maximum explains",
            case.likelihood
        );
        // Rows that were shrunk weigh less than in the likelihood, which moves the formula by about a standard error.
        assert!(
            distances[3] < 1.5 && distances[3] < distances[0],
            "{:?} {distances:?}",
            case.likelihood
        );
        assert!(exactly > 0.99 && noisily > 0.9, "{:?} {exactly} {noisily}", case.likelihood);
        for (at, coefficient) in last.coefficients.iter().enumerate() {
            let Interval::Bounded { low, high } = coefficient.population else { panic!() };
            let classical = 2.0 * 1.96 * spread(at);
            let dispersion = if case.likelihood == Likelihood::Gamma { 0.5 } else { 1.0 };
            let ratio = (high - low) / classical / dispersion;
            // Five hospitals have Student's quantile 2.78 instead of 1.96, and how they differ is estimated besides.
            assert!((0.85..3.0).contains(&ratio), "{:?} {at}: {ratio}", case.likelihood);
        }
    }
}

/// Hospitals that differ in their rates: the intervals count it.
#[tokio::test]
async fn hospitals_that_differ_widen_the_intervals_of_a_rate() {
    // A whole study's shares: hospitals must stand clear of their noise to be told apart.
    let setting = Setting { sites: 12, clinicians: 6_000, products_only: false, ..SETTING };
    let case = &cases()[0];
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let mut effects = || -> Vec<f64> {
        (0..12).map(|_| 0.2 * Distribution::<f64>::sample(&StandardNormal, &mut rng)).collect()
    };
    let mut trial = setting.first_with(&case.words).unwrap();
    for period in 0..2 {
        let (rows, _) = table_of(case, &trial, (6_000, &effects()), period);
        let exact = trial.exact(&rows).await.unwrap();
        let opened = trial.noised(&exact, 10 + period).unwrap();
        trial = trial.next(&setting, &[(&trial, &opened)]).unwrap();
    }
    // A rate over hospitals is the mean of theirs, not that of a typical one.
    let level = case.level + 0.2 * 0.2 / 2.0;
    let names: Vec<String> = (1..=12).map(|at| format!("site-{at}")).collect();
    let (mut held, mut all) = (0, 0);
    for seed in 0..60 {
        let (rows, _) = table_of(case, &trial, (6_000, &effects()), 100 + seed);
        let sum = trial.exact(&rows).await.unwrap();
        let moments = Moments::of(&trial.plan, &trial.noised(&sum, seed).unwrap()).unwrap();
        let fitted = fit_study(&trial.study, &names, moments.inputs()).unwrap();
        // The intercept is what hospitals differ in.
        if let Interval::Bounded { low, high } = fitted.coefficients[0].population {
            all += 1;
            held += usize::from(low <= level && level <= high);
        }
    }
    println!("{held} of {all} intervals hold the rate");
    // Of 60 at 95 %: fewer than 51 once in five thousand.
    assert!(all > 55 && held * 100 >= all * 85, "{held} of {all}");
}
