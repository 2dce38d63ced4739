//! Many schedules on every core, with what a failing one needs to be repeated.
use super::op::Schedule;
use super::rule::Failure;
use super::story::Story;
use super::{Log, run, shrink};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Schedules are numbered from here, so that a failing number names its schedule in any run.
pub const FIRST_SEED: u64 = 0x7ac1_7000;

/// A schedule that broke a rule.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Its number, if it was drawn from one.
    pub seed: Option<u64>,
    /// The schedule.
    pub schedule: Schedule,
    /// Which rule, and how.
    pub failure: Failure,
}

/// What is known of a failure: a smaller schedule that breaks the same rule, and what happens in it.
#[derive(Clone, Debug)]
pub struct Explained {
    /// What broke.
    pub broken: Broken,
    /// As few faults as break the same rule.
    pub smaller: Schedule,
    /// How the smaller one breaks it.
    pub failure: Option<Failure>,
    /// What happens in it.
    pub log: Vec<String>,
}

/// What happened, if no rule was broken.
pub type Held = Result<Story, Box<Broken>>;

/// Runs one schedule.
///
/// # Errors
/// What is to be known of the rule it broke.
pub fn hold(seed: Option<u64>, schedule: &Schedule) -> Held {
    let done = run(schedule, Log::Dropped);
    match done.failure {
        None => Ok(done.story),
        Some(failure) => Err(Box::new(Broken { seed, schedule: schedule.clone(), failure })),
    }
}

/// Runs the schedules of so many numbers, from the first one on, on every core. `done` is told of each
/// as it ends.
///
/// What happened in those that hold is counted; those that do not are listed by number.
pub fn many(first: u64, count: u64, done: &(dyn Fn(&Held) + Sync)) -> (Story, Vec<Broken>) {
    let (next, all) = (AtomicU64::new(0), Mutex::new((Story::default(), Vec::new())));
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return;
            }
            let seed = first.wrapping_add(at);
            let result = hold(Some(seed), &Schedule::draw(seed));
            done(&result);
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            match result {
                Ok(story) => all.0.merge(&story),
                Err(broken) => all.1.push(*broken),
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    let (story, mut broken) = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    broken.sort_by_key(|broken| broken.seed);
    (story, broken)
}

impl Broken {
    /// Takes away what the failure does not need, and tells what happens then.
    pub fn explained(self) -> Explained {
        let smaller = shrink(&self.schedule, self.failure.rule);
        let again = run(&smaller, Log::Kept);
        Explained { broken: self, smaller, failure: again.failure, log: again.log }
    }

    /// How this schedule is run alone.
    pub fn command(&self) -> Option<String> {
        let seed = self.seed?;
        Some(format!(
            "cargo run -p tacit-tests --bin tacit-simulate -- --schedules 1 --seed {seed}"
        ))
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(seed) = self.seed {
            write!(f, "seed {seed}: ")?;
        }
        write!(f, "{}", self.failure)?;
        match self.command() {
            Some(command) => write!(f, "\n  alone: {command}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.broken)?;
        writeln!(f, "schedule: {:?}", self.broken.schedule)?;
        writeln!(f, "shrunk to: {:?}", self.smaller)?;
        for line in &self.log {
            writeln!(f, "{line}")?;
        }
        match &self.failure {
            Some(failure) => write!(f, "{failure}"),
            None => Ok(()),
        }
    }
}
