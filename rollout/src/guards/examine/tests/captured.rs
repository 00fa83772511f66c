//! Against a captured baseline, whose buckets stand in for a control's.

use super::*;
use crate::{
    evidence::arm::Buckets,
    measure::{CapturedArm, CapturedArms},
};

/// An error rate in each of so many buckets.
fn buckets(buckets: usize, bad: i64, all: u64) -> Buckets {
    let mut arm = Buckets::new();
    (0..buckets).for_each(|bucket| arm.add(bucket, bad, all));
    arm
}

impl World {
    /// The first counting was captured, and its number is known; of imported ones only the number.
    fn captured(mut self, buckets: Option<Buckets>) -> Self {
        let values = &mut self.plan.baseline.values;
        values.insert("error-rate".to_owned(), "1 %".parse().unwrap());
        let counted = self.counted[0].clone();
        let arms = buckets.map(|buckets| CapturedArm {
            counted,
            buckets,
            hours: BTreeMap::new(),
        });
        self.plan.baseline.captured = Arc::new(CapturedArms {
            units: 64_000,
            arms: arms.into_iter().collect(),
        });
        self
    }
}

fn at_everybody(captured: Option<Buckets>, bad: i64) -> World {
    let mut world = World::new(&[("error-rate > 1.5x baseline", Level::Abort)], 100).captured(captured);
    world.count(0, (bad, 1_000), (0, 0));
    world
}

#[test]
fn what_is_unsure_of_a_baseline_is_in_the_evidence() {
    // One in a hundred of 16 buckets of 100: sixteen failures make a number, and no certainty.
    let unsure = || Some(buckets(16, 1, 100));
    let sure = || Some(buckets(64, 100, 10_000));
    assert_eq!(
        at_everybody(None, 20).ladder(),
        Ladder::Abort,
        "a number knows no doubt"
    );
    assert_eq!(at_everybody(unsure(), 20).ladder(), Ladder::None);
    assert_eq!(at_everybody(sure(), 20).ladder(), Ladder::Abort);
    assert_eq!(
        at_everybody(unsure(), 200).ladder(),
        Ladder::Abort,
        "harm beyond any doubt"
    );
    assert_eq!(at_everybody(sure(), 14).ladder(), Ladder::None);
}

#[test]
fn a_baseline_of_fewer_than_four_buckets_shuts_gates_and_never_aborts() {
    let found = at_everybody(Some(buckets(3, 100, 10_000)), 500).examine(0);
    assert_eq!(found.findings[0].beyond, Beyond::Early);
    assert_eq!((found.rule, found.is_early), (None, true));
    assert_eq!(found.findings[0].log_e, [f64::NEG_INFINITY]);
}

#[test]
fn what_both_arms_suffer_is_an_incident_if_the_baseline_is_sure_enough_of_it() {
    let beside_control = |captured| {
        let mut world = World::new(&[("error-rate > 1.5x baseline", Level::Abort)], 50).captured(captured);
        world.count(0, (20, 1_000), (20, 1_000));
        let later = 3_600_000_000;
        world.worse_since.insert(0, later);
        let found = world.examine(later);
        (found.rule, found.holds, found.is_early)
    };
    let incident = (None, vec![HoldReason::Incident], false);
    assert_eq!(beside_control(Some(buckets(64, 100, 10_000))), incident);
    assert_eq!(beside_control(None), incident);
    assert_eq!(beside_control(Some(buckets(16, 1, 100))), (None, vec![], false));
}

#[test]
fn what_treatment_alone_suffers_against_a_baseline_lets_no_gate_pass() {
    let mut world =
        World::new(&[("error-rate > 1.5x baseline", Level::Abort)], 50).captured(Some(buckets(64, 100, 10_000)));
    world.count(0, (30, 1_000), (10, 1_000));
    let found = world.examine(0);
    assert_eq!((found.findings[0].beyond, found.is_early), (Beyond::Early, true));
    assert_eq!(found.holds, []);
}

#[test]
fn strata_are_one_arm_against_the_one_baseline() {
    let mut world = at_everybody(Some(buckets(64, 10, 1_000)), 20);
    let whole = world.examine(0);
    let sums = Arc::make_mut(world.visits.get_mut(&(0, 1)).unwrap());
    let arms = sums.metrics.remove(&(0, 0)).unwrap();
    let mut halves = [crate::measure::Arms::default(), crate::measure::Arms::default()];
    for (bucket, (num, den)) in arms.treatment.sums().enumerate() {
        halves[bucket % 2].treatment.add(bucket, num as i64, den);
    }
    for (stratum, half) in (0..).zip(halves) {
        sums.metrics.insert((0, stratum), half);
    }
    world
        .plan
        .stages
        .insert(0, Stage::new("before", Share::ALL, Dwell::For(1)));
    world.state.visits[0].stage = 0;
    assert_eq!(world.examine(0).findings[0].log_e, whole.findings[0].log_e);
}

/// Everybody is treated; by hour of the week: how many of how many failed in each bucket, before and now.
type Hour = (u8, (i64, u64), (i64, u64));

fn by_hour(harm: &str, hours: &[Hour]) -> World {
    let mut world = World::new(&[(harm, Level::Abort)], 100).captured(Some(Buckets::new()));
    let mut captured = CapturedArms::clone(&world.plan.baseline.captured);
    for &(hour, (bad_before, before), (bad, now)) in hours {
        let arm = &mut captured.arms[0];
        if before > 0 {
            arm.buckets.merge(&buckets(64, bad_before, before));
            arm.hours.insert(hour, buckets(64, bad_before, before));
        }
        let sums = Arc::make_mut(world.hours.entry(((0, 1), hour)).or_default());
        sums.metrics.entry((0, 0)).or_default().treatment = buckets(64, bad, now);
        let whole = Arc::make_mut(world.visits.entry((0, 1)).or_default());
        let arms = whole.metrics.entry((0, 0)).or_default();
        arms.treatment.merge(&buckets(64, bad, now));
    }
    world.plan.baseline.captured = Arc::new(captured);
    world
}

const SAME_HOUR: &str = "error-rate > 1.5x baseline-same-hour";

#[test]
fn a_daily_swing_is_harm_to_a_baseline_and_not_to_the_same_hour_of_it() {
    // Captured mostly by night, at 1 %; now it is mostly noon, at 4 % as it always is.
    let swing = [(3, (10, 1_000), (1, 100)), (12, (4, 100), (40, 1_000))];
    assert_eq!(by_hour("error-rate > 1.5x baseline", &swing).ladder(), Ladder::Abort);
    assert_eq!(by_hour(SAME_HOUR, &swing).ladder(), Ladder::None);
}

#[test]
fn harm_in_each_hour_is_found() {
    let harmed = [(3, (10, 1_000), (30, 1_000)), (12, (40, 1_000), (120, 1_000))];
    assert_eq!(by_hour(SAME_HOUR, &harmed).ladder(), Ladder::Abort);
    let by_night = [(3, (10, 1_000), (90, 1_000)), (12, (40, 1_000), (40, 1_000))];
    assert_eq!(by_hour(SAME_HOUR, &by_night).ladder(), Ladder::Abort);
}

#[test]
fn an_hour_that_the_baseline_lacks_is_left_out_and_without_a_common_one_there_is_no_verdict() {
    let calm = (3, (10, 1_000), (10, 1_000));
    let unknown = (12, (0, 0), (500, 1_000));
    let found = by_hour(SAME_HOUR, &[calm, unknown]).examine(0);
    assert_eq!(found.findings[0].estimate.unwrap().treatment.den, 64_000.0);
    assert_eq!(found.findings[0].beyond, Beyond::Within);
    let mut world = by_hour(SAME_HOUR, &[calm]);
    let sums = world.hours.remove(&((0, 1), 3)).unwrap();
    world.hours.insert(((0, 1), 4), sums);
    let found = world.examine(0);
    assert_eq!(
        (found.findings[0].beyond, found.findings[0].estimate),
        (Beyond::Unknown, None)
    );
    assert_eq!(found.findings[0].log_e, [f64::NEG_INFINITY]);
}
