//! What one rollout counted in one shard.
//!
//! A count belongs to the tick in which it was made; ticks that were drained are closed, and what comes late counts in
//! the next one. Once in each tick it is looked whose outcome has not come by the deadline. Counts that nobody could be
//! told within 60 minutes are dropped, and their number is reported.

use std::sync::Arc;

use evaluation::{Exposure, Measurement, SplittingUnit};
use proto::{tick, token::TICK_MASK};

use super::{
    caller::Caller,
    classes::Classes,
    counting,
    exposed::{Exposed, Named},
    pending::{Pending, Room},
    report::Report,
    reporting::Reporting,
    seen::Seen,
    slice::{CellKey, Counts, Slice},
    told::Told,
};
use crate::server_clock::Moment;

/// Older counts are of no use to anyone, in ticks.
pub(crate) const USEFUL_TICKS: u32 = 3_600;
/// Closed ticks coalesce within blocks of this many, so that old ones can be dropped alone.
const BLOCK_TICKS: u32 = 600;
/// The clock may be corrected backwards by this much without notice; beyond it, ticks are counted anew from there.
pub(crate) const STEP_TICKS: u32 = 10;

/// What all shards share of a rollout.
#[derive(Debug, Default)]
pub(crate) struct Common {
    /// Which rollout: an index means another one after a store was replaced.
    pub(crate) id: u128,
    /// Who has reported.
    pub(crate) reporting: Reporting,
    /// The classes of failures.
    pub(crate) classes: Classes,
}

/// One rollout in one shard.
#[derive(Debug)]
pub(crate) struct Tally {
    common: Arc<Common>,
    horizon: u32,
    /// The first tick that was not drained.
    floor: u32,
    open: Option<Slice>,
    closed: Vec<Slice>,
    seen: Seen,
    pending: Pending,
    told: Told,
    /// The tick in which it was last looked for lost outcomes.
    looked: u32,
    unsaid: Unsaid,
}

/// What could not be counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Unsaid {
    /// Outcomes that were dropped.
    pub(crate) dropped: u64,
    /// Exposures whose outcome is expected, but not awaited for want of room.
    pub(crate) unwatched: u64,
}

/// The tick of a rollout that its tokens name, of a time by the server's clock.
pub(crate) fn token_tick(measurement: &Measurement, time_us: i64) -> u32 {
    tick::at(time_us).saturating_sub(measurement.start_tick) & TICK_MASK
}

impl Tally {
    /// Of a rollout of which nothing was counted.
    pub(crate) fn new(common: Arc<Common>) -> Self {
        Self {
            common,
            horizon: 0,
            floor: 0,
            open: None,
            closed: Vec::new(),
            seen: Seen::default(),
            pending: Pending::default(),
            told: Told::default(),
            looked: 0,
            unsaid: Unsaid::default(),
        }
    }

    /// Whether it counts this rollout, and not another that had its index.
    pub(crate) fn is_of(&self, id: u128) -> bool {
        self.common.id == id
    }

    /// A unit got an arm; `caller` asked.
    pub(crate) fn exposed(
        &mut self,
        measurement: &Measurement,
        exposure: &Exposure,
        caller: Caller,
        now: Moment,
        room: &mut Room,
    ) {
        self.look(measurement, now, room);
        let visit = measurement.visit_of(exposure.stage);
        let first = exposure.position.sampled()
            && self
                .seen
                .first_exposed(exposure.stage, visit, exposure.stratum, exposure.position);
        let (counts, _) = self.cell(measurement, exposure.into(), now.tick());
        counts.exposures += 1;
        counts.last_exposure_us = counts.last_exposure_us.max(now.time_us);
        if first {
            counts.exposed.push(exposure.position);
        }
        for metric in &measurement.metrics {
            if let Some(step) = counting::exposed(&metric.counting) {
                counts.add_step(metric.number, exposure.position, step);
            }
        }
        if self.common.reporting.expects(caller) {
            let tick = token_tick(measurement, now.time_us);
            let unit = (exposure.into(), exposure.position);
            if !self.pending.add(unit, tick, now.elapsed_s, room) {
                self.unsaid.unwatched += 1;
            }
        }
    }

    /// Something was reported by `caller`. Gives how many values lay outside their clamp; none if the outcome of a request
    /// that is a unit by itself was told before, and so does not count.
    pub(crate) fn reported(
        &mut self,
        measurement: &Measurement,
        exposed: &Exposed,
        report: &Report<'_>,
        caller: Caller,
        now: Moment,
        room: &mut Room,
    ) -> Option<u64> {
        self.look(measurement, now, room);
        if report.outcome.is_some() && self.is_repeated(measurement, exposed) {
            return None;
        }
        let class = report.class.filter(|_| report.is_bad());
        let class = class.map(|class| self.common.classes.number(class));
        if report.outcome.is_some() {
            self.resolve(exposed, room);
            let complete = exposed.is_unit() && !report.sampled;
            self.common.reporting.reported(caller, complete);
        }
        let (exposure, mut clamped) = (&exposed.exposure, 0);
        let (counts, seen) = self.cell(measurement, exposure.into(), now.tick());
        if report.outcome.is_some() {
            counts.add_outcome(report, class);
        }
        for metric in &measurement.metrics {
            let Some(step) = counting::reported(&metric.counting, report) else {
                continue;
            };
            clamped += step.clamped;
            counts.add_step(metric.number, exposure.position, step);
            let is_bad_unit = step.num > 0 && exposed.is_unit() && metric.counting.names_units();
            if is_bad_unit && seen.first_bad(exposure.stratum, exposure.arm, metric.number, exposure.position) {
                counts.metric(usize::from(metric.number)).bad.push(exposure.position);
            }
        }
        Some(clamped)
    }

    fn is_repeated(&mut self, measurement: &Measurement, exposed: &Exposed) -> bool {
        match (measurement.unit, exposed.named) {
            (SplittingUnit::Request, Named::Evaluation(tick)) => {
                let exposure = &exposed.exposure;
                !self.told.is_new((exposure.into(), exposure.position, tick))
            }
            (SplittingUnit::Request, Named::Unit | Named::Arm) | (SplittingUnit::Unit, _) => false,
        }
    }

    /// The outcome of an exposure has come, whatever it was.
    pub(crate) fn resolve(&mut self, exposed: &Exposed, room: &mut Room) {
        let exposure = &exposed.exposure;
        match exposed.named {
            Named::Evaluation(tick) => self.pending.resolve((exposure.into(), exposure.position), tick, room),
            Named::Unit => self.pending.resolve_unit(exposure.position, room),
            Named::Arm => {}
        }
    }

    /// Outcomes were dropped.
    pub(crate) fn dropped(&mut self, outcomes: u64) {
        self.unsaid.dropped += outcomes;
    }

    /// Counts what has been lost by now, once in each tick.
    fn look(&mut self, measurement: &Measurement, now: Moment, room: &mut Room) {
        if self.looked != now.tick() {
            self.looked = now.tick();
            self.find_lost(measurement, now, room);
        }
    }

    /// Counts what has been lost by now. Of a rollout that ended nothing is: an outcome that names a unit, and no
    /// token, finds its exposure no more, so that those which came would be called lost.
    pub(crate) fn find_lost(&mut self, measurement: &Measurement, now: Moment, room: &mut Room) {
        if measurement.ended {
            self.pending.clear(room);
            return;
        }
        let patience_us = u64::try_from(measurement.lost_after_us).unwrap_or(0);
        let patience_s = u32::try_from(patience_us.div_ceil(1_000_000)).unwrap_or(u32::MAX);
        for (key, position) in self.pending.expire(now.elapsed_s, patience_s, room) {
            let (counts, seen) = self.cell(measurement, key, now.tick());
            counts.lost += 1;
            counts.bad += 1;
            for metric in &measurement.metrics {
                let Some(step) = counting::lost(metric) else { continue };
                counts.add_step(metric.number, position, step);
                if metric.counting.names_units() && seen.first_bad(key.stratum, key.arm, metric.number, position) {
                    counts.metric(usize::from(metric.number)).bad.push(position);
                }
            }
        }
    }

    /// Awaits nothing any more.
    pub(crate) fn let_go(&mut self, room: &mut Room) {
        self.pending.clear(room);
    }

    /// The counts of a cell in the slice of the tick, and what was told before.
    fn cell(&mut self, measurement: &Measurement, key: CellKey, tick: u32) -> (&mut Counts, &mut Seen) {
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
        let slice = self.open.get_or_insert_with(|| Slice::new(horizon, tick));
        (slice.cells.entry(key).or_default(), &mut self.seen)
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
        let dropped = &mut self.unsaid.dropped;
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

    /// Takes what was counted up to a tick, which is closed by this.
    pub(crate) fn take(&mut self, through: u32) -> (Vec<Slice>, Unsaid) {
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
        (due, std::mem::take(&mut self.unsaid))
    }

    /// A copy of what was counted and not taken.
    pub(crate) fn peek(&self) -> (Vec<Slice>, Unsaid) {
        (self.closed.iter().chain(&self.open).cloned().collect(), self.unsaid)
    }

    /// What was counted up to a tick and not taken.
    pub(crate) fn untaken(&self, through: u32) -> impl Iterator<Item = (&CellKey, &Counts)> {
        let slices = self.closed.iter().chain(&self.open);
        slices
            .filter(move |slice| slice.last_tick <= through)
            .flat_map(|slice| &slice.cells)
    }
}

#[cfg(test)]
mod tests;
