//! `tidegate`: the operator's command line.
//!
//! Parses the arguments, runs one command against the control plane and turns its end into an exit code. The codes
//! are promised in `--help`; scripts depend on them.

mod args;
mod baseline_document;
mod brief;
mod bundle;
mod commands;
mod condition_document;
mod connect;
mod contexts;
mod document;
mod duration;
mod edit;
mod error;
mod flag_document;
mod import;
mod json;
mod measurement_lines;
mod nearest;
mod new_flag;
mod plan_document;
mod plan_file;
mod print;
mod rule;
mod segment_document;
mod settings;
mod view;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match commands::run(args::Arguments::parse()).await {
        Ok(end) => end.exit_code(),
        Err(error) => error.report(),
    }
}
