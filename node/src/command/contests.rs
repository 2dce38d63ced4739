//! `tacit-node contests`: what clinicians say is wrong, and what became of it.
//!
//! It is for the person named in `oversight.contest_to`, who is no line manager of a clinician here: the program
//! cannot know that, and says whom the site named.
use super::check::day_and_time;
use super::retain::look_again;
use crate::config::Config;
use crate::link::session::unix_now;
use crate::measure::standing;
use crate::store::annotation::{self, Resolution};
use crate::store::{self, Store};
use std::fmt::Write as _;
use std::path::PathBuf;
use tacit_shared::fault::Fault;

/// Arguments of `contests`.
#[derive(Clone, Debug, clap::Args)]
pub struct ContestsArgs {
    /// What to do
    #[command(subcommand)]
    pub what: ContestsCommand,
}

/// The commands about contests.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ContestsCommand {
    /// List them, open ones first
    List(ListArgs),
    /// Resolve one
    Resolve(ResolveArgs),
}

/// Arguments of `contests list`.
#[derive(Clone, Debug, clap::Args)]
pub struct ListArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
}

/// Arguments of `contests resolve`.
#[derive(Clone, Debug, clap::Args)]
pub struct ResolveArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// The first digits of the encounter's hash, as the list shows it
    pub encounter: String,
    /// What became of it: `upheld` leaves it out, `dismissed` and `corrected` let it count
    #[arg(long = "as", value_enum)]
    pub resolution: Resolution,
}

/// Lists or resolves.
///
/// # Errors
/// A user's fault if nobody is named to resolve, or no such contest is open.
pub async fn run(args: &ContestsArgs) -> Result<String, Fault> {
    match &args.what {
        ContestsCommand::List(args) => list(args).await,
        ContestsCommand::Resolve(args) => resolve(args).await,
    }
}

async fn list(args: &ListArgs) -> Result<String, Fault> {
    let config = Config::open(&args.dir)?;
    let store = Store::open(&args.dir.join(store::FILE)).await?;
    let all = annotation::contests(&store).await;
    store.close().await;
    let all = all?;
    if all.is_empty() {
        return Ok("Nothing is contested.".to_owned());
    }
    let who =
        config.contest_to().unwrap_or("nobody: name one as `oversight.contest_to` in node.toml");
    let mut page = format!("To be resolved by {who}");
    for contest in all {
        let short = contest.encounter.get(..12).unwrap_or(&contest.encounter);
        let since = day_and_time(contest.at_us);
        // A String takes any text.
        let _ = write!(page, "\n  {short}  since {since}, reason {}: ", contest.reason);
        match (&contest.resolution, contest.resolved_us) {
            (Some(resolution), Some(at_us)) => {
                let by = contest.resolved_by.as_deref().unwrap_or("nobody named");
                let _ = write!(page, "{resolution} on {} by {by}", day_and_time(at_us));
            }
            _ => page.push_str("open; it does not count"),
        }
    }
    Ok(page)
}

async fn resolve(args: &ResolveArgs) -> Result<String, Fault> {
    let config = Config::open(&args.dir)?;
    let who = config.contest_to().ok_or_else(|| {
        Fault::user("nobody is named to resolve what is contested")
            .at("node.toml: oversight.contest_to")
            .hint("name a person who is not the line manager of any clinician here")
    })?;
    let digits = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if args.encounter.is_empty() || !args.encounter.chars().all(digits) {
        return Err(Fault::user("the hash is no line of the digits 0 to 9 and a to f"));
    }
    let store = Store::open(&args.dir.join(store::FILE)).await?;
    let now_us = unix_now().saturating_mul(1_000_000);
    standing::suspend_all(&store).await?;
    let done = annotation::resolve(&store, &args.encounter, (args.resolution, who), now_us).await;
    let stays_away = look_again(&store, &args.dir, &config, now_us).await;
    store.close().await;
    done?;
    let what = match args.resolution {
        Resolution::Upheld => {
            "The contest is upheld: the encounter and the answers about it stay out."
        }
        Resolution::Dismissed => "The contest is dismissed: the encounter counts.",
        Resolution::Corrected => "The files were corrected: the encounter counts.",
    };
    Ok(format!("{what}{}", stays_away?))
}
