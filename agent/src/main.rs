//! The Tidegate agent: the process beside each service.
//!
//! Starts the runtime and hands over to `app`; everything that can be told to it is in `args`.

mod app;
mod args;
mod contact;
mod disk;
mod evaluate;
mod health;
mod identity;
mod metrics;
mod serve;
mod server_clock;
mod snapshot;
mod sync;
mod upstream;

#[cfg(test)]
mod samples;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let args = args::Args::parse();
    runtime::telemetry::init_logging(args.log_format, args.log.as_deref());
    let ended = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(app::run(args)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidegate-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}
