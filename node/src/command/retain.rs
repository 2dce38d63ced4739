//! `tacit-node retain`: erases what was kept as long as `[retention]` says. `tacit-node run` does it first, too.
use crate::config::{Config, Modalities};
use crate::intake::progress::Silent;
use crate::link::session::unix_now;
use crate::measure::instrument::Catalogue;
use crate::measure::physiology::personal;
use crate::measure::standing;
use crate::store::consent::Access;
use crate::store::pseudonym::Pseudonyms;
use crate::store::{self, Store, profile, retain};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tacit_shared::fault::Fault;

/// Arguments of `retain`.
#[derive(Clone, Debug, clap::Args)]
pub struct RetainArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
}

/// Erases; the text counts what was erased.
///
/// # Errors
/// A fault of the folder or the database: then nothing is erased.
pub async fn run(args: &RetainArgs) -> Result<String, Fault> {
    let config = Config::open(&args.dir)?;
    let store = Store::open(&args.dir.join(store::FILE)).await?;
    let now_us = unix_now().saturating_mul(1_000_000);
    let profile = profile::now(&store, now_us.div_euclid(1_000_000)).await?;
    let keep = config.retention().within(profile.document.keep());
    // What the profile in force allows to be held: a kind that is merely switched off is not read, and stays.
    let keeping = (keep, Modalities::EVERYTHING.within(&profile.document));
    if !retain::due(&store, keeping, now_us).await? {
        store.close().await;
        return Ok("Nothing was kept too long.".to_owned());
    }
    standing::suspend_all(&store).await?;
    let erased = retain::retain(&store, keeping, now_us).await;
    let stays_away = look_again(&store, &args.dir, &config, now_us).await;
    store.close().await;
    Ok(format!(
        "Encounters are kept {} days, answers {}, features {}. Erased:\n{}{}",
        keep.encounters, keep.answers, keep.features, erased?, stays_away?
    ))
}

/// Looks again, since rows or what counts of them changed: at whose recordings lost an encounter or a session, and at
/// the cells of approved studies; a line for each that this site stays away from.
///
/// # Errors
/// A fault of the database.
pub(super) async fn look_again(
    store: &Store,
    dir: &Path,
    config: &Config,
    now_us: i64,
) -> Result<String, Fault> {
    personal::refresh(store, &Silent).await?;
    let catalogue = Catalogue::of_node(dir, config.licences())?;
    let pseudonyms = Pseudonyms::open_or_create(dir)?;
    let access = Access::now(store, config, now_us).await?;
    let mut lines = String::new();
    for (study, why) in standing::look_at_all(store, &catalogue, &pseudonyms, &access).await? {
        let _ = write!(lines, "\nThis site stays away from study {study} for now: {why}."); // a String
    }
    Ok(lines)
}
