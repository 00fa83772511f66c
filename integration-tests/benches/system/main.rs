//! Benches across processes: the real binaries, over real sockets, each beside something bare in the same run.
//!
//! ```sh
//! make bench            # or: cargo build --release --bins && cargo bench -p integration-tests --bench system
//! ```
//!
//! Prints markdown tables with medians and 99th percentiles. `--quick` makes fewer rounds; a name (`unary`, `delivery`,
//! `abort`, `trip`, `crowd`, `outcomes`, `ingest`, `people`) runs only that one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod abort;
mod crowd;
mod delivery;
mod echo;
mod hub;
mod ingest;
mod outcomes;
mod people;
mod receivers;
mod reporters;
mod sample;
mod sink;
mod trip;
mod unary;

use std::{env, path::Path, time::Duration};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// Rounds of an interleaved comparison.
    rounds: usize,
    /// Requests of one measurement.
    requests: usize,
    /// Writes whose delivery is timed.
    writes: usize,
    /// Rollouts that are aborted.
    aborts: usize,
    /// How many rollouts there are at once.
    crowds: &'static [usize],
    /// How many rollouts have guards and outcomes at once.
    guarded: usize,
    /// Streams of frames.
    connections: usize,
    /// Rollouts that harm nobody, for how long they are watched.
    harmless: usize,
    watched: Duration,
}

/// What there is to run, in this order.
const BENCHES: [&str; 8] = [
    "unary", "delivery", "abort", "trip", "outcomes", "ingest", "crowd", "people",
];

fn main() {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    if let Some(position) = arguments.iter().position(|argument| argument == "--echo") {
        let address = arguments[position + 1].parse().expect("an address to listen on");
        return echo::run(address, Path::new(&arguments[position + 2]));
    }
    if let Some(position) = arguments.iter().position(|argument| argument == "--hub") {
        let address = arguments[position + 1].parse().expect("an address to listen on");
        return hub::run(address, Path::new(&arguments[position + 2]));
    }
    if let Some(position) = arguments.iter().position(|argument| argument == "--sink") {
        let address = arguments[position + 1].parse().expect("an address to listen on");
        return sink::run(address);
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let wanted = |name: &str| {
        !BENCHES.iter().any(|other| arguments.iter().any(|a| a == other))
            || arguments.iter().any(|argument| argument == name)
    };
    let effort = if quick {
        Effort {
            rounds: 3,
            requests: 2_000,
            writes: 30,
            aborts: 1,
            crowds: &[100],
            guarded: 100,
            connections: 100,
            harmless: 4,
            watched: Duration::from_secs(10),
        }
    } else {
        Effort {
            rounds: 15,
            requests: 20_000,
            writes: 200,
            aborts: 9,
            crowds: &[100, 1_000, 10_000],
            guarded: 1_000,
            connections: 2_000,
            harmless: 60,
            watched: Duration::from_secs(90),
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        if wanted("unary") {
            unary::run(effort).await;
        }
        if wanted("delivery") {
            delivery::run(effort).await;
        }
        if wanted("abort") {
            Box::pin(abort::run(effort)).await;
        }
        if wanted("trip") {
            Box::pin(trip::run(effort)).await;
        }
        if wanted("outcomes") {
            outcomes::run(effort).await;
        }
        if wanted("ingest") {
            ingest::run(effort).await;
        }
        if wanted("crowd") {
            crowd::run(effort).await;
        }
        if wanted("people") {
            people::run(effort).await;
        }
    });
}
