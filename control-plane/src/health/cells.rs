//! An open batch: the sums of the frames of one horizon that are not sealed yet.
//!
//! Integers add and sets unite, so the order of the frames does not show. Nothing here knows which positions were
//! seen before; that is asked once, when the batch is sealed.

use std::collections::{BTreeMap, BTreeSet};

use evaluation::Arm;

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
}

/// The sums of one metric.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MetricSums {
    /// Bad outcomes.
    pub(crate) num: u64,
    /// Outcomes.
    pub(crate) den: u64,
    /// The unit buckets that have outcomes, one bit each.
    pub(crate) buckets: u64,
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

    /// Whether it has no news.
    pub(crate) fn is_empty(&self) -> bool {
        self.cells.is_empty() && self.dropped == 0
    }

    /// The places of one arm.
    pub(crate) fn of(&self, arm: Arm) -> impl Iterator<Item = (&Place, &Sums)> {
        self.cells.iter().filter(move |(place, _)| place.arm == arm)
    }

    /// The counts of each (metric, stratum); newly bad units are for sealing to find.
    pub(crate) fn inputs(&self) -> BTreeMap<(u16, u8), SealedCounts> {
        let mut inputs = BTreeMap::new();
        for (place, sums) in &self.cells {
            for (metric, sums) in &sums.metrics {
                let key = (*metric, place.stratum);
                let counts = inputs.entry(key).or_insert_with(|| SealedCounts {
                    metric: u32::from(*metric),
                    stratum: u32::from(place.stratum),
                    ..SealedCounts::default()
                });
                let (outcomes, bad) = match place.arm {
                    Arm::Treatment => (&mut counts.outcomes_treatment, &mut counts.bad_treatment),
                    Arm::Control => (&mut counts.outcomes_control, &mut counts.bad_control),
                };
                *outcomes = outcomes.saturating_add(sums.den);
                *bad = bad.saturating_add(sums.num);
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
        for metric in &cell.metrics {
            self.metrics.entry(metric.metric).or_default().add(metric);
        }
    }
}

impl MetricSums {
    fn add(&mut self, cell: &MetricCell) {
        self.num = self.num.saturating_add(cell.num);
        self.den = self.den.saturating_add(cell.den);
        self.buckets |= cell.buckets;
        self.bad.extend(&cell.bad);
    }
}
