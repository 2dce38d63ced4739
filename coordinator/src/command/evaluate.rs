//! `tacit-coordinator evaluate`: what moved over the periods of a study, and whether its stop rule holds.
use super::next::{Held, read};
use crate::evaluation::snapshot;
use crate::evaluation::{Evaluated, Reading, evaluate, page};
use crate::store::Store;
use std::path::{Path, PathBuf};
use tacit_link::keys::Keys;
use tacit_model::moments::Moments;
use tacit_shared::fault::Fault;

/// Arguments of `evaluate`.
#[derive(Clone, Debug, clap::Args)]
pub struct EvaluateArgs {
    /// Folder of the coordinator
    #[arg(long)]
    pub dir: PathBuf,
    /// Folder to write evaluation.html and evaluation.json into
    #[arg(long, default_value = "report")]
    pub out: PathBuf,
}

/// Compares the stored results of the newest study's name, and writes the page.
///
/// # Errors
/// A fault if there is no result, or one is damaged, or the page cannot be written.
pub async fn run(args: &EvaluateArgs) -> Result<String, Fault> {
    let evaluated = load(&args.dir, &[]).await?;
    write(&evaluated, &args.out)?;
    let mut lines = vec![evaluated.verdict.words.clone()];
    lines.extend(evaluated.rows.iter().filter(|row| row.named).map(page::told));
    lines.extend(evaluated.verdict.rules.iter().cloned());
    Ok(lines.join("\n"))
}

/// The evaluation of a coordinator's results; `truth` is known in a rehearsal only, one entry a period.
///
/// # Errors
/// As [`run`].
pub async fn load(dir: &Path, truth: &[Vec<Reading>]) -> Result<Evaluated, Fault> {
    let keys = Keys::open(dir)?;
    let key = keys.identity()?.verifying_key();
    let store = Store::open(dir).await?;
    let mut held: Vec<Held> = Vec::new();
    for finished in store.finished().await? {
        held.push(read(&finished, &key)?);
    }
    store.pool().close().await;
    let newest = held.first().map(|h| h.study.clone()).ok_or_else(|| {
        Fault::user("there is no result in this folder")
            .hint("`tacit-coordinator run` runs a round")
    })?;
    held.retain(|h| h.study.name() == newest.name());
    // Of two releases of one period the newer counts: it stands first, and the sort keeps their order.
    held.sort_by_key(|h| h.study.period());
    held.dedup_by_key(|h| h.study.period());
    let (mut periods, mut readings) = (Vec::new(), Vec::new());
    for one in &held {
        let moments =
            Moments::of(&one.plan, &one.aggregate).map_err(|e| Fault::user(e.to_string()))?;
        let names: Vec<String> = moments.sites().iter().map(ToString::to_string).collect();
        let found = snapshot::read(&one.study, &names, moments.inputs());
        let (mut period, reading) = found.map_err(|e| Fault::user(e.to_string()))?;
        // By the rule of the newest study, whatever earlier ones said.
        let began =
            newest.evaluation().and_then(tacit_shared::study::evaluation::Evaluation::began);
        period.compensated = began.is_some_and(|began| one.study.period().0 >= began);
        periods.push(period);
        readings.push(reading);
    }
    Ok(evaluate(&newest, periods, &readings, truth))
}

/// Writes `evaluation.html` and `evaluation.json`.
///
/// # Errors
/// An operator's fault naming the file.
pub fn write(evaluated: &Evaluated, out: &Path) -> Result<(), Fault> {
    let json = serde_json::to_string_pretty(evaluated).map_err(|e| Fault::bug(e.to_string()))?;
    std::fs::create_dir_all(out)
        .map_err(|e| Fault::operator(e.to_string()).at(out.display().to_string()))?;
    for (name, text) in
        [("evaluation.html", page::page(evaluated)), ("evaluation.json", json + "\n")]
    {
        let path = out.join(name);
        std::fs::write(&path, text).map_err(|e| {
            Fault::operator(format!("cannot be written: {e}")).at(path.display().to_string())
        })?;
    }
    Ok(())
}
