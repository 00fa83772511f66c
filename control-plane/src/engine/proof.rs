//! The proof of an end: when the agents had it, and when treatment was seen to be gone.
//!
//! Time to zero is the time from the decision until the last live agent has applied it and no treatment exposure is seen
//! after that. It is known only when the agents' frames cover the time behind it.

use crate::{
    engine::facts::Sources,
    record::{EndCause, RolloutRecord},
    state::State,
};

/// Frames must cover this much time behind the last ack, and behind the last exposure that was seen, before treatment
/// counts as gone.
const QUIET_US: i64 = 1_000_000;

/// The record with what has become known of its end; none if there is no news.
pub(super) fn prove(state: &State, record: &RolloutRecord, sources: &Sources, now_us: i64) -> Option<RolloutRecord> {
    let before = record.end.as_ref()?;
    if before.persisted_at_us.is_some() && (before.time_to_zero_us.is_some() || before.cause == EndCause::Completed) {
        return None;
    }
    let mut end = before.clone();
    // The state shows the end, so it has been published.
    end.published_at_us = end.published_at_us.or(Some(now_us));
    // To ask all agents how far they are takes its time, and while one of them is silent this is asked again and again.
    if end.applied_at_us.is_none() || end.persisted_at_us.is_none() {
        let delivery = sources.reach(state, record, now_us).delivery;
        if delivery.live > 0 && delivery.applied >= delivery.live {
            end.applied_at_us = end.applied_at_us.or(Some(now_us));
        }
        if delivery.is_persisted() {
            end.persisted_at_us = end.persisted_at_us.or(Some(now_us));
        }
    }
    if let (Some(applied_at_us), true) = (end.applied_at_us, end.cause != EndCause::Completed) {
        let last_us = state.evidence_of(record.id).last_treatment_exposure_us;
        let zero_at_us = applied_at_us.max(last_us);
        let covered = sources
            .coverage
            .covered_until_us(record.id)
            .is_some_and(|until_us| until_us >= zero_at_us.saturating_add(QUIET_US));
        if covered && end.time_to_zero_us.is_none() {
            end.last_treatment_exposure_us = (last_us > 0).then_some(last_us);
            end.time_to_zero_us = Some(zero_at_us.saturating_sub(end.decided_at_us));
        }
    }
    (end != *before).then(|| RolloutRecord {
        end: Some(end),
        ..record.clone()
    })
}

#[cfg(test)]
mod tests;
