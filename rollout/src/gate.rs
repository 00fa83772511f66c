//! The gate `no-harm`: what must be true to leave a stage.
//!
//! It passes when the dwell has soaked, both arms have been heard, and the evidence of harm is below the warn level.
//! Silence never passes: even a stage that asks for no minimum needs one outcome of one unit in each arm that it
//! exposes. Two stages need delivery only: 0 %, where nobody is exposed, and 100 % with a dwell of zero, where nothing
//! is asked.

use crate::evidence::budget::Ladder;
use crate::{Facts, HoldReason, Plan, Share, Stage, State, Totals, verdict};

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// The stage may be left.
    Proceed,
    /// Not yet, and nothing is amiss.
    Wait,
    /// Not yet, and a person should know why.
    Hold(HoldReason),
}

/// What the gate says about the current stage.
pub fn no_harm(plan: &Plan, state: &State, facts: &Facts) -> Gate {
    let Some(stage) = plan.stages.get(state.stage) else {
        return Gate::Wait;
    };
    if state.clock_started_at_us.is_none() || state.soaked_us < stage.dwell_us {
        return Gate::Wait;
    }
    if !needs_data(stage) {
        return if facts.delivery.is_applied() {
            Gate::Proceed
        } else {
            Gate::Wait
        };
    }
    if let Some(reason) = missing_data(stage, facts) {
        return Gate::Hold(reason);
    }
    match verdict::ladder(plan, facts) {
        Ladder::None if facts.fresh && facts.delivery.is_applied() => Gate::Proceed,
        Ladder::None | Ladder::Warn => Gate::Wait,
        Ladder::Hold | Ladder::Abort => Gate::Hold(HoldReason::Evidence),
    }
}

/// Whether a stage can only be left on what was heard from its units.
fn needs_data(stage: &Stage) -> bool {
    stage.share.is_compared() || (stage.share == Share::ALL && stage.dwell_us > 0)
}

/// Why the data of this visit does not suffice, the most telling reason first.
fn missing_data(stage: &Stage, facts: &Facts) -> Option<HoldReason> {
    let treatment = &facts.arms.treatment;
    let control = stage.share.is_compared().then_some(&facts.arms.control);
    let heard = || std::iter::once(treatment).chain(control);
    if heard().all(Totals::is_silent) {
        return Some(HoldReason::NoTraffic);
    }
    if treatment.is_silent() {
        return Some(HoldReason::NoTreatmentTraffic);
    }
    if heard().any(|arm| arm.outcomes < stage.minimum_outcomes.max(1)) {
        return Some(HoldReason::TooFewOutcomes);
    }
    heard()
        .any(|arm| arm.units < stage.minimum_units.max(1))
        .then_some(HoldReason::TooFewUnits)
}
