//! `tacit-coordinator serve`: the report pages of every finished round, until a signal.
use super::held::Folder;
use crate::conclusion::conclude;
use crate::web::{self, Listing, Named};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
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
    let folder = Folder::open(&args.dir).await?;
    let named = reports(&folder).await;
    folder.close().await;
    let named = named?;
    let listener = tokio::net::TcpListener::bind(args.listen).await.map_err(|e| {
        Fault::operator(format!("{} cannot be used: {e}", args.listen))
            .hint("is another program using the address?")
    })?;
    let address = listener.local_addr().map_err(|e| Fault::operator(e.to_string()))?;
    tracing::info!("report pages at http://{address}/");
    let stop = async {
        let _ = tokio::signal::ctrl_c().await; // without signals the pages stay up
    };
    web::serve(listener, Arc::new(named), stop).await?;
    Ok("Stopped.".to_owned())
}

/// Every report, and what is withheld beside them: one spoiled result takes none of the others away.
async fn reports(folder: &Folder) -> Result<Named, Fault> {
    let (mut reports, mut withheld) = (Vec::new(), Vec::new());
    for finished in folder.finished() {
        let id = finished.config.short();
        let transcript = folder.transcript(finished.config).await?;
        let concluded = folder
            .one(Some(finished.config))
            .and_then(|held| conclude(&held.round(transcript), None).map_err(|e| e.to_fault()));
        match concluded {
            Ok(report) => reports.push((id, report)),
            Err(why) => withheld.push(Listing::withheld(id, &finished.study, why.message)),
        }
    }
    Ok(Named::new(reports).with_withheld(withheld))
}
