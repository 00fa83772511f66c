//! Carrying a transition out: what each does to the state, whoever decided it.

use crate::{Horizon, Micros, Phase, Plan, State, Transition, Visit, state::Tick};

/// Where a gate that opens leads: the next stage, the bake, or the end.
pub(crate) fn passed(plan: &Plan, state: &State) -> Transition {
    let to = state.stage + 1;
    if to < plan.stages.len() {
        return Transition::Advanced { from: state.stage, to };
    }
    let bakes = plan.bake_us > 0 || !plan.exit.is_empty() || !plan.reaches_everybody();
    if bakes && !state.is_baking() {
        Transition::BakeStarted
    } else {
        Transition::Completed
    }
}

/// Carries a transition out that needs nothing but its time.
pub(crate) fn apply(state: &mut State, transition: &Transition, now: Micros) {
    state.sequence += 1;
    match transition {
        Transition::Submitted => before_start(state, Phase::Ready, now),
        Transition::StartAsked => before_start(state, Phase::AwaitingStart, now),
        Transition::Started => enter(state, 0, now),
        Transition::ClockStarted => {
            state.clock_started_at_us = Some(now);
            state.fresh_at_us = now;
            running(state);
        }
        Transition::GateReached => state.phase = Phase::Gate,
        Transition::Extended { by_us, times } => {
            state.extended_us = state.extended_us.saturating_add(*by_us);
            state.extensions = *times;
            running(state);
        }
        Transition::Advanced { from: _, to } | Transition::SteppedBack { from: _, to } => enter(state, *to, now),
        Transition::Held(reasons) => {
            state.phase = Phase::Held;
            state.holds.clone_from(reasons);
        }
        Transition::Paused => {
            state.phase = Phase::Paused;
            state.holds.clear();
        }
        Transition::Resumed => running(state),
        Transition::HorizonCut => state.horizons.push(Horizon {
            stage: state.stage,
            started_at_us: now,
        }),
        Transition::BakeStarted => {
            state.desk.dismissals.clear();
            state.baking_since_us = Some(now);
            state.soaked_us = 0;
            running(state);
        }
        Transition::Aborted(_) => ended(state, Phase::Aborting, now),
        Transition::AbortDelivered => state.phase = Phase::Aborted,
        Transition::RolledBack(_) => ended(state, Phase::RolledBack, now),
        Transition::Completed => ended(state, Phase::Completed, now),
        Transition::Superseded => ended(state, Phase::Superseded, now),
        Transition::Expired => ended(state, Phase::Expired, now),
        Transition::FixAsked => state.desk.fixing = true,
        Transition::Acknowledged => state.desk.acknowledged_at_us = Some(now),
        Transition::Archived => {
            state.desk.archived = true;
            if !state.is_final() {
                ended(state, Phase::Expired, now);
            }
        }
        Transition::Unticked { list, item } => {
            let is_other = |tick: &Tick| tick.list != *list || tick.item != *item;
            state.desk.ticks.retain(is_other);
        }
        // What these carry is a person's, and is written where the act is.
        Transition::Approved(_)
        | Transition::Ticked { .. }
        | Transition::IssueAdded { .. }
        | Transition::IssueClosed { .. }
        | Transition::Dismissed(_)
        | Transition::Rebased => {}
    }
}

fn before_start(state: &mut State, phase: Phase, now: Micros) {
    state.phase = phase;
    state.entered_at_us = now;
}

fn ended(state: &mut State, phase: Phase, now: Micros) {
    state.phase = phase;
    state.holds.clear();
    state.ended_at_us = Some(now);
}

/// What a live rollout does when nothing stops it.
pub(crate) fn running(state: &mut State) {
    state.holds.clear();
    state.phase = if state.clock_started_at_us.is_none() {
        Phase::Ramp
    } else if state.is_baking() {
        Phase::Baking
    } else {
        Phase::Soak
    };
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
    state.phase = Phase::Ramp;
    state.holds.clear();
    state.stage = stage;
    state.soaked_us = 0;
    state.extensions = 0;
    state.extended_us = 0;
    state.fresh_at_us = now;
    state.entered_at_us = now;
    state.clock_started_at_us = None;
    state.baking_since_us = None;
    state.desk.fixing = false;
    // What was dismissed was about what one visit has shown.
    state.desk.dismissals.clear();
    // What was ticked and approved for an earlier visit of this stage was about that visit.
    state
        .desk
        .ticks
        .retain(|tick| tick.list != crate::state::List::Stage(stage));
    state.desk.approvals.retain(|given| given.stage != Some(stage));
}
