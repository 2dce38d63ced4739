//! How accurate releases are, through the real path; the goals at full size are the bench `accuracy`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic, and says what it found"
)]
use tacit_model::moments::Moments;
use tacit_tests::oracle;
use tacit_tests::trial::amounts::Purse;
use tacit_tests::trial::hospitals::Effects;
use tacit_tests::trial::score::{Exact, Plain, Score, score};
use tacit_tests::trial::{Setting, Trial};

const SMALL: Setting = Setting {
    clinicians: 3_000,
    columns: 8,
    sites: 5,
    epsilon: 2.0,
    products_only: false,
    between: 0.0,
};

#[tokio::test]
async fn a_later_periods_sum_equals_the_oracle_to_the_integer() {
    let first = SMALL.first().unwrap();
    let table = SMALL.table(&first, 1).unwrap();
    let exact = first.exact(&table).await.unwrap();
    let opened = first.noised(&exact, 2).unwrap();
    let later = first.next(&SMALL, &[(&first, &opened)]).unwrap();
    assert_eq!(later.plan.layout().directions().len(), 1);
    let exact = later.exact(&table).await.unwrap();
    assert_eq!(exact, oracle::sum(&later.study, 5, &table.rows()));
    let moments = Moments::of(&later.plan, &later.signed(exact).unwrap()).unwrap();
    let inputs = oracle::inputs(&later.study, 5, &table.rows()).unwrap();
    let near = |a: f64, b: f64| assert!((a - b).abs() < 0.02, "{a} {b}");
    for (read, exact) in [
        (moments.inputs().all(), inputs.all()),
        (moments.inputs().group(0).unwrap(), inputs.group(0).unwrap()),
        (&moments.inputs().sites()[1], &inputs.sites()[1]),
    ] {
        let (read, exact) = (&read.later, &exact.later);
        near(read.predicted.unwrap().sum, exact.predicted.unwrap().sum);
        near(read.predicted.unwrap().base, exact.predicted.unwrap().base);
        assert_eq!(read.along.len(), exact.along.len());
        read.along.iter().zip(&exact.along).for_each(|(a, b)| near(*a, *b));
    }
    // Rows have about the second moments 1 and no correlation.
    let a = &moments.inputs().gram().sums().a;
    let heads = moments.inputs().all().heads;
    for (at, entry) in a.iter().enumerate() {
        let expected = if at % 9 == 0 { 1.0 } else { 0.0 };
        assert!((entry / heads - expected).abs() < 0.35, "entry {at}: {}", entry / heads);
    }
}

/// A small federation whose group of the dial is large enough for it.
const FAIR: Setting = Setting { clinicians: 8_000, epsilon: 2.0, ..SMALL };

/// A table in the frame of a third period, ready to be released again and again.
async fn third_period(setting: &Setting, seed: u64) -> (Trial, Plain, Exact, Vec<i64>) {
    let first = setting.first().unwrap();
    let table = setting.table(&first, 100 * seed).unwrap();
    let one = first.noised(&first.exact(&table).await.unwrap(), 200 * seed).unwrap();
    let second = first.next(setting, &[(&first, &one)]).unwrap();
    let table = setting.table(&first, 100 * seed + 1).unwrap();
    let two = second.noised(&second.exact(&table).await.unwrap(), 200 * seed + 1).unwrap();
    let third = second.next(setting, &[(&second, &two), (&first, &one)]).unwrap();
    let table = setting.table(&first, 100 * seed + 2).unwrap();
    let sum = third.exact(&table).await.unwrap();
    let (plain, exact) = (Plain::of(&table).unwrap(), Exact::of(&third, sum.clone()).unwrap());
    (third, plain, exact, sum)
}

fn share(holds: impl Iterator<Item = bool>) -> f64 {
    let (all, held) =
        holds.fold((0.0, 0.0), |(all, held), h| (all + 1.0, held + f64::from(u8::from(h))));
    held / all
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::test]
async fn later_periods_see_more_and_their_intervals_hold() {
    let first = FAIR.first().unwrap();
    let table = FAIR.table(&first, 500).unwrap();
    let sum = first.exact(&table).await.unwrap();
    let (plain, exact) = (Plain::of(&table).unwrap(), Exact::of(&first, sum.clone()).unwrap());
    let draw = |seed| score(&first, &plain, &exact, &first.noised(&sum, seed).unwrap()).unwrap();
    let cold: Vec<Score> = (0..40).map(draw).collect();
    let mut warm = Vec::new();
    for seed in 1..=4 {
        let (third, plain, exact, sum) = third_period(&FAIR, seed).await;
        for draw in 0..75 {
            let opened = third.noised(&sum, 9_000 * seed + draw).unwrap();
            warm.push(score(&third, &plain, &exact, &opened).unwrap());
        }
    }
    let excess = |scores: &[Score]| median(scores.iter().map(|s| s.excess).collect());
    println!("excess {:.5} then {:.5}", excess(&cold), excess(&warm));
    // Trials at full size find a factor of five to twenty.
    assert!(excess(&warm) < excess(&cold) / 2.0, "{} {}", excess(&cold), excess(&warm));
    let covered = share(warm.iter().flat_map(|s| s.exact_data.iter().flatten().copied()));
    let before = share(warm.iter().flat_map(|s| s.before.iter().copied()));
    let after = share(warm.iter().flat_map(|s| s.after.iter().copied()));
    let closed: Vec<f64> = warm.iter().filter_map(|s| s.closed).collect();
    let within = share(closed.iter().map(|c| (0.35..=0.70).contains(c)));
    let misplaced = median(warm.iter().map(|s| s.misplaced).collect());
    println!(
        "{covered:.3} {before:.3} {after:.3}; closed {:.2}, {within:.2}; misplaced {misplaced:.4}, {:.2}",
        median(closed.clone()),
        closed.len()
    );
    // 95 % within what so few draws, from four tables, leave to chance.
    for (what, share) in [("coefficients", covered), ("before", before), ("after", after)] {
        assert!((0.92..=0.98).contains(&share), "{what}: {share}");
    }
    assert!(closed.len() > 290 && within > 0.85, "{} {within}", closed.len());
    assert!((median(closed) - 0.5).abs() < 0.06);
    assert!(misplaced < 0.01, "{misplaced}");
}

#[tokio::test]
async fn a_first_period_in_two_releases_costs_one_and_sees_more() {
    let whole = FAIR.first().unwrap();
    let part = [("rounds_per_year = 4", "rounds_per_year = 4\nspend_percent = 25")];
    let scaling = FAIR.first_with(&part).unwrap();
    let table = FAIR.table(&whole, 700).unwrap();
    let opened = scaling.noised(&scaling.exact(&table).await.unwrap(), 701).unwrap();
    let result = scaling.next_spending(&FAIR, &[(&scaling, &opened)], 75).unwrap();
    let cost = |trial: &Trial| trial.plan.charges().clinician.rho();
    let spent = cost(&scaling) + cost(&result);
    assert!(spent <= cost(&whole) * (1.0 + 1e-6), "{spent} of {}", cost(&whole));
    assert!((cost(&scaling) / cost(&whole) - 0.25).abs() < 1e-3);
    let plain = Plain::of(&table).unwrap();
    let mut medians = Vec::new();
    for trial in [&whole, &result] {
        let sum = trial.exact(&table).await.unwrap();
        let exact = Exact::of(trial, sum.clone()).unwrap();
        let draw = |seed| score(trial, &plain, &exact, &trial.noised(&sum, seed).unwrap());
        medians.push(median((800..860).map(|seed| draw(seed).unwrap().excess).collect()));
    }
    println!("excess in one release {:.5}, in two {:.5}", medians[0], medians[1]);
    assert!(medians[1] < medians[0], "{medians:?}");
}

#[tokio::test]
async fn intervals_of_amounts_hold_what_is_paid_without_noise() {
    let (mut held, mut wide) = (Vec::new(), Vec::new());
    for seed in 1..=2 {
        let (third, _, exact, sum) = third_period(&FAIR, 20 + seed).await;
        let purse = Purse::of(&third, &exact, 0.5, true).unwrap();
        for draw in 0..6_u8 {
            let opened = third.noised(&sum, 7_000 * seed + u64::from(draw)).unwrap();
            for paid in purse.judge(&third, &opened, [draw; 32]).unwrap() {
                assert!(paid.misplaced < 0.02, "{}", paid.misplaced);
                held.extend(paid.held);
                wide.extend(paid.half_widths);
            }
        }
    }
    let (count, share, wide) = (held.len(), share(held.into_iter()), median(wide));
    println!("{share:.3} of {count} amounts, half width {wide:.4}");
    // Of 60 at 95 %: fewer than 51 once in five thousand.
    assert!(count == 60 && share >= 0.85, "{share} of {count}");
    assert!((1e-4..0.05).contains(&wide), "{wide}");
}

#[tokio::test]
async fn effects_of_hospitals_that_differ_are_found_and_their_intervals_hold() {
    let setting = Setting { sites: 10, between: 0.05, ..FAIR };
    let (frame, ..) = third_period(&setting, 40).await;
    let (mut held, mut squares) = (Vec::new(), Vec::new());
    for seed in 0..6 {
        let hospitals = setting.hospitals(600 + seed);
        let table = setting.table_at(&hospitals, &frame, 700 + seed).unwrap();
        let opened = frame.noised(&frame.exact(&table).await.unwrap(), 800 + seed).unwrap();
        let (_, fitted) = frame.fitted(&opened).unwrap();
        let effects = Effects::of(&table, &hospitals, &fitted);
        held.extend(effects.held);
        squares.extend(effects.errors.into_iter().map(|(_, error)| error * error));
    }
    let (count, share) = (held.len(), share(held.into_iter()));
    let rms = (squares.iter().sum::<f64>() / tacit_model::gram::float(squares.len())).sqrt();
    println!("{share:.3} of {count} effects, rms error {rms:.4}");
    // Of 60 at 95 %: fewer than 51 once in five thousand.
    assert!(count == 60 && share >= 0.85, "{share} of {count}");
    // What is planted has .05: an estimate that knew nothing would err by that.
    assert!(rms < 0.03, "{rms}");
}
