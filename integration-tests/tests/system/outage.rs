//! The control plane is away: agents keep serving the last good snapshot, also after a restart of their own.
//!
//! The faults are those of real machines: killed processes, frozen peers, torn and rotten files, a store that was lost.

use std::{fs, path::Path};

use integration_tests::{
    agent::Agent, control_plane::ControlPlane, evaluator::Answer, flags, ops, system::System, wait,
};
use proto::v1;

const USERS: u32 = 100;

/// A flag whose answers differ between users, served to `buckets` of them.
fn share(buckets: u32) -> v1::Flag {
    v1::Flag {
        default_serve: Some(flags::split(&[("on", buckets), ("off", 100_000 - buckets)])),
        ..flags::boolean("checkout")
    }
}

/// A system whose agent has two snapshots on disk: the answers of the earlier and of the later one.
async fn with_two_snapshots() -> (System, Agent, [Vec<Answer<bool>>; 2]) {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(share(20_000)).await;
    system.operator.delivered(1).await;
    let earlier = agent.evaluator().of_users("checkout", USERS).await;
    system.operator.update(share(70_000)).await;
    system.operator.delivered(1).await;
    let later = agent.evaluator().of_users("checkout", USERS).await;
    assert_ne!(earlier, later);
    (system, agent, [earlier, later])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_restarted_while_the_control_plane_is_away_answers_as_before() {
    let (mut system, mut agent, [_, later]) = with_two_snapshots().await;
    system.control_plane.kill_9().await;
    assert_eq!(agent.evaluator().of_users("checkout", USERS).await, later);
    agent.kill_9().await;
    agent.restart();
    agent.ready().await;
    assert_eq!(agent.evaluator().of_users("checkout", USERS).await, later);

    system.control_plane.restart().await;
    system.operator.update(share(0)).await;
    system.operator.delivered(1).await;
    let after = agent.evaluator().of_users("checkout", USERS).await;
    assert!(
        after.iter().all(|answer| answer.value == Some(false)),
        "writes arrive again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_freezes_is_left_and_found_again() {
    let (system, agent, [_, later]) = with_two_snapshots().await;
    system.control_plane.freeze().await;
    agent.notices_absence().await;
    assert_eq!(agent.evaluator().of_users("checkout", USERS).await, later);
    ops::ready(agent.ops).await.unwrap();
    system.control_plane.thaw().await;
    system.operator.update(share(0)).await;
    system.operator.delivered(1).await;
    let after = agent.evaluator().of_users("checkout", USERS).await;
    assert!(after.iter().all(|answer| answer.value == Some(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_snapshot_gives_way_to_the_one_before() {
    for damage in [truncate, flip] {
        let (mut system, mut agent, [earlier, later]) = with_two_snapshots().await;
        agent.terminate().await;
        system.control_plane.terminate().await;
        damage(&agent.data().join("snapshot"));
        agent.restart();
        agent.ready().await;
        assert_eq!(agent.evaluator().of_users("checkout", USERS).await, earlier);
        assert!(
            agent.data().join("snapshot.damaged").exists(),
            "the damaged file is set aside, not lost"
        );

        system.control_plane.restart().await;
        system.operator.delivered(1).await;
        assert_eq!(agent.evaluator().of_users("checkout", USERS).await, later);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_with_nothing_but_torn_snapshots_is_not_ready_until_it_has_a_new_one() {
    let (mut system, mut agent, [_, later]) = with_two_snapshots().await;
    agent.terminate().await;
    system.control_plane.terminate().await;
    truncate(&agent.data().join("snapshot"));
    flip(&agent.data().join("snapshot.previous"));
    agent.restart();
    let why = wait::until("the agent's ops port", async || {
        match ops::get(agent.ops, "/readyz").await? {
            (503, why) => Ok(why),
            (code, body) => panic!("ready with nothing to serve: {code} {body}"),
        }
    })
    .await;
    assert!(why.contains("snapshot"), "{why}");
    assert!(agent.evaluator().boolean("checkout", "user-1").await.is_err());

    system.control_plane.restart().await;
    agent.ready().await;
    system.operator.delivered(1).await;
    assert_eq!(agent.evaluator().of_users("checkout", USERS).await, later);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_lost_does_not_empty_the_agents() {
    let system = System::start().await;
    let proxy = system.proxy().await;
    let agent = system.agent_behind(&proxy, "agent").await;
    system.operator.create(share(50_000)).await;
    system.operator.delivered(1).await;
    let before = agent.evaluator().of_users("checkout", USERS).await;

    let empty = ControlPlane::start("empty", system.folder()).await;
    proxy.lead_to(empty.address);
    wait::until("the agent to refuse the empty snapshot", async || {
        let nacks = agent.metric("tidegate_agent_nacks_total").await;
        wait::so(nacks >= 1.0, nacks)
    })
    .await;
    assert_eq!(agent.evaluator().of_users("checkout", USERS).await, before);
    ops::ready(agent.ops).await.unwrap();
    let fleet = empty.operator("production").try_agents().await.unwrap();
    assert!(
        fleet.agents.iter().any(|agent| !agent.problems.is_empty()),
        "the operator sees why: {fleet:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_refused_keeps_what_it_holds() {
    let system = System::start().await;
    let proxy = system.proxy().await;
    let agent = system.agent_behind(&proxy, "agent").await;
    system.operator.create(share(50_000)).await;
    system.operator.delivered(1).await;
    let before = agent.evaluator().of_users("checkout", USERS).await;

    let refusing = integration_tests::refusing::start("environment production does not exist").await;
    proxy.lead_to(refusing.address);
    wait::until("the agent to be refused", async || {
        let log = agent.log();
        wait::so(log.contains("environment production does not exist"), log)
    })
    .await;
    assert_eq!(agent.evaluator().of_users("checkout", USERS).await, before);
    ops::ready(agent.ops).await.unwrap();

    proxy.lead_to(system.control_plane.address);
    system.operator.update(share(0)).await;
    system.operator.delivered(1).await;
}

/// As a crash while writing leaves a file on a file system that lies about flushing.
fn truncate(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

/// As a disk that rots.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(path, bytes).unwrap();
}
