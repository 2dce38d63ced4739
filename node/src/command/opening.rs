//! `tacit-node opening`: looks at what this site released in a round, when a result made no sense.
//!
//! The commitment is compared with the one in the round's transcript by whoever asks; what is printed is that
//! commitment and whether the exact sum is one of rows. `--out` hands the opening itself, with the exact sum, to an
//! auditor whom the hospital trusts with it: with it anyone can recompute both.
use crate::link::enrolled::own_index;
use crate::store::{self, Store, evidence, private};
use std::fmt::Write as _;
use std::path::PathBuf;
use tacit_link::keys::Keys;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::privacy::opened::{Opened, opened};
use tacit_shared::privacy::plan::Plan;

/// Arguments of `opening`.
#[derive(Clone, Debug, clap::Args)]
pub struct OpeningArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// The round, by the digest of its configuration
    #[arg(long)]
    pub round: Digest,
    /// File for an auditor's eyes only: it holds this hospital's sum without noise
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// Says whether this site's part of a round was one of rows, and what it committed to.
///
/// # Errors
/// A user's fault if this site released nothing in the round.
pub async fn run(args: &OpeningArgs) -> Result<String, Fault> {
    let keys = Keys::open(&args.dir)?;
    let store = Store::open(&args.dir.join(store::FILE)).await?;
    let kept = evidence::openings(&store, args.round).await?;
    store.close().await;
    let look = |(opening, study, roster): &(Vec<u8>, _, _)| -> Option<Opened> {
        let plan = Plan::new(study, roster).ok()?;
        opened(&plan, own_index(roster, &keys).ok()?, opening)
    };
    let found = kept.iter().find_map(look).ok_or_else(|| {
        Fault::user(format!("this site released nothing in round {}", args.round))
            .hint("`tacit-node status` lists the rounds it released in")
    })?;
    let mut page = format!("Round {}\n  commitment  {}\n", args.round, found.commitment);
    match found.senseless {
        None => page.push_str(
            "  The sum this site gave is one of rows: every block within its bound, other sites' blocks empty.",
        ),
        Some(_) => page.push_str(
            "  The sum this site gave is NONE of rows: a block is outside its bound. This release was faulty or tampered\n  \
             with: tell the convener, and do not take part before it is known why.",
        ),
    }
    if let (Some(out), Some((opening, ..))) = (&args.out, kept.first()) {
        private::write(out, opening).map_err(|e| {
            Fault::operator(format!("cannot be written: {e}")).at(out.display().to_string())
        })?;
        let _ = write!(
            page,
            "\n  {} holds the exact sum of this site: give it to an auditor the hospital trusts with it, and erase it.",
            out.display()
        ); // a String
    }
    Ok(page)
}
