#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, sync::Arc};

use super::*;
use crate::{
    Guard, Horizon, Level, Phase, Share, Stage, Visit,
    criterion::{Criterion, Estimates},
    duration::Dwell,
    guards::{self, HorizonCounts, SampledCounts, VisitKey},
    measure::{CapturedArm, CapturedArms, Counted, Events, Sums, counted},
};

const HOUR: Micros = 3_600_000_000;

/// One rollout an hour into its first stage, and what was sealed of it.
struct World {
    plan: Plan,
    state: State,
    counted: Vec<Counted>,
    visits: BTreeMap<VisitKey, Arc<Sums>>,
    hours: BTreeMap<(VisitKey, u8), Arc<Sums>>,
    horizons: BTreeMap<u32, HorizonCounts>,
    sampled: BTreeMap<(VisitKey, u8), SampledCounts>,
    events: Events,
    levels: guards::Levels,
}

impl World {
    fn new(guard: &str, percent: u32) -> Self {
        let Criterion::Compare(harm) = guard.parse().unwrap() else {
            panic!("{guard}")
        };
        let plan = Plan {
            guards: vec![Guard {
                harm,
                level: Level::Abort,
                weight: 1.0,
                except: Vec::new(),
            }],
            stages: vec![Stage::new(
                "first",
                Share::new(percent * 1_000).unwrap(),
                Dwell::For(24 * HOUR),
            )],
            ..Plan::new("plan", "flag")
        };
        let mut state = State::draft(0, 0);
        state.phase = Phase::Soak;
        state.visits = vec![Visit {
            stage: 0,
            visit: 1,
            entered_at_us: 0,
        }];
        state.horizons = vec![Horizon {
            stage: 0,
            started_at_us: 0,
        }];
        Self {
            counted: counted(&plan),
            plan,
            state,
            visits: BTreeMap::new(),
            hours: BTreeMap::new(),
            horizons: BTreeMap::new(),
            sampled: BTreeMap::new(),
            events: Events::default(),
            levels: BTreeMap::new(),
        }
    }

    /// Each of the 64 buckets of an arm has so many of so many.
    fn count(self, metric: u16, treatment: (i64, u64), control: (i64, u64)) -> Self {
        self.count_in(64, metric, treatment, control)
    }

    /// Each of so many buckets of an arm has so many of so many.
    fn count_in(mut self, buckets: usize, metric: u16, treatment: (i64, u64), control: (i64, u64)) -> Self {
        let sums = Arc::make_mut(self.visits.entry((0, 1)).or_default());
        let arms = sums.metrics.entry((metric, 0)).or_default();
        for bucket in 0..buckets {
            arms.treatment.add(bucket, treatment.0, treatment.1);
            arms.control.add(bucket, control.0, control.1);
        }
        self
    }

    fn bad_units(mut self, treatment: u64, control: u64) -> Self {
        let counts = self.horizons.entry(1).or_default();
        counts.strata.insert((0, 0), (treatment, control));
        self
    }

    fn shown(&self) -> Shown {
        let worse_since = BTreeMap::new();
        let seen = Seen {
            counted: &self.counted,
            visits: &self.visits,
            hours: &self.hours,
            horizons: &self.horizons,
            sampled: &self.sampled,
            events: &self.events,
            minute: &crate::measure::Minute::default(),
            worse_since: &worse_since,
        };
        let found = guards::examine(&self.plan, &self.state, &seen, &self.levels, HOUR);
        let look = Look {
            plan: &self.plan,
            state: &self.state,
            seen: &seen,
            levels: &self.levels,
            now: HOUR,
        };
        look.guard(0, found.findings.first())
    }
}

fn close(actual: Option<f64>, expected: f64) {
    let actual = actual.unwrap();
    assert!((actual - expected).abs() < 1e-12, "{actual}, expected {expected}");
}

#[test]
fn a_rate_stands_beside_control_and_its_limit() {
    let shown = World::new("error-rate > 2x control", 50)
        .count(0, (3, 100), (1, 100))
        .shown();
    assert_eq!(shown.test, "unit");
    close(shown.treatment, 0.03);
    close(shown.control, 0.01);
    close(shown.limit, 0.02);
    assert_eq!((shown.treatment_outcomes, shown.control_outcomes), (6_400, 6_400));
    let interval = shown.from_limit.unwrap();
    assert!(interval.low < 0.01 && 0.01 < interval.high, "{interval:?}");
    assert!(interval.low > 0.0, "{interval:?}");
}

#[test]
fn a_mean_that_must_not_fall_is_below_its_limit_when_it_does() {
    let shown = World::new("revenue < 0.95x control", 50)
        .count(1, (80_000_000, 100), (100_000_000, 100))
        .shown();
    assert_eq!(shown.test, "robust");
    close(shown.treatment, 0.8);
    close(shown.limit, 0.95);
    let interval = shown.from_limit.unwrap();
    assert!(interval.low <= -0.15 && -0.15 <= interval.high, "{interval:?}");
}

#[test]
fn a_quantile_is_shown_as_the_part_that_exceeds_its_bound() {
    let shown = World::new("p99 > 1 s", 100).count(1, (2, 100), (0, 0)).shown();
    assert_eq!((shown.test, shown.control), ("robust", None));
    close(shown.treatment, 0.02);
    close(shown.limit, 0.01);
}

#[test]
fn events_and_levels_are_shown_as_they_are() {
    let mut capped = World::new("complaints > 10 in 24h", 50);
    capped.events.add(1, 3_000_000, HOUR);
    let shown = capped.shown();
    assert_eq!(
        (shown.test, shown.treatment, shown.limit),
        ("cap", Some(3.0), Some(10.0))
    );
    let mut level = World::new("cpu > 80 %", 50);
    assert_eq!(level.shown().treatment, None);
    let estimates = Estimates {
        treatment: Some(0.5),
        ..Estimates::default()
    };
    let read = guards::Level {
        now: estimates,
        recent: vec![estimates; 3],
    };
    level.levels.insert("cpu".to_owned(), read);
    let shown = level.shown();
    assert_eq!(
        (shown.test, shown.treatment, shown.limit),
        ("level", Some(0.5), Some(0.8))
    );
}

#[test]
fn a_guard_that_nothing_judges_says_why() {
    let cases = [
        ("error-rate > 2x control", 100, "no live control in this stage"),
        ("error-rate > 2x control", 0, "nobody has the treatment"),
        ("p99 > 2x baseline", 50, "no baseline"),
    ];
    for (guard, percent, why) in cases {
        let shown = World::new(guard, percent).shown();
        assert_eq!((shown.test, shown.untested), ("", why), "{guard}");
    }
    let mut draft = World::new("error-rate > 2x control", 50);
    draft.state.visits.clear();
    assert_eq!(draft.shown().untested, "not started");
}

#[test]
fn without_data_nothing_is_made_up() {
    for guard in ["error-rate > 2x control", "revenue < 0.95x control", "p99 > 1 s"] {
        let shown = World::new(guard, 50).shown();
        assert_eq!(
            (shown.treatment, shown.limit, shown.from_limit),
            (None, None, None),
            "{guard}"
        );
        assert_eq!(shown.eta, None, "{guard}");
    }
}

#[test]
fn evidence_that_grows_has_a_time_until_it_aborts_and_else_until_twice_the_limit_would_show() {
    let world = || World::new("error-rate > 1x control", 50);
    let growing = world()
        .count(0, (2, 100), (1, 100))
        .bad_units(20, 10)
        .shown()
        .eta
        .unwrap();
    assert_eq!(growing.until, Until::Level(Level::Abort));
    assert!(growing.left_us > 0);
    let calm = |buckets| {
        let world = world().count_in(buckets, 0, (1, 100), (1, 100)).bad_units(10, 10);
        world.shown().eta.unwrap()
    };
    assert_eq!(calm(8).until, Until::Sensitive);
    assert!(calm(8).left_us > calm(16).left_us && calm(16).left_us > 0);
    assert_eq!(calm(64).left_us, 0, "it would have been found by now");
    let mut ended = world().count(0, (2, 100), (1, 100)).bad_units(20, 10);
    ended.state.phase = Phase::Aborted;
    assert_eq!(ended.shown().eta, None);
}

/// Everybody is treated: 2 % of 6,400 fail, and 1 % did before, in these hours of the week.
fn captured(guard: &str, before: &[u8], now: &[u8]) -> World {
    let arm = |bad| {
        let mut buckets = Buckets::new();
        (0..64).for_each(|bucket| buckets.add(bucket, bad, 100));
        buckets
    };
    let mut world = World::new(guard, 100).count(0, (2, 100), (0, 0));
    world.plan.baseline.captured = Arc::new(CapturedArms {
        units: 640,
        arms: vec![CapturedArm {
            counted: world.counted[0].clone(),
            buckets: arm(1),
            hours: before.iter().map(|hour| (*hour, arm(1))).collect(),
        }],
    });
    for hour in now {
        let sums = Arc::make_mut(world.hours.entry(((0, 1), *hour)).or_default());
        sums.metrics.entry((0, 0)).or_default().treatment = arm(2);
    }
    world
}

#[test]
fn a_captured_baseline_is_the_limit_and_not_shown_as_control() {
    let shown = captured("error-rate > 1.5x baseline", &[], &[]).shown();
    assert_eq!((shown.test, shown.control, shown.control_outcomes), ("robust", None, 0));
    close(shown.treatment, 0.02);
    close(shown.limit, 0.015);
    assert!(shown.from_limit.is_some() && shown.eta.is_some(), "{shown:?}");
}

#[test]
fn a_limit_by_the_hour_says_in_how_many_hours_it_has_a_baseline() {
    let shown = |before: &[u8], now: &[u8]| captured("error-rate > 1.5x baseline-same-hour", before, now).shown();
    let some = shown(&[3, 4, 5], &[4, 5, 6, 7]);
    assert_eq!((some.test, some.hours), ("robust", Some((2, 4))));
    close(some.limit, 0.015);
    assert_eq!(some.treatment_outcomes, 12_800);
    let none = shown(&[3], &[4, 5]);
    assert_eq!(
        (none.untested, none.hours),
        ("no hour of it has a baseline", Some((0, 2)))
    );
    assert_eq!(shown(&[3], &[]).untested, "", "nothing is measured yet");
}
