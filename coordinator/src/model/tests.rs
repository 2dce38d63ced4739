//! The parts of the model together, on a synthetic table with known noise.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use rand_distr::{Distribution, StandardNormal};

use super::dial::{Direction, Phi, shift};
use super::gram::{Frame, Gram, GramNoise, GramSums, GroupNoise, GroupSums, Inputs};
use super::linear::{Quality, solve};
use super::measure;
use super::rows::Rows;
use super::uncertainty::Interval;
use super::*;

mod clusters;
mod noise;

/// Sds of the noise, per unit of one scale.
const GROUP_NOISE: GroupNoise = GroupNoise { heads: 1.0, weight: 1.0, residual: 0.3, x: 1.2 };

fn normal(rng: &mut ChaCha20Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// n clinicians, a constant and three columns, two groups that the columns predict in part.
fn rows(n: usize, seed: u64) -> Rows {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let x =
        DMatrix::from_fn(n, 4, |_, column| if column == 0 { 1.0 } else { 0.4 * normal(&mut rng) });
    let mut flag = |column: usize, shift: f64| {
        let draw =
            |row: usize| f64::from(u8::from(2.0 * x[(row, column)] + shift > normal(&mut rng)));
        DVector::from_iterator(n, (0..n).map(draw).collect::<Vec<_>>())
    };
    let groups = vec![flag(1, 0.2), flag(2, -0.8)];
    let beta = DVector::from_vec(vec![0.5, 0.1, -0.05, 0.2]);
    let y = &x * beta
        + &groups[0] * 0.05
        + &groups[1] * 0.08
        + DVector::from_iterator(n, (0..n).map(|_| 0.1 * normal(&mut rng)).collect::<Vec<_>>());
    Rows { x, y, weight: DVector::repeat(n, 1.0), groups }
}

fn frame() -> Frame {
    Frame {
        w: DMatrix::from_row_slice(
            4,
            4,
            &[1.0, 0.1, 0.0, 0.0, 0.0, 2.0, 0.3, 0.0, 0.0, 0.0, 2.5, -0.2, 0.0, 0.0, 0.0, 2.2],
        ),
        b0: DVector::from_vec(vec![0.45, 0.08, 0.0, 0.1]),
    }
}

/// The release of a table in the frame above, with noise of the given scale (0: none), at two sites.
fn release(rows: &Rows, scale: f64, seed: u64) -> Inputs {
    let sites: Vec<usize> = (0..rows.y.len()).map(|row| row % 2).collect();
    release_at(rows, &sites, scale, seed)
}

/// The same with the site of each row, from 0.
fn release_at(rows: &Rows, sites: &[usize], scale: f64, seed: u64) -> Inputs {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let frame = frame();
    let x = &rows.x * &frame.w;
    let residual = &rows.y - &rows.x * &frame.b0;
    let noise = GramNoise {
        tau2: (4.0 * scale).powi(2),
        vb: (0.8 * scale).powi(2),
        vq: (0.5 * scale).powi(2),
    };
    let mut square = x.transpose() * &x;
    for row in 0..4 {
        for column in row..4 {
            let sd = if row == column { 4.0 } else { 4.0 / 2f64.sqrt() };
            let error = scale * sd * normal(&mut rng);
            square[(row, column)] += error;
            if row != column {
                square[(column, row)] += error;
            }
        }
    }
    let cross = (x.transpose() * &residual).map(|value| value + 0.8 * scale * normal(&mut rng));
    let total = residual.norm_squared() + 0.5 * scale * normal(&mut rng);
    let gram = Gram::new(GramSums { a: square, b: cross, q: total }, noise, frame).unwrap();
    let mut part = |member: &DVector<f64>| GroupSums {
        heads: member.sum() + scale * GROUP_NOISE.heads * normal(&mut rng),
        weight: member.sum() + scale * GROUP_NOISE.weight * normal(&mut rng),
        residual: member.dot(&residual) + scale * GROUP_NOISE.residual * normal(&mut rng),
        x: (x.transpose() * member).map(|sum| sum + scale * GROUP_NOISE.x * normal(&mut rng)),
        noise: GroupNoise {
            heads: scale * GROUP_NOISE.heads,
            weight: scale * GROUP_NOISE.weight,
            residual: scale * GROUP_NOISE.residual,
            x: scale * GROUP_NOISE.x,
        },
        later: super::gram::Later::default(),
    };
    let all = part(&DVector::repeat(rows.y.len(), 1.0));
    let groups = rows.groups.iter().map(&mut part).collect::<Vec<_>>();
    let count = sites.iter().max().unwrap() + 1;
    let member = |site| sites.iter().map(move |own| f64::from(u8::from(*own == site)));
    let sites =
        (0..count).map(|site| part(&DVector::from_iterator(rows.y.len(), member(site)))).collect();
    Inputs::new(gram, all, groups, sites).unwrap()
}

fn spec(dial: Option<DialSpec>) -> Spec {
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
    Spec {
        coefficients: names(&["constant", "volume", "acuity", "minutes"]),
        groups: names(&["nights", "language"]),
        sites: names(&["north", "south"]),
        explore: dial.as_ref().map(|d| (d.groups.clone(), d.direction.clone())),
        dial,
    }
}

fn dial(phi: f64, groups: &[usize], direction: Direction) -> DialSpec {
    DialSpec { phi: Phi::new(phi).unwrap(), groups: groups.to_vec(), direction, residual_unit: 0.0 }
}

#[test]
fn the_whitened_release_gives_the_fit_of_the_table() {
    let rows = rows(300, 1);
    let (plain, whitened) = (rows.sums().unwrap(), release(&rows, 0.0, 0));
    let (one, two) = (solve(plain.gram()).unwrap(), solve(whitened.gram()).unwrap());
    let ways = [
        shift(&plain, &one, &[0, 1], &Direction::SameRelease).unwrap(),
        shift(&whitened, &two, &[0, 1], &Direction::SameRelease).unwrap(),
    ];
    for phi in [0.0, 0.3, 1.0] {
        let phi = Phi::new(phi).unwrap();
        let (t, u) = (ways[0].at(phi), ways[1].at(phi));
        let gap =
            plain.gram().coefficients(&t).unwrap() - whitened.gram().coefficients(&u).unwrap();
        assert!(gap.amax() < 1e-12);
        let (a, b) = (
            measure::overall(&plain, &t, 0.0).unwrap(),
            measure::overall(&whitened, &u, 0.0).unwrap(),
        );
        let difference = a.r_squared.unwrap().value - b.r_squared.unwrap().value;
        assert!(difference.abs() < 1e-12);
        for index in 0..2 {
            let (a, b) = (
                measure::group(&plain, index, &t).unwrap(),
                measure::group(&whitened, index, &u).unwrap(),
            );
            let ratios = (a.predictive_ratio_group.unwrap(), b.predictive_ratio_group.unwrap());
            assert!((ratios.0.value - ratios.1.value).abs() < 1e-12);
            assert!((a.fair_covariance.value - b.fair_covariance.value).abs() < 1e-12);
        }
    }
}

proptest! {
    #[test]
    fn the_dial_keeps_the_mean_and_closes_what_was_asked(
        seed: u64,
        phi in 0.0..=1.0f64,
        noisy: bool,
        both: bool,
    ) {
        let inputs = release(&rows(400, seed), if noisy { 0.5 } else { 0.0 }, seed ^ 1);
        let solution = solve(inputs.gram()).unwrap();
        let groups: &[usize] = if both { &[0, 1] } else { &[1] };
        let way = shift(&inputs, &solution, groups, &Direction::SameRelease).unwrap();
        let none = way.at(Phi::new(0.0).unwrap());
        prop_assert_eq!(&none, solution.t());
        let phi = Phi::new(phi).unwrap();
        let fair = way.at(phi);
        let mean = |t| inputs.all().mean_residual(t).unwrap();
        prop_assert!((mean(&fair) - mean(&none)).abs() < 1e-11);
        for (&group, gap) in groups.iter().zip(way.gaps()) {
            let before = measure::group(&inputs, group, &none).unwrap().mean_residual_difference;
            let after = measure::group(&inputs, group, &fair).unwrap().mean_residual_difference;
            prop_assert!((before.value - gap).abs() < 1e-11);
            prop_assert!((after.value - (1.0 - phi.value()) * gap).abs() < 1e-11);
        }
        let sums = inputs.gram().sums();
        let rss = |t: &DVector<f64>| sums.q - 2.0 * t.dot(&sums.b) + t.dot(&(&sums.a * t));
        prop_assert!((rss(&fair) - rss(&none) - way.cost(phi)).abs() < 1e-9);
    }
}

#[test]
fn a_fit_reports_the_dial_with_its_price() {
    let inputs = release(&rows(2_000, 3), 0.5, 4);
    let fitted = fit(&spec(Some(dial(0.5, &[1], Direction::SameRelease))), &inputs).unwrap();
    assert_eq!(fitted.quality, Quality::Good);
    let Some(DialOutcome::Applied(result)) = &fitted.dial else {
        panic!("{:?}", fitted.dial);
    };
    let curve: Vec<f64> = fitted.curve.iter().map(|point| point.r_squared.unwrap()).collect();
    assert_eq!(curve.len(), 11);
    let price = |at: usize| curve[0] - curve[at];
    assert!(price(10) > 0.0);
    assert!((price(5) - price(10) / 4.0).abs() < 1e-12, "half the gap, a quarter of the price");
    assert!((curve[0] - fitted.before.r_squared.unwrap().value).abs() < 1e-15);
    assert!((curve[5] - result.after.r_squared.unwrap().value).abs() < 1e-15);
    assert!(result.realised[0] > 0.9 && result.realised[0] < 1.0);
    assert!((result.equivalents.unwrap().alpha - 0.5).abs() < 1e-15);
    let group = &fitted.groups[1];
    let before = group.before.as_ref().unwrap().mean_residual_difference;
    let after = group.after.as_ref().unwrap().mean_residual_difference;
    assert!((after.value - before.value / 2.0).abs() < 1e-12);
    assert!(before.interval().width() < 0.05);
    assert_eq!(after.interval(), Interval::NotEstimable);
    assert!(fitted.coefficients.iter().all(|one| one.exact_data.width() < one.population.width()));
    assert!(fitted.coefficients.iter().all(|one| one.fair != one.estimate));
    assert!(fitted.sites.iter().all(|site| site.residual.is_some()));
    assert_ne!(fitted.t(), fitted.published());
}

#[test]
fn a_direction_from_earlier_periods_keeps_its_intervals() {
    let earlier = release(&rows(2_000, 10), 0.5, 11);
    let solution = solve(earlier.gram()).unwrap();
    let way = shift(&earlier, &solution, &[1], &Direction::SameRelease).unwrap();
    let step = way.at(Phi::new(1.0).unwrap()) - solution.t();
    let frozen = Direction::Frozen(DMatrix::from_columns(std::slice::from_ref(&step)));
    let inputs = release(&rows(2_000, 3), 0.5, 4);
    let fitted = fit(&spec(Some(dial(1.0, &[1], frozen))), &inputs).unwrap();
    let after = fitted.groups[1].after.as_ref().unwrap().mean_residual_difference;
    assert!(after.value.abs() < 1e-12);
    assert!(after.interval().width() > 0.0 && after.interval().width() < 0.05);
    let moved = fitted.published() - fitted.t();
    let along = moved.dot(&step) / (moved.norm() * step.norm());
    assert!((along.abs() - 1.0).abs() < 1e-12);
    // A direction that hardly moves the gap is refused.
    let idle = Direction::Frozen(DMatrix::from_column_slice(4, 1, &[1e-3, 0.0, 0.0, 0.0]));
    let fitted = fit(&spec(Some(dial(1.0, &[1], idle))), &inputs).unwrap();
    assert_eq!(
        fitted.dial,
        Some(DialOutcome::Withheld {
            reason: "noise would decide how the gap of `language` is closed".to_owned()
        })
    );
}

#[test]
fn too_much_noise_withholds_and_does_not_fail() {
    let fitted =
        fit(&spec(Some(dial(1.0, &[0], Direction::SameRelease))), &release(&rows(60, 3), 40.0, 8))
            .unwrap();
    assert_eq!(fitted.quality, Quality::Withheld);
    assert!(fitted.coefficients.iter().all(|one| {
        one.estimate.is_none()
            && one.fair.is_none()
            && one.exact_data == Interval::NotEstimable
            && one.population == Interval::NotEstimable
    }));
    assert!(matches!(fitted.dial, Some(DialOutcome::Withheld { .. })));
    assert!(fitted.groups.iter().all(|group| group.before.is_none() && group.after.is_none()));
    assert!(fitted.sites.iter().all(|site| site.residual.is_none()));
    assert_eq!(fitted.t(), fitted.published());
}

#[test]
fn groups_that_leave_nobody_or_repeat_each_other_are_withheld() {
    let mut table = rows(200, 2);
    table.groups[1] = table.groups[0].map(|flag| 1.0 - flag);
    let fitted =
        fit(&spec(Some(dial(1.0, &[0, 1], Direction::SameRelease))), &release(&table, 0.0, 0))
            .unwrap();
    assert!(
        matches!(fitted.dial, Some(DialOutcome::Withheld { reason }) if reason.contains("depend"))
    );
    table.groups[0] = DVector::repeat(200, 1.0);
    let fitted =
        fit(&spec(Some(dial(1.0, &[0], Direction::SameRelease))), &release(&table, 0.0, 0))
            .unwrap();
    assert_eq!(
        fitted.dial,
        Some(DialOutcome::Withheld {
            reason: "`nights`, or the rest beside it, is too small to be told from its noise"
                .to_owned()
        })
    );
    assert!(fitted.groups[0].before.is_none());
}

#[test]
fn names_and_sums_must_agree_in_number() {
    let inputs = release(&rows(100, 2), 0.0, 0);
    for change in [
        (|spec: &mut Spec| spec.coefficients.push(String::new())) as fn(&mut Spec),
        |spec| spec.groups.clear(),
        |spec| spec.sites.clear(),
    ] {
        let mut spec = spec(None);
        change(&mut spec);
        assert!(matches!(fit(&spec, &inputs), Err(ModelError::Shape { .. })));
    }
    assert_eq!(
        fit(&spec(Some(dial(0.5, &[2], Direction::SameRelease))), &inputs).unwrap_err(),
        ModelError::NoSuchGroup { index: 2, groups: 2 }
    );
    assert!(Phi::new(1.5).is_err() && Phi::new(f64::NAN).is_err());
}
