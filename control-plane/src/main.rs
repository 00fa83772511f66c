//! The control plane's process: settings in, parts built and run in `app`.

#![warn(missing_docs)]

mod api;
mod app;
mod apply;
mod args;
mod audit;
#[cfg(test)]
mod builders;
mod change;
mod compile;
mod described;
mod document;
mod edit;
mod engine;
mod events;
mod evidence;
mod feed;
mod follow;
mod health;
mod history;
mod identity;
mod inspect;
mod members;
mod metrics;
mod plan_wire;
mod publish;
mod recent;
mod record;
mod references;
mod register;
mod salt;
mod schedule;
mod scheduler;
mod segments;
mod services;
mod state;
mod store;
mod stuck;
mod surroundings;
mod sweep;
mod sync;
#[cfg(test)]
mod trial;
mod truth;
mod web;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    match app::run(args::Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidegate-control-plane: {error:#}");
            ExitCode::FAILURE
        }
    }
}
