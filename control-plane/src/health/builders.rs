//! Frames with good defaults for the tests of this room, beside the records of the whole crate; and a shelf that seals
//! into itself.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use evaluation::Arm;
use proto::{tick, v1};
use uuid::Uuid;

use super::{
    coverage::Coverage,
    frames::{Cell, Frame, MetricCell, Place, Reporter},
    ledger::Ledger,
    load::Stored,
};
pub(crate) use crate::builders::{
    INDEX, SECOND_US, START_TICK, START_US, Shelf, production, rollout, rollout_of, state,
};
use crate::{record::RolloutRecord, store::keys};

/// One agent, which has reported up to a tick, and the state shows it.
pub(crate) fn covered(rollout: Uuid, last_tick: u32) -> Coverage {
    let (coverage, agent) = (Coverage::default(), Arc::<str>::from("a"));
    coverage.expect(rollout, [agent.clone()].into(), SECOND_US, tick::begins_us(last_tick));
    coverage.report(rollout, &agent, last_tick);
    coverage.settle(rollout);
    coverage
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
        is_urgent: false,
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
    let mut buckets = BTreeMap::from([(0, (0, 0))]);
    let (mut bad_left, mut left) = (bad, outcomes);
    for bucket in positions
        .iter()
        .map(|position| (position >> 12) as u8)
        .filter(|bucket| *bucket != 0)
    {
        let (num, den) = (bad_left.min(1), left.min(1));
        let sums = buckets.entry(bucket).or_insert((0, 0));
        *sums = (sums.0 + num, sums.1 + den);
        (bad_left, left) = (bad_left - num, left - den);
    }
    buckets.insert(0, (bad_left, left));
    let buckets = buckets.into_iter().filter(|(_, (num, den))| *num > 0 || *den > 0);
    let buckets = buckets.map(|(bucket, (num, den))| (bucket, num as i64, den)).collect();
    Cell {
        place,
        exposures: outcomes,
        outcomes,
        lost: 0,
        last_exposure_us: 0,
        metrics: vec![MetricCell {
            metric: 0,
            buckets,
            bad: positions.to_vec(),
        }],
        sampled: Vec::new(),
        durations: Vec::new(),
        classes: Vec::new(),
        sampled_outcomes: 0,
    }
}

/// A well-formed frame on the wire, with everything in it.
pub(crate) fn wire_frame(sequence: u64) -> v1::Frame {
    let tick = START_TICK + u32::try_from(sequence).unwrap();
    let metric = v1::MetricCell {
        metric: 0,
        buckets: vec![0, 63],
        num: vec![2, 0],
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
        ..v1::Cell::default()
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
        urgent: false,
    }
}

impl Shelf {
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
            sums: under(keys::sums(&environment, id)),
            hours: under(keys::hours(&environment, id)),
            positions: under(keys::positions(&environment, id)),
            samples: under(keys::samples(&environment, id)),
            marks: under(keys::marks(&environment, id)),
        };
        Ledger::read(environment, id, rollout.index, &stored).unwrap()
    }
}
