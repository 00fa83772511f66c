//! What cannot work, beyond the plan's own rules: names that nobody knows, gates that never open, a grave risk that
//! begins too wide, and nothing that takes it back.

use super::{Surroundings, is_staff};
use crate::{
    Level, Micros, Phase, Plan, Share, Stage, Unit, Violation, Wait,
    calendar::{self, Calendar},
    risk::{Assessment, Risk},
    simulate::Walk,
    violation::report,
};

/// The most that the first stage of a grave plan may expose of all: 1 %.
const FIRST: u32 = 1_000;

pub(super) fn check(plan: &Plan, around: &Surroundings<'_>, now: Micros, found: &mut Vec<Violation>) {
    check_flag(plan, around, found);
    check_segments(plan, around, found);
    check_windows(plan, now, found);
    check_first(plan, found);
    let stops = plan.guards.iter().any(|guard| guard.level == Level::Abort)
        || plan.stages.iter().any(|stage| !stage.rollback.is_empty());
    // A plan that has neither guards nor criteria was told already.
    if !stops && !plan.guards.is_empty() {
        let description =
            "no guard may abort and no stage has a rollback criterion: nothing takes this rollout back by itself";
        report(found, "guards", description.to_owned());
    }
}

fn check_flag(plan: &Plan, around: &Surroundings<'_>, found: &mut Vec<Violation>) {
    match &around.variants {
        None => report(
            found,
            "flag",
            format!("there is no flag {:?} here; create it first", plan.flag),
        ),
        Some(variants) => {
            for (field, name) in [("treatment", &plan.treatment), ("control", &plan.control)] {
                if !variants.contains(&name.as_str()) {
                    let known = variants.join(", ");
                    report(
                        found,
                        field,
                        format!("the flag has no variant {name:?}; it has: {known}"),
                    );
                }
            }
        }
    }
    let other = plan.kill_switch.as_ref().map(|kill| &kill.flag);
    if let Some(flag) = other.filter(|flag| !flag.is_empty() && **flag != plan.flag)
        && !around.knows_kill_flag
    {
        report(
            found,
            "kill_switch.flag",
            format!("there is no flag {flag:?} here; create it first"),
        );
    }
}

fn check_segments(plan: &Plan, around: &Surroundings<'_>, found: &mut Vec<Violation>) {
    for (position, stage) in plan.stages.iter().enumerate() {
        for (at, key) in stage.audience.iter().enumerate() {
            let field = format!("stages[{position}].audience[{at}]");
            match around.segments.get(key.as_str()).map(|segment| segment.per_request) {
                None => report(
                    found,
                    field,
                    format!("there is no segment {key:?} here; create it first"),
                ),
                Some(Some(attribute)) if plan.unit == Unit::Unit => {
                    let description = format!(
                        "segment {key:?} reads {attribute:?}, which changes from request to request, so that a unit could \
                         flip between the arms; write unit: request, or an audience that keeps its units"
                    );
                    report(found, field, description);
                }
                Some(Some(_) | None) => {}
            }
        }
    }
}

fn check_windows(plan: &Plan, now: Micros, found: &mut Vec<Violation>) {
    let from = plan.start_at_us.map_or(now, |at| at.max(now));
    let whole = plan.calendar();
    if calendar::next_open(&[&whole], from).is_none() {
        let description =
            "no gate could ever open, nor the rollout start: the freezes and the dates leave nothing of the windows";
        report(found, "windows", description.to_owned());
        return;
    }
    for (position, stage) in plan.stages.iter().enumerate() {
        let own = Calendar {
            open: stage.windows.clone(),
            frozen: Vec::new(),
        };
        let field = format!("stages[{position}].windows");
        if calendar::next_open(&[&whole, &own], from).is_none() && !found.iter().any(|known| known.field == field) {
            let description =
                "its gate could never open: the windows and the freezes of the plan leave nothing of its own";
            report(found, field, description.to_owned());
        }
    }
}

/// What is of high risk begins with staff, or with 1 % of all at most. A stage that exposes nobody does not count.
fn check_first(plan: &Plan, found: &mut Vec<Violation>) {
    if plan.risk.as_ref().map(Assessment::overall) != Some(Risk::High) {
        return;
    }
    let exposes = |stage: &Stage| !stage.shadow && stage.share > Share::NONE;
    let Some(at) = plan.stages.iter().position(exposes) else {
        return;
    };
    let first = &plan.stages[at];
    let are_staff = !first.audience.is_empty() && first.audience.iter().all(|key| is_staff(plan, key));
    if are_staff || first.share.get() <= FIRST {
        return;
    }
    let description = format!(
        "the risk is HIGH, so the first stage is for staff (a segment whose key says staff, internal or employee, or that \
         the label staff names) or for at most 1 %, not for {} %",
        first.share
    );
    report(found, format!("stages[{at}].percentage"), description);
}

/// What only comes out when the plan is walked: a window that is over before its stage is, a start that comes too late.
pub(super) fn check_walk(plan: &Plan, walk: &Walk, found: &mut Vec<Violation>) {
    if walk.state.phase == Phase::Expired && found.is_empty() {
        let description = "is more than 90 days away: a rollout that is not started by then expires".to_owned();
        let field = if plan.start_at_us.is_some() {
            "start_at"
        } else {
            "windows"
        };
        report(found, field, description);
    }
    let closed = walk
        .waits
        .iter()
        .any(|wait| matches!(wait, Wait::Window { until_us: None, .. }));
    if closed && walk.state.is_live() && found.is_empty() {
        let description = "no window is left by the time that the stage could be left, if all goes well".to_owned();
        report(found, format!("stages[{}].windows", walk.state.stage), description);
    }
}
