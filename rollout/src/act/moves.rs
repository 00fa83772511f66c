//! The acts that move a rollout or its clock, and what stands against each.

use super::Refusal;
use crate::{
    AbortCause, Facts, HoldReason, Ladder, Micros, Phase, Plan, State, Transition,
    gate::{self, Outcome},
    made, signal, verdict,
};

/// The most extensions of one visit by people.
const MOST_EXTENSIONS: u32 = 100;
/// The most visits of stages.
const MOST_VISITS: usize = 200;

pub(super) fn resume(state: &mut State) -> Result<Transition, Refusal> {
    let other = state
        .holds
        .iter()
        .copied()
        .filter(|reason| *reason != HoldReason::Person);
    let other: Vec<HoldReason> = other.collect();
    if state.phase == Phase::Held && !state.desk.held {
        return Err(Refusal::HeldFor(other));
    }
    state.desk.held = false;
    Ok(Transition::Resumed)
}

pub(super) fn advance(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> Result<Transition, Refusal> {
    allowed(plan, state, Outcome::Proceed)?;
    if state.is_baking() {
        return Err(Refusal::Phase {
            act: "advance",
            phase: Phase::Baking,
        });
    }
    stopped(plan, state, facts, "advance")?;
    let waits = gate::formalities(plan, state, facts, now);
    if !waits.is_empty() {
        return Err(Refusal::Waits(waits));
    }
    if state.clock_started_at_us.is_none() {
        return Err(Refusal::Phase {
            act: "advance",
            phase: Phase::Ramp,
        });
    }
    if state.visits.len() >= MOST_VISITS {
        return Err(Refusal::TooMany("visits of stages"));
    }
    Ok(made::passed(plan, state))
}

/// Nothing goes up while something that a person cannot wave away speaks against it.
fn stopped(plan: &Plan, state: &State, facts: &Facts, act: &'static str) -> Result<(), Refusal> {
    // Another replica has aborted it, or a rule is about to, and the state does not say so yet.
    if facts.latched || facts.concerns.rule.is_some() {
        let phase = Phase::Aborting;
        return Err(Refusal::Phase { act, phase });
    }
    let standing = signal::standing(plan, state, facts);
    let harm = verdict::ladder(plan, &standing) >= Ladder::Hold;
    // What was dismissed a moment ago is in the state until its next step.
    let is_dismissed = |reason: &HoldReason| {
        let is_of = |dismissal: &crate::state::Dismissal| dismissal.reason == *reason;
        state.desk.dismissals.iter().any(is_of) && !standing.concerns.holds.contains(reason)
    };
    let grave = state.holds.iter().copied().filter(|reason| !reason.soaks());
    let grave = grave.filter(|reason| !is_dismissed(reason));
    let mut grave: Vec<HoldReason> = grave.collect();
    for (applies, reason) in [
        (facts.off, HoldReason::FlagOff),
        (state.desk.held, HoldReason::Person),
        (harm, HoldReason::Evidence),
    ] {
        if applies && !grave.contains(&reason) {
            grave.push(reason);
        }
    }
    grave.sort_unstable();
    if grave.is_empty() {
        Ok(())
    } else {
        Err(Refusal::HeldFor(grave))
    }
}

pub(super) fn hold(plan: &Plan, state: &mut State, facts: &Facts, now: Micros) -> Result<Transition, Refusal> {
    if state.desk.held {
        return Err(Refusal::Already("it is held by a person already".to_owned()));
    }
    state.desk.held = true;
    Ok(Transition::Held(verdict::holds(plan, state, facts, now)))
}

pub(super) fn fix(plan: &Plan, state: &State) -> Result<Transition, Refusal> {
    allowed(plan, state, Outcome::Fix)?;
    if state.desk.open_issues().next().is_none() {
        return Err(Refusal::NoIssue);
    }
    if state.desk.fixing {
        return Err(Refusal::Already(
            "its gate waits for the open issues already".to_owned(),
        ));
    }
    Ok(Transition::FixAsked)
}

pub(super) fn extend(plan: &Plan, state: &State, by_us: Option<Micros>) -> Result<Transition, Refusal> {
    allowed(plan, state, Outcome::Extend)?;
    let Some(stage) = plan.stages.get(state.stage).filter(|_| !state.is_baking()) else {
        return Err(Refusal::Phase {
            act: "extend",
            phase: state.phase,
        });
    };
    let most = if stage.max_extensions == 0 {
        MOST_EXTENSIONS
    } else {
        stage.max_extensions
    };
    if state.extensions >= most {
        return Err(Refusal::Extensions(most));
    }
    let by_us = by_us.unwrap_or_else(|| stage.extension());
    if !(1..=365 * crate::DAY_US).contains(&by_us) {
        return Err(Refusal::Extension);
    }
    Ok(Transition::Extended {
        by_us,
        times: state.extensions + 1,
    })
}

pub(super) fn step_back(state: &State, to: usize) -> Result<Transition, Refusal> {
    if to >= state.stage {
        return Err(Refusal::NotEarlier {
            to,
            current: state.stage,
        });
    }
    if state.visits.len() >= MOST_VISITS {
        return Err(Refusal::TooMany("visits of stages"));
    }
    Ok(Transition::SteppedBack { from: state.stage, to })
}

pub(super) fn trigger(plan: &Plan, name: &str) -> Result<Transition, Refusal> {
    if plan.manual_triggers.iter().any(|trigger| trigger == name) {
        return Ok(Transition::Aborted(AbortCause::Trigger(name.to_owned())));
    }
    Err(Refusal::NoTrigger {
        name: name.to_owned(),
        known: plan.manual_triggers.clone(),
    })
}

pub(super) fn complete(plan: &Plan, state: &State, facts: &Facts) -> Result<Transition, Refusal> {
    if !state.is_baking() {
        return Err(Refusal::Phase {
            act: "complete",
            phase: state.phase,
        });
    }
    stopped(plan, state, facts, "complete")?;
    // A person may end the bake early; what else the list asks for stays asked for.
    let mut over = state.clone();
    over.soaked_us = over.soaked_us.max(plan.bake_us);
    match gate::exit(plan, &over) {
        Some(wait) => Err(Refusal::Waits(vec![wait])),
        None => Ok(Transition::Completed),
    }
}

fn allowed(plan: &Plan, state: &State, outcome: Outcome) -> Result<(), Refusal> {
    match plan.stages.get(state.stage) {
        Some(stage) if !stage.allows(outcome) => Err(Refusal::Outcome {
            outcome: outcome.name(),
            allowed: stage.outcomes.iter().map(|outcome| outcome.name()).collect(),
        }),
        Some(_) | None => Ok(()),
    }
}
