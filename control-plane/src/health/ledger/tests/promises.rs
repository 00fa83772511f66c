//! What a ledger promises, one case each.

use evaluation::Arm;
use rollout::Unit;

use crate::{
    evidence::ArmCounts,
    health::{
        builders::*,
        dots::OPEN_LIMIT,
        frames::Frame,
        ledger::{Accepted, Due, MARKS_AT, MARKS_EVERY_US},
    },
};

const HOT_US: i64 = SECOND_US;

#[test]
fn counts_go_to_the_arm_and_visit_that_they_belong_to() {
    let rollout = rollout();
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    let mut treated = cell(place(1, 0, Arm::Treatment), 10, 2, &[3, 4]);
    (treated.lost, treated.last_exposure_us, treated.sampled) = (1, START_US + 5, vec![64, 128]);
    let mut spared = cell(place(1, 0, Arm::Control), 20, 1, &[9]);
    (spared.last_exposure_us, spared.sampled) = (START_US + 9, vec![64]);
    let frame = Frame {
        dropped: 3,
        cells: vec![treated, spared],
        ..frame(&rollout, 1)
    };
    assert_eq!(ledger.accept(&reporter("a"), &frame, START_US), Accepted::New);
    shelf.seal_all(&mut ledger, &rollout, START_US);
    let record = ledger.record();
    let counts = record.visit(1, 1);
    let treatment = ArmCounts {
        exposures: 10,
        outcomes: 10,
        // One of the two bad ones is the lost one.
        bad: 1,
        lost: 1,
        bad_units: 2,
        sampled_units: 1,
        unit_buckets: 1,
        sampled_outcomes: 0,
    };
    let control = ArmCounts {
        exposures: 20,
        outcomes: 20,
        bad: 1,
        lost: 0,
        bad_units: 1,
        sampled_units: 1,
        unit_buckets: 1,
        sampled_outcomes: 0,
    };
    assert_eq!((counts.treatment, counts.control), (treatment, control));
    assert_eq!(
        (record.batches, record.dropped, record.last_treatment_exposure_us),
        (1, 3, START_US + 5)
    );
    assert_eq!(record.horizons[&1].strata, [((0, 0), (2, 1))].into());
}

#[test]
fn a_known_dot_is_dropped_before_and_after_a_restart() {
    let rollout = rollout();
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    let frame = Frame {
        cells: vec![cell(place(0, 0, Arm::Treatment), 10, 1, &[3])],
        ..frame(&rollout, 1)
    };
    assert_eq!(ledger.accept(&reporter("a"), &frame, START_US), Accepted::New);
    assert_eq!(
        ledger.accept(&reporter("a"), &frame, START_US),
        Accepted::Known { durable: 0 }
    );
    assert_eq!(shelf.seal_all(&mut ledger, &rollout, START_US), [(reporter("a"), 1)]);
    let before = ledger.record().clone();
    let mut loaded = shelf.load(&rollout);
    for ledger in [&mut ledger, &mut loaded] {
        assert_eq!(
            ledger.accept(&reporter("a"), &frame, START_US),
            Accepted::Known { durable: 1 }
        );
        assert!(ledger.seal(&rollout, START_US + HOT_US).is_none());
        assert_eq!(*ledger.record(), before);
    }
}

#[test]
fn a_process_that_dies_before_the_commit_has_counted_nothing() {
    let rollout = rollout();
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    let frame = Frame {
        cells: vec![cell(place(0, 0, Arm::Treatment), 10, 1, &[3])],
        ..frame(&rollout, 1)
    };
    ledger.accept(&reporter("a"), &frame, START_US);
    ledger.seal(&rollout, START_US).unwrap();
    let mut loaded = shelf.load(&rollout);
    assert_eq!(loaded.accept(&reporter("a"), &frame, START_US), Accepted::New);
    shelf.seal_all(&mut loaded, &rollout, START_US);
    assert_eq!(loaded.record().visit(0, 1).treatment.outcomes, 10);
}

#[test]
fn nothing_is_acknowledged_while_its_transaction_is_pending() {
    let rollout = rollout();
    let mut ledger = ledger(&rollout);
    let frame = Frame {
        dropped: 1,
        ..frame(&rollout, 1)
    };
    ledger.accept(&reporter("a"), &frame, START_US);
    ledger.seal(&rollout, START_US).unwrap();
    assert_eq!(
        ledger.accept(&reporter("a"), &frame, START_US),
        Accepted::Known { durable: 0 }
    );
    assert!(ledger.seal(&rollout, START_US).is_none());
    assert!(ledger.is_awaited_by(&reporter("a")) && !ledger.is_settled());
    assert_eq!(ledger.committed(5), [(reporter("a"), 1)]);
    assert!(!ledger.is_awaited_by(&reporter("a")) && ledger.is_settled());
}

#[test]
fn evidence_that_somebody_else_wrote_refuses_the_batch() {
    let rollout = rollout();
    let mut shelf = Shelf::default();
    let (mut first, mut second) = (ledger(&rollout), ledger(&rollout));
    let frame = Frame {
        dropped: 1,
        ..frame(&rollout, 1)
    };
    for ledger in [&mut first, &mut second] {
        ledger.accept(&reporter("a"), &frame, START_US);
    }
    shelf.seal_all(&mut first, &rollout, START_US);
    let late = second.seal(&rollout, START_US).unwrap();
    assert_eq!(shelf.commit(&late), None);
}

#[test]
fn a_batch_is_of_one_horizon_and_the_oldest_goes_first() {
    let rollout = rollout();
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    let news = |sequence, horizon| Frame {
        horizon,
        cells: vec![cell(place(0, 0, Arm::Treatment), 1, 1, &[3])],
        ..frame(&rollout, sequence)
    };
    // The second horizon's frame overtakes the first one's.
    ledger.accept(&reporter("a"), &news(2, 2), START_US);
    ledger.accept(&reporter("a"), &news(1, 1), START_US);
    let txn = ledger.seal(&rollout, START_US).unwrap();
    assert_eq!(ledger.record().horizons.keys().copied().collect::<Vec<_>>(), [1]);
    assert_eq!(ledger.committed(shelf.commit(&txn).unwrap()), [(reporter("a"), 1)]);
    // What dies now has counted the first horizon and not the second.
    let mut loaded = shelf.load(&rollout);
    assert_eq!(
        loaded.accept(&reporter("a"), &news(1, 1), START_US),
        Accepted::Known { durable: 1 }
    );
    assert_eq!(loaded.accept(&reporter("a"), &news(2, 2), START_US), Accepted::New);
    assert_eq!(shelf.seal_all(&mut ledger, &rollout, START_US), [(reporter("a"), 2)]);
    // A unit counts once in each horizon.
    assert_eq!(ledger.record().visit(0, 1).treatment.bad_units, 2);
}

#[test]
fn a_batch_is_due_each_interval_once_covered_or_after_three() {
    let rollout = rollout();
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    let news = |sequence| Frame {
        dropped: 1,
        ..frame(&rollout, sequence)
    };
    ledger.accept(&reporter("a"), &news(1), START_US);
    let goal = news(1).last_tick;
    assert_eq!(ledger.due(HOT_US, |tick| tick < goal, START_US), Due::Nothing);
    assert_eq!(ledger.due(HOT_US, |tick| tick <= goal, START_US), Due::Batch);
    assert_eq!(ledger.due(HOT_US, |_| false, START_US + 3 * HOT_US - 1), Due::Nothing);
    assert_eq!(ledger.due(HOT_US, |_| false, START_US + 3 * HOT_US), Due::Batch);
    shelf.seal_all(&mut ledger, &rollout, START_US);
    ledger.accept(&reporter("a"), &news(2), START_US + 1);
    assert_eq!(ledger.due(HOT_US, |_| true, START_US + HOT_US - 1), Due::Nothing);
    assert_eq!(ledger.due(HOT_US, |_| true, START_US + HOT_US), Due::Batch);
}

#[test]
fn an_urgent_batch_waits_for_nobody_and_follows_the_last_by_a_second() {
    let rollout = rollout();
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    let slow_us = 10 * HOT_US;
    let of = |sequence, is_urgent| Frame {
        dropped: 1,
        is_urgent,
        ..frame(&rollout, sequence)
    };
    ledger.accept(&reporter("a"), &of(1, false), START_US);
    assert_eq!(ledger.due(slow_us, |_| false, START_US), Due::Nothing);
    ledger.accept(&reporter("b"), &of(1, true), START_US);
    assert_eq!(ledger.due(slow_us, |_| false, START_US), Due::Batch);
    shelf.seal_all(&mut ledger, &rollout, START_US);
    ledger.accept(&reporter("b"), &of(2, true), START_US + 1);
    assert_eq!(ledger.due(slow_us, |_| false, START_US + HOT_US - 1), Due::Nothing);
    assert_eq!(ledger.due(slow_us, |_| false, START_US + HOT_US), Due::Batch);
    shelf.seal_all(&mut ledger, &rollout, START_US + HOT_US);
    ledger.accept(&reporter("b"), &of(3, false), START_US + HOT_US);
    assert_eq!(
        ledger.due(slow_us, |_| true, START_US + 3 * HOT_US),
        Due::Nothing,
        "it was that batch alone"
    );
}

#[test]
fn what_is_urgent_does_not_wait_behind_older_batches() {
    let rollout = rollout();
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    let of = |horizon, is_urgent| Frame {
        dropped: 1,
        horizon,
        is_urgent,
        ..frame(&rollout, u64::from(horizon))
    };
    ledger.accept(&reporter("a"), &of(1, false), START_US);
    assert_eq!(ledger.due(10 * HOT_US, |_| false, START_US), Due::Nothing);
    ledger.accept(&reporter("a"), &of(2, true), START_US);
    assert_eq!(ledger.due(10 * HOT_US, |_| false, START_US), Due::Batch);
    shelf.seal_all(&mut ledger, &rollout, START_US);
    assert!(ledger.is_settled(), "both, one after the other");
}

#[test]
fn frames_without_news_cost_a_write_each_ten_seconds_at_most() {
    let rollout = rollout();
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    ledger.accept(&reporter("a"), &frame(&rollout, 1), START_US);
    assert_eq!(ledger.due(HOT_US, |_| true, START_US), Due::Marks);
    shelf.seal_all(&mut ledger, &rollout, START_US);
    assert_eq!(shelf.items.len(), 1);
    ledger.accept(&reporter("a"), &frame(&rollout, 2), START_US + 1);
    assert_eq!(
        ledger.due(HOT_US, |_| true, START_US + MARKS_EVERY_US - 1),
        Due::Nothing
    );
    assert_eq!(ledger.due(HOT_US, |_| true, START_US + MARKS_EVERY_US), Due::Marks);
    for sequence in 3..MARKS_AT as u64 + 2 {
        ledger.accept(&reporter("a"), &frame(&rollout, sequence), START_US + 1);
    }
    assert_eq!(ledger.due(HOT_US, |_| true, START_US + 2), Due::Marks);
    assert_eq!(ledger.record().batches, 0);
}

#[test]
fn a_unit_that_failed_in_both_arms_of_a_batch_is_controls() {
    let rollout = rollout();
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    let of = |sequence, arm| Frame {
        cells: vec![cell(place(0, 0, arm), 1, 1, &[3])],
        ..frame(&rollout, sequence)
    };
    ledger.accept(&reporter("a"), &of(1, Arm::Treatment), START_US);
    ledger.accept(&reporter("b"), &of(1, Arm::Control), START_US);
    shelf.seal_all(&mut ledger, &rollout, START_US);
    assert_eq!(ledger.record().horizons[&1].strata[&(0, 0)], (0, 1));
}

#[test]
fn a_horizon_with_a_quarter_of_all_positions_is_full() {
    let rollout = rollout();
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    let positions = (0..1 << 16).collect::<Vec<u32>>();
    for (sequence, positions) in [(1, &positions[1..]), (2, &positions[..1])] {
        assert_eq!(ledger.record().full_horizon, 0);
        let cells = vec![cell(place(0, 0, Arm::Control), 100_000, 90_000, positions)];
        ledger.accept(
            &reporter("a"),
            &Frame {
                cells,
                ..frame(&rollout, sequence)
            },
            START_US,
        );
        shelf.seal_all(&mut ledger, &rollout, START_US);
    }
    assert_eq!(ledger.record().full_horizon, 1);
    assert!(shelf.load(&rollout).failed == ledger.failed);
}

#[test]
fn each_failed_request_is_a_unit_when_requests_are_split() {
    let rollout = rollout_of(Unit::Request, &[5, 50], 60 * SECOND_US);
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    let cells = vec![cell(place(0, 0, Arm::Treatment), 10, 4, &[3])];
    ledger.accept(
        &reporter("a"),
        &Frame {
            cells,
            ..frame(&rollout, 1)
        },
        START_US,
    );
    shelf.seal_all(&mut ledger, &rollout, START_US);
    assert_eq!(ledger.record().visit(0, 1).treatment.bad_units, 4);
    assert!(ledger.failed.is_empty());
}

#[test]
fn an_agent_that_never_waits_for_acks_is_stopped() {
    let rollout = rollout();
    let mut ledger = ledger(&rollout);
    for sequence in 1..=OPEN_LIMIT as u64 {
        assert_eq!(
            ledger.accept(&reporter("a"), &frame(&rollout, sequence), START_US),
            Accepted::New
        );
    }
    let next = frame(&rollout, OPEN_LIMIT as u64 + 1);
    assert_eq!(ledger.accept(&reporter("a"), &next, START_US), Accepted::Full);
    assert_eq!(
        ledger.accept(&reporter("b"), &frame(&rollout, 1), START_US),
        Accepted::New
    );
}
