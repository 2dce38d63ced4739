//! `tacit-node batches`: lists what was imported, and withdraws one import whole.
use super::check::{day_and_time, now_us};
use crate::config::Config;
use crate::intake::progress::Silent;
use crate::measure::instrument::Catalogue;
use crate::measure::physiology::personal;
use crate::measure::standing;
use crate::store::batch::{self, Batch, Dependents, Gone, Withdrawal};
use crate::store::consent::Access;
use crate::store::identity::Identities;
use crate::store::pseudonym::Pseudonyms;
use crate::store::{self, Store};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::PathBuf;
use tacit_shared::fault::Fault;

/// Arguments of `batches`.
#[derive(Clone, Debug, clap::Args)]
pub struct BatchesArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// Withdraw the batch of this number: every row it brought is deleted
    #[arg(long, value_name = "N")]
    pub withdraw: Option<i64>,
    /// Rows of other batches that refer to the batch's rows go too
    #[arg(long, requires = "withdraw")]
    pub with_dependents: bool,
    /// Print one JSON object instead of a list
    #[arg(long)]
    pub json: bool,
}

/// Lists the batches, or withdraws one; the text counts rows.
///
/// # Errors
/// A fault if there is no such batch, or if rows of others refer to it. Nothing was withdrawn then.
pub async fn run(args: &BatchesArgs) -> Result<String, Fault> {
    let config = Config::open(&args.dir)?;
    let store = Store::open(&args.dir.join(store::FILE)).await?;
    let Some(number) = args.withdraw else {
        let shown =
            Listed { batches: batch::all(&store).await?, withdrawn: batch::gone(&store).await? };
        store.close().await;
        return if args.json { json(&shown) } else { Ok(listed(&shown)) };
    };
    let catalogue = Catalogue::of_node(&args.dir, config.licences())?;
    let pseudonyms = Pseudonyms::open_or_create(&args.dir)?;
    let identities = Identities::open(&args.dir).await?;
    let dependents = if args.with_dependents { Dependents::Withdraw } else { Dependents::Refuse };
    standing::suspend_all(&store).await?;
    let done = withdraw(&store, identities.as_ref(), (number, dependents)).await;
    let refreshed = personal::refresh(&store, &Silent).await;
    // Whether it was withdrawn or not: the tables are as they are now.
    let access = Access::now(&store, &config, now_us()?).await?;
    let stays_away = standing::look_at_all(&store, &catalogue, &pseudonyms, &access).await;
    store.close().await;
    if let Some(identities) = identities {
        identities.close().await;
    }
    let (withdrawal, ids) = done?;
    refreshed?;
    let stays_away = stays_away?;
    if args.json {
        return json(&Done { withdrawal, identities: ids, stays_away });
    }
    Ok(told(&withdrawal, ids, &stays_away))
}

#[derive(Serialize)]
struct Listed {
    batches: Vec<Batch>,
    withdrawn: Vec<Gone>,
}

#[derive(Serialize)]
struct Done {
    #[serde(flatten)]
    withdrawal: Withdrawal,
    identities: u64,
    stays_away: Vec<(String, String)>,
}

/// Rows first, ids after: should the second fail, the next import sweeps them out.
async fn withdraw(
    store: &Store,
    identities: Option<&Identities>,
    (number, dependents): (i64, Dependents),
) -> Result<(Withdrawal, u64), Fault> {
    let withdrawal = batch::withdraw(store, number, dependents, now_us()?).await?;
    let ids = match identities {
        Some(identities) => identities.sweep(store).await?,
        None => 0,
    };
    Ok((withdrawal, ids))
}

fn listed(shown: &Listed) -> String {
    let mut lines = Vec::new();
    if shown.batches.is_empty() {
        lines.push("Nothing is imported.".to_owned());
    }
    for batch in &shown.batches {
        lines.push(format!("batch {:<6} {}", batch.batch, day_and_time(batch.at_us)));
        for file in &batch.files {
            let digest = file.sha256.get(..16).unwrap_or_default();
            lines.push(format!("  file  {digest}…  {:>12} rows  {}", file.rows, file.name));
        }
        for (table, rows) in &batch.rows {
            lines.push(format!("  has   {table:<17} {rows:>12} rows"));
        }
        if batch.reject_reasons > 0 {
            let rows = batch.rejected_rows.map_or("?".to_owned(), |rows| rows.to_string());
            let (reasons, word) = (
                batch.reject_reasons,
                if batch.reject_reasons == 1 { "reason" } else { "reasons" },
            );
            lines.push(format!("  and   {:<17} {rows:>12} rows, for {reasons} {word}", "rejected"));
        }
    }
    for gone in &shown.withdrawn {
        lines.push(format!(
            "batch {:<6} {} withdrawn {}: {} rows, and {} of other batches",
            gone.batch,
            day_and_time(gone.imported_us),
            day_and_time(gone.withdrawn_us),
            gone.rows,
            gone.dependent_rows
        ));
    }
    lines.join("\n")
}

fn told(withdrawal: &Withdrawal, ids: u64, stays_away: &[(String, String)]) -> String {
    let mut page = format!("Batch {} is withdrawn.\n", withdrawal.batch);
    for (table, rows) in &withdrawal.rows {
        let _ = writeln!(page, "  deleted  {table:<17} {rows:>12} rows"); // a String
    }
    for (batch, rows) in &withdrawal.dependents {
        for (table, rows) in rows {
            let _ = writeln!(page, "  deleted  {table:<17} {rows:>12} rows of batch {batch}");
        }
    }
    if ids > 0 {
        let _ = writeln!(page, "  deleted  {:<17} {ids:>12}", "sealed ids");
    }
    for (study, why) in stays_away {
        let _ = writeln!(page, "This site stays away from study {study} for now: {why}.");
    }
    if !withdrawal.log_emptied {
        page.push_str(
            "The database's log still holds them while another program reads: stop the node once, that empties it.\n",
        );
    }
    page.push_str(
        "What was released before cannot be recalled; the next release is without these rows.",
    );
    page
}

fn json(shown: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string_pretty(shown).map_err(|e| Fault::bug(e.to_string()))
}
