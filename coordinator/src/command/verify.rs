//! `tacit-coordinator export`: hands a round's transcript to an auditor; `verify`: what the auditor runs.
//!
//! `verify` needs no folder, no key and no network. Recomputing is [`tacit_shared::protocol::replay`]'s
//! work, the file [`tacit_link::papers`]'; here stands the page.
use crate::store::{Store, transcript};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use tacit_link::keys::Keys;
use tacit_link::papers::{self, Proven};
use tacit_shared::codec::{self, CodecError};
use tacit_shared::fault::Fault;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::protocol::replay::Verdict;
use tacit_shared::protocol::transcript::{Papers, seal};
use tacit_shared::roster::Roster;
use tacit_shared::study::Study;

/// Arguments of `export`.
#[derive(Clone, Debug, clap::Args)]
pub struct ExportArgs {
    /// Folder of the coordinator
    #[arg(long)]
    pub dir: PathBuf,
    /// The round, by the digest of its configuration; the newest with a result if not given
    #[arg(long)]
    pub round: Option<Digest>,
    /// File to write
    #[arg(long, default_value = "transcript.tacit")]
    pub out: PathBuf,
}

/// Arguments of `verify`.
#[derive(Clone, Debug, clap::Args)]
pub struct VerifyArgs {
    /// The transcript, as `export` wrote it
    pub transcript: PathBuf,
    /// Digest of the roster, as the hospitals know it
    #[arg(long)]
    pub roster: Option<Digest>,
    /// Digest of the result, as a report or a hospital quotes it
    #[arg(long)]
    pub result: Option<Digest>,
}

/// Writes a round's transcript, sealed by the coordinator; returns what was written.
///
/// # Errors
/// A fault if there is no such round or the file cannot be written.
pub async fn export(args: &ExportArgs) -> Result<String, Fault> {
    let identity = Keys::open(&args.dir)?.identity()?;
    let store = Store::open(&args.dir).await?;
    let (round, study, roster) = transcript::files(&store, args.round).await?;
    let entries = transcript::read(&store, round).await?;
    store.pool().close().await;
    let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    let papers = Papers { study, roster, entries: count };
    let bug = |e: CodecError| Fault::bug(e.to_string());
    let seal = seal(&identity, &papers, &entries).map_err(bug)?;
    let mut frames = vec![codec::encode(&papers).map_err(bug)?];
    for entry in &entries {
        frames.push(codec::encode(entry).map_err(bug)?);
    }
    frames.push(codec::encode(&seal).map_err(bug)?);
    papers::write(&args.out, &frames).map_err(|e| {
        Fault::operator(format!("cannot be written: {e}")).at(args.out.display().to_string())
    })?;
    Ok(format!(
        "Round {round}: {count} messages written to {}.\n\
         Anyone recomputes the result with `tacit-coordinator verify {}`.",
        args.out.display(),
        args.out.display()
    ))
}

/// Recomputes a result from its transcript; returns the page that says what was proved.
///
/// # Errors
/// A user's fault that names the first message that does not fit.
pub fn verify(args: &VerifyArgs) -> Result<String, Fault> {
    let place = args.transcript.display().to_string();
    let (papers, entries, seal) = papers::read(&args.transcript).map_err(|e| e.at(&place))?;
    let proven = papers::prove(&papers, &entries, &seal).map_err(|e| refused(&e, &place))?;
    let Proven { study, roster, verdict } = proven;
    if let Some(expected) = args.roster.filter(|digest| *digest != roster.digest()) {
        let message = format!("the roster's digest is {}, not {expected}", roster.digest());
        return Err(refused(&message, &place));
    }
    if let Some(expected) = args.result.filter(|digest| *digest != verdict.result) {
        let message = format!("the result's digest is {}, not {expected}", verdict.result);
        return Err(refused(&message, &place));
    }
    Ok(page(&study, &roster, &verdict, entries.len()))
}

fn refused(problem: &str, place: &str) -> Fault {
    Fault::user(format!("the transcript proves nothing: {problem}")).at(place).hint(
        "the file was changed on its way, or the published result is not that of these messages",
    )
}

fn page(study: &Study, roster: &Roster, verdict: &Verdict, messages: usize) -> String {
    let name = |index: SiteIndex| {
        let party = roster.site(index);
        party.map_or_else(|| index.to_string(), |party| party.id.to_string())
    };
    let survivors: Vec<String> = verdict.survivors.iter().map(|index| name(*index)).collect();
    let (numbers, votes, threshold) = (verdict.outcome.sum.len(), verdict.votes, verdict.threshold);
    let mut page = format!(
        "Recomputed bit for bit: the {numbers} published numbers are the sum of {} of {} sites.\n",
        survivors.len(),
        roster.len()
    );
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(page, "  {key:<11} {value}"); // a String
    };
    line("study", &format!("{} ({})", study.name(), study.digest()));
    line("roster", &format!("{} ({})", roster.federation(), roster.digest()));
    line("round", &format!("{}", verdict.outcome.config));
    line("sites", &survivors.join(", "));
    line("certified", &format!("{votes} votes for these sites; {threshold} are needed"));
    line("checked", &format!("{messages} messages, every signature, every mask restored"));
    line("result", &verdict.result.to_string());
    line("transcript", &verdict.transcript.to_string());
    let reasons: BTreeMap<SiteIndex, &str> =
        verdict.dropped.iter().map(|(index, reason)| (*index, reason.as_str())).collect();
    for (index, _) in roster.sites().filter(|(index, _)| !verdict.survivors.contains(index)) {
        let reason = reasons.get(&index).copied().unwrap_or("no answer in time");
        line("left out", &format!("{}; by the coordinator's account: {reason}", name(index)));
    }
    page.push_str(
        "Compare the roster's digest with the hospitals', the other two with the report. Refusals are not\n\
         signed: ask a site that was left out.",
    );
    page
}
