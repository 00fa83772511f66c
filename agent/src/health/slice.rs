//! Counts of one rollout over some ticks of one horizon: integers that add, sets that unite.
//!
//! A slice has no name yet and may grow; once it is cut into a frame it never changes again.

use std::collections::{BTreeMap, BTreeSet};

use evaluation::{Arm, Position};
use proto::{tick, v1};

/// Names a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CellKey {
    /// 0 to 15.
    pub(crate) stage: u8,
    /// 0 to 15.
    pub(crate) stratum: u8,
    /// The arm.
    pub(crate) arm: Arm,
}

/// What is counted in a cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Evaluations that gave this arm.
    pub(crate) exposures: u64,
    /// Outcomes OK, ERROR and TIMEOUT.
    pub(crate) outcomes: u64,
    /// The last exposure by the server's clock, in microseconds since 1970; 0: none.
    pub(crate) last_exposure_us: i64,
    /// Sampled positions exposed for the first time.
    pub(crate) exposed: BTreeSet<Position>,
    /// By metric number.
    pub(crate) metrics: BTreeMap<u16, MetricCounts>,
}

/// What is counted of one metric in a cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MetricCounts {
    /// Numerator and denominator, by unit bucket.
    pub(crate) buckets: BTreeMap<u8, (i64, u64)>,
    /// Positions that failed for the first time.
    pub(crate) bad: BTreeSet<Position>,
}

/// Counts over some ticks of one horizon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    /// From 1.
    pub(crate) horizon: u32,
    /// The first tick with a count.
    pub(crate) first_tick: u32,
    /// The last tick with a count.
    pub(crate) last_tick: u32,
    /// The counts.
    pub(crate) cells: BTreeMap<CellKey, Counts>,
}

impl Slice {
    /// Of one tick, without counts.
    pub(crate) fn new(horizon: u32, tick: u32) -> Self {
        Self {
            horizon,
            first_tick: tick,
            last_tick: tick,
            cells: BTreeMap::new(),
        }
    }

    /// Adds another slice of the same horizon.
    pub(crate) fn add(&mut self, other: Self) {
        self.first_tick = self.first_tick.min(other.first_tick);
        self.last_tick = self.last_tick.max(other.last_tick);
        for (key, counts) in other.cells {
            self.cells.entry(key).or_default().add(counts);
        }
    }

    /// Moves it to a tick that it was counted ahead of.
    pub(crate) fn rewind(&mut self, tick: u32) {
        self.first_tick = self.first_tick.min(tick);
        self.last_tick = self.last_tick.min(tick);
        for counts in self.cells.values_mut() {
            counts.last_exposure_us = counts.last_exposure_us.min(tick::begins_us(tick));
        }
    }

    /// All outcomes in it.
    pub(crate) fn outcomes(&self) -> u64 {
        self.cells.values().map(|counts| counts.outcomes).sum()
    }
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.exposures += other.exposures;
        self.outcomes += other.outcomes;
        self.last_exposure_us = self.last_exposure_us.max(other.last_exposure_us);
        self.exposed.extend(other.exposed);
        for (metric, counts) in other.metrics {
            self.metrics.entry(metric).or_default().add(counts);
        }
    }
}

impl MetricCounts {
    fn add(&mut self, other: Self) {
        for (bucket, (num, den)) in other.buckets {
            let sums = self.buckets.entry(bucket).or_default();
            // One count an outcome: 2^63 of them are not reached.
            sums.0 += num;
            sums.1 += den;
        }
        self.bad.extend(other.bad);
    }
}

/// A cell on the wire.
pub(crate) fn cell(key: CellKey, counts: &Counts) -> v1::Cell {
    v1::Cell {
        stage: u32::from(key.stage),
        stratum: u32::from(key.stratum),
        arm: u32::from(u8::from(key.arm)),
        exposures: counts.exposures,
        outcomes: counts.outcomes,
        lost: 0,
        metrics: counts
            .metrics
            .iter()
            .map(|(number, counts)| metric_cell(*number, counts))
            .collect(),
        exposed_positions: counts.exposed.iter().map(|position| position.get()).collect(),
        last_exposure_us: counts.last_exposure_us,
    }
}

fn metric_cell(number: u16, counts: &MetricCounts) -> v1::MetricCell {
    v1::MetricCell {
        metric: u32::from(number),
        buckets: counts.buckets.keys().map(|bucket| u32::from(*bucket)).collect(),
        num: counts.buckets.values().map(|(num, _)| *num).collect(),
        den: counts.buckets.values().map(|(_, den)| *den).collect(),
        bad_positions: counts.bad.iter().map(|position| position.get()).collect(),
    }
}
