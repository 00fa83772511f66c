//! What a plan must be: every violation is found, with its path, and all of them at once.

mod stages;

use rollout::{
    DAY_US, Guard, Level, Plan, Share, Unit,
    catalogue::{self, Direction, Kind, OwnDefinition, Query, Template},
    criterion::{Criterion, Decimal},
    duration::Dwell,
    plan::{Duty, Item, KillSwitch, Stakeholder, TickedBy},
    risk::{Assessment, Rated, Reversibility, Risk},
};

use crate::builders::{criterion, of_stages, plan, share, stage, window};

type Change = fn(&mut Plan);

fn fields(plan: &Plan) -> Vec<String> {
    plan.violations().into_iter().map(|violation| violation.field).collect()
}

/// Each change breaks one thing: this path is told, with these words, and nothing else.
fn refuses(table: &[(Change, &str, &str)]) {
    for (position, (change, field, part)) in table.iter().enumerate() {
        let mut plan = plan();
        change(&mut plan);
        let found = plan.violations();
        assert_eq!(fields(&plan), [*field], "row {position}: {found:?}");
        let description = &found[0].description;
        assert!(
            description.contains(part),
            "row {position}: {description:?} says nothing of {part:?}"
        );
    }
}

fn guard(text: &str) -> Guard {
    let Criterion::Compare(harm) = criterion(text) else {
        panic!("{text} compares nothing");
    };
    Guard {
        harm,
        level: Level::Abort,
        weight: 1.0,
        except: Vec::new(),
    }
}

fn named(names: usize) -> Vec<String> {
    (0..names).map(|name| format!("n{name}")).collect()
}

#[test]
fn names_and_texts() {
    refuses(&[
        (|plan| plan.key = String::new(), "key", "begin with a letter or digit"),
        (|plan| plan.key = "-x".to_owned(), "key", "\"-x\""),
        (|plan| plan.key = "x".repeat(201), "key", "1 to 200"),
        (|plan| plan.flag = "with space".to_owned(), "flag", "\"with space\""),
        (|plan| plan.environment = "pröd".to_owned(), "environment", "\"pröd\""),
        (|plan| plan.description = "x".repeat(4_097), "description", "4096"),
        (
            |plan| plan.treatment = "old".to_owned(),
            "treatment",
            "differ from control",
        ),
        (
            |plan| plan.treatment = "a\u{7}".to_owned(),
            "treatment",
            "control characters",
        ),
        (|plan| plan.control = String::new(), "control", "name a variant"),
        (
            |plan| plan.labels = [(String::new(), "x".to_owned())].into(),
            "labels.",
            "must have a name",
        ),
        (
            |plan| plan.labels = [("cycle".to_owned(), "a\nb".to_owned())].into(),
            "labels.cycle",
            "one line",
        ),
        (
            |plan| plan.links = named(33).into_iter().map(|name| (name, String::new())).collect(),
            "links",
            "at most 32",
        ),
        (|plan| plan.unit_by = named(5), "unit_by", "at most 4"),
        (|plan| plan.unit_by = vec![String::new()], "unit_by[0]", "1 to 200"),
        (
            |plan| plan.manual_triggers = vec!["data loss".to_owned()],
            "manual_triggers[0]",
            "\"data loss\"",
        ),
        (
            |plan| plan.freezes = named(33).into_iter().map(|name| (name, window("Sun UTC"))).collect(),
            "freezes",
            "at most 32",
        ),
        (
            |plan| plan.windows = vec![window("Sun UTC"); 33],
            "windows",
            "at most 32",
        ),
        (
            |plan| {
                let rated = |bytes| Rated {
                    level: Risk::Low,
                    rationale: "x".repeat(bytes),
                };
                plan.risk = Some(Assessment {
                    user_impact: rated(0),
                    revenue_impact: rated(4_097),
                    criticality: rated(0),
                    reversibility: Rated {
                        level: Reversibility::Easy,
                        rationale: String::new(),
                    },
                });
            },
            "risk.revenue_impact.rationale",
            "4096",
        ),
    ]);
}

#[test]
fn people_and_lists() {
    let duty = |on_call: &str, stages: &[&str]| Duty {
        stages: stages.iter().map(|name| (*name).to_owned()).collect(),
        on_call: on_call.to_owned(),
        escalation: vec![],
    };
    let mut nobody = plan();
    nobody.people.duties = vec![duty(" ", &[])];
    assert_eq!(fields(&nobody), ["people.duties[0].on_call"]);
    nobody.people.duties = vec![duty("ann", &[]), duty("bob", &["canary", "beta"])];
    assert_eq!(fields(&nobody), ["people.duties[1].stages"]);
    refuses(&[
        (
            |plan| plan.people.approvers = vec!["  ".to_owned()],
            "people.approvers[0]",
            "must not be empty",
        ),
        (|plan| plan.people.owner = "x".repeat(501), "people.owner", "500"),
        (
            |plan| {
                plan.people.stakeholders = vec![Stakeholder {
                    role: String::new(),
                    channel: "#support".to_owned(),
                    when: "at each stage".to_owned(),
                }];
            },
            "people.stakeholders[0].role",
            "what they are",
        ),
        (|plan| plan.approvals = 21, "approvals", "at most 20"),
        (
            |plan| {
                plan.people.approvers = vec!["ann".to_owned()];
                plan.stages[1].approvals = 2;
            },
            "stages[1].approvals",
            "only 1 people",
        ),
        (
            |plan| plan.stages[2].on_call_required = true,
            "stages[2].on_call_required",
            "nobody is on call",
        ),
        (
            |plan| plan.preflight = vec![Item::new("a", TickedBy::Person), Item::new("a", TickedBy::Person)],
            "preflight[1].name",
            "twice",
        ),
        (
            |plan| plan.preflight = vec![Item::new("a b", TickedBy::Person)],
            "preflight[0].name",
            "\"a b\"",
        ),
        (
            |plan| plan.preflight = vec![Item::new(Item::BAKE_OVER, TickedBy::Check)],
            "preflight[0].by",
            "no check knows",
        ),
        (
            |plan| plan.exit = vec![Item::new("docs", TickedBy::Check)],
            "exit[0].by",
            "bake-over",
        ),
        (
            |plan| plan.exit = named(33).iter().map(|name| Item::new(name, TickedBy::Person)).collect(),
            "exit",
            "33",
        ),
    ]);
}

/// A level that a Prometheus is asked for.
fn asked(key: &str, query: &str) -> OwnDefinition {
    OwnDefinition {
        key: key.to_owned(),
        kind: Kind::Gauge,
        unit: catalogue::Unit::Count,
        better: Direction::Lower,
        per: None,
        minimum: None,
        maximum: None,
        prometheus: Some(Query {
            template: Template::parse(query).unwrap(),
            interval_us: 30_000_000,
            stands_for_us: 90_000_000,
        }),
    }
}

#[test]
fn queries_of_prometheus() {
    fn of(plan: &mut Plan) -> &mut OwnDefinition {
        plan.metrics = vec![asked("depth", "max(depth{v=\"{{variant}}\"})")];
        &mut plan.metrics[0]
    }
    fn timed(plan: &mut Plan, interval_us: i64, stands_for_us: i64) {
        let query = of(plan).prometheus.as_mut().unwrap();
        (query.interval_us, query.stands_for_us) = (interval_us, stands_for_us);
    }
    for (interval_us, stands_for_us) in [(5_000_000, 10_000_000), (600_000_000, 3_600_000_000)] {
        let mut plan = plan();
        timed(&mut plan, interval_us, stands_for_us);
        plan.guards.push(guard("depth > 2x control"));
        assert_eq!(fields(&plan), [""; 0]);
    }
    let mut cpu = plan();
    cpu.metrics = vec![OwnDefinition {
        unit: catalogue::Unit::Fraction,
        ..asked("cpu", "cpu_used_ratio")
    }];
    cpu.guards.push(guard("cpu > 80 %"));
    assert_eq!(fields(&cpu), [""; 0], "a level of the catalogue may be read");
    refuses(&[
        (
            |plan| timed(plan, 4_999_999, 60_000_000),
            "metrics[0].prometheus.interval",
            "must be 5s to 10m, not 4s999ms999us",
        ),
        (
            |plan| timed(plan, 600_000_001, 3_600_000_000),
            "metrics[0].prometheus.interval",
            "must be 5s to 10m",
        ),
        (
            |plan| timed(plan, 30_000_000, 59_999_999),
            "metrics[0].prometheus.stands_for",
            "must be 1m (two intervals) to 1h",
        ),
        (
            |plan| timed(plan, 30_000_000, 3_600_000_001),
            "metrics[0].prometheus.stands_for",
            "must be 1m",
        ),
        (|plan| of(plan).kind = Kind::Rate, "metrics[0].kind", "must be gauge"),
        (
            |plan| of(plan).maximum = Decimal::parse("10"),
            "metrics[0].maximum",
            "is for values that are counted",
        ),
        (
            |plan| plan.metrics = vec![asked("cpu", "cpu_used_ratio")],
            "metrics[0].unit",
            "built-in level (CPU use)",
        ),
        (
            |plan| plan.metrics = vec![asked("throughput", "sum(rate(requests_total[1m]))")],
            "metrics[0].key",
            "is a built-in metric",
        ),
        (
            |plan| {
                plan.metrics = vec![asked("depth", "max(depth{f=\"{{flag}}\"})")];
                plan.guards.push(guard("depth > 2x control"));
            },
            "guards[1].harm",
            "neither {{arm}} nor {{variant}}",
        ),
    ]);
}

#[test]
fn a_baseline_is_a_value_that_its_metric_can_have() {
    fn has(plan: &mut Plan, metric: &str, value: &str) {
        plan.baseline.values = [(metric.to_owned(), value.parse().unwrap())].into();
    }
    refuses(&[(
        |plan| has(plan, "error-rate", "120 %"),
        "baseline.values.error-rate",
        "120 % is not within 0 and 100 %; write 1 %",
    )]);
    for (metric, value) in [("error-rate", "100 %"), ("error-rate", "0 %"), ("cpu", "250 %")] {
        let mut plan = plan();
        has(&mut plan, metric, value);
        assert_eq!(fields(&plan), Vec::<String>::new(), "{metric} {value}");
    }
}

#[test]
fn metrics_and_guards() {
    let own = |key: &str| OwnDefinition {
        key: key.to_owned(),
        kind: Kind::Mean,
        unit: catalogue::Unit::Count,
        better: Direction::Higher,
        per: None,
        minimum: None,
        maximum: None,
        prometheus: None,
    };
    for (keys, field) in [
        (["carts", "carts"], "metrics[1].key"),
        (["carts", "error-rate"], "metrics[1].key"),
    ] {
        let mut plan = plan();
        plan.metrics = keys.map(own).into();
        assert_eq!(fields(&plan), [field]);
    }
    refuses(&[
        (|plan| plan.guards.clear(), "guards", "nothing stops this rollout"),
        (
            |plan| plan.guards = vec![Guard::no_worse_than_control(); 2],
            "guards[1]",
            "is guards[0] again, the same harm at the same level; leave one out",
        ),
        (
            |plan| {
                let third = Guard {
                    except: named(1),
                    ..guard("error-rate > 1 %")
                };
                plan.guards = vec![guard("p99 > 1 s"), guard("error-rate > 1 %"), third];
            },
            "guards[2]",
            "is guards[1] again, the same harm at the same level; that they leave out other classes",
        ),
        (
            |plan| plan.guards[0].except = named(17),
            "guards[0].except",
            "at most 16",
        ),
        (
            |plan| plan.guards[0].except = vec!["Card declined".to_owned()],
            "guards[0].except[0]",
            "\"Card declined\" must be",
        ),
        (
            |plan| {
                plan.guards = vec![Guard {
                    except: named(1),
                    ..guard("p99 > 1 s")
                }];
            },
            "guards[0].except",
            "not p99",
        ),
        (
            |plan| plan.guards = vec![Guard::error_rate_above(0.09)],
            "guards[0].limit",
            "0.1 to 100",
        ),
        (
            |plan| plan.guards = vec![Guard::error_rate_above(100.1)],
            "guards[0].limit",
            "not 100.1",
        ),
        (
            |plan| {
                plan.unit = Unit::Request;
                plan.guards = vec![Guard::error_rate_above(10.0)];
            },
            "guards[0].limit",
            "must be below 1",
        ),
        (|plan| plan.guards[0].weight = 0.0, "guards[0].weight", "above 0"),
        (|plan| plan.guards[0].weight = f64::NAN, "guards[0].weight", "NaN"),
        (
            |plan| plan.guards.push(guard("latencies > 1 s")),
            "guards[1].harm",
            "latencies",
        ),
        (|plan| plan.guards.push(guard("p99 > 1 %")), "guards[1].harm", "p99"),
        (
            |plan| plan.stages[1].rollback = vec![criterion("p99 > $1")],
            "stages[1].rollback[0]",
            "$1",
        ),
        (|plan| plan.warning = vec![criterion("p98 > 1 s")], "warning[0]", "p98"),
        (
            |plan| plan.critical = vec![criterion("p99 > 1 s"), criterion("p99 > 1")],
            "critical[1]",
            "p99",
        ),
        (|plan| plan.observed = vec!["p9".to_owned()], "observed[0]", "p9"),
        (
            |plan| plan.primary_metric = Some("revenu".to_owned()),
            "primary_metric",
            "revenue",
        ),
        (|plan| plan.primary_metric = Some(String::new()), "primary_metric", ""),
    ]);
}

#[test]
fn a_kill_condition_stands_by_itself() {
    let kill = |auto_trip, conditions: &[&str]| Plan {
        kill_switch: Some(KillSwitch {
            flag: String::new(),
            auto_trip,
            conditions: conditions.iter().map(|text| criterion(text)).collect(),
        }),
        ..plan()
    };
    assert_eq!(
        kill(true, &["error-rate > 5 %", "cost-per-query > $0.50"]).violations(),
        []
    );
    for (plan, field) in [
        (kill(true, &[]), "kill_switch.conditions"),
        (kill(false, &["error-rate > 2x control"]), "kill_switch.conditions[0]"),
        (
            kill(false, &["error-rate > 5 %", "all metrics stable"]),
            "kill_switch.conditions[1]",
        ),
        (kill(false, &["error-rate > 5 s"]), "kill_switch.conditions[0]"),
    ] {
        assert_eq!(fields(&plan), [field]);
    }
    let mut elsewhere = kill(false, &[]);
    elsewhere.kill_switch.as_mut().unwrap().flag = "a b".to_owned();
    assert_eq!(fields(&elsewhere), ["kill_switch.flag"]);
}

#[test]
fn numbers() {
    refuses(&[
        (|plan| plan.alpha = 0.0, "alpha", "0.0001 to 0.2"),
        (|plan| plan.alpha = 0.21, "alpha", "not 0.21"),
        (|plan| plan.alpha = f64::NAN, "alpha", "NaN"),
        (|plan| plan.beta = 1.0, "beta", "0.0001 to 0.2"),
        (|plan| plan.max_control_rate = 0.0, "max_control_rate", "above 0"),
        (|plan| plan.max_control_rate = f64::NAN, "max_control_rate", "NaN"),
        (|plan| plan.lost_after_us = 999_999, "lost_after", "1 s to 1 h"),
        (|plan| plan.lost_after_us = 3_600_000_001, "lost_after", "1 s to 1 h"),
        (|plan| plan.bake_us = -1, "bake", "365 days"),
        (|plan| plan.bake_us = 365 * DAY_US + 1, "bake", "365 days"),
        (|plan| plan.stuck_after_us = 0, "stuck_after", "365 days"),
        (|plan| plan.holdback = share(50.001), "holdback", "50.001 %"),
        (|plan| plan.start_at_us = Some(0), "start_at", "after 1970"),
    ]);
}

#[test]
fn a_good_plan_has_no_violations() {
    let good: [Change; 7] = [
        |_| {},
        |plan| plan.unit = Unit::Request,
        |plan| plan.stages.insert(0, stage("none", 0.0)),
        |plan| plan.stages[0].share = Share::new(1).unwrap(),
        |plan| plan.stages[0].dwell = Dwell::Permanent,
        |plan| plan.guards = vec![Guard::error_rate_above(10.0)],
        |plan| {
            plan.guards.clear();
            plan.stages[0].rollback = vec![criterion("error-rate > 1.6 %")];
        },
    ];
    for change in good {
        let mut plan = plan();
        change(&mut plan);
        assert_eq!(plan.violations(), []);
    }
}

#[test]
fn all_violations_are_told_at_once() {
    let mut plan = of_stages(vec![stage("a b", 50.0), stage("c", 5.0)]);
    plan.key = "?".to_owned();
    plan.stages[1].dwell = Dwell::For(-1);
    plan.stages[1].success = vec![criterion("p98 < 1 s")];
    plan.guards.clear();
    plan.alpha = 1.0;
    plan.holdback = Share::ALL;
    let expected = [
        "key",
        "stages[0].name",
        "stages[1].dwell",
        "stages[1].percentage",
        "stages[1].success[0]",
        "guards",
        "alpha",
        "holdback",
    ];
    assert_eq!(fields(&plan), expected);
}
