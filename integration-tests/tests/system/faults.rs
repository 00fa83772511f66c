//! `kill -9` at fifty points of the control plane while everybody writes, and at fifty points of an agent while deltas
//! flow: what was acknowledged is there, and nobody ever sees half a write or an older one again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use integration_tests::{agent::Agent, answers, draws::Draws, operator::Operator, records, system::System, wait};
use proto::v1::{self, ScheduleState, value::Kind};
use serde_json::json;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tonic::{Status, transport::Channel};

use crate::writing::{self, Acked, PAIR, SEGMENT, TIMED};

/// How often something is killed.
const KILLS: u32 = 50;
/// Writers of flags; two share a flag.
const FLAG_WRITERS: u32 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_crashes_of_the_control_plane_lose_nothing_acknowledged_and_tear_nothing() {
    let mut system = System::start().await;
    writing::prepare(&system.operator, FLAG_WRITERS / 2).await;
    let mut agent = system.agent("agent").await;
    let follower = Follower::of(&agent);
    let (mut draws, mut acked, mut newest) = (Draws::new(1), Vec::new(), 0);
    for round in 0..KILLS {
        let made = write_until_a_crash(&mut system, round, &acked, &mut draws).await;
        let revisions = made.iter().map(Acked::revision);
        newest = revisions.max().unwrap_or(0).max(newest);
        acked.extend(made);
        let (_, revision) = system.operator.list().await;
        assert!(
            revision >= newest,
            "revision {newest} was acknowledged, and {revision} is the newest"
        );
        if round % 10 == 9 {
            system.operator.delivered(1).await;
        }
    }
    schedules_have_ended(&system.operator).await;
    system.operator.delivered(1).await;
    let polls = follower.stop().await;
    assert!(polls > 100, "the agent was asked {polls} times only");
    assert_eq!(agent.metric("tidegate_agent_nacks_total").await, 0.0);
    is_current(&system, &mut agent).await;
    Kept::read(&system.operator).await.holds(&system.operator, &acked).await;
}

/// One round: writers write, the control plane is killed in the midst of it and started again.
async fn write_until_a_crash(system: &mut System, round: u32, acked: &[Acked], draws: &mut Draws) -> Vec<Acked> {
    let (sender, mut acks) = mpsc::channel(10_000);
    let last = acked.iter().filter_map(|acked| match acked {
        Acked::Pair { number, .. } => Some(*number),
        Acked::Flag { .. } | Acked::Member { .. } | Acked::Schedule { .. } => None,
    });
    // One that was not acknowledged may have been written.
    let from = last.max().unwrap_or(0) + 1;
    let operator = || system.operator.clone();
    let mut writers: Vec<JoinHandle<()>> = (0..FLAG_WRITERS)
        .map(|writer| tokio::spawn(writing::write_flag(operator(), writer, round, sender.clone())))
        .collect();
    writers.push(tokio::spawn(writing::write_pairs(operator(), from, sender.clone())));
    writers.push(tokio::spawn(writing::write_members(operator(), round, sender.clone())));
    writers.push(tokio::spawn(writing::write_schedules(operator(), round, sender)));
    let mut made = Vec::new();
    for _ in 0..1 + draws.below(30) {
        made.push(acks.recv().await.expect("writers write until the crash"));
    }
    draws.pass_up_to(Duration::from_millis(15)).await;
    system.control_plane.kill_9().await;
    while let Some(ack) = acks.recv().await {
        made.push(ack);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    system.control_plane.restart().await;
    made
}

/// No schedule waits any more.
async fn schedules_have_ended(operator: &Operator) {
    wait::until("all schedules to be executed", async || {
        let schedules = records::try_schedules(operator)
            .await
            .map_err(|status| status.to_string())?;
        let pending: Vec<_> = schedules
            .iter()
            .filter(|schedule| schedule.state() == ScheduleState::Pending)
            .collect();
        wait::so(pending.is_empty(), pending)
    })
    .await;
}

/// The agent holds exactly what it should: when it introduces itself again, nothing is sent to it.
async fn is_current(system: &System, agent: &mut Agent) {
    let sent = async || {
        let snapshots = r#"tidegate_transfers_sent_total{form="snapshot"}"#;
        let deltas = r#"tidegate_transfers_sent_total{form="delta"}"#;
        let (snapshots, deltas) = (
            system.control_plane.metric(snapshots),
            system.control_plane.metric(deltas),
        );
        (snapshots.await, deltas.await)
    };
    let before = sent().await;
    agent.terminate().await;
    agent.restart();
    agent.ready().await;
    system.operator.delivered(1).await;
    assert_eq!(
        sent().await,
        before,
        "the agent's digest is not that of the control plane"
    );
}

/// What the control plane has in the end.
struct Kept {
    flags: BTreeMap<String, v1::StoredFlag>,
    versions: BTreeMap<String, Vec<v1::Version>>,
    members: BTreeSet<String>,
    schedules: BTreeMap<String, v1::Schedule>,
}

impl Kept {
    async fn read(operator: &Operator) -> Self {
        let flags = operator.list().await.0.into_iter();
        let flags: BTreeMap<_, _> = flags.map(|stored| (stored.flag.clone().unwrap().key, stored)).collect();
        let mut versions = BTreeMap::new();
        for key in flags.keys() {
            versions.insert(key.clone(), records::versions(operator, "flag", key).await);
        }
        versions.insert(
            SEGMENT.to_owned(),
            records::versions(operator, "segment", SEGMENT).await,
        );
        let schedules = records::try_schedules(operator).await.unwrap().into_iter();
        Self {
            flags,
            versions,
            members: records::members(operator, SEGMENT).await,
            schedules: schedules.map(|schedule| (schedule.id.clone(), schedule)).collect(),
        }
    }

    /// Every acknowledged write is there, and the history has no gap.
    async fn holds(&self, operator: &Operator, acked: &[Acked]) {
        for (key, versions) in &self.versions {
            let numbers: Vec<u32> = versions.iter().map(|version| version.version).collect();
            let dense: Vec<u32> = (1..=u32::try_from(versions.len()).unwrap()).rev().collect();
            assert_eq!(numbers, dense, "versions of {key}");
            let falling = versions.windows(2).all(|two| two[0].revision > two[1].revision);
            assert!(falling, "revisions of {key}: {versions:?}");
        }
        for ack in acked {
            self.holds_one(operator, ack).await;
        }
        // Each schedule, also one whose creation was not acknowledged, made one version, and nothing else did.
        assert_eq!(self.versions[TIMED].len(), 1 + self.schedules.len());
    }

    /// The write is in the history once, as it was acknowledged, and in what there is now unless something newer is.
    async fn holds_one(&self, operator: &Operator, ack: &Acked) {
        match ack {
            Acked::Flag {
                key,
                version,
                revision,
                description,
            } => {
                self.is_in_history(key, Some(*version), *revision);
                self.is_described(operator, key, *version, description).await;
                let now = &self.flags[key];
                assert!(
                    (now.version, now.revision) >= (*version, *revision),
                    "{ack:?} is lost: {now:?}"
                );
            }
            Acked::Pair { number, revision } => {
                for key in PAIR {
                    self.is_in_history(key, None, *revision);
                    let now = &self.flags[key];
                    assert!(number_of(now) >= *number, "{ack:?} is lost: {now:?}");
                }
            }
            Acked::Member {
                unit,
                version,
                revision,
            } => {
                self.is_in_history(SEGMENT, Some(*version), *revision);
                assert!(self.members.contains(unit), "{ack:?} is lost");
            }
            Acked::Schedule { id, description } => {
                let schedule = self.schedules.get(id).unwrap_or_else(|| panic!("{ack:?} is lost"));
                assert_eq!(schedule.state(), ScheduleState::Done, "{schedule:?}");
                let version = self.is_in_history(TIMED, None, schedule.done_revision);
                self.is_described(operator, TIMED, version, description).await;
            }
        }
    }

    /// That a version of a flag has a description.
    async fn is_described(&self, operator: &Operator, key: &str, version: u32, description: &str) {
        let stored = records::flag_version(operator, key, version).await;
        assert_eq!(
            stored.flag.unwrap().description,
            description,
            "version {version} of {key}"
        );
    }

    /// That a write is there once; its version.
    fn is_in_history(&self, key: &str, version: Option<u32>, revision: u64) -> u32 {
        let mut found = self.versions[key].iter().filter(|kept| kept.revision == revision);
        let (first, second) = (found.next(), found.next());
        let first = first.unwrap_or_else(|| panic!("revision {revision} of {key} is not in its history"));
        assert!(second.is_none(), "revision {revision} of {key} is in its history twice");
        assert_eq!(
            version.unwrap_or(first.version),
            first.version,
            "revision {revision} of {key}"
        );
        first.version
    }
}

fn number_of(stored: &v1::StoredFlag) -> i64 {
    match stored.flag.as_ref().unwrap().variants["value"].kind {
        Some(Kind::Integer(number)) => number,
        ref other => panic!("{other:?}"),
    }
}

/// What an agent serves at one moment: the pair's number, and the revision. Panics if it is torn.
async fn pair_served(channel: &Channel) -> Result<(i64, u64), Status> {
    let (results, revision) = answers::all_native(channel, &json!({"targetingKey": "user-1"})).await?;
    let numbers: BTreeSet<i64> = results
        .iter()
        .filter(|result| PAIR.contains(&result.flag_key.as_str()))
        .map(
            |result| match result.value.as_ref().and_then(|value| value.kind.as_ref()) {
                Some(Kind::Integer(number)) => *number,
                other => panic!("{other:?}"),
            },
        )
        .collect();
    assert_eq!(
        numbers.len(),
        1,
        "half a write is served at revision {revision}: {numbers:?}"
    );
    Ok((*numbers.first().unwrap(), revision))
}

/// Somebody who asks an agent all the time.
struct Follower {
    stop: watch::Sender<bool>,
    asking: JoinHandle<u64>,
}

impl Follower {
    /// Of an agent that never dies: it always answers, and never with anything older than before.
    fn of(agent: &Agent) -> Self {
        let (stop, stopped) = watch::channel(false);
        let channel = agent.evaluator().channel();
        let asking = tokio::spawn(async move {
            let (mut polls, mut last) = (0, (0, 0));
            while !*stopped.borrow() {
                let now = pair_served(&channel).await.expect("the agent serves all the time");
                assert!(now.0 >= last.0 && now.1 >= last.1, "{now:?} is served after {last:?}");
                (polls, last) = (polls + 1, now);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            polls
        });
        Self { stop, asking }
    }

    /// How often it asked.
    async fn stop(self) -> u64 {
        self.stop.send_replace(true);
        self.asking.await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_crashes_of_an_agent_leave_a_whole_snapshot_on_disk_each_time() {
    let system = System::start().await;
    writing::prepare(&system.operator, 0).await;
    let many = (0..20_000).map(|number| format!("member-{number}")).collect();
    let large = v1::Segment {
        key: "large".to_owned(),
        included: many,
        ..v1::Segment::default()
    };
    records::create_segment(&system.operator, large).await;
    let mut agent = system.agent("agent").await;
    system.operator.delivered(1).await;
    let channel = agent.evaluator().channel();
    let stop = watch::channel(false).0;
    let (writes, mut written) = watch::channel(0);
    let writer = tokio::spawn(write_pairs_until(system.operator.clone(), stop.subscribe(), writes));
    let mut draws = Draws::new(2);
    for round in 0..KILLS {
        let some_more = *written.borrow() + 1 + i64::try_from(draws.below(8)).unwrap();
        written.wait_for(|written| *written >= some_more).await.unwrap();
        draws.pass_up_to(Duration::from_millis(40)).await;
        let persisted = persisted_revision(&system.operator).await;
        agent.kill_9().await;
        if round % 5 == 4 {
            // Once more, while it starts.
            agent.restart();
            draws.pass_up_to(Duration::from_millis(120)).await;
            agent.kill_9().await;
        }
        // Nothing comes from the control plane now: what is served is what the disk has.
        system.control_plane.freeze().await;
        agent.restart();
        agent.ready().await;
        let (number, revision) = pair_served(&channel).await.unwrap();
        assert!(
            revision >= persisted,
            "revision {persisted} was said to be on disk, and {revision} is served"
        );
        // The one after the last that was acknowledged may have been written.
        assert!(number <= *written.borrow() + 1, "{number} was never written");
        system.control_plane.thaw().await;
    }
    stop.send_replace(true);
    writer.await.unwrap();
    system.operator.delivered(1).await;
    assert_eq!(pair_served(&channel).await.unwrap().0, *written.borrow());
    is_current(&system, &mut agent).await;
}

/// The newest revision that the agent has said to be on its disk.
async fn persisted_revision(operator: &Operator) -> u64 {
    let fleet = operator.try_agents().await.unwrap();
    fleet.agents[0].persisted_revision
}

/// Gives the pair one number after the other, none of which may be refused.
async fn write_pairs_until(operator: Operator, stopped: watch::Receiver<bool>, written: watch::Sender<i64>) {
    for number in 1.. {
        records::try_apply(&operator, writing::pair(number)).await.unwrap();
        written.send_replace(number);
        if *stopped.borrow() {
            return;
        }
    }
}
