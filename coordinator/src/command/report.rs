//! `tacit-coordinator report`: fits, divides and writes the report of a stored result.
use crate::conclusion::{Round, Truth, conclude};
use crate::report::{Report, csv, fhir, html};
use crate::store::{Finished, Store, transcript};
use std::path::{Path, PathBuf};
use tacit_link::keys::Keys;
use tacit_shared::codec;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::privacy::plan::Plan;
use tacit_shared::protocol::message::{Outcome, Signed};
use tacit_shared::secagg::open::Aggregate;

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

/// Writes `report.html`, `report.json`, `coefficients.csv`, `allocation.csv`, `service-lines.csv` and `codes.csv`;
/// with codes `codes.json` and `codes.fhir.json` too.
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
    let (store, keys, found) = stored(dir, round).await?;
    let report = of_finished(&store, &keys, &found, truth).await;
    store.pool().close().await;
    report
}

/// A stored result, with the database and the keys it needs to be read.
///
/// # Errors
/// A fault if there is no such result.
pub async fn stored(dir: &Path, round: Option<Digest>) -> Result<(Store, Keys, Finished), Fault> {
    let keys = Keys::open(dir)?;
    let store = Store::open(dir).await?;
    let finished = store.finished().await?;
    let found = finished.into_iter().find(|f| round.is_none_or(|round| f.config == round));
    let found = found.ok_or_else(|| {
        Fault::user("there is no such result in this folder")
            .hint("`tacit-coordinator run` runs a round")
    })?;
    Ok((store, keys, found))
}

/// A finished round whose signature was checked.
#[derive(Debug)]
pub struct Opened {
    plan: Plan,
    outcome: Outcome,
    aggregate: Aggregate,
    transcript: Digest,
}

impl Opened {
    /// The round, as a conclusion reads it. `found` is the one it was opened from.
    pub fn round<'a>(&'a self, found: &'a Finished) -> Round<'a> {
        Round {
            study: &found.study,
            roster: &found.roster,
            plan: &self.plan,
            aggregate: &self.aggregate,
            outcome: &self.outcome,
            transcript: self.transcript,
        }
    }
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
    let opened = opened(store, keys, found).await?;
    conclude(&opened.round(found), truth).map_err(|e| e.to_fault())
}

/// Opens a finished round.
///
/// # Errors
/// A fault if its signature is not this coordinator's, or the result is damaged.
pub async fn opened(store: &Store, keys: &Keys, found: &Finished) -> Result<Opened, Fault> {
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
    Ok(Opened { plan, outcome, aggregate, transcript: transcript::digest(&entries)? })
}

/// Writes the files of a report; returns their paths.
///
/// # Errors
/// An operator's fault naming the file.
pub fn write(report: &Report, out: &Path) -> Result<String, Fault> {
    let bug = |e: serde_json::Error| Fault::bug(e.to_string());
    let mut files = vec![
        ("report.html", html::page(report)),
        ("report.json", report.to_json().map_err(|e| Fault::bug(e.to_string()))?),
        ("coefficients.csv", csv::coefficients(report)),
        ("allocation.csv", csv::allocation(report)),
        ("service-lines.csv", csv::service_lines(report)),
        ("codes.csv", csv::codes(report)),
    ];
    if let (Some(codes), Some(bundle)) = (&report.data().codes, fhir::charge_items(report)) {
        files.push(("codes.json", serde_json::to_string_pretty(codes).map_err(bug)?));
        files.push(("codes.fhir.json", serde_json::to_string_pretty(&bundle).map_err(bug)?));
    }
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
