//! `tacit-coordinator run`: one round of a study, from gathering the sites to the signed result.
use super::roster::{check_units, read_roster, read_study};
use crate::config::Config;
use crate::link::session::{Files, Progress, Session};
use crate::store::Store;
use std::path::PathBuf;
use tacit_link::keys::Keys;
use tacit_shared::fault::Fault;

/// Arguments of `run`.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// Folder of the coordinator
    #[arg(long)]
    pub dir: PathBuf,
    /// The roster
    #[arg(long)]
    pub roster: PathBuf,
    /// The study
    #[arg(long)]
    pub study: PathBuf,
}

/// Runs a round; returns what to do with its result.
///
/// # Errors
/// A fault if files are unsound, or if too few sites came or stayed.
pub async fn run(args: &RunArgs) -> Result<String, Fault> {
    watched(args, &tell).await
}

/// Runs a round and tells a watcher how it goes.
///
/// # Errors
/// As [`run`].
pub async fn watched(
    args: &RunArgs,
    watch: &(dyn Fn(&Progress) + Send + Sync),
) -> Result<String, Fault> {
    let config = Config::open(&args.dir)?;
    let keys = Keys::open(&args.dir)?;
    let (study_text, study) = read_study(&args.study)?;
    let (roster_text, roster) = read_roster(&args.roster)?;
    check_units(&study, &roster, &args.study)?;
    let store = Store::open(&args.dir).await?;
    let files = Files { study, study_text, roster, roster_text };
    let session = Session::new(&store, &config, &keys, &files, watch)?;
    let opened = session.run(&keys).await?;
    store.pool().close().await;
    Ok(format!(
        "The sum of {} of {} sites is open.\nNext: tacit-coordinator report --dir {} --out report",
        opened.aggregate.survivors().len(),
        files.roster.len(),
        args.dir.display()
    ))
}

/// Plain lines in the log.
fn tell(progress: &Progress) {
    match progress {
        Progress::Gathering { connected, expected } => {
            tracing::info!("{connected} of {expected} sites are connected");
        }
        Progress::Phase { due, sites, answered } => {
            tracing::info!("{answered} of {sites} sites gave their {due}");
        }
        Progress::Dropped { .. } => {} // the session warned already
    }
}
