//! The control plane's process: settings in, parts built and run in `app`.

#![warn(missing_docs)]

mod api;
mod app;
mod apply;
mod args;
mod audit;
mod baseline;
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
mod gauges;
mod health;
mod history;
mod identity;
mod inspect;
mod levels;
mod members;
mod metrics;
mod outward;
mod plan_wire;
mod prometheus;
mod publish;
mod push;
mod recent;
mod record;
mod references;
mod register;
mod replay;
mod salt;
mod schedule;
mod scheduler;
mod segments;
mod series;
mod services;
mod standing;
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
mod webhooks;

use std::process::ExitCode;

use clap::Parser as _;

/// What one thread decodes another lets go of, which costs this allocator half as much (ADR 30).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
