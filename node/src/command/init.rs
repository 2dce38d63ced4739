//! `tacit-node init`: makes a node's folder, with keys, the officer's too, settings and an empty database.
use crate::config::{self, Basis, Config, Consent};
use crate::link::session::unix_now;
use crate::store::{self, Store, officer};
use std::net::SocketAddr;
use std::path::PathBuf;
use tacit_link::keys::{ENROLMENT, Keys};
use tacit_shared::fault::Fault;
use tacit_shared::id::SiteId;

/// Arguments of `init`.
#[derive(Clone, Debug, clap::Args)]
pub struct InitArgs {
    /// Folder to make; it must not hold a node already
    #[arg(long)]
    pub dir: PathBuf,
    /// Short name of the hospital, as the roster will list it
    #[arg(long)]
    pub site: SiteId,
    /// Legal name of the hospital
    #[arg(long)]
    pub name: String,
    /// Address of the coordinator
    #[arg(long, default_value = "127.0.0.1:7843")]
    pub coordinator: SocketAddr,
    /// What lets a clinician's rows count; `by-mapping` asks nobody: the mapping must leave out who must not be in
    #[arg(long, value_enum, default_value = "required")]
    pub clinicians: Basis,
}

/// Makes the folder; returns what to do next.
///
/// # Errors
/// A fault if the folder cannot be written or holds keys already.
pub async fn run(args: &InitArgs) -> Result<String, Fault> {
    let consent = Consent { clinicians: args.clinicians, ..Consent::default() };
    with_config(args, &Config::new(args.coordinator).with_consent(consent)).await
}

/// Makes the folder with settings of one's own.
///
/// # Errors
/// As [`run`].
pub async fn with_config(args: &InitArgs, config: &Config) -> Result<String, Fault> {
    let dir = &args.dir;
    let place = dir.display().to_string();
    std::fs::create_dir_all(dir)
        .map_err(|e| Fault::operator(format!("the folder cannot be made: {e}")).at(&place))?;
    let keys = Keys::create(dir, args.site.clone(), &args.name)?;
    std::fs::write(dir.join(config::FILE), config.to_toml()?).map_err(|e| {
        Fault::operator(format!("{} cannot be written: {e}", config::FILE)).at(&place)
    })?;
    let store = Store::open(&dir.join(store::FILE)).await?;
    let officer = officer::create_key(&dir.join(officer::FILE))?;
    officer::pin(&store, &officer.verifying_key(), unix_now()).await?;
    store.close().await;
    Ok(format!(
        "Node of {} made in {place}.\n\
         {}\n\
         Next: send {}/{ENROLMENT} to the convener; then `tacit-node join` the roster you agreed on.",
        keys.party().id,
        asked(config.consent().clinicians),
        dir.display(),
    ))
}

/// Whose rows will count, so that nobody finds out late.
fn asked(basis: Basis) -> &'static str {
    match basis {
        Basis::Required => {
            "Clinicians count once they consented: the mapping's section `@consent` says who did. Patients are left to the mapping."
        }
        Basis::OptOut => {
            "Clinicians count unless they refused: the mapping's section `@consent` says who did. Patients are left to the mapping."
        }
        Basis::ByMapping => {
            "Nobody is asked for consent here: the mapping must leave out who must not count."
        }
    }
}
