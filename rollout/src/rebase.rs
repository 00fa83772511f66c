//! A new version of the plan of a rollout: before the start anything goes, afterwards only what raises no exposure.
//!
//! What was entered stays as it was: the stages up to the highest that was ever visited keep their names, audiences and
//! percentages, so that nobody gets or loses the treatment by an edit, and no number of a stage is given twice. Stages
//! that nobody has seen may change freely. What the evidence was weighed by (unit, guards, budget) is frozen; dwells and stages ahead may change,
//! and the horizons that were planned at the start are kept.

use crate::{Micros, Plan, State, Transition, Violation, act::Acted, made, violation::report};

/// The state under a new version of the plan, or why it cannot be.
///
/// Approvals are for the plan that they were given for; under the new one they count no more.
pub fn rebase(before: &Plan, after: &Plan, state: &State, hash: u128, now: Micros) -> Result<Acted, Vec<Violation>> {
    let mut found = Vec::new();
    frozen(&mut found, "flag", before.flag == after.flag);
    frozen(
        &mut found,
        "environment",
        before.environment == after.environment || after.environment.is_empty(),
    );
    if !state.phase.is_before_start() {
        if state.is_final() || !state.is_live() {
            report(
                &mut found,
                "plan",
                format!("the rollout is {}; its plan stays as it was", state.phase.name()),
            );
        }
        check_live(before, after, state, &mut found);
    }
    if !found.is_empty() {
        return Err(found);
    }
    let mut next = state.clone();
    next.desk.plan_hash = hash;
    if !state.phase.is_before_start() {
        next.keep_planned(before, after);
        // What did not hold is not what a new plan asks.
        let criteria = |plan: &Plan| plan.stages.get(state.stage).map(|stage| stage.success.clone());
        if criteria(before) != criteria(after) {
            next.desk.dismissals.retain(|dismissal| dismissal.criterion.is_none());
        }
    }
    made::apply(&mut next, &Transition::Rebased, now);
    Ok(Acted {
        state: next,
        transition: Transition::Rebased,
    })
}

fn check_live(before: &Plan, after: &Plan, state: &State, found: &mut Vec<Violation>) {
    frozen(found, "treatment", before.treatment == after.treatment);
    frozen(found, "control", before.control == after.control);
    frozen(found, "unit", before.unit == after.unit);
    frozen(found, "unit_by", before.unit_by == after.unit_by);
    frozen(found, "guards", before.guards == after.guards);
    frozen(found, "baseline", before.baseline == after.baseline);
    frozen(found, "alpha", before.alpha == after.alpha);
    frozen(
        found,
        "max_control_rate",
        before.max_control_rate == after.max_control_rate,
    );
    frozen(found, "lost_after", before.lost_after_us == after.lost_after_us);
    frozen(found, "holdback", before.holdback == after.holdback);
    // What follows the last stage would be reached by the completion, past every gate of its own.
    let same_length = before.stages.len() == after.stages.len();
    frozen(found, "stages", same_length || !state.is_baking());
    let reached = state.highest_visited().map_or(0, |highest| highest + 1);
    for (position, stage) in before.stages.iter().enumerate().take(reached) {
        let path = format!("stages[{position}]");
        let Some(new) = after.stages.get(position) else {
            report(found, path, format!("stage {} was entered and must stay", stage.name));
            continue;
        };
        frozen(found, format!("{path}.name"), stage.name == new.name);
        frozen(found, format!("{path}.audience"), stage.audience == new.audience);
        frozen(found, format!("{path}.percentage"), stage.share == new.share);
        frozen(found, format!("{path}.shadow"), stage.shadow == new.shadow);
    }
}

fn frozen(found: &mut Vec<Violation>, field: impl Into<String>, is_same: bool) {
    if !is_same {
        report(
            found,
            field,
            "must stay as it is while the rollout is under way".to_owned(),
        );
    }
}
