//! A gate: what must be true to leave a stage, said as the list of what it still waits for.
//!
//! The list is the one place where this is worked out: the engine goes on when it is empty, and people are shown it as
//! it is. A gate opens on what was heard, never on silence: without data it waits or holds, whatever the policy, unless
//! the policy is the dwell alone.

mod finding;
mod policy;
mod start;
mod wait;

pub(crate) use self::finding::{Minimum, on_minimum};
pub use self::{
    finding::{Finding, criterion},
    policy::{Outcome, Policy},
    wait::Wait,
};
use crate::{
    Facts, HoldReason, Ladder, Micros, Phase, Plan, Share, Stage, State, Totals,
    calendar::{self, Calendar},
    plan::{Item, TickedBy},
    signal,
    state::List,
    verdict,
};

/// What a rollout waits for before its next move; empty: it moves.
///
/// Before the start these are the start's conditions, while it bakes those of the completion, else those of the gate.
pub fn waits(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> Vec<Wait> {
    match state.phase {
        Phase::Draft | Phase::Ready => start::before_a_person(plan, state),
        Phase::AwaitingStart => start::waits(plan, state, facts, now),
        Phase::Ramp | Phase::Soak | Phase::Gate | Phase::Held | Phase::Paused | Phase::Baking => {
            let facts = signal::standing(plan, state, facts);
            let mut waits = Vec::new();
            if state.is_baking() {
                bake(plan, state, &facts, &mut waits);
            } else {
                stage(plan, state, &facts, now, &mut waits);
            }
            waits
        }
        Phase::Aborting => vec![Wait::Persisted {
            persisted: facts.delivery.persisted,
            live: facts.delivery.live,
        }],
        Phase::Completed | Phase::RolledBack | Phase::Aborted | Phase::Superseded | Phase::Expired => Vec::new(),
    }
}

/// Why the data of this visit does not suffice once the dwell is over, the most telling reason first.
pub(crate) fn missing_data(plan: &Plan, position: usize, facts: &Facts) -> Option<HoldReason> {
    let stage = plan.stages.get(position).filter(|stage| stage.needs_data())?;
    let treatment = &facts.arms.treatment;
    let control = plan.wanted(position).is_compared().then_some(&facts.arms.control);
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

/// Whether the gate of a stage that has soaked and has its data says no: not yet safe, and not harmful.
pub(crate) fn is_inconclusive(plan: &Plan, state: &State, facts: &Facts) -> bool {
    failing(plan, state, facts).next().is_some() || is_unproved(plan, state, facts)
}

/// The same, if a person has not dismissed each criterion that does not hold.
pub(crate) fn stands_inconclusive(plan: &Plan, state: &State, facts: &Facts) -> bool {
    let mut failing = failing(plan, state, facts);
    failing.any(|position| !is_judged_by_a_person(plan, state, position)) || is_unproved(plan, state, facts)
}

/// The success criteria of the present stage that do not hold, by their positions.
pub(crate) fn failing(plan: &Plan, state: &State, facts: &Facts) -> impl Iterator<Item = usize> {
    let stage = plan.stages.get(state.stage).into_iter();
    let written = stage.flat_map(|stage| stage.success.iter().map(move |written| (stage, written)));
    let found = written.map(|(stage, written)| criterion(plan, stage, facts, written));
    found
        .enumerate()
        .filter(|(_, found)| *found == Finding::Fails)
        .map(|(position, _)| position)
}

/// Whether a proof is asked for that the data does not give.
fn is_unproved(plan: &Plan, state: &State, facts: &Facts) -> bool {
    asks_for_proof(plan, state) && facts.certified == Some(false)
}

/// Whether the present stage is left by proof alone.
pub(crate) fn asks_for_proof(plan: &Plan, state: &State) -> bool {
    plan.stages.get(state.stage).map(|stage| stage.policy) == Some(Policy::Certify)
}

/// Whether a person has dismissed that a criterion of the present visit does not hold. A proof that is asked for is not
/// dismissed.
fn is_judged_by_a_person(plan: &Plan, state: &State, position: usize) -> bool {
    let mut dismissed = state.desk.dismissals.iter();
    !asks_for_proof(plan, state)
        && dismissed
            .any(|dismissal| dismissal.reason == HoldReason::Inconclusive && dismissal.criterion == Some(position))
}

/// What not even a person's word passes over: everything but these is the gate's own judgement.
pub(crate) fn formalities(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> Vec<Wait> {
    let mut waits = Vec::new();
    if let Some(stage) = plan.stages.get(state.stage) {
        delivered(facts, &mut waits);
        desk(stage, state, &mut waits);
        windows(plan, stage, now, &mut waits);
    }
    waits
}

fn stage(plan: &Plan, state: &State, facts: &Facts, now: Micros, waits: &mut Vec<Wait>) {
    let Some(stage) = plan.stages.get(state.stage) else {
        return;
    };
    delivered(facts, waits);
    match state.dwell_us(plan) {
        Some(dwell) if state.soaked_us >= dwell && state.clock_started_at_us.is_some() => {}
        dwell => waits.push(Wait::Soak {
            left_us: dwell.map(|dwell| (dwell - state.soaked_us).max(0)),
        }),
    }
    judgement(plan, stage, state, facts, waits);
    desk(stage, state, waits);
    if !stage.allows(Outcome::Proceed) {
        waits.push(Wait::Person);
    }
    windows(plan, stage, now, waits);
}

/// Nothing goes on before what is wanted has been applied.
fn delivered(facts: &Facts, waits: &mut Vec<Wait>) {
    if !facts.delivery.is_applied() {
        waits.push(Wait::Agents {
            applied: facts.delivery.applied,
            live: facts.delivery.live,
        });
    }
}

/// What the stage's policy and criteria say of the data.
fn judgement(plan: &Plan, stage: &Stage, state: &State, facts: &Facts, waits: &mut Vec<Wait>) {
    if stage.needs_data() {
        if !facts.fresh {
            waits.push(Wait::Fresh);
        }
        waits.extend(missing_data(plan, state.stage, facts).map(Wait::Data));
        let ladder = verdict::ladder(plan, facts);
        if ladder != Ladder::None {
            waits.push(Wait::Evidence(ladder));
        }
    }
    for (position, written) in stage.success.iter().enumerate() {
        let finding = criterion(plan, stage, facts, written);
        let is_dismissed = finding == Finding::Fails && is_judged_by_a_person(plan, state, position);
        if finding != Finding::Holds && !is_dismissed {
            waits.push(Wait::Criterion { position, finding });
        }
    }
    if stage.policy == Policy::Certify && facts.certified != Some(true) {
        waits.push(Wait::Certificate);
    }
}

/// What people still have to do.
fn desk(stage: &Stage, state: &State, waits: &mut Vec<Wait>) {
    let have = state.desk.approved(Some(state.stage));
    if have < stage.approvals {
        waits.push(Wait::Approvals {
            have,
            need: stage.approvals,
        });
    }
    let list = List::Stage(state.stage);
    let open = stage.checklist.iter().filter(|item| !state.desk.is_ticked(list, item));
    let open: Vec<String> = open.cloned().collect();
    if !open.is_empty() {
        waits.push(Wait::Items(open));
    }
    if state.desk.is_fixing() {
        waits.push(Wait::Issues(state.desk.open_issues().count()));
    }
}

/// Whether gates may open now, by the plan and by a stage.
fn windows(plan: &Plan, stage: &Stage, now: Micros, waits: &mut Vec<Wait>) {
    let of_plan = plan.calendar();
    let of_stage = Calendar {
        open: stage.windows.clone(),
        frozen: Vec::new(),
    };
    closed(plan, &[&of_plan, &of_stage], now, waits);
}

fn closed(plan: &Plan, calendars: &[&Calendar], now: Micros, waits: &mut Vec<Wait>) {
    if calendars.iter().all(|calendar| calendar.is_open(now)) {
        return;
    }
    let freeze = plan.freezes.iter().find(|(_, window)| window.contains(now));
    waits.push(Wait::Window {
        until_us: calendar::next_open(calendars, now),
        freeze: freeze.map(|(name, _)| name.clone()),
    });
}

fn bake(plan: &Plan, state: &State, facts: &Facts, waits: &mut Vec<Wait>) {
    delivered(facts, waits);
    if state.soaked_us < plan.bake_us {
        waits.push(Wait::Soak {
            left_us: Some(plan.bake_us - state.soaked_us),
        });
    }
    let ladder = verdict::ladder(plan, facts);
    if ladder != Ladder::None {
        waits.push(Wait::Evidence(ladder));
    }
    waits.extend(exit(plan, state));
    if !plan.reaches_everybody() {
        waits.push(Wait::Person);
    }
}

/// The items of the exit list that are open.
pub(crate) fn exit(plan: &Plan, state: &State) -> Option<Wait> {
    let is_done = |item: &&Item| match (item.by, item.name.as_str()) {
        (TickedBy::Check, Item::BAKE_OVER) => state.soaked_us >= plan.bake_us,
        (TickedBy::Check, Item::ALL_REACHED) => plan.wanted(state.stage) == Share::ALL.less(plan.holdback),
        // It could not be completed if it had been aborted.
        (TickedBy::Check, _) => true,
        (TickedBy::Automation | TickedBy::Person, name) => state.desk.is_ticked(List::Exit, name),
    };
    let open: Vec<String> = plan
        .exit
        .iter()
        .filter(|item| !is_done(item))
        .map(|item| item.name.clone())
        .collect();
    (!open.is_empty()).then_some(Wait::Items(open))
}
