//! `tacit-node export`: writes what a site can show for itself; `verify`: what anyone makes of it, offline.
//!
//! The checks are [`crate::office::evidence`]'s. The file holds no opening and no row.
use crate::config::Config;
use crate::office::evidence::{
    self, Account, Accounts, Evidence, Exported, Hex, Officer, Pin, Profiles, Proved, Record,
    Release, Said, Shown, Spent,
};
use crate::office::profile::Pins;
use crate::store::{
    self, Store, approval, evidence as kept, ledger, officer, profile, receipt, release_log,
};
use std::fmt::Write as _;
use std::path::PathBuf;
use tacit_link::keys::{Keys, read_bounded};
use tacit_shared::codec::{self, CodecError};
use tacit_shared::fault::Fault;
use tacit_shared::privacy::accountant::{Budget, Cost};
use tacit_shared::privacy::ledger::{Budgets, Limits};
use tacit_shared::protocol::message::Signed;
use tacit_shared::roster::Key;
use tacit_shared::secagg::key::identity::VerifyingKey;
use tacit_shared::units::Epsilon;

/// Evidence is larger than this only by mistake: some three hundred results of the longest vector.
const FILE_BYTES_MAX: u64 = 512 << 20;

/// Arguments of `export`.
#[derive(Clone, Debug, clap::Args)]
pub struct ExportArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// File to write
    #[arg(long, default_value = "evidence.json")]
    pub out: PathBuf,
}

/// Arguments of `verify`.
#[derive(Clone, Debug, clap::Args)]
pub struct VerifyArgs {
    /// The evidence, as `export` wrote it
    pub evidence: PathBuf,
}

/// Writes a site's evidence; returns what was written.
///
/// # Errors
/// A fault if the folder is no node's or the file cannot be written.
pub async fn export(args: &ExportArgs) -> Result<String, Fault> {
    let config = Config::open(&args.dir)?;
    let keys = Keys::open(&args.dir)?;
    let store = Store::open(&args.dir.join(store::FILE)).await?;
    let evidence = gather(&store, &keys, &config.limits()?).await?;
    store.close().await;
    let digest = evidence.digest().ok_or_else(|| Fault::bug("the evidence has no digest"))?;
    let signature = keys.identity()?.sign(evidence::LABEL, digest.as_bytes());
    let exported = Exported { evidence, signature: Hex(signature.as_bytes().to_vec()) };
    let text = serde_json::to_string_pretty(&exported).map_err(|e| Fault::bug(e.to_string()))?;
    let place = args.out.display().to_string();
    let written = tacit_link::files::write(&args.out, &text);
    written.map_err(|e| Fault::operator(format!("cannot be written: {e}")).at(&place))?;
    let Evidence { ledger, results, .. } = &exported.evidence;
    Ok(format!(
        "Charges: {}, results: {}; written to {place}.\n\
         Anyone checks them with `tacit-node verify {place}`.",
        ledger.len(),
        results.len()
    ))
}

/// Checks evidence; returns the page that says what holds.
///
/// # Errors
/// A user's fault with everything that does not hold.
pub fn verify(args: &VerifyArgs) -> Result<String, Fault> {
    let place = args.evidence.display().to_string();
    let unread = |problem: String| Fault::user(problem).at(&place);
    let length = std::fs::metadata(&args.evidence)
        .map_err(|e| unread(format!("cannot be read: {e}")))?
        .len();
    if length > FILE_BYTES_MAX {
        return Err(unread(format!("{length} bytes; expected at most {FILE_BYTES_MAX}")));
    }
    let text = read_bounded(&args.evidence, FILE_BYTES_MAX)
        .map_err(|e| unread(format!("cannot be read: {e}")))?;
    let exported: Exported = serde_json::from_slice(&text).map_err(|e| {
        // The parts of another format are others: which one it is says more than the first part that is missing.
        match serde_json::from_slice::<Stated>(&text).ok().map(|stated| stated.evidence.format) {
            Some(found) if found != evidence::FORMAT => unread(format!(
                "evidence of format {found}; this program reads format {}",
                evidence::FORMAT
            ))
            .hint("ask the site to export it again, with a `tacit-node` of this version"),
            _ => {
                unread(format!("not evidence of a site: {e}")).hint("`tacit-node export` writes it")
            }
        }
    })?;
    match evidence::check(&exported) {
        Ok(proved) => Ok(page(&exported.evidence, &proved)),
        Err(problems) => Err(unread(format!(
            "the evidence of {} does not hold:\n  - {}",
            exported.evidence.site,
            problems.join("\n  - ")
        ))
        .hint("the file was changed, or the node's database was: ask the site")),
    }
}

/// What any format of evidence states.
#[derive(serde::Deserialize)]
struct Stated {
    evidence: Version,
}

/// Its format.
#[derive(serde::Deserialize)]
struct Version {
    format: u32,
}

/// Everything about profiles.
async fn profiles(store: &Store) -> Result<Profiles, Fault> {
    let pins = profile::pins(store).await?;
    let representatives =
        pins.into_iter().map(|(key, pinned_unix_s)| Pin { key, pinned_unix_s }).collect();
    let words = profile::words(store).await?;
    let words = words
        .iter()
        .map(|(_, heard)| Said { pins: heard.pins, word: Record::from(&heard.record) })
        .collect();
    let release = |one: release_log::Release| Release {
        round: one.round,
        at_unix_s: one.at_unix_s,
        study: one.study,
        purpose: one.purpose,
        recipients: one.recipients,
        profile: one.profile,
        small_cells: one.small_cells,
        words: one.words,
        pins: Pins { officers: one.officers, representatives: one.representatives },
    };
    let releases = release_log::all(store).await?.into_iter().map(release).collect();
    Ok(Profiles { representatives, documents: profile::documents(store).await?, words, releases })
}

async fn gather(store: &Store, keys: &Keys, limits: &Limits) -> Result<Evidence, Fault> {
    let (rosters, studies) = approval::texts(store).await?;
    let mut officers = Vec::new();
    for (key, pinned_unix_s) in officer::pins(store).await? {
        let records = officer::records(store, &VerifyingKey::from_bytes(key.0)).await?;
        let decisions = records.iter().map(Record::from).collect();
        officers.push(Officer { key, pinned_unix_s, decisions });
    }
    let opened = ledger::open(store, *limits).await?;
    receipt::check(store, &opened).await?;
    let receipts = receipt::shown(store).await?.iter().map(Shown::from).collect();
    let entries = ledger::entries(store).await.map_err(|e| Fault::operator(e.to_string()))?;
    let entries: Result<Vec<Hex>, CodecError> =
        entries.iter().map(|entry| codec::encode(entry).map(Hex)).collect();
    let mut results = Vec::new();
    for signed in kept::signed_results(store).await? {
        let signed: Signed = codec::decode(&signed)
            .map_err(|_| Fault::operator("a result in the node's database is damaged"))?;
        results.push(Record::from(&signed));
    }
    let account = |budget: Budget| Account {
        epsilon: budget.epsilon().value(),
        delta: budget.delta().value(),
    };
    let accounts = |Budgets { clinician, patient }| Accounts {
        clinician: account(clinician),
        patient: account(patient),
    };
    Ok(Evidence {
        format: evidence::FORMAT,
        site: keys.party().id.clone(),
        budget: accounts(limits.site),
        budget_study: limits.study.map(accounts),
        budget_year: limits.year.map(accounts),
        rosters,
        studies,
        officers,
        profiles: profiles(store).await?,
        ledger: entries.map_err(|e| Fault::bug(e.to_string()))?,
        results,
        receipts,
    })
}

fn page(evidence: &Evidence, proved: &Proved) -> String {
    let (charges, with_result) = proved.charges;
    let mut page = format!(
        "The evidence of {} holds. Charges: {charges}, in an unbroken chain, each what its study costs\n\
         under an approval that stood, or a loss that was accepted.\n",
        evidence.site
    );
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(page, "  {key:<10} {value}"); // a String
    };
    line("roster", &proved.roster.to_string());
    line("head", &proved.head.to_string());
    line("results", &format!("{with_result}, each signed by the coordinator and paid for"));
    line("receipts", &format!("{}, each a head of this chain", proved.receipts));
    let pinned = |key: Key, place: usize, of: usize, at_s: i64| {
        let counts = if place == of { "counts now" } else { "was replaced" };
        format!("{}: pinned on {}, {counts}", String::from(key), day(at_s))
    };
    let officers = proved.officers.iter().zip(&evidence.officers);
    for (place, ((key, decisions), officer)) in (1_usize..).zip(officers) {
        let pinned = pinned(*key, place, proved.officers.len(), officer.pinned_unix_s);
        line("officer", &format!("{pinned}, decisions: {decisions}"));
    }
    let Profiles { representatives, releases, .. } = &evidence.profiles;
    for (place, pin) in (1_usize..).zip(representatives) {
        line("staff", &pinned(pin.key, place, representatives.len(), pin.pinned_unix_s));
    }
    for (release, (kind, paid)) in releases.iter().zip(&proved.releases) {
        let [round, profile] = [&release.round, &release.profile]
            .map(|digest| digest.get(..8).unwrap_or(digest.as_str()));
        let (purpose, recipients, on) =
            (&release.purpose, &release.recipients, day(release.at_unix_s));
        let paid = if *paid { "" } else { "; tried, and not charged" };
        line(
            "release",
            &format!(
                "{on} round {round}: for {purpose}, to {recipients}; profile {kind} ({profile}) was in force{paid}"
            ),
        );
    }
    for study in &proved.approved {
        line("approved", &study.to_string());
    }
    if proved.losses > 0 {
        let losses = proved.losses;
        line(
            "losses",
            &format!(
                "{losses} of the charges: answers that an older copy of the database forgot, by the site's own receipts"
            ),
        );
    }
    page.push_str("Spent, by the exact curve\n");
    for Spent { scope, spent, budgets, limited } in &proved.accounts {
        let Budgets { clinician, patient } = *budgets;
        for (who, spent, budget) in
            [("a clinician", spent.clinician, clinician), ("a patient", spent.patient, patient)]
        {
            // A String takes everything.
            let _ = writeln!(page, "  {scope}, {who}: {}", account(spent, budget, *limited));
        }
    }
    page.push_str(
        "Compare roster and head with the convener's, the officer's key with the officer, and the staff's key with\n\
         whom the clinicians chose. A charge left out at the end shows only at the convener.",
    );
    page
}

/// What was spent by both rules, and what is allowed.
fn account(spent: Cost, budget: Budget, limited: bool) -> String {
    let shown = |epsilon: Option<Epsilon>| {
        epsilon.map_or_else(|| "∞".to_owned(), |epsilon| format!("{:.3}", epsilon.value()))
    };
    let (exact, zcdp) =
        (shown(spent.epsilon(budget.delta())), shown(spent.epsilon_zcdp(budget.delta())));
    let limit = match (limited, budget.admits(Cost::ZERO, spent)) {
        (false, _) => String::new(),
        (true, true) => format!(" of {}", budget.epsilon().value()),
        (true, false) => format!(" of {}, OVER the limit of today,", budget.epsilon().value()),
    };
    format!("ε {exact}{limit} at δ {:e}; ε {zcdp} by the zCDP rule", budget.delta().value())
}

fn day(unix_s: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(unix_s)
        .map_or_else(|_| "an impossible day".to_owned(), |at| at.date().to_string())
}
