//! `tacit-coordinator evaluate`: what moved over the periods of a study, and whether its stop rule holds.
use super::files;
use super::held::Folder;
use crate::evaluation::snapshot;
use crate::evaluation::{Compared, Evaluated, LeftOut, Reading, evaluate, page};
use std::path::{Path, PathBuf};
use tacit_model::moments::Moments;
use tacit_model::sane::{self, Unsound};
use tacit_shared::fault::Fault;
use tacit_shared::study::Study;
use tacit_shared::study::evaluation::Evaluation;

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
    let written = write(&evaluated, &args.out)?;
    let mut lines = vec![evaluated.verdict.words.clone()];
    lines.extend(evaluated.left_out.iter().map(page::left_out));
    lines.extend(evaluated.rows.iter().filter(|row| row.named).map(page::told));
    lines.extend(evaluated.verdict.rules.iter().cloned());
    lines.push(written);
    Ok(lines.join("\n"))
}

/// The evaluation of a coordinator's results; `truth` is known in a rehearsal only, one entry a period.
///
/// # Errors
/// As [`run`].
pub async fn load(dir: &Path, truth: &[Vec<Reading>]) -> Result<Evaluated, Fault> {
    let folder = Folder::open(dir).await?;
    let newest = folder.whole().and_then(|()| folder.position(None));
    let held = newest.and_then(|newest| folder.of_one_study(newest, usize::MAX));
    folder.close().await;
    let held = held?;
    let newest = held.first().ok_or_else(|| Fault::bug("no result"))?.finished().study.clone();
    // What no report is made of, nothing is compared with.
    let sums = held.iter().map(|one| (one.study(), sane::read(one.plan(), one.aggregate())));
    let mut sums: Vec<(&Study, Result<Moments, Unsound>)> = sums.collect();
    // Of two releases of one period the newer counts, or the other where it is withheld: it stands first, and the sort keeps
    // their order.
    sums.sort_by_key(|(study, _)| study.period());
    sums.dedup_by(|older, newer| {
        let same = older.0.period() == newer.0.period();
        if same && newer.1.is_err() && older.1.is_ok() {
            std::mem::swap(older, newer);
        }
        same
    });
    let (mut periods, mut readings, mut known, mut left_out) = (vec![], vec![], vec![], vec![]);
    for (at, (study, moments)) in sums.into_iter().enumerate() {
        let moments = match moments {
            Ok(moments) => moments,
            Err(Unsound::Senseless(reasons)) => {
                let (from, to) = study.period();
                left_out.push(LeftOut { from: from.to_string(), to: to.to_string(), reasons });
                continue;
            }
            Err(error) => return Err(Fault::user(error.to_string())),
        };
        let names: Vec<String> = moments.sites().iter().map(ToString::to_string).collect();
        // By the rule of the newest study, whatever earlier ones said.
        let began = newest.evaluation().and_then(Evaluation::began);
        let found = snapshot::read(study, began, &names, moments.inputs());
        let (period, reading) = found.map_err(|e| Fault::user(e.to_string()))?;
        periods.push(period);
        readings.push(reading);
        known.extend(truth.get(at).cloned());
    }
    Ok(evaluate(&newest, Compared { periods, left_out, readings, truth: known }))
}

/// Writes `evaluation.html` and `evaluation.json`; returns their paths.
///
/// # Errors
/// An operator's fault naming the file.
pub fn write(evaluated: &Evaluated, out: &Path) -> Result<String, Fault> {
    let json = serde_json::to_string_pretty(evaluated).map_err(|e| Fault::bug(e.to_string()))?;
    let page = page::page(evaluated);
    files::write_all(out, &[("evaluation.html", page), ("evaluation.json", json + "\n")])
}
