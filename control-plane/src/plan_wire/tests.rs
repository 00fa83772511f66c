#![allow(clippy::unwrap_used, clippy::expect_used)]

use rollout::{Level, Stage, catalogue::Kind, duration::Dwell, gate::Policy};

use super::*;

fn wire() -> v1::Plan {
    let stage = |name: &str, buckets| v1::Stage {
        name: name.to_owned(),
        buckets,
        dwell_us: 1_000_000,
        ..v1::Stage::default()
    };
    v1::Plan {
        flag: "checkout".to_owned(),
        treatment: "new".to_owned(),
        control: "old".to_owned(),
        stages: vec![stage("one", 5_000), stage("all", 100_000)],
        ..v1::Plan::default()
    }
}

/// Every field that there is.
fn whole() -> v1::Plan {
    let rated = |level: &str| {
        Some(v1::Rated {
            level: level.to_owned(),
            rationale: "because".to_owned(),
        })
    };
    let item = |name: &str, by: &str| v1::Item {
        name: name.to_owned(),
        description: "d".to_owned(),
        by: by.to_owned(),
    };
    let mut plan = wire();
    plan.key = "big".to_owned();
    plan.description = "d".to_owned();
    plan.unit = v1::SplittingUnit::Request.into();
    plan.alpha = 0.02;
    plan.beta = 0.1;
    plan.max_control_rate = 0.05;
    plan.lost_after_us = 5_000_000;
    plan.environment = "production".to_owned();
    plan.strategy = "canary".to_owned();
    plan.risk = Some(v1::Risk {
        user_impact: rated("HIGH"),
        revenue_impact: rated("MEDIUM"),
        criticality: rated("LOW"),
        reversibility: rated("easy"),
    });
    plan.primary_metric = "error-rate".to_owned();
    plan.labels = [("component".to_owned(), "pay".to_owned())].into();
    plan.links = [("board".to_owned(), "https://boards.example/1".to_owned())].into();
    plan.start_at_us = 1_900_000_000_000_000;
    plan.unit_by = vec!["transaction".to_owned()];
    plan.observed = vec!["cpu".to_owned()];
    plan.metrics = vec![v1::OwnMetric {
        key: "shop-returns".to_owned(),
        kind: "count".to_owned(),
        unit: "count".to_owned(),
        better: "lower".to_owned(),
        per: "exposure".into(),
        minimum: "-1.5".into(),
        maximum: "100".into(),
        prometheus: None,
    }];
    plan.metrics.push(v1::OwnMetric {
        key: "queue-depth".to_owned(),
        kind: "gauge".to_owned(),
        unit: "count".to_owned(),
        better: "lower".to_owned(),
        prometheus: Some(v1::PrometheusQuery {
            query: "max(queue_depth{variant=\"{{variant}}\"})".to_owned(),
            interval_us: 10_000_000,
            stands_for_us: 60_000_000,
        }),
        ..v1::OwnMetric::default()
    });
    plan.warning = vec!["error-rate > 1 %".to_owned()];
    plan.critical = vec!["error-rate > 1.6 %".to_owned()];
    plan.manual_triggers = vec!["regulator".to_owned()];
    plan.kill_switch = Some(v1::KillSwitch {
        flag: "checkout".to_owned(),
        auto_trip: true,
        conditions: vec!["error-rate > 5 %".to_owned()],
    });
    plan.baseline = Some(v1::Baseline {
        source: "captured".to_owned(),
        artifact: "checkout-20261129".to_owned(),
        values: [
            ("error-rate".to_owned(), "0.8 %".to_owned()),
            ("p95".to_owned(), "890 ms".to_owned()),
        ]
        .into(),
    });
    plan.units_per_day = 10;
    plan.requests_per_day = 15_000;
    plan.windows = vec!["Mon-Fri 09:00-17:00 Europe/Berlin".to_owned()];
    plan.freezes = [("lunch".to_owned(), "11:00-14:00 America/New_York".to_owned())].into();
    plan.people = Some(v1::People {
        owner: "ada".to_owned(),
        approvers: vec!["grace".to_owned(), "linus".to_owned()],
        duties: vec![v1::Duty {
            stages: vec!["one".to_owned()],
            on_call: "alan".to_owned(),
            escalation: vec!["boss".to_owned()],
        }],
        stakeholders: vec![v1::Stakeholder {
            role: "support".to_owned(),
            channel: "#support".to_owned(),
            when: "24h before".to_owned(),
        }],
    });
    plan.approvals = 1;
    plan.preflight = vec![item("tests-passing", "automation")];
    plan.exit = vec![item("bake-over", "check")];
    plan.bake_us = Some(7);
    plan.holdback_buckets = 1_000;
    plan.stuck_after_us = 9;
    plan.guards = vec![
        v1::Guard {
            metric: "error-rate".to_owned(),
            limit: 1.5,
            level: v1::GuardLevel::Abort.into(),
            weight: 1.0,
            ..v1::Guard::default()
        },
        v1::Guard {
            harm: "p99 > 2x baseline".to_owned(),
            level: v1::GuardLevel::Hold.into(),
            weight: 2.0,
            ..v1::Guard::default()
        },
    ];
    plan.stages[0] = v1::Stage {
        name: "one".to_owned(),
        buckets: 5_000,
        dwell_us: 0,
        minimum_outcomes: Some(0),
        minimum_units: Some(9),
        audience: vec!["staff".to_owned()],
        permanent: true,
        shadow: true,
        success: vec!["error-rate < 1 %".to_owned()],
        rollback: vec!["error-rate > 2 %".to_owned()],
        gate: "certify".to_owned(),
        outcomes: vec!["proceed".to_owned(), "extend".to_owned()],
        max_extensions: 2,
        extension_us: 3,
        approvals: 2,
        checklist: vec!["look".to_owned()],
        on_call_required: true,
        windows: vec!["Mon UTC".to_owned()],
    };
    plan.stages[1].minimum_outcomes = Some(100);
    plan.stages[1].minimum_units = Some(3);
    plan.stages[1].gate = "no-harm".to_owned();
    plan
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
    assert_eq!(plan.guards, [Guard::error_rate_above(1.0)]);
    assert_eq!((plan.alpha, plan.beta, plan.max_control_rate), (0.01, 0.05, 0.10));
    assert_eq!((plan.lost_after_us, plan.bake_us), (30_000_000, Plan::DEFAULT_BAKE_US));
    assert_eq!(plan.stuck_after_us, Plan::DEFAULT_STUCK_AFTER_US);
    let stage = &plan.stages[0];
    assert_eq!((stage.minimum_outcomes, stage.minimum_units), (100, 3));
    assert_eq!((stage.policy, stage.dwell), (Policy::NoHarm, Dwell::For(1_000_000)));
}

#[test]
fn a_stage_with_written_criteria_is_observed() {
    let mut wire = wire();
    wire.stages[0].success = vec!["error-rate < 1 %".to_owned()];
    assert_eq!(read(wire).unwrap().stages[0].policy, Policy::Observed);
}

#[test]
fn every_field_of_a_plan_comes_back_as_it_was() {
    let wire = whole();
    let plan = read(wire.clone()).unwrap();
    assert_eq!(write(&plan), wire);
    assert_eq!(decode(&encode(&plan)).unwrap(), plan);
}

#[test]
fn what_is_written_reads_back_equal_and_has_the_same_hash() {
    let plan = read(wire()).unwrap();
    let again = read(write(&plan)).unwrap();
    assert_eq!(again, plan);
    assert_eq!(hash(&again), hash(&plan));
    let other = Plan {
        stages: vec![Stage::new("all", Share::ALL, Dwell::For(0))],
        ..plan.clone()
    };
    assert_ne!(hash(&other), hash(&plan));
}

fn asked(query: &str) -> v1::Plan {
    let mut plan = wire();
    plan.metrics = vec![v1::OwnMetric {
        key: "depth".to_owned(),
        unit: "count".to_owned(),
        prometheus: Some(v1::PrometheusQuery {
            query: query.to_owned(),
            ..v1::PrometheusQuery::default()
        }),
        ..v1::OwnMetric::default()
    }];
    plan
}

#[test]
fn what_prometheus_is_asked_for_is_a_level_that_is_read_every_half_minute() {
    let plan = read(asked("max(depth)")).unwrap();
    let query = plan.metrics[0].prometheus.as_ref().unwrap();
    assert_eq!(plan.kind_of("depth"), Some(Kind::Gauge));
    assert_eq!((query.interval_us, query.stands_for_us), (30_000_000, 90_000_000));
    let mut often = asked("max(depth)");
    often.metrics[0].prometheus.as_mut().unwrap().interval_us = 10_000_000;
    let plan = read(often).unwrap();
    let query = plan.metrics[0].prometheus.as_ref().unwrap();
    assert_eq!(query.stands_for_us, 30_000_000, "three of its own intervals");
}

#[test]
fn everything_that_is_wrong_with_a_query_is_told_under_it() {
    let query = "metrics[0].prometheus.query";
    assert_eq!(wrong(asked("")), [query]);
    assert_eq!(wrong(asked("sum(depth{v={{arm}}, w=\"{{who}}\"}")), [query; 3]);
    let mut plan = asked("max(depth)");
    plan.metrics[0].prometheus.as_mut().unwrap().interval_us = 1;
    assert_eq!(wrong(plan), ["metrics[0].prometheus.interval"]);
}

#[test]
fn every_text_that_cannot_be_read_is_named_with_its_path() {
    let mut plan = whole();
    plan.unit = 9;
    plan.strategy = "brave".to_owned();
    plan.stages[0].buckets = 100_001;
    plan.stages[0].success.push("error-rate is fine".to_owned());
    plan.stages[0].gate = "none".to_owned();
    plan.stages[0].outcomes.push("explode".to_owned());
    plan.stages[1].windows = vec!["Mon Mars/Olympus".to_owned()];
    plan.guards[1].harm = "all metrics stable".to_owned();
    plan.guards[0].level = 12;
    plan.windows.push("never".to_owned());
    plan.freezes.insert("bad".to_owned(), "2026-13-01 UTC".to_owned());
    plan.kill_switch.as_mut().unwrap().conditions.push("errors!".to_owned());
    plan.baseline
        .as_mut()
        .unwrap()
        .values
        .insert("p50".to_owned(), "fast".to_owned());
    plan.metrics[0].kind = "mood".to_owned();
    plan.preflight[0].by = "magic".to_owned();
    plan.risk.as_mut().unwrap().criticality = Some(v1::Rated {
        level: "HUGE".to_owned(),
        rationale: String::new(),
    });
    let found = wrong(plan);
    for field in [
        "unit",
        "strategy",
        "stages[0].percentage",
        "stages[0].success[1]",
        "stages[0].gate",
        "stages[0].outcomes[2]",
        "stages[1].windows[0]",
        "guards[1].harm",
        "guards[0].level",
        "windows[1]",
        "freezes.bad",
        "kill_switch.conditions[1]",
        "baseline.values.p50",
        "metrics[0].kind",
        "preflight[0].by",
        "risk.criticality",
    ] {
        assert!(found.iter().any(|known| known == field), "{field} is not in {found:?}");
    }
}

#[test]
fn a_plan_that_is_wrong_in_itself_is_refused_with_the_paths_of_documents() {
    let mut plan = wire();
    plan.treatment = "old".to_owned();
    plan.stages[1].buckets = 5_000;
    plan.stages[1].dwell_us = -1;
    plan.guards = vec![v1::Guard {
        metric: "error-rate".to_owned(),
        limit: 1_000.0,
        ..v1::Guard::default()
    }];
    plan.alpha = 0.5;
    assert_eq!(
        wrong(plan),
        [
            "treatment",
            "stages[1].dwell",
            "stages[1].percentage",
            "guards[0].limit",
            "alpha"
        ]
    );
}

#[test]
fn the_short_form_of_a_guard_is_the_ratio_to_control_and_stands_alone() {
    let mut plan = wire();
    plan.guards = vec![v1::Guard {
        metric: "error-rate".to_owned(),
        harm: "error-rate > 1 %".to_owned(),
        ..v1::Guard::default()
    }];
    assert_eq!(wrong(plan.clone()), ["guards[0]"]);
    plan.guards[0].harm.clear();
    let read = read(plan).unwrap();
    assert_eq!(read.harm_guard(), Some((0, 1.0)));
    assert_eq!(read.guards[0].level, Level::Abort);
}
