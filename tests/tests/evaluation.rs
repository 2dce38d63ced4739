//! Periods are released in frames of their own; where nothing moved, frames alone must not look like a movement.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
use tacit_coordinator::conclusion::means;
use tacit_coordinator::evaluation::{Reading, snapshot};
use tacit_model::moments::Moments;
use tacit_shared::secagg::open::Aggregate;
use tacit_tests::trial::{Setting, Table, Trial};

const SETTING: Setting = Setting {
    clinicians: 8_000,
    columns: 8,
    sites: 5,
    epsilon: 2.0,
    products_only: false,
    between: 0.02,
};

/// What the exact sums of a table say in a frame.
async fn read(trial: &Trial, table: &Table) -> Vec<Reading> {
    let sum = trial.exact(table).await.unwrap();
    let moments = Moments::of(&trial.plan, &trial.signed(sum).unwrap()).unwrap();
    let names: Vec<String> = moments.sites().iter().map(ToString::to_string).collect();
    snapshot::read(&trial.study, None, &names, moments.inputs()).unwrap().1
}

/// The same people with the same answers, in the frame of a first period and in one that earlier results gave.
#[tokio::test]
async fn a_frame_alone_moves_nothing() {
    let first = SETTING.first().unwrap();
    let earlier = SETTING.table(&first, 1).unwrap();
    let opened = first.noised(&first.exact(&earlier).await.unwrap(), 2).unwrap();
    let later = first.next(&SETTING, &[(&first, &opened)]).unwrap();
    let table = SETTING.table(&first, 3).unwrap();
    for (before, after) in read(&first, &table).await.iter().zip(read(&later, &table).await) {
        assert_eq!(before.watched, after.watched);
        let named = &before.watched;
        let (before, after) = (before.estimate.unwrap(), after.estimate.unwrap());
        let (low, high) = after.interval.unwrap();
        // Measured: at most a fortieth of what the interval reaches to one side.
        let apart = (after.value - before.value).abs() / ((high - low) / 2.0);
        assert!(apart < 0.1, "{named}: {before:?} and {after:?}");
    }
}

/// Means of everybody and of a group in a later period, 300 releases of one table: coverage has an sd of 1.3 points.
#[tokio::test]
async fn means_of_a_later_period_hold_what_the_rows_say() {
    let first = SETTING.first().unwrap();
    let earlier = SETTING.table(&first, 1).unwrap();
    let opened = first.noised(&first.exact(&earlier).await.unwrap(), 2).unwrap();
    let later = first.next(&SETTING, &[(&first, &opened)]).unwrap();
    let sum = later.exact(&SETTING.table(&later, 3).unwrap()).await.unwrap();
    let read = |aggregate: &Aggregate| {
        let moments = Moments::of(&later.plan, aggregate).unwrap();
        let inputs = moments.inputs().clone();
        let group = inputs.group(0).unwrap().clone();
        [inputs.all().clone(), group].map(|sums| means::of(&inputs, &sums, 0.0).unwrap())
    };
    let truth = read(&later.signed(sum.clone()).unwrap());
    let mut held = [0; 2];
    for seed in 0..300 {
        let found = read(&later.noised(&sum, 4_000 + seed).unwrap());
        for ((held, found), truth) in held.iter_mut().zip(found).zip(&truth) {
            *held += i32::from(found.exact_data().contains(truth.value));
        }
    }
    assert!(held.iter().all(|held| (273..=297).contains(held)), "{held:?} of 300");
}
