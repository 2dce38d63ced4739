//! The officer's commands: `join` a roster, `approve` and `revoke` a study, `status`.
//!
//! Nothing is pinned or approved but by its digest, typed by a person who read what it means. Approvals
//! and revocations are signed with the officer's key.
use super::officer::key_file;
use crate::config::Config;
use crate::link::session::unix_now;
use crate::measure::instrument::Catalogue;
use crate::measure::standing;
use crate::office::cells;
use crate::office::decision::{SmallCells, What};
use crate::office::forecast;
use crate::office::statement;
use crate::store::consent::Access;
use crate::store::pseudonym::Pseudonyms;
use crate::store::{self, Store, approval, earlier, evidence, ledger, officer, profile, scored};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::privacy::plan::Plan;
use tacit_shared::roster::Roster;
use tacit_shared::study::Study;
use tacit_shared::units::Epsilon;

/// Arguments of `join` and `approve`.
#[derive(Clone, Debug, clap::Args)]
pub struct DecideArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// The file
    pub file: PathBuf,
    /// Its digest, as agreed with the other hospitals; without it, nothing is decided
    #[arg(long)]
    pub digest: Option<Digest>,
}

/// Arguments of `approve`, with the key that signs.
#[derive(Clone, Debug, clap::Args)]
pub struct ApproveArgs {
    /// What is decided on
    #[command(flatten)]
    pub decide: DecideArgs,
    /// Take part although a cell of the study is too small here; `preview` shows which
    #[arg(long)]
    pub accept_small_cells: bool,
    /// Approve it although the noise would drown its formula, as `preview` forecasts
    #[arg(long)]
    pub accept_hopeless: bool,
    /// Clinicians of all hospitals together, for what the result would be worth; the study's cap if not given
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    pub heads: Option<u32>,
    /// The officer's key; `officer.p8` in the folder if not given
    #[arg(long)]
    pub key: Option<PathBuf>,
}

/// Arguments of `revoke`.
#[derive(Clone, Debug, clap::Args)]
pub struct RevokeArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// Digest of the study
    pub digest: Digest,
    /// The officer's key; `officer.p8` in the folder if not given
    #[arg(long)]
    pub key: Option<PathBuf>,
}

/// Arguments of `status`.
#[derive(Clone, Debug, clap::Args)]
pub struct StatusArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
}

/// Pins a roster, or shows it.
///
/// # Errors
/// A fault if the file is no roster or has another digest.
pub async fn join(args: &DecideArgs) -> Result<String, Fault> {
    let (text, origin) = read(&args.file)?;
    let roster = Roster::parse(&text).map_err(|e| e.into_fault(&origin))?;
    let mut page = format!(
        "Federation {}, roster of {} sites, at most {} colluding; T = {}\n",
        roster.federation(),
        roster.len(),
        roster.colluders_max(),
        roster.threshold()
    );
    for (index, party) in roster.sites() {
        let _ = writeln!(page, "  {index:>3}  {:<24} {}", party.id, party.name); // a String
    }
    let _ = writeln!(page, "  coordinator  {}", roster.coordinator().name);
    let _ = writeln!(page, "  digest  {}", roster.digest());
    let command = format!("tacit-node join --dir {} {origin}", args.dir.display());
    if decided(args.digest, roster.digest(), &origin)? {
        let store = open(&args.dir).await?;
        approval::pin(&store, &roster, &text, unix_now()).await?;
        page.push_str("Pinned.");
    } else {
        let _ = write!(
            page,
            "Nothing was pinned. If every hospital names this digest:\n  {command} --digest {}",
            roster.digest()
        );
    }
    Ok(page)
}

/// Approves a study, or shows what it would send. Small cells are refused, and so is a hopeless study.
///
/// # Errors
/// A fault if the study is unsound, hopeless, not allowed by the profile, or has another digest.
pub async fn approve(args: &DecideArgs) -> Result<String, Fault> {
    let decide = args.clone();
    let (accept_small_cells, accept_hopeless) = (false, false);
    let args = ApproveArgs { decide, accept_small_cells, accept_hopeless, heads: None, key: None };
    approve_with(&args).await
}

/// Approves a study with what else there is to say.
///
/// # Errors
/// As [`approve`]; a fault if the key is not the pinned one.
pub async fn approve_with(args: &ApproveArgs) -> Result<String, Fault> {
    let DecideArgs { dir, file, digest } = &args.decide;
    let (text, origin) = read(file)?;
    let study = Study::parse(&text).map_err(|e| e.into_fault(&origin))?;
    let config = Config::open(dir)?;
    let store = open(dir).await?;
    let catalogue = Catalogue::of_node(dir, config.licences())?;
    let profile = standing::permitted(&store, &config, &catalogue, &study, unix_now()).await?;
    let roster = approval::roster(&store).await?.ok_or_else(|| {
        Fault::user("no roster is pinned here").hint("`tacit-node join ROSTER.toml` pins one")
    })?;
    let plan = Plan::new(&study, &roster).map_err(|e| {
        Fault::user(e.to_string()).at(&origin).hint("does the study fit the pinned roster?")
    })?;
    earlier::holds(&store, &study).await?;
    let ledger = ledger::open(&store, config.limits()?).await?;
    let (spent, budgets) = (ledger.spent(), ledger.budgets());
    let mut page = statement::statement(&study, &plan, spent, budgets, args.heads);
    let command = format!("tacit-node approve --dir {} {origin}", dir.display());
    if decided(*digest, study.digest(), &origin)? {
        ledger.admits(&plan, study.digest(), unix_now()).map_err(|e| ledger::refusal(&e))?;
        if !args.accept_hopeless {
            worth_its_cost(&study, &plan, args.heads).map_err(|e| e.at(&origin))?;
        }
        let key = officer::read_key(&key_file(dir, args.key.as_deref()))?;
        // The text first: a decision without the study it speaks of would approve nothing.
        approval::keep(&store, &study, &text, unix_now()).await?;
        let small_cells =
            if args.accept_small_cells { SmallCells::Accepted } else { SmallCells::Refused };
        // Before the decision: nothing is answered until the cells were looked at.
        let pseudonyms = Pseudonyms::open_or_create(dir)?;
        let access = Access::of(&config, &profile, unix_now().saturating_mul(1_000_000));
        let (small, rare) =
            standing::look(&store, &study, &catalogue, &pseudonyms, &access).await?;
        let what = What::Approve { study: study.digest(), small_cells };
        officer::decide_under(&store, &key, roster.digest(), what, unix_now()).await?;
        page.push_str("\nApproved.");
        if let (Some(why), SmallCells::Refused) = (small, small_cells) {
            let _ = write!(
                page,
                "\nThis site stays away from it for now: {why}.\nThat is looked at again after each import; \
                 `--accept-small-cells` takes part all the same."
            ); // a String
        }
        page.push_str(&cells::told(&rare));
    } else {
        let digest = study.digest();
        let _ = write!(page, "\nNothing was approved. To approve:\n  {command} --digest {digest}");
    }
    Ok(page)
}

/// Refuses a study whose forecast is hopeless, as the preview would give it.
fn worth_its_cost(study: &Study, plan: &Plan, heads: Option<u32>) -> Result<(), Fault> {
    let found = forecast::forecast(study, plan, forecast::heads(plan, heads));
    match found.and_then(|found| forecast::hopeless(&found, heads.is_some())) {
        Some((problem, hint)) => Err(Fault::user(problem).hint(hint)),
        None => Ok(()),
    }
}

/// Revokes an approval.
///
/// # Errors
/// A fault if the study was not approved.
pub async fn revoke(args: &RevokeArgs) -> Result<String, Fault> {
    let store = open(&args.dir).await?;
    let study = args.digest;
    if officer::decisions(&store).await?.stands(study) {
        let key = officer::read_key(&key_file(&args.dir, args.key.as_deref()))?;
        officer::decide(&store, &key, What::Revoke { study }, unix_now()).await?;
        return Ok(format!("Study {study} is no longer approved."));
    }
    Err(Fault::user(format!("study {} is not approved at this site", args.digest))
        .hint("`tacit-node status` lists what is approved"))
}

/// Roster, studies, budget and rounds of a node.
///
/// # Errors
/// A fault if the folder is no node's or its ledger is broken.
pub async fn status(args: &StatusArgs) -> Result<String, Fault> {
    let config = Config::open(&args.dir)?;
    let store = open(&args.dir).await?;
    let ledger = ledger::open(&store, config.limits()?).await?;
    let in_force = profile::now(&store, unix_now()).await?;
    let mut page =
        format!("Profile {}, coordinator {}\n", in_force.document.kind(), config.coordinator());
    if let Some(why) = in_force.falls_short {
        let _ = writeln!(page, "  {why}"); // a String
    }
    let roster = approval::roster(&store).await?.map(|roster| (roster.len(), roster.digest()));
    match roster {
        Some((sites, digest)) => {
            let _ = writeln!(page, "Roster of {sites} sites, digest {digest}");
        }
        None => page.push_str("No roster is pinned\n"),
    }
    let decisions = officer::decisions(&store).await?;
    for (name, digest) in approval::list(&store).await? {
        let state = match roster {
            Some((_, roster)) if decisions.approves(digest, roster).is_some() => "approved",
            _ if decisions.stands(digest) => "approved under another roster, so not any more",
            _ => "revoked",
        };
        let _ = writeln!(page, "Study {name} {state}, digest {digest}");
    }
    let (spent, budgets) = (ledger.spent(), ledger.budgets());
    for (who, spent, budget) in [
        ("clinician", spent.clinician, budgets.clinician),
        ("patient", spent.patient, budgets.patient),
    ] {
        let epsilon = spent.epsilon(budget.delta()).map_or(f64::INFINITY, Epsilon::value);
        let (limit, delta) = (budget.epsilon().value(), budget.delta().value());
        let _ = writeln!(page, "Spent for one {who}: ε {epsilon:.3} of {limit} at δ {delta:e}");
    }
    let results = evidence::results(&store).await?;
    let _ = write!(page, "Rounds with a signed result: {}", results.len());
    for (round, by) in scored::all(&store).await? {
        let (instrument, version) = (&by.instrument, &by.version);
        let licence =
            by.licence.map_or_else(String::new, |licence| format!(", licence: {licence}"));
        let _ = write!(
            page,
            "\nRound {round} scored by {instrument} {version}, sha256 {}{licence}",
            by.sha256
        );
    }
    Ok(page)
}

fn decided(given: Option<Digest>, found: Digest, origin: &str) -> Result<bool, Fault> {
    match given {
        None => Ok(false),
        Some(digest) if digest == found => Ok(true),
        Some(digest) => Err(Fault::user(format!("the file's digest is {found}, not {digest}"))
            .at(origin)
            .hint("the file differs from the one that was agreed on; nothing was decided")),
    }
}

async fn open(dir: &Path) -> Result<Store, Fault> {
    // Settings first: a folder without them is no node's, and no database is made in it.
    Config::open(dir)?;
    Store::open(&dir.join(store::FILE)).await
}

pub(super) fn read(path: &Path) -> Result<(String, String), Fault> {
    const BYTES_MAX: u64 = 1 << 20;
    let origin = path.display().to_string();
    let fault = |e: std::io::Error| Fault::user(format!("cannot be read: {e}")).at(&origin);
    let text = tacit_link::keys::read_bounded(path, BYTES_MAX).map_err(fault)?;
    let text = String::from_utf8(text).map_err(|_| Fault::user("not a text file").at(&origin))?;
    Ok((text, origin))
}
