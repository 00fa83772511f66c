//! What is wrong with the criteria, guards and metrics of a plan.

use super::{Violation, names::check_key, queries, report};
use crate::{
    Guard, Level, Plan, Unit,
    catalogue::Resolver,
    criterion::{self, Base, Comparison, Criterion, Limit},
    measure,
    plan::MOST_GUARDS,
};

/// The most guards in a plan.
/// The most metrics in a plan.
const MOST_METRICS: usize = 64;
/// The most classes of failures that a guard leaves out.
const MOST_CLASSES: usize = 16;
/// What a ratio to control may be.
const RATIOS: std::ops::RangeInclusive<f64> = 0.1..=100.0;

pub(super) fn check(plan: &Plan, found: &mut Vec<Violation>) {
    let resolver = Resolver::new(&plan.metrics);
    check_own(plan, found);
    check_guards(plan, &resolver, found);
    for (position, stage) in plan.stages.iter().enumerate().take(16) {
        for (name, written) in [("success", &stage.success), ("rollback", &stage.rollback)] {
            check_criteria(&format!("stages[{position}].{name}"), written, &resolver, found);
        }
    }
    check_criteria("warning", &plan.warning, &resolver, found);
    check_criteria("critical", &plan.critical, &resolver, found);
    if let Some(kill) = &plan.kill_switch {
        check_criteria("kill_switch.conditions", &kill.conditions, &resolver, found);
        for (position, written) in kill.conditions.iter().enumerate() {
            if !is_absolute(written) {
                let description =
                    "a kill condition stands without a rollout too, so its limit must be a number by itself";
                report(
                    found,
                    format!("kill_switch.conditions[{position}]"),
                    description.to_owned(),
                );
            }
        }
        if kill.auto_trip && kill.conditions.is_empty() {
            let description = "auto_trip needs a condition that trips it".to_owned();
            report(found, "kill_switch.conditions", description);
        }
    }
    let looked_at = plan
        .observed
        .iter()
        .enumerate()
        .map(|(at, key)| (format!("observed[{at}]"), key));
    let primary = plan.primary_metric.iter().map(|key| ("primary_metric".to_owned(), key));
    for (field, key) in looked_at.chain(primary).take(MOST_METRICS) {
        check_known(&field, key, &resolver, found);
    }
    if plan.observed.len() > MOST_METRICS {
        report(found, "observed", format!("must be at most {MOST_METRICS} metrics"));
    }
    super::baseline::check(plan, &resolver, found);
    let stops = !plan.guards.is_empty() || plan.stages.iter().any(|stage| !stage.rollback.is_empty());
    if !stops {
        let description = "nothing stops this rollout: write a guard, or a rollback criterion in a stage".to_owned();
        report(found, "guards", description);
    }
}

fn check_own(plan: &Plan, found: &mut Vec<Violation>) {
    if plan.metrics.len() > MOST_METRICS {
        report(
            found,
            "metrics",
            format!("must be at most {MOST_METRICS}, not {}", plan.metrics.len()),
        );
    }
    for (position, own) in plan.metrics.iter().enumerate().take(MOST_METRICS) {
        let path = format!("metrics[{position}]");
        queries::check(own, &path, found);
        let field = format!("{path}.key");
        check_key(found, &field, &own.key);
        if plan.metrics[..position].iter().any(|other| other.key == own.key) {
            report(found, &field, format!("{:?} is defined twice", own.key));
        }
        if own.minimum.zip(own.maximum).is_some_and(|(least, most)| least > most) {
            let description = "must not be above maximum".to_owned();
            report(found, format!("{path}.minimum"), description);
        }
        if let Some(built_in) = own.shadows() {
            let description = format!(
                "{:?} is a built-in metric ({}); use it, or another key",
                own.key, built_in.name
            );
            report(found, field, description);
        }
    }
}

fn check_guards(plan: &Plan, resolver: &Resolver<'_>, found: &mut Vec<Violation>) {
    if plan.guards.len() > MOST_GUARDS {
        report(
            found,
            "guards",
            format!("must be at most {MOST_GUARDS}, not {}", plan.guards.len()),
        );
    }
    for (position, guard) in plan.guards.iter().enumerate().take(MOST_GUARDS) {
        let path = format!("guards[{position}]");
        let written = Criterion::Compare(guard.harm.clone());
        check_criteria_one(&format!("{path}.harm"), &written, resolver, found);
        check_guard(plan, guard, &path, found);
        let is_twin = |other: &Guard| other.harm == guard.harm && other.level == guard.level;
        if let Some(first) = plan.guards[..position].iter().position(is_twin) {
            report(found, path, double(first, plan.guards[first].except != guard.except));
        }
    }
}

/// What is said of a guard whose harm and level another has.
fn double(first: usize, differs_in_except: bool) -> String {
    let same = format!("is guards[{first}] again, the same harm at the same level");
    if differs_in_except {
        format!("{same}; that they leave out other classes makes no difference: write one of them, or another level")
    } else {
        format!("{same}; leave one out")
    }
}

fn check_guard(plan: &Plan, guard: &Guard, path: &str, found: &mut Vec<Violation>) {
    if !(guard.weight > 0.0 && guard.weight <= 1_000.0) {
        let description = format!("must be above 0 and at most 1000, not {}", guard.weight);
        report(found, format!("{path}.weight"), description);
    }
    check_except(guard, path, found);
    let Some(ratio) = ratio_to_control(&guard.harm) else {
        return;
    };
    let field = format!("{path}.limit");
    if !RATIOS.contains(&ratio) {
        let description = format!(
            "must be {} to {} times control, not {ratio}",
            RATIOS.start(),
            RATIOS.end()
        );
        report(found, field, description);
    } else if plan.unit == Unit::Request
        && guard.level == Level::Abort
        && guard.harm.metric.as_str() == Guard::ERROR_RATE
        && ratio * plan.max_control_rate >= 1.0
    {
        let description = format!(
            "times max_control_rate ({}) must be below 1: no error rate could break a limit of {ratio}",
            plan.max_control_rate
        );
        report(found, field, description);
    }
}

/// Expected classes of failures: of an error rate alone, and as agents take them.
fn check_except(guard: &Guard, path: &str, found: &mut Vec<Violation>) {
    let field = format!("{path}.except");
    if guard.except.len() > MOST_CLASSES {
        let description = format!("must be at most {MOST_CLASSES} classes, not {}", guard.except.len());
        report(found, field.as_str(), description);
    }
    if !guard.except.is_empty() && guard.harm.metric.as_str() != Guard::ERROR_RATE {
        let description = format!("only an error rate leaves classes out, not {}", guard.harm.metric);
        report(found, field.as_str(), description);
    }
    for (at, class) in guard.except.iter().enumerate().take(MOST_CLASSES) {
        if !is_class(class) {
            let description =
                format!("{class:?} must be up to 64 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit");
            report(found, format!("{field}[{at}]"), description);
        }
    }
}

/// Whether a text is a class of failures.
fn is_class(class: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    class.len() <= 64
        && class.starts_with(is_plain)
        && class.chars().all(|letter| is_plain(letter) || "._-".contains(letter))
}

fn ratio_to_control(written: &Comparison) -> Option<f64> {
    match &written.limit {
        Limit::Times {
            base: Base::Control,
            factor,
        } => Some(factor.as_f64()),
        Limit::Times { .. } | Limit::Absolute(_) | Limit::Plus { .. } => None,
    }
}

fn is_absolute(written: &Criterion) -> bool {
    match written {
        Criterion::Compare(comparison) => match &comparison.limit {
            Limit::Absolute(_) => true,
            Limit::Times { base, .. } | Limit::Plus { base, .. } => matches!(base, Base::Fixed(_)),
        },
        Criterion::Stable | Criterion::Parity => false,
    }
}

fn check_criteria(field: &str, written: &[Criterion], resolver: &Resolver<'_>, found: &mut Vec<Violation>) {
    for (position, written) in written.iter().enumerate().take(32) {
        let field = format!("{field}[{position}]");
        if let Criterion::Compare(comparison) = written
            && measure::is_by_hour(comparison)
        {
            let description =
                format!("{written} is for guards: a gate compares with one number; write baseline, or control");
            report(found, field, description);
            continue;
        }
        check_criteria_one(&field, written, resolver, found);
    }
}

fn check_criteria_one(field: &str, written: &Criterion, resolver: &Resolver<'_>, found: &mut Vec<Violation>) {
    match criterion::check(written, resolver) {
        Err(problem) => report(found, field, problem.to_string()),
        Ok(()) => queries::check_criterion(field, written, resolver, found),
    }
}

fn check_known(field: &str, key: &str, resolver: &Resolver<'_>, found: &mut Vec<Violation>) {
    match crate::catalogue::MetricKey::new(key) {
        Err(error) => report(found, field, error.to_string()),
        Ok(metric) => {
            if let Err(unknown) = resolver.resolve(&metric) {
                report(found, field, unknown.to_string());
            }
        }
    }
}
