//! Delivery: from an operator's write to an agent's answer, over connections that break.
//!
//! What was sent is counted, not only what arrived: a returning agent must not cost a snapshot, and one that does not
//! read must cost nobody anything.

use bytes::Bytes;
use integration_tests::{
    evaluator::Answer,
    flags, ops,
    stream::{self, RawSync},
    system::{PRODUCTION, System},
    wait,
};
use proto::v1::{self, sync_request::Message};

const SNAPSHOTS: &str = r#"tidegate_transfers_sent_total{form="snapshot"}"#;
const DELTAS: &str = r#"tidegate_transfers_sent_total{form="delta"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_durable_then_acknowledged_by_every_agent_then_evaluated() {
    let system = System::start().await;
    let agents = [system.agent("agent-1").await, system.agent("agent-2").await];
    let stored = system.operator.create(flags::boolean("checkout")).await;
    system.operator.delivered(2).await;
    let fleet = system.operator.try_agents().await.unwrap();
    assert!(fleet.wanted_revision >= stored.revision, "{fleet:?}");
    for agent in &agents {
        let answer = agent.evaluator().boolean("checkout", "user-1").await.unwrap();
        assert_eq!((answer.value, answer.reason.as_str()), (Some(false), "STATIC"));
    }
    let on = v1::Flag {
        default_serve: Some(flags::variant("on")),
        ..flags::boolean("checkout")
    };
    system.operator.update(on).await;
    system.operator.delivered(2).await;
    for agent in &agents {
        assert_eq!(
            agent.evaluator().boolean("checkout", "user-1").await.unwrap().value,
            Some(true)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_growing_percentage_keeps_every_unit_that_was_in() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    let share = |buckets: u32| v1::Flag {
        default_serve: Some(flags::split(&[("on", buckets), ("off", 100_000 - buckets)])),
        ..flags::boolean("checkout")
    };
    system.operator.create(share(10_000)).await;
    let mut before: Vec<Answer<bool>> = Vec::new();
    for buckets in [10_000, 35_000, 80_000] {
        system.operator.update(share(buckets)).await;
        system.operator.delivered(1).await;
        let now = agent.evaluator().of_users("checkout", 200).await;
        let left = before
            .iter()
            .zip(&now)
            .filter(|(was, is)| was.value == Some(true) && is.value != Some(true));
        assert_eq!(left.count(), 0, "units left as the percentage grew to {buckets}");
        for (user, answer) in now.iter().enumerate() {
            let bucket = evaluation::bucket("salt-of-checkout", &format!("user-{user}"));
            assert_eq!(answer.value, Some(bucket < buckets), "user-{user} has bucket {bucket}");
        }
        before = now;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_returning_agent_gets_a_delta_or_nothing_and_never_a_second_snapshot() {
    let system = System::start().await;
    system.operator.create(flags::boolean("checkout")).await;
    let mut agent = system.agent("agent").await;
    system.operator.delivered(1).await;
    assert_eq!(system.control_plane.metric(SNAPSHOTS).await, 1.0);
    let deltas = system.control_plane.metric(DELTAS).await;

    agent.terminate().await;
    system.operator.create(flags::boolean("search")).await;
    agent.restart();
    agent.ready().await;
    system.operator.delivered(1).await;
    assert_eq!(system.control_plane.metric(DELTAS).await, deltas + 1.0);
    assert!(agent.evaluator().boolean("search", "user-1").await.is_ok());

    agent.terminate().await;
    agent.restart();
    agent.ready().await;
    system.operator.delivered(1).await;
    assert_eq!(
        system.control_plane.metric(DELTAS).await,
        deltas + 1.0,
        "nothing had changed"
    );
    assert_eq!(system.control_plane.metric(SNAPSHOTS).await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_connection_is_cut_comes_back_and_catches_up() {
    let system = System::start().await;
    let proxy = system.proxy().await;
    let agent = system.agent_behind(&proxy, "agent").await;
    system.operator.create(flags::boolean("flag-0")).await;
    system.operator.delivered(1).await;
    for round in 1..=3 {
        proxy.cut();
        system.operator.create(flags::boolean(&format!("flag-{round}"))).await;
        system.operator.delivered(1).await;
        assert!(
            agent
                .evaluator()
                .boolean(&format!("flag-{round}"), "user-1")
                .await
                .is_ok()
        );
    }
    assert_eq!(
        system.control_plane.metric(SNAPSHOTS).await,
        1.0,
        "a cut costs a delta, not a snapshot"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_never_reads_delays_nobody() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    // Never read: what is sent to it fills its window and then waits.
    let hello = Message::Hello(stream::hello("stuck", PRODUCTION));
    let stuck = RawSync::open(system.control_plane.operator(PRODUCTION).channel(), hello)
        .await
        .unwrap();
    system.operator.delivered_to("agent").await;
    let large = "x".repeat(60_000);
    for write in 0..20 {
        let flag = v1::Flag {
            variants: [("large".to_owned(), text_value(format!("{large}{write}")))].into(),
            off_variant: String::new(),
            default_serve: Some(flags::variant("large")),
            ..flags::text("banner", &["large"])
        };
        if write == 0 {
            system.operator.create(flag).await
        } else {
            system.operator.update(flag).await
        };
        system.operator.delivered_to("agent").await;
        let answer = agent.evaluator().text("banner", "user-1", &[]).await.unwrap();
        assert!(answer.value.is_some_and(|value| value.ends_with(&write.to_string())));
    }
    let fleet = system.operator.try_agents().await.unwrap();
    let stuck_agent = fleet.agents.iter().find(|agent| agent.id == "stuck").unwrap();
    assert_eq!(stuck_agent.applied_revision, 0, "{stuck_agent:?}");
    drop(stuck);
}

fn text_value(text: String) -> v1::Value {
    v1::Value {
        kind: Some(v1::value::Kind::Text(text)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_agent_stops_counting_as_live_and_catches_up_when_it_thaws() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.delivered(1).await;
    agent.freeze().await;
    wait::until("the frozen agent to be seen as not live", async || {
        let fleet = system
            .operator
            .try_agents()
            .await
            .map_err(|status| status.to_string())?;
        wait::so(fleet.agents.iter().all(|agent| !agent.live), fleet)
    })
    .await;
    system.operator.create(flags::boolean("checkout")).await;
    agent.thaw().await;
    system.operator.delivered(1).await;
    assert!(agent.evaluator().boolean("checkout", "user-1").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_of_an_unknown_environment_says_so_and_keeps_trying() {
    let system = System::start().await;
    let agent =
        integration_tests::agent::Agent::start("lost", "nowhere", system.control_plane.address, system.folder());
    wait::until("the agent to be refused twice", async || {
        let refused = "tidegate_agent_sync_ends_total{reason=\"not_found\"}";
        let refusals = ops::metric(agent.ops, refused).await?;
        wait::so(refusals >= 2.0, refusals)
    })
    .await;
    // Said once, not at each attempt.
    let log = agent.log();
    assert_eq!(log.matches("environment nowhere does not exist").count(), 1, "{log}");
    let (code, why) = ops::get(agent.ops, "/readyz").await.unwrap();
    assert_eq!(code, 503);
    assert!(why.contains("snapshot"), "{why}");
    let fleet = system.operator.try_agents().await.unwrap();
    assert!(fleet.agents.is_empty(), "{fleet:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_is_not_the_snapshots_own_ends_the_stream() {
    let system = System::start().await;
    system.operator.create(flags::boolean("checkout")).await;
    let hello = Message::Hello(stream::hello("liar", PRODUCTION));
    let mut raw = RawSync::open(system.operator.channel(), hello).await.unwrap();
    let to = raw.revision_sent().await;
    let ack = v1::Ack {
        revision: Some(to),
        digest: Bytes::from_static(&[7; 16]),
        level: v1::AckLevel::Applied.into(),
        held_back: Vec::new(),
    };
    assert!(raw.send(Message::Ack(ack)).await);
    let status = raw.refusal().await;
    assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status}");
    let fleet = system.operator.try_agents().await.unwrap();
    assert!(
        fleet.agents.iter().all(|agent| agent.applied_revision == 0),
        "{fleet:?}"
    );
}
