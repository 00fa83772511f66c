//! The demonstration of Tidegate on real processes, run by `make run`.
//!
//! Without a sub-command it tells the story (`demo`); the sub-commands are the processes that only the demo has: the
//! service, the load, and the switch of the injected fault. Settings in, one of them run, an exit code out.

#![warn(missing_docs)]

mod args;
mod children;
mod demo;
mod ending;
mod fault;
mod faults;
mod figures;
mod folder;
mod http;
mod load;
mod operator;
mod outage;
mod parts;
mod plans;
mod population;
mod ports;
mod screen;
mod service;
mod signals;
mod standing;
mod story;
mod table;
mod tries;
mod watch;

use std::process::ExitCode;

use args::{Arguments, Part};
use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match arguments.part {
        None => Box::pin(demo::run(arguments.demo)).await,
        Some(Part::Service(args)) => service::run(args).await.map(|()| ExitCode::SUCCESS),
        Some(Part::Load(args)) => load::run(args).await.map(|()| ExitCode::SUCCESS),
        Some(Part::Fault(args)) => fault::run(args).await.map(|()| ExitCode::SUCCESS),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("tidegate-demo: {error:#}");
        ExitCode::FAILURE
    })
}
