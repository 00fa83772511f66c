//! What all facts together say: abort before roll-back before hold before waiting before going on, in that order and no
//! other.
//!
//! Harm needs no fresh data, no soak and no delivery; everything else does. [`crate::step`] makes a transition out of
//! the verdict.

use crate::{
    AbortCause, Facts, HoldReason, Level, Micros, Phase, Plan, RollbackCause, State, alarm,
    criterion::Criterion,
    evidence::budget::{self, Ladder},
    gate::{self, Finding, Wait},
    guards::{self, Broken},
    measure, signal,
    step::STALE_AFTER_US,
};

/// What all facts together say, gravest first.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Abort, for this cause.
    Abort(AbortCause),
    /// Treatment to 0 %, without a latch.
    RollBack(RollbackCause),
    /// Stay in this stage, for these reasons, the gravest first; at least one.
    Hold(Vec<HoldReason>),
    /// Stay in this stage: it waits for something.
    Wait(Vec<Wait>),
    /// The stage may be left.
    Pass,
}

/// The verdict on a rollout that is live.
pub fn judge(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> Verdict {
    if let Some(cause) = harm(plan, facts) {
        return Verdict::Abort(cause);
    }
    if let Some(cause) = rolls_back(plan, state, facts) {
        return Verdict::RollBack(cause);
    }
    let holds = holds(plan, state, facts, now);
    if !holds.is_empty() {
        return Verdict::Hold(holds);
    }
    let waits = gate::waits(plan, state, facts, now);
    if waits.is_empty() {
        Verdict::Pass
    } else {
        Verdict::Wait(waits)
    }
}

/// The cause to abort, if there is one. Evidence before the latch: it names its culprit.
pub(crate) fn harm(plan: &Plan, facts: &Facts) -> Option<AbortCause> {
    if let (Ladder::Abort, Some(number)) = (ladder(plan, facts), facts.evidence) {
        let budget::EvidenceNumber {
            guard,
            horizon,
            log_evidence,
            is_doubted: _,
        } = number;
        return Some(AbortCause::Evidence {
            guard,
            horizon,
            log_evidence,
        });
    }
    match facts.concerns.rule {
        Some(Broken::Limit(guard)) => return Some(AbortCause::Rule { guard }),
        Some(Broken::SpillOver(guard)) => return Some(AbortCause::SpillOver { guard }),
        None => {}
    }
    facts.latched.then_some(AbortCause::Person)
}

/// The rung that the evidence has reached, no higher than its guard's level.
pub(crate) fn ladder(plan: &Plan, facts: &Facts) -> Ladder {
    let numbers = [&facts.evidence, &facts.concerns.hold, &facts.concerns.warn];
    let rungs = numbers.into_iter().flatten().map(|number| rung(plan, number));
    rungs.max().unwrap_or(Ladder::None)
}

/// The rung of one number; what is in doubt holds at most.
pub(crate) fn rung(plan: &Plan, number: &budget::EvidenceNumber) -> Ladder {
    let most = if number.is_doubted { Ladder::Hold } else { Ladder::Abort };
    rung_of(plan, number.guard, number.log_evidence).min(most)
}

/// The rung of a guard's evidence, no higher than its level.
pub(crate) fn rung_of(plan: &Plan, guard: usize, log_evidence: f64) -> Ladder {
    // A guard that the plan does not know cannot be asked for its level; harm is then taken at its word.
    let level = plan.guards.get(guard).map_or(Level::Abort, |guard| guard.level);
    budget::level(log_evidence, plan.alpha).min(level.cap())
}

/// The rollback criterion of the current stage that holds, if one does, on a minimum of outcomes and units; one of a
/// level on as many readings in a row as a guard needs (guard.md 4f).
fn rolls_back(plan: &Plan, state: &State, facts: &Facts) -> Option<RollbackCause> {
    let stage = plan.stages.get(state.stage)?;
    let is_believed = |written: &Criterion| match written {
        Criterion::Compare(harm) if measure::is_level(plan, harm.metric.as_str()) => {
            guards::fires_in(plan, harm, &facts.levels)
        }
        Criterion::Compare(_) | Criterion::Stable | Criterion::Parity => true,
    };
    let holds = |written: &Criterion| {
        gate::on_minimum(plan, alarm::BELIEVED, facts, written) == Finding::Holds && is_believed(written)
    };
    let criterion = stage.rollback.iter().position(holds)?;
    Some(RollbackCause::Criterion {
        stage: state.stage,
        criterion,
    })
}

/// Every reason to hold that nobody has dismissed, the gravest first.
pub(crate) fn holds(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> Vec<HoldReason> {
    let facts = &*signal::standing(plan, state, facts);
    let mut reasons = Vec::new();
    let mut note = |applies: bool, reason: HoldReason| {
        if applies {
            reasons.push(reason);
        }
    };
    note(facts.off, HoldReason::FlagOff);
    note(state.desk.held, HoldReason::Person);
    note(state.desk.is_fixing(), HoldReason::Fix);
    note(ladder(plan, facts) >= Ladder::Hold, HoldReason::Evidence);
    facts.concerns.holds.iter().for_each(|reason| note(true, *reason));
    note(facts.delivery.live == 0, HoldReason::NoAgents);
    note(is_stale(state, facts, now), HoldReason::Stale);
    if reasons.is_empty() && has_soaked(plan, state) {
        match gate::missing_data(plan, state.stage, facts) {
            Some(reason) => reasons.push(reason),
            None if facts.concerns.is_early => reasons.push(HoldReason::Early),
            None if gate::stands_inconclusive(plan, state, facts) && !may_extend(plan, state) => {
                reasons.push(HoldReason::Inconclusive);
            }
            None => {}
        }
    }
    reasons
}

/// Whether the gate of the stage judges: it has soaked, and the data is enough and not early.
pub(crate) fn is_at_gate(plan: &Plan, state: &State, facts: &Facts) -> bool {
    has_soaked(plan, state) && gate::missing_data(plan, state.stage, facts).is_none() && !facts.concerns.is_early
}

fn has_soaked(plan: &Plan, state: &State) -> bool {
    !state.is_baking() && state.is_soaked(plan)
}

/// Whether the gate may still extend the stage by itself.
pub(crate) fn may_extend(plan: &Plan, state: &State) -> bool {
    let stage = plan.stages.get(state.stage);
    stage.is_some_and(|stage| stage.allows(gate::Outcome::Extend) && state.extensions < stage.max_extensions)
}

/// Whether a stage whose clock has started has gone without fresh data for longer than the grace.
fn is_stale(state: &State, facts: &Facts, now: Micros) -> bool {
    state.phase != Phase::Ramp
        && state.clock_started_at_us.is_some()
        && !facts.fresh
        && now.saturating_sub(state.fresh_at_us) >= STALE_AFTER_US
}
