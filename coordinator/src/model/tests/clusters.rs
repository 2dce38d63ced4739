//! Sites against a population with known differences. Seeds are fixed; each test states its odds.
use super::super::gram::float;
use super::super::site::{between, effect};
use super::super::uncertainty::{Inference, Target};
use super::super::within;
use super::*;

const SITES: usize = 20;
const CLINICIANS: usize = 1_000;
/// Sd of the site effects; errors have 0.1.
const TAU: f64 = 0.05;
const BETA: [f64; 4] = [0.5, 0.1, -0.05, 0.2];

/// Clinicians at sites whose acuity (column 2) differs; `follows` is the share of a site's effect that goes
/// with its acuity. Returns the table, the site of each row, and the effects.
fn population(tau: f64, follows: f64, seed: u64) -> (Rows, Vec<usize>, Vec<f64>) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mix: Vec<f64> = (0..SITES).map(|_| normal(&mut rng)).collect();
    let effects: Vec<f64> = mix
        .iter()
        .map(|mix| tau * (follows * mix + (1.0 - follows * follows).sqrt() * normal(&mut rng)))
        .collect();
    // Sites of 31, 33, … 69 clinicians, 1,000 together.
    let sites: Vec<usize> = (0..SITES).flat_map(|site| vec![site; 31 + 2 * site]).collect();
    let x = DMatrix::from_fn(CLINICIANS, 4, |row, column| match column {
        0 => 1.0,
        2 => 0.3 * normal(&mut rng) + 0.3 * mix[sites[row]],
        _ => 0.4 * normal(&mut rng),
    });
    let mut y = &x * DVector::from_row_slice(&BETA);
    for (row, y) in y.iter_mut().enumerate() {
        *y += effects[sites[row]] + 0.1 * normal(&mut rng);
    }
    let weight = DVector::repeat(CLINICIANS, 1.0);
    (Rows { x, y, weight, groups: Vec::new() }, sites, effects)
}

fn spec_of_sites() -> Spec {
    let names = ["constant", "volume", "acuity", "minutes"];
    Spec {
        coefficients: names.iter().map(|&name| name.to_owned()).collect(),
        groups: Vec::new(),
        sites: (0..SITES).map(|site| format!("site {site}")).collect(),
        dial: None,
        explore: None,
    }
}

#[test]
fn population_intervals_count_what_a_site_shares() {
    // 200 populations: coverage has an sd of 1.5 points; the bound leaves three of them.
    let (mut with, mut without) = ([0_u32; 4], [0_u32; 4]);
    for seed in 0..200 {
        let (rows, sites, _) = population(TAU, 0.0, 90_000 + seed);
        let inputs = release_at(&rows, &sites, 0.5, seed);
        let fitted = fit(&spec_of_sites(), &inputs).unwrap();
        let solution = solve(inputs.gram()).unwrap();
        let plain = Inference::new(inputs.gram(), &solution, Target::Population).unwrap();
        for (index, truth) in BETA.into_iter().enumerate() {
            with[index] += u32::from(fitted.coefficients[index].population.contains(truth));
            without[index] += u32::from(plain.coefficient(index).unwrap().fieller.contains(truth));
        }
    }
    assert!(with.iter().all(|hits| *hits >= 181), "{with:?} of 200");
    assert!(
        without[0] < 140 && without[2] < 140,
        "{without:?} of 200: clustering hardly matters here"
    );
}

#[test]
fn site_effects_and_their_variance_are_found() {
    // 60 populations of 20 sites: coverage of 1,200 effects has an sd of 0.6 points if sites were
    // independent; they share τ² and μ, so the bound leaves more.
    let (mut hits, mut shrunk, mut raw) = (0_u32, 0.0, 0.0);
    let mut taus = Vec::new();
    for seed in 0..60 {
        let (rows, sites, effects) = population(TAU, 0.0, 40_000 + seed);
        let inputs = release_at(&rows, &sites, 2.0, seed);
        let solution = solve(inputs.gram()).unwrap();
        let found = between(&inputs, &solution).unwrap().unwrap();
        taus.push(found.tau2.sqrt());
        // The constant takes the mean of the effects with it.
        let beta = inputs.gram().coefficients(solution.t()).unwrap();
        for (sums, truth) in inputs.sites().iter().zip(effects) {
            let truth = truth - (beta[0] - BETA[0]);
            let found = effect(&found, sums, solution.t()).unwrap();
            hits += u32::from(found.interval.contains(truth));
            shrunk += (found.value - truth).powi(2);
            if let Some(own) = measure::site(sums, solution.t(), solution.sigma2()).unwrap() {
                raw += (own.value - truth).powi(2);
            }
        }
    }
    taus.sort_by(f64::total_cmp);
    assert!((0.04..0.06).contains(&taus[30]), "median {}", taus[30]);
    assert!((1_104..=1_182).contains(&hits), "{hits} of 1200");
    assert!(shrunk < raw, "{shrunk} against {raw}");
}

#[test]
fn sites_alike_cost_next_to_nothing() {
    let (rows, sites, _) = population(0.0, 0.0, 7);
    let inputs = release_at(&rows, &sites, 0.5, 8);
    let fitted = fit(&spec_of_sites(), &inputs).unwrap();
    assert!(fitted.between.unwrap().tau2.sqrt() < 0.02);
    let solution = solve(inputs.gram()).unwrap();
    let plain = Inference::new(inputs.gram(), &solution, Target::Population).unwrap();
    for (index, coefficient) in fitted.coefficients.iter().enumerate() {
        let wider =
            coefficient.population.width() / plain.coefficient(index).unwrap().fieller.width();
        assert!((1.0..1.6).contains(&wider), "{wider}");
    }
}

#[test]
fn a_site_lost_in_its_noise_has_the_mean() {
    let (rows, mut sites, _) = population(TAU, 0.0, 5);
    // Seven clinicians are moved to a site of their own.
    for site in sites.iter_mut().take(7) {
        *site = SITES;
    }
    let inputs = release_at(&rows, &sites, 0.5, 6);
    let solution = solve(inputs.gram()).unwrap();
    let found = between(&inputs, &solution).unwrap().unwrap();
    assert_eq!(found.sites, SITES);
    let small = effect(&found, &inputs.sites()[SITES], solution.t()).unwrap();
    assert!((small.value - found.mean).abs() < 1e-15);
    assert!(small.standard_error > found.tau2.sqrt());
    assert!(small.standard_error < 1.1 * found.tau2.sqrt());
}

#[test]
fn slopes_within_sites_are_free_of_what_goes_with_a_site() {
    // 200 populations: the mean of the slopes is known to 1/14 of their sd, coverage to 1.5 points.
    let (mut pooled, mut own, mut squares, mut hits) = (0.0, 0.0, 0.0, 0_u32);
    for seed in 0..200 {
        let (rows, sites, _) = population(TAU, 0.9, 70_000 + seed);
        let inputs = release_at(&rows, &sites, 0.5, seed);
        let solution = solve(inputs.gram()).unwrap();
        let beta = inputs.gram().coefficients(solution.t()).unwrap();
        let slopes = within::fit(&inputs, &solution).unwrap();
        assert_eq!(slopes.len(), 3);
        pooled += (beta[2] - BETA[2]) / 200.0;
        own += (slopes[1].estimate - BETA[2]) / 200.0;
        squares += (slopes[1].estimate - BETA[2]).powi(2) / 200.0;
        hits += u32::from(slopes[1].interval.contains(BETA[2]));
    }
    let sd = squares.sqrt();
    assert!(pooled > 0.05, "{pooled}");
    assert!(own.abs() < 4.0 * sd / 14.0, "{own} with sd {sd}");
    assert!(hits >= 180, "{hits} of 200");
}

#[test]
fn slopes_within_sites_without_noise_are_those_of_site_levels() {
    // A level for each site as columns of its own gives the same slopes, exactly.
    let (rows, sites, _) = population(TAU, 0.9, 3);
    let inputs = release_at(&rows, &sites, 0.0, 0);
    let slopes = within::fit(&inputs, &solve(inputs.gram()).unwrap()).unwrap();
    let levels = DMatrix::from_fn(CLINICIANS, SITES + 3, |row, column| {
        if column < SITES {
            f64::from(u8::from(sites[row] == column))
        } else {
            rows.x[(row, column - SITES + 1)]
        }
    });
    let normal = levels.transpose() * &levels;
    let beta = solve::Factor::new(&normal).unwrap().solve(&(levels.transpose() * &rows.y)).unwrap();
    for (slope, truth) in slopes.iter().zip(beta.rows(SITES, 3).iter()) {
        assert!((slope.estimate - truth).abs() < 1e-11);
    }
}

#[test]
fn too_much_noise_refuses_slopes_within_sites() {
    let (rows, sites, _) = population(TAU, 0.0, 5);
    let inputs = release_at(&rows, &sites, 20.0, 6);
    let refused = within::fit(&inputs, &solve(inputs.gram()).unwrap());
    assert!(matches!(refused, Err(ModelError::WithinTooNoisy { .. })), "{refused:?}");
}

#[test]
fn what_does_not_vary_within_sites_is_singular_without_noise_and_not_estimable_under_it() {
    let (mut rows, sites, _) = population(TAU, 0.0, 5);
    // Acuity becomes a number of the site alone.
    for (row, site) in sites.iter().enumerate() {
        rows.x[(row, 2)] = 0.05 * float(*site);
    }
    let slopes = |scale, seed| {
        let inputs = release_at(&rows, &sites, scale, seed);
        within::fit(&inputs, &solve(inputs.gram()).unwrap())
    };
    let exact = slopes(0.0, 0);
    assert!(matches!(exact, Err(ModelError::Singular { .. })), "{exact:?}");
    let found: Vec<_> = (0..40).map(|seed| slopes(2.0, seed).unwrap()).collect();
    let hidden = found.iter().filter(|found| found[1].interval == Interval::NotEstimable).count();
    // Noise alone looks like variation about once in twenty times.
    assert!(hidden >= 35, "{hidden} of 40");
    for (slope, truth) in [(0, BETA[1]), (2, BETA[3])] {
        let all = found.iter().filter(|found| found[slope].interval != Interval::NotEstimable);
        let all: Vec<_> = all.collect();
        let hits = all.iter().filter(|found| found[slope].interval.contains(truth)).count();
        assert!(all.len() > 10 && hits + 4 >= all.len(), "{hits} of {}", all.len());
    }
}
