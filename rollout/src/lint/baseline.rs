//! What a plan compares with a baseline that nobody knows: it would be *no data* for ever.

use super::Violation;
use crate::{
    Plan,
    catalogue::Kind,
    criterion::{Base, Comparison, Criterion, Limit},
    measure::bound_of,
    violation::report,
};

/// Everything that lacks its baseline, by field. A guard on a quantile needs one even against control: only a bound that
/// is known beforehand can be counted.
pub fn lacking(plan: &Plan) -> Vec<Violation> {
    let mut found = Vec::new();
    for (position, guard) in plan.guards.iter().enumerate() {
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

fn check(plan: &Plan, field: String, written: &Comparison, found: &mut Vec<Violation>) {
    // The same hour is refused by itself: no baseline would help.
    if bound_of(plan, written).is_some() || base_of(&written.limit) == Some(Base::BaselineSameHour) {
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
