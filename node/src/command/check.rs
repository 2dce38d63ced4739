//! `tacit-node check`: is the database whole, and what is the quality of what it holds.
//!
//! One value, [`Quality`], gathered from the tables and, for each approved study, from the very numbers that a release
//! would be made of; shown as text, as JSON, or as a page for a browser.
use super::approve::read;
use crate::config::Config;
use crate::measure::feature::spread;
use crate::measure::instrument::Catalogue;
use crate::office::quality_page::{Quality, Standing, StudyQuality, html, text};
use crate::store::consent::Access;
use crate::store::pseudonym::Pseudonyms;
use crate::store::{self, Store, approval, away, officer, private, quality};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use tacit_shared::fault::Fault;
use tacit_shared::study::Study;
use time::OffsetDateTime;

/// Arguments of `check`.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// Hold the data against this study too, approved or not
    #[arg(long, value_name = "FILE")]
    pub study: Vec<PathBuf>,
    /// Print one JSON object instead of a page
    #[arg(long)]
    pub json: bool,
    /// Write the page for a browser into this file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

impl CheckArgs {
    /// The arguments that print the page of a folder.
    pub fn of(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), study: Vec::new(), json: false, html: None }
    }
}

/// Reads every page of the database, then shows what it holds.
///
/// # Errors
/// An operator's fault if the database is damaged or its key file is another's; a user's for a study that
/// cannot be read.
pub async fn run(args: &CheckArgs) -> Result<String, Fault> {
    let path = args.dir.join(store::FILE);
    if !path.is_file() {
        return Err(Fault::operator("the node has no database yet")
            .at(path.display().to_string())
            .hint("`tacit-node init` makes a node's folder, `tacit-node import` fills it"));
    }
    let config = Config::open(&args.dir)?;
    let catalogue = Catalogue::of_node(&args.dir, config.licences())?;
    let mut named = Vec::with_capacity(args.study.len());
    for file in &args.study {
        let (text, origin) = read(file)?;
        named.push(Study::parse(&text).map_err(|e| e.into_fault(&origin))?);
    }
    let store = Store::open(&path).await?;
    store.verify().await?;
    let pseudonyms = Pseudonyms::open_or_create(&args.dir)?;
    pseudonyms.bind(&store).await?;
    let access = Access::now(&store, &config, now_us()?).await?;
    let quality = gather(&store, &named, &catalogue, (&pseudonyms, &access)).await;
    store.close().await;
    let quality = quality?;
    if let Some(file) = &args.html {
        write(file, &html::page(&quality))?;
    }
    if args.json {
        return serde_json::to_string_pretty(&quality).map_err(|e| Fault::bug(e.to_string()));
    }
    Ok(text::page(&quality))
}

async fn gather(
    store: &Store,
    named: &[Study],
    catalogue: &Catalogue,
    read: (&Pseudonyms, &Access),
) -> Result<Quality, Fault> {
    let now_us = now_us()?;
    let approved = approved(store).await?;
    let named = named.iter().filter(|s| approved.iter().all(|a| a.digest() != s.digest()));
    let mut studies: Vec<StudyQuality> = Vec::new();
    let all =
        approved.iter().map(|s| (s, Standing::Approved)).chain(named.map(|s| (s, Standing::Named)));
    for (study, standing) in all {
        let why = away::why(store, study.digest()).await?;
        studies.push(spread::of_study(store, study, (standing, why), catalogue, read).await?);
    }
    Ok(Quality {
        made_at: day_and_time(now_us),
        made_by: format!("tacit-node {}", env!("CARGO_PKG_VERSION")),
        tables: quality::tables(store).await?,
        rejects: quality::rejects(store).await?,
        coverage: quality::coverage(store, now_us).await?,
        clocks: quality::clocks(store, now_us).await?,
        studies,
    })
}

/// The studies that the officer's last word approves, under whichever roster.
async fn approved(store: &Store) -> Result<Vec<Study>, Fault> {
    if officer::keys(store).await?.is_empty() {
        return Ok(Vec::new());
    }
    let decisions = officer::decisions(store).await?;
    let mut studies = Vec::new();
    for (_, digest) in approval::list(store).await? {
        if decisions.stands(digest) {
            studies.extend(approval::kept(store, digest).await?);
        }
    }
    Ok(studies)
}

/// Writes a page that only its owner can read, beside its place, and then puts it there: whoever opens it meets the
/// old page or the new one, whole.
fn write(path: &Path, page: &str) -> Result<(), Fault> {
    let beside = path.with_added_extension(format!("{}.part", std::process::id()));
    let put = || {
        std::fs::rename(&beside, path).inspect_err(|_| {
            let _ = std::fs::remove_file(&beside); // the first error is the one to tell
        })
    };
    let written = private::write(&beside, page.as_bytes()).and_then(|()| put());
    written.map_err(|e| {
        Fault::user(format!("the page cannot be written: {e}")).at(path.display().to_string())
    })
}

/// A time as day and time of day, UTC.
pub(super) fn day_and_time(at_us: i64) -> String {
    let Ok(at) = OffsetDateTime::from_unix_timestamp(at_us.div_euclid(1_000_000)) else {
        return "an impossible time".to_owned();
    };
    format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute())
}

/// Now, in microseconds since 1970 UTC.
pub(super) fn now_us() -> Result<i64, Fault> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    since.and_then(|since| i64::try_from(since.as_micros()).ok()).ok_or_else(|| {
        Fault::operator("the clock of this machine is before 1970").hint("set the clock")
    })
}
