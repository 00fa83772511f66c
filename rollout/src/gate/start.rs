//! What a start waits for: its approvals, its list, its time, its windows, and a flag that is on.

use super::{Wait, closed};
use crate::{
    Facts, Micros, Phase, Plan, State,
    plan::{Item, TickedBy},
    state::List,
};

/// What a draft or a submitted rollout waits for.
pub(super) fn before_a_person(plan: &Plan, state: &State) -> Vec<Wait> {
    let first = if state.phase == Phase::Draft {
        Wait::Submission
    } else {
        Wait::Person
    };
    std::iter::once(first).chain(approvals(plan, state)).collect()
}

/// What a rollout that somebody has started waits for.
pub(super) fn waits(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> Vec<Wait> {
    let mut waits: Vec<Wait> = approvals(plan, state).into_iter().collect();
    let open: Vec<String> = plan
        .preflight
        .iter()
        .filter(|item| !is_done(item, state, facts))
        .map(|item| item.name.clone())
        .collect();
    if !open.is_empty() {
        waits.push(Wait::Items(open));
    }
    if let Some(at) = plan.start_at_us.filter(|at| *at > now) {
        waits.push(Wait::StartTime(at));
    }
    if facts.off {
        waits.push(Wait::FlagOff);
    }
    let calendar = plan.calendar();
    closed(plan, &[&calendar], now, &mut waits);
    waits
}

fn approvals(plan: &Plan, state: &State) -> Option<Wait> {
    let have = state.desk.approved(None);
    (have < plan.approvals).then_some(Wait::Approvals {
        have,
        need: plan.approvals,
    })
}

fn is_done(item: &Item, state: &State, facts: &Facts) -> bool {
    match item.by {
        TickedBy::Check => facts.checked.contains(&item.name),
        TickedBy::Automation | TickedBy::Person => state.desk.is_ticked(List::Preflight, &item.name),
    }
}
