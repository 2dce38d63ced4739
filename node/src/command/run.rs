//! `tacit-node run`: dials the coordinator and takes part in approved studies.
use super::profile::of_folder;
use super::retain::{self, RetainArgs};
use crate::link::session::{Node, Stay};
use std::path::PathBuf;
use std::time::Duration;
use tacit_shared::fault::Fault;

/// Arguments of `run`.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// End after one round
    #[arg(long)]
    pub once: bool,
    /// How long to look for the coordinator before giving up, in seconds
    #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    pub patience_s: u64,
}

/// Erases what was kept long enough, then takes part until a signal, or with `--once` until one round is over.
///
/// # Errors
/// A fault if the folder is not ready, the coordinator is not found, or the round was refused.
pub async fn run(args: &RunArgs) -> Result<String, Fault> {
    let retained = retain::run(&RetainArgs { dir: args.dir.clone() }).await?;
    tracing::info!("{}", retained.replace('\n', "; "));
    let profile = of_folder(Some(&args.dir)).await?;
    tracing::info!("profile {}, version {}, is in force", profile.kind(), profile.version());
    let mut node = Node::open(&args.dir).await?;
    let stay = Stay { once: args.once, patience: Duration::from_secs(args.patience_s) };
    tokio::select! {
        ended = Box::pin(node.run(stay)) => ended.map(|()| "The round is over; the signed result is kept.".to_owned()),
        _ = tokio::signal::ctrl_c() => Ok("Stopped. A round in progress goes on without this site.".to_owned()),
    }
}
