//! Merge (guard.md 2): the same frames in any order, any number of times, with restarts of agents, which send what is not
//! acknowledged again under its old epoch, and failovers of the control plane at any point, leave the same in the store.
//!
//! Real ledgers over a real store on disk. Which arm a unit counts for is a fact of the unit, as in a fleet; then nothing
//! depends on what came first.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use bytes::Bytes;
use evaluation::Arm;
use proptest::{prelude::*, sample::Index};
use rollout::Unit;
use tempfile::TempDir;

use crate::{
    evidence::{ArmCounts, Counts},
    health::{
        builders::*,
        frames::{Cell, Frame, Reporter},
        ledger::{Accepted, Ledger},
        load::load,
        marks::Mark,
    },
    record::RolloutRecord,
    store::{Order, Outcome, Store, Txn, keys, redb::Redb},
};

/// An agent: what each of its processes counted, in their order, and how much of it is acknowledged.
#[derive(Debug, Clone)]
struct Agent {
    processes: Vec<Process>,
    /// Which of them runs; those after it have not been yet.
    running: usize,
}

#[derive(Debug, Clone)]
struct Process {
    reporter: Reporter,
    frames: Vec<Frame>,
    acked: u64,
}

/// Something that happens.
#[derive(Debug, Clone)]
enum Step {
    /// A frame of an agent arrives, for the first time or not, by itself or through a relay.
    Arrives(Index, Index),
    /// An agent is killed and starts again: it sends what its former processes saw no ack of.
    Restarts(Index),
    /// The control plane seals all that it has, and its acks arrive.
    Seals,
    /// It is replaced by another, with what it had in memory.
    FailsOpen,
    /// The same, between a seal and its commit.
    FailsSealed,
    /// The same, between a commit and its acks.
    FailsCommitted,
}

/// The control plane of the moment.
struct Control {
    rollout: RolloutRecord,
    /// None: between two processes.
    store: Option<Arc<dyn Store>>,
    file: PathBuf,
    ledger: Ledger,
    _folder: TempDir,
}

/// What is in the store in the end, but for what tells of batches.
#[derive(Debug, PartialEq)]
struct Merged {
    /// Sums and samples, as they are stored.
    bytes: BTreeMap<Bytes, Bytes>,
    visits: BTreeMap<(u8, u32), (ArmCounts, ArmCounts)>,
    newly_bad: BTreeMap<(u32, u16, u8), (u64, u64)>,
    sampled: BTreeMap<((u8, u32), u8), (u64, u64)>,
    marks: BTreeMap<Reporter, u64>,
    dropped: u64,
    last_treatment_exposure_us: i64,
}

impl Control {
    fn new(rollout: &RolloutRecord) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("store.redb");
        Self {
            rollout: rollout.clone(),
            store: Some(Arc::new(Redb::open(&file, 1).unwrap())),
            file,
            ledger: ledger(rollout),
            _folder: folder,
        }
    }

    fn store(&self) -> &Arc<dyn Store> {
        self.store.as_ref().expect("a process runs")
    }

    /// What another process would find.
    async fn found(&self) -> Ledger {
        let (environment, id, index) = (production(), self.rollout.id, self.rollout.index);
        load(self.store(), &environment, id, index).await.unwrap()
    }

    fn accept(&mut self, reporter: &Reporter, frame: &Frame) -> Accepted {
        self.ledger.accept(reporter, frame, START_US)
    }

    async fn commit(&mut self, txn: Txn) -> Vec<(Reporter, u64)> {
        match self.store().txn(txn).await.unwrap() {
            Outcome::Committed(revision) => self.ledger.committed(revision),
            refused @ Outcome::Refused { .. } => panic!("nobody else writes: {refused:?}"),
        }
    }

    async fn seal_all(&mut self) -> Vec<(Reporter, u64)> {
        let mut acks = Vec::new();
        while let Some(txn) = self.ledger.seal(&self.rollout, START_US) {
            acks.extend(self.commit(txn).await);
        }
        acks
    }

    /// Another process with the same store.
    async fn fail_over(&mut self) {
        // It is closed with its last handle.
        self.store = None;
        self.store = Some(Arc::new(Redb::open(&self.file, 1).unwrap()));
        self.ledger = self.found().await;
    }

    /// What is in the store, and the ledger of who reads it.
    async fn merged(&mut self) -> (Merged, Ledger) {
        self.fail_over().await;
        let (environment, id) = (production(), self.rollout.id);
        let mut bytes = BTreeMap::new();
        for prefix in [keys::sums(&environment, id), keys::samples(&environment, id)] {
            let page = self.store().range(&prefix, None, 256, Order::Ascending).await.unwrap();
            assert!(!page.more);
            bytes.extend(page.items.into_iter().map(|item| (item.key, item.value)));
        }
        let found = self.found().await;
        let record = found.record();
        let visits = record.visits.iter().map(|visit| {
            // A unit that failed in two visits counts in the one that was heard of first.
            let units = |arm: ArmCounts| ArmCounts { bad_units: 0, ..arm };
            let Counts { treatment, control } = visit.counts;
            ((visit.stage, visit.visit), (units(treatment), units(control)))
        });
        let newly_bad = record.horizons.iter().flat_map(|(horizon, counts)| {
            let strata = counts.strata.iter();
            strata.map(|((metric, stratum), units)| ((*horizon, *metric, *stratum), *units))
        });
        let sampled = record.sampled.iter();
        let merged = Merged {
            bytes,
            visits: visits.collect(),
            newly_bad: newly_bad.filter(|(_, units)| *units != (0, 0)).collect(),
            sampled: sampled
                .map(|(key, counts)| (*key, (counts.treatment, counts.control)))
                .collect(),
            marks: found
                .durable
                .iter()
                .map(|(reporter, mark)| (reporter.clone(), Mark::contiguous(mark)))
                .collect(),
            dropped: record.dropped,
            last_treatment_exposure_us: record.last_treatment_exposure_us,
        };
        (merged, found)
    }
}

impl Agent {
    /// The processes that have been.
    fn been(&mut self) -> &mut [Process] {
        let running = self.running.min(self.processes.len() - 1);
        &mut self.processes[..=running]
    }

    fn restart(&mut self) {
        self.running = (self.running + 1).min(self.processes.len() - 1);
    }
}

impl Process {
    fn unacked(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(|frame| frame.sequence > self.acked)
    }
}

fn take_acks(agents: &mut [Agent], acks: Vec<(Reporter, u64)>) {
    for (reporter, sequence) in acks {
        let processes = agents.iter_mut().flat_map(|agent| &mut agent.processes);
        for process in processes.filter(|process| process.reporter == reporter) {
            process.acked = process.acked.max(sequence);
        }
    }
}

fn resend(control: &mut Control, processes: &mut [Process]) {
    for process in processes {
        let mut acked = process.acked;
        for frame in process.unacked() {
            if let Accepted::Known { durable } = control.accept(&process.reporter, frame) {
                acked = acked.max(durable);
            }
        }
        process.acked = acked;
    }
}

async fn happen(step: &Step, agents: &mut [Agent], control: &mut Control) {
    match step {
        Step::Arrives(agent, pick) => {
            let been = agent.get_mut(agents).been();
            let sent: Vec<_> = been
                .iter()
                .flat_map(|process| process.frames.iter().map(|frame| (&process.reporter, frame)))
                .collect();
            if !sent.is_empty() {
                let (reporter, frame) = pick.get(&sent);
                control.accept(reporter, frame);
            }
        }
        Step::Restarts(agent) => {
            let agent = agent.get_mut(agents);
            agent.restart();
            resend(control, agent.been());
        }
        Step::Seals => {
            let acks = control.seal_all().await;
            take_acks(agents, acks);
        }
        Step::FailsOpen => control.fail_over().await,
        Step::FailsSealed => {
            _ = control.ledger.seal(&control.rollout, START_US);
            control.fail_over().await;
        }
        Step::FailsCommitted => {
            if let Some(txn) = control.ledger.seal(&control.rollout, START_US) {
                _ = control.commit(txn).await;
            }
            control.fail_over().await;
        }
    }
}

/// Goes on as a fleet does, until every frame is acknowledged.
async fn come_to_rest(agents: &mut [Agent], control: &mut Control) {
    for agent in agents.iter_mut() {
        agent.running = agent.processes.len() - 1;
    }
    // A frame is taken with the first of these and acknowledged with it, or it never is.
    for _ in 0..2 {
        for agent in agents.iter_mut() {
            resend(control, agent.been());
        }
        let acks = control.seal_all().await;
        take_acks(agents, acks);
    }
    for process in agents.iter().flat_map(|agent| &agent.processes) {
        assert_eq!(process.acked, process.frames.len() as u64, "{:?}", process.reporter);
    }
}

async fn in_one_pass(rollout: &RolloutRecord, agents: &[Agent]) -> (Merged, Ledger) {
    let mut control = Control::new(rollout);
    for process in agents.iter().flat_map(|agent| &agent.processes) {
        for frame in &process.frames {
            assert_eq!(control.accept(&process.reporter, frame), Accepted::New);
        }
    }
    _ = control.seal_all().await;
    control.merged().await
}

async fn on_a_journey(rollout: &RolloutRecord, mut agents: Vec<Agent>, steps: &[Step]) -> (Merged, Ledger) {
    let mut control = Control::new(rollout);
    for step in steps {
        happen(step, &mut agents, &mut control).await;
    }
    come_to_rest(&mut agents, &mut control).await;
    control.merged().await
}

/// The counts of an arm, in units that are of this arm.
fn cells() -> impl Strategy<Value = Cell> {
    let counts = (0..50_u64, 0..4_u64, 0..3_u64, 0..5_i64);
    let units = (
        prop::collection::btree_set(0..40_u32, 0..6),
        prop::collection::btree_set(0..6_u32, 0..3),
    );
    (0..2_u8, 0..2_u8, any::<bool>(), counts, units).prop_map(
        |(stage, stratum, is_treated, (outcomes, lost, failures, last), (failed, sampled))| {
            let arm = if is_treated { Arm::Treatment } else { Arm::Control };
            let of_arm = u32::from(is_treated);
            let positions: Vec<u32> = failed.iter().map(|unit| unit << 12 | unit << 1 | of_arm).collect();
            // Whatever is lost is bad, too.
            let bad = positions.len() as u64;
            let all = (outcomes + bad + lost, bad + lost);
            let counted = cell(place(stage, stratum.min(stage), arm), all.0, all.1, &positions);
            Cell {
                outcomes: outcomes + bad,
                lost,
                last_exposure_us: START_US + last,
                sampled: sampled.iter().map(|unit| (unit << 1 | of_arm) << 6).collect(),
                durations: vec![(u16::try_from(last).unwrap_or(0), outcomes + 1)],
                classes: vec![(["card", "db"][usize::from(stage)].to_owned(), failures)],
                sampled_outcomes: lost,
                ..counted
            }
        },
    )
}

fn agents(rollout: &RolloutRecord) -> impl Strategy<Value = Vec<Agent>> + use<> {
    let counted = (1..3_u32, 0..3_u64, prop::collection::vec(cells(), 0..4));
    let processes = prop::collection::vec(prop::collection::vec(counted, 0..8), 1..4);
    let rollout = rollout.clone();
    prop::collection::vec(processes, 1..4).prop_map(move |agents| {
        let process = |agent: usize, epoch: u64, counted: Vec<(u32, u64, Vec<Cell>)>| Process {
            reporter: Reporter {
                agent: ["a", "b", "c"][agent].into(),
                epoch,
            },
            frames: (1..)
                .zip(counted)
                .map(|(sequence, (horizon, dropped, cells))| Frame {
                    horizon,
                    dropped,
                    cells,
                    ..frame(&rollout, sequence)
                })
                .collect(),
            acked: 0,
        };
        let agent = |(number, counted): (usize, Vec<Vec<_>>)| Agent {
            processes: (1..)
                .zip(counted)
                .map(|(epoch, counted)| process(number, epoch, counted))
                .collect(),
            running: 0,
        };
        agents.into_iter().enumerate().map(agent).collect()
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (any::<Index>(), any::<Index>()).prop_map(|(agent, frame)| Step::Arrives(agent, frame)),
        2 => any::<Index>().prop_map(Step::Restarts),
        3 => Just(Step::Seals),
        1 => Just(Step::FailsOpen),
        1 => Just(Step::FailsSealed),
        1 => Just(Step::FailsCommitted),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_way_frames_took_the_store_holds_what_one_pass_leaves(
        (rollout, agents, steps) in {
            let rollout = rollout_of(Unit::Unit, &[5, 50], 600 * SECOND_US);
            let agents = agents(&rollout);
            (Just(rollout), agents, steps())
        },
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (expected, once) = runtime.block_on(in_one_pass(&rollout, &agents));
        let (merged, found) = runtime.block_on(on_a_journey(&rollout, agents, &steps));
        prop_assert_eq!(merged, expected);
        prop_assert!(found.failed == once.failed, "positions differ");
        prop_assert!(found.samples == once.samples, "samples differ");
    }
}
