//! The Tidegate agent: the process beside each service.
//!
//! Starts the runtime and hands over to `app`; everything that can be told to it is in `args`.

mod app;
mod args;
mod bootstrap;
mod contact;
mod disk;
mod evaluate;
mod health;
mod identity;
mod kept;
mod metrics;
mod serve;
mod server_clock;
mod snapshot;
mod sync;
mod upstream;

#[cfg(test)]
mod samples;

use std::{process::ExitCode, time::Duration};

use clap::Parser as _;

/// How long the process waits for a disk that hangs, after everything else has ended.
const BLOCKED_DEADLINE: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let args = args::Args::parse();
    runtime::telemetry::init_logging(args.log_format, args.log.as_deref());
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidegate-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the agent; does not wait for threads that are stuck in the system when it has ended.
fn run(args: args::Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.threads())
        .enable_all()
        .build()?;
    let ended = runtime.block_on(app::run(args));
    runtime.shutdown_timeout(BLOCKED_DEADLINE);
    ended
}
