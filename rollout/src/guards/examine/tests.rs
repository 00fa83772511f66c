#![allow(clippy::unwrap_used)]

mod captured;
mod doubted;
mod outages;

use std::{collections::BTreeMap, sync::Arc};

use super::*;
use crate::{
    Horizon, Phase, Share, Stage, Unit, Visit,
    criterion::Criterion,
    duration::Dwell,
    evidence::{budget::Ladder, unit},
    guards::{HorizonCounts, SampledCounts, VisitKey},
    measure::{Counted, Events, Minute, Sums, counted},
};

/// One rollout in its first stage, and what was sealed of it.
struct World {
    plan: Plan,
    state: State,
    counted: Vec<Counted>,
    visits: BTreeMap<VisitKey, Arc<Sums>>,
    hours: BTreeMap<(VisitKey, u8), Arc<Sums>>,
    horizons: BTreeMap<u32, HorizonCounts>,
    sampled: BTreeMap<(VisitKey, u8), SampledCounts>,
    events: Events,
    minute: Minute,
    worse_since: BTreeMap<u32, Micros>,
}

impl World {
    fn new(guards: &[(&str, Level)], percent: u32) -> Self {
        let guard = |(text, level): &(&str, Level)| {
            let Criterion::Compare(harm) = text.parse().unwrap() else {
                panic!("{text}")
            };
            Guard {
                harm,
                level: *level,
                weight: 1.0,
                except: Vec::new(),
            }
        };
        let plan = Plan {
            guards: guards.iter().map(guard).collect(),
            stages: vec![Stage::new(
                "first",
                Share::new(percent * 1_000).unwrap(),
                Dwell::For(3_600_000_000),
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
            minute: Minute::default(),
            worse_since: BTreeMap::new(),
        }
    }

    /// Each of the 64 buckets of an arm has so many of so many.
    fn count(&mut self, metric: u16, treatment: (i64, u64), control: (i64, u64)) {
        let sums = Arc::make_mut(self.visits.entry((0, 1)).or_default());
        let arms = sums.metrics.entry((metric, 0)).or_default();
        for bucket in 0..64 {
            arms.treatment.add(bucket, treatment.0, treatment.1);
            arms.control.add(bucket, control.0, control.1);
        }
    }

    fn examine(&self, now: Micros) -> Examination {
        let seen = Seen {
            counted: &self.counted,
            visits: &self.visits,
            hours: &self.hours,
            horizons: &self.horizons,
            sampled: &self.sampled,
            events: &self.events,
            minute: &self.minute,
            worse_since: &self.worse_since,
        };
        examine(&self.plan, &self.state, &seen, &BTreeMap::new(), now)
    }

    /// The p95 of the time before, which brings "slower than control" with it.
    fn knowing_p95(mut self, value: &str) -> Self {
        let values = &mut self.plan.baseline.values;
        values.insert(Guard::LATENCY.to_owned(), value.parse().unwrap());
        self.plan.add_built_in_guards();
        self.counted = counted(&self.plan);
        self
    }

    fn ladder(&self) -> Ladder {
        self.examine(0).standing.ladder(self.plan.alpha)
    }
}

#[test]
fn bad_units_are_judged_by_the_unit_test_within_the_budget_of_the_plan() {
    let mut world = World::new(&[("error-rate > 1x control", Level::Abort)], 50);
    let counts = world.horizons.entry(1).or_default();
    counts.strata.insert((0, 0), (40, 10));
    let stratum = unit::Stratum {
        share: 0.5,
        bad_treatment: 40,
        bad_control: 10,
    };
    let expected = budget::evidence_number(&[1.0], 1, &[vec![unit::log_e(1.0, &[stratum])]]);
    assert_eq!(world.examine(0).standing.abort, expected);
}

#[test]
fn an_absolute_limit_aborts_when_treatment_alone_breaks_it() {
    for (treatment, expected) in [((1, 100), Ladder::None), ((8, 100), Ladder::Abort)] {
        let mut world = World::new(&[("error-rate > 2 %", Level::Abort)], 50);
        world.count(0, treatment, (1, 100));
        assert_eq!(world.ladder(), expected, "{treatment:?}");
    }
}

#[test]
fn what_both_arms_suffer_holds_and_does_not_abort() {
    let mut world = World::new(&[("error-rate > 2 %", Level::Abort)], 50);
    world.count(0, (30, 100), (30, 100));
    let later = 3_600_000_000;
    world.worse_since.insert(0, later);
    let found = world.examine(later);
    assert_eq!(found.standing.ladder(world.plan.alpha), Ladder::None);
    assert_eq!((found.rule, found.holds), (None, vec![HoldReason::Incident]));
    assert_eq!(found.both_beyond, [0]);
}

#[test]
fn harm_to_both_right_after_a_stage_change_aborts_unless_it_recovers() {
    let mut world = World::new(&[("error-rate > 2 %", Level::Abort)], 50);
    world.count(0, (30, 100), (30, 100));
    world.worse_since.insert(0, 60_000_000);
    let found = world.examine(61_000_000);
    assert_eq!((found.rule, found.holds), (None, vec![HoldReason::SpillOver]));
    let found = world.examine(60_000_000 + bases::SPILL_OVER_US);
    assert_eq!(found.rule, Some(Broken::SpillOver(0)));
    let facts = crate::Facts {
        concerns: found.into(),
        ..crate::Facts::default()
    };
    let cause = crate::AbortCause::SpillOver { guard: 0 };
    assert_eq!(verdict::harm(&world.plan, &facts), Some(cause), "it says what it is");
}

#[test]
fn in_an_incident_treatment_that_is_worse_than_control_is_still_found() {
    let mut world = World::new(&[("error-rate > 2 %", Level::Abort)], 50);
    world.count(0, (60, 100), (30, 100));
    assert_eq!(world.ladder(), Ladder::Abort);
}

#[test]
fn too_little_data_to_believe_an_estimate_lets_no_gate_pass() {
    let mut world = World::new(&[("cost-per-query > $0.50", Level::Abort)], 50);
    world.count(1, (10_000_000, 10), (1_000_000, 10));
    let found = world.examine(0);
    assert_eq!(found.standing.ladder(world.plan.alpha), Ladder::None);
    assert!(found.is_early);
}

#[test]
fn a_cap_fires_with_the_first_event_beyond_it() {
    for (level, rule, holds) in [
        (Level::Abort, Some(Broken::Limit(0)), vec![]),
        (Level::Hold, None, vec![HoldReason::Rule]),
        (Level::Warn, None, vec![]),
    ] {
        let mut world = World::new(&[("complaints > 10 in 24 h", level)], 50);
        world.events.add(1, 10_000_000, 0);
        assert_eq!(world.examine(0).rule, None);
        world.events.add(1, 1_000_000, 0);
        let found = world.examine(0);
        assert_eq!((found.rule, found.holds), (rule, holds), "{level:?}");
        assert_eq!(world.examine(2 * 86_400_000_000).rule, None, "it has left the window");
    }
}

#[test]
fn arms_that_are_not_as_large_as_their_shares_hold() {
    let mut world = World::new(&[("error-rate > 1x control", Level::Abort)], 50);
    let mut sampled = |treatment, control| {
        world.sampled.insert(((0, 1), 0), SampledCounts { treatment, control });
        world.examine(0).holds
    };
    assert_eq!(sampled(500, 510), []);
    assert_eq!(sampled(0, 60), [HoldReason::SampleRatio]);
}

#[test]
fn guards_that_hold_or_warn_never_abort() {
    let mut world = World::new(
        &[("error-rate > 2 %", Level::Hold), ("error-rate > 3 %", Level::Warn)],
        50,
    );
    world.count(0, (50, 100), (1, 100));
    let found = world.examine(0);
    assert_eq!(found.standing.abort, None);
    assert_eq!(found.standing.ladder(world.plan.alpha), Ladder::Hold);
}

#[test]
fn without_a_control_a_baseline_judges_alone() {
    let mut world = World::new(&[("error-rate > 2x baseline", Level::Abort)], 100);
    let Criterion::Compare(known) = "error-rate > 1 %".parse().unwrap() else {
        panic!()
    };
    let crate::criterion::Limit::Absolute(number) = known.limit else {
        panic!()
    };
    world.plan.baseline.values.insert("error-rate".to_owned(), number);
    world.plan.unit = Unit::Unit;
    world.count(0, (8, 100), (0, 0));
    assert_eq!(world.ladder(), Ladder::Abort);
}

#[test]
fn rules_without_evidence_and_guards_that_cannot_be_judged_leave_the_budget_to_the_others() {
    let guards = [
        ("error-rate > 1x control", Level::Abort),
        ("complaints > 10 in 24 h", Level::Abort),
        ("p99 > 2x baseline", Level::Abort),
        ("cost-per-query > $0.50", Level::Abort),
    ];
    let world = World::new(&guards, 50);
    let weights: Vec<f64> = world.examine(0).findings.iter().map(|finding| finding.weight).collect();
    assert_eq!(weights, [0.5, 0.0, 0.0, 0.5]);
}

#[test]
fn more_that_is_slow_than_of_control_holds_and_never_aborts() {
    let guards = [("error-rate > 1x control", Level::Abort)];
    let mut world = World::new(&guards, 50).knowing_p95("890 ms");
    let slower = crate::measure::Counting::Slower { bound_us: 890_000 };
    assert_eq!(world.counted[1].counting, slower, "agents count the baseline's own p95");
    world.count(1, (40, 100), (5, 100));
    let found = world.examine(0);
    assert_eq!(found.standing.ladder(world.plan.alpha), Ladder::Hold);
    assert_eq!(found.standing.culprit(world.plan.alpha).unwrap().1.guard, 1);
    let abort = found
        .standing
        .abort
        .map(|number| (number.guard, number.log_evidence < 0.0));
    assert_eq!((abort, found.rule), (Some((0, true)), None), "it feeds no abort");
    let weights: Vec<f64> = found.findings.iter().map(|finding| finding.weight).collect();
    assert_eq!(weights, [1.0, 1.0], "each has the whole budget of its level");
}

#[test]
fn what_both_arms_exceed_alike_is_not_slower_than_control() {
    // Five times as slow as the baseline, and no reason to hold: it is not treatment's doing.
    let mut world = World::new(&[], 50).knowing_p95("890 ms");
    world.count(1, (25, 100), (25, 100));
    let found = world.examine(0);
    assert_eq!(found.standing.ladder(world.plan.alpha), Ladder::None);
    assert_eq!((found.holds, found.is_early), (vec![], false));
    let mut faster = World::new(&[], 50).knowing_p95("890 ms");
    faster.count(1, (1, 100), (25, 100));
    assert_eq!(faster.ladder(), Ladder::None);
}

#[test]
fn a_few_that_are_slow_by_chance_keep_no_gate_shut() {
    let mut world = World::new(&[], 50).knowing_p95("890 ms");
    let sums = Arc::make_mut(world.visits.entry((0, 1)).or_default());
    let arms = sums.metrics.entry((1, 0)).or_default();
    for bucket in 0..64 {
        arms.treatment.add(bucket, i64::from(bucket < 12), 5);
        arms.control.add(bucket, i64::from(bucket < 8), 5);
    }
    let found = world.examine(0);
    assert!(found.findings[0].estimate.unwrap().is_beyond());
    assert_eq!((found.findings[0].beyond, found.is_early), (Beyond::Within, false));
}

#[test]
fn without_a_control_nothing_is_slower_than_it() {
    let mut world = World::new(&[], 100).knowing_p95("890 ms");
    world.count(1, (50, 100), (0, 0));
    assert_eq!(world.ladder(), Ladder::None);
}

#[test]
fn evidence_that_is_there_is_weighed_as_it_was_planned_whatever_is_edited() {
    let mut world = World::new(&[("error-rate > 1x control", Level::Abort)], 50);
    let counts = world.horizons.entry(1).or_default();
    counts.strata.insert((0, 0), (40, 10));
    let before = world.examine(0);
    let mut edited = world.plan.clone();
    edited.stages[0].dwell = Dwell::For(30 * crate::DAY_US);
    world.state = crate::rebase(&world.plan, &edited, &world.state, 1, 0).unwrap().state;
    world.plan = edited;
    assert_eq!(world.examine(0), before);
}
