//! A rollout between two transitions: how far it is, what of that is stored, and when it must be looked at again.

use rollout::{Facts, Phase, State as Progress};

use super::{
    SETTLING_US,
    look::{self, Basis},
};
use crate::{
    record::{RolloutRecord, Soak},
    state::{BAKING, State},
};

/// Soak is stored when it has grown by a thousandth of the dwell, within these bounds: what a crash can cost.
const SOAK_STORED_US: std::ops::RangeInclusive<i64> = 1_000_000..=60_000_000;

/// A rollout between two transitions.
#[derive(Debug)]
pub(super) struct Machine {
    /// How far it is.
    pub(super) progress: Progress,
    /// Soak as stored.
    stored_us: i64,
    /// It was under way before this process was, and has not been seen on fresh data since.
    unseen: bool,
    /// Until then not every agent that had it may be back; 0: it began with this process.
    settled_at_us: i64,
    /// What the last look rested on; none: it must be looked at.
    pub(super) basis: Option<Basis>,
    /// When it must be looked at though nothing has changed.
    pub(super) due_us: i64,
}

impl Machine {
    /// As it is stored. One that began before the engine did was not watched in between.
    pub(super) fn load(state: &State, record: &RolloutRecord, engine_started_us: i64, now_us: i64) -> Self {
        let mut progress = state.soaked(record);
        progress.observed_at_us = now_us;
        Self {
            stored_us: progress.soaked_us,
            progress,
            unseen: record.started_at_us < engine_started_us,
            settled_at_us: match record.started_at_us < engine_started_us {
                true => engine_started_us.saturating_add(SETTLING_US),
                false => 0,
            },
            basis: None,
            due_us: 0,
        }
    }

    /// Whether this process cannot be sure yet of what it sees: it has not seen the rollout on fresh data, or it aborts.
    /// An abort is not proved by the first agents that are back, so it waits until all have had the time to come, whether
    /// it was decided before the process began or since.
    pub(super) fn is_unsure(&self, record: &RolloutRecord, now_us: i64) -> bool {
        now_us < self.settled_at_us && (self.unseen || record.state.phase == Phase::Aborting)
    }

    /// It has been looked at; on fresh data, it is no longer unseen.
    pub(super) fn seen(&mut self, fresh: bool) {
        self.unseen &= !fresh;
    }

    /// Takes up what was stored, if it has moved on without this machine.
    pub(super) fn follow(&mut self, state: &State, record: &RolloutRecord, now_us: i64) {
        if self.progress.sequence != record.state.sequence {
            self.progress = state.soaked(record);
            self.progress.observed_at_us = now_us;
            self.stored_us = self.progress.soaked_us;
        }
    }

    /// It was looked at and stays where it is: what that rested on, and when it must be looked at again.
    pub(super) fn rest(&mut self, basis: Basis, record: &RolloutRecord, known: &Facts, now_us: i64) {
        let longest_us = if self.is_unsure(record, now_us) || (self.progress.is_live() && !known.fresh) {
            look::UNSURE_US
        } else {
            look::IDLE_US
        };
        let deadline_us = rollout::next_deadline(&record.plan, &self.progress, known, now_us);
        self.due_us = deadline_us.unwrap_or(i64::MAX).min(now_us + longest_us);
        self.basis = Some(basis);
    }

    /// The soak, if it has grown enough to be stored; it counts as stored from now on.
    pub(super) fn unstored(&mut self, record: &RolloutRecord) -> Option<Soak> {
        // A machine that has moved on has stored its soak with the transition.
        let is_same = self.progress.sequence == record.state.sequence;
        if !is_same || self.progress.soaked_us - self.stored_us < soak_stored_us(record) {
            return None;
        }
        self.stored_us = self.progress.soaked_us;
        let baking = u32::from(self.progress.is_baking()) * BAKING;
        Some(Soak {
            visits: self.progress.visits.len() as u32 + baking,
            soaked_us: self.stored_us,
        })
    }
}

/// By how much soak grows before it is stored.
fn soak_stored_us(record: &RolloutRecord) -> i64 {
    let dwell_us = match record.state.is_baking() {
        true => record.plan.bake_us,
        false => record.state.dwell_us(&record.plan).unwrap_or(i64::MAX),
    };
    (dwell_us / 1_000).clamp(*SOAK_STORED_US.start(), *SOAK_STORED_US.end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builders::{SECOND_US, START_US, World, flag, moved};

    /// When the process began.
    const BEGAN_US: i64 = START_US + 10 * SECOND_US;

    #[test]
    fn an_abort_that_comes_on_fresh_data_soon_after_a_start_is_not_proved_by_those_who_are_back() {
        let mut world = World::new();
        world.write(flag("checkout"));
        let (started, _) = world.start("checkout");
        let soaking = moved(&started, Phase::Soak, "clock-started");
        let aborting = moved(&soaking, Phase::Aborting, "aborted");
        let mut machine = Machine::load(&world.state, &soaking, BEGAN_US, BEGAN_US);
        let after = |seconds: i64| BEGAN_US + seconds * SECOND_US;
        assert!(machine.is_unsure(&soaking, after(1)));
        machine.seen(false);
        assert!(machine.is_unsure(&soaking, after(2)));
        machine.seen(true);
        assert!(!machine.is_unsure(&soaking, after(3)), "it goes on");
        assert!(machine.is_unsure(&aborting, after(3)), "the abort is not proved");
        assert!(machine.is_unsure(&aborting, after(14)));
        assert!(!machine.is_unsure(&aborting, after(15)));
        let own = Machine::load(&world.state, &aborting, START_US - 1, after(1));
        assert!(
            !own.is_unsure(&aborting, after(1)),
            "no agent had it before this process"
        );
    }
}
