//! From an operator's write to the ack of the last agent, beside a bare hub that does as much I/O.
//!
//! The one agent is the real process: its time ends when the control plane lists it at the new revision (and, in a row
//! of its own, when a flagd client beside it has the event). The hundred and the thousand are streams that acknowledge at
//! once, each on a connection of its own, so that the control plane is measured and not a thousand processes on two cores.
//! The hub's receivers are the same; writes to both take turns.

use std::{
    fs::File,
    io::Write as _,
    time::{Duration, Instant},
};

use integration_tests::{
    evaluator::Evaluator,
    flags,
    system::{PRODUCTION, System},
};
use proto::{
    flagd::evaluation_v2::{EventStreamRequest, service_client::ServiceClient},
    v1::{self, fleet_client::FleetClient},
};

use crate::{
    Effort,
    hub::{HubProcess, Writer},
    receivers::Receivers,
    sample::{Sample, ratio},
};

/// Writes are this far apart: closer ones are published together (paced, each 5 ms).
const APART: Duration = Duration::from_millis(10);
/// Streams that acknowledge at once.
const STREAMS: [usize; 2] = [100, 1_000];

/// Measures one real agent, a flagd client beside it, and many streams.
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
    for streams in STREAMS {
        many_streams(effort.writes, streams).await;
    }
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

async fn many_streams(writes: usize, count: usize) {
    let system = System::start().await;
    system.operator.create(flags::boolean("bench")).await;
    let hub = HubProcess::start(system.folder()).await;
    let mut ours = Receivers::connect(system.control_plane.address, count).await;
    let mut bare = Receivers::connect(hub.address, count).await;
    let mut writer = Writer::connect(&hub).await;
    ours.all_at(1).await;
    let (mut answered, mut last, mut hub_last) = (Sample::default(), Sample::default(), Sample::default());
    for number in 1..=writes {
        let began = Instant::now();
        let written = system.operator.update(version(number)).await.revision;
        answered.add(began.elapsed());
        ours.all_at(written).await;
        last.add(began.elapsed());
        tokio::time::sleep(APART).await;
        let began = Instant::now();
        writer.write().await;
        bare.all_at(number as u64).await;
        hub_last.add(began.elapsed());
        tokio::time::sleep(APART).await;
    }
    row(
        &format!("write -> answered (durable, published), {count} streams"),
        &answered,
    );
    row(&format!("write -> last of {count} streams has it and acked"), &last);
    row(&format!("the same with a bare hub, {count} streams"), &hub_last);
    println!(
        "| ratio to the hub, {count} streams | {:.2} | {:.2} |",
        ratio(&last, &hub_last, 0.5),
        ratio(&last, &hub_last, 0.99)
    );
}

fn row(what: &str, sample: &Sample) {
    println!("| {what} | {} | {} |", sample.median_ms(), sample.p99_ms());
}
