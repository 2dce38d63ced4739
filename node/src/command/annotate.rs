//! `tacit-node annotate`: a clinician's word on an encounter of theirs.
use super::retain::look_again;
use super::withdraw::Id;
use crate::config::Config;
use crate::link::session::unix_now;
use crate::measure::standing;
use crate::store::annotation::{self, Kind};
use crate::store::pseudonym::{self, Pseudonyms};
use crate::store::{self, Store};
use std::path::PathBuf;
use tacit_shared::fault::Fault;
use tacit_shared::id::FeatureId;

/// Arguments of `annotate`.
#[derive(Clone, Debug, clap::Args)]
pub struct AnnotateArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// The encounter's id, as the hospital's files have it; `-` reads it from the standard input
    #[arg(long)]
    pub encounter: Id,
    /// What is said of it
    #[arg(long, value_enum)]
    pub kind: Kind,
    /// Why, as a code of the hospital; it stays here
    #[arg(long, required_unless_present = "take_back")]
    pub reason: Option<FeatureId>,
    /// Take the annotation back
    #[arg(long, conflicts_with = "reason")]
    pub take_back: bool,
}

/// Writes the annotation down, or takes it back.
///
/// # Errors
/// A user's fault if no encounter here has that id, or it has no such annotation.
pub async fn run(args: &AnnotateArgs) -> Result<String, Fault> {
    let config = Config::open(&args.dir)?;
    let id = args.encounter.given()?;
    let store = Store::open(&args.dir.join(store::FILE)).await?;
    let pseudonyms = Pseudonyms::open_or_create(&args.dir)?;
    pseudonyms.bind(&store).await?;
    let key = id.key(&pseudonyms, pseudonym::Kind::Encounter);
    let now_us = unix_now().saturating_mul(1_000_000);
    standing::suspend_all(&store).await?;
    let done = match &args.reason {
        Some(reason) => {
            annotation::annotate(&store, &key, (args.kind, reason.as_str()), now_us).await
        }
        None => annotation::take_back(&store, &key, args.kind).await,
    };
    let stays_away = look_again(&store, &args.dir, &config, now_us).await;
    store.close().await;
    if !done? {
        let missing = if args.take_back { "has no such annotation" } else { "is not here" };
        return Err(Fault::user(format!("the encounter {missing}; nothing was changed"))
            .hint("give the id as it stands in the hospital's files"));
    }
    let what = match (args.take_back, args.kind) {
        (true, _) => "The annotation was taken back.",
        (false, Kind::Exclude) => "The encounter and the answers about it do not count any more.",
        (false, _) => "The annotation was written down; the encounter counts as before.",
    };
    Ok(format!("{what}{}", stays_away?))
}
