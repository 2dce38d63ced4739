//! `tacit-coordinator init`: makes a coordinator's folder, with keys, settings and a database.
use crate::config::{self, Config};
use crate::store::Store;
use std::net::SocketAddr;
use std::path::PathBuf;
use tacit_link::keys::{ENROLMENT, Keys};
use tacit_shared::fault::Fault;
use tacit_shared::id::SiteId;

/// Arguments of `init`.
#[derive(Clone, Debug, clap::Args)]
pub struct InitArgs {
    /// Folder to make; it must not hold a coordinator already
    #[arg(long)]
    pub dir: PathBuf,
    /// Legal name of the convener
    #[arg(long)]
    pub name: String,
    /// Short name of the convener in the roster
    #[arg(long, default_value = "convener")]
    pub id: SiteId,
    /// Address to listen on for the nodes
    #[arg(long, default_value = "127.0.0.1:7843")]
    pub listen: SocketAddr,
}

/// Makes the folder; returns what to do next.
///
/// # Errors
/// A fault if the folder cannot be written or holds keys already.
pub async fn run(args: &InitArgs) -> Result<String, Fault> {
    with_config(args, &Config::new(args.listen)).await
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
    Keys::create(dir, args.id.clone(), &args.name)?;
    std::fs::write(dir.join(config::FILE), config.to_toml()?).map_err(|e| {
        Fault::operator(format!("{} cannot be written: {e}", config::FILE)).at(&place)
    })?;
    Store::open(dir).await?.pool().close().await;
    Ok(format!(
        "Coordinator of {} made in {place}.\n\
         Next: `tacit-coordinator roster` with the {ENROLMENT} of each hospital.",
        args.name
    ))
}
