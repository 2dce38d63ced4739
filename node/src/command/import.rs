//! `tacit-node import`: a data steward's way in.
//!
//! Gathers what [`crate::intake`] needs from elsewhere: the instruments' codes, the reader of recordings,
//! and a terminal that wants to see how far it is.
use super::check::now_us;
use super::recordings::Recordings;
use crate::config::Config;
use crate::intake::progress::Progress;
use crate::intake::source::Input;
use crate::intake::source::postgres::Database;
use crate::intake::stream::Memory;
use crate::intake::{self, Admitted, Again, OnError, Ports, Request};
use crate::measure::instrument::Catalogue;
use crate::measure::{physiology, standing};
use crate::store::consent::{self, Access};
use crate::store::identity::Identities;
use crate::store::pseudonym::Pseudonyms;
use crate::store::{self, Store};
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use tacit_shared::fault::Fault;

/// Imports files by the site's own mapping: all sound rows, or nothing on an error.
#[derive(Clone, Debug, clap::Args)]
pub struct ImportArgs {
    /// The node's folder.
    #[arg(long)]
    pub dir: PathBuf,
    /// The site's mapping: one SELECT a canonical table (docs/data-mapping.md).
    #[arg(long)]
    pub mapping: PathBuf,
    /// Where the recordings are that device sessions name.
    #[arg(long)]
    pub recordings_dir: Option<PathBuf>,
    /// If the same files were imported before, withdraw that batch first.
    #[arg(long)]
    pub replace: bool,
    /// Most memory to use, in MiB: what passes it goes to temporary files.
    #[arg(long, default_value_t = Memory::default(), value_name = "MIB")]
    pub memory_mib: Memory,
    /// What to do about bad rows: take over the sound ones and record why the others are not, or import nothing.
    #[arg(long, value_enum, default_value_t)]
    pub on_error: OnError,
    /// Run the mapping in the hospital's own `PostgreSQL` instead of over files: postgres://USER@HOST:PORT/NAME.
    /// The password is taken from PGPASSFILE, ~/.pgpass or PGPASSWORD (docs/data-mapping.md).
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "TACIT_POSTGRES",
        hide_env_values = true,
        conflicts_with = "inputs"
    )]
    pub postgres: Option<String>,
    /// Schemas of that database with the tables, in the order in which they are searched.
    #[arg(long, value_delimiter = ',', requires = "postgres")]
    pub schema: Vec<String>,
    /// How long one section of the mapping may run.
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub statement_seconds: u32,
    /// Files and the names by which the mapping knows them: visits=visits.csv is `raw_visits`. Where the
    /// ending does not tell, the kind is said: watch.apple=export.xml (docs/data-mapping.md lists them).
    #[arg(required_unless_present = "postgres", value_name = "NAME=FILE")]
    pub inputs: Vec<Input>,
}

/// Imports; the text says how many rows went where, and why others did not.
///
/// # Errors
/// A fault with its place; nothing is left of a failed import.
pub async fn run(args: &ImportArgs, progress: &dyn Progress) -> Result<String, Fault> {
    // Settings first: a folder without them is no node's, and nothing is made in it.
    let config = Config::open(&args.dir)?;
    let catalogue = Catalogue::of_node(&args.dir, config.licences())?;
    let questionnaires = catalogue.questionnaires();
    let store = Store::open(&args.dir.join(store::FILE)).await?;
    let pseudonyms = Pseudonyms::open_or_create(&args.dir)?;
    let request = Request {
        mapping: args.mapping.clone(),
        inputs: args.inputs.clone(),
        recordings_dir: args.recordings_dir.clone(),
        database: database(args)?,
        on_error: args.on_error,
        statement_s: args.statement_seconds,
        again: if args.replace { Again::Replace } else { Again::Refuse },
        at_us: now_us()?,
        memory: args.memory_mib,
    };
    let access = Access::now(&store, &config, request.at_us).await?;
    let ports = Ports {
        pseudonyms: &pseudonyms,
        questionnaires: &questionnaires,
        recorder: &Recordings::of(&access),
        progress,
    };
    // Kept ones are looked after even where no more are kept.
    let identities = if config.keeps_ids() {
        Some(Identities::open_or_create(&args.dir).await?)
    } else {
        Identities::open(&args.dir).await?
    };
    standing::suspend_all(&store).await?;
    let kept = identities.as_ref().filter(|_| config.keeps_ids());
    let admitted = Admitted { modalities: access.modalities, identities: kept };
    let imported = intake::import_admitted(&store, &request, &ports, admitted).await;
    if let Some(identities) = identities {
        let swept = identities.sweep(&store).await;
        identities.close().await;
        swept?;
    }
    // What an earlier import left marked is done too.
    let refreshed = physiology::personal::refresh(&store, progress).await;
    // Whether it came in or not: the tables are as they are now.
    let stays_away = standing::look_at_all(&store, &catalogue, &pseudonyms, &access).await;
    let silent = consent::without(&store, &access).await;
    store.close().await;
    refreshed?;
    let summary = imported?;
    tracing::info!("import: {}", summary.in_a_line());
    let mut page = summary.to_string();
    if let Some((silent @ 1.., all)) = silent? {
        let _ = write!(
            page,
            "\n{silent} of {all} clinicians at work gave no consent that is in force: they count in no study \
             ([consent] in node.toml)."
        ); // a String
    }
    for (study, why) in stays_away? {
        let _ = write!(page, "\nThis site stays away from study {study} for now: {why}."); // a String
    }
    Ok(page)
}

/// The hospital's database, if the mapping is to run there.
fn database(args: &ImportArgs) -> Result<Option<Database>, Fault> {
    let named = |url: &String| Database::new(url, &args.schema);
    args.postgres.as_ref().map(named).transpose()
}

/// A bar on a terminal, and of each stretch a line of the log for who looks for a fault (`TACIT_LOG=tacit_node=debug`):
/// what came of all is in the text that the command prints.
#[derive(Debug, Default)]
pub struct Bars {
    current: Mutex<Option<ProgressBar>>,
}

impl Bars {
    fn replace(&self, bar: Option<ProgressBar>) -> Option<ProgressBar> {
        std::mem::replace(&mut *self.current.lock().unwrap_or_else(PoisonError::into_inner), bar)
    }
}

impl Progress for Bars {
    fn begin(&self, what: &str, total: u64) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        let bar = if total == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(total) };
        let shape = "{msg:24} {wide_bar} {percent}%  {per_sec}  {eta} left";
        if let (1.., Ok(style)) = (total, ProgressStyle::with_template(shape)) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        if let Some(earlier) = self.replace(Some(bar)) {
            earlier.finish_and_clear();
        }
    }

    fn advance(&self, position: u64) {
        if let Some(bar) = &*self.current.lock().unwrap_or_else(PoisonError::into_inner) {
            bar.set_position(position);
        }
    }

    fn end(&self, result: &str) {
        tracing::debug!("{result}");
        if let Some(bar) = self.replace(None) {
            bar.finish_and_clear();
        }
    }
}
