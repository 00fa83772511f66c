//! A dismissal as the wire says it: which signal, of which guard, and why. All that is wrong with these is said at once.

use evaluation::Violation;
use proto::{
    status::{invalid, violation},
    v1,
};
use rollout::{Act, HoldReason, Plan};
use tonic::Status;

use crate::engine::harm_of;

/// The act, or all that is wrong with how it was said.
pub(super) fn read(asked: &v1::Dismissing, plan: &Plan, why: &str) -> Result<Act, Status> {
    let mut found = Vec::new();
    let mut take = |violation: Violation| found.push(violation);
    let reason = HoldReason::of_name(&asked.signal);
    if reason.is_none() {
        take(violation("dismiss.signal", unknown(&asked.signal)));
    }
    if why.trim().is_empty() {
        take(violation(
            "reason",
            "say why, in the metadata tidegate-reason: a dismissal is kept with its reason",
        ));
    }
    let guard = guard(plan, &asked.guard).unwrap_or_else(|why| {
        take(violation("dismiss.guard", why));
        None
    });
    match reason {
        Some(reason) if found.is_empty() => Ok(Act::Dismiss {
            reason,
            guard,
            why: why.to_owned(),
        }),
        Some(_) | None => Err(invalid(&found)),
    }
}

fn unknown(signal: &str) -> String {
    let names = HoldReason::ALL.into_iter().filter(|reason| reason.is_dismissible());
    let names: Vec<&str> = names.map(HoldReason::name).collect();
    format!("must be one of {}, not {signal:?}", names.join(", "))
}

/// The position of the guard that is meant: by its number from 1, its metric, its harm as written, or its name.
fn guard(plan: &Plan, said: &str) -> Result<Option<usize>, String> {
    let said = said.trim();
    if said.is_empty() {
        return Ok(None);
    }
    let names = |position: usize| {
        let guard = &plan.guards[position];
        let harm = harm_of(plan, position);
        let number = (position + 1).to_string();
        let written = rollout::criterion::Criterion::Compare(guard.harm.clone()).to_string();
        [number, guard.harm.metric.to_string(), written, harm].contains(&said.to_owned()) || guard.name() == Some(said)
    };
    let meant: Vec<usize> = (0..plan.guards.len()).filter(|position| names(*position)).collect();
    let listed = |positions: &[usize]| {
        let each = positions
            .iter()
            .map(|position| format!("{}: {}", position + 1, harm_of(plan, *position)));
        each.collect::<Vec<_>>().join("; ")
    };
    match meant.as_slice() {
        [position] => Ok(Some(*position)),
        [] => {
            let all: Vec<usize> = (0..plan.guards.len()).collect();
            Err(format!("there is no guard {said:?}; there are {}", listed(&all)))
        }
        several => {
            let each = several.iter().map(|position| {
                let level = plan.guards[*position].level.name();
                format!("{}: {} (level {level})", position + 1, harm_of(plan, *position))
            });
            let each = each.collect::<Vec<_>>().join("; ");
            Err(format!("{said:?} is several guards; say one by its number: {each}"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rollout::{Guard, Unit};

    use super::*;
    use crate::builders::plan_of;

    fn plan() -> Plan {
        let mut plan = plan_of("checkout", Unit::Unit, &[5, 50], 1_000);
        plan.guards = vec![
            Guard::no_worse_than_control(),
            Guard::slower_than_control(),
            Guard::error_rate_above(2.0),
        ];
        plan
    }

    #[test]
    fn a_guard_is_meant_by_its_number_its_metric_its_harm_or_its_name() {
        for (said, position) in [
            ("", None),
            ("1", Some(0)),
            ("p95", Some(1)),
            ("p95 > 1x control", Some(1)),
            ("slower than control", Some(1)),
            ("error-rate > 2x control", Some(2)),
        ] {
            assert_eq!(guard(&plan(), said).unwrap(), position, "{said}");
        }
        for said in ["0", "4", "error-rate", "p99"] {
            let why = guard(&plan(), said).unwrap_err();
            assert!(why.contains("1: error-rate > 1x control"), "{why}");
        }
    }

    #[test]
    fn several_guards_that_could_be_meant_are_told_apart_by_number_and_level() {
        let mut plan = plan();
        let twin = Guard {
            level: rollout::Level::Hold,
            ..plan.guards[2].clone()
        };
        plan.guards.push(twin);
        let why = guard(&plan, "error-rate > 2x control").unwrap_err();
        for part in [
            "by its number",
            "3: error-rate > 2x control (level abort)",
            "4: error-rate > 2x control (level hold)",
        ] {
            assert!(why.contains(part), "{why}");
        }
        assert_eq!(guard(&plan, "4").unwrap(), Some(3));
    }

    #[test]
    fn all_that_is_wrong_with_what_was_said_is_said_at_once() {
        let asked = v1::Dismissing {
            signal: "noise".to_owned(),
            guard: "9".to_owned(),
        };
        let said = read(&asked, &plan(), " ").unwrap_err();
        for part in ["dismiss.signal", "dismiss.guard", "reason"] {
            assert!(said.message().contains(part), "{said:?}");
        }
    }
}
