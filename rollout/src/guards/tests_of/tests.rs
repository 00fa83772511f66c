#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    Level, Unit,
    criterion::{Criterion, Decimal, Number},
    evidence::arm::Buckets,
    measure::{CapturedArm, counted},
};

fn guard(text: &str) -> Guard {
    let Criterion::Compare(harm) = text.parse().unwrap() else {
        panic!("{text}")
    };
    Guard {
        harm,
        level: Level::Abort,
        weight: 1.0,
        except: Vec::new(),
    }
}

/// The tests of one guard in a plan that knows these values of the time before.
fn tests(text: &str, baseline: &[(&str, &str)]) -> Result<Tests, Missing> {
    let mut plan = Plan {
        guards: vec![guard(text)],
        ..Plan::new("plan", "flag")
    };
    for (metric, value) in baseline {
        let value: Number = match format!("{metric} > {value}").parse().unwrap() {
            Criterion::Compare(comparison) => match comparison.limit {
                Written::Absolute(number) => number,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        plan.baseline.values.insert((*metric).to_owned(), value);
    }
    tests_of(&plan, &counted(&plan), &plan.guards[0])
}

fn absolute(metric: u16, kind: limit::Kind, limit: f64, harm: Side) -> Test {
    Test::Absolute {
        metric,
        rule: Rule {
            kind,
            limit: limit::Limit::Absolute(limit),
            harm,
        },
        is_complement: false,
    }
}

fn relative(metric: u16, kind: limit::Kind, ratio: f64, harm: Side) -> Test {
    Test::Relative {
        metric,
        rule: Rule {
            kind,
            limit: limit::Limit::Relative(ratio),
            harm,
        },
        is_complement: false,
    }
}

/// A rule, what is known of the time before, and the tests with a live control and without.
type Row = (
    &'static str,
    &'static [(&'static str, &'static str)],
    Option<Test>,
    Option<Test>,
);

#[test]
fn every_rule_that_users_write_becomes_the_test_that_decides_it() {
    use Side::{Above, Below};
    use limit::Kind::{Mean, Rate};
    let split = |metric, ratio| Some(Test::Split { metric, ratio });
    let rows: Vec<Row> = vec![
        ("error-rate > 1 %", &[], None, Some(absolute(0, Rate, 0.01, Above))),
        (
            "hallucination-rate > 15 %",
            &[],
            None,
            Some(absolute(1, Rate, 0.15, Above)),
        ),
        ("error-rate > 2x control", &[], split(0, 2.0), None),
        (
            "error-rate > 2x baseline",
            &[("error-rate", "0.8 %")],
            split(0, 2.0),
            Some(absolute(0, Rate, 0.016, Above)),
        ),
        ("error-rate > 2x baseline", &[], split(0, 2.0), None),
        (
            "hallucination-rate > baseline + 5 points",
            &[("hallucination-rate", "4 %")],
            None,
            Some(absolute(1, Rate, 0.09, Above)),
        ),
        (
            "p99 > 2x baseline",
            &[("p99", "400 ms")],
            None,
            Some(absolute(1, Rate, 1.0 - 0.99, Above)),
        ),
        (
            "p95 > 1x control",
            &[("p95", "890 ms")],
            Some(relative(1, Rate, 1.0, Above)),
            None,
        ),
        (
            "p95 > 2x control",
            &[("p95", "890 ms")],
            None,
            Some(absolute(1, Rate, 1.0 - 0.95, Above)),
        ),
        (
            "time-to-first-token > 2 s",
            &[],
            None,
            Some(absolute(1, Rate, 1.0 - 0.95, Above)),
        ),
        ("faithfulness < 0.85", &[], None, Some(absolute(1, Mean, 0.85, Below))),
        ("cost-per-query > $0.50", &[], None, Some(absolute(1, Mean, 0.5, Above))),
        (
            "tokens-per-query > 2x control",
            &[],
            Some(relative(1, Mean, 2.0, Above)),
            None,
        ),
        (
            "cost-per-query > 1.5x baseline",
            &[],
            Some(relative(1, Mean, 1.5, Above)),
            None,
        ),
        (
            "revenue < 95 % of control",
            &[],
            Some(relative(1, Mean, 0.95, Below)),
            None,
        ),
        (
            "conversion < 95 % of control",
            &[],
            Some(relative(1, Rate, 0.95, Below)),
            None,
        ),
        (
            "complaints > 10 in 24 h",
            &[],
            None,
            Some(Test::Cap {
                metric: 1,
                most: 10,
                window_us: Some(86_400_000_000),
            }),
        ),
        (
            "data-loss > 0",
            &[],
            None,
            Some(Test::Cap {
                metric: 1,
                most: 0,
                window_us: None,
            }),
        ),
        ("cpu > 80 %", &[], None, Some(Test::Level)),
    ];
    for (text, baseline, live, fixed) in rows {
        let found = tests(text, baseline).unwrap_or_else(|missing| panic!("{text}: {missing:?}"));
        assert_eq!(found.live, live, "{text}");
        match (found.fixed, fixed) {
            (
                Some(Test::Absolute { rule, metric, .. }),
                Some(Test::Absolute {
                    rule: wanted,
                    metric: number,
                    ..
                }),
            ) => {
                assert_eq!(
                    (metric, rule.kind, rule.harm),
                    (number, wanted.kind, wanted.harm),
                    "{text}"
                );
                let (limit::Limit::Absolute(limit), limit::Limit::Absolute(wanted)) = (rule.limit, wanted.limit) else {
                    panic!("{text}")
                };
                assert!((limit - wanted).abs() < 1e-12, "{text}: {limit}");
            }
            (found, fixed) => assert_eq!(found, fixed, "{text}"),
        }
    }
}

#[test]
fn throughput_below_the_baseline_is_judged_by_what_completes() {
    let found = tests("throughput < 0.8x baseline", &[]).unwrap();
    let Some(Test::Relative {
        rule, is_complement, ..
    }) = found.live
    else {
        panic!("{found:?}")
    };
    assert!(is_complement);
    assert_eq!((rule.limit, rule.harm), (limit::Limit::Relative(0.8), Side::Below));
}

#[test]
fn what_needs_a_baseline_says_so_without_one() {
    for text in [
        "p99 > 2x baseline",
        "p95 > 1x control",
        "hallucination-rate > baseline + 5 points",
    ] {
        assert_eq!(tests(text, &[]), Err(Missing::Baseline), "{text}");
    }
}

#[test]
fn each_ratio_of_a_request_split_has_a_test_of_its_own() {
    let mut plan = Plan {
        guards: [
            "error-rate > 1x control",
            "error-rate > 2x control",
            "timeout-rate > 2x control",
        ]
        .map(guard)
        .to_vec(),
        ..Plan::new("plan", "flag")
    };
    assert_eq!(onsets(&plan, &counted(&plan)), []);
    plan.unit = Unit::Request;
    let keys: Vec<_> = onsets(&plan, &counted(&plan)).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [(0, 1_000_000), (0, 2_000_000), (1, 2_000_000)]);
    assert_eq!(Decimal::parse("2").unwrap().millionths(), 2_000_000);
}

#[test]
fn a_captured_baseline_stands_in_for_a_control_where_it_was_counted_alike() {
    let captured = |text: &str, except: &[&str]| {
        let mut guard = guard(text);
        guard.except = except.iter().map(|&class| class.to_owned()).collect();
        let mut plan = Plan {
            guards: vec![guard],
            observed: vec!["completion-rate".to_owned()],
            ..Plan::new("plan", "flag")
        };
        let values = [("error-rate", "1 %"), ("completion-rate", "99 %"), ("p99", "1 s")];
        let values = values.map(|(metric, value)| (metric.to_owned(), value.parse().unwrap()));
        let arms = [
            (Guard::ERROR_RATE, Counting::Errors { expected: Vec::new() }),
            ("completion-rate", Counting::Lost),
        ];
        let arms = arms.map(|(metric, counting)| CapturedArm {
            counted: Counted {
                metric: metric.to_owned(),
                counting,
            },
            buckets: Buckets::new(),
            hours: std::collections::BTreeMap::new(),
        });
        let arms = CapturedArms {
            units: 0,
            arms: arms.to_vec(),
        };
        plan.baseline.freeze(values, arms.into());
        tests_of(&plan, &counted(&plan), &plan.guards[0])
            .unwrap()
            .fixed
            .unwrap()
    };
    let of_baseline = |text, except: &[&str]| match captured(text, except) {
        Test::Baseline {
            rule, is_complement, ..
        } => Some((rule.limit, rule.harm, is_complement)),
        Test::Absolute { .. } => None,
        other => panic!("{other:?}"),
    };
    let times = limit::Limit::Relative;
    assert_eq!(
        of_baseline("error-rate > 2x baseline", &[]),
        Some((times(2.0), Side::Above, false))
    );
    assert_eq!(
        of_baseline("completion-rate < 0.9x baseline", &[]),
        Some((times(0.9), Side::Below, true))
    );
    assert_eq!(
        of_baseline("error-rate > 2x baseline", &["Expected"]),
        None,
        "counted otherwise"
    );
    assert_eq!(of_baseline("error-rate > baseline + 1 points", &[]), None);
    assert_eq!(of_baseline("p99 > 2x baseline", &[]), None);
}
