//! `tacit-node officer init`: makes and pins the key that approvals are signed with.
use crate::config::Config;
use crate::link::session::unix_now;
use crate::store::{self, Store, officer};
use std::path::{Path, PathBuf};
use tacit_shared::fault::Fault;
use tacit_shared::id::to_hex;

/// Arguments of `officer`.
#[derive(Clone, Debug, clap::Args)]
pub struct OfficerArgs {
    /// What to do
    #[command(subcommand)]
    pub what: OfficerCommand,
}

/// The commands about the officer's key.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum OfficerCommand {
    /// Make the officer's key and pin it
    Init(OfficerInitArgs),
}

/// Arguments of `officer init`.
#[derive(Clone, Debug, clap::Args)]
pub struct OfficerInitArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// File for the key; `officer.p8` in the folder if not given
    #[arg(long)]
    pub key: Option<PathBuf>,
    /// Pin the new key in place of the one pinned before; every approval has to be given again
    #[arg(long)]
    pub replace: bool,
}

/// Makes and pins a key.
///
/// # Errors
/// A fault if a key is pinned and is not to be replaced, or if the file exists.
pub async fn run(args: &OfficerArgs) -> Result<String, Fault> {
    let OfficerCommand::Init(args) = &args.what;
    Config::open(&args.dir)?;
    let store = Store::open(&args.dir.join(store::FILE)).await?;
    if !args.replace && !officer::keys(&store).await?.is_empty() {
        return Err(Fault::user("an officer's key is pinned here already").hint(
            "`--replace` pins a new one, in a file of its own; every approval has to be given again",
        ));
    }
    let path = args.key.clone().unwrap_or_else(|| args.dir.join(officer::FILE));
    let key = officer::create_key(&path)?.verifying_key();
    officer::pin(&store, &key, unix_now()).await?;
    store.close().await;
    Ok(format!(
        "The officer's key is {}; keep it where only the officer reads it.\n\
         Its public half is pinned:\n  {}",
        path.display(),
        to_hex(key.as_bytes())
    ))
}

/// The key that signs: from the file named, else from the node's folder.
pub(super) fn key_file(dir: &Path, key: Option<&Path>) -> PathBuf {
    key.map_or_else(|| dir.join(officer::FILE), Path::to_path_buf)
}
