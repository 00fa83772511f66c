//! Rollouts and frames with good defaults for the tests of this room, so that a test shows only what differs; and a
//! shelf that keeps what transactions write, as a store would.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use evaluation::{Arm, Environment, EnvironmentKind, Key};
use proto::{tick, v1};
use rollout::{Guard, Horizon, Level, Metric, Plan, Share, Stage, Unit, Visit};
use uuid::Uuid;

use super::{
    frames::{Cell, Frame, MetricCell, Place, Reporter},
    ledger::Ledger,
    load::Stored,
};
use crate::{
    record::RolloutRecord,
    state::State,
    store::{self, Item, Op, Txn, keys},
};

pub(crate) const SECOND_US: i64 = 1_000_000;
/// The tick in which every rollout here starts.
pub(crate) const START_TICK: u32 = 200_000_000;
/// When every rollout here starts.
pub(crate) const START_US: i64 = tick::EPOCH_US + START_TICK as i64 * SECOND_US;
/// The index of every rollout here.
pub(crate) const INDEX: u32 = 7;

pub(crate) fn production() -> Key {
    Key::parse("production").unwrap()
}

/// Stages of these shares (in percent), all of which the rollout has reached, a horizon for each.
pub(crate) fn rollout_of(unit: Unit, percents: &[u32], dwell_us: i64) -> RolloutRecord {
    let stage = |percent: &u32| Stage {
        name: format!("at-{percent}"),
        share: Share::new(percent * 1_000).unwrap(),
        dwell_us,
        minimum_outcomes: 100,
        minimum_units: 3,
    };
    let plan = Plan {
        key: "new-checkout".to_owned(),
        flag: "checkout".to_owned(),
        description: String::new(),
        treatment: "new".to_owned(),
        control: "old".to_owned(),
        unit,
        stages: percents.iter().map(stage).collect(),
        guards: vec![Guard {
            metric: Metric::ErrorRate,
            limit: 1.0,
            level: Level::Abort,
        }],
        alpha: Plan::DEFAULT_ALPHA,
        max_control_rate: Plan::DEFAULT_MAX_CONTROL_RATE,
        lost_after_us: Plan::DEFAULT_LOST_AFTER_US,
    };
    let mut state = rollout::start(&plan, START_US);
    for stage in 1..percents.len() {
        state.stage = stage;
        state.visits.push(Visit {
            stage,
            visit: 1,
            entered_at_us: START_US,
        });
        state.horizons.push(Horizon {
            stage,
            started_at_us: START_US,
        });
    }
    RolloutRecord {
        id: Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0001),
        environment: production(),
        index: INDEX,
        number: 1,
        plan: Arc::new(plan),
        state,
        measuring_key: 1,
        salt: "salt".to_owned(),
        started_by: "ada".to_owned(),
        started_at_us: START_US,
        transitions: Vec::new(),
        end: None,
        revision: 1,
    }
}

/// Units, at 5 % and then 50 %.
pub(crate) fn rollout() -> RolloutRecord {
    rollout_of(Unit::Unit, &[5, 50], 60 * SECOND_US)
}

/// A state with one environment and these rollouts.
pub(crate) fn state(rollouts: impl IntoIterator<Item = RolloutRecord>) -> State {
    let kind = EnvironmentKind::Production;
    let environment = Environment {
        key: production(),
        kind,
        order: 2,
        token_key: 1,
    };
    State {
        environments: Arc::new([(production(), Arc::new(environment))].into()),
        rollouts: Arc::new(
            rollouts
                .into_iter()
                .map(|rollout| ((production(), rollout.id), Arc::new(rollout)))
                .collect(),
        ),
        ..State::default()
    }
}

pub(crate) fn ledger(rollout: &RolloutRecord) -> Ledger {
    Ledger::new(production(), rollout.id, rollout.index)
}

pub(crate) fn reporter(agent: &str) -> Reporter {
    Reporter {
        agent: agent.into(),
        epoch: 1,
    }
}

/// A frame of one second of horizon 1, without news.
pub(crate) fn frame(rollout: &RolloutRecord, sequence: u64) -> Frame {
    Frame {
        environment: production(),
        rollout: rollout.id,
        index: rollout.index,
        sequence,
        last_tick: START_TICK + u32::try_from(sequence).unwrap_or(u32::MAX - START_TICK),
        horizon: 1,
        dropped: 0,
        cells: Vec::new(),
    }
}

/// In the first visit of a stage.
pub(crate) fn place(stage: u8, stratum: u8, arm: Arm) -> Place {
    Place {
        stage,
        visit: 1,
        stratum,
        arm,
    }
}

/// Outcomes of which `bad` failed, and the positions of those that failed.
pub(crate) fn cell(place: Place, outcomes: u64, bad: u64, positions: &[u32]) -> Cell {
    let buckets = positions.iter().fold(u64::from(outcomes > 0), |buckets, position| {
        buckets | 1 << (position >> 12)
    });
    Cell {
        place,
        exposures: outcomes,
        outcomes,
        lost: 0,
        last_exposure_us: 0,
        metrics: vec![MetricCell {
            metric: 0,
            num: bad,
            den: outcomes,
            buckets,
            bad: positions.to_vec(),
        }],
        sampled: Vec::new(),
    }
}

/// A well-formed frame on the wire, with everything in it.
pub(crate) fn wire_frame(sequence: u64) -> v1::Frame {
    let tick = START_TICK + u32::try_from(sequence).unwrap();
    let metric = v1::MetricCell {
        metric: 0,
        buckets: vec![0, 63],
        num: vec![1, 0],
        den: vec![2, 3],
        bad_positions: vec![5, 9],
    };
    let cell = v1::Cell {
        stage: 0,
        stratum: 0,
        arm: 1,
        exposures: 6,
        outcomes: 5,
        lost: 0,
        metrics: vec![metric],
        exposed_positions: vec![0, 64],
        last_exposure_us: tick::begins_us(tick),
    };
    v1::Frame {
        rollout: INDEX,
        sequence,
        first_tick: tick,
        last_tick: tick,
        horizon: 1,
        cells: vec![cell],
        dropped: 0,
        environment: "production".to_owned(),
    }
}

/// What committed transactions leave behind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shelf {
    pub(crate) items: BTreeMap<Bytes, Item>,
    pub(crate) revision: u64,
}

impl Shelf {
    /// Commits if the guards hold; the revision, or none.
    pub(crate) fn commit(&mut self, txn: &Txn) -> Option<u64> {
        txn.check().unwrap();
        let modified = |key: &Bytes| self.items.get(key).map(|item| item.modified);
        let holds = |guard: &store::Guard| match guard {
            store::Guard::Absent(key) => modified(key).is_none(),
            store::Guard::Unchanged(key, revision) => modified(key) == Some(*revision),
        };
        if !txn.guards.iter().all(holds) {
            return None;
        }
        self.revision += 1;
        for op in &txn.ops {
            match op {
                Op::Put(key, value) => {
                    let item = Item {
                        key: key.clone(),
                        value: value.clone(),
                        modified: self.revision,
                    };
                    self.items.insert(key.clone(), item);
                }
                Op::Delete(key) => _ = self.items.remove(key),
            }
        }
        Some(self.revision)
    }

    /// Seals and commits everything that waits; the acks.
    pub(crate) fn seal_all(
        &mut self,
        ledger: &mut Ledger,
        rollout: &RolloutRecord,
        now_us: i64,
    ) -> Vec<(Reporter, u64)> {
        let mut acks = Vec::new();
        while let Some(txn) = ledger.seal(rollout, now_us) {
            let revision = self.commit(&txn).expect("nobody else writes");
            acks.extend(ledger.committed(revision));
        }
        acks
    }

    /// The ledger that a new process would have.
    pub(crate) fn load(&self, rollout: &RolloutRecord) -> Ledger {
        let (environment, id) = (production(), rollout.id);
        let under = |prefix: Bytes| {
            let items = self.items.values().filter(|item| item.key.starts_with(&prefix));
            items.cloned().collect::<Vec<_>>()
        };
        let stored = Stored {
            evidence: self.items.get(&keys::evidence(&environment, id)).cloned(),
            positions: under(keys::positions(&environment, id)),
            samples: under(keys::samples(&environment, id)),
            marks: under(keys::marks(&environment, id)),
        };
        Ledger::read(environment, id, rollout.index, &stored).unwrap()
    }
}
