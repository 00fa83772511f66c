//! How often the frames of a rollout are due, and its batches sealed.
//!
//! A rollout is hot while news may change what happens to it: after a stage change, while a guard warns, and until its
//! end has reached everybody. A pure function of what is known; the interval travels to agents with their acks.

use rollout::{Ladder, evidence::budget};

use crate::{evidence::EvidenceRecord, record::RolloutRecord};

const SECOND_US: i64 = 1_000_000;
/// While hot.
pub(crate) const HOT_US: i64 = SECOND_US;
/// While under way.
const NORMAL_US: i64 = 10 * SECOND_US;
/// After the end.
const ENDED_US: i64 = 60 * SECOND_US;
/// How long a stage change makes a rollout hot.
const STAGE_HOT_US: i64 = 600 * SECOND_US;
/// How long an end makes it hot.
const END_HOT_US: i64 = 60 * SECOND_US;

/// How often frames of a rollout are due, in microseconds, at least one second.
pub(crate) fn interval_us(rollout: &RolloutRecord, evidence: &EvidenceRecord, now_us: i64) -> i64 {
    let since = |time_us: i64| now_us.saturating_sub(time_us);
    if let Some(ended_at_us) = rollout.state.ended_at_us {
        return if since(ended_at_us) < END_HOT_US {
            HOT_US
        } else {
            ENDED_US
        };
    }
    if since(rollout.state.entered_at_us) < STAGE_HOT_US || warns(rollout, evidence) {
        HOT_US
    } else {
        NORMAL_US
    }
}

fn warns(rollout: &RolloutRecord, evidence: &EvidenceRecord) -> bool {
    evidence
        .number
        .is_some_and(|number| budget::level(number.log_evidence, rollout.plan.alpha) >= Ladder::Warn)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::health::builders::rollout;

    #[test]
    fn a_rollout_is_hot_after_a_stage_change_and_after_its_end() {
        let mut rollout = rollout();
        let evidence = EvidenceRecord::default();
        let entered = rollout.state.entered_at_us;
        for (after_s, seconds) in [(0, 1), (599, 1), (600, 10), (100_000, 10)] {
            assert_eq!(
                interval_us(&rollout, &evidence, entered + after_s * SECOND_US),
                seconds * SECOND_US
            );
        }
        rollout.state.ended_at_us = Some(entered);
        for (after_s, seconds) in [(0, 1), (59, 1), (60, 60)] {
            assert_eq!(
                interval_us(&rollout, &evidence, entered + after_s * SECOND_US),
                seconds * SECOND_US
            );
        }
    }

    #[test]
    fn evidence_at_the_warn_level_keeps_a_rollout_hot() {
        let rollout = rollout();
        let later = rollout.state.entered_at_us + 2 * STAGE_HOT_US;
        let number = rollout::EvidenceNumber {
            guard: 0,
            horizon: 1,
            log_evidence: 3.0,
            is_doubted: false,
        };
        let evidence = EvidenceRecord {
            number: Some(number),
            ..EvidenceRecord::default()
        };
        assert_eq!(interval_us(&rollout, &evidence, later), HOT_US);
    }
}
