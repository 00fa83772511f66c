#![allow(clippy::unwrap_used)]

use evaluation::{Arm, Buckets, Position, StageVisit};
use proptest::prelude::*;

use super::*;
use crate::{
    health::{report::Outcome, slice::CellKey},
    samples::{ROLLOUT, exposure, measurement, moment, report},
};

fn at(tick: u32) -> i64 {
    moment(tick).time_us
}

fn expose(counters: &Counters, measurement: &Measurement, unit: Exposure, tick: u32) {
    counters.exposed(measurement, &unit, Caller::ANYBODY, moment(tick));
}

fn total(slices: &[Slice]) -> (u64, u64) {
    let cells = || slices.iter().flat_map(|slice| slice.cells.values());
    (
        cells().map(|counts| counts.exposures).sum(),
        cells().map(|counts| counts.outcomes).sum(),
    )
}

fn bad(slices: &[Slice]) -> Vec<(Arm, u32)> {
    let cells = slices.iter().flat_map(|slice| &slice.cells);
    let positions = cells.flat_map(|(key, counts)| {
        counts
            .metrics
            .iter()
            .flat_map(|metric| &metric.bad)
            .map(|p| (key.arm, p.get()))
    });
    let mut positions: Vec<_> = positions.collect();
    positions.sort();
    positions
}

#[test]
fn exposures_and_outcomes_meet_in_the_cell_of_their_arm() {
    let (counters, measurement) = (Counters::default(), measurement());
    let unit = exposure(Arm::Treatment, 64);
    expose(&counters, &measurement, unit, 100);
    report(&counters, &measurement, unit, Outcome::Error, 100);
    report(&counters, &measurement, unit, Outcome::Timeout, 100);
    report(&counters, &measurement, unit, Outcome::Ok, 101);
    let drained = counters.drain(&measurement, 101);
    let [slice] = &drained.slices[..] else {
        panic!("{drained:?}")
    };
    assert_eq!((slice.horizon, slice.first_tick, slice.last_tick), (1, 100, 101));
    let counts = &slice.cells[&CellKey::from(&unit)];
    assert_eq!(
        (counts.exposures, counts.outcomes, counts.last_exposure_us),
        (1, 3, at(100))
    );
    assert_eq!(counts.exposed.len(), 1);
    let metric = &counts.metrics[0];
    assert_eq!(metric.sums.total(), (2, 3));
    assert_eq!(bad(&drained.slices), [(Arm::Treatment, 64)]);
}

#[test]
fn a_tick_that_was_drained_is_closed() {
    let (counters, measurement) = (Counters::default(), measurement());
    report(&counters, &measurement, exposure(Arm::Control, 1), Outcome::Ok, 100);
    report(&counters, &measurement, exposure(Arm::Control, 1), Outcome::Ok, 101);
    assert_eq!(total(&counters.drain(&measurement, 100).slices), (0, 1));
    report(&counters, &measurement, exposure(Arm::Control, 2), Outcome::Ok, 100);
    assert_eq!(counters.drain(&measurement, 100), Drained::default());
    let late = counters.drain(&measurement, 101).slices;
    assert_eq!((late[0].first_tick, total(&late)), (101, (0, 2)));
}

#[test]
fn a_position_is_bad_once_in_a_horizon_in_each_arm() {
    let (counters, mut measurement) = (Counters::default(), measurement());
    let fail = |measurement: &Measurement, arm, tick| {
        report(&counters, measurement, exposure(arm, 9), Outcome::Error, tick);
    };
    fail(&measurement, Arm::Control, 100);
    fail(&measurement, Arm::Control, 101);
    fail(&measurement, Arm::Treatment, 101);
    assert_eq!(
        bad(&counters.drain(&measurement, 101).slices),
        [(Arm::Control, 9), (Arm::Treatment, 9)]
    );
    fail(&measurement, Arm::Control, 102);
    assert_eq!(bad(&counters.drain(&measurement, 102).slices), []);
    measurement.horizon_starts = vec![1, 103];
    fail(&measurement, Arm::Control, 103);
    let drained = counters.drain(&measurement, 103);
    assert_eq!(
        (drained.slices[0].horizon, bad(&drained.slices)),
        (2, vec![(Arm::Control, 9)])
    );
}

#[test]
fn a_sampled_position_is_exposed_once_in_a_visit_under_the_arm_seen_first() {
    let (counters, mut measurement) = (Counters::default(), measurement());
    for arm in [Arm::Control, Arm::Treatment, Arm::Control] {
        expose(&counters, &measurement, exposure(arm, 128), 100);
        expose(&counters, &measurement, exposure(arm, 129), 100);
    }
    let slices = counters.drain(&measurement, 100).slices;
    let exposed: Vec<_> = slices[0]
        .cells
        .iter()
        .map(|(key, counts)| (key.arm, counts.exposed.len(), counts.exposures))
        .collect();
    assert_eq!(exposed, [(Arm::Control, 1, 4), (Arm::Treatment, 0, 2)]);
    measurement.stages.push(StageVisit {
        stage: 0,
        visit: 2,
        share: Buckets::ALL,
        entered_tick: 101,
    });
    expose(&counters, &measurement, exposure(Arm::Treatment, 128), 101);
    let slices = counters.drain(&measurement, 101).slices;
    assert_eq!(slices[0].cells.values().next().unwrap().exposed.len(), 1);
}

#[test]
fn stages_that_were_not_reached_are_not_counted() {
    let (counters, measurement) = (Counters::default(), measurement());
    let ahead = Exposure {
        stage: 1,
        ..exposure(Arm::Control, 0)
    };
    expose(&counters, &measurement, ahead, 100);
    assert!(!is_measured(&measurement, &ahead));
    assert_eq!(counters.drain(&measurement, 100), Drained::default());
}

#[test]
fn counts_that_nobody_took_for_an_hour_are_dropped_and_said() {
    let (counters, measurement) = (Counters::default(), measurement());
    let unit = exposure(Arm::Control, 3);
    for tick in [1_000, 1_001, 1_700, 5_000] {
        report(&counters, &measurement, unit, Outcome::Ok, tick);
    }
    let drained = counters.drain(&measurement, 5_000);
    assert_eq!((total(&drained.slices), drained.unsaid.dropped), ((0, 2), 2));
}

#[test]
fn a_clock_that_is_corrected_backwards_neither_stops_nor_loses_counts() {
    let (counters, measurement) = (Counters::default(), measurement());
    let unit = exposure(Arm::Control, 3);
    expose(&counters, &measurement, unit, 8_000);
    report(&counters, &measurement, unit, Outcome::Ok, 8_000);
    report(&counters, &measurement, unit, Outcome::Ok, 1_000);
    let drained = counters.drain(&measurement, 1_000);
    assert_eq!(total(&drained.slices), (1, 2));
    assert_eq!(drained.slices[0].last_tick, 1_000);
    assert!(
        drained.slices[0]
            .cells
            .values()
            .all(|counts| counts.last_exposure_us <= at(1_000))
    );
    counters.drain(&measurement, 9_000);
    report(&counters, &measurement, unit, Outcome::Ok, 1_002);
    assert_eq!(total(&counters.drain(&measurement, 1_002).slices), (0, 1));
}

#[test]
fn a_rollout_of_another_store_under_the_same_index_starts_anew() {
    let (counters, measurement) = (Counters::default(), measurement());
    report(&counters, &measurement, exposure(Arm::Control, 3), Outcome::Error, 100);
    let other = Measurement { id: 78, ..measurement };
    report(&counters, &other, exposure(Arm::Control, 3), Outcome::Error, 100);
    let drained = counters.drain(&other, 100);
    assert_eq!((total(&drained.slices), bad(&drained.slices).len()), ((0, 1), 1));
}

#[test]
fn rollouts_that_are_no_longer_measured_are_forgotten() {
    let (counters, measurement) = (Counters::default(), measurement());
    report(&counters, &measurement, exposure(Arm::Control, 3), Outcome::Ok, 100);
    counters.retain(&HashSet::from([ROLLOUT]));
    counters.retain(&HashSet::new());
    assert_eq!(counters.drain(&measurement, 100), Drained::default());
}

proptest! {
    #[test]
    fn what_is_drained_is_what_was_counted(
        steps in prop::collection::vec((0u32..1 << 18, any::<bool>(), 0u8..4, 0u32..3), 1..300),
        boundary in 100u32..200,
    ) {
        let counters = Counters::default();
        let measurement = Measurement { horizon_starts: vec![1, boundary], lost_after_us: i64::MAX, ..measurement() };
        let (mut tick, mut drained, mut outcomes, mut exposures) = (100, Vec::new(), 0, 0);
        let mut failed = HashSet::new();
        for (position, treated, what, pause) in steps {
            tick += pause;
            let arm = if treated { Arm::Treatment } else { Arm::Control };
            let unit = exposure(arm, position % 500);
            match what {
                0 => {
                    expose(&counters, &measurement, unit, tick);
                    exposures += 1;
                }
                1 => {
                    report(&counters, &measurement, unit, Outcome::Error, tick);
                    failed.insert((measurement.horizon_at(tick), arm, unit.position));
                    outcomes += 1;
                }
                2 => {
                    report(&counters, &measurement, unit, Outcome::Ok, tick);
                    outcomes += 1;
                }
                _ => drained.extend(counters.drain(&measurement, tick - 1).slices),
            }
        }
        drained.extend(counters.drain(&measurement, tick).slices);
        prop_assert_eq!(total(&drained), (exposures, outcomes));
        let told: Vec<(u32, Arm, Position)> = drained
            .iter()
            .flat_map(|slice| slice.cells.iter().map(move |(key, counts)| (slice.horizon, key.arm, counts)))
            .flat_map(|(horizon, arm, counts)| {
                let bad = counts.metrics.iter().flat_map(|metric| &metric.bad);
                bad.map(move |position| (horizon, arm, *position))
            })
            .collect();
        prop_assert_eq!(told.len(), failed.len());
        prop_assert_eq!(told.into_iter().collect::<HashSet<_>>(), failed);
        let denominators: u64 = drained
            .iter()
            .flat_map(|slice| slice.cells.values())
            .flat_map(|counts| counts.metrics.iter())
            .map(|metric| metric.sums.total().1)
            .sum();
        prop_assert_eq!(denominators, outcomes);
    }
}

#[test]
fn to_look_at_counts_leaves_them() {
    let (counters, measurement) = (Counters::default(), measurement());
    assert_eq!(counters.peek(&measurement).slices, []);
    for (position, tick) in [(1 << 12, 100), (2 << 12, 101), (1 << 12, 103)] {
        report(
            &counters,
            &measurement,
            exposure(Arm::Treatment, position),
            Outcome::Error,
            tick,
        );
    }
    counters.dropped(&measurement, 3);
    let seen = counters.peek(&measurement);
    assert_eq!((total(&seen.slices), seen.unsaid.dropped), ((0, 3), 3));
    assert_eq!(counters.peek(&measurement), seen);
    assert_eq!(counters.drain(&measurement, 103), seen);
    assert_eq!(counters.peek(&measurement).slices, []);
}
