//! What the benches that compare share: processor time, pairs in one run, tables.
//!
//! Wall time says as much about the machine's other work as about ours, so what is printed is processor time of this
//! process, all threads together, unless a column says otherwise. A claim is a ratio of two things measured in turn,
//! A-B-A-B, in one run.
#![expect(dead_code, reason = "each bench uses its part")]
#![expect(clippy::print_stdout, reason = "a bench prints its tables")]

use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN as MARKDOWN;
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::time::Instant;

/// Processor time of this process so far, in seconds.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of days")]
pub(crate) fn cpu_s() -> f64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ProcessCPUTime);
    tv_sec as f64 + tv_nsec as f64 * 1e-9
}

/// Processor time and wall time of a piece of work, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub(crate) struct Took {
    pub(crate) cpu_s: f64,
    pub(crate) wall_s: f64,
}

/// Runs a piece of work and says how long it took.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Took) {
    let (wall, cpu) = (Instant::now(), cpu_s());
    let result = work();
    (result, Took { cpu_s: cpu_s() - cpu, wall_s: wall.elapsed().as_secs_f64() })
}

/// The median of some numbers; 0 of none.
pub(crate) fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// The command line: cargo adds `--bench`, which says nothing.
pub(crate) fn asked(flag: &str) -> bool {
    std::env::args().any(|argument| argument == flag)
}

/// The largest resident memory of this process so far, in MB; 0 where the system does not say.
pub(crate) fn peak_mb() -> f64 {
    peak_mb_of(std::process::id())
}

/// The largest resident memory of a running process so far, in MB; 0 where the system does not say.
pub(crate) fn peak_mb_of(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1000.0
}

/// Prints a table.
pub(crate) fn print(title: &str, head: &[&str], rows: &[Vec<String>]) {
    let mut table = Table::new();
    table.load_style(MARKDOWN).set_header(head.to_vec());
    for row in rows {
        table.add_row(row);
    }
    println!("\n{title}\n{table}");
}

/// A line of explanation.
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Seconds, with as many digits as they are worth.
pub(crate) fn seconds(s: f64) -> String {
    match s {
        s if s >= 10.0 => format!("{s:.1} s"),
        s if s >= 0.1 => format!("{s:.2} s"),
        s if s >= 1e-3 => format!("{:.2} ms", s * 1e3),
        s => format!("{:.2} µs", s * 1e6),
    }
}
