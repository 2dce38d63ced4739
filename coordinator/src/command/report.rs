//! `tacit-coordinator report`: fits, divides and writes the report of a stored result.
use super::files;
use super::held::Folder;
use crate::conclusion::{Truth, conclude};
use crate::report::{Report, csv, fhir, html};
use std::path::{Path, PathBuf};
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;

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
    let folder = Folder::open(dir).await?;
    let read = folder.with_transcript(round).await;
    folder.close().await;
    let (held, transcript) = read?;
    conclude(&held.round(transcript), truth).map_err(|e| e.to_fault())
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
    files::write_all(out, &files)
}
