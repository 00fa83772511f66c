//! Counts exposures and outcomes, per rollout, stage, stratum and arm.
//!
//! Sixteen shards by position: evaluations on many threads rarely meet, and a position always meets its own history, so
//! "for the first time" needs no other lock. A count belongs to the tick in which it was made; ticks that were drained
//! are closed, and what comes late counts in the next one. Counts that nobody could be told within 60 minutes are
//! dropped, and their number is reported.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use evaluation::{Exposure, Measurement, MetricKind};
use proto::tick;

use super::{
    seen::{Seen, shard_of},
    slice::{CellKey, Counts, Slice},
};

const SHARDS: usize = 16;
/// Older counts are of no use to anyone, in ticks.
pub(crate) const USEFUL_TICKS: u32 = 3_600;
/// Closed ticks coalesce within blocks of this many, so that old ones can be dropped alone.
const BLOCK_TICKS: u32 = 600;

/// The clock may be corrected backwards by this much without notice; beyond it, ticks are counted anew from there.
pub(crate) const STEP_TICKS: u32 = 10;

/// How a request turned out, as far as anything counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// It worked.
    Ok,
    /// It failed.
    Error,
    /// It took too long.
    Timeout,
}

/// What one rollout counted up to some tick.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Drained {
    /// One per horizon with counts, ascending.
    pub(crate) slices: Vec<Slice>,
    /// Outcomes that were dropped.
    pub(crate) dropped: u64,
}

/// The counters of this agent.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    shards: [Mutex<HashMap<u32, Tally>>; SHARDS],
}

/// One rollout in one shard.
#[derive(Debug, Default)]
struct Tally {
    /// Which rollout: an index means another one after a store was replaced.
    id: u128,
    horizon: u32,
    /// The first tick that was not drained.
    floor: u32,
    open: Option<Slice>,
    closed: Vec<Slice>,
    seen: Seen,
    dropped: u64,
}

impl Counters {
    /// A unit got an arm, at this time of the server's clock. Counts only stages that the measurement knows.
    pub(crate) fn exposed(&self, measurement: &Measurement, exposure: &Exposure, time_us: i64) {
        if !is_measured(measurement, exposure) {
            return;
        }
        let mut shard = self.shard(shard_of(exposure.position));
        let tally = tally(&mut shard, measurement);
        let visit = measurement.visit_of(exposure.stage);
        let first = exposure.position.sampled()
            && tally
                .seen
                .first_exposed(exposure.stage, visit, exposure.stratum, exposure.position);
        let counts = tally.cell(measurement, exposure, tick::at(time_us));
        counts.exposures += 1;
        counts.last_exposure_us = counts.last_exposure_us.max(time_us);
        if first {
            counts.exposed.insert(exposure.position);
        }
    }

    /// A request that was exposed turned out so.
    pub(crate) fn observed(&self, measurement: &Measurement, exposure: &Exposure, outcome: Outcome, tick: u32) {
        let mut shard = self.shard(shard_of(exposure.position));
        let tally = tally(&mut shard, measurement);
        tally.cell(measurement, exposure, tick).outcomes += 1;
        for metric in &measurement.metrics {
            let bad = match metric.kind {
                MetricKind::ErrorRate => matches!(outcome, Outcome::Error | Outcome::Timeout),
            };
            let first_bad = bad
                && tally
                    .seen
                    .first_bad(exposure.stratum, exposure.arm, metric.number, exposure.position);
            let counts = tally
                .cell(measurement, exposure, tick)
                .metrics
                .entry(metric.number)
                .or_default();
            let sums = counts.buckets.entry(exposure.position.unit_bucket()).or_default();
            sums.0 += i64::from(bad);
            sums.1 += 1;
            if first_bad {
                counts.bad.insert(exposure.position);
            }
        }
    }

    /// An outcome of a measured rollout that cannot be counted.
    pub(crate) fn dropped(&self, measurement: &Measurement) {
        tally(&mut self.shard(0), measurement).dropped += 1;
    }

    /// Takes what was counted up to the tick, which is closed by this.
    pub(crate) fn drain(&self, measurement: &Measurement, through: u32) -> Drained {
        let mut horizons = BTreeMap::<u32, Slice>::new();
        let mut dropped = 0;
        for shard in 0..SHARDS {
            let mut shard = self.shard(shard);
            let tally = tally(&mut shard, measurement);
            for slice in tally.take(through) {
                match horizons.get_mut(&slice.horizon) {
                    Some(sum) => sum.add(slice),
                    None => {
                        horizons.insert(slice.horizon, slice);
                    }
                }
            }
            dropped += std::mem::take(&mut tally.dropped);
        }
        Drained {
            slices: horizons.into_values().collect(),
            dropped,
        }
    }

    /// Forgets every rollout that is not among these.
    pub(crate) fn retain(&self, rollouts: &HashSet<u32>) {
        for shard in 0..SHARDS {
            self.shard(shard).retain(|rollout, _| rollouts.contains(rollout));
        }
    }

    fn shard(&self, shard: usize) -> MutexGuard<'_, HashMap<u32, Tally>> {
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the rollout has reached the stages of an exposure, as far as this measurement knows: a cell of another stage
/// would be refused.
pub(crate) fn is_measured(measurement: &Measurement, exposure: &Exposure) -> bool {
    measurement.visit_of(exposure.stage) > 0 && measurement.visit_of(exposure.stratum) > 0
}

/// The tally of a measured rollout; bounded, because measurements come from the control plane only.
fn tally<'t>(shard: &'t mut HashMap<u32, Tally>, measurement: &Measurement) -> &'t mut Tally {
    let tally = shard.entry(measurement.rollout).or_default();
    if tally.id != measurement.id {
        *tally = Tally {
            id: measurement.id,
            ..Tally::default()
        };
    }
    tally
}

impl Tally {
    /// The counts of an exposure in the slice of the tick.
    fn cell(&mut self, measurement: &Measurement, exposure: &Exposure, tick: u32) -> &mut Counts {
        let key = CellKey {
            stage: exposure.stage,
            stratum: exposure.stratum,
            arm: exposure.arm,
        };
        self.rewind(tick);
        let now = self.open.as_ref().map_or(0, |slice| slice.last_tick);
        let tick = tick.max(self.floor).max(now);
        let horizon = measurement.horizon_at(tick).max(self.horizon);
        if horizon != self.horizon {
            self.horizon = horizon;
            self.seen.begin_horizon();
        }
        if self
            .open
            .as_ref()
            .is_some_and(|slice| slice.last_tick != tick || slice.horizon != horizon)
        {
            self.close(tick);
        }
        self.open
            .get_or_insert_with(|| Slice::new(horizon, tick))
            .cells
            .entry(key)
            .or_default()
    }

    /// Moves the open slice to the closed ones, and drops of these what is too old at `now`.
    fn close(&mut self, now: u32) {
        if let Some(slice) = self.open.take() {
            let same_block = |other: &Slice| {
                other.horizon == slice.horizon && other.first_tick / BLOCK_TICKS == slice.first_tick / BLOCK_TICKS
            };
            match self.closed.last_mut().filter(|last| same_block(last)) {
                Some(last) => last.add(slice),
                None => self.closed.push(slice),
            }
        }
        let dropped = &mut self.dropped;
        self.closed.retain(|slice| {
            let useful = now.saturating_sub(slice.last_tick) <= USEFUL_TICKS;
            *dropped += if useful { 0 } else { slice.outcomes() };
            useful
        });
    }

    /// Follows a clock that was corrected to well before what was counted; otherwise counts would wait for it to catch
    /// up. Nothing is lost: what was counted is counted at `now`.
    fn rewind(&mut self, now: u32) {
        let latest = now.saturating_add(STEP_TICKS);
        let ahead = |slice: &Slice| slice.last_tick > latest;
        if self.floor <= latest.saturating_add(1)
            && !self.open.as_ref().is_some_and(ahead)
            && !self.closed.last().is_some_and(ahead)
        {
            return;
        }
        self.floor = self.floor.min(now);
        for slice in self.open.iter_mut().chain(&mut self.closed) {
            slice.rewind(now);
        }
    }

    fn take(&mut self, through: u32) -> Vec<Slice> {
        self.rewind(through);
        if self.open.as_ref().is_some_and(|slice| slice.last_tick <= through) {
            self.close(through);
        }
        self.floor = self.floor.max(through.saturating_add(1));
        // Closed ticks are before the open one; a drain up to an earlier tick leaves what is after it.
        let (due, later) = std::mem::take(&mut self.closed)
            .into_iter()
            .partition(|slice| slice.last_tick <= through);
        self.closed = later;
        due
    }
}

#[cfg(test)]
mod tests;
