//! A thousand simulated worlds, and the ones that once failed.
//!
//! `cargo run -p tacit-tests --bin tacit-simulate -- --schedules N --seed S` runs as many as one likes.
//! A failure prints its number, the schedule that was shrunk to, and what happened; the schedule,
//! written down as it is printed, becomes a case of [`cases`].
#![expect(clippy::print_stdout, reason = "a run says its numbers, so that it can be repeated")]
#[path = "simulation/cases.rs"]
mod cases;
#[path = "simulation/steps.rs"]
mod steps;

use tacit_tests::world::{FIRST_SEED, Schedule, Story, hold, many};

/// How many schedules a run of the tests goes through.
const SCHEDULES: u64 = 1000;

/// Runs a schedule; fails with all there is to know.
fn holds(name: &str, schedule: &Schedule) -> Story {
    match hold(None, schedule) {
        Ok(story) => story,
        Err(broken) => panic!("{name}: {}", broken.explained()),
    }
}

#[test]
fn a_thousand_schedules_break_no_rule() {
    println!("schedules {FIRST_SEED} to {}", FIRST_SEED + SCHEDULES - 1);
    let (story, broken) = many(FIRST_SEED, SCHEDULES, &|result| {
        if let Err(broken) = result {
            println!("{broken}");
        }
    });
    println!("{story}");
    if let Some(first) = broken.first() {
        panic!("{} broke a rule; the first: {}", broken.len(), first.clone().explained());
    }
    went_everywhere(&story);
}

/// Schedules that never open a sum, lose a site or attack prove nothing.
fn went_everywhere(story: &Story) {
    // About half of what the first thousand count.
    let least = [
        ("rounds opened", 600),
        ("rounds opened without some sites", 50),
        ("rounds opened of 15 sites and more", 3),
        ("results taken", 3000),
        ("rounds attacked", 250),
        ("sets certified for an attacker", 60),
        ("answers to an attacker", 150),
        ("lies told", 120),
        ("sites killed", 110),
        ("coordinators killed", 250),
        ("coordinators killed in a round", 250),
        ("rounds taken up again", 250),
        ("rounds never announced", 4),
        ("sites set back", 10),
        ("sites stopped by a receipt", 10),
        ("charges that failed", 45),
        ("messages lost with their line", 300),
        ("messages sent again", 250),
        ("declined: not approved or no budget", 900),
        ("refusals: sets that differ too little, or too many", 400),
        ("refusals: an old round", 100),
    ];
    for (what, least) in least {
        assert!(story.count(what) >= least, "{what}: {} of at least {least}", story.count(what));
    }
}
