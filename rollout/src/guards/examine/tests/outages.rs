//! What both arms suffer, and whether it is over.

use super::*;
use crate::measure::{CapturedArm, CapturedArms};

const LATER: Micros = 3_600_000_000;

/// An hour into a stage both arms are beyond 2 % in the visit, and had so many of 200 in its last minute.
fn suffering(guard: &str, lately: [Option<i64>; 2]) -> World {
    let mut world = World::new(&[(guard, Level::Abort)], 50);
    world.count(0, (30, 100), (30, 100));
    world.worse_since.insert(0, LATER);
    world.minute.begin((0, 1));
    for (bad, treatment) in lately.into_iter().zip([true, false]) {
        world.hear(treatment, bad, 50);
    }
    world
}

impl World {
    /// Each of four units had so many outcomes at the end of the hour, and one so many failures.
    fn hear(&mut self, treatment: bool, bad: Option<i64>, each: u64) {
        let Some(bad) = bad else { return };
        let mut buckets = crate::evidence::arm::Buckets::new();
        (0..4).for_each(|unit| buckets.add(unit, if unit == 0 { bad } else { 0 }, each));
        self.minute.add((0, treatment), &buckets, LATER);
    }

    fn beyond(&self) -> Beyond {
        self.examine(LATER).findings[0].beyond
    }
}

#[test]
fn what_both_arms_suffered_is_over_when_the_last_minute_of_either_is_within_the_limit() {
    for (lately, expected) in [
        ([None, None], Beyond::Both),
        ([Some(60), Some(60)], Beyond::Both),
        ([Some(60), None], Beyond::Both),
        ([Some(1), Some(1)], Beyond::Within),
        ([None, Some(1)], Beyond::Within),
        ([Some(1), Some(60)], Beyond::Within),
        ([Some(60), Some(1)], Beyond::Early),
    ] {
        assert_eq!(suffering("error-rate > 2 %", lately).beyond(), expected, "{lately:?}");
    }
}

#[test]
fn what_is_over_holds_no_longer_and_is_not_waited_for() {
    let found = suffering("error-rate > 2 %", [Some(1), Some(1)]).examine(LATER + bases::SPILL_OVER_US);
    assert_eq!((found.rule, found.holds, found.is_early), (None, vec![], false));
    assert_eq!(found.both_beyond, [0; 0]);
}

#[test]
fn a_minute_of_too_little_or_of_another_visit_says_nothing() {
    let mut few = suffering("error-rate > 2 %", [None, None]);
    few.hear(false, Some(0), 24);
    assert_eq!(few.beyond(), Beyond::Both, "96 outcomes");
    few.hear(false, Some(0), 1);
    assert_eq!(few.beyond(), Beyond::Within, "100 outcomes");
    let mut other = suffering("error-rate > 2 %", [Some(1), Some(1)]);
    other.minute.begin((0, 2));
    other.hear(false, Some(0), 50);
    assert_eq!(other.beyond(), Beyond::Both);
}

#[test]
fn so_many_times_a_captured_baseline_is_a_limit_in_the_last_minute_as_well() {
    for (bad, expected) in [(60, Beyond::Both), (1, Beyond::Within)] {
        let mut world = suffering("error-rate > 2x baseline", [Some(bad), Some(bad)]);
        world
            .plan
            .baseline
            .values
            .insert("error-rate".to_owned(), "1 %".parse().unwrap());
        let mut buckets = crate::evidence::arm::Buckets::new();
        (0..64).for_each(|bucket| buckets.add(bucket, 10, 1_000));
        let arm = CapturedArm {
            counted: world.counted[0].clone(),
            buckets,
            hours: BTreeMap::new(),
        };
        world.plan.baseline.captured = Arc::new(CapturedArms {
            units: 64_000,
            arms: vec![arm],
        });
        assert_eq!(world.beyond(), expected, "{bad}");
    }
}

#[test]
fn only_what_both_arms_may_suffer_is_kept_by_the_minute() {
    let guards = [
        ("error-rate > 2 %", Level::Abort),
        ("cost-per-query > 2x control", Level::Abort),
        ("complaints > 10 in 24 h", Level::Abort),
    ];
    let world = World::new(&guards, 50);
    let kept = crate::guards::shared_countings(&world.plan, &world.counted);
    assert_eq!(kept.into_iter().collect::<Vec<_>>(), [0]);
}
