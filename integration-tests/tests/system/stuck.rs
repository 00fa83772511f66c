//! Agents that do not read: one kind says nothing more after its Hello, the other is a real one that was stopped in its
//! tracks. They delay nobody, cost bounded memory, and are at the newest revision soon after they go on.

use integration_tests::{
    answers, flags,
    stream::{self, RawSync},
    system::{PRODUCTION, System},
};
use proto::v1::{self, sync_request::Message};
use serde_json::json;
use tokio::task::JoinSet;

/// How many writes there are, and by how many at once.
const WRITES: u32 = 2_000;
const WRITERS: u32 = 8;
/// The bytes that a write brings.
const BYTES: usize = 20_000;
/// Streams that nobody reads.
const MUTE: u32 = 4;
/// By how much the control plane may grow. Kept for each of the five that do not read, the writes of the second half
/// alone would be 100 MB.
const GROWTH_BYTES: u64 = 24 * 1_024 * 1_024;

#[tokio::test(flavor = "multi_thread")]
async fn agents_that_do_not_read_delay_nobody_and_cost_bounded_memory() {
    let system = System::start().await;
    for writer in 0..WRITERS {
        system.operator.create(large(writer, 0)).await;
    }
    let (reader, frozen) = (system.agent("reader").await, system.agent("frozen").await);
    system.operator.delivered(2).await;
    let mut unread = Vec::new();
    for number in 0..MUTE {
        let hello = Message::Hello(stream::hello(&format!("mute-{number}"), PRODUCTION));
        let channel = system.control_plane.operator(PRODUCTION).channel();
        unread.push(RawSync::open(channel, hello).await.unwrap());
    }
    frozen.freeze().await;

    // The first half fills what is filled once: caches, pools, the windows of the connections.
    write(&system, 0..WRITES / 2).await;
    let before = system.control_plane.resident_bytes();
    write(&system, WRITES / 2..WRITES).await;
    let grown = system.control_plane.resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_BYTES, "the control plane has grown by {grown} bytes");

    let channel = reader.evaluator().channel();
    let expected = everything(&channel).await;
    assert!(
        expected.iter().all(|result| result.variant == "large"),
        "{} flags",
        expected.len()
    );
    let fleet = system.operator.try_agents().await.unwrap();
    for agent in fleet.agents.iter().filter(|agent| agent.id.starts_with("mute")) {
        assert_eq!(agent.applied_revision, 0, "{agent:?}");
    }
    frozen.thaw().await;
    system.operator.delivered_to("frozen").await;
    assert_eq!(everything(&frozen.evaluator().channel()).await, expected);
    drop(unread);
}

/// Writes flags in turn, by several operators at once; the agent that reads has each hundred before the next begins.
async fn write(system: &System, numbers: std::ops::Range<u32>) {
    for start in numbers.clone().step_by(100) {
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let operator = system.operator.clone();
            let mine = (start..(start + 100).min(numbers.end)).filter(move |number| number % WRITERS == writer);
            writers.spawn(async move {
                for number in mine {
                    operator.update(large(writer, number + 1)).await;
                }
            });
        }
        writers.join_all().await;
        system.operator.delivered_to("reader").await;
    }
}

/// A flag whose only value is large and new.
fn large(writer: u32, number: u32) -> v1::Flag {
    let text = format!("{number:06}").repeat(BYTES / 6);
    let value = v1::value::Kind::Text(text);
    flags::flag(
        &format!("large-{writer}"),
        v1::FlagType::String,
        [("large", value)],
        "large",
    )
}

async fn everything(channel: &tonic::transport::Channel) -> Vec<v1::Result> {
    answers::all_native(channel, &json!({"targetingKey": "user-1"}))
        .await
        .unwrap()
        .0
}
