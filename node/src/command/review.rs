//! `tacit-node review`: shows releases that wait for the officer, and lets one go or withholds it.
use super::officer::key_file;
use crate::config::Config;
use crate::link::session::unix_now;
use crate::office::decision::What;
use crate::store::held::{self, Held};
use crate::store::{self, Store, officer};
use std::fmt::Write as _;
use std::path::PathBuf;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;

/// Arguments of `review`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReviewArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// The round; without it, the releases that wait are listed
    pub round: Option<Digest>,
    /// Let the release go
    #[arg(long, requires = "round", conflicts_with = "refuse")]
    pub accept: bool,
    /// Withhold it
    #[arg(long, requires = "round")]
    pub refuse: bool,
    /// The officer's key; `officer.p8` in the folder if not given
    #[arg(long)]
    pub key: Option<PathBuf>,
}

/// Lists, shows or decides.
///
/// # Errors
/// A fault if the round does not wait, was decided on, or its time is over.
pub async fn run(args: &ReviewArgs) -> Result<String, Fault> {
    Config::open(&args.dir)?;
    let store = Store::open(&args.dir.join(store::FILE)).await?;
    let all = held::all(&store).await?;
    let decisions = officer::decisions(&store).await?;
    let Some(round) = args.round else {
        let now = unix_now();
        let open: Vec<&Held> = all
            .iter()
            .filter(|held| held.deadline_unix_s > now && decisions.released(held.round).is_none())
            .collect();
        return Ok(listed(&open, now));
    };
    let held = all.iter().find(|held| held.round == round).ok_or_else(|| {
        Fault::user(format!("no release of round {round} waits here"))
            .hint("`tacit-node review --dir DIR` lists those that do")
    })?;
    if let Some(released) = decisions.released(round) {
        let word = if released { "let go" } else { "withheld" };
        return Err(Fault::user(format!("round {round} was decided on already: {word}")));
    }
    let left = held.deadline_unix_s.saturating_sub(unix_now());
    if left <= 0 {
        return Err(Fault::user(format!(
            "the time for round {round} is over: nothing was released"
        )));
    }
    if !args.accept && !args.refuse {
        return Ok(format!(
            "{}\n\nIt waits {left} more seconds. To let it go, or to withhold it:\n  \
             tacit-node review --dir {} {round} --accept\n  \
             tacit-node review --dir {} {round} --refuse",
            held.statement,
            args.dir.display(),
            args.dir.display(),
        ));
    }
    let key = officer::read_key(&key_file(&args.dir, args.key.as_deref()))?;
    let what = if args.accept { What::Release { round } } else { What::Withhold { round } };
    officer::decide(&store, &key, what, unix_now()).await?;
    store.close().await;
    Ok(if args.accept {
        format!(
            "The release of round {round} may go. A node that still waits for it charges it and sends."
        )
    } else {
        format!("The release of round {round} is withheld; nothing was charged.")
    })
}

fn listed(open: &[&Held], now: i64) -> String {
    if open.is_empty() {
        return "No release waits.".to_owned();
    }
    let mut page = String::from("Releases that wait:");
    for held in open {
        let left = held.deadline_unix_s.saturating_sub(now);
        // A String takes any text.
        let _ =
            write!(page, "\n  round {}  study {}, {left} s left", held.round, held.study.short());
    }
    page
}
