//! Other limits in the place of a plan's: which can be asked of what was counted, and which cannot.
//!
//! The one rule: a replay answers only from what was kept. A guard on something that agents did not count, or on a level
//! that nobody read, is refused with what was counted or read.

use std::collections::BTreeSet;

use evaluation::Violation;
use proto::{status::violation, v1};
use rollout::{
    Plan,
    guards::{Missing, Test, Tests, tests_of},
    measure::Counted,
};

use crate::{plan_wire, record::RolloutRecord};

/// The fields of a plan that other limits take the place of.
const REPLACED: [&str; 3] = ["guards", "alpha", "max_control_rate"];

/// The plan of a rollout with other limits, or all that is wrong with them.
/// `read`: the metrics whose levels were read.
pub(crate) fn plan_with(
    record: &RolloutRecord,
    other: v1::OtherLimits,
    read: &BTreeSet<&str>,
) -> Result<Plan, Vec<Violation>> {
    let mut wire = plan_wire::write(&record.plan);
    if !other.guards.is_empty() {
        wire.guards = other.guards;
    }
    if other.alpha != 0.0 {
        wire.alpha = other.alpha;
    }
    if other.max_control_rate != 0.0 {
        wire.max_control_rate = other.max_control_rate;
    }
    let mut written = plan_wire::Written::read(wire);
    // No part of a document, and frozen with the rollout.
    written.plan.baseline.captured = record.plan.baseline.captured.clone();
    let own = written.plan.violations().into_iter();
    let own = own.filter_map(|own| Some(violation(written.field(&own.field)?, own.description)));
    let mut found: Vec<Violation> = written.unreadable.iter().cloned().chain(own).collect();
    found.retain(|found| REPLACED.iter().any(|field| found.field.starts_with(field)));
    if found.is_empty() {
        found = not_counted(&written.plan, &record.counted, read);
    }
    if found.is_empty() {
        return Ok(written.plan);
    }
    found
        .iter_mut()
        .for_each(|found| found.field = format!("other.{}", found.field));
    Err(found)
}

/// The guards that nothing that was kept can answer.
fn not_counted(plan: &Plan, counted: &[Counted], read: &BTreeSet<&str>) -> Vec<Violation> {
    let guards = (0..).zip(&plan.guards);
    let found = guards.filter_map(|(at, guard): (usize, _)| {
        let why = match tests_of(plan, counted, guard) {
            Ok(Tests {
                fixed: Some(Test::Level),
                ..
            }) if !read.contains(guard.harm.metric.as_str()) => {
                let read = read.iter().copied().collect::<Vec<_>>();
                let read = if read.is_empty() {
                    "none".to_owned()
                } else {
                    read.join(", ")
                };
                format!("nobody read its level; levels that were read: {read}")
            }
            Ok(_) => return None,
            Err(Missing::Baseline) => format!("the plan has no baseline of {}", guard.harm.metric),
            Err(Missing::Test) => {
                let counted: Vec<String> = counted.iter().map(ToString::to_string).collect();
                format!("nothing was counted for it; counted were: {}", counted.join(", "))
            }
        };
        Some(violation(format!("guards[{at}].harm"), why))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rollout::Unit;

    use super::*;
    use crate::builders::{SECOND_US, rollout_of};

    fn harm(text: &str) -> v1::Guard {
        v1::Guard {
            harm: text.to_owned(),
            ..v1::Guard::default()
        }
    }

    fn asked(guards: &[&str], alpha: f64, max_control_rate: f64) -> Result<Plan, Vec<String>> {
        let rollout = rollout_of(Unit::Request, &[50], 60 * SECOND_US);
        let other = v1::OtherLimits {
            guards: guards.iter().map(|text| harm(text)).collect(),
            alpha,
            max_control_rate,
        };
        let found = plan_with(&rollout, other, &BTreeSet::from(["memory"]));
        found.map_err(|found| {
            let found = found.into_iter();
            found
                .map(|found| format!("{}: {}", found.field, found.description))
                .collect()
        })
    }

    #[test]
    fn what_is_not_said_stays_as_it_was() {
        let rollout = rollout_of(Unit::Request, &[50], 60 * SECOND_US);
        assert_eq!(asked(&[], 0.0, 0.0).unwrap(), *rollout.plan);
        let plan = asked(&["error-rate > 2x control", "error-rate > 5 %"], 0.05, 0.2).unwrap();
        assert_eq!((plan.guards.len(), plan.alpha, plan.max_control_rate), (2, 0.05, 0.2));
    }

    #[test]
    fn a_guard_on_what_was_not_counted_is_refused_with_what_was() {
        for (guard, why) in [
            (
                "p99 > 2 s",
                "other.guards[0].harm: nothing was counted for it; counted were: error-rate",
            ),
            (
                "cpu > 80 %",
                "other.guards[0].harm: nobody read its level; levels that were read: memory",
            ),
        ] {
            assert_eq!(asked(&[guard], 0.0, 0.0).unwrap_err(), [why], "{guard}");
        }
    }

    #[test]
    fn a_guard_on_a_level_that_was_read_can_be_asked() {
        let plan = asked(&["memory > 512 MiB"], 0.0, 0.0).unwrap();
        assert_eq!(plan.guards.len(), 1);
    }

    #[test]
    fn limits_that_no_plan_may_have_are_refused() {
        let found = asked(&["error-rate > 20x control"], 0.9, 0.1).unwrap_err();
        assert!(found.iter().any(|found| found.starts_with("other.alpha")), "{found:?}");
        assert!(
            found.iter().any(|found| found.contains("max_control_rate")),
            "{found:?}"
        );
        let unreadable = asked(&["errors are many"], 0.0, 0.0).unwrap_err();
        assert!(unreadable[0].starts_with("other.guards[0].harm"), "{unreadable:?}");
    }
}
