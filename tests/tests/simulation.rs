//! A thousand simulated worlds, and the ones that once failed.
//!
//! `TACIT_SCHEDULES=N` runs N schedules, `TACIT_SEED=S` the one of that number, with its log. A failure
//! prints its number, the schedule that was shrunk to, and what happened; the schedule, written down as
//! it is printed, becomes a case of [`cases`].
#![expect(clippy::unwrap_used, reason = "a test may panic and say why")]
#![expect(clippy::print_stdout, reason = "a run says its numbers, so that it can be repeated")]
#[path = "simulation/cases.rs"]
mod cases;
#[path = "simulation/steps.rs"]
mod steps;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tacit_tests::world::{Log, Run, Schedule, Story, run, shrink};

/// How many schedules a run of the tests goes through.
const SCHEDULES: u64 = 1000;
/// Schedules are numbered from here, so that a failing number names its schedule in any run.
const FIRST: u64 = 0x7ac1_7000;

/// Runs a schedule; fails with all there is to know.
fn holds(name: &str, schedule: &Schedule) -> Story {
    let done = run(schedule, Log::Dropped);
    if let Some(failure) = done.failure {
        let smaller = shrink(schedule, failure.rule);
        let Run { log, failure, .. } = run(&smaller, Log::Kept);
        panic!(
            "{name}: {}\nschedule: {schedule:?}\nshrunk to: {smaller:?}\n{}",
            failure.unwrap(),
            log.join("\n")
        );
    }
    done.story
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text}; expected a number")))
}

#[test]
fn a_thousand_schedules_break_no_rule() {
    if let Some(seed) = number("TACIT_SEED") {
        let schedule = Schedule::draw(seed);
        let done = run(&schedule, Log::Kept);
        println!("schedule {seed}: {schedule:?}\n{}\n{}", done.log.join("\n"), done.story);
        holds(&seed.to_string(), &schedule);
        return;
    }
    let schedules = number("TACIT_SCHEDULES").unwrap_or(SCHEDULES);
    println!("schedules {FIRST} to {}; TACIT_SEED=… runs one", FIRST + schedules - 1);
    let story = all(schedules);
    println!("{story}");
    if schedules >= SCHEDULES {
        went_everywhere(&story);
    }
}

/// Runs schedules on every core.
fn all(schedules: u64) -> Story {
    let (next, story) = (AtomicU64::new(0), Mutex::new(Story::default()));
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= schedules {
                return;
            }
            let seed = FIRST + at;
            let done = holds(&format!("TACIT_SEED={seed}"), &Schedule::draw(seed));
            story.lock().unwrap().merge(&done);
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    story.into_inner().unwrap()
}

/// Schedules that never open a sum, lose a site or attack prove nothing.
fn went_everywhere(story: &Story) {
    // About half of what the first thousand count.
    let least = [
        ("rounds opened", 600),
        ("rounds opened without some sites", 50),
        ("rounds opened of 30 sites and more", 2),
        ("results taken", 3000),
        ("rounds attacked", 250),
        ("sets certified for an attacker", 60),
        ("answers to an attacker", 150),
        ("lies told", 120),
        ("sites killed", 110),
        ("coordinators killed", 80),
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
