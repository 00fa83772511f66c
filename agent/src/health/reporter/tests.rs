#![allow(clippy::unwrap_used)]

use evaluation::{Arm, Buckets, Measurement};
use proto::status::{invalid, violation};
use tonic::Status;

use super::*;
use crate::{
    disk::Scope,
    health::{
        fake_control_plane::{Conversation, FakeControlPlane, PATIENCE, outcomes},
        report::Outcome,
        spool::{self, Dropped, Head, Spool, keeper::Keeper, left::Left},
    },
    samples::{Contents, ROLLOUT, exposure, measurement, report},
    serve::{DoorOpen, doors},
};

struct Agent {
    counters: Arc<Counters>,
    clock: ServerClock,
    conversations: mpsc::Receiver<Conversation>,
    /// Through which a service may still report.
    door: Option<DoorOpen>,
    shutdown: Shutdown,
}

impl Agent {
    fn start(holder: Holder) -> Self {
        Self::start_with(holder, Spool::none(), true)
    }

    /// The same with a spool; `heard`: the control plane's clock is known.
    fn start_with(holder: Holder, spool: Spool, heard: bool) -> Self {
        let FakeControlPlane {
            endpoint,
            conversations,
            serving,
        } = FakeControlPlane::start();
        let (shutdown, counters, clock) = (Shutdown::new(), Arc::new(Counters::default()), ServerClock::new());
        if heard {
            clock.adjust(0);
        }
        let (door, closed) = doors();
        let scope = Scope {
            environment: "production".into(),
            flag_set: String::new(),
        };
        let reporter = Reporter {
            endpoint,
            identity: Identity {
                agent: "agent-1".parse().unwrap(),
                scope,
                epoch: 9,
            },
            holder,
            counters: Arc::clone(&counters),
            clock: clock.clone(),
            outboxes: Outboxes::new("production", spool),
            carried: Carried::default(),
            doors: closed,
            checkpoint: Instant::now(),
        };
        let running = shutdown.clone();
        shutdown.spawn("reporter", async move {
            reporter.run(running).await;
            serving.abort();
        });
        Self {
            counters,
            clock,
            conversations,
            door: Some(door),
            shutdown,
        }
    }

    fn observe(&self, count: u32) {
        for position in 0..count {
            let unit = exposure(Arm::Control, position);
            report(&self.counters, &measurement(), unit, Outcome::Error, self.clock.tick());
        }
    }

    async fn conversation(&mut self) -> Conversation {
        tokio::time::timeout(PATIENCE, self.conversations.recv())
            .await
            .unwrap()
            .unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.shutdown.drain();
    }
}

fn measured() -> Holder {
    Contents::production().rollout(Buckets::ALL).held(1)
}

#[tokio::test]
async fn what_was_counted_arrives_in_frames_without_a_gap() {
    let mut agent = Agent::start(measured());
    agent.observe(10);
    let mut control_plane = agent.conversation().await;
    let mut frames = control_plane.outcomes(10).await;
    control_plane.ack(frames.last().unwrap().sequence).await;
    agent.observe(5);
    frames.extend(control_plane.outcomes(5).await);
    for (index, frame) in frames.iter().enumerate() {
        assert_eq!((frame.rollout, frame.sequence), (ROLLOUT, index as u64 + 1));
        assert_eq!((frame.horizon, frame.environment.as_str()), (1, "production"));
    }
    assert_eq!(outcomes(&frames), 15);
}

#[tokio::test]
async fn frames_that_were_not_acknowledged_come_again_unchanged() {
    let mut agent = Agent::start(measured());
    agent.observe(3);
    let mut control_plane = agent.conversation().await;
    let first = control_plane.outcomes(3).await;
    drop(control_plane);
    let mut control_plane = agent.conversation().await;
    let again = control_plane.outcomes(3).await;
    assert_eq!(again[..first.len()], first[..]);
}

#[tokio::test]
async fn a_draining_agent_sends_what_it_has_counted_and_waits_for_the_ack() {
    let mut agent = Agent::start(measured());
    let mut control_plane = agent.conversation().await;
    agent.observe(2);
    agent.shutdown.drain();
    // Until the doors have closed, services report on.
    agent.observe(2);
    agent.door.take();
    let frames = control_plane.outcomes(4).await;
    control_plane.ack(frames.last().unwrap().sequence).await;
    assert!(agent.shutdown.finished(PATIENCE).await);
}

#[tokio::test]
async fn frames_that_are_called_malformed_do_not_block_what_follows() {
    let mut agent = Agent::start(measured());
    agent.observe(2);
    let mut control_plane = agent.conversation().await;
    let refused = control_plane.outcomes(2).await;
    control_plane
        .outbound
        .send(Err(Status::invalid_argument("frames[0].horizon: has not begun")))
        .await
        .unwrap();
    let mut control_plane = agent.conversation().await;
    agent.observe(1);
    let frames = control_plane.outcomes(1).await;
    assert!(
        frames
            .iter()
            .all(|frame| frame.sequence > refused.last().unwrap().sequence)
    );
    assert_eq!(outcomes(&frames), 1);
}

#[tokio::test]
async fn an_agent_with_nothing_to_report_calls_nobody_until_a_rollout_is_measured() {
    let holder = Contents::production().held(1);
    let mut agent = Agent::start(holder.clone());
    tokio::task::yield_now().await;
    assert!(agent.conversations.try_recv().is_err());
    Contents::production().rollout(Buckets::ALL).install(&holder, 2);
    agent.conversation().await;
}

#[tokio::test]
async fn a_call_that_does_not_end_costs_no_frames() {
    let mut agent = Agent::start(measured());
    let mut control_plane = agent.conversation().await;
    agent.observe(4);
    agent.shutdown.drain();
    let frames = control_plane.outcomes(4).await;
    control_plane.ack(frames.last().unwrap().sequence).await;
    assert!(agent.shutdown.finished(PATIENCE).await);
    assert!(agent.door.is_some());
}

#[tokio::test]
async fn malformed_frames_of_one_rollout_do_not_cost_another_its_own() {
    let other = Measurement {
        rollout: ROLLOUT + 1,
        id: 78,
        ..measurement()
    };
    let contents = Contents::production().rollout(Buckets::ALL).measured(&other);
    let mut agent = Agent::start(contents.held(1));
    agent.observe(2);
    let mut control_plane = agent.conversation().await;
    let kept = control_plane.outcomes(2).await;
    // The rollouts are in ascending order, so the other's frame is at the second place of each message.
    let refusal = invalid(&[violation("frames[1].horizon", "has not begun")]);
    control_plane.outbound.send(Err(refusal)).await.unwrap();
    let mut control_plane = agent.conversation().await;
    let again = control_plane.outcomes(2).await;
    let of = |frames: &[v1::Frame], rollout| -> Vec<v1::Frame> {
        frames
            .iter()
            .filter(|frame| frame.rollout == rollout)
            .cloned()
            .collect()
    };
    let (kept_own, again_own) = (of(&kept, ROLLOUT), of(&again, ROLLOUT));
    assert_eq!(again_own[..kept_own.len()], kept_own[..]);
    let first_again = of(&again, other.rollout).first().map(|frame| frame.sequence);
    assert!(first_again.is_none_or(|sequence| sequence > 1), "{first_again:?}");
}

#[tokio::test]
async fn an_index_that_means_another_rollout_begins_anew() {
    let holder = measured();
    let mut agent = Agent::start(holder.clone());
    agent.observe(3);
    let mut control_plane = agent.conversation().await;
    control_plane.outcomes(3).await;
    let other = Measurement {
        id: 78,
        ..measurement()
    };
    Contents::production()
        .rollout(Buckets::ALL)
        .measured(&other)
        .install(&holder, 2);
    let mut control_plane = agent.conversation().await;
    let (unit, tick) = (exposure(Arm::Control, 1), agent.clock.tick());
    report(&agent.counters, &other, unit, Outcome::Ok, tick);
    let frames = control_plane.outcomes(1).await;
    assert_eq!((frames[0].sequence, outcomes(&frames)), (1, 1));
}

#[test]
fn frames_are_cut_shortly_after_each_tick_however_often_it_is_asked() {
    let begins_us = tick::begins_us(1_000);
    for (after_us, wait_us) in [
        (0, 10_000),
        (9_999, 1),
        (10_000, 1_000_000),
        (500_000, 510_000),
        (999_999, 10_001),
    ] {
        assert_eq!(
            until_cut(begins_us + after_us),
            Duration::from_micros(wait_us),
            "{after_us}"
        );
    }
}

/// What a process with this spool would leave if it ended now.
fn left_in(folder: &std::path::Path) -> Vec<v1::Frame> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "frames"));
    let left = files.map(|path| Left::read(&std::fs::read(path).unwrap_or_default()));
    let to_send = left.flat_map(|left| left.to_send(proto::tick::at(runtime::clock::now_us())));
    to_send.flat_map(|to_send| to_send.frames).collect()
}

fn spool_in(folder: &std::path::Path) -> (Spool, Keeper) {
    let head = Head {
        agent: "agent-1".to_owned(),
        epoch: 9,
        environment: "production".to_owned(),
    };
    let dropped = Dropped::new(measured(), Arc::default());
    spool::open(folder, 1 << 20)
        .unwrap()
        .begin(head, ServerClock::new(), dropped)
}

async fn until(mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}

#[tokio::test]
async fn frames_are_on_disk_until_they_are_durable() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, keeper) = spool_in(folder.path());
    let mut agent = Agent::start_with(measured(), spool, true);
    agent.shutdown.spawn("spool", keeper.run());
    agent.observe(3);
    let mut control_plane = agent.conversation().await;
    let frames = control_plane.outcomes(3).await;
    until(|| outcomes(&left_in(folder.path())) == 3).await;
    assert_eq!(left_in(folder.path())[..frames.len()], frames[..]);
    control_plane.ack(frames.last().unwrap().sequence).await;
    until(|| outcomes(&left_in(folder.path())) == 0).await;
}

#[tokio::test]
async fn what_is_counted_before_the_control_plane_is_heard_is_on_disk_after_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, keeper) = spool_in(folder.path());
    let mut agent = Agent::start_with(measured(), spool, false);
    agent.shutdown.spawn("spool", keeper.run());
    agent.observe(4);
    // No frame is cut: nobody knows of which tick.
    until(|| outcomes(&left_in(folder.path())) == 4).await;
    agent.observe(1);
    agent.shutdown.drain();
    agent.door.take();
    assert!(agent.shutdown.finished(PATIENCE).await);
    assert_eq!(outcomes(&left_in(folder.path())), 5);
    assert!(agent.conversations.try_recv().is_err());
}
