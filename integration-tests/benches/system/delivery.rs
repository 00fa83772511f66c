//! From an operator's write to the ack of the last agent, beside one durable write of the same size.
//!
//! The one agent is the real process: its time ends when the control plane lists it at the new revision (and, in a row
//! of its own, when a flagd client beside it has the event). The hundred are streams that acknowledge at once, so that
//! the control plane is measured and not a hundred processes on two cores.

use std::{
    fs::File,
    io::Write as _,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, future::join_all};
use integration_tests::{
    evaluator::Evaluator,
    flags,
    stream::{RawSync, hello},
    system::{PRODUCTION, System},
};
use proto::{
    flagd::evaluation_v2::{EventStreamRequest, service_client::ServiceClient},
    v1::{self, fleet_client::FleetClient, sync_request::Message, sync_response},
};
use tokio::sync::watch;

use crate::{Effort, sample::Sample};

/// Writes are this far apart: closer ones are published together (paced, each 5 ms).
const APART: Duration = Duration::from_millis(10);
/// Streams that acknowledge at once.
const STREAMS: usize = 100;

/// Measures one real agent, a flagd client beside it, and a hundred streams.
pub(crate) async fn run(effort: Effort) {
    println!("\n## Write -> acked\n");
    println!("| what | median ms | p99 ms |");
    println!("|---|---|---|");
    let disk = durable_writes(effort.writes);
    println!(
        "| bare: 200 bytes appended and fdatasync | {} | {} |",
        disk.median_ms(),
        disk.p99_ms()
    );
    let (acked, event) = one_agent(effort.writes).await;
    println!(
        "| write -> acked by 1 agent (real process, applied) | {} | {} |",
        acked.median_ms(),
        acked.p99_ms()
    );
    println!(
        "| write -> event at a flagd client of that agent | {} | {} |",
        event.median_ms(),
        event.p99_ms()
    );
    let (answered, last) = many_streams(effort.writes).await;
    println!(
        "| write -> answered (durable, published), {STREAMS} streams | {} | {} |",
        answered.median_ms(),
        answered.p99_ms()
    );
    println!(
        "| write -> last of {STREAMS} streams has it and acked | {} | {} |",
        last.median_ms(),
        last.p99_ms()
    );
}

fn durable_writes(writes: usize) -> Sample {
    let folder = tempfile::tempdir().unwrap();
    let mut file = File::create(folder.path().join("log")).unwrap();
    let mut sample = Sample::default();
    for _ in 0..writes {
        let began = Instant::now();
        file.write_all(&[7; 200]).unwrap();
        file.sync_data().unwrap();
        sample.add(began.elapsed());
    }
    sample
}

/// The n-th version of the flag that is written.
fn version(number: usize) -> v1::Flag {
    v1::Flag {
        description: format!("version {number}"),
        enabled: number.is_multiple_of(2),
        ..flags::boolean("bench")
    }
}

async fn one_agent(writes: usize) -> (Sample, Sample) {
    let system = System::start().await;
    system.operator.create(flags::boolean("bench")).await;
    let agent = system.agent("bench").await;
    system.operator.delivered(1).await;
    let mut fleet = FleetClient::new(system.operator.channel());
    let client = Evaluator::new(agent.address);
    let events = ServiceClient::new(client.channel())
        .event_stream(EventStreamRequest {})
        .await
        .unwrap();
    let mut events = events.into_inner();
    assert_eq!(events.message().await.unwrap().unwrap().r#type, "provider_ready");
    // A new stream begins with the flags that there are.
    assert_eq!(events.message().await.unwrap().unwrap().r#type, "configuration_change");
    let (mut acked, mut event) = (Sample::default(), Sample::default());
    for number in 1..=writes {
        let began = Instant::now();
        let written = system.operator.update(version(number)).await.revision;
        let heard = events.message().await.unwrap().unwrap();
        assert_eq!(heard.r#type, "configuration_change");
        event.add(began.elapsed());
        // The ack travels while the client hears of it; asked until it is there.
        loop {
            let request = v1::ListAgentsRequest {
                environment: PRODUCTION.to_owned(),
            };
            let agents = fleet.list_agents(request).await.unwrap().into_inner().agents;
            if agents.iter().all(|agent| agent.applied_revision >= written) {
                break;
            }
        }
        acked.add(began.elapsed());
        tokio::time::sleep(APART).await;
    }
    (acked, event)
}

async fn many_streams(writes: usize) -> (Sample, Sample) {
    let system = System::start().await;
    system.operator.create(flags::boolean("bench")).await;
    let streams = (0..STREAMS).map(|number| {
        let operator = system.control_plane.operator(PRODUCTION);
        async move {
            let first = Message::Hello(hello(&format!("stream-{number}"), PRODUCTION));
            let stream = RawSync::open(operator.channel(), first).await.unwrap();
            let (progress, seen) = watch::channel(0);
            tokio::spawn(acknowledge(stream, progress));
            seen
        }
    });
    let mut streams = join_all(streams).await;
    let mut wait_for = async |revision: u64| {
        let waits = streams
            .iter_mut()
            .map(|seen| seen.wait_for(move |held| *held >= revision));
        for held in futures::stream::iter(waits)
            .buffer_unordered(STREAMS)
            .collect::<Vec<_>>()
            .await
        {
            held.unwrap();
        }
    };
    wait_for(1).await;
    let (mut answered, mut last) = (Sample::default(), Sample::default());
    for number in 1..=writes {
        let began = Instant::now();
        let written = system.operator.update(version(number)).await.revision;
        answered.add(began.elapsed());
        wait_for(written).await;
        last.add(began.elapsed());
        tokio::time::sleep(APART).await;
    }
    (answered, last)
}

/// Acknowledges everything, and says how far it is.
async fn acknowledge(mut stream: RawSync, progress: watch::Sender<u64>) {
    let mut coming: Option<v1::Begin> = None;
    while let Ok(Some(response)) = stream.responses.message().await {
        match response.message {
            Some(sync_response::Message::Begin(begin)) => coming = Some(begin),
            Some(sync_response::Message::End(_)) => {
                let Some(begin) = coming.take() else { return };
                let number = begin.to.as_ref().map_or(0, |to| to.number);
                let ack = v1::Ack {
                    revision: begin.to,
                    digest: begin.digest,
                    level: v1::AckLevel::Persisted.into(),
                    held_back: Vec::new(),
                };
                if !stream.send(Message::Ack(ack)).await {
                    return;
                }
                progress.send_replace(number);
            }
            Some(sync_response::Message::Heartbeat(_)) => {
                let beat = v1::AgentHeartbeat { agent_time_us: 1 };
                if !stream.send(Message::Heartbeat(beat)).await {
                    return;
                }
            }
            Some(_) | None => {}
        }
    }
}
