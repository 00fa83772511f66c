#![allow(clippy::unwrap_used)]

use evaluation::{Arm, Position};
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::{
    health::{
        counters::Counters,
        counting::Step,
        report::Outcome,
        slice::{CellKey, Counts},
        tally::Unsaid,
    },
    samples::{ROLLOUT, exposure, measurement, report},
};

fn outbox(tick: u32) -> Outbox {
    Outbox::new((ROLLOUT, measurement().id), "production", tick)
}

fn unsent(outbox: &Outbox) -> Vec<v1::Frame> {
    outbox.unsent().cloned().collect()
}

fn spans(outbox: &Outbox) -> Vec<(u64, u32, u32, u32)> {
    outbox
        .unsent()
        .map(|frame| (frame.sequence, frame.horizon, frame.first_tick, frame.last_tick))
        .collect()
}

fn slice(horizon: u32, first_tick: u32, last_tick: u32) -> Slice {
    let key = CellKey {
        stage: 0,
        stratum: 0,
        arm: Arm::Control,
    };
    let counts = Counts {
        exposures: 1,
        ..Counts::default()
    };
    Slice {
        first_tick,
        last_tick,
        cells: [(key, counts)].into(),
        ..Slice::new(horizon, first_tick)
    }
}

fn drained(slices: Vec<Slice>) -> Drained {
    Drained {
        slices,
        ..Drained::default()
    }
}

#[test]
fn a_frame_is_due_each_interval_even_without_counts() {
    let mut outbox = outbox(100);
    assert!(!outbox.due(99));
    assert!(outbox.due(100));
    outbox.cut(&measurement(), Drained::default(), 100, false);
    assert!(!outbox.due(100) && outbox.due(101));
    outbox.set_interval(10_000_000);
    assert!(!outbox.due(109) && outbox.due(110));
    outbox.cut(&measurement(), Drained::default(), 110, false);
    assert_eq!(spans(&outbox), [(1, 1, 100, 100), (2, 1, 101, 110)]);
}

#[test]
fn each_horizon_has_a_frame_of_its_own() {
    let measurement = Measurement {
        horizon_starts: vec![1, 105],
        ..measurement()
    };
    let mut outbox = outbox(100);
    outbox.cut(
        &measurement,
        drained(vec![slice(1, 101, 102), slice(2, 107, 107)]),
        108,
        false,
    );
    assert_eq!(spans(&outbox), [(1, 1, 100, 104), (2, 2, 105, 108)]);
}

#[test]
fn a_horizon_that_has_begun_without_counts_is_told() {
    let measurement = Measurement {
        horizon_starts: vec![1, 105],
        ..measurement()
    };
    let mut outbox = outbox(100);
    outbox.cut(&measurement, drained(vec![slice(1, 101, 102)]), 108, false);
    assert_eq!(spans(&outbox), [(1, 1, 100, 104), (2, 2, 105, 108)]);
}

#[test]
fn a_horizon_that_was_learned_late_shares_its_first_tick() {
    let measurement = Measurement {
        horizon_starts: vec![1, 100],
        ..measurement()
    };
    let mut outbox = outbox(100);
    outbox.cut(
        &measurement,
        drained(vec![slice(1, 100, 100), slice(2, 100, 102)]),
        103,
        false,
    );
    assert_eq!(spans(&outbox), [(1, 1, 100, 100), (2, 2, 100, 103)]);
}

#[test]
fn unsent_ticks_coalesce_for_an_hour() {
    let mut outbox = outbox(100);
    outbox.cut(&measurement(), drained(vec![slice(1, 9_000, 9_500)]), 10_000, false);
    assert_eq!(spans(&outbox), [(1, 1, 6_400, 10_000)]);
}

#[test]
fn frames_are_sent_again_unchanged_until_they_are_durable() {
    let mut outbox = outbox(100);
    for tick in 100..103 {
        outbox.cut(&measurement(), drained(vec![slice(1, tick, tick)]), tick, false);
    }
    let first: Vec<_> = unsent(&outbox).iter().map(v1::Frame::encode_to_vec).collect();
    outbox.mark_sent(3);
    assert!(unsent(&outbox).is_empty());
    outbox.acked(1);
    outbox.cut(&measurement(), drained(vec![slice(1, 103, 103)]), 103, false);
    assert_eq!(unsent(&outbox).len(), 1);
    outbox.rewind();
    let again: Vec<_> = unsent(&outbox).iter().map(v1::Frame::encode_to_vec).collect();
    assert_eq!(again[..2], first[1..]);
    outbox.acked(4);
    assert_eq!(outbox.waiting(), 0);
}

#[test]
fn at_most_64_frames_wait() {
    let mut outbox = outbox(100);
    let mut tick = 100;
    while outbox.due(tick) {
        outbox.cut(&measurement(), Drained::default(), tick, false);
        tick += 1;
    }
    assert_eq!(outbox.waiting(), 64);
    outbox.acked(1);
    assert!(outbox.due(tick));
}

#[test]
fn frames_that_are_refused_as_malformed_do_not_block_later_ones() {
    let mut outbox = outbox(100);
    for tick in 100..103 {
        outbox.cut(&measurement(), Drained::default(), tick, false);
    }
    outbox.mark_sent(2);
    assert_eq!(outbox.abandon_sent().len(), 2);
    assert_eq!(spans(&outbox), [(3, 1, 102, 102)]);
}

#[test]
fn a_clock_that_is_corrected_backwards_does_not_silence_the_agent() {
    let mut outbox = outbox(10_000);
    assert!(!outbox.due(9_995));
    assert!(outbox.due(5_000));
    outbox.cut(&measurement(), drained(vec![slice(1, 5_000, 5_000)]), 5_000, false);
    outbox.cut(&measurement(), Drained::default(), 5_001, false);
    assert_eq!(spans(&outbox), [(1, 1, 5_000, 5_000), (2, 1, 5_001, 5_001)]);
}

#[test]
fn what_was_dropped_is_told_once() {
    let mut outbox = outbox(100);
    outbox.cut(
        &measurement(),
        Drained {
            slices: vec![slice(1, 100, 100), slice(2, 100, 100)],
            unsaid: Unsaid {
                dropped: 5,
                unwatched: 0,
            },
            ..Drained::default()
        },
        100,
        false,
    );
    outbox.cut(&measurement(), Drained::default(), 101, false);
    assert_eq!(
        unsent(&outbox).iter().map(|frame| frame.dropped).collect::<Vec<_>>(),
        [5, 0, 0]
    );
}

#[test]
fn a_large_frame_is_split_between_cells_and_loses_nothing() {
    let mut counts = Counts::default();
    let bad = |number| Position::new(number).unwrap();
    counts.add_step(
        0,
        bad(0),
        Step {
            num: 1,
            den: 1,
            clamped: 0,
        },
    );
    counts.metric(0).bad = (0..200_000).map(bad).collect();
    let cells = [Arm::Control, Arm::Treatment].map(|arm| {
        (
            CellKey {
                stage: 0,
                stratum: 0,
                arm,
            },
            counts.clone(),
        )
    });
    let mut outbox = outbox(100);
    outbox.cut(
        &measurement(),
        drained(vec![Slice {
            cells: cells.into(),
            ..Slice::new(1, 100)
        }]),
        100,
        false,
    );
    assert_eq!(spans(&outbox), [(1, 1, 100, 100), (2, 1, 100, 100)]);
    assert!(
        outbox
            .unsent()
            .all(|frame| frame.cells.len() == 1 && frame.encoded_len() < 1 << 20)
    );
}

proptest! {
    #[test]
    fn frames_sum_to_the_observations_and_their_ticks_follow_each_other(
        steps in prop::collection::vec((0u32..1 << 18, any::<bool>(), 0u32..4, any::<bool>()), 1..200),
        starts in prop::collection::btree_set(100u32..400, 0..4),
    ) {
        let mut horizon_starts = vec![1];
        horizon_starts.extend(starts);
        let measurement = Measurement { horizon_starts, ..measurement() };
        let (counters, mut outbox, mut tick, mut count) = (Counters::default(), outbox(100), 100, 0);
        for (position, failed, pause, cut) in steps {
            let outcome = if failed { Outcome::Error } else { Outcome::Ok };
            report(&counters, &measurement, exposure(Arm::Treatment, position), outcome, tick);
            count += 1;
            tick += pause;
            if cut && outbox.due(tick - 1) {
                outbox.cut(&measurement, counters.drain(&measurement, tick - 1), tick - 1, false);
            }
        }
        outbox.cut(&measurement, counters.drain(&measurement, tick), tick, false);
        let frames = unsent(&outbox);
        let outcomes: u64 = frames.iter().flat_map(|frame| &frame.cells).map(|cell| cell.outcomes).sum();
        prop_assert_eq!(outcomes, count);
        for (index, frame) in frames.iter().enumerate() {
            prop_assert_eq!(frame.sequence, index as u64 + 1);
            prop_assert!(frame.first_tick <= frame.last_tick);
            prop_assert_eq!(measurement.horizon_at(frame.first_tick), frame.horizon);
            prop_assert_eq!(measurement.horizon_at(frame.last_tick), frame.horizon);
        }
        for pair in frames.windows(2) {
            prop_assert!(pair[0].last_tick < pair[1].first_tick);
        }
    }
}

#[test]
fn what_would_be_cut_has_the_names_of_what_is_cut_next_and_holds_no_more() {
    let measurement = Measurement {
        horizon_starts: vec![1, 105],
        ..measurement()
    };
    let mut outbox = outbox(100);
    outbox.cut(&measurement, Drained::default(), 100, false);
    let counted = || drained(vec![slice(1, 101, 102), slice(2, 107, 107)]);
    let uncut = outbox.uncut(&measurement, counted(), 108);
    assert_eq!(outbox.sequence(), 1);
    outbox.cut(&measurement, counted(), 108, false);
    let cut: Vec<_> = outbox.since(1).cloned().collect();
    assert_eq!(uncut, cut);
}

#[test]
fn of_counts_that_take_several_frames_the_first_of_each_horizon_would_be_cut() {
    let large = |horizon, tick| {
        let mut slice = slice(horizon, tick, tick);
        for counts in slice.cells.values_mut() {
            for metric in 0..3 {
                counts.metric(metric).bad = (0..1 << 18).map(|position| Position::new(position).unwrap()).collect();
            }
        }
        slice
    };
    let outbox = outbox(100);
    let uncut = outbox.uncut(&measurement(), drained(vec![large(1, 100), large(2, 101)]), 101);
    let names: Vec<_> = uncut.iter().map(|frame| (frame.sequence, frame.horizon)).collect();
    assert_eq!(names, [(1, 1), (2, 2)]);
}
