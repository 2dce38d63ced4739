//! `cargo pilot`: a rehearsal of a whole federation on this machine.
use clap::Parser;
use std::io::Write as _;
use std::process::ExitCode;
use tacit_shared::fault::Fault;
use tacit_tests::pilot::{self, Options};

fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("TACIT_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error")),
        )
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Fault::operator(e.to_string()));
    match runtime.and_then(|runtime| runtime.block_on(pilot::run(&options))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            let _ = writeln!(std::io::stderr(), "error: {fault}");
            ExitCode::from(fault.audience.exit_code())
        }
    }
}
