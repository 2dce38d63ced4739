//! `tacit-coordinator report`: fits, divides and writes the report of a stored result.
use crate::conclusion::{Round, Truth, conclude};
use crate::report::{Report, csv, html};
use crate::store::{Finished, Store, transcript};
use std::path::{Path, PathBuf};
use tacit_link::keys::Keys;
use tacit_shared::codec;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::privacy::plan::Plan;
use tacit_shared::protocol::message::{Outcome, Signed};

/// Arguments of `report`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReportArgs {
    /// Folder of the coordinator
    #[arg(long)]
    pub dir: PathBuf,
    /// Folder to write the report into
    #[arg(long, default_value = "report")]
    pub out: PathBuf,
    /// The round, by the digest of its configuration; the newest if not given
    #[arg(long)]
    pub round: Option<Digest>,
}

/// Writes `report.html`, `report.json`, `coefficients.csv` and `allocation.csv`.
///
/// # Errors
/// A fault if there is no such result or it cannot be written.
pub async fn run(args: &ReportArgs) -> Result<String, Fault> {
    let report = load(&args.dir, args.round, None).await?;
    write(&report, &args.out)
}

/// The report of a stored result; `truth` is known in a rehearsal only.
///
/// # Errors
/// A fault if there is no such result, or if its signature is not this coordinator's.
pub async fn load(
    dir: &Path,
    round: Option<Digest>,
    truth: Option<&Truth>,
) -> Result<Report, Fault> {
    let keys = Keys::open(dir)?;
    let store = Store::open(dir).await?;
    let finished = store.finished().await?;
    let found = finished.into_iter().find(|f| round.is_none_or(|round| f.config == round));
    let found = found.ok_or_else(|| {
        Fault::user("there is no such result in this folder")
            .hint("`tacit-coordinator run` runs a round")
    })?;
    let report = of_finished(&store, &keys, &found, truth).await;
    store.pool().close().await;
    report
}

/// The report of one finished round.
///
/// # Errors
/// As [`load`].
pub async fn of_finished(
    store: &Store,
    keys: &Keys,
    found: &Finished,
    truth: Option<&Truth>,
) -> Result<Report, Fault> {
    let damaged = || {
        Fault::operator("the stored result is damaged or not signed by this coordinator")
            .hint("the transcript still holds every message of the round")
    };
    let signed: Signed = codec::decode(&found.signed).map_err(|_| damaged())?;
    let key = keys.identity()?.verifying_key();
    let (outcome, aggregate) =
        Outcome::verified(&signed, &key, found.roster.len()).ok_or_else(damaged)?;
    let plan = Plan::new(&found.study, &found.roster).map_err(|e| Fault::user(e.to_string()))?;
    let entries = transcript::read(store, found.config).await?;
    let round = Round {
        study: &found.study,
        roster: &found.roster,
        plan: &plan,
        aggregate: &aggregate,
        outcome: &outcome,
        transcript: transcript::digest(&entries)?,
    };
    conclude(&round, truth).map_err(|e| e.to_fault())
}

/// Writes the files of a report; returns their paths.
///
/// # Errors
/// An operator's fault naming the file.
pub fn write(report: &Report, out: &Path) -> Result<String, Fault> {
    let files = [
        ("report.html", html::page(report)),
        ("report.json", report.to_json().map_err(|e| Fault::bug(e.to_string()))?),
        ("coefficients.csv", csv::coefficients(report)),
        ("allocation.csv", csv::allocation(report)),
    ];
    let fault = |path: &Path, e: &std::io::Error| {
        Fault::operator(format!("cannot be written: {e}")).at(path.display().to_string())
    };
    std::fs::create_dir_all(out).map_err(|e| fault(out, &e))?;
    let mut written = Vec::new();
    for (name, text) in files {
        let path = out.join(name);
        // Written beside and renamed: a reader never sees half a report.
        let draft = out.join(format!(".{name}.part"));
        std::fs::write(&draft, text).map_err(|e| fault(&draft, &e))?;
        std::fs::rename(&draft, &path).map_err(|e| fault(&path, &e))?;
        written.push(path.display().to_string());
    }
    Ok(written.join("\n"))
}
