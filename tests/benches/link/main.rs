//! The wire and the ledger beside what they rest on: bare quinn, and the disk.
//!
//! Each pair is measured in turn in one run and both ends are in this process, so processor time is of both. Admission:
//! handshake with certificates on both sides, the hello, and a first message that the coordinator's switchboard hands
//! on. Upload: masked vectors of 800 kB from one node. Ledger: charges of one writer, each on the disk before the next,
//! beside appends of 4 KiB with `fdatasync` in the same folder; wall time there, for a disk has no processor time.
//! `TMPDIR` chooses the disk.
mod bare;
mod ledger;
#[path = "../common/mod.rs"]
mod report;
#[expect(dead_code, reason = "the ledger needs a plan only")]
#[path = "../round/setting.rs"]
mod setting;
mod tacit;

use report::{Took, cpu_s, median, print, say, seconds};
use setting::Fallible;
use std::future::Future;
use std::time::Instant;

/// Connections of one turn, and bytes.
const CONNECTIONS: usize = 100;
const MESSAGE: usize = 800_000;
const MESSAGES: usize = 160;
const TURNS: usize = 5;

fn main() -> Fallible<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(wire())?;
    runtime.block_on(ledger::measure())
}

async fn wire() -> Fallible<()> {
    let (ours, bare) = (tacit::Pair::open()?, bare::Pair::open()?);
    let (mut ours, mut bare) = (ours, bare);
    let mut admissions: [Vec<Took>; 2] = [const { Vec::new() }; 2];
    let mut uploads: [Vec<Took>; 2] = [const { Vec::new() }; 2];
    for _ in 0..TURNS {
        admissions[0].push(timed(bare.admit(CONNECTIONS)).await?);
        admissions[1].push(timed(ours.admit(CONNECTIONS)).await?);
        uploads[0].push(timed(bare.upload(MESSAGES, MESSAGE)).await?);
        uploads[1].push(timed(ours.upload(MESSAGES, MESSAGE)).await?);
    }
    let cpu = |all: &[Took]| median(&all.iter().map(|took| took.cpu_s).collect::<Vec<_>>());
    let wall = |all: &[Took]| median(&all.iter().map(|took| took.wall_s).collect::<Vec<_>>());
    let per = float(CONNECTIONS);
    let [theirs, tacit] = [cpu(&admissions[0]) / per, cpu(&admissions[1]) / per];
    print(
        "Admission of a node: processor time of both ends",
        &["bare quinn, Ed25519, mTLS", "node and coordinator", "ratio"],
        &[vec![seconds(theirs), seconds(tacit), format!("{:.2}", tacit / theirs)]],
    );
    let gb = float(MESSAGE * MESSAGES) / 1e9;
    let [theirs, tacit] = [cpu(&uploads[0]) / gb, cpu(&uploads[1]) / gb];
    let [their_rate, rate] = [gb / wall(&uploads[0]), gb / wall(&uploads[1])];
    print(
        "Upload: processor time of both ends for each GB, and GB/s by the clock on the wall",
        &[
            "bare quinn",
            "node to coordinator",
            "bare / ours (processor)",
            "bare wall",
            "wall",
            "goodput",
        ],
        &[vec![
            seconds(theirs),
            seconds(tacit),
            format!("{:.0} %", 100.0 * theirs / tacit),
            format!("{their_rate:.2}"),
            format!("{rate:.2}"),
            format!("{:.0} %", 100.0 * rate / their_rate),
        ]],
    );
    say("A GB of bare quinn is written and read in the same pieces.");
    Ok(())
}

async fn timed(work: impl Future<Output = Fallible<()>>) -> Fallible<Took> {
    let (wall, cpu) = (Instant::now(), cpu_s());
    work.await?;
    Ok(Took { cpu_s: cpu_s() - cpu, wall_s: wall.elapsed().as_secs_f64() })
}

#[expect(clippy::cast_precision_loss, reason = "some hundred million")]
fn float(count: usize) -> f64 {
    count as f64
}
