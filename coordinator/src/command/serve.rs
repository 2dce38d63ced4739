//! `tacit-coordinator serve`: the report pages of every finished round, until a signal.
use super::report::of_finished;
use crate::report::Report;
use crate::store::Store;
use crate::web::{self, Named};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tacit_link::keys::Keys;
use tacit_shared::fault::Fault;

/// Arguments of `serve`.
#[derive(Clone, Debug, clap::Args)]
pub struct ServeArgs {
    /// Folder of the coordinator
    #[arg(long)]
    pub dir: PathBuf,
    /// Address of the pages
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
}

/// Serves the pages.
///
/// # Errors
/// A fault if the address cannot be used or a stored result cannot be reported.
pub async fn run(args: &ServeArgs) -> Result<String, Fault> {
    let keys = Keys::open(&args.dir)?;
    let store = Store::open(&args.dir).await?;
    let mut reports: Vec<(String, Report)> = Vec::new();
    for finished in store.finished().await? {
        let report = of_finished(&store, &keys, &finished, None).await?;
        reports.push((finished.config.short(), report));
    }
    let listener = tokio::net::TcpListener::bind(args.listen).await.map_err(|e| {
        Fault::operator(format!("{} cannot be used: {e}", args.listen))
            .hint("is another program using the address?")
    })?;
    let address = listener.local_addr().map_err(|e| Fault::operator(e.to_string()))?;
    tracing::info!("report pages at http://{address}/");
    let stop = async {
        let _ = tokio::signal::ctrl_c().await; // without signals the pages stay up
    };
    web::serve(listener, Arc::new(Named::new(reports)), stop).await?;
    Ok("Stopped.".to_owned())
}
