//! Runs simulated worlds by number, as many as asked for, and names each that breaks a rule.
//!
//! Progress goes to stderr; the counts of what happened, and every failure, to stdout. Ends with 1 if
//! a rule was broken. One schedule alone is told in full.
use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tacit_tests::world::{FIRST_SEED, Log, Schedule, hold, many, run};

/// Worlds of hospitals and a coordinator in virtual time, where everything that can go wrong does
#[derive(Clone, Debug, Parser)]
#[command(name = "tacit-simulate", version)]
struct Options {
    /// How many schedules
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    schedules: u64,
    /// The first one's number; the others follow it
    #[arg(long, default_value_t = FIRST_SEED)]
    seed: u64,
}

fn main() -> ExitCode {
    let Options { schedules, seed } = Options::parse();
    let sound = if schedules == 1 { one(seed) } else { all(seed, schedules) };
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One schedule, in full.
fn one(seed: u64) -> bool {
    let schedule = Schedule::draw(seed);
    say(format_args!("seed {seed}: {schedule:?}"));
    match hold(Some(seed), &schedule) {
        Ok(_) => {
            let done = run(&schedule, Log::Kept);
            done.log.iter().for_each(say);
            say(format_args!("{}no rule was broken", done.story));
            true
        }
        Err(broken) => {
            say(broken.explained());
            false
        }
    }
}

/// Many schedules; each failure as it is found.
fn all(first: u64, schedules: u64) -> bool {
    let (bar, started) = (bar(schedules), Instant::now());
    let (story, broken) = many(first, schedules, &|result| {
        if let Err(broken) = result {
            bar.suspend(|| say(broken));
        }
        bar.inc(1);
        if bar.is_hidden() {
            tell(&bar, started.elapsed());
        }
    });
    bar.finish_and_clear();
    say(&story);
    let last = first.wrapping_add(schedules - 1);
    match broken.len() {
        0 => say(format_args!("seeds {first} to {last}: no rule was broken")),
        found => say(format_args!("seeds {first} to {last}: {found} of them broke a rule")),
    }
    broken.is_empty()
}

fn bar(schedules: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(schedules), target);
    let style =
        ProgressStyle::with_template("{wide_bar} {pos} of {len}, {per_sec}, about {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Where there is no terminal: a line at each tenth.
fn tell(bar: &ProgressBar, elapsed: Duration) {
    let (done, schedules) = (bar.position(), bar.length().unwrap_or_default());
    if !done.is_multiple_of(schedules.div_ceil(10).max(1)) || done == 0 {
        return;
    }
    let part = u32::try_from(done).unwrap_or(u32::MAX);
    let rest = u32::try_from(schedules.saturating_sub(done)).unwrap_or(u32::MAX);
    let left = elapsed.checked_div(part).unwrap_or_default().saturating_mul(rest);
    let rate = f64::from(part) / elapsed.as_secs_f64().max(1e-3);
    let line = format!("{done} of {schedules}, {rate:.1}/s, about {} s left", left.as_secs());
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A reader that closed the pipe early is no fault of anyone.
fn say(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
