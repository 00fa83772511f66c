#![allow(clippy::unwrap_used)]

use evaluation::{Arm, Buckets};
use proto::{tick, v1};
use tempfile::TempDir;
use tonic::Status;

use super::*;
use crate::{
    health::{
        counters::Counters,
        fake_control_plane::{Conversation, FakeControlPlane, PATIENCE, outcomes},
        report::Outcome,
        spool::{self, Dropped, Head},
    },
    samples::{Contents, ROLLOUT, exposure, measurement, report},
};

const LIMIT: u64 = 1 << 20;

struct Machine {
    folder: TempDir,
    control_plane: FakeControlPlane,
    shutdown: Shutdown,
}

impl Machine {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            control_plane: FakeControlPlane::start(),
            shutdown: Shutdown::new(),
        }
    }

    /// A process counts so many outcomes and ends before any frame of them is sent.
    async fn process(&self, epoch: u64, environment: &str, count: u32) {
        let head = Head {
            agent: "agent-1".to_owned(),
            epoch,
            environment: environment.to_owned(),
        };
        let (spool, keeper) = spool::open(self.folder.path(), LIMIT).unwrap().begin(
            head,
            ServerClock::new(),
            Dropped::new(measured(), Arc::default()),
        );
        let snapshot = Contents::production().rollout(Buckets::ALL).snapshot(1);
        let (counters, now) = (Counters::default(), tick::at(runtime::clock::now_us()));
        for position in 0..count {
            let unit = exposure(Arm::Control, position);
            report(&counters, &measurement(), unit, Outcome::Ok, now);
        }
        let mut outboxes = Outboxes::new(environment, spool);
        assert!(!outboxes.follow(&snapshot, now));
        outboxes.keep(&snapshot, &counters, now);
        drop(outboxes);
        keeper.run().await;
    }

    /// Another process begins.
    fn start(&self, holder: Holder) -> Arc<Folder> {
        let folder = spool::open(self.folder.path(), LIMIT).unwrap().folder;
        let backlog = Backlog {
            endpoint: self.control_plane.endpoint.clone(),
            environment: "production".to_owned(),
            holder,
            clock: ServerClock::new(),
            folder: Arc::clone(&folder),
        };
        backlog.clock.adjust(0);
        self.shutdown.spawn("backlog", backlog.run(self.shutdown.clone()));
        folder
    }

    async fn conversation(&mut self) -> Conversation {
        let conversation = tokio::time::timeout(PATIENCE, self.control_plane.conversations.recv());
        conversation.await.unwrap().unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.shutdown.drain();
        self.control_plane.serving.abort();
    }
}

fn measured() -> Holder {
    Contents::production().rollout(Buckets::ALL).held(1)
}

#[tokio::test]
async fn what_former_processes_counted_is_sent_under_their_names_and_then_forgotten() {
    let mut machine = Machine::new();
    machine.process(21, "production", 3).await;
    machine.process(20, "production", 4).await;
    let folder = machine.start(measured());
    for (epoch, counted) in [(21, 3), (20, 4)] {
        let mut control_plane = machine.conversation().await;
        let frames = control_plane.outcomes_of(epoch, counted).await;
        assert_eq!((frames[0].sequence, outcomes(&frames)), (1, counted));
        control_plane.ack(1).await;
    }
    assert!(machine.shutdown.finished(PATIENCE).await);
    assert_eq!(folder.to_send(), None);
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again_unchanged() {
    let mut machine = Machine::new();
    machine.process(21, "production", 3).await;
    let folder = machine.start(measured());
    let first = machine.conversation().await.outcomes_of(21, 3).await;
    let mut control_plane = machine.conversation().await;
    assert_eq!(control_plane.outcomes_of(21, 3).await, first);
    assert!(folder.to_send().is_some());
    control_plane.ack(1).await;
    assert!(machine.shutdown.finished(PATIENCE).await);
}

#[tokio::test]
async fn what_the_control_plane_calls_malformed_is_given_up() {
    let mut machine = Machine::new();
    machine.process(21, "production", 3).await;
    let folder = machine.start(measured());
    let mut control_plane = machine.conversation().await;
    control_plane.outcomes_of(21, 3).await;
    let refusal = Status::invalid_argument("frames[0].horizon: has not begun");
    control_plane.outbound.send(Err(refusal)).await.unwrap();
    assert!(machine.shutdown.finished(PATIENCE).await);
    assert_eq!(folder.to_send(), None);
}

#[tokio::test]
async fn nothing_is_sent_of_another_environment_or_of_an_index_that_means_another_rollout() {
    let (recorder, rendered) = runtime::telemetry::local_metrics();
    let _recording = ::metrics::set_default_local_recorder(&recorder);
    let mut machine = Machine::new();
    machine.process(21, "staging", 3).await;
    machine.process(22, "production", 3).await;
    let other = evaluation::Measurement {
        id: 78,
        ..measurement()
    };
    let holder = Contents::production().rollout(Buckets::ALL).measured(&other).held(1);
    machine.start(holder);
    assert!(machine.shutdown.finished(PATIENCE).await);
    assert!(machine.control_plane.conversations.try_recv().is_err());
    let text = rendered.render();
    assert!(
        text.contains("tidegate_agent_spool_total{result=\"dropped\"} 2"),
        "{text}"
    );
}

#[tokio::test]
async fn frames_of_a_rollout_that_ended_are_forgotten_when_they_are_refused_and_nobody_misses_them() {
    let (recorder, rendered) = runtime::telemetry::local_metrics();
    let _recording = ::metrics::set_default_local_recorder(&recorder);
    let mut machine = Machine::new();
    machine.process(21, "production", 3).await;
    let folder = machine.start(Contents::production().held(1));
    let mut control_plane = machine.conversation().await;
    control_plane.outcomes_of(21, 3).await;
    let refused = v1::FrameAck {
        rollout: ROLLOUT,
        sequence: 1,
        refused: "the rollout ended".to_owned(),
    };
    let response = v1::ReportResponse {
        acks: vec![refused],
        intervals: Vec::new(),
    };
    control_plane.outbound.send(Ok(response)).await.unwrap();
    assert!(machine.shutdown.finished(PATIENCE).await);
    assert_eq!(folder.to_send(), None);
    let text = rendered.render();
    assert!(!text.contains("frames_refused") && text.contains("found"), "{text}");
}
