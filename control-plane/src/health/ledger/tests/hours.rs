//! Sums by the hour of the week.

use std::sync::Arc;

use evaluation::Arm;
use rollout::{
    Guard, Unit,
    criterion::Criterion,
    measure::{hour_of_week, needs_hours},
};

use crate::{
    builders,
    health::{builders::*, ledger::Ledger},
    record::RolloutRecord,
    replay::Replayer,
    store::{keys, model::SealedBatch},
};

/// Seconds from the start of every rollout here to the next hour.
const NEXT_HOUR: u32 = 1_600;

/// Everybody has the treatment, and each hour is compared with the same of the time before.
fn by_hour() -> RolloutRecord {
    let mut rollout = rollout_of(Unit::Unit, &[100], 60 * SECOND_US);
    let mut plan = (*rollout.plan).clone();
    let Criterion::Compare(harm) = "error-rate > 2x baseline-same-hour".parse().unwrap() else {
        panic!("a comparison")
    };
    plan.guards = vec![Guard {
        harm,
        ..plan.guards[0].clone()
    }];
    let mut captured = rollout::measure::CapturedArms::clone(&builders::captured(10_000));
    let arm = &mut captured.arms[0];
    arm.hours = [(hour_of_week(START_US), arm.buckets.clone())].into();
    plan.baseline.captured = captured.into();
    rollout.plan = plan.into();
    rollout
}

/// Frames of treatment: of each (tick after the start) 640 outcomes in all buckets, of which 16 failed.
fn sealed(rollout: &RolloutRecord, ticks: &[u32]) -> (Ledger, Shelf) {
    sealed_at(rollout, ticks, START_US + SECOND_US)
}

fn sealed_at(rollout: &RolloutRecord, ticks: &[u32], now_us: i64) -> (Ledger, Shelf) {
    let (mut ledger, mut shelf) = (ledger(rollout), Shelf::default());
    for (sequence, tick) in (1..).zip(ticks) {
        let mut treatment = cell(place(0, 0, Arm::Treatment), 640, 16, &[]);
        treatment.metrics[0].buckets = (0..64).map(|bucket| (bucket, i64::from(bucket % 4 == 0), 10)).collect();
        let mut frame = frame(rollout, sequence);
        frame.last_tick = START_TICK + tick;
        frame.cells = vec![treatment];
        ledger.accept(&reporter("a"), &frame, START_US);
    }
    shelf.seal_all(&mut ledger, rollout, now_us);
    (ledger, shelf)
}

fn outcomes(ledger: &Ledger) -> Vec<(u8, u64)> {
    let hours = ledger.record().hours.iter();
    let outcomes = hours.map(|((_, hour), sums)| {
        let arms = sums.total(0);
        (*hour, arms.treatment.sums().map(|(_, den)| den).sum())
    });
    outcomes.collect()
}

#[test]
fn a_frame_counts_in_the_hour_of_its_last_tick_in_whatever_order_they_come() {
    let rollout = by_hour();
    let first = hour_of_week(START_US);
    let expected = [(first, 2 * 640), (first + 1, 640)];
    let (ordered, shelf) = sealed(&rollout, &[1, NEXT_HOUR - 1, NEXT_HOUR]);
    assert_eq!(outcomes(&ordered), expected);
    let (turned, _) = sealed(&rollout, &[NEXT_HOUR, NEXT_HOUR - 1, 1]);
    assert_eq!(turned.record().hours, ordered.record().hours);
    assert_eq!(
        shelf.load(&rollout).record(),
        ordered.record(),
        "as a new process has it"
    );
    let whole = ordered.record().sums[&(0, 1)].total(0);
    assert_eq!(whole.treatment.sums().map(|(_, den)| den).sum::<u64>(), 3 * 640);
}

#[test]
fn a_rollout_that_asks_nothing_by_the_hour_pays_nothing() {
    let rollout = rollout_of(Unit::Unit, &[100], 60 * SECOND_US);
    assert!(!needs_hours(&rollout.plan));
    let (ledger, shelf) = sealed(&rollout, &[1, NEXT_HOUR]);
    assert!(ledger.record().hours.is_empty());
    let prefix = keys::hours(&production(), rollout.id);
    assert!(!shelf.items.keys().any(|key| key.starts_with(&prefix)));
}

#[test]
fn what_comes_late_is_not_of_the_last_minutes_and_a_watch_keeps_no_inputs() {
    let mut rollout = rollout_of(Unit::Unit, &[100], 60 * SECOND_US);
    rollout.standing = true;
    rollout.recovery_of = Some(rollout.id);
    let (ledger, shelf) = sealed_at(&rollout, &[1, 2_000], START_US + 2_001 * SECOND_US);
    let recent: u64 = ledger.record().recent.iter().map(|(_, _, slot)| slot.den).sum();
    assert_eq!(recent, 640, "one of them is half an hour old");
    assert_eq!(ledger.record().batches, 2);
    let prefix = keys::batches(&production(), rollout.id);
    assert!(!shelf.items.keys().any(|key| key.starts_with(&prefix)));
}

#[test]
fn a_replay_knows_the_hour_of_each_batch() {
    let rollout = by_hour();
    let (ledger, shelf) = sealed(&rollout, &[1, 2, 3, NEXT_HOUR, NEXT_HOUR + 1]);
    let number = ledger.record().number.unwrap();
    assert!(number.log_evidence.is_finite(), "one hour of the two is compared");
    let mut replayer = Replayer::new(&rollout, rollout.plan.clone(), &[], Arc::default());
    for batch in 1..=ledger.record().batches {
        let stored = &shelf.items[&keys::batch(&production(), rollout.id, batch)].value;
        replayer.add(&SealedBatch::read(stored).unwrap());
    }
    let replay = replayer.finish();
    assert_eq!((replay.batches, replay.differs_at), (2, None));
    assert_eq!(replay.peak.unwrap().number, Some(number));
}
