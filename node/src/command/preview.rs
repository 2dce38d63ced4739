//! `tacit-node preview`: what a study would open, cost and be worth, before anyone agrees to it.
use super::approve::read;
use crate::config::Config;
use crate::link::session::unix_now;
use crate::measure::feature::{self, Rows};
use crate::measure::instrument::Catalogue;
use crate::measure::standing;
use crate::office::cells::{self, Cell, Rare};
use crate::office::page;
use crate::office::preview::{Asked, Limited, Preview, preview};
use crate::store::consent::Access;
use crate::store::ledger::StoreJournal;
use crate::store::panel::Excluded;
use crate::store::pseudonym::Pseudonyms;
use crate::store::scored::ScoredBy;
use crate::store::{self, Store, approval, earlier, ledger};
use serde::Serialize;
use std::path::PathBuf;
use tacit_shared::fault::Fault;
use tacit_shared::privacy::ledger::{Ledger, Limits, Scope, year_of};
use tacit_shared::privacy::plan::Plan;
use tacit_shared::study::Study;

/// Arguments of `preview`.
#[derive(Clone, Debug, clap::Args)]
pub struct PreviewArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// The study
    pub study: PathBuf,
    /// Clinicians of all hospitals together, for what the result would be worth
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    pub heads: Option<u32>,
    /// Print one JSON object instead of a page
    #[arg(long)]
    pub json: bool,
}

/// The page, or the JSON. Nothing is decided, spent or sent.
///
/// # Errors
/// A fault if the study is unsound or not allowed here, or if no roster is pinned.
pub async fn run(args: &PreviewArgs) -> Result<String, Fault> {
    let (text, origin) = read(&args.study)?;
    let study = Study::parse(&text).map_err(|e| e.into_fault(&origin))?;
    let config = Config::open(&args.dir)?;
    let store = Store::open(&args.dir.join(store::FILE)).await?;
    let catalogue = Catalogue::of_node(&args.dir, config.licences())?;
    let profile = standing::permitted(&store, &config, &catalogue, &study, unix_now()).await?;
    let roster = approval::roster(&store).await?.ok_or_else(|| {
        Fault::user("no roster is pinned here").hint("`tacit-node join ROSTER.toml` pins one")
    })?;
    let plan = Plan::new(&study, &roster).map_err(|e| {
        Fault::user(e.to_string()).at(&origin).hint("does the study fit the pinned roster?")
    })?;
    earlier::holds(&store, &study).await?;
    let ledger = ledger::open(&store, config.limits()?).await?;
    let scored_by = feature::scored_by(&study, &catalogue)?;
    let pseudonyms = Pseudonyms::open_or_create(&args.dir)?;
    let access = Access::of(&config, &profile, unix_now().saturating_mul(1_000_000));
    let rows = feature::rows(&store, &study, &catalogue, &pseudonyms, &access).await?;
    store.close().await;
    let asked = Asked { study: &study, roster: &roster, plan: &plan, heads: args.heads };
    let links = [rows.links.pairs, rows.links.dropped];
    let preview = preview(&asked, (own_cells(&study, &rows), links), &limited(&ledger, &plan));
    let (excluded, rare) = (rows.excluded, rows.rare(&study));
    if args.json {
        let shown = Shown { preview, rare_levels: rare, scored_by, excluded };
        serde_json::to_string_pretty(&shown).map_err(|e| Fault::bug(e.to_string()))
    } else {
        let mut page = page::page(&preview);
        page.push_str(&cells::told(&rare));
        page.push_str(&left_out(excluded));
        page.push_str(&questionnaires(&scored_by));
        Ok(page)
    }
}

/// The preview, and the questionnaires it rests on.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    preview: Preview,
    rare_levels: Vec<Rare>,
    scored_by: Vec<ScoredBy>,
    excluded: Excluded,
}

/// What clinicians excluded, for the officer alone: what they leave out can bias means.
fn left_out(Excluded { encounters, excluded }: Excluded) -> String {
    if excluded == 0 {
        return String::new();
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure to print")]
    let percent = excluded as f64 * 100.0 / encounters as f64;
    format!(
        "\n\nExcluded by their clinicians: {excluded} of {encounters} encounters ({percent:.1} percent)"
    )
}

fn questionnaires(scored_by: &[ScoredBy]) -> String {
    let mut lines = vec![
        String::new(),
        String::new(),
        "Questionnaires and composites it rests on, scored here".to_owned(),
    ];
    if scored_by.is_empty() {
        lines.push("  none".to_owned());
    }
    for by in scored_by {
        let licence =
            by.licence.as_ref().map_or_else(String::new, |text| format!(", licence: {text}"));
        lines.push(format!("  {} {}{licence}", by.instrument, by.version));
        lines.push(format!("    sha256 {}", by.sha256));
    }
    lines.join("\n")
}

/// Every limit that a release of this study must fit, with what was spent under it so far.
fn limited(ledger: &Ledger<StoreJournal>, plan: &Plan) -> Vec<Limited> {
    let Limits { site, study, year } = ledger.limits();
    let this_year = year_of(unix_now());
    let mut all = vec![Limited { scope: Scope::Site, spent: ledger.spent(), budgets: site }];
    let spent = ledger.spent_on(plan.family());
    all.extend(study.map(|budgets| Limited { scope: Scope::Study, spent, budgets }));
    let spent = ledger.spent_in(this_year);
    all.extend(year.map(|budgets| Limited { scope: Scope::Year(this_year), spent, budgets }));
    all
}

/// The cells of this site, none while no clinician of the study was imported.
fn own_cells(study: &Study, rows: &Rows) -> Vec<Cell> {
    if rows.rows.is_empty() { Vec::new() } else { rows.cells(study) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_excluded_share_is_shown_where_there_is_one() {
        assert_eq!(left_out(Excluded { encounters: 8, excluded: 0 }), "");
        assert_eq!(
            left_out(Excluded { encounters: 8, excluded: 1 }),
            "\n\nExcluded by their clinicians: 1 of 8 encounters (12.5 percent)"
        );
    }
}
