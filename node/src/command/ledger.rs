//! `tacit-node ledger`: every charge, what history costs today, whether it is whole, and lost charges.
//!
//! Only `accept-loss` writes: it charges answers again whose entries were lost with the database.
use super::officer::key_file;
use crate::config::Config;
use crate::link::session::unix_now;
use crate::office::decision::What;
use crate::store::receipt::{self, Parties};
use crate::store::release_log::{self, Release};
use crate::store::{self, Store, approval, evidence, ledger, officer};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tacit_link::keys::Keys;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::privacy::accountant::Cost;
use tacit_shared::privacy::ledger::{
    Budgets, Cause, Entry, Ledger, Limits, Lost, Totals, recost, year_of,
};
use tacit_shared::privacy::plan::Charges;
use tacit_shared::protocol::receipt::RECEIPTS_MAX;
use tacit_shared::protocol::site::Record;
use tacit_shared::units::{Delta, Epsilon};

/// Arguments of `ledger`.
#[derive(Clone, Debug, clap::Args)]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
pub struct LedgerArgs {
    /// Folder of the node
    #[arg(long, required = true)]
    pub dir: Option<PathBuf>,
    /// Print JSON, whole numbers as text
    #[arg(long)]
    pub json: bool,
    /// What to do; without it, lists every entry
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What to do with the ledger.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Action {
    /// Replay history with the accountant of this program; changes nothing
    Recost(FolderArgs),
    /// Hold that the chain is whole and knows every answer of this site
    Verify(FolderArgs),
    /// Charge again what an older copy of the database forgot
    AcceptLoss(LossArgs),
}

/// Arguments of `recost` and `verify`.
#[derive(Clone, Debug, clap::Args)]
pub struct FolderArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
}

/// Arguments of `accept-loss`.
#[derive(Clone, Debug, clap::Args)]
pub struct LossArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// Head of the ledger that the latest forgotten answer stated
    #[arg(long)]
    pub head: Digest,
    /// The officer's key; `officer.p8` in the folder if not given
    #[arg(long)]
    pub key: Option<PathBuf>,
}

/// Lists the ledger, or does what is asked.
///
/// # Errors
/// A fault if the folder is no node's, the ledger is broken, or an answer is missing in it.
pub async fn run(args: &LedgerArgs) -> Result<String, Fault> {
    match (&args.action, &args.dir) {
        (Some(Action::Recost(folder)), _) => recosted(&folder.dir).await,
        (Some(Action::Verify(folder)), _) => verified(&folder.dir).await,
        (Some(Action::AcceptLoss(loss)), _) => accept_loss(loss).await,
        (None, Some(dir)) => listed(dir, args.json).await,
        (None, None) => Err(Fault::user("which node?").hint("`--dir` names its folder")),
    }
}

async fn open(dir: &Path) -> Result<(Store, Limits), Fault> {
    // Settings first: a folder without them is no node's, and no database is made in it.
    let limits = Config::open(dir)?.limits()?;
    Ok((Store::open(&dir.join(store::FILE)).await?, limits))
}

async fn listed(dir: &Path, as_json: bool) -> Result<String, Fault> {
    let (store, limits) = open(dir).await?;
    let entries = ledger::entries(&store).await.map_err(|e| ledger::broken(&e))?;
    let ledger = ledger::open(&store, limits).await?;
    if as_json {
        let entries: Vec<Value> = entries.iter().map(as_value).collect();
        let releases = release_log::all(&store).await?;
        let page =
            json!({ "head": ledger.head().to_string(), "entries": entries, "releases": releases });
        return serde_json::to_string_pretty(&page).map_err(|e| Fault::bug(e.to_string()));
    }
    let mut page = String::new();
    for entry in &entries {
        let lost = if entry.cause == Cause::Release { "" } else { ", a loss" };
        let _ = writeln!(
            page,
            "{:>5}  {}  {}  round {}  ρ {:.6} a clinician, {:.6} a patient{lost}",
            entry.sequence,
            when(entry.at_unix_s),
            entry.family,
            entry.round.short(),
            entry.charges.clinician.rho(),
            entry.charges.patient.rho(),
        );
    }
    releases(&mut page, &release_log::all(&store).await?);
    accounts(&mut page, &ledger, &limits);
    let _ = write!(page, "{} entries, head {}", entries.len(), ledger.head());
    Ok(page)
}

/// For which purpose, for whom and under which profile each was cut; one without an entry above was tried only.
fn releases(page: &mut String, all: &[Release]) {
    for one in all {
        let Release { round, name, purpose, recipients, kind, profile, .. } = one;
        let [round, profile] = [round, profile].map(|digest| digest.get(..8).unwrap_or(digest));
        let _ = writeln!(
            page,
            "{}  round {round}: study {name}, for {purpose}, to {recipients}; profile {kind} ({profile})",
            when(one.at_unix_s)
        ); // a String
    }
}

/// What was spent under each limit.
fn accounts<J: tacit_shared::privacy::ledger::Journal>(
    page: &mut String,
    ledger: &Ledger<J>,
    limits: &Limits,
) {
    let mut line = |name: &str, spent: Charges, allowed: Option<Budgets>| {
        let Budgets { clinician, patient } = allowed.unwrap_or(limits.site);
        let of = |limit: f64| allowed.map_or_else(String::new, |_| format!(" of {limit}"));
        let _ = writeln!(
            page,
            "{name}: ε {}{} a clinician, {}{} a patient, at δ {:e} and {:e}",
            epsilon(spent.clinician, clinician.delta()),
            of(clinician.epsilon().value()),
            epsilon(spent.patient, patient.delta()),
            of(patient.epsilon().value()),
            clinician.delta().value(),
            patient.delta().value(),
        ); // a String
    };
    line("Everything", ledger.spent(), Some(limits.site));
    let year = year_of(unix_now());
    line(&format!("Year {year}"), ledger.spent_in(year), limits.year);
    for (family, spent) in ledger.families() {
        line(&format!("Study {family}"), spent, limits.study);
    }
}

async fn recosted(dir: &Path) -> Result<String, Fault> {
    let (store, limits) = open(dir).await?;
    let entries = ledger::entries(&store).await.map_err(|e| ledger::broken(&e))?;
    ledger::open(&store, limits).await?;
    let all = recost(&entries).map_err(|e| {
        Fault::operator(e.to_string()).hint("was the ledger written by a newer tacit-node?")
    })?;
    let mut page = String::new();
    let mut line = |name: &str, totals: &Totals| {
        let Budgets { clinician, patient } = limits.site;
        for (who, old, new, delta) in [
            ("clinician", totals.old.clinician, totals.new.clinician, clinician.delta()),
            ("patient", totals.old.patient, totals.new.patient, patient.delta()),
        ] {
            let (was, is) = (epsilon(old, delta), epsilon(new, delta));
            let (old, new) = (old.rho(), new.rho());
            let _ = writeln!(
                page,
                "{name}, one {who}: charged ρ {old:.9} (ε {was}), today ρ {new:.9} (ε {is})"
            ); // a String
        }
    };
    line("Everything", &all.site);
    for (family, totals) in &all.families {
        line(&format!("Study {family}"), totals);
    }
    let _ = write!(
        page,
        "{} entries, {} of them would be charged otherwise today. What was charged stays.",
        entries.len(),
        all.changed.len()
    );
    Ok(page)
}

async fn verified(dir: &Path) -> Result<String, Fault> {
    let (store, limits) = open(dir).await?;
    store.verify().await?;
    let ledger = ledger::open(&store, limits).await?;
    receipt::check(&store, &ledger).await?;
    Ok(format!(
        "The chain is whole and knows every answer that this database has heard of. Head {}",
        ledger.head()
    ))
}

async fn accept_loss(args: &LossArgs) -> Result<String, Fault> {
    let (store, limits) = open(&args.dir).await?;
    let mut ledger = ledger::open(&store, limits).await?;
    let roster = approval::roster(&store).await?;
    let roster = roster.ok_or_else(|| Fault::user("no roster is pinned here"))?;
    let coordinator = roster.coordinator().signing_key;
    let me = Keys::open(&args.dir)?.identity()?.verifying_key();
    let all = receipt::lost(&store, &ledger, &Parties { me, coordinator }).await?;
    let last = all.iter().find(|lost| lost.head == args.head).map(|lost| lost.counter);
    if all.len() >= RECEIPTS_MAX {
        return Err(Fault::operator(format!(
            "{} lost answers are known, as many as a coordinator shows at once: there may be more",
            all.len()
        ))
        .hint("restore a newer copy of the database; a loss of unknown size is never accepted"));
    }
    let last = last.ok_or_else(|| {
        Fault::user(format!("no receipt here shows a lost answer with the head {}", args.head))
            .hint("what it cost is unknown, so nothing was recorded; `tacit-node run` names the head, and asks the coordinator for the receipts")
    })?;
    let key = officer::read_key(&key_file(&args.dir, args.key.as_deref()))?;
    let mut page = String::new();
    for lost in all.iter().filter(|lost| lost.counter <= last) {
        // The counter first: an old announcement must not be answered again, whatever comes next.
        evidence::persist(&store, lost.coordinator, &Record::Counter(lost.counter)).await?;
        officer::decide(&store, &key, What::AcceptLoss { head: lost.head }, unix_now()).await?;
        let charged = ledger.record_loss(lost, unix_now()).await;
        let charged = charged.map_err(|e| ledger::refusal(&e))?;
        tell(&mut page, lost, charged);
    }
    accounts(&mut page, &ledger, &limits);
    page.push_str(
        "Not restored: which hospitals were in these rounds. Ask the convener before you approve another round over the same data.",
    );
    Ok(page)
}

fn tell(page: &mut String, lost: &Lost, charged: Charges) {
    let _ = writeln!(
        page,
        "Charged again: round {} of study {}, ρ {:.6} a clinician, {:.6} a patient",
        lost.round.short(),
        lost.family,
        charged.clinician.rho(),
        charged.patient.rho(),
    ); // a String
}

fn as_value(entry: &Entry) -> Value {
    let cost = |cost: Cost| {
        json!({
            "rho_fp": cost.rho_fp.to_string(),
            "lattice_fp": cost.lattice_fp.to_string(),
            "rho": cost.rho(),
        })
    };
    let lost_head = match entry.cause {
        Cause::Release => None,
        Cause::Loss { head } => Some(head.to_string()),
    };
    json!({
        "sequence": entry.sequence,
        "previous": entry.previous.to_string(),
        "at_unix_s": entry.at_unix_s,
        "lost_head": lost_head,
        "round": entry.round.to_string(),
        "coordinator": String::from(entry.coordinator),
        "population": entry.population.to_string(),
        "study": entry.family.to_string(),
        "study_digest": entry.study.to_string(),
        "mechanism": entry.terms.mechanism,
        "dimension": entry.terms.dimension,
        "clinician_l2": entry.terms.clinician_l2,
        "patient_l2": entry.terms.patient_l2,
        "guaranteed_variance": entry.terms.guaranteed_variance.to_string(),
        "clinician": cost(entry.charges.clinician),
        "patient": cost(entry.charges.patient),
    })
}

fn epsilon(cost: Cost, delta: Delta) -> String {
    cost.epsilon(delta).map_or_else(|| "∞".to_owned(), |e: Epsilon| format!("{:.3}", e.value()))
}

fn when(unix_s: i64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp(unix_s);
    time.map_or_else(
        |_| unix_s.to_string(),
        |t| format!("{} {:02}:{:02}", t.date(), t.hour(), t.minute()),
    )
}
