//! What a plan is worth by itself: how many horizons it is planned for, and that any plan can be examined.

use proptest::prelude::*;
use rollout::{DAY_US, Guard, Plan, Share, Stage, Unit, duration::Dwell};

use crate::builders::{plan, stage};

#[test]
fn horizons_are_planned_for_compared_stages_only() {
    let of_days = |days: i64, share: f64| Stage {
        dwell: Dwell::For(days * DAY_US),
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
            dwell: Dwell::For(dwell_us),
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

#[test]
fn a_plan_that_knows_its_p95_is_told_when_treatment_is_slower_than_control() {
    let mut known = plan();
    known.add_built_in_guards();
    assert_eq!(known.guards, plan().guards, "nobody knows how it was");
    known
        .baseline
        .values
        .insert("p95".to_owned(), "890 ms".parse().unwrap());
    known.add_built_in_guards();
    known.add_built_in_guards();
    let expected = [plan().guards, vec![Guard::slower_than_control()]].concat();
    assert_eq!(known.guards, expected, "once");
    assert_eq!(known.violations(), []);
}

#[test]
fn a_plan_that_guards_p95_against_control_has_said_how_much_slower_it_may_be() {
    let mut known = plan();
    known
        .baseline
        .values
        .insert("p95".to_owned(), "890 ms".parse().unwrap());
    for (text, has_it) in [
        ("p95 > 2x control", false),
        ("p95 > control + 100 ms", false),
        ("p95 > 2x baseline", true),
        ("p99 > 2x control", true),
    ] {
        let rollout::criterion::Criterion::Compare(harm) = text.parse().unwrap() else {
            panic!("{text}")
        };
        let mut plan = known.clone();
        plan.guards[0].harm = harm;
        plan.add_built_in_guards();
        assert_eq!(plan.guards.contains(&Guard::slower_than_control()), has_it, "{text}");
    }
    known.guards = vec![Guard::no_worse_than_control(); rollout::plan::MOST_GUARDS];
    known.add_built_in_guards();
    assert_eq!(known.guards.len(), rollout::plan::MOST_GUARDS, "it is full");
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
        let [limit, alpha, max_control_rate, beta] = numbers;
        let (dwell_us, lost_after_us, minimum, by_request) = whole;
        let stages: Vec<Stage> = shares
            .iter()
            .map(|&share| Stage {
                minimum_outcomes: minimum,
                minimum_units: minimum,
                extension_us: Some(dwell_us),
                max_extensions: minimum as u32,
                ..Stage::new(flag.clone(), Share::new(share).unwrap(), Dwell::For(dwell_us))
            })
            .collect();
        let unit = if by_request { Unit::Request } else { Unit::Unit };
        let guards = vec![Guard { weight: limit, ..Guard::error_rate_above(limit) }];
        let rest = Plan { bake_us: dwell_us, stuck_after_us: lost_after_us, start_at_us: Some(dwell_us), ..plan() };
        let plan = Plan { key, flag, treatment, control, unit, stages, guards, alpha, beta, max_control_rate, lost_after_us, ..rest };
        prop_assert!(plan.planned_horizons() >= 1);
        let rising = plan.stages.windows(2).all(|pair| pair[0].share < pair[1].share);
        prop_assert!(rising || !plan.violations().is_empty());
    }
}
