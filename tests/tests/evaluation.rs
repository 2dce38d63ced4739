//! Periods are released in frames of their own; where nothing moved, frames alone must not look like a movement.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
use tacit_coordinator::evaluation::{Reading, snapshot};
use tacit_model::moments::Moments;
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
