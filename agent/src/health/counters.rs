//! Counts exposures and what is reported of them, per rollout, stage, stratum and arm.
//!
//! Sixteen shards by position: requests on many threads rarely meet, and a position always meets its own history, so
//! "for the first time" and "its outcome has come" need no other lock. One lock is taken for an exposure or a report.
//! Whatever services send, what is held is bounded: rollouts come from the control plane, the counts of each are those
//! of `slice`, at most eight of these are kept apart in a shard and a horizon, and exposures that are awaited have a
//! bound of their own.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use evaluation::{Arm, Exposure, Measurement};

use super::{
    caller::Caller,
    classes::ClassNames,
    exposed::Exposed,
    hurry::Share,
    pending::Room,
    report::Report,
    seen::shard_of,
    slice::Slice,
    tally::{Common, Tally, Unsaid},
};
use crate::server_clock::Moment;

const SHARDS: usize = 16;

/// What one rollout counted up to some tick.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Drained {
    /// One per horizon with counts, ascending.
    pub(crate) slices: Vec<Slice>,
    /// The names of their classes by number.
    pub(crate) classes: ClassNames,
    /// What was not counted.
    pub(crate) unsaid: Unsaid,
}

impl Drained {
    /// Whether there is nothing to tell.
    pub(crate) fn is_empty(&self) -> bool {
        self.slices.is_empty() && self.unsaid.dropped == 0
    }
}

/// The counters of this agent.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    shards: [Mutex<Shard>; SHARDS],
    /// By rollout. Locked last, and only when a shard meets a rollout for the first time.
    commons: Mutex<BTreeMap<u32, Arc<Common>>>,
}

#[derive(Debug, Default)]
struct Shard {
    /// By rollout.
    tallies: BTreeMap<u32, Tally>,
    room: Room,
}

/// What the shards counted, by horizon.
#[derive(Debug, Default)]
struct Gathered {
    horizons: BTreeMap<u32, Slice>,
    unsaid: Unsaid,
}

impl Gathered {
    fn add(&mut self, slices: Vec<Slice>, unsaid: Unsaid) {
        self.unsaid.dropped += unsaid.dropped;
        self.unsaid.unwatched += unsaid.unwatched;
        for slice in slices {
            match self.horizons.get_mut(&slice.horizon) {
                Some(sum) => sum.add(slice),
                None => {
                    self.horizons.insert(slice.horizon, slice);
                }
            }
        }
    }

    fn finish(self, classes: ClassNames) -> Drained {
        Drained {
            slices: self.horizons.into_values().collect(),
            classes,
            unsaid: self.unsaid,
        }
    }
}

impl Counters {
    /// A unit got an arm, because `caller` asked. Counts only stages that the measurement knows.
    pub(crate) fn exposed(&self, measurement: &Measurement, exposure: &Exposure, caller: Caller, now: Moment) {
        if !is_measured(measurement, exposure) {
            return;
        }
        let mut shard = self.shard(shard_of(exposure.position));
        let (tally, room) = self.tally(&mut shard, measurement);
        tally.exposed(measurement, exposure, caller, now, room);
    }

    /// `caller` reported something of a stage that the measurement knows. Gives how many values lay outside their
    /// clamp; none if it was told before and does not count.
    pub(crate) fn reported(
        &self,
        measurement: &Measurement,
        exposed: &Exposed,
        report: &Report<'_>,
        caller: Caller,
        now: Moment,
    ) -> Option<u64> {
        let mut shard = self.shard(shard_of(exposed.exposure.position));
        let (tally, room) = self.tally(&mut shard, measurement);
        tally.reported(measurement, exposed, report, caller, now, room)
    }

    /// An outcome has come and counts nowhere, or elsewhere: it is awaited no more.
    pub(crate) fn resolved(&self, measurement: &Measurement, exposed: &Exposed) {
        let mut shard = self.shard(shard_of(exposed.exposure.position));
        let (tally, room) = self.tally(&mut shard, measurement);
        tally.resolve(exposed, room);
    }

    /// Outcomes of a measured rollout that cannot be counted.
    pub(crate) fn dropped(&self, measurement: &Measurement, outcomes: u64) {
        self.tally(&mut self.shard(0), measurement).0.dropped(outcomes);
    }

    /// Counts whose outcome has not come by the deadline.
    pub(crate) fn find_lost(&self, measurement: &Measurement, now: Moment) {
        self.each(measurement, |tally, room| tally.find_lost(measurement, now, room));
    }

    /// Takes what was counted up to the tick, which is closed by this.
    pub(crate) fn drain(&self, measurement: &Measurement, through: u32) -> Drained {
        let mut gathered = Gathered::default();
        self.each(measurement, |tally, _| {
            let (slices, unsaid) = tally.take(through);
            gathered.add(slices, unsaid);
        });
        gathered.finish(self.common(measurement).classes.names())
    }

    /// What was counted and not taken, which stays. Complexity: a copy of all of it.
    pub(crate) fn peek(&self, measurement: &Measurement) -> Drained {
        let mut gathered = Gathered::default();
        self.each(measurement, |tally, _| {
            let (slices, unsaid) = tally.peek();
            gathered.add(slices, unsaid);
        });
        gathered.finish(self.common(measurement).classes.names())
    }

    /// How the treatment and the control did up to a tick, as far as it was not drained.
    pub(crate) fn undrained(&self, measurement: &Measurement, through: u32) -> (Share, Share) {
        let (mut treatment, mut control) = (Share::default(), Share::default());
        self.each(measurement, |tally, _| {
            for (key, counts) in tally.untaken(through) {
                let share = match key.arm {
                    Arm::Treatment => &mut treatment,
                    Arm::Control => &mut control,
                };
                share.add(counts);
            }
        });
        (treatment, control)
    }

    /// Forgets every rollout that is not among these.
    pub(crate) fn retain(&self, rollouts: &HashSet<u32>) {
        for shard in 0..SHARDS {
            let Shard { tallies, room } = &mut *self.shard(shard);
            tallies.retain(|rollout, tally| {
                let stays = rollouts.contains(rollout);
                if !stays {
                    tally.let_go(room);
                }
                stays
            });
        }
        self.commons().retain(|rollout, _| rollouts.contains(rollout));
    }

    /// Something is done with a rollout's tally in each shard.
    fn each(&self, measurement: &Measurement, mut act: impl FnMut(&mut Tally, &mut Room)) {
        for shard in 0..SHARDS {
            let mut shard = self.shard(shard);
            let (tally, room) = self.tally(&mut shard, measurement);
            act(tally, room);
        }
    }

    /// The tally of a measured rollout; bounded, because measurements come from the control plane only.
    fn tally<'t>(&self, shard: &'t mut Shard, measurement: &Measurement) -> (&'t mut Tally, &'t mut Room) {
        let Shard { tallies, room } = shard;
        let tally = tallies
            .entry(measurement.rollout)
            .or_insert_with(|| Tally::new(self.common(measurement)));
        if !tally.is_of(measurement.id) {
            tally.let_go(room);
            *tally = Tally::new(self.common(measurement));
        }
        (tally, room)
    }

    fn common(&self, measurement: &Measurement) -> Arc<Common> {
        let of_this = || {
            Arc::new(Common {
                id: measurement.id,
                ..Common::default()
            })
        };
        let mut commons = self.commons();
        let common = commons.entry(measurement.rollout).or_insert_with(of_this);
        if common.id != measurement.id {
            *common = of_this();
        }
        Arc::clone(common)
    }

    fn commons(&self) -> MutexGuard<'_, BTreeMap<u32, Arc<Common>>> {
        self.commons.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shard(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the rollout has reached the stages of an exposure, as far as this measurement knows: a cell of another stage
/// would be refused.
pub(crate) fn is_measured(measurement: &Measurement, exposure: &Exposure) -> bool {
    measurement.visit_of(exposure.stage) > 0 && measurement.visit_of(exposure.stratum) > 0
}

#[cfg(test)]
mod tests;
