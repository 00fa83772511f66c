#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use proto::v1;
use rollout::evidence::unit::POSITIONS;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;
use crate::{
    evidence::EvidenceRecord,
    health::{builders::*, check::check, sessions::Reply},
    record::RolloutRecord,
    store::{keys, model, redb::Redb},
};

/// Only a broken test waits so long.
const FAR: Duration = Duration::from_secs(60);

/// A collector over a store on disk, for one rollout that began just now.
struct Running {
    store: Arc<dyn Store>,
    intake: Intake,
    coverage: Coverage,
    rollout: RolloutRecord,
    shutdown: Shutdown,
    _states: watch::Sender<Arc<State>>,
}

fn store(folder: &Path) -> Arc<dyn Store> {
    Arc::new(Redb::open(&folder.join("store.redb"), 1).unwrap())
}

fn run(store: Arc<dyn Store>) -> Running {
    let mut rollout = rollout();
    // Hot, so that no test waits for long.
    rollout.state.entered_at_us = runtime::clock::now_us();
    let (sender, states) = watch::channel(Arc::new(state([rollout.clone()])));
    let (collector, intake, coverage) = Collector::new(store.clone(), states, Arc::new(Fleet::new()));
    let shutdown = Shutdown::new();
    shutdown.spawn("collector", collector.run(shutdown.clone()));
    Running {
        store,
        intake,
        coverage,
        rollout,
        shutdown,
        _states: sender,
    }
}

impl Running {
    /// Sends frames as an agent would.
    async fn send(&self, frames: Vec<v1::Frame>, reply: &mpsc::Sender<Reply>) {
        let checked = check(
            &state([self.rollout.clone()]),
            &production(),
            frames,
            START_US + 10 * SECOND_US,
        )
        .unwrap();
        self.intake
            .submit(reporter("a"), checked, Some(reply.clone()))
            .await
            .unwrap();
    }

    async fn evidence(&self) -> EvidenceRecord {
        let item = self
            .store
            .get(&keys::evidence(&production(), self.rollout.id))
            .await
            .unwrap()
            .unwrap();
        model::read_evidence(&item.value, item.modified).unwrap()
    }

    async fn stop(self) {
        self.shutdown.drain();
        assert!(self.shutdown.finished(FAR).await);
    }
}

async fn answer(answers: &mut mpsc::Receiver<Reply>) -> Reply {
    tokio::time::timeout(FAR, answers.recv())
        .await
        .expect("an answer")
        .expect("an open stream")
}

/// Waits until all frames up to a sequence are acknowledged.
async fn acked(answers: &mut mpsc::Receiver<Reply>, sequence: u64) {
    loop {
        let acks = answer(answers).await.unwrap().acks;
        if acks
            .iter()
            .any(|ack| ack.rollout == INDEX && ack.sequence >= sequence && ack.refused.is_empty())
        {
            return;
        }
    }
}

#[tokio::test]
async fn an_ack_means_that_the_evidence_is_durable_and_a_repeat_after_a_restart_is_recognised() {
    let folder = TempDir::new().unwrap();
    let running = run(store(folder.path()));
    let (reply, mut answers) = mpsc::channel(16);
    running.send(vec![wire_frame(1), wire_frame(2)], &reply).await;
    acked(&mut answers, 2).await;
    let before = running.evidence().await;
    assert_eq!(before.visit(0, 1).treatment.outcomes, 10);
    running.stop().await;

    let running = run(store(folder.path()));
    let (reply, mut answers) = mpsc::channel(16);
    running.send(vec![wire_frame(1), wire_frame(2)], &reply).await;
    acked(&mut answers, 2).await;
    assert_eq!(running.evidence().await, before);
    running.send(vec![wire_frame(3)], &reply).await;
    acked(&mut answers, 3).await;
    let after = running.evidence().await;
    assert_eq!(after.visit(0, 1).treatment.outcomes, 15);
    // The same two units failed again.
    assert_eq!(after.visit(0, 1).treatment.bad_units, 2);
    running.stop().await;
}

#[tokio::test]
async fn a_conflict_loads_the_evidence_anew_and_asks_for_the_frames_again() {
    let folder = TempDir::new().unwrap();
    let running = run(store(folder.path()));
    let (reply, mut answers) = mpsc::channel(16);
    running.send(vec![wire_frame(1)], &reply).await;
    acked(&mut answers, 1).await;
    let foreign = EvidenceRecord {
        batches: 9,
        ..running.evidence().await
    };
    let key = keys::evidence(&production(), running.rollout.id);
    running
        .store
        .txn(Txn::default().put(key, model::write_evidence(&foreign)))
        .await
        .unwrap();

    running.send(vec![wire_frame(2)], &reply).await;
    let status = loop {
        if let Err(status) = answer(&mut answers).await {
            break status;
        }
    };
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.get_details_retry_info().is_some());

    let (reply, mut answers) = mpsc::channel(16);
    running.send(vec![wire_frame(2)], &reply).await;
    acked(&mut answers, 2).await;
    let evidence = running.evidence().await;
    assert_eq!((evidence.batches, evidence.visit(0, 1).treatment.outcomes), (10, 10));
    running.stop().await;
}

#[tokio::test]
async fn what_will_never_be_counted_is_refused_for_good_and_leaves_no_gap() {
    let folder = TempDir::new().unwrap();
    let running = run(store(folder.path()));
    let (reply, mut answers) = mpsc::channel(16);
    let unknown = v1::Frame {
        rollout: INDEX + 1,
        ..wire_frame(4)
    };
    let old = v1::Frame {
        first_tick: 0,
        last_tick: 0,
        ..wire_frame(1)
    };
    running.send(vec![unknown, old, wire_frame(2)], &reply).await;
    let mut refused = HashMap::new();
    let mut durable = 0;
    while refused.len() < 2 || durable < 2 {
        for ack in answer(&mut answers).await.unwrap().acks {
            if ack.refused.is_empty() {
                durable = ack.sequence;
            } else {
                refused.insert(ack.rollout, (ack.sequence, ack.refused));
            }
        }
    }
    assert_eq!(refused[&INDEX], (1, TOO_OLD.to_owned()));
    assert_eq!(refused[&(INDEX + 1)], (4, UNKNOWN.to_owned()));
    assert_eq!(running.evidence().await.visit(0, 1).treatment.outcomes, 5);
    running.stop().await;
}

#[tokio::test]
async fn agents_are_told_how_often_frames_are_due() {
    let folder = TempDir::new().unwrap();
    let running = run(store(folder.path()));
    let (reply, mut answers) = mpsc::channel(16);
    running.send(vec![wire_frame(1)], &reply).await;
    let told = loop {
        let response = answer(&mut answers).await.unwrap();
        if let [told] = response.intervals[..] {
            break told;
        }
    };
    assert_eq!(told.rollout, INDEX);
    assert_eq!(told.interval_us, pace::HOT_US);
    running.stop().await;
}

#[tokio::test]
async fn silence_is_never_fresh() {
    let folder = TempDir::new().unwrap();
    let running = run(store(folder.path()));
    let (reply, mut answers) = mpsc::channel(16);
    running.send(vec![wire_frame(1)], &reply).await;
    acked(&mut answers, 1).await;
    // Frames came, but no live agent is known: nobody's silence could be told.
    assert!(!running.coverage.fresh(running.rollout.id, START_US + SECOND_US));
    assert_eq!(running.coverage.covered_until_us(running.rollout.id), None);
    running.stop().await;
}

#[tokio::test]
async fn an_agent_that_has_sent_all_gets_its_last_ack_and_then_the_end() {
    let folder = TempDir::new().unwrap();
    let running = run(store(folder.path()));
    let (reply, mut answers) = mpsc::channel(16);
    running.send(vec![wire_frame(1)], &reply).await;
    running.intake.leave(reporter("a"), reply).await.unwrap();
    acked(&mut answers, 1).await;
    while let Some(answer) = tokio::time::timeout(FAR, answers.recv()).await.expect("the end") {
        answer.unwrap();
    }
    running.stop().await;
}

/// A page has its full size from its first bit on.
#[test]
fn the_largest_batch_fits_into_a_transaction() {
    let rollout = rollout_of(rollout::Unit::Unit, &[5; 16], SECOND_US);
    let mut ledger = ledger(&rollout);
    let positions = (0..POSITIONS).step_by(POSITIONS as usize / 32).collect::<Vec<_>>();
    let cells = (0..16).map(|stage| {
        let cell = cell(place(stage, stage, evaluation::Arm::Control), 32, 32, &positions);
        crate::health::frames::Cell {
            sampled: (0..4_096).map(|sample| sample * 64).collect(),
            ..cell
        }
    });
    let frame = Frame {
        cells: cells.collect(),
        ..frame(&rollout, 1)
    };
    ledger.accept(&reporter("a"), &frame, START_US);
    let txn = ledger.seal(&rollout, START_US).unwrap();
    txn.check().unwrap();
    assert_eq!(txn.ops.len(), 2 + 32 + 16 + 16 + 1);
}
