//! Counts of one rollout over some ticks of one horizon: integers that add, sets that unite.
//!
//! A slice has no name yet and may grow; once it is cut into frames (`wire`) it never changes again. What stands here
//! is bounded by the measurement and by layouts: at most 272 cells (stage, stratum reached by then, arm), in each 17
//! classes, 640 buckets of durations, 4,096 sampled positions, and for each metric 64 sums and 2^18 positions that
//! failed.

use std::collections::BTreeMap;

use evaluation::{Arm, Exposure, Position};
use proto::tick;

use super::{classes::ClassNumber, counting::Step, histogram::Histogram, report::Report, sums::Sums};

/// Names a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CellKey {
    /// 0 to 15.
    pub(crate) stage: u8,
    /// 0 to 15.
    pub(crate) stratum: u8,
    /// The arm.
    pub(crate) arm: Arm,
}

impl From<&Exposure> for CellKey {
    fn from(exposure: &Exposure) -> Self {
        Self {
            stage: exposure.stage,
            stratum: exposure.stratum,
            arm: exposure.arm,
        }
    }
}

/// What is counted in a cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Evaluations that gave this arm.
    pub(crate) exposures: u64,
    /// Outcomes OK, ERROR and TIMEOUT.
    pub(crate) outcomes: u64,
    /// Outcomes that came from a sample; contained in the outcomes.
    pub(crate) sampled_outcomes: u64,
    /// Exposures without an outcome by the deadline.
    pub(crate) lost: u64,
    /// Outcomes ERROR and TIMEOUT, and the lost: what hurries a frame.
    pub(crate) bad: u64,
    /// The last exposure by the server's clock, in microseconds since 1970; 0: none.
    pub(crate) last_exposure_us: i64,
    /// Sampled positions exposed for the first time, in the order of their exposures.
    pub(crate) exposed: Vec<Position>,
    /// How long outcomes took.
    pub(crate) durations: Histogram,
    /// Failures by class number.
    pub(crate) classes: Vec<u64>,
    /// By metric number.
    pub(crate) metrics: Vec<MetricCounts>,
}

/// What is counted of one metric in a cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MetricCounts {
    /// Numerator and denominator, by unit bucket.
    pub(crate) sums: Sums,
    /// Positions that failed for the first time, in the order in which they did.
    pub(crate) bad: Vec<Position>,
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
    /// One more outcome, with what it says beside the metrics.
    pub(crate) fn add_outcome(&mut self, report: &Report<'_>, class: Option<ClassNumber>) {
        self.outcomes += 1;
        self.bad += u64::from(report.is_bad());
        self.sampled_outcomes += u64::from(report.sampled);
        if let Some(duration_us) = report.duration_us {
            self.durations.add(duration_us);
        }
        if let Some(class) = class {
            add_at(&mut self.classes, class.index(), 1);
        }
    }

    /// Adds to a metric.
    pub(crate) fn add_step(&mut self, metric: u16, position: Position, step: Step) {
        self.metric(usize::from(metric)).sums.add(position, step);
    }

    /// The counts of a metric by its number.
    pub(crate) fn metric(&mut self, number: usize) -> &mut MetricCounts {
        if number >= self.metrics.len() {
            self.metrics.resize_with(number + 1, MetricCounts::default);
        }
        &mut self.metrics[number]
    }

    fn add(&mut self, other: Self) {
        self.exposures += other.exposures;
        self.outcomes += other.outcomes;
        self.sampled_outcomes += other.sampled_outcomes;
        self.lost += other.lost;
        self.bad += other.bad;
        self.last_exposure_us = self.last_exposure_us.max(other.last_exposure_us);
        self.exposed.extend(other.exposed);
        self.durations.add_all(&other.durations);
        for (class, count) in other.classes.into_iter().enumerate() {
            add_at(&mut self.classes, class, count);
        }
        for (number, counts) in other.metrics.into_iter().enumerate() {
            let sum = self.metric(number);
            sum.sums.add_all(&counts.sums);
            sum.bad.extend(counts.bad);
        }
    }
}

fn add_at(counts: &mut Vec<u64>, at: usize, count: u64) {
    if at >= counts.len() {
        counts.resize(at + 1, 0);
    }
    counts[at] += count;
}
