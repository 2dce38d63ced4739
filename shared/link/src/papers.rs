//! The file of a round's transcript: what the coordinator hands to auditors and to hospitals that missed a round.
//!
//! ```text
//! file = "tacit-transcript-1\n" ‖ frame(papers) ‖ frame(entry)… ‖ frame(seal)      frame: u32be length, bytes
//! ```
//! [`read`]ing it proves nothing; [`prove`] has every message recomputed ([`tacit_shared::protocol::replay`]) and holds the
//! coordinator's seal against all of it.
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write as _};
use std::path::Path;
use tacit_shared::codec;
use tacit_shared::fault::Fault;
use tacit_shared::frame;
use tacit_shared::protocol::message::Signed;
use tacit_shared::protocol::replay::{Verdict, replay};
use tacit_shared::protocol::transcript::{Entry, Papers, seal_holds};
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

/// What a transcript proved.
#[derive(Debug)]
pub struct Proven {
    /// The study of the round.
    pub study: Study,
    /// Its roster.
    pub roster: Roster,
    /// What was recomputed.
    pub verdict: Verdict,
}

/// Recomputes a round from its transcript.
///
/// # Errors
/// What keeps it from proving anything, in words.
pub fn prove(papers: &Papers, entries: &[Entry], seal: &Signed) -> Result<Proven, String> {
    let roster = Roster::parse(&papers.roster).map_err(|e| e.to_string())?;
    let study = Study::parse(&papers.study).map_err(|e| e.to_string())?;
    let verdict = replay(&study, &roster, entries).map_err(|e| e.to_string())?;
    let coordinator = VerifyingKey::from_bytes(roster.coordinator().signing_key.0);
    if seal_holds(seal, &coordinator, papers, entries) {
        Ok(Proven { study, roster, verdict })
    } else {
        Err("the coordinator's seal on the whole transcript does not verify".to_owned())
    }
}

/// Writes a transcript: papers, entries and seal, each encoded.
///
/// # Errors
/// What the system says; nothing is left of half a file under its name.
pub fn write(out: &Path, frames: &[Vec<u8>]) -> std::io::Result<()> {
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

/// Reads a transcript.
///
/// # Errors
/// A user's fault if the file is none, is longer than any, or ends too early.
pub fn read(path: &Path) -> Result<(Papers, Vec<Entry>, Signed), Fault> {
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
