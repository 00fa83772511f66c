//! What a plan compares with a baseline that nobody knows: it would be *no data* for ever.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Violation,
    cost::{entered, left},
};
use crate::{
    Guard, Plan, Share,
    catalogue::Kind,
    criterion::{Base, Comparison, Criterion, Limit},
    evidence::{
        arm::{Arm, Buckets},
        robust::FEWEST_EFFECTIVE,
    },
    guards::{Test, Tests, tests_of},
    measure::{bound_of, counted, hour_name, hours_between, is_by_hour},
    simulate::Walk,
    violation::report,
};

/// Hours that are named; of more it is said how many they are.
const NAMED: usize = 6;

/// Everything that lacks its baseline, by field. A guard on a quantile needs one even against control: only a bound that
/// is known beforehand can be counted.
pub fn lacking(plan: &Plan) -> Vec<Violation> {
    let mut found = Vec::new();
    for (position, guard) in plan.guards.iter().enumerate() {
        if is_by_hour(&guard.harm) {
            check_hours(plan, format!("guards[{position}].harm"), guard, &mut found);
            continue;
        }
        let is_quantile = matches!(plan.kind_of(guard.harm.metric.as_str()), Some(Kind::Quantile(_)));
        if is_quantile || reads_baseline(&guard.harm.limit) {
            check(plan, format!("guards[{position}].harm"), &guard.harm, &mut found);
        }
    }
    let stages = plan.stages.iter().enumerate().flat_map(|(position, stage)| {
        [("success", &stage.success), ("rollback", &stage.rollback)]
            .map(|(list, written)| (format!("stages[{position}].{list}"), written))
    });
    let levels = [("warning", &plan.warning), ("critical", &plan.critical)];
    let levels = levels.map(|(list, written)| (list.to_owned(), written));
    for (list, criteria) in stages.chain(levels) {
        for (position, written) in criteria.iter().enumerate() {
            match written {
                Criterion::Compare(comparison) if reads_baseline(&comparison.limit) => {
                    check(plan, format!("{list}[{position}]"), comparison, &mut found);
                }
                Criterion::Compare(_) | Criterion::Stable | Criterion::Parity => {}
            }
        }
    }
    found
}

/// Guards that are judged by a captured baseline which too few units stand behind: they shut gates and never abort.
pub(super) fn thin(plan: &Plan) -> Vec<Violation> {
    let mut found = Vec::new();
    let counted = counted(plan);
    for (position, guard) in plan.guards.iter().enumerate() {
        let Ok(Tests {
            fixed: Some(Test::Baseline { metric, rule, .. }),
            ..
        }) = tests_of(plan, &counted, guard)
        else {
            continue;
        };
        let counting = counted.get(usize::from(metric)).map(|counted| &counted.counting);
        let captured = counting.and_then(|counting| plan.baseline.captured.of(counting));
        let effective = captured.map_or(0.0, |buckets| Arm::of(buckets, rule.kind).effective);
        if effective < FEWEST_EFFECTIVE {
            report(
                &mut found,
                format!("guards[{position}].harm"),
                format!(
                    "{} is judged by a baseline with {effective:.1} of 64 buckets of units, and speaks from \
                     {FEWEST_EFFECTIVE} on: without a live control it can shut a gate and not abort; capture one of more \
                     units",
                    guard.harm
                ),
            );
        }
    }
    found
}

/// A guard by the hour needs what was captured by the hour: a number knows no hours.
fn check_hours(plan: &Plan, field: String, guard: &Guard, found: &mut Vec<Violation>) {
    if by_hour(plan, guard).is_some() {
        return;
    }
    let remedy = match &plan.baseline.artifact {
        Some(artifact) => format!(
            "baseline {artifact} has none of {}: capture one from a stage of 0 % or a shadow stage, in which it is measured",
            guard.harm.metric
        ),
        None => "name one that was captured as baseline.artifact".to_owned(),
    };
    let description = format!("{} needs a baseline with hours; {remedy}", guard.harm);
    report(found, field, description);
}

/// What was captured by the hour of the week for a guard.
fn by_hour<'p>(plan: &'p Plan, guard: &Guard) -> Option<&'p BTreeMap<u8, Buckets>> {
    let counted = counted(plan);
    match tests_of(plan, &counted, guard).ok()?.fixed? {
        Test::Baseline {
            metric, by_hour: true, ..
        } => plan
            .baseline
            .captured
            .by_hour(&counted.get(usize::from(metric))?.counting),
        Test::Split { .. }
        | Test::Relative { .. }
        | Test::Baseline { .. }
        | Test::Absolute { .. }
        | Test::Cap { .. }
        | Test::Level => None,
    }
}

/// Hours of the stages without a live control of which a baseline by the hour knows nothing, if all goes well.
pub(super) fn silent_hours(plan: &Plan, walk: &Walk) -> Vec<Violation> {
    let mut found = Vec::new();
    let judged = (0..plan.stages.len()).filter(|stage| plan.wanted(*stage) == Share::ALL);
    let hours = judged.filter_map(|stage| Some((entered(walk, stage)?, left(walk, stage)?)));
    let hours: BTreeSet<u8> = hours.flat_map(|(from, until)| hours_between(from, until)).collect();
    for (position, guard) in plan.guards.iter().enumerate() {
        let Some(known) = by_hour(plan, guard) else { continue };
        let silent: Vec<String> = hours
            .iter()
            .filter(|hour| !known.contains_key(hour))
            .map(|hour| hour_name(*hour))
            .collect();
        if silent.is_empty() {
            continue;
        }
        let named = silent
            .iter()
            .take(NAMED)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        let more = if silent.len() > NAMED { ", .." } else { "" };
        report(
            &mut found,
            format!("guards[{position}].harm"),
            format!(
                "{} has no baseline in {} of the {} hours of the week in which nobody is in control: {named}{more}",
                guard.harm,
                silent.len(),
                hours.len()
            ),
        );
    }
    found
}

fn check(plan: &Plan, field: String, written: &Comparison, found: &mut Vec<Violation>) {
    if bound_of(plan, written).is_some() {
        return;
    }
    let metric = written.metric.as_str();
    let baseline = &plan.baseline;
    let remedy = match (&baseline.artifact, baseline.source.is_captured()) {
        (Some(artifact), _) => {
            format!("baseline {artifact} does not have it: write baseline.values.{metric}, or name another")
        }
        (None, true) => format!("name what was captured as baseline.artifact, or write baseline.values.{metric}"),
        (None, false) => format!("write baseline.values.{metric}, or let it be captured"),
    };
    report(
        found,
        field,
        format!("{written} needs a baseline of {metric}; {remedy}"),
    );
}

fn reads_baseline(limit: &Limit) -> bool {
    base_of(limit) == Some(Base::Baseline)
}

fn base_of(limit: &Limit) -> Option<Base> {
    match limit {
        Limit::Absolute(_) => None,
        Limit::Times { base, .. } | Limit::Plus { base, .. } => Some(*base),
    }
}
