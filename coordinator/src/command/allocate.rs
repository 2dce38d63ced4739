//! `tacit-coordinator allocate`: what another rule would give on a stored release, beside the study's own.
//!
//! Only public numbers change: the pool, floors and caps, among whom, head counts, prices. The release stays what
//! it is, so this costs no privacy and may be done as often as anyone likes. The signed report is not touched.
mod table;

use super::held::Folder;
use crate::conclusion::{ConclusionError, Divided, Share, what_if};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::money::Cents;
use tacit_shared::study::Study;
use tacit_shared::study::allocation::{Allocation, By};

/// Arguments of `allocate`.
#[derive(Clone, Debug, clap::Args)]
pub struct AllocateArgs {
    /// Folder of the coordinator
    #[arg(long)]
    pub dir: PathBuf,
    /// The round, by the digest of its configuration; the newest if not given
    #[arg(long)]
    pub round: Option<Digest>,
    /// The pool: digits alone are cents, `10,000.00` is an amount; the study's if not given
    #[arg(long, value_name = "CENTS|AMOUNT")]
    pub pool: Option<String>,
    /// Least a unit gets for each head, in percent of the pool per head
    #[arg(long, value_name = "PERCENT")]
    pub floor: Option<u32>,
    /// Most a unit gets for each head, in percent of the pool per head
    #[arg(long, value_name = "PERCENT")]
    pub cap: Option<u32>,
    /// Among whom: `sites`, `levels:FEATURE` or `codes`, several after commas
    #[arg(long, value_name = "UNITS", value_delimiter = ',')]
    pub by: Vec<By>,
    /// Public head counts: CSV with the columns `unit,heads`, or `by,unit,heads`
    #[arg(long, value_name = "FILE.csv")]
    pub heads: Option<PathBuf>,
    /// Public price index: CSV with the columns `unit,price_index`, or `by,unit,price_index`
    #[arg(long, value_name = "FILE.csv")]
    pub price_index: Option<PathBuf>,
    /// Folder to write `what-if.json` and `what-if.csv` into
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The study's own division and another, as data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhatIf {
    /// Short name of the study.
    pub study: String,
    /// Digest of the round's configuration.
    pub round: String,
    /// ISO 4217 code.
    pub currency: String,
    /// The study's pool, in cents.
    pub own_pool_cents: i64,
    /// The other pool, in cents.
    pub pool_cents: i64,
    /// The other floor, percent of the pool per head.
    pub floor_percent_per_head: u32,
    /// The other cap.
    pub cap_percent_per_head: u32,
    /// One view for each way to divide.
    pub views: Vec<WhatIfView>,
}

/// One way to divide.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhatIfView {
    /// `sites`, `levels:FEATURE` or `codes`.
    pub by: String,
    /// The units, in the order of the study.
    pub rows: Vec<WhatIfRow>,
}

/// One unit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhatIfRow {
    /// The site, level or code.
    pub unit: String,
    /// Heads, or the expected number of a code.
    pub heads: f64,
    /// Standard deviation of their noise; 0 where they are public.
    pub heads_sd: f64,
    /// Labour a head over that of all.
    pub labour_index: f64,
    /// What the study's own rule gives, cents; `None` if it does not divide this way.
    pub own_cents: Option<i64>,
    /// What the other rule gives, cents.
    pub cents: i64,
    /// Lower end of where that lies without noise, cents.
    pub low_cents: i64,
    /// Upper end, cents.
    pub high_cents: i64,
}

/// Divides a stored release by another rule.
///
/// # Errors
/// A user's fault naming what makes no sense, where, what was expected, and what to do.
pub async fn run(args: &AllocateArgs) -> Result<String, Fault> {
    let folder = Folder::open(&args.dir).await?;
    let read = folder.with_transcript(args.round).await;
    folder.close().await;
    let (held, transcript) = read?;
    let found = held.finished();
    let rule = rule(args, &found.study)?;
    let own = found.study.allocation();
    let divided = what_if(&held.round(transcript), &[own, &rule]).map_err(|e| explain(&e, args))?;
    let [first, second] = divided.as_slice() else {
        return Err(Fault::bug("two rules were asked for and not two came back"));
    };
    let shown = shown(&found.study, &rule, (first, second), found.config);
    if let Some(out) = &args.out {
        table::write(&shown, out)?;
    }
    if args.json {
        serde_json::to_string_pretty(&shown).map_err(|e| Fault::bug(e.to_string()))
    } else {
        Ok(table::page(&shown))
    }
}

/// The study's rule with what the arguments change.
///
/// # Errors
/// A user's fault naming the argument.
pub fn rule(args: &AllocateArgs, study: &Study) -> Result<Allocation, Fault> {
    let mut rule = study.allocation().clone();
    if let Some(pool) = &args.pool {
        rule.pool_cents = cents(pool)?;
    }
    rule.floor_percent_per_head = args.floor.unwrap_or(rule.floor_percent_per_head);
    rule.cap_percent_per_head = args.cap.unwrap_or(rule.cap_percent_per_head);
    if rule.floor_percent_per_head > 100 {
        let found = rule.floor_percent_per_head;
        let problem = format!(
            "found {found} percent; expected 0 to 100: the floors together would ask for more than the pool"
        );
        return Err(Fault::user(problem).at("--floor").hint(
            "lower the floor; a larger pool does not help, because a floor is a percentage of it",
        ));
    }
    if !(100..=10_000).contains(&rule.cap_percent_per_head) {
        let found = rule.cap_percent_per_head;
        let problem = format!(
            "found {found} percent; expected 100 to 10000: below 100 some of the pool could not be given out"
        );
        return Err(Fault::user(problem).at("--cap").hint("raise the cap"));
    }
    if !args.by.is_empty() {
        rule.by.clone_from(&args.by);
        // What the study says of units that are no longer divided among does no harm, but says nothing either.
        let kept = |by: &By, all: &[By]| all.contains(by) || matches!(by, By::Levels(_));
        rule.heads.retain(|by, _| kept(by, &args.by));
        rule.price_index.retain(|by, _| kept(by, &args.by));
    }
    if rule.by.contains(&By::Codes) && study.codes().is_none() {
        let hint = "a study proposes codes in its table [codes]; docs/study-format.md";
        return Err(Fault::user(
            "found `codes`, but the study proposes none; expected `sites` or `levels:FEATURE`",
        )
        .at("--by")
        .hint(hint));
    }
    let main = rule.by.first().cloned().unwrap_or(By::Sites);
    if let Some(path) = &args.heads {
        for ((by, unit), (value, place)) in table::numbers(path, "heads", &main)? {
            let whole = value.parse::<u32>().map_err(|_| {
                Fault::user("found no whole number in the column `heads`").at(&place)
            })?;
            rule.heads.entry(by).or_default().insert(unit, whole);
        }
        checked(&rule, study, path)?;
    }
    if let Some(path) = &args.price_index {
        for ((by, unit), (value, place)) in table::numbers(path, "price_index", &main)? {
            let price = value.parse::<f64>().map_err(|_| {
                Fault::user("found no number in the column `price_index`").at(&place)
            })?;
            rule.price_index.entry(by).or_default().insert(unit, price);
        }
        checked(&rule, study, path)?;
    }
    let schema = study.schema();
    rule.check(&schema.features, &schema.groups).map_err(|e| {
        Fault::user(e.to_string())
            .hint("`tacit-coordinator allocate --help` tells what each argument takes")
    })?;
    Ok(rule)
}

/// The rule after a file was read into it: what is wrong now is the file's.
fn checked(rule: &Allocation, study: &Study, path: &Path) -> Result<(), Fault> {
    let schema = study.schema();
    let hint = "each line names a site of the roster or a level of the feature";
    let place = path.display().to_string();
    rule.check(&schema.features, &schema.groups)
        .map_err(|e| Fault::user(e.to_string()).at(place).hint(hint))
}

fn cents(text: &str) -> Result<Cents, Fault> {
    let fault = |found: &str| {
        Fault::user(format!(
            "{found}; expected cents in digits alone, or an amount like 10,000.00, above 0"
        ))
        .at("--pool")
    };
    let digits = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let pool = if digits {
        text.parse().map(Cents::new).map_err(|_| fault("found more digits than an amount has"))?
    } else {
        text.parse::<Cents>().map_err(|e| fault(&e.to_string()))?
    };
    // In floating point an amount is exact to the cent up to 2^53.
    if pool.value() <= 0 || pool.value() > 1 << 53 {
        return Err(fault("found nothing, a debt, or more than 90 million million"));
    }
    Ok(pool)
}

/// What is wrong with a rule on this very release.
fn explain(error: &ConclusionError, args: &AllocateArgs) -> Fault {
    let file = |key: &str| {
        if key.contains("price_index") { args.price_index.as_ref() } else { args.heads.as_ref() }
    };
    let fault = told(error);
    match (error, file(&fault.message)) {
        (ConclusionError::Study(_), Some(path)) => fault.at(path.display().to_string()),
        _ => fault,
    }
}

fn told(error: &ConclusionError) -> Fault {
    match error {
        ConclusionError::Study(_) => Fault::user(error.to_string()).hint(
            "units are the sites of the round's roster and the levels of the study's factors",
        ),
        ConclusionError::Allocation(_) => {
            Fault::user(format!("the pool cannot be divided: {error}"))
                .hint("change the pool, the floor or the cap")
        }
        _ => error.to_fault(),
    }
}

fn shown(
    study: &Study,
    rule: &Allocation,
    (own, other): (&Divided, &Divided),
    round: Digest,
) -> WhatIf {
    let views = other.divisions.iter().map(|division| {
        let before: BTreeMap<&str, i64> = own
            .view(&division.by)
            .into_iter()
            .flat_map(|view| &view.shares)
            .map(|share| (share.unit.as_str(), share.cents.value()))
            .collect();
        let row = |share: &Share| WhatIfRow {
            unit: share.unit.clone(),
            heads: share.heads.0,
            heads_sd: share.heads.1,
            labour_index: share.index,
            own_cents: before.get(share.unit.as_str()).copied(),
            cents: share.cents.value(),
            low_cents: whole(share.interval.0),
            high_cents: whole(share.interval.1),
        };
        WhatIfView { by: division.by.to_string(), rows: division.shares.iter().map(row).collect() }
    });
    WhatIf {
        study: study.name().to_string(),
        round: round.to_string(),
        currency: rule.currency.clone(),
        own_pool_cents: study.allocation().pool_cents.value(),
        pool_cents: rule.pool_cents.value(),
        floor_percent_per_head: rule.floor_percent_per_head,
        cap_percent_per_head: rule.cap_percent_per_head,
        views: views.collect(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "amounts are below the pool, in cents")]
fn whole(amount: f64) -> i64 {
    amount.round() as i64
}

#[cfg(test)]
mod tests;
