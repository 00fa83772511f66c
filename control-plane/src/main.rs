//! The control plane's process: settings in, parts built and run in `app`.

#![warn(missing_docs)]

mod api;
mod app;
mod args;
mod audit;
#[cfg(test)]
mod builders;
mod change;
mod compile;
mod engine;
mod evidence;
mod feed;
mod health;
mod identity;
mod metrics;
mod publish;
mod record;
mod state;
mod store;
mod sync;
mod truth;

use clap::Parser as _;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    app::run(args::Args::parse()).await
}
