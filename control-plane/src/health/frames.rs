//! Frames as the rest of this room knows them: checked, resolved, and without what nobody reads.
//!
//! Only `check` builds them.

use std::sync::Arc;

use evaluation::{Arm, Key};
use uuid::Uuid;

/// The process that sent a frame: an agent, and the number that it drew at its start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Reporter {
    /// The agent's id.
    pub(crate) agent: Arc<str>,
    /// Random, drawn at the agent's start.
    pub(crate) epoch: u64,
}

/// What is to be done with one frame of a well-formed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checked {
    /// Count it, unless its dot is known.
    Counted(Frame),
    /// It is older than anybody waits for: its dot is known from now on, its counts are lost. Holds no cells.
    TooOld(Frame),
    /// Its rollout is not known, or ended long ago: nothing is kept of it.
    Unknown {
        /// The index that the agent gave.
        rollout: u32,
        /// The frame's number.
        sequence: u64,
    },
}

/// What one agent counted for one rollout over whole ticks of one horizon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Key of the environment.
    pub(crate) environment: Key,
    /// The rollout.
    pub(crate) rollout: Uuid,
    /// The rollout's index in its environment.
    pub(crate) index: u32,
    /// From 1, per (agent, epoch, rollout).
    pub(crate) sequence: u64,
    /// The last tick that it covers.
    pub(crate) last_tick: u32,
    /// Number of the horizon, from 1.
    pub(crate) horizon: u32,
    /// Outcomes that the agent dropped.
    pub(crate) dropped: u64,
    /// One per (stage, stratum, arm).
    pub(crate) cells: Vec<Cell>,
    /// In it the treatment does plainly worse than the control.
    pub(crate) is_urgent: bool,
}

/// Where a count belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Number of the stage, 0 to 15.
    pub(crate) stage: u8,
    /// Which visit of it, from 1.
    pub(crate) visit: u32,
    /// Number of the stage that gave the units their share, 0 to 15.
    pub(crate) stratum: u8,
    /// What the units got.
    pub(crate) arm: Arm,
}

/// The counts of one arm of one stratum in one visit of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Where they belong.
    pub(crate) place: Place,
    /// Evaluations that gave this arm.
    pub(crate) exposures: u64,
    /// Outcomes OK, ERROR and TIMEOUT.
    pub(crate) outcomes: u64,
    /// Exposures without an outcome by the deadline.
    pub(crate) lost: u64,
    /// The last exposure, microseconds since 1970 UTC; 0: none.
    pub(crate) last_exposure_us: i64,
    /// One per metric that has counts.
    pub(crate) metrics: Vec<MetricCell>,
    /// Sampled positions that were exposed.
    pub(crate) sampled: Vec<u32>,
    /// How long outcomes took: (bucket, count).
    pub(crate) durations: Vec<(u16, u64)>,
    /// Failures by class.
    pub(crate) classes: Vec<(String, u64)>,
    /// Outcomes that came from a sample.
    pub(crate) sampled_outcomes: u64,
}

/// The counts of one metric in one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MetricCell {
    /// Number of the metric.
    pub(crate) metric: u16,
    /// The unit buckets that have counts: (bucket, numerator, denominator).
    pub(crate) buckets: Vec<(u8, i64, u64)>,
    /// Positions that failed.
    pub(crate) bad: Vec<u32>,
}

impl Frame {
    /// Whether it says nothing but that its agent was there.
    pub(crate) fn is_silent(&self) -> bool {
        self.dropped == 0 && self.cells.iter().all(Cell::is_silent)
    }
}

impl Cell {
    /// Whether it counts nothing.
    pub(crate) fn is_silent(&self) -> bool {
        let counts = [self.exposures, self.outcomes, self.lost];
        counts == [0, 0, 0] && self.sampled.is_empty() && self.metrics.iter().all(MetricCell::is_silent)
    }
}

impl MetricCell {
    fn is_silent(&self) -> bool {
        self.buckets.is_empty() && self.bad.is_empty()
    }
}
