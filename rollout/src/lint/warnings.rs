//! What works, and is worth a second thought.

use super::{Surroundings, limit::ratio_to_control};
use crate::{
    DAY_US, Level, Phase, Plan, Share, Stage, Unit, Violation, Wait,
    catalogue::Kind,
    criterion::Comparison,
    duration::Dwell,
    measure,
    risk::{Assessment, Risk},
    simulate::Walk,
    strategy::Strategy,
    violation::report,
};

/// From here on counting bad units is nearly blind (guard.md 4a): 58 of them are needed even if all are treated.
const BLIND: u32 = 90_000;

pub(super) fn check(plan: &Plan, around: &Surroundings<'_>, found: &mut Vec<Violation>) {
    if let Some(served) = around.default.filter(|served| *served != plan.control) {
        let description = format!(
            "the flag serves {served:?} by default, not the control {:?}; a rollout starts from the control",
            plan.control
        );
        report(found, "control", description);
    }
    if plan.strategy == Strategy::Scheduled && plan.start_at_us.is_none() {
        report(
            found,
            "start_at",
            "a scheduled plan without a time begins whenever somebody starts it".to_owned(),
        );
    }
    check_dwells(plan, found);
    check_on_call(plan, found);
    found.extend(super::baseline::lacking(plan));
    found.extend(super::baseline::thin(plan));
    check_blind(plan, found);
    check_observed(plan, found);
}

/// What is only looked at, and cannot be seen.
fn check_observed(plan: &Plan, found: &mut Vec<Violation>) {
    for (position, metric) in plan.observed.iter().enumerate() {
        let is_quantile = matches!(plan.kind_of(metric), Some(Kind::Quantile(_)));
        if is_quantile && !measure::is_of_durations(plan, metric) {
            let description = format!(
                "{metric} is a quantile of values: agents count how many are beyond a limit and nothing else, so without one \
                 no number is shown and parity leaves it out; write a guard or an alert with a limit"
            );
            report(found, format!("observed[{position}]"), description);
        }
    }
}

/// Under a day not every hour was seen, over a week it is forgotten. Everybody's last stage is followed by the bake.
fn check_dwells(plan: &Plan, found: &mut Vec<Violation>) {
    let risk = plan.risk.as_ref().map(Assessment::overall);
    if risk.is_none_or(|risk| risk < Risk::Medium) {
        return;
    }
    for (position, stage) in plan.stages.iter().enumerate() {
        let bakes = position + 1 == plan.stages.len() && plan.reaches_everybody() && plan.bake_us >= DAY_US;
        let (is_short, is_long) = match stage.dwell {
            Dwell::For(us) => (us < DAY_US && !bakes, us > 7 * DAY_US),
            Dwell::Permanent => (false, true),
        };
        let wanted = if is_short {
            "at least a day, so that every hour of a day was seen"
        } else if is_long {
            "at most a week; what stays longer is forgotten"
        } else {
            continue;
        };
        let risk = risk.map_or("", Risk::name);
        let description = format!("at {risk} risk a stage stays for {wanted}, not {}", stage.dwell);
        report(found, format!("stages[{position}].dwell"), description);
    }
}

fn check_on_call(plan: &Plan, found: &mut Vec<Violation>) {
    let is_left = |stage: &&Stage| !stage.on_call_required && plan.people.on_call(&stage.name).is_none();
    let left: Vec<&str> = plan
        .stages
        .iter()
        .filter(is_left)
        .map(|stage| stage.name.as_str())
        .collect();
    if !left.is_empty() {
        report(
            found,
            "people.duties",
            format!("nobody is on call in: {}", left.join(", ")),
        );
    }
}

/// Stages in which nearly every unit is treated, with no limit of another kind on the same metric.
fn check_blind(plan: &Plan, found: &mut Vec<Violation>) {
    if plan.unit != Unit::Unit {
        return;
    }
    let counts_units = |written: &Comparison| {
        ratio_to_control(written).is_some() && plan.kind_of(written.metric.as_str()) == Some(Kind::Rate)
    };
    let aborting = || plan.guards.iter().filter(|guard| guard.level == Level::Abort);
    let is_seen_otherwise = |metric: &str| {
        aborting().any(|guard| guard.harm.metric.as_str() == metric && ratio_to_control(&guard.harm).is_none())
    };
    let blind = aborting().find(|guard| counts_units(&guard.harm) && !is_seen_otherwise(guard.harm.metric.as_str()));
    let Some(blind) = blind else {
        return;
    };
    for (position, stage) in plan.stages.iter().enumerate().filter(|(_, stage)| !stage.shadow) {
        let wanted = plan.wanted(position);
        if (BLIND..Share::ALL.get()).contains(&wanted.get()) {
            let metric = blind.harm.metric.as_str();
            let description = format!(
                "at {wanted} % in stage {} counting bad units against so few that have the control is nearly blind; add a \
                 guard on {metric} with a limit of its own, such as {metric} > 1 %",
                stage.name
            );
            report(found, format!("stages[{position}].percentage"), description);
        }
    }
}

/// A plan that does not come to its end though all goes well.
pub(super) fn check_walk(plan: &Plan, walk: &Walk, found: &mut Vec<Violation>) {
    found.extend(super::baseline::silent_hours(plan, walk));
    let stuck = walk.waits.iter().any(|wait| matches!(wait, Wait::Person));
    if stuck && matches!(walk.state.phase, Phase::Soak | Phase::Gate | Phase::Held) {
        let name = plan
            .stages
            .get(walk.state.stage)
            .map_or("", |stage| stage.name.as_str());
        let field = format!("stages[{}].outcomes", walk.state.stage);
        report(
            found,
            field,
            format!("stage {name} does not allow proceed: the rollout ends there"),
        );
    }
}
