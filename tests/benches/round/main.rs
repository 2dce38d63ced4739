//! One whole round in memory, phase by phase, node and coordinator apart.
//!
//! `cargo bench --bench round` takes a subset of less than a minute; `-- --full` takes the whole grid, `-- --largest` the
//! thousand sites only. Up to 200 sites,
//! every site is a real one and the opened sum is held against the noise that the sites' openings give. With 1000, one
//! real site is driven against generated peers, and the real coordinator against generated answers
//! (`generated.rs` says what is shared between them): a thousand real sites would be a quarter of an hour of one core.
//! The lengths of vectors are those that studies have: d = p(p+1)/2 + … with p ≤ 64 columns and 8 groups.
mod generated;
#[path = "../common/mod.rs"]
mod report;
mod setting;
mod whole;

use report::{asked, print, say, seconds};
use setting::{Fallible, Setting};
use std::sync::Arc;
use tacit_coordinator::link::workers::Threads;
use tacit_shared::secagg::work::{InTurn, Workers};
use whole::Spent;

/// Sites, columns, and drop-outs in percent.
type Cell = (u16, usize, u16);

fn main() -> Fallible<()> {
    let full = asked("--full");
    if !asked("--largest") {
        whole_rounds(full)?;
    }
    largest(full)?;
    Ok(())
}

fn whole_rounds(full: bool) -> Fallible<()> {
    let sites: &[u16] = if full { &[5, 20, 50, 200] } else { &[5, 20, 50] };
    let columns: &[usize] = if full { &[8, 32, 64] } else { &[8, 64] };
    let drops: &[u16] = if full { &[0, 10, 30] } else { &[0, 30] };
    let mut rows = Vec::new();
    for n in sites {
        for p in columns {
            let setting = Setting::of(*n, *p)?;
            for drop in drops {
                let lost = n * drop / 100;
                if lost == 0 && *drop > 0 {
                    continue; // the same as none
                }
                let spent = whole::round(&setting, lost, Arc::new(InTurn))?;
                rows.push(row((*n, *p, *drop), &setting, &spent));
            }
        }
    }
    say("Processor time; node: the mean of one; every site real, every opened sum checked.");
    print("Whole rounds", &HEAD, &rows);
    Ok(())
}

const HEAD: [&str; 14] = [
    "N",
    "d",
    "drop",
    "node M1",
    "M3",
    "M5",
    "M7–M10",
    "node",
    "up",
    "host keys+shares",
    "inputs",
    "votes",
    "opening",
    "host",
];

fn row((n, _, drop): Cell, setting: &Setting, spent: &Spent) -> Vec<String> {
    let node = &spent.node_s;
    let host = &spent.host_s;
    let [m1, m3, m5, later] = *node;
    let [early, inputs, votes, opening] = *host;
    vec![
        n.to_string(),
        setting.dimension().to_string(),
        format!("{drop} %"),
        seconds(m1),
        seconds(m3),
        seconds(m5),
        seconds(later),
        seconds(node.iter().sum()),
        format!("{:.0} kB", spent.node_up_bytes / 1000.0),
        seconds(early),
        seconds(inputs),
        seconds(votes),
        seconds(opening),
        seconds(host.iter().sum()),
    ]
}

/// A thousand sites: the goals of one core, at the two longest vectors, and carried on to d = 100,000 in a line.
fn largest(full: bool) -> Fallible<()> {
    let n = 1000;
    let columns: &[usize] = if full { &[8, 32, 64] } else { &[32, 64] };
    let drops: &[u16] = if full { &[0, 10, 30] } else { &[0] };
    let mut rows = Vec::new();
    let mut totals = Vec::new();
    for p in columns {
        let setting = Setting::of(n, *p)?;
        for drop in drops {
            let lost = n * drop / 100;
            let spent = generated::round(&setting, lost, Arc::new(InTurn))?;
            let (node, host) = (spent.node_s.iter().sum(), spent.host_s.iter().sum());
            totals.push((*drop, setting.dimension(), node, host, spent.node_up_bytes));
            say(&format!(
                "N = {n}, d = {}, {drop} %: {:.0} MB of masked vectors came; the process grew by {:.0} MB meanwhile, \
                 at most {:.0} MB in all",
                setting.dimension(),
                spent.came_mb,
                spent.grew_mb,
                report::peak_mb(),
            ));
            rows.push(row((n, *p, *drop), &setting, &spent));
        }
    }
    print("A thousand sites: one real site, generated answers", &HEAD, &rows);
    for drop in drops {
        let of: Vec<_> = totals.iter().filter(|t| t.0 == *drop).collect();
        if let [.., a, b] = of[..] {
            let on = |x: f64, y: f64| x + (y - x) * (100_000.0 - float(a.1)) / float(b.1 - a.1);
            say(&format!(
                "in a line to d = 100,000, {drop} %: node {}, host {}, a node sends {:.2} MB",
                seconds(on(a.2, b.2)),
                seconds(on(a.3, b.3)),
                on(a.4, b.4) / 1e6
            ));
        }
    }
    threads(full)
}

/// The same opening on one thread and on more.
fn threads(full: bool) -> Fallible<()> {
    let (n, p, lost) = if full { (1000, 32, 100) } else { (200, 64, 60) };
    let setting = Setting::of(n, p)?;
    let most = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut rows = Vec::new();
    let mut first = None;
    for count in [1, most, 1, most] {
        let workers: Arc<dyn Workers> = Arc::new(Threads::of(count)?);
        let spent = generated::round(&setting, lost, workers)?;
        let [_, _, _, opening] = spent.host_s;
        let first = *first.get_or_insert(spent.opening_wall_s);
        rows.push(vec![
            count.to_string(),
            seconds(opening),
            seconds(spent.opening_wall_s),
            format!("{:.2}", first / spent.opening_wall_s),
        ]);
    }
    let title = format!("Opening with N = {n}, d = {}, {lost} lost sites", setting.dimension());
    print(&title, &["threads", "processor time", "wall", "first wall / wall"], &rows);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a length of some thousands")]
fn float(length: usize) -> f64 {
    length as f64
}
