//! What a plan must be: every violation is found, and all of them at once.

use proptest::prelude::*;
use rollout::{DAY_US, Guard, Level, Metric, Plan, Share, Stage, Unit};

use crate::builders::{plan, stage};

fn fields(plan: &Plan) -> Vec<String> {
    plan.violations().into_iter().map(|violation| violation.field).collect()
}

#[test]
fn a_good_plan_has_no_violations() {
    assert_eq!(plan().violations(), []);
    assert_eq!(
        Plan {
            unit: Unit::Request,
            ..plan()
        }
        .violations(),
        []
    );
    assert_eq!(
        Plan {
            stages: vec![stage("none", 0.0), stage("all", 100.0)],
            ..plan()
        }
        .violations(),
        []
    );
}

#[test]
fn each_violation_names_its_field() {
    let guard = plan().guards[0];
    let with_guard = |limit: f64, level: Level| Plan {
        guards: vec![Guard {
            metric: Metric::ErrorRate,
            limit,
            level,
        }],
        ..plan()
    };
    let with_stage = |stage: Stage| Plan {
        stages: vec![stage],
        ..plan()
    };
    let many = (0..17).map(|n| stage(&format!("s{n}"), f64::from(n))).collect();
    for (plan, expected) in [
        (
            Plan {
                key: String::new(),
                ..plan()
            },
            "key",
        ),
        (
            Plan {
                key: "-x".to_owned(),
                ..plan()
            },
            "key",
        ),
        (
            Plan {
                key: "x".repeat(201),
                ..plan()
            },
            "key",
        ),
        (
            Plan {
                flag: "with space".to_owned(),
                ..plan()
            },
            "flag",
        ),
        (
            Plan {
                description: "x".repeat(4_097),
                ..plan()
            },
            "description",
        ),
        (
            Plan {
                treatment: "old".to_owned(),
                ..plan()
            },
            "treatment",
        ),
        (
            Plan {
                treatment: "a\u{7}".to_owned(),
                ..plan()
            },
            "treatment",
        ),
        (
            Plan {
                control: String::new(),
                ..plan()
            },
            "control",
        ),
        (
            Plan {
                stages: vec![],
                ..plan()
            },
            "stages",
        ),
        (Plan { stages: many, ..plan() }, "stages"),
        (
            Plan {
                stages: vec![stage("a", 5.0), stage("a", 6.0)],
                ..plan()
            },
            "stages[1].name",
        ),
        (
            Plan {
                stages: vec![stage("a", 5.0), stage("b", 5.0)],
                ..plan()
            },
            "stages[1].share",
        ),
        (
            Plan {
                stages: vec![stage("a", 5.0), stage("b", 4.0)],
                ..plan()
            },
            "stages[1].share",
        ),
        (with_stage(stage("", 5.0)), "stages[0].name"),
        (
            with_stage(Stage {
                dwell_us: -1,
                ..stage("a", 5.0)
            }),
            "stages[0].dwell",
        ),
        (
            with_stage(Stage {
                dwell_us: 365 * DAY_US + 1,
                ..stage("a", 5.0)
            }),
            "stages[0].dwell",
        ),
        (
            with_stage(Stage {
                minimum_outcomes: u64::MAX,
                ..stage("a", 5.0)
            }),
            "stages[0].minimum_outcomes",
        ),
        (
            with_stage(Stage {
                minimum_units: u64::MAX,
                ..stage("a", 5.0)
            }),
            "stages[0].minimum_units",
        ),
        (
            Plan {
                guards: vec![],
                ..plan()
            },
            "guards",
        ),
        (
            Plan {
                guards: vec![guard, guard],
                ..plan()
            },
            "guards",
        ),
        (with_guard(1.0, Level::Warn), "guards[0].level"),
        (with_guard(0.09, Level::Abort), "guards[0].limit"),
        (with_guard(100.1, Level::Abort), "guards[0].limit"),
        (with_guard(f64::NAN, Level::Abort), "guards[0].limit"),
        (
            Plan {
                unit: Unit::Request,
                ..with_guard(10.0, Level::Abort)
            },
            "guards[0].limit",
        ),
        (Plan { alpha: 0.0, ..plan() }, "alpha"),
        (Plan { alpha: 0.21, ..plan() }, "alpha"),
        (
            Plan {
                alpha: f64::NAN,
                ..plan()
            },
            "alpha",
        ),
        (
            Plan {
                max_control_rate: 0.0,
                ..plan()
            },
            "max_control_rate",
        ),
        (
            Plan {
                max_control_rate: f64::NAN,
                ..plan()
            },
            "max_control_rate",
        ),
        (
            Plan {
                lost_after_us: 999_999,
                ..plan()
            },
            "lost_after",
        ),
        (
            Plan {
                lost_after_us: 3_600_000_001,
                ..plan()
            },
            "lost_after",
        ),
    ] {
        assert_eq!(fields(&plan), [expected], "{:?}", plan.violations());
    }
}

#[test]
fn all_violations_are_told_at_once() {
    let plan = Plan {
        key: "?".to_owned(),
        stages: vec![
            stage("a b", 50.0),
            Stage {
                dwell_us: -1,
                ..stage("c", 5.0)
            },
        ],
        guards: vec![],
        alpha: 1.0,
        ..plan()
    };
    assert_eq!(
        fields(&plan),
        [
            "key",
            "stages[0].name",
            "stages[1].dwell",
            "stages[1].share",
            "guards",
            "alpha"
        ]
    );
}

#[test]
fn a_limit_below_the_highest_possible_rate_is_fine_for_units() {
    let guards = vec![Guard {
        metric: Metric::ErrorRate,
        limit: 10.0,
        level: Level::Abort,
    }];
    assert_eq!(Plan { guards, ..plan() }.violations(), []);
}

#[test]
fn horizons_are_planned_for_compared_stages_only() {
    let of_days = |days: i64, share: f64| Stage {
        dwell_us: days * DAY_US,
        ..stage("s", share)
    };
    let stages = vec![
        of_days(1, 0.0),
        of_days(1, 0.5),
        of_days(2, 5.0),
        of_days(7, 25.0),
        of_days(3, 100.0),
    ];
    let plan = Plan { stages, ..plan() };
    assert_eq!(plan.planned_horizons(), 10);
    assert_eq!(
        Plan {
            unit: Unit::Request,
            ..plan
        }
        .planned_horizons(),
        3
    );
}

#[test]
fn a_begun_day_is_a_horizon_and_there_is_always_one() {
    let with_dwell = |dwell_us: i64| Plan {
        stages: vec![Stage {
            dwell_us,
            ..stage("s", 5.0)
        }],
        ..plan()
    };
    for (dwell_us, expected) in [
        (0, 1),
        (1, 1),
        (DAY_US, 1),
        (DAY_US + 1, 2),
        (365 * DAY_US, 365),
        (i64::MAX, 106_751_992),
    ] {
        assert_eq!(with_dwell(dwell_us).planned_horizons(), expected, "{dwell_us}");
    }
    assert_eq!(
        Plan {
            stages: vec![stage("all", 100.0)],
            ..plan()
        }
        .planned_horizons(),
        1
    );
    assert_eq!(
        Plan {
            stages: vec![],
            ..plan()
        }
        .planned_horizons(),
        1
    );
}

proptest! {
    #[test]
    fn any_plan_is_examined_without_panic(
        texts in prop::array::uniform4(".{0,12}"),
        shares in prop::collection::vec(0..=100_000_u32, 0..20),
        numbers in prop::array::uniform4(any::<f64>()),
        whole in any::<(i64, i64, u64, bool)>(),
    ) {
        let [key, flag, treatment, control] = texts;
        let [limit, alpha, max_control_rate, _] = numbers;
        let (dwell_us, lost_after_us, minimum, by_request) = whole;
        let stages: Vec<Stage> = shares
            .iter()
            .map(|&share| Stage {
                name: flag.clone(),
                share: Share::new(share).unwrap(),
                dwell_us,
                minimum_outcomes: minimum,
                minimum_units: minimum,
            })
            .collect();
        let unit = if by_request { Unit::Request } else { Unit::Unit };
        let guards = vec![Guard { metric: Metric::ErrorRate, limit, level: Level::Abort }];
        let plan = Plan { key, flag, description: String::new(), treatment, control, unit, stages, guards, alpha, max_control_rate, lost_after_us };
        prop_assert!(plan.planned_horizons() >= 1);
        let rising = plan.stages.windows(2).all(|pair| pair[0].share < pair[1].share);
        prop_assert!(rising || !plan.violations().is_empty());
    }
}
