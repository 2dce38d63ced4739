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
    /// Why, as a code of the hospital; it stays here. Excluding needs no reason
    #[arg(long)]
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
    let reason = match (args.take_back, args.reason.as_ref(), args.kind) {
        (true, ..) => None,
        (false, Some(reason), _) => Some(reason.as_str()),
        (false, None, Kind::Exclude) => Some("unstated"),
        (false, None, _) => {
            return Err(Fault::user(
                "`--reason` is missing: say in a code of the hospital what is wrong, or what explains it",
            ));
        }
    };
    let id = args.encounter.given()?;
    let store = Store::open(&args.dir.join(store::FILE)).await?;
    let pseudonyms = Pseudonyms::open_or_create(&args.dir)?;
    pseudonyms.bind(&store).await?;
    let key = id.key(&pseudonyms, pseudonym::Kind::Encounter);
    let now_us = unix_now().saturating_mul(1_000_000);
    standing::suspend_all(&store).await?;
    let done = match reason {
        Some(reason) => annotation::annotate(&store, &key, (args.kind, reason), now_us).await,
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
        (false, Kind::Contest) => {
            "The contest is open: until it is resolved, the encounter and the answers about it do not count."
        }
        (false, _) => "The annotation was written down; the encounter counts as before.",
    };
    let looks = match (args.take_back, args.kind, config.contest_to()) {
        (false, Kind::Contest, Some(who)) => format!("\nIt is for {who} to resolve."),
        (false, Kind::Contest, None) => {
            "\nNobody is named to resolve it yet: `oversight.contest_to` in node.toml.".to_owned()
        }
        _ => String::new(),
    };
    Ok(format!("{what}{looks}{}", stays_away?))
}
