//! What all facts together say: abort before kill before hold before inconclusive before safe, in that order and no
//! other.
//!
//! Harm needs no fresh data, no soak and no delivery; everything else does. [`crate::step`] makes a transition out of
//! the verdict.

use crate::evidence::budget::{self, Ladder};
use crate::step::STALE_AFTER_US;
use crate::{AbortCause, Facts, Gate, HoldReason, Level, Micros, Plan, State, gate};

/// What all facts together say, gravest first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Abort, for this cause.
    Abort(AbortCause),
    /// Stay in this stage, for this reason.
    Hold(HoldReason),
    /// Stay in this stage: it is too early to say.
    Inconclusive,
    /// The stage may be left.
    Safe,
}

/// The verdict on a rollout that has not ended.
pub fn judge(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> Verdict {
    if let Some(cause) = harm(plan, facts) {
        return Verdict::Abort(cause);
    }
    if facts.off {
        return Verdict::Hold(HoldReason::FlagOff);
    }
    if facts.delivery.live == 0 {
        return Verdict::Hold(HoldReason::NoAgents);
    }
    if ladder(plan, facts) >= Ladder::Hold {
        return Verdict::Hold(HoldReason::Evidence);
    }
    if is_stale(state, facts, now) {
        return Verdict::Hold(HoldReason::Stale);
    }
    match gate::no_harm(plan, state, facts) {
        Gate::Proceed => Verdict::Safe,
        Gate::Wait => Verdict::Inconclusive,
        Gate::Hold(reason) => Verdict::Hold(reason),
    }
}

/// The cause to abort, if there is one. Evidence before the latch: it names its culprit.
pub(crate) fn harm(plan: &Plan, facts: &Facts) -> Option<AbortCause> {
    if let (Ladder::Abort, Some(number)) = (ladder(plan, facts), facts.evidence) {
        let budget::EvidenceNumber {
            guard,
            horizon,
            log_evidence,
        } = number;
        return Some(AbortCause::Evidence {
            guard,
            horizon,
            log_evidence,
        });
    }
    facts.latched.then_some(AbortCause::Person)
}

/// The rung that the evidence has reached, no higher than its guard's level.
pub(crate) fn ladder(plan: &Plan, facts: &Facts) -> Ladder {
    let Some(number) = facts.evidence else {
        return Ladder::None;
    };
    // A guard that the plan does not know cannot be asked for its level; harm is then taken at its word.
    let level = plan.guards.get(number.guard).map_or(Level::Abort, |guard| guard.level);
    budget::level(number.log_evidence, plan.alpha).min(level.cap())
}

/// Whether a stage whose clock has started has gone without fresh data for longer than the grace.
fn is_stale(state: &State, facts: &Facts, now: Micros) -> bool {
    state.clock_started_at_us.is_some() && !facts.fresh && now.saturating_sub(state.fresh_at_us) >= STALE_AFTER_US
}
