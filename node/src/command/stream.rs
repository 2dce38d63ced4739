//! `tacit-node stream`: a file of encounters that stays where it is.
use super::check::now_us;
use crate::config::Config;
use crate::intake::progress::Progress;
use crate::intake::stream::note::{self, Request};
use crate::measure::instrument::Catalogue;
use crate::measure::standing;
use crate::store::consent::Access;
use crate::store::pseudonym::Pseudonyms;
use crate::store::{self, Store};
use std::fmt::Write as _;
use std::path::PathBuf;
use tacit_shared::fault::Fault;
use tacit_shared::study::modality::Modality;

/// Notes a Parquet file of encounters to be read in place for each study, instead of importing a copy.
#[derive(Clone, Debug, clap::Args)]
pub struct StreamArgs {
    /// The node's folder.
    #[arg(long)]
    pub dir: PathBuf,
    /// Put it in the place of the file that was noted before.
    #[arg(long)]
    pub replace: bool,
    /// The file: it has the canonical columns of `encounter` under their names (docs/data-mapping.md), and stays as it is.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Checks the file and notes it; the text says how many rows count, and why others do not.
///
/// # Errors
/// A fault with its place; nothing is left of a file that was not noted.
pub async fn run(args: &StreamArgs, progress: &dyn Progress) -> Result<String, Fault> {
    let config = Config::open(&args.dir)?;
    let catalogue = Catalogue::of_node(&args.dir, config.licences())?;
    let store = Store::open(&args.dir.join(store::FILE)).await?;
    let pseudonyms = Pseudonyms::open_or_create(&args.dir)?;
    let (file, dir, at_us) = (args.file.clone(), args.dir.clone(), now_us()?);
    let request = Request { file, dir, replace: args.replace, at_us };
    let access = Access::now(&store, &config, at_us).await?;
    if !access.modalities.admits(Modality::Encounters) {
        return Err(Fault::user("encounters are switched off in node.toml"));
    }
    standing::suspend_all(&store).await?;
    let noted = note::note(&store, &request, &pseudonyms, progress).await;
    let stays_away = standing::look_at_all(&store, &catalogue, &pseudonyms, &access).await;
    store.close().await;
    let mut page = noted?.to_string();
    for (study, why) in stays_away? {
        let _ = write!(page, "\nThis site stays away from study {study} for now: {why}."); // a String
    }
    Ok(page)
}
