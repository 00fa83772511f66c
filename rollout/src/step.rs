//! One step of a rollout: plan, state, facts and time in; the next state and at most one transition out.
//!
//! Harm is looked at first, in every live phase, before freshness, soak or sample sizes. Everything else is an answer
//! to [`Verdict`]. Exposure rises by one stage at a time, however long nobody looked.

use crate::{
    DAY_US, Facts, HoldReason, Micros, Phase, Plan, State, Transition, Unit, Wait, gate, made, signal,
    verdict::{self, Verdict},
};

/// How long data may lack freshness before the rollout is held as stale.
pub(crate) const STALE_AFTER_US: Micros = 10_000_000;
/// How long an abort waits for a first live agent before it counts as delivered to a fleet that is not there.
const ALONE_AFTER_US: Micros = 60_000_000;
/// How long a rollout may wait for its start before it expires: 90 days.
const EXPIRES_AFTER_US: Micros = 90 * DAY_US;

/// What a step gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The next state. It differs from the one before even without a transition: soak and observation times move on.
    pub state: State,
    /// What happened, if anything did.
    pub transition: Option<Transition>,
}

/// The next state of a rollout.
///
/// The plan is one without violations. Calls come about every second and never for superseded facts; of a longer gap
/// only [`Facts::longest_gap_us`] counts.
pub fn step(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> Step {
    if state.is_final() {
        return Step {
            state: state.clone(),
            transition: None,
        };
    }
    let mut next = observed(plan, state, facts, now);
    let transition = decide(plan, &next, facts, now);
    if let Some(transition) = &transition {
        made::apply(&mut next, transition, now);
    }
    Step {
        state: next,
        transition,
    }
}

/// The state at `now` before anything is decided: times and soak have moved on. What a step that leaves a stage sees
/// last of it.
pub fn observed(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> State {
    let mut next = state.clone();
    observe(&mut next, plan, facts, now);
    next
}

/// The next point in time at which a state may change though nothing else does; none for one that waits for agents,
/// data or people only. Never before `now`.
pub fn next_deadline(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> Option<Micros> {
    if state.is_final() || state.phase == Phase::Aborting {
        return None;
    }
    let waits = gate::waits(plan, state, facts, now);
    // A clock that stands brings nothing.
    let is_soaking = soaks(state, plan, facts);
    let comes = |wait: &&Wait| is_soaking || !matches!(wait, Wait::Soak { .. });
    let waited = waits.iter().filter(comes).filter_map(|wait| wait.until_us(now));
    let expiry = state
        .phase
        .is_before_start()
        .then(|| state.entered_at_us.saturating_add(EXPIRES_AFTER_US));
    let live = state.is_live();
    let horizon = state.horizons.last().filter(|_| live && plan.unit == Unit::Unit);
    let cut = horizon.map(|horizon| horizon.started_at_us.saturating_add(DAY_US));
    let stale = (live && state.clock_started_at_us.is_some() && !facts.fresh)
        .then(|| state.fresh_at_us.saturating_add(STALE_AFTER_US))
        .filter(|at| *at > now);
    let all = waited.chain(expiry).chain(cut).chain(stale);
    all.min().map(|deadline| deadline.max(now))
}

/// Moves times and soak on to `now`, without any decision.
fn observe(state: &mut State, plan: &Plan, facts: &Facts, now: Micros) {
    let elapsed_us = now
        .saturating_sub(state.observed_at_us)
        .clamp(0, facts.longest_gap_us.max(0));
    if soaks(state, plan, facts) {
        state.soaked_us = state.soaked_us.saturating_add(elapsed_us);
    }
    state.observed_at_us = now;
    // A new leader's grace begins with it: agents need a moment to find it.
    if facts.fresh || facts.resumed {
        state.fresh_at_us = now;
    }
    let is_alone = state.phase == Phase::Aborting && facts.delivery.live == 0 && !facts.resumed;
    state.alone_since_us = is_alone.then(|| state.alone_since_us.unwrap_or(now));
}

/// Whether the time since the last step counts as soak.
fn soaks(state: &State, plan: &Plan, facts: &Facts) -> bool {
    let was_running = match state.phase {
        Phase::Soak | Phase::Gate | Phase::Baking => true,
        Phase::Held => state.holds.iter().copied().all(HoldReason::soaks),
        Phase::Draft
        | Phase::Ready
        | Phase::AwaitingStart
        | Phase::Ramp
        | Phase::Paused
        | Phase::Aborting
        | Phase::Completed
        | Phase::RolledBack
        | Phase::Aborted
        | Phase::Superseded
        | Phase::Expired => false,
    };
    was_running
        && !state.desk.held
        && !state.desk.is_fixing()
        && state.clock_started_at_us.is_some()
        && facts.fresh
        && !facts.off
        && !facts.resumed
        && facts.delivery.is_applied()
        && verdict::ladder(plan, &signal::standing(plan, state, facts)) < crate::Ladder::Hold
}

/// The one transition to make now, if any.
fn decide(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> Option<Transition> {
    match state.phase {
        Phase::Draft | Phase::Ready => expires(state, now).then_some(Transition::Expired),
        Phase::AwaitingStart => waiting_to_start(plan, state, facts, now),
        Phase::Aborting => {
            (!facts.resumed && is_abort_delivered(state, facts, now)).then_some(Transition::AbortDelivered)
        }
        Phase::Ramp | Phase::Soak | Phase::Gate | Phase::Held | Phase::Paused | Phase::Baking => {
            live(plan, state, facts, now)
        }
        Phase::Completed | Phase::RolledBack | Phase::Aborted | Phase::Superseded | Phase::Expired => None,
    }
}

fn expires(state: &State, now: Micros) -> bool {
    now.saturating_sub(state.entered_at_us) >= EXPIRES_AFTER_US
}

fn waiting_to_start(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> Option<Transition> {
    if facts.latched {
        return verdict::harm(plan, facts).map(Transition::Aborted);
    }
    // A new leader raises nothing before it has seen how things are.
    let unseen = facts.resumed && !facts.fresh;
    if unseen {
        return None;
    }
    if gate::waits(plan, state, facts, now).is_empty() {
        return Some(Transition::Started);
    }
    expires(state, now).then_some(Transition::Expired)
}

fn live(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> Option<Transition> {
    let unseen = facts.resumed && !facts.fresh;
    let verdict = verdict::judge(plan, state, facts, now);
    let main = match verdict {
        Verdict::Abort(cause) => return Some(Transition::Aborted(cause)),
        Verdict::RollBack(_) | Verdict::Hold(_) | Verdict::Wait(_) | Verdict::Pass if unseen => return None,
        Verdict::RollBack(cause) => return Some(Transition::RolledBack(cause)),
        Verdict::Hold(_) | Verdict::Wait(_) | Verdict::Pass if state.phase == Phase::Paused => None,
        Verdict::Hold(reasons) => hold(state, reasons),
        Verdict::Wait(_) => carry_on(plan, state, facts),
        Verdict::Pass => Some(pass(plan, state)),
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

/// Holding, unless it is already held for these reasons.
fn hold(state: &State, reasons: Vec<HoldReason>) -> Option<Transition> {
    let is_new = state.phase != Phase::Held || state.holds != reasons;
    is_new.then_some(Transition::Held(reasons))
}

/// What there is to do in a stage that can neither be left nor held.
fn carry_on(plan: &Plan, state: &State, facts: &Facts) -> Option<Transition> {
    if state.clock_started_at_us.is_none() && facts.delivery.is_applied() {
        return Some(Transition::ClockStarted);
    }
    if state.phase == Phase::Held {
        return Some(Transition::Resumed);
    }
    if state.is_baking() || !state.is_soaked(plan) {
        return None;
    }
    let standing = signal::standing(plan, state, facts);
    if gate::is_inconclusive(plan, state, &standing) && verdict::may_extend(plan, state) {
        let by_us = plan.stages.get(state.stage)?.extension();
        let times = state.extensions.saturating_add(1);
        return Some(Transition::Extended { by_us, times });
    }
    (state.phase == Phase::Soak).then_some(Transition::GateReached)
}

/// Into the next stage, out of the last one, or out of the bake.
fn pass(plan: &Plan, state: &State) -> Transition {
    // Held for a reason that is gone, it goes on before it goes further: a record shows both.
    if state.phase == Phase::Held {
        return Transition::Resumed;
    }
    made::passed(plan, state)
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
