//! What a rollout takes over from a baseline: its values and unit buckets become those of the rollout's own copy of the
//! plan, before anything is worked out from them. A rollout therefore never reads a baseline again, whatever becomes of it. What is
//! known of the time before brings the built-in guards with it.

use evaluation::Key;
use rollout::{Micros, Plan, Violation, lint, plan::BaselineSource};

use super::{BaselineRecord, Origin};
use crate::state::State;

/// The field that names a baseline.
const FIELD: &str = "baseline.artifact";
const HOUR_US: i64 = 3_600_000_000;
const HOURS_OF_WEEK: i64 = 7 * 24;
/// 1970 began on a Thursday.
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// The plan as a rollout that is created at `now` has it, and why it cannot be created.
///
/// A plan that names no baseline is as it is; what it lacks is lint's to warn of.
pub(crate) fn frozen(state: &State, environment: &Key, plan: &Plan, now: Micros) -> (Plan, Vec<Violation>) {
    let mut plan = plan.clone();
    let Some(artifact) = plan.baseline.artifact.clone() else {
        plan.add_built_in_guards();
        return (plan, Vec::new());
    };
    let record = Key::parse(&artifact)
        .ok()
        .and_then(|key| state.baseline(environment, &key));
    let Some(record) = record else {
        let description = format!("there is no baseline {artifact:?} here; capture or import it first");
        return (plan, vec![violation(description)]);
    };
    let mut found = Vec::new();
    if plan.baseline.source == BaselineSource::SameHour {
        found.extend(check_hour(record, now));
    }
    let values = record.values.iter();
    plan.baseline.freeze(
        values.map(|(metric, value)| (metric.clone(), value.number)),
        record.arms.clone(),
    );
    plan.add_built_in_guards();
    found.extend(lint::lacking(&plan));
    (plan, found)
}

fn check_hour(record: &BaselineRecord, now: Micros) -> Option<Violation> {
    let Some(origin) = &record.origin else {
        let description = format!(
            "baseline {} was imported, and nobody knows at which hour it was so; write source: captured",
            record.key
        );
        return Some(violation(description));
    };
    (!covers(origin, now)).then(|| {
        violation(format!(
            "baseline {} was captured {} to {}; at {} another is needed, or source: captured",
            record.key,
            shown(origin.from_us),
            shown(origin.until_us),
            shown(now)
        ))
    })
}

/// Whether a baseline was captured at the hour of the week of a moment, in part at least.
fn covers(origin: &Origin, now: Micros) -> bool {
    let hour = |at: i64| at.div_euclid(HOUR_US);
    let (first, last) = (hour(origin.from_us), hour(origin.until_us));
    let behind = (hour(now) - first).rem_euclid(HOURS_OF_WEEK);
    behind <= last - first
}

/// An hour of the week: `Mon 09:00 UTC`.
fn shown(at: Micros) -> String {
    let hours = at.div_euclid(HOUR_US);
    let day = usize::try_from(hours.div_euclid(24).rem_euclid(7)).unwrap_or_default();
    format!("{} {:02}:00 UTC", DAYS[day], hours.rem_euclid(24))
}

fn violation(description: String) -> Violation {
    Violation {
        field: FIELD.to_owned(),
        description,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use rollout::{Guard, Unit, criterion::Criterion, measure::Whose};
    use uuid::Uuid;

    use super::*;
    use crate::{
        baseline::Value,
        builders::{self, SECOND_US, key, plan_of, production},
    };

    /// Monday, 2026-06-01 09:00 UTC.
    const MONDAY_US: i64 = 1_780_304_400_000_000;

    fn record(values: &[(&str, &str)]) -> BaselineRecord {
        let value = |(metric, text): &(&str, &str)| {
            let number = text.parse().unwrap();
            ((*metric).to_owned(), Value { number, outcomes: 500 })
        };
        BaselineRecord {
            key: key("before"),
            description: String::new(),
            values: values.iter().map(value).collect(),
            origin: Some(Origin {
                rollout: Uuid::from_u128(7),
                name: "checkout#1".to_owned(),
                stage: "observe".to_owned(),
                visit: 1,
                whose: Whose::Control,
                from_us: MONDAY_US - 7 * 24 * HOUR_US,
                until_us: MONDAY_US - 7 * 24 * HOUR_US + HOUR_US / 2,
                soaked_us: HOUR_US / 2,
                units: 100,
            }),
            arms: Arc::default(),
            created_at_us: 0,
            created_by: String::new(),
            reason: String::new(),
            revision: 1,
        }
    }

    fn state(record: BaselineRecord) -> State {
        State {
            baselines: Arc::new([((production(), record.key.clone()), Arc::new(record))].into()),
            ..builders::state([])
        }
    }

    fn plan(source: BaselineSource, artifact: Option<&str>, harm: &str) -> Plan {
        let Criterion::Compare(harm) = harm.parse().unwrap() else {
            panic!("a comparison");
        };
        let mut plan = plan_of("checkout", Unit::Unit, &[5, 100], SECOND_US);
        plan.guards = vec![Guard {
            harm,
            ..plan.guards[0].clone()
        }];
        plan.baseline.source = source;
        plan.baseline.artifact = artifact.map(str::to_owned);
        plan
    }

    #[test]
    fn the_buckets_of_what_was_captured_go_with_its_values() {
        let mut captured = record(&[("error-rate", "1 %")]);
        captured.arms = builders::captured(500);
        let arms = captured.arms.clone();
        let state = state(captured);
        let plan = plan(BaselineSource::Captured, Some("before"), "error-rate > 2x baseline");
        let (frozen, found) = frozen(&state, &production(), &plan, MONDAY_US);
        assert_eq!((frozen.baseline.captured.clone(), found), (arms, Vec::new()));
        let read = crate::plan_wire::decode(&crate::plan_wire::encode(&frozen)).unwrap();
        assert!(read.baseline.captured.is_empty(), "no plan is fat on the wire");
        assert_eq!(crate::plan_wire::hash(&read), crate::plan_wire::hash(&frozen));
    }

    #[test]
    fn a_limit_by_the_hour_needs_what_was_captured_by_the_hour() {
        let with = |captured: bool, hours: bool, harm: &str| {
            let mut record = record(&[("error-rate", "1 %")]);
            if captured {
                let mut arms = rollout::measure::CapturedArms::clone(&builders::captured(500));
                let arm = &mut arms.arms[0];
                arm.hours = hours.then(|| (9, arm.buckets.clone())).into_iter().collect();
                record.arms = arms.into();
            }
            let plan = plan(BaselineSource::Captured, Some("before"), harm);
            frozen(&state(record), &production(), &plan, MONDAY_US).1
        };
        let same_hour = "error-rate > 2x baseline-same-hour";
        assert_eq!(with(true, true, same_hour), []);
        for (captured, hours) in [(false, false), (true, false)] {
            let refused = with(captured, hours, same_hour);
            assert_eq!(fields(&refused), ["guards[0].harm"]);
            assert!(
                refused[0].description.contains("a stage of 0 % or a shadow stage"),
                "{refused:?}"
            );
            assert_eq!(with(captured, hours, "error-rate > 2x baseline"), []);
        }
    }

    fn fields(found: &[Violation]) -> Vec<&str> {
        found.iter().map(|found| found.field.as_str()).collect()
    }

    #[test]
    fn what_was_captured_goes_before_what_the_plan_writes_and_stands_for_its_limits() {
        let state = state(record(&[("p95", "890 ms")]));
        let mut plan = plan(BaselineSource::Captured, Some("before"), "p95 > 2x baseline");
        plan.baseline.values = [
            ("p95".to_owned(), "100 ms".parse().unwrap()),
            ("p99".to_owned(), "2 s".parse().unwrap()),
        ]
        .into();
        let (frozen, found) = frozen(&state, &production(), &plan, MONDAY_US);
        assert_eq!(found, []);
        let values: Vec<String> = frozen.baseline.values.values().map(ToString::to_string).collect();
        assert_eq!(values, ["890 ms", "2 s"]);
        let counted = rollout::measure::counted(&frozen);
        assert_eq!(
            counted[1].counting,
            rollout::measure::Counting::Slower { bound_us: 1_780_000 }
        );
    }

    #[test]
    fn a_p95_of_the_time_before_brings_slower_than_control_with_it() {
        let state = state(record(&[("p95", "890 ms")]));
        let guards = |source, artifact, values: &[(&str, &str)]| {
            let mut plan = plan(source, artifact, "error-rate > 1x control");
            let values = values.iter();
            let values = values.map(|(metric, value)| ((*metric).to_owned(), value.parse().unwrap()));
            plan.baseline.values = values.collect();
            frozen(&state, &production(), &plan, MONDAY_US).0.guards
        };
        let built_in = [Guard::slower_than_control()];
        assert_eq!(guards(BaselineSource::Captured, Some("before"), &[])[1..], built_in);
        assert_eq!(guards(BaselineSource::Fixed, None, &[("p95", "1 s")])[1..], built_in);
        assert_eq!(guards(BaselineSource::Fixed, None, &[("p99", "1 s")]).len(), 1);
    }

    #[test]
    fn a_baseline_that_is_not_there_or_lacks_what_is_needed_is_refused() {
        let state = state(record(&[("p95", "890 ms")]));
        let frozen = |artifact, harm| {
            let plan = plan(BaselineSource::Captured, artifact, harm);
            frozen(&state, &production(), &plan, MONDAY_US).1
        };
        assert_eq!(
            fields(&frozen(Some("other"), "p95 > 2x baseline")),
            ["baseline.artifact"]
        );
        let lacking = frozen(Some("before"), "p99 > 2x baseline");
        assert_eq!(fields(&lacking), ["guards[0].harm"]);
        assert!(lacking[0].description.contains("baseline.values.p99"), "{lacking:?}");
        assert_eq!(frozen(None, "p99 > 2x baseline"), [], "lint warns of it");
    }

    #[test]
    fn one_of_the_same_hour_is_refused_at_another() {
        let plan = plan(BaselineSource::SameHour, Some("before"), "p95 > 2x baseline");
        let of = |record, now| frozen(&state(record), &production(), &plan, now).1;
        let at = |now| of(record(&[("p95", "890 ms")]), now);
        assert_eq!(at(MONDAY_US), []);
        assert_eq!(at(MONDAY_US + HOUR_US - 1), []);
        let refused = at(MONDAY_US + HOUR_US);
        assert_eq!(fields(&refused), ["baseline.artifact"]);
        assert!(refused[0].description.contains("Mon 09:00 UTC"), "{refused:?}");
        assert!(refused[0].description.contains("at Mon 10:00 UTC"), "{refused:?}");
        let mut imported = record(&[("p95", "890 ms")]);
        imported.origin = None;
        assert_eq!(fields(&of(imported, MONDAY_US)), ["baseline.artifact"]);
    }
}
