//! What an outcome costs the agent: `Observe` messages of a thousand outcomes by token, with a duration and two values,
//! beside a bare server that decodes the same messages.
//!
//! Six metrics are measured. Processor time of the two processes is compared, in turns, so that a busy neighbour meets
//! both alike.

use std::time::Duration;

use futures::stream;
use integration_tests::{
    flags,
    plans::{self, half_for_long},
    system::System,
};
use proto::v1::{self, exposure_name::Name, outcomes_client::OutcomesClient};
use tonic::transport::{Channel, Endpoint};

use crate::{Effort, sample::median, sink::SinkProcess};

/// Outcomes of a message.
const OUTCOMES: usize = 1_000;
/// Users whose tokens are used.
const USERS: usize = 2_000;

/// Measures the agent and the sink.
pub(crate) async fn run(effort: Effort) {
    let system = System::start().await;
    let agent = system.agent("bench").await;
    system.operator.create(flags::boolean("bench")).await;
    let guard = |harm: &str| v1::Guard {
        harm: harm.to_owned(),
        ..v1::Guard::default()
    };
    let plan = v1::Plan {
        guards: [
            "error-rate > 2x control",
            "p99 > 2 s",
            "p95 > 1 s",
            "cost-per-query > $5.00",
            "revenue < 0.5x control",
            "timeout-rate > 2x control",
        ]
        .map(guard)
        .to_vec(),
        ..plans::plan("bench", &[half_for_long()])
    };
    system.operator.start(plan).await;
    system.operator.delivered(1).await;
    let door = agent.evaluator();
    let mut tokens = Vec::new();
    for user in 0..USERS {
        let answer = door.boolean("bench", &format!("user-{user}")).await.unwrap();
        tokens.extend(answer.token);
    }
    let messages = (0..8).map(|number| message(&tokens, number)).collect::<Vec<_>>();
    let sink = SinkProcess::start().await;
    let bare = Endpoint::from_shared(format!("http://{}", sink.address)).unwrap();
    let bare = bare.connect().await.unwrap();
    let per_round = (effort.requests / 20).max(100);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        let before = agent.processor_time();
        send(door.channel(), &messages, per_round).await;
        ours.push(per_outcome(agent.processor_time() - before, per_round));
        let before = sink.processor_time();
        send(bare.clone(), &messages, per_round).await;
        theirs.push(per_outcome(sink.processor_time() - before, per_round));
    }
    let (ours, theirs) = (median(&ours), median(&theirs));
    println!("\n## An outcome at the agent (by token, duration and two values, six metrics measured)\n");
    println!("| agent, ns of processor time per outcome | bare decode of the same message, ns | ratio |");
    println!("|---|---|---|");
    println!("| {ours:.0} | {theirs:.0} | {:.2} |", ours / theirs);
}

fn message(tokens: &[String], number: usize) -> v1::ObserveRequest {
    let observation = |at: usize| {
        let token = &tokens[(number * OUTCOMES + at * 7) % tokens.len()];
        let failed = at.is_multiple_of(100);
        v1::Observation {
            exposures: vec![v1::ExposureName {
                name: Some(Name::Token(token.clone())),
            }],
            outcome: if failed {
                v1::OutcomeKind::Error
            } else {
                v1::OutcomeKind::Ok
            }
            .into(),
            duration_us: Some(20_000 + at as i64),
            values: [("cost-per-query", 0.3), ("revenue", 12.5)]
                .map(|(metric, value)| v1::MetricValue {
                    metric: metric.to_owned(),
                    value,
                })
                .to_vec(),
            ..v1::Observation::default()
        }
    };
    v1::ObserveRequest {
        observations: (0..OUTCOMES).map(observation).collect(),
    }
}

async fn send(channel: Channel, messages: &[v1::ObserveRequest], count: usize) {
    let sent: Vec<_> = messages.iter().cycle().take(count).cloned().collect();
    let answer = OutcomesClient::new(channel).observe(stream::iter(sent)).await.unwrap();
    assert_eq!(answer.into_inner().counted, (count * OUTCOMES) as u64);
}

fn per_outcome(used: Duration, messages: usize) -> f64 {
    used.as_secs_f64() * 1e9 / (messages * OUTCOMES) as f64
}
