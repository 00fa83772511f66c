#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    Level, Stage,
    criterion::{Decimal, Number, Written},
    duration::Dwell,
    plan::KillSwitch,
};

fn plan(guards: &[&str]) -> Plan {
    let guard = |text: &&str| {
        let Criterion::Compare(harm) = text.parse().unwrap() else {
            panic!("{text}")
        };
        Guard {
            harm,
            level: Level::Abort,
            weight: 1.0,
            except: Vec::new(),
        }
    };
    Plan {
        guards: guards.iter().map(guard).collect(),
        stages: vec![Stage::new("half", crate::Share::new(50_000).unwrap(), Dwell::For(1))],
        ..Plan::new("plan", "flag")
    }
}

fn with_baseline(mut plan: Plan, metric: &str, millionths: i64, written: Written) -> Plan {
    let value = Decimal::from_millionths(millionths);
    plan.baseline
        .values
        .insert(metric.to_owned(), Number { value, written });
    plan
}

fn countings(plan: &Plan) -> Vec<(String, Counting)> {
    let list = counted(plan).into_iter();
    list.map(|counted| (counted.metric, counted.counting)).collect()
}

#[test]
fn the_error_rate_is_always_counted_first() {
    let errors = ("error-rate".to_owned(), Counting::Errors { expected: Vec::new() });
    for guards in [&[][..], &["error-rate > 1 %", "error-rate > 2x control"]] {
        assert_eq!(countings(&plan(guards)), std::slice::from_ref(&errors));
    }
}

#[test]
fn a_quantile_is_counted_by_what_exceeds_its_limit() {
    let slower = |bound_us| Counting::Slower { bound_us };
    let absolute = plan(&["p99 > 900 ms", "p95 > 900 ms", "p95 > 1 s"]);
    let bounds: Vec<_> = countings(&absolute).into_iter().skip(1).collect();
    assert_eq!(
        bounds,
        [
            ("p99".to_owned(), slower(900_000)),
            ("p95".to_owned(), slower(900_000)),
            ("p95".to_owned(), slower(1_000_000)),
        ]
    );
    let relative = plan(&["p99 > 2x baseline", "p99 > 1.5x control"]);
    assert_eq!(counted(&relative).len(), 1, "nobody knows the baseline");
    let known = with_baseline(relative, "p99", 400_000_000, Written::Milliseconds);
    let bounds: Vec<_> = countings(&known)
        .into_iter()
        .skip(1)
        .map(|(_, counting)| counting)
        .collect();
    assert_eq!(bounds, [slower(800_000), slower(600_000)]);
    let token = plan(&["time-to-first-token > 2 s"]);
    assert_eq!(
        countings(&token)[1].1,
        Counting::Above {
            value: "time-to-first-token".to_owned(),
            bound: 2_000_000_000_000,
        }
    );
}

#[test]
fn values_are_divided_by_what_their_metric_says() {
    let plan = plan(&[
        "revenue < 95 % of control",
        "cost-per-query > $0.50",
        "conversion < 95 % of control",
    ]);
    let found = countings(&plan);
    assert!(matches!(
        &found[1].1,
        Counting::Sum {
            per: Per::Exposure,
            minimum: -10_000_000_000,
            ..
        }
    ));
    assert!(matches!(
        &found[2].1,
        Counting::Sum {
            per: Per::Value,
            minimum: 0,
            ..
        }
    ));
    assert!(matches!(&found[3].1, Counting::Hits { per: Per::Exposure, .. }));
}

#[test]
fn everything_that_a_plan_names_somewhere_is_counted_once() {
    let mut plan = plan(&[]);
    let criteria = |text: &str| vec![text.parse().unwrap()];
    plan.stages[0].success = criteria("http-5xx-rate < 1 %");
    plan.stages[0].rollback = criteria("timeout-rate > 5 %");
    plan.warning = criteria("complaints > 10 in 24 h");
    plan.critical = criteria("complaints > 10 in 24 h");
    plan.kill_switch = Some(KillSwitch {
        flag: String::new(),
        auto_trip: true,
        conditions: criteria("hallucination-rate > 15 %"),
    });
    plan.observed = vec!["cpu".to_owned(), "engagement".to_owned(), "p95".to_owned()];
    let metrics: Vec<_> = countings(&plan).into_iter().map(|(metric, _)| metric).collect();
    assert_eq!(
        metrics,
        [
            "error-rate",
            "http-5xx-rate",
            "timeout-rate",
            "complaints",
            "hallucination-rate",
            "engagement"
        ]
    );
}

#[test]
fn a_new_plan_keeps_the_numbers_of_what_was_counted() {
    let before = counted(&plan(&["cost-per-query > $0.50", "faithfulness < 0.85"]));
    let after = extended(&before, &plan(&["faithfulness < 0.85", "revenue < 95 % of control"]));
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!(after.last().unwrap().metric, "revenue");
}

#[test]
fn expected_failures_are_counted_apart() {
    let mut plan = plan(&["error-rate > 1 %"]);
    plan.guards[0].except = vec!["card-declined".to_owned()];
    let found = countings(&plan);
    assert_eq!(found.len(), 2);
    assert_eq!(
        found[1].1,
        Counting::Errors {
            expected: vec!["card-declined".to_owned()]
        }
    );
}
