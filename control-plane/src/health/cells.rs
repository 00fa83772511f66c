//! An open batch: the sums of the frames of one horizon that are not sealed yet.
//!
//! Integers add and sets unite, so the order of the frames does not show. Nothing here knows which positions were
//! seen before; that is asked once, when the batch is sealed.

use std::collections::{BTreeMap, BTreeSet};

use evaluation::Arm;
use rollout::{evidence::arm::Buckets, measure::Durations};

use super::frames::{Cell, Frame, MetricCell, Place};
use crate::store::model::SealedCounts;

/// Sums over frames of one horizon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    /// By place.
    pub(crate) cells: BTreeMap<Place, Sums>,
    /// Outcomes that agents dropped.
    pub(crate) dropped: u64,
}

/// The sums of one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// Evaluations that gave this arm.
    pub(crate) exposures: u64,
    /// Outcomes OK, ERROR and TIMEOUT.
    pub(crate) outcomes: u64,
    /// Exposures without an outcome by the deadline.
    pub(crate) lost: u64,
    /// The last exposure, microseconds since 1970 UTC; 0: none.
    pub(crate) last_exposure_us: i64,
    /// By metric.
    pub(crate) metrics: BTreeMap<u16, MetricSums>,
    /// Sampled positions that were exposed.
    pub(crate) sampled: BTreeSet<u32>,
    /// How long outcomes took.
    pub(crate) durations: Durations,
    /// Failures by class.
    pub(crate) classes: BTreeMap<String, u64>,
    /// Outcomes that came from a sample.
    pub(crate) sampled_outcomes: u64,
}

/// The sums of one metric.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MetricSums {
    /// Numerators and denominators by unit bucket.
    pub(crate) buckets: Buckets,
    /// Positions that failed.
    pub(crate) bad: BTreeSet<u32>,
}

impl Batch {
    /// Adds a frame.
    pub(crate) fn add(&mut self, frame: &Frame) {
        self.dropped = self.dropped.saturating_add(frame.dropped);
        for cell in frame.cells.iter().filter(|cell| !cell.is_silent()) {
            self.cells.entry(cell.place).or_default().add(cell);
        }
    }

    /// Adds values of one metric: (unit bucket, numerator, denominator).
    pub(crate) fn add_value(&mut self, place: Place, metric: u16, (bucket, num, den): (u8, i64, u64)) {
        let sums = self.cells.entry(place).or_default();
        let buckets = &mut sums.metrics.entry(metric).or_default().buckets;
        buckets.add(usize::from(bucket), num, den);
    }

    /// Whether it has no news.
    pub(crate) fn is_empty(&self) -> bool {
        self.cells.is_empty() && self.dropped == 0
    }

    /// The places of one arm.
    pub(crate) fn of(&self, arm: Arm) -> impl Iterator<Item = (&Place, &Sums)> {
        self.cells.iter().filter(move |(place, _)| place.arm == arm)
    }

    /// The counts of each (metric, place); newly bad units are for sealing to find.
    pub(crate) fn inputs(&self) -> BTreeMap<(u16, u8), SealedCounts> {
        let mut inputs = BTreeMap::new();
        for (place, sums) in &self.cells {
            for (metric, sums) in &sums.metrics {
                let key = (*metric, place.stratum);
                let counts = inputs
                    .entry(key)
                    .or_insert_with(|| SealedCounts::new(*metric, place.stratum));
                counts.add(place.arm, (place.stage, place.visit), &sums.buckets);
            }
        }
        inputs
    }
}

impl Sums {
    fn add(&mut self, cell: &Cell) {
        self.exposures = self.exposures.saturating_add(cell.exposures);
        self.outcomes = self.outcomes.saturating_add(cell.outcomes);
        self.lost = self.lost.saturating_add(cell.lost);
        self.last_exposure_us = self.last_exposure_us.max(cell.last_exposure_us);
        self.sampled.extend(&cell.sampled);
        self.sampled_outcomes = self.sampled_outcomes.saturating_add(cell.sampled_outcomes);
        for (bucket, count) in &cell.durations {
            self.durations.add(*bucket, *count);
        }
        for (class, count) in &cell.classes {
            let sum = self.classes.entry(class.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
        for metric in &cell.metrics {
            self.metrics.entry(metric.metric).or_default().add(metric);
        }
    }
}

impl MetricSums {
    fn add(&mut self, cell: &MetricCell) {
        for (bucket, num, den) in &cell.buckets {
            self.buckets.add(usize::from(*bucket), *num, *den);
        }
        self.bad.extend(&cell.bad);
    }
}
