//! One step of a rollout: plan, state, facts and time in; the next state and at most one transition out.
//!
//! Harm is looked at first, in every state, before freshness, soak or sample sizes. Everything else is an answer to
//! [`Verdict`]: hold, start the clock, pass the gate, resume, cut the horizon. Exposure rises by one stage at a time,
//! however long nobody looked.

use crate::verdict::{self, Verdict};
use crate::{
    AbortCause, DAY_US, Facts, HoldReason, Horizon, Micros, Phase, Plan, State, Transition, Unit, Visit,
    evidence::budget::Ladder,
};

/// The most that one step adds to the soak: a longer gap was seen by nobody.
const LONGEST_SOAK_US: Micros = 5_000_000;
/// How long data may lack freshness before the rollout is held as stale.
pub(crate) const STALE_AFTER_US: Micros = 10_000_000;
/// How long an abort waits for a first live agent before it counts as delivered to a fleet that is not there.
const ALONE_AFTER_US: Micros = 60_000_000;

/// What a step gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The next state. It differs from the one before even without a transition: soak and observation times move on.
    pub state: State,
    /// What happened, if anything did.
    pub transition: Option<Transition>,
}

/// The state of a rollout that starts now: its first stage is wanted.
pub fn start(plan: &Plan, now: Micros) -> State {
    let mut visits = Vec::with_capacity(plan.stages.len());
    visits.push(Visit {
        stage: 0,
        visit: 1,
        entered_at_us: now,
    });
    State {
        phase: Phase::Delivering,
        sequence: 0,
        stage: 0,
        visits,
        horizons: vec![Horizon {
            stage: 0,
            started_at_us: now,
        }],
        soaked_us: 0,
        observed_at_us: now,
        fresh_at_us: now,
        entered_at_us: now,
        clock_started_at_us: None,
        alone_since_us: None,
        ended_at_us: None,
    }
}

/// The next state of a rollout.
///
/// The plan is one without violations. Calls come about every second and never for superseded facts; a longer gap
/// soaks five seconds at most.
pub fn step(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> Step {
    if state.is_final() {
        return Step {
            state: state.clone(),
            transition: None,
        };
    }
    let mut next = state.clone();
    observe(&mut next, plan, facts, now);
    let transition = decide(plan, &next, facts, now);
    if let Some(transition) = transition {
        apply(&mut next, transition, now);
    }
    Step {
        state: next,
        transition,
    }
}

/// Moves times and soak on to `now`, without any decision.
fn observe(state: &mut State, plan: &Plan, facts: &Facts, now: Micros) {
    let elapsed_us = now.saturating_sub(state.observed_at_us).clamp(0, LONGEST_SOAK_US);
    if soaks(state, plan, facts) {
        state.soaked_us = state.soaked_us.saturating_add(elapsed_us);
    }
    state.observed_at_us = now;
    // A new leader's grace begins with it: agents need a moment to find it.
    if facts.fresh || facts.resumed {
        state.fresh_at_us = now;
    }
    state.alone_since_us = match state.phase {
        Phase::Aborting if facts.delivery.live == 0 && !facts.resumed => state.alone_since_us.or(Some(now)),
        Phase::Aborting | Phase::Delivering | Phase::Soaking | Phase::Held(_) | Phase::Aborted | Phase::Completed => {
            None
        }
    };
}

/// Whether the time since the last step counts as soak.
fn soaks(state: &State, plan: &Plan, facts: &Facts) -> bool {
    let was_running = match state.phase {
        Phase::Soaking => true,
        Phase::Held(reason) => match reason {
            HoldReason::NoTraffic
            | HoldReason::NoTreatmentTraffic
            | HoldReason::TooFewOutcomes
            | HoldReason::TooFewUnits => true,
            HoldReason::NoAgents | HoldReason::Stale | HoldReason::Evidence | HoldReason::FlagOff => false,
        },
        Phase::Delivering | Phase::Aborting | Phase::Aborted | Phase::Completed => false,
    };
    was_running
        && state.clock_started_at_us.is_some()
        && facts.fresh
        && !facts.off
        && !facts.resumed
        && facts.delivery.is_applied()
        && verdict::ladder(plan, facts) < Ladder::Hold
}

/// The one transition to make now, if any.
fn decide(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> Option<Transition> {
    let unseen = facts.resumed && !facts.fresh;
    if state.phase == Phase::Aborting {
        return (!facts.resumed && is_abort_delivered(state, facts, now)).then_some(Transition::AbortDelivered);
    }
    let main = match verdict::judge(plan, state, facts, now) {
        Verdict::Abort(cause) => return Some(Transition::Aborted(cause)),
        Verdict::Hold(_) | Verdict::Inconclusive | Verdict::Safe if unseen => return None,
        Verdict::Hold(reason) => hold(state, reason),
        Verdict::Inconclusive => carry_on(state, facts),
        Verdict::Safe => Some(pass(plan, state)),
    };
    main.or_else(|| is_horizon_over(plan, state, facts, now).then_some(Transition::HorizonCut))
}

/// Whether the abort has reached all that can be reached.
fn is_abort_delivered(state: &State, facts: &Facts, now: Micros) -> bool {
    facts.delivery.is_persisted()
        || state
            .alone_since_us
            .is_some_and(|since| now.saturating_sub(since) >= ALONE_AFTER_US)
}

/// Holding, unless it is already held for this reason.
fn hold(state: &State, reason: HoldReason) -> Option<Transition> {
    (state.phase != Phase::Held(reason)).then_some(Transition::Held(reason))
}

/// What there is to do in a stage that can neither be left nor held.
fn carry_on(state: &State, facts: &Facts) -> Option<Transition> {
    if state.clock_started_at_us.is_none() && facts.delivery.is_applied() {
        return Some(Transition::ClockStarted);
    }
    match state.phase {
        Phase::Held(_) => Some(Transition::Resumed),
        Phase::Delivering | Phase::Soaking | Phase::Aborting | Phase::Aborted | Phase::Completed => None,
    }
}

/// Into the next stage, or out of the last one.
fn pass(plan: &Plan, state: &State) -> Transition {
    let to = state.stage + 1;
    if to < plan.stages.len() {
        Transition::Advanced { from: state.stage, to }
    } else {
        Transition::Completed
    }
}

/// Whether a unit may count anew: after a day, or when positions begin to collide.
fn is_horizon_over(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> bool {
    let started_at_us = state
        .horizons
        .last()
        .map_or(state.entered_at_us, |horizon| horizon.started_at_us);
    match plan.unit {
        Unit::Unit => facts.positions_full || now.saturating_sub(started_at_us) >= DAY_US,
        Unit::Request => false,
    }
}

/// Carries a transition out.
fn apply(state: &mut State, transition: Transition, now: Micros) {
    state.sequence += 1;
    match transition {
        Transition::ClockStarted => {
            state.clock_started_at_us = Some(now);
            state.fresh_at_us = now;
            state.phase = Phase::Soaking;
        }
        Transition::Advanced { from: _, to } => enter(state, to, now),
        Transition::Held(reason) => state.phase = Phase::Held(reason),
        Transition::Resumed => {
            state.phase = if state.clock_started_at_us.is_some() {
                Phase::Soaking
            } else {
                Phase::Delivering
            };
        }
        Transition::HorizonCut => state.horizons.push(Horizon {
            stage: state.stage,
            started_at_us: now,
        }),
        Transition::Aborted(AbortCause::Evidence { .. } | AbortCause::Person) => {
            state.phase = Phase::Aborting;
            state.ended_at_us = Some(now);
        }
        Transition::AbortDelivered => state.phase = Phase::Aborted,
        Transition::Completed => {
            state.phase = Phase::Completed;
            state.ended_at_us = Some(now);
        }
    }
}

/// Begins a visit of a stage: a new horizon, no soak, nothing acknowledged yet.
fn enter(state: &mut State, stage: usize, now: Micros) {
    let earlier = state.visits.iter().filter(|visit| visit.stage == stage).count();
    let visit = u32::try_from(earlier).unwrap_or(u32::MAX).saturating_add(1);
    state.visits.push(Visit {
        stage,
        visit,
        entered_at_us: now,
    });
    state.horizons.push(Horizon {
        stage,
        started_at_us: now,
    });
    state.phase = Phase::Delivering;
    state.stage = stage;
    state.soaked_us = 0;
    state.fresh_at_us = now;
    state.entered_at_us = now;
    state.clock_started_at_us = None;
}
