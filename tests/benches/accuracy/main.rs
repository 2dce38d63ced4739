//! How accurate releases are: the goals of the method, at full size and through the real integer path.
//!
//! `cargo bench -p tacit-tests --bench accuracy` prints the tables of docs/performance.md; seeds are fixed. Every figure
//! comes from rows that became contributions, were summed as integers, given the sampler's own noise and read back as a
//! signed aggregate. Beside each figure that has a goal stands the goal and whether it holds; at full size a missed one ends
//! the bench as a failure. `-- --quick` takes a tenth of the draws and judges nothing. Words after `--` choose parts:
//! `formula`, `population`, `fairness`, `money`, `hospitals`, `medians`, `visits`.
#[path = "../common/mod.rs"]
mod common;
mod fairness;
mod formula;
mod goals;
mod history;
mod hospitals;
mod medians;
mod money;
mod visits;

use common::{asked, say};
use goals::Goals;
use tacit_shared::fault::Fault;

const PARTS: [&str; 7] =
    ["formula", "population", "fairness", "money", "hospitals", "medians", "visits"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Fault> {
    let full = !asked("--quick");
    let scale = if full { 10 } else { 1 };
    let chosen = |part: &str| asked(part) || !PARTS.iter().any(|other| asked(other));
    let mut goals = Goals::new(full);
    say("Draws are fixed by their seeds; the whole takes some minutes.");
    if chosen("formula") {
        formula::excess(scale, &mut goals).await?;
        formula::coverage(scale, &mut goals).await?;
    }
    if chosen("population") {
        formula::population(scale, &mut goals).await?;
    }
    if chosen("fairness") {
        fairness::report(scale, &mut goals).await?;
    }
    if chosen("money") {
        money::report(scale, &mut goals).await?;
    }
    if chosen("hospitals") {
        hospitals::report(scale, &mut goals).await?;
    }
    if chosen("medians") {
        medians::report(scale, &mut goals).await?;
    }
    if chosen("visits") {
        visits::report(scale, &mut goals).await?;
    }
    goals.verdict()
}
