//! `tacit-node learn`: takes over the result of a round that this site missed, so that it can take part in a later
//! period that rests on it.
//!
//! The transcript proves the result: every message of the round is recomputed ([`tacit_link::papers::prove`]). Which
//! result it is meant to be is the officer's to say, by its digest.
use crate::store::{self, Store, approval, earlier};
use std::path::PathBuf;
use tacit_link::papers::{self, Proven};
use tacit_shared::codec;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::protocol::message::{Outcome, Signed, ToSite};
use tacit_shared::protocol::transcript::Entry;
use tacit_shared::secagg::key::identity::VerifyingKey;

/// Arguments of `learn`.
#[derive(Clone, Debug, clap::Args)]
pub struct LearnArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// The transcript, as `tacit-coordinator export` wrote it
    pub transcript: PathBuf,
    /// Digest of the result, as a report or another hospital quotes it; without it, nothing is taken over
    #[arg(long)]
    pub result: Option<Digest>,
}

/// Takes a result over, or shows which one it is.
///
/// # Errors
/// A user's fault if the transcript proves nothing, or another result than the one named.
pub async fn run(args: &LearnArgs) -> Result<String, Fault> {
    let place = args.transcript.display().to_string();
    let refused = |problem: String| {
        Fault::user(format!("the transcript proves nothing: {problem}"))
            .at(&place)
            .hint("ask the convener for the file again")
    };
    let (papers, entries, seal) = papers::read(&args.transcript).map_err(|e| e.at(&place))?;
    let Proven { study, roster, verdict } =
        papers::prove(&papers, &entries, &seal).map_err(refused)?;
    let store = Store::open(&args.dir.join(store::FILE)).await?;
    let pinned = approval::roster(&store).await?.ok_or_else(|| {
        Fault::user("no roster is pinned here").hint("`tacit-node join ROSTER.toml` pins one")
    })?;
    if pinned.coordinator().signing_key != roster.coordinator().signing_key {
        return Err(refused("it is another coordinator's than the pinned roster names".to_owned()));
    }
    let sites = verdict.survivors.len();
    let (from, to) = study.period();
    let what =
        format!("{} of {from} to {to}, {sites} hospitals, result {}", study.name(), verdict.result);
    let page = match args.result {
        None => format!(
            "{what}\nNothing was taken over. To do so:\n  tacit-node learn --dir {} {place} --result {}",
            args.dir.display(),
            verdict.result
        ),
        Some(named) if named == verdict.result => {
            let coordinator = VerifyingKey::from_bytes(roster.coordinator().signing_key.0);
            let signed = signed(&entries, &coordinator, verdict.result)
                .ok_or_else(|| refused("it has no signed result".to_owned()))?;
            earlier::learn(&store, named, &signed, (&papers.study, &papers.roster)).await?;
            format!("{what}\nTaken over: studies of later periods may rest on it.")
        }
        Some(named) => {
            let problem = format!("its result is {}, not {named}", verdict.result);
            return Err(refused(problem));
        }
    };
    store.close().await;
    Ok(page)
}

/// The result as the coordinator signed it.
fn signed(entries: &[Entry], coordinator: &VerifyingKey, result: Digest) -> Option<Vec<u8>> {
    entries.iter().rev().find_map(|entry| {
        let signed: Signed = match codec::decode(&entry.bytes).ok()? {
            ToSite::Result(signed) => signed,
            _ => return None,
        };
        let outcome = signed.body::<Outcome>(coordinator, "result")?;
        (outcome.digest().ok()? == result).then(|| codec::encode(&signed).ok())?
    })
}
