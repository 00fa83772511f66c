//! An evaluation through the agent over TCP and over its Unix socket, beside a bare tonic echo of the same answer, with
//! the same client.

use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _};
use integration_tests::{evaluator::Evaluator, flags, system::System, wait};

use crate::{
    Effort,
    echo::EchoProcess,
    sample::{Sample, median, ms},
};

/// One side of the comparison.
struct Side {
    client: Evaluator,
    throughput: Vec<f64>,
    latency: Sample,
}

/// Measures 1, 16 and 64 calls in flight, the two sides in turn.
pub(crate) async fn run(effort: Effort) {
    let system = System::start().await;
    system.operator.create(flags::boolean("bench")).await;
    let agent = system.agent("bench").await;
    system.operator.delivered(1).await;
    let echo = EchoProcess::start(system.folder());
    let reference = Evaluator::new(echo.address);
    wait::until("the echo to answer", async || {
        reference
            .boolean("bench", "user-1")
            .await
            .map(|_| ())
            .map_err(|status| status.to_string())
    })
    .await;
    let pairs = [
        ("TCP", agent.evaluator(), reference),
        (
            "Unix socket",
            Evaluator::unix(&agent.socket()),
            Evaluator::unix(&echo.socket),
        ),
    ];
    for (over, ours, bare) in pairs {
        compare(over, &ours, &bare, effort).await;
    }
}

async fn compare(over: &str, ours: &Evaluator, bare: &Evaluator, effort: Effort) {
    println!("\n## Unary evaluation over {over}, beside a bare tonic echo\n");
    println!(
        "| calls in flight | agent, requests/s | echo, requests/s | ratio | agent p50 / p99 ms | echo p50 / p99 ms |"
    );
    println!("|---|---|---|---|---|---|");
    for in_flight in [1, 16, 64] {
        let side = |client: &Evaluator| Side {
            client: client.clone(),
            throughput: Vec::new(),
            latency: Sample::default(),
        };
        let mut sides = [side(ours), side(bare)];
        for round in 0..effort.rounds {
            for turn in 0..sides.len() {
                let chosen = (round + turn) % sides.len();
                measure(&mut sides[chosen], in_flight, effort.requests).await;
            }
        }
        let [agent, echo] = sides;
        let (ours, bare) = (median(&agent.throughput), median(&echo.throughput));
        println!(
            "| {in_flight} | {ours:.0} | {bare:.0} | {:.2} | {} / {} | {} / {} |",
            ours / bare,
            ms(agent.latency.quantile(0.5)),
            ms(agent.latency.quantile(0.99)),
            ms(echo.latency.quantile(0.5)),
            ms(echo.latency.quantile(0.99)),
        );
    }
}

async fn measure(side: &mut Side, in_flight: usize, requests: usize) {
    let requests = if in_flight == 1 { requests / 4 } else { requests };
    let client = &side.client;
    let began = Instant::now();
    let latencies = stream::iter(0..requests)
        .map(|_| async move {
            let began = Instant::now();
            let answer = client.boolean("bench", "user-1").await.expect("both sides answer");
            assert_eq!(answer.value, Some(false), "answers are checked");
            began.elapsed()
        })
        .buffer_unordered(in_flight)
        .collect::<Vec<Duration>>()
        .await;
    side.throughput.push(requests as f64 / began.elapsed().as_secs_f64());
    for latency in latencies {
        side.latency.add(latency);
    }
}
