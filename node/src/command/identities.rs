//! `tacit-node identities`: from an id to its hash, and, where ids are kept, back.
//!
//! The way from an id to the hash needs no stored ids: the key file makes it. An id is read from the standard
//! input, so that it stands in no list of processes and in no shell's history.
use crate::config::Config;
use crate::store::identity::{self, Found, Identities};
use crate::store::pseudonym::{self, Kind, Pseudonyms};
use std::io::Read;
use std::path::PathBuf;
use tacit_shared::fault::Fault;
use tacit_shared::id::to_hex;

/// An id is longer than this only by mistake: 200 characters of 4 bytes, and a line end.
const ID_BYTES_MAX: u64 = 802;

/// Arguments of `identities`.
#[derive(Clone, Debug, clap::Args)]
pub struct IdentitiesArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// Show whose hash starts with these hexadecimal digits (8 or more)
    #[arg(long, value_name = "HASHPREFIX", group = "what")]
    pub find: Option<String>,
    /// Read one id from the standard input and show its hash
    #[arg(long, value_name = "KIND", group = "what", value_parser = ["person", "patient"])]
    pub hash: Option<String>,
    /// Delete all kept ids and their key, for good
    #[arg(long, group = "what")]
    pub forget: bool,
}

/// Says how many ids are kept, finds one, hashes one, or gives all up.
///
/// # Errors
/// A fault if the files are damaged, or a prefix or an id is none.
pub async fn run(args: &IdentitiesArgs, input: impl Read) -> Result<String, Fault> {
    let config = Config::open(&args.dir)?;
    if let Some(kind) = &args.hash {
        return hash(args, kind, input);
    }
    if args.forget {
        let found = identity::forget(&args.dir)?;
        let mut text =
            if found { "Every kept id and its key are deleted." } else { "No id was kept." }
                .to_owned();
        if config.keeps_ids() {
            text.push_str(
                " The next import keeps ids again, until node.toml says [identities] keep = false.",
            );
        }
        return Ok(text);
    }
    let Some(identities) = Identities::open(&args.dir).await? else {
        return Ok(
            "No id is kept: a person is found by their id (--hash), not by their hash.".to_owned()
        );
    };
    let text = match &args.find {
        Some(prefix) => identities.find(prefix).await.map(|found| found_text(&found)),
        None => identities.counts().await.map(|counts| {
            let of = |(kind, n): &(String, i64)| format!("  {kind:<8} {n:>10} ids, sealed");
            let lines: Vec<String> = counts.iter().map(of).collect();
            if lines.is_empty() { "No id is kept so far.".to_owned() } else { lines.join("\n") }
        }),
    };
    identities.close().await;
    text
}

fn hash(args: &IdentitiesArgs, kind: &str, input: impl Read) -> Result<String, Fault> {
    let wrong = |problem: &str| {
        Fault::user(problem).hint("one id, as the hospital's files write it, on one line")
    };
    let mut id = String::new();
    input
        .take(ID_BYTES_MAX)
        .read_to_string(&mut id)
        .map_err(|_| wrong("the standard input is no text"))?;
    let id = id.trim_end_matches(['\r', '\n']);
    if id.is_empty() || id.chars().count() > 200 || id.contains('\n') {
        return Err(wrong("the standard input holds no id of 1 to 200 characters"));
    }
    if !args.dir.join(pseudonym::FILE).exists() {
        return Err(Fault::operator("the node has no key file yet: nothing was imported here"));
    }
    let kind = if kind == "person" { Kind::Person } else { Kind::Patient };
    Ok(to_hex(&Pseudonyms::open_or_create(&args.dir)?.key(kind, id)))
}

fn found_text(found: &[Found]) -> String {
    if found.is_empty() {
        return "No kept id has such a hash.".to_owned();
    }
    let lines: Vec<String> =
        found.iter().map(|f| format!("{}  {}  {}", f.kind, f.hash, f.id)).collect();
    lines.join("\n")
}
