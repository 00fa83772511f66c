//! The proof of an end: when the agents had it, and when treatment was seen to be gone.
//!
//! Time to zero is the time from the decision until the last live agent has applied it and no treatment exposure is seen
//! after that. It is known only when the agents' frames cover the time behind it, and corrected for as long as the end is
//! measured: an agent that was cut off may tell of later exposures once it is back. After a start of the process not all
//! agents may be back, so what is seen of them is kept with its time, and written when all have had the time to come.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use uuid::Uuid;

use crate::{
    engine::facts::Sources,
    record::{End, EndCause, RolloutRecord},
    state::State,
    sync::fleet::Reach,
};

/// Frames must cover this much time behind the last ack, and behind the last exposure that was seen, before treatment
/// counts as gone.
const QUIET_US: i64 = 1_000_000;

/// The ends that the live agents were seen to have, and since when.
#[derive(Debug, Default)]
pub(super) struct Sightings(Mutex<HashMap<Uuid, Sighting>>);

/// Since when all live agents have an end; none: one of them has it not, or none is live.
#[derive(Debug, Clone, Default)]
struct Sighting {
    live: Vec<Arc<str>>,
    applied_at_us: Option<i64>,
    persisted_at_us: Option<i64>,
}

/// When it is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Now.
    pub(super) now_us: i64,
    /// Agents that had it may yet come back.
    pub(super) is_settling: bool,
}

/// The record with what has become known of its end; none if there is no news.
pub(super) fn prove(
    state: &State,
    record: &RolloutRecord,
    sources: &Sources,
    sightings: &Sightings,
    Moment { now_us, is_settling }: Moment,
) -> Option<RolloutRecord> {
    let before = record.end.as_ref()?;
    let mut end = before.clone();
    // The state shows the end, so it has been published.
    end.published_at_us = end.published_at_us.or(Some(now_us));
    // To ask all agents how far they are takes its time, and while one of them is silent this is asked again and again.
    if end.applied_at_us.is_none() || end.persisted_at_us.is_none() {
        let seen = sightings.look(record.id, sources.reach(state, record, now_us), now_us);
        if !is_settling {
            end.applied_at_us = end.applied_at_us.or(seen.applied_at_us);
            end.persisted_at_us = end.persisted_at_us.or(seen.persisted_at_us);
        }
    }
    if end.cause != EndCause::Completed {
        let last_us = state.evidence_of(record.id).last_treatment_exposure_us;
        gone(&mut end, last_us, |until_us| {
            let covered_us = sources.coverage.covered_until_us(record.id);
            covered_us.is_some_and(|covered_us| covered_us >= until_us)
        });
    }
    (end != *before).then(|| RolloutRecord {
        end: Some(end),
        ..record.clone()
    })
}

/// Notes when treatment was gone, by the last exposure that is known; and anew if that is later than was known.
fn gone(end: &mut End, last_us: i64, covers: impl Fn(i64) -> bool) {
    let Some(applied_at_us) = end.applied_at_us else {
        return;
    };
    let zero_at_us = applied_at_us.max(last_us);
    let is_news = match end.time_to_zero_us {
        None => covers(zero_at_us.saturating_add(QUIET_US)),
        Some(_) => last_us > end.last_treatment_exposure_us.unwrap_or(0),
    };
    if is_news {
        end.last_treatment_exposure_us = (last_us > 0).then_some(last_us);
        end.time_to_zero_us = Some(zero_at_us.saturating_sub(end.decided_at_us));
    }
}

impl Sightings {
    /// Takes in how far an end has come; since when the live agents have it.
    fn look(&self, id: Uuid, reach: Reach, now_us: i64) -> Sighting {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sighting = all.entry(id).or_default();
        sighting.look(reach, now_us);
        sighting.clone()
    }

    /// Forgets all ends but those of some rollouts.
    pub(super) fn retain(&self, is_measured: impl Fn(&Uuid) -> bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|id, _| is_measured(id));
    }
}

impl Sighting {
    fn look(&mut self, reach: Reach, now_us: i64) {
        // Both are in the order of the fleet. Who has come since the last look is seen to have it no earlier than now.
        let is_new = |agent: &Arc<str>| self.live.binary_search(agent).is_err();
        let is_joined = reach.live.iter().any(is_new);
        let since = |before: Option<i64>, have_it: bool| {
            let kept = before.filter(|_| !is_joined);
            have_it.then(|| kept.unwrap_or(now_us))
        };
        let delivery = reach.delivery;
        let have_applied = delivery.live > 0 && delivery.applied >= delivery.live;
        self.applied_at_us = since(self.applied_at_us, have_applied);
        self.persisted_at_us = since(self.persisted_at_us, delivery.is_persisted());
        self.live = reach.live;
    }
}

#[cfg(test)]
mod tests;
