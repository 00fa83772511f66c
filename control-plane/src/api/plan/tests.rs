#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;
use crate::builders::plan_of;

fn wire() -> v1::Plan {
    let stage = |name: &str, buckets| v1::Stage {
        name: name.to_owned(),
        buckets,
        dwell_us: 1_000_000,
        minimum_outcomes: None,
        minimum_units: None,
    };
    v1::Plan {
        flag: "checkout".to_owned(),
        treatment: "new".to_owned(),
        control: "old".to_owned(),
        stages: vec![stage("one", 5_000), stage("all", 100_000)],
        ..v1::Plan::default()
    }
}

fn guard(metric: &str, limit: f64, level: i32) -> v1::Guard {
    v1::Guard {
        metric: metric.to_owned(),
        limit,
        level,
    }
}

/// The fields that are wrong, in order.
fn wrong(plan: v1::Plan) -> Vec<String> {
    let violations = read(plan).expect_err("something is wrong");
    assert!(violations.iter().all(|found| !found.description.is_empty()));
    violations.into_iter().map(|found| found.field).collect()
}

#[test]
fn what_a_plan_leaves_out_has_its_default() {
    let plan = read(wire()).unwrap();
    assert_eq!(plan.key, "checkout");
    assert_eq!(plan.unit, Unit::Unit);
    assert_eq!(
        plan.guards,
        [Guard {
            metric: Metric::ErrorRate,
            limit: 1.0,
            level: Level::Abort
        }]
    );
    assert_eq!((plan.alpha, plan.max_control_rate), (0.01, 0.10));
    assert_eq!(plan.lost_after_us, 30_000_000);
    let stage = &plan.stages[0];
    assert_eq!((stage.minimum_outcomes, stage.minimum_units), (100, 3));
}

#[test]
fn a_minimum_that_is_given_as_zero_is_zero() {
    let mut plan = wire();
    plan.stages[0].minimum_outcomes = Some(0);
    assert_eq!(read(plan).unwrap().stages[0].minimum_outcomes, 0);
}

#[test]
fn a_plan_is_answered_with_everything_that_is_wrong_with_it() {
    let mut plan = wire();
    plan.key = "no spaces".to_owned();
    plan.flag = String::new();
    plan.description = "x".repeat(4_097);
    plan.control = "new".to_owned();
    plan.unit = 9;
    plan.stages[0].buckets = 100_001;
    plan.stages[0].dwell_us = -1;
    plan.stages[1].name = "one".to_owned();
    plan.guards = vec![guard("latency", 1_000.0, 9)];
    plan.alpha = 0.5;
    plan.max_control_rate = f64::NAN;
    plan.lost_after_us = 1;
    assert_eq!(
        wrong(plan),
        [
            "unit",
            "stages[0].share",
            "guards[0].metric",
            "guards[0].level",
            "key",
            "flag",
            "description",
            "treatment",
            "stages[0].dwell",
            "stages[1].name",
            "stages[1].share",
            "guards[0].limit",
            "alpha",
            "max_control_rate",
            "lost_after",
        ]
    );
}

#[test]
fn an_empty_plan_is_told_what_it_needs() {
    let fields = wrong(v1::Plan::default());
    for field in ["flag", "treatment", "control", "stages"] {
        assert!(fields.contains(&field.to_owned()), "{field} in {fields:?}");
    }
}

#[test]
fn a_guard_keeps_its_number_whatever_is_wrong_with_those_before_it() {
    let plan = v1::Plan {
        guards: vec![guard("latency", 1.0, 0), guard("error-rate", -1.0, 0)],
        ..wire()
    };
    assert_eq!(wrong(plan), ["guards[0].metric", "guards", "guards[1].limit"]);
    let plan = v1::Plan {
        guards: vec![guard("error-rate", -1.0, 0), guard("latency", 1.0, 9)],
        ..wire()
    };
    assert_eq!(
        wrong(plan),
        ["guards[1].metric", "guards[1].level", "guards", "guards[0].limit"]
    );
}

#[test]
fn shares_that_do_not_rise_are_named() {
    for (first, second) in [(50_000, 50_000), (50_000, 5_000)] {
        let mut plan = wire();
        plan.stages[0].buckets = first;
        plan.stages[1].buckets = second;
        assert_eq!(wrong(plan), ["stages[1].share"]);
    }
}

#[test]
fn a_text_that_is_quoted_is_cut() {
    let plan = v1::Plan {
        guards: vec![guard(&"x".repeat(1_000_000), 1.0, 0)],
        ..wire()
    };
    let violations = read(plan).unwrap_err();
    assert!(violations.iter().all(|found| found.description.len() < 200));
}

proptest! {
    #[test]
    fn a_plan_reads_back_as_it_was_written(
        percents in proptest::collection::btree_set(1..=100u32, 1..16),
        by_request in any::<bool>(),
        alpha in 0.0001..0.2f64,
        limit in 0.1..5.0f64,
        dwell_us in 0..1_000_000_000i64,
    ) {
        let unit = if by_request { Unit::Request } else { Unit::Unit };
        let percents = percents.into_iter().collect::<Vec<_>>();
        let mut plan = plan_of("checkout", unit, &percents, dwell_us);
        plan.alpha = alpha;
        plan.guards[0].limit = limit;
        prop_assert_eq!(read(write(&plan)), Ok(plan));
    }

    #[test]
    fn whatever_comes_is_a_plan_without_violations_or_a_list_of_them(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        shares in proptest::collection::vec(any::<u32>(), 0..40),
        levels in proptest::collection::vec(any::<i32>(), 0..40),
        alpha in any::<f64>(),
    ) {
        let mut plan = <v1::Plan as prost::Message>::decode(bytes.as_slice()).unwrap_or_else(|_| wire());
        plan.stages.extend(shares.into_iter().map(|buckets| v1::Stage { buckets, ..v1::Stage::default() }));
        plan.guards.extend(levels.into_iter().map(|level| guard("error-rate", 1.0, level)));
        plan.alpha = alpha;
        match read(plan) {
            Ok(plan) => prop_assert!(plan.violations().is_empty()),
            Err(violations) => prop_assert!(!violations.is_empty()),
        }
    }
}
