//! `tacit-coordinator`: the convener's program.
use clap::{Parser, Subcommand};
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use tacit_coordinator::command::{
    allocate, evaluate, fit, init, next, plan, report, roster, run, serve, verify,
};
use tacit_shared::fault::{Audience, Fault};

/// The coordinator of a Tacit federation: it learns the noisy sum of a quorum of hospitals, nothing else.
#[derive(Debug, Parser)]
#[command(name = "tacit-coordinator", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a coordinator's folder: keys, settings, database
    Init(init::InitArgs),
    /// Put the hospitals' enrolment files together into a roster
    Roster(roster::RosterArgs),
    /// Read a study against a roster, and print its digest
    Check(roster::CheckArgs),
    /// Forecast what a study can say with so many clinicians, before anyone pays
    Plan(plan::PlanArgs),
    /// Write the study of the next period, in the frame that earlier results give
    Next(next::NextArgs),
    /// Compares the periods of a study, and says whether its stop rule holds
    Evaluate(evaluate::EvaluateArgs),
    /// Run one round of a study with the sites of a roster
    Run(run::RunArgs),
    /// Write a round's signed transcript for an auditor
    Export(verify::ExportArgs),
    /// Recompute a published result from its transcript: anyone, offline
    Verify(verify::VerifyArgs),
    /// Fit, divide the pool, and write the report of a round
    Report(report::ReportArgs),
    /// Divide a stored release by another rule, on public numbers alone: costs no privacy
    Allocate(allocate::AllocateArgs),
    /// Fit a model to a plain table, without noise: to check the method against other software
    Fit(fit::FitArgs),
    /// Show the report pages of all finished rounds
    Serve(serve::ServeArgs),
}

async fn dispatch(command: &Command) -> Result<String, Fault> {
    match command {
        Command::Init(args) => init::run(args).await,
        Command::Roster(args) => roster::run(args),
        Command::Check(args) => roster::check(args),
        Command::Plan(args) => plan::run(args),
        Command::Evaluate(args) => evaluate::run(args).await,
        Command::Next(args) => next::run(args).await,
        Command::Run(args) => run::run(args).await,
        Command::Export(args) => verify::export(args).await,
        Command::Verify(args) => verify::verify(args),
        Command::Report(args) => report::run(args).await,
        Command::Allocate(args) => allocate::run(args).await,
        Command::Fit(args) => fit::run(args),
        Command::Serve(args) => serve::run(args).await,
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("TACIT_LOG").unwrap_or_else(|_| {
                tracing_subscriber::EnvFilter::new("warn,tacit_coordinator=info")
            }),
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
