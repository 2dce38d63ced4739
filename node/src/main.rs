//! `tacit-node`: the program a hospital runs.
use clap::{Parser, Subcommand};
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use tacit_node::command::{
    annotate, approve, batches, check, contests, dpia, eda, hrv, identities, import, init,
    instrument, learn, ledger, officer, opening, preview, privacy, profile, retain, review, run,
    stream, subject, verify, withdraw,
};
use tacit_shared::fault::{Audience, Fault};

/// The hospital's node of a Tacit federation: no value about a person ever leaves it.
#[derive(Debug, Parser)]
#[command(name = "tacit-node", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a node's folder: keys, settings, database
    Init(init::InitArgs),
    /// Make the key that the officer's decisions are signed with
    Officer(officer::OfficerArgs),
    /// Show the profile in force, or sign another one
    Profile(profile::ProfileArgs),
    /// Pin the roster the hospitals agreed on
    Join(approve::DecideArgs),
    /// Read the hospital's files into the canonical tables
    Import(import::ImportArgs),
    /// Note a Parquet file of encounters to be read in place, without a copy
    Stream(stream::StreamArgs),
    /// List what was imported, or withdraw one import whole
    Batches(batches::BatchesArgs),
    /// Show the hash of an id and, where ids are kept, the way back
    Identities(identities::IdentitiesArgs),
    /// Read the whole database and show the quality of what it holds
    Check(check::CheckArgs),
    /// A clinician or patient withdraws: erase what is held of them, and leave them out of imports
    Withdraw(withdraw::WithdrawArgs),
    /// Erase what was kept as long as the settings say
    Retain(retain::RetainArgs),
    /// Exclude an encounter, contest it, or say what explains it
    Annotate(annotate::AnnotateArgs),
    /// List what clinicians contest, or resolve it
    Contests(contests::ContestsArgs),
    /// Write all that is held about one person, for that person
    #[command(name = "self")]
    Subject(subject::SubjectArgs),
    /// Show what a study would open, cost and be worth; nothing is decided
    Preview(preview::PreviewArgs),
    /// Show what a study would send, and approve it by its digest
    Approve(approve::ApproveArgs),
    /// Take over the result of a round that this site missed
    Learn(learn::LearnArgs),
    /// Withdraw the approval of a study
    Revoke(approve::RevokeArgs),
    /// Show releases that wait for the officer, let one go or withhold it
    Review(review::ReviewArgs),
    /// Roster, studies, budget and rounds of this node
    Status(approve::StatusArgs),
    /// Every charge; `recost`, `verify` and `accept-loss`
    Ledger(ledger::LedgerArgs),
    /// Take part in the rounds of approved studies
    Run(run::RunArgs),
    /// Write what this site can show for itself: ledger, receipts, roster, approvals
    Export(verify::ExportArgs),
    /// Look at what this site released in a round whose result makes no sense
    Opening(opening::OpeningArgs),
    /// Check the evidence of a site: anyone, offline
    Verify(verify::VerifyArgs),
    /// Write the impact assessment, the notice for staff and the record of processing
    Dpia(dpia::DpiaArgs),
    /// Check the definition of a questionnaire, score answers by it, list those the node knows
    Instrument(instrument::InstrumentArgs),
    /// Heart-rate variability of a recording, by five-minute windows
    Hrv(hrv::HrvArgs),
    /// Skin conductance of a recording, by five-minute windows
    Eda(eda::EdaArgs),
    /// What a number of releases costs in privacy
    Privacy(privacy::PrivacyArgs),
}

async fn dispatch(command: &Command) -> Result<String, Fault> {
    match command {
        Command::Init(args) => init::run(args).await,
        Command::Profile(args) => profile::run(args).await,
        Command::Join(args) => approve::join(args).await,
        Command::Import(args) => import::run(args, &import::Bars::default()).await,
        Command::Stream(args) => stream::run(args, &import::Bars::default()).await,
        Command::Batches(args) => batches::run(args).await,
        Command::Identities(args) => identities::run(args, std::io::stdin()).await,
        Command::Check(args) => check::run(args).await,
        Command::Withdraw(args) => withdraw::run(args).await,
        Command::Retain(args) => retain::run(args).await,
        Command::Annotate(args) => annotate::run(args).await,
        Command::Contests(args) => contests::run(args).await,
        Command::Subject(args) => subject::run(args).await,
        Command::Preview(args) => preview::run(args).await,
        Command::Approve(args) => approve::approve_with(args).await,
        Command::Officer(args) => officer::run(args).await,
        Command::Learn(args) => learn::run(args).await,
        Command::Revoke(args) => approve::revoke(args).await,
        Command::Review(args) => review::run(args).await,
        Command::Status(args) => approve::status(args).await,
        Command::Ledger(args) => ledger::run(args).await,
        Command::Run(args) => run::run(args).await,
        Command::Export(args) => verify::export(args).await,
        Command::Opening(args) => opening::run(args).await,
        Command::Verify(args) => verify::verify(args),
        Command::Dpia(args) => dpia::run(args).await,
        Command::Instrument(args) => instrument::run(args).await,
        Command::Hrv(args) => hrv::run(args),
        Command::Eda(args) => eda::run(args),
        Command::Privacy(args) => privacy::run(args),
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("TACIT_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,tacit_node=info")),
        )
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Fault::operator(e.to_string()));
    match runtime.and_then(|runtime| runtime.block_on(dispatch(&cli.command))) {
        // A reader that closed the pipe early is no fault of anyone.
        Ok(text) => {
            let _ = writeln!(std::io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            let _ = writeln!(std::io::stderr(), "error: {fault}");
            if fault.audience == Audience::Bug {
                let _ = writeln!(std::io::stderr(), "  this is a fault of Tacit; please report it");
            }
            ExitCode::from(fault.audience.exit_code())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn every_command_has_sound_arguments() {
        Cli::command().debug_assert();
    }
}
