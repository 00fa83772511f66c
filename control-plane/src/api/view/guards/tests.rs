#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use rollout::{Guard as PlanGuard, Unit, measure};

use super::*;
use crate::{
    builders::{SECOND_US, START_US, rollout_of, sources, state},
    engine::facts::Gathered,
};

fn guard(text: &str, level: Level) -> PlanGuard {
    let Criterion::Compare(harm) = text.parse().unwrap() else {
        panic!("{text}")
    };
    PlanGuard {
        harm,
        level,
        weight: 1.0,
        except: Vec::new(),
    }
}

/// So many of so many in each of the 64 buckets of an arm.
type Each = (i64, u64);

/// A rollout with these guards, of which treatment and control have this, by the number of the counting.
fn seen(guards: &[(&str, Level)], counts: &[(u16, Each, Each)]) -> Vec<v1::GuardView> {
    let mut record = rollout_of(Unit::Unit, &[50], 60 * SECOND_US);
    let mut plan = (*record.plan).clone();
    plan.guards = guards.iter().map(|(text, level)| guard(text, *level)).collect();
    record.counted = measure::counted(&plan).into();
    record.plan = Arc::new(plan);
    let mut evidence = EvidenceRecord {
        batches: 1,
        ..EvidenceRecord::default()
    };
    evidence.visit_mut(0, 1).treatment.outcomes = 6_400;
    evidence.visit_mut(0, 1).treatment.unit_buckets = u64::MAX;
    for (metric, treatment, control) in counts {
        let arms = evidence.sums_mut((0, 1)).metrics.entry((*metric, 0)).or_default();
        for bucket in 0..64 {
            arms.treatment.add(bucket, treatment.0, treatment.1);
            arms.control.add(bucket, control.0, control.1);
        }
    }
    let mut world = state([record.clone()]);
    world.evidence = Arc::new([(record.id, Arc::new(evidence.clone()))].into());
    let gathered: Gathered = sources(&world).gather(&world, &record, false, START_US + 3_600 * SECOND_US);
    views(&record, &evidence, &gathered, START_US + 3_600 * SECOND_US)
}

#[test]
fn every_guard_says_which_test_judges_it_and_how_it_stands() {
    let guards = [
        ("error-rate > 1x control", Level::Abort),
        ("p99 > 1.8 s", Level::Hold),
        ("p95 > 2x baseline", Level::Warn),
    ];
    let views = seen(&guards, &[(0, (3, 100), (1, 100)), (1, (9, 100), (0, 100))]);
    let told: Vec<_> = views
        .iter()
        .map(|view| {
            (
                view.harm.as_str(),
                view.level(),
                view.test.as_str(),
                view.standing.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("error-rate > 1x control", v1::GuardLevel::Abort, "unit", "none"),
            ("p99 > 1.8 s", v1::GuardLevel::Hold, "robust", "hold"),
            ("p95 > 2x baseline", v1::GuardLevel::Warn, "", "no baseline"),
        ]
    );
    let [errors, slow, unknown] = <[v1::GuardView; 3]>::try_from(views).unwrap();
    assert_eq!(
        (errors.unit.as_str(), errors.treatment, errors.control),
        ("fraction", Some(0.03), Some(0.01))
    );
    assert_eq!((errors.treatment_outcomes, errors.treatment_units), (6_400, 64));
    assert_eq!(
        (slow.unit.as_str(), slow.counted.as_str()),
        ("fraction", "above 1s800ms")
    );
    assert_eq!(
        (slow.treatment, slow.limit.map(|limit| (limit * 1e9).round())),
        (Some(0.09), Some(1e7))
    );
    assert!(slow.from_limit.unwrap().low > 0.0);
    assert_eq!((unknown.untested.as_str(), unknown.log_evidence), ("no baseline", None));
    assert_eq!((errors.weight, slow.weight), (1.0, 1.0));
}

#[test]
fn before_anything_was_sealed_nothing_is_shown_as_zero() {
    let mut record = rollout_of(Unit::Unit, &[50], 60 * SECOND_US);
    record.state.visits.clear();
    let world = state([record.clone()]);
    let gathered = sources(&world).gather(&world, &record, false, START_US);
    let views = views(&record, &EvidenceRecord::default(), &gathered, START_US);
    assert_eq!(views[0].treatment, None);
    assert_eq!(
        (views[0].standing.as_str(), views[0].untested.as_str()),
        ("no data", "not started")
    );
}
