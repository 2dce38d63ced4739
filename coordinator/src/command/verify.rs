//! `tacit-coordinator export`: hands a round's transcript to an auditor; `verify`: what the auditor runs.
//!
//! ```text
//! file = "tacit-transcript-1\n" ‖ frame(papers) ‖ frame(entry)… ‖ frame(seal)      frame: u32be length, bytes
//! ```
//! `verify` needs no folder, no key and no network. Recomputing is [`tacit_shared::protocol::replay`]'s
//! work; here stand the file and the page.
use crate::store::{Store, transcript};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};
use tacit_link::keys::Keys;
use tacit_shared::codec::{self, CodecError};
use tacit_shared::fault::Fault;
use tacit_shared::frame;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::protocol::message::Signed;
use tacit_shared::protocol::replay::{Verdict, replay};
use tacit_shared::protocol::transcript::{Entry, Papers, seal, seal_holds};
use tacit_shared::roster::{Roster, SITES_MAX};
use tacit_shared::secagg::key::identity::VerifyingKey;
use tacit_shared::study::Study;

/// What a transcript file begins with.
const MAGIC: &[u8] = b"tacit-transcript-1\n";
/// Most entries: five answers and a refusal of each site, and what the coordinator sends.
const ENTRIES_MAX: usize = 6 * SITES_MAX + 16;
/// No frame is longer: the codec reads no longer message.
const FRAME_BYTES_MAX: u32 = 64 << 20;
/// No transcript is longer: a thousand sites with the longest vector stay below 1 GiB.
const FILE_BYTES_MAX: u64 = 2 << 30;

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
    write(&args.out, &frames).map_err(|e| {
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
    let (papers, entries, seal) = read(&args.transcript).map_err(|e| e.at(&place))?;
    let roster = Roster::parse(&papers.roster).map_err(|e| refused(&e.to_string(), &place))?;
    let study = Study::parse(&papers.study).map_err(|e| refused(&e.to_string(), &place))?;
    if let Some(expected) = args.roster.filter(|digest| *digest != roster.digest()) {
        let message = format!("the roster's digest is {}, not {expected}", roster.digest());
        return Err(refused(&message, &place));
    }
    let verdict = replay(&study, &roster, &entries).map_err(|e| refused(&e.to_string(), &place))?;
    if let Some(expected) = args.result.filter(|digest| *digest != verdict.result) {
        let message = format!("the result's digest is {}, not {expected}", verdict.result);
        return Err(refused(&message, &place));
    }
    let coordinator = VerifyingKey::from_bytes(roster.coordinator().signing_key.0);
    if !seal_holds(&seal, &coordinator, &papers, &entries) {
        let message = "the coordinator's seal on the whole transcript does not verify";
        return Err(refused(message, &place));
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

fn write(out: &Path, frames: &[Vec<u8>]) -> std::io::Result<()> {
    // Written beside and renamed: nobody reads half a transcript.
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let draft = out.with_file_name(format!(".{name}.part"));
    let mut file = BufWriter::new(File::create(&draft)?);
    file.write_all(MAGIC)?;
    for bytes in frames {
        let header = frame::header(bytes, FRAME_BYTES_MAX).map_err(std::io::Error::other)?;
        file.write_all(&header)?;
        file.write_all(bytes)?;
    }
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    std::fs::rename(draft, out)
}

fn read(path: &Path) -> Result<(Papers, Vec<Entry>, Signed), Fault> {
    let broken = |what: &str| {
        Fault::user(format!("not a transcript: {what}"))
            .hint("`tacit-coordinator export` writes one")
    };
    let unread = |e: std::io::Error| Fault::user(format!("cannot be read: {e}"));
    let file = File::open(path).map_err(unread)?;
    let length = file.metadata().map_err(unread)?.len();
    if length > FILE_BYTES_MAX {
        return Err(broken(&format!("{length} bytes; expected at most {FILE_BYTES_MAX}")));
    }
    // Whatever the file system claims, no more is read.
    let mut file = BufReader::new(file.take(FILE_BYTES_MAX));
    let mut magic = [0; MAGIC.len()];
    if file.read_exact(&mut magic).is_err() || magic != MAGIC {
        return Err(broken("its first line is another"));
    }
    let mut next = || {
        let mut header = [0; frame::HEADER_BYTES];
        file.read_exact(&mut header).map_err(|_| broken("it ends too early"))?;
        let length = frame::length(header, FRAME_BYTES_MAX).map_err(|e| broken(&e.to_string()))?;
        // Grows with what is there, not with what is claimed.
        let mut bytes = Vec::new();
        let limit = u64::try_from(length).unwrap_or(0);
        file.by_ref().take(limit).read_to_end(&mut bytes).map_err(|e| broken(&e.to_string()))?;
        if bytes.len() < length {
            return Err(broken("it ends too early"));
        }
        Ok(bytes)
    };
    let papers: Papers =
        codec::decode(&next()?).map_err(|_| broken("study and roster do not decode"))?;
    let count = usize::try_from(papers.entries).unwrap_or(usize::MAX);
    if count > ENTRIES_MAX {
        return Err(broken("no round has so many messages"));
    }
    let mut entries = Vec::new();
    for at in 1..=count {
        let entry = codec::decode(&next()?);
        entries.push(entry.map_err(|_| broken(&format!("entry {at} does not decode")))?);
    }
    let seal = codec::decode(&next()?).map_err(|_| broken("its seal does not decode"))?;
    let mut rest = [0; 1];
    match file.read(&mut rest) {
        Ok(0) => Ok((papers, entries, seal)),
        _ => Err(broken("something follows its seal")),
    }
}
