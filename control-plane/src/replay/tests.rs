#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use evaluation::Arm;
use rollout::{Guard, Level, Unit, criterion::Criterion};

use super::*;
use crate::{
    builders::{SECOND_US, START_US, Shelf, end, production, rollout_of},
    health::builders as frames,
    identity::ENGINE,
    levels::{HeldLevels, Reading, Source},
    record::End,
    store::keys,
};

/// Seals so many batches of a harmful treatment; the evidence after them, and what the store holds of them.
fn sealed(rollout: &RolloutRecord, batches: u64) -> (Option<EvidenceNumber>, Vec<SealedBatch>) {
    let (mut ledger, mut shelf) = (frames::ledger(rollout), Shelf::default());
    for sequence in 1..=batches {
        let positions: Vec<u32> = (0..6).map(|unit| sequence as u32 * 1_000 + unit * 7).collect();
        let mut treatment = frames::cell(frames::place(0, 0, Arm::Treatment), 60, 6, &positions);
        treatment.sampled = vec![sequence as u32 * 64];
        let control = frames::cell(frames::place(0, 0, Arm::Control), 60, 1, &positions[..1]);
        let mut frame = frames::frame(rollout, sequence);
        frame.cells = vec![treatment, control];
        ledger.accept(&frames::reporter("a"), &frame, at(sequence));
        shelf.seal_all(&mut ledger, rollout, at(sequence));
    }
    let stored = (1..=batches).map(|number| {
        shelf.items[&keys::batch(&production(), rollout.id, number)]
            .value
            .clone()
    });
    let batches = stored.map(|value| SealedBatch::read(&value).unwrap()).collect();
    (ledger.record().number, batches)
}

/// When a batch was sealed.
fn at(batch: u64) -> i64 {
    START_US + batch as i64 * SECOND_US
}

fn replayed(rollout: &RolloutRecord, plan: &Plan, batches: &[SealedBatch], log: &[TransitionRecord]) -> Replay {
    let mut replayer = Replayer::new(rollout, Arc::new(plan.clone()), log, Arc::default());
    batches.iter().for_each(|batch| replayer.add(batch));
    replayer.finish()
}

/// The rollout, ended after a batch.
fn ended(rollout: &RolloutRecord, cause: EndCause, batch: u64, evidence: Option<EvidenceNumber>) -> RolloutRecord {
    RolloutRecord {
        end: Some(End {
            actor: ENGINE.to_owned(),
            evidence,
            batches: batch,
            ..end(cause, at(batch) + 100)
        }),
        ..rollout.clone()
    }
}

#[test]
fn a_replay_agrees_to_the_last_bit_and_finds_the_same_rungs() {
    for unit in [Unit::Unit, Unit::Request] {
        let rollout = rollout_of(unit, &[50], 60 * SECOND_US);
        let (number, batches) = sealed(&rollout, 12);
        let replay = replayed(&rollout, &rollout.plan, &batches, &[]);
        assert_eq!((replay.batches, replay.differs_at), (12, None), "{unit:?}");
        let [warn, hold, abort] = replay.reached.map(|look| look.unwrap());
        assert!(warn.batch <= hold.batch && hold.batch <= abort.batch, "{unit:?}");
        assert_eq!((abort.guard(), abort.outcomes), (Some(0), abort.batch * 60));
        assert_eq!(abort.units, (abort.batch * 64).min(abort.outcomes));
        assert_eq!(replay.peak.unwrap().number, number);
    }
}

#[test]
fn a_batch_that_was_changed_is_named() {
    let rollout = rollout_of(Unit::Unit, &[50], 60 * SECOND_US);
    let (_, mut batches) = sealed(&rollout, 6);
    batches[3].counts[0].newly_bad_treatment += 1;
    let replay = replayed(&rollout, &rollout.plan, &batches, &[]);
    assert_eq!(replay.differs_at, Some(4));
}

#[test]
fn another_limit_tells_what_it_would_have_done() {
    let rollout = rollout_of(Unit::Unit, &[50], 60 * SECOND_US);
    let (_, batches) = sealed(&rollout, 12);
    let abort = |limit: f64| {
        let mut plan = (*rollout.plan).clone();
        plan.guards = vec![Guard::error_rate_above(limit)];
        replayed(&rollout, &plan, &batches, &[]).aborts_at
    };
    let own = abort(1.0).unwrap();
    assert!(abort(1.5).is_none_or(|later| later >= own));
    assert_eq!(abort(20.0), None);
}

#[test]
fn an_abort_by_evidence_must_have_its_very_number() {
    let rollout = rollout_of(Unit::Unit, &[50], 60 * SECOND_US);
    let (_, batches) = sealed(&rollout, 12);
    let alone = replayed(&rollout, &rollout.plan, &batches, &[]);
    let abort = alone.reached[2].unwrap();
    let decision = |record: &RolloutRecord, batches: &[SealedBatch]| {
        let replay = replayed(record, &record.plan, batches, &[]);
        replay.decision.unwrap()
    };
    let aborted = ended(&rollout, EndCause::Evidence, abort.batch, abort.number);
    assert_eq!(decision(&aborted, &batches), Decision::Same);
    let short = &batches[..abort.batch as usize - 1];
    assert!(matches!(decision(&aborted, short), Decision::NotReplayed(_)));
    let number = abort.number.map(|number| EvidenceNumber {
        log_evidence: number.log_evidence.next_up(),
        ..number
    });
    let other = ended(&rollout, EndCause::Evidence, abort.batch, number);
    assert!(matches!(decision(&other, &batches), Decision::Differs(_)));
    let early = ended(&rollout, EndCause::Rule, abort.batch, None);
    assert!(matches!(decision(&early, &batches), Decision::Differs(_)));
}

#[test]
fn what_went_on_over_an_abort_is_not_what_the_replay_says() {
    let rollout = rollout_of(Unit::Unit, &[50], 60 * SECOND_US);
    let (_, batches) = sealed(&rollout, 12);
    let replay = |record: &RolloutRecord, upto: u64| {
        let replay = replayed(record, &record.plan, &batches[..upto as usize], &[]);
        (replay.aborts_at, replay.decision.unwrap())
    };
    let abort = replay(&rollout, 12).0.unwrap();
    assert_eq!(
        replay(&rollout, abort).1,
        Decision::Same,
        "the engine may not have seen the last batch"
    );
    let (_, later) = replay(&rollout, abort + 1);
    assert_eq!(
        later,
        Decision::Differs(format!(
            "the replay aborts after batch {abort} of {}, and the rollout is ramp",
            abort + 1
        ))
    );
    let by_hand = |batch| ended(&rollout, EndCause::Person, batch, None);
    assert_eq!(replay(&by_hand(abort), 12).1, Decision::Same);
    assert!(matches!(replay(&by_hand(abort + 1), 12).1, Decision::Differs(_)));
}

/// A rollout whose guard reads a level.
fn reading_levels() -> RolloutRecord {
    let mut rollout = rollout_of(Unit::Unit, &[50], 60 * SECOND_US);
    let mut plan = (*rollout.plan).clone();
    let Ok(Criterion::Compare(harm)) = "cpu > 80 %".parse() else {
        panic!("it is a comparison")
    };
    plan.guards = vec![Guard {
        harm,
        ..Guard::no_worse_than_control()
    }];
    rollout.plan = plan.into();
    rollout
}

/// Readings of treatment, each half a second after the batch of its number would have been sealed.
fn kept(values: &[f64]) -> Vec<Kept> {
    let read = |(number, value): (u64, &f64)| {
        let reading = Reading {
            value: Ok(*value),
            at_us: at(number),
            until_us: at(number) + 60 * SECOND_US,
            source: Source::Pushed,
        };
        Kept {
            readings: vec![("cpu".to_owned(), Arm::Treatment, reading)],
            noted_at_us: at(number) + SECOND_US / 2,
            is_first: number == 1,
            before: None,
        }
    };
    (1..).zip(values).map(read).collect()
}

fn log_of(readings: Vec<Kept>) -> Log {
    Log::of((1..).zip(readings)).unwrap()
}

fn read_again(rollout: &RolloutRecord, batches: &[SealedBatch], log: Log) -> Replay {
    let mut replayer = Replayer::new(rollout, rollout.plan.clone(), &[], log.into());
    batches.iter().for_each(|batch| replayer.add(batch));
    replayer.finish()
}

/// The rollout, aborted by a rule after so many batches, on so many readings.
fn aborted_on(rollout: &RolloutRecord, batch: u64, readings: u64) -> RolloutRecord {
    let mut rollout = ended(rollout, EndCause::Rule, batch, None);
    let end = rollout.end.as_mut().unwrap();
    end.readings = readings;
    end.decided_at_us = at(readings) + SECOND_US / 2;
    rollout
}

#[test]
fn an_abort_by_a_level_rests_on_exactly_the_readings_that_it_names() {
    let rollout = reading_levels();
    let decision = |readings: u64, kept: Vec<Kept>| {
        let record = aborted_on(&rollout, 0, readings);
        read_again(&record, &[], log_of(kept)).decision
    };
    let beyond = [0.5, 0.9, 0.9, 0.9];
    assert_eq!(decision(4, kept(&beyond)), Some(Decision::Same));
    let later = [0.5, 0.9, 0.9, 0.9, 0.1];
    assert_eq!(
        decision(4, kept(&later)),
        Some(Decision::Same),
        "what came later has no say"
    );
    assert!(
        matches!(decision(3, kept(&beyond)), Some(Decision::Differs(_))),
        "two in a row"
    );
    assert!(
        matches!(decision(0, kept(&beyond)), Some(Decision::Differs(_))),
        "none was read by then"
    );
    let mut restarted = kept(&beyond);
    restarted[2].is_first = true;
    assert_eq!(
        decision(4, restarted),
        Some(Decision::Same),
        "a restart forgets nothing"
    );
    let found = decision(9, kept(&beyond));
    assert!(matches!(found, Some(Decision::NotReplayed(_))), "{found:?}");
}

#[test]
fn readings_that_were_taken_in_together_are_looked_at_together() {
    let rollout = reading_levels();
    let mut together = kept(&[0.9, 0.5]);
    let reading = |value: f64| {
        let (metric, arm, reading) = together[0].readings[0].clone();
        let value = Ok(value);
        (metric, arm, Reading { value, ..reading })
    };
    together[0].readings = [0.9, 0.9, 0.9, 0.5].map(reading).to_vec();
    let replay = read_again(&rollout, &[], log_of(together));
    assert_eq!((replay.decision, replay.reached), (Some(Decision::Same), [None; 3]));
}

#[test]
fn a_decision_behind_the_first_readings_that_are_left_is_judged_and_one_before_them_is_not() {
    let rollout = reading_levels();
    let mut left = kept(&[0.5, 0.9, 0.9, 0.9]);
    let mut before = HeldLevels::default();
    for gone in left.drain(..2) {
        before.take_in(&gone.readings, gone.noted_at_us);
    }
    left[0].before = Some(before);
    let log = Log::of((3..).zip(left)).unwrap();
    let decision = |readings: u64| read_again(&aborted_on(&rollout, 0, readings), &[], log.clone()).decision;
    assert_eq!(decision(4), Some(Decision::Same));
    assert!(matches!(decision(3), Some(Decision::Differs(_))), "two in a row");
    assert!(matches!(decision(2), Some(Decision::NotReplayed(_))));
}

#[test]
fn readings_and_batches_are_taken_in_the_order_of_time() {
    let rollout = reading_levels();
    let (_, batches) = sealed(&rollout, 6);
    let going_on = read_again(&rollout, &batches, log_of(kept(&[0.5, 0.9, 0.9, 0.9])));
    let [warn, hold, abort] = going_on.reached.map(|look| look.map(|look| (look.batch, look.at_us)));
    let expected = Some((4, at(4) + SECOND_US / 2));
    assert_eq!(
        [warn, hold, abort],
        [expected; 3],
        "after the fourth batch and before the fifth"
    );
    let aborted = aborted_on(&rollout, 4, 4);
    let aborted = read_again(&aborted, &batches, log_of(kept(&[0.5, 0.9, 0.9, 0.9])));
    assert_eq!(aborted.decision, Some(Decision::Same));
    let fine = read_again(&rollout, &batches, log_of(kept(&[0.5, 0.9, 0.7, 0.9])));
    assert_eq!((fine.decision, fine.reached), (Some(Decision::Same), [None; 3]));
}

#[test]
fn a_level_that_stood_beyond_its_limit_must_have_ended_the_rollout_and_one_of_a_moment_need_not() {
    let rollout = reading_levels();
    let (_, batches) = sealed(&rollout, 12);
    let beyond = [0.5, 0.9, 0.9, 0.9];
    let decision = |batches: &[SealedBatch], kept: Vec<Kept>| read_again(&rollout, batches, log_of(kept)).decision;
    let overdue = |decision: Option<Decision>| match decision {
        Some(Decision::Differs(why)) => assert!(why.starts_with("the replay aborts after batch 4 of "), "{why}"),
        Some(Decision::Same | Decision::NotReplayed(_)) | None => panic!("it should have been aborted"),
    };
    overdue(decision(&batches, kept(&beyond)));
    assert_eq!(
        decision(&batches[..9], kept(&beyond)),
        Some(Decision::Same),
        "the engine may not have seen it"
    );
    overdue(decision(
        &batches[..4],
        kept(&[0.5, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]),
    ));
    // The process is killed right after the third reading is durable.
    let mut over = kept(&beyond);
    over[3].readings[0].2.until_us = at(5);
    assert_eq!(
        decision(&batches, over),
        Some(Decision::Same),
        "it was over when it was back"
    );
    let mut away = kept(&[0.5, 0.9, 0.9, 0.9, 0.5]);
    away[4].noted_at_us = at(11);
    overdue(decision(&batches[..4], away.clone()));
    away[4].is_first = true;
    assert_eq!(
        decision(&batches[..4], away),
        Some(Decision::Same),
        "what it read first when it was back was something else"
    );
}

#[test]
fn a_replay_reads_the_baseline_that_its_rollout_took_over() {
    let rollout_with = |outcomes: u64| {
        let mut rollout = rollout_of(Unit::Unit, &[100], 60 * SECOND_US);
        let mut plan = (*rollout.plan).clone();
        let harm = "error-rate > 2x baseline".parse().unwrap();
        let rollout::criterion::Criterion::Compare(harm) = harm else {
            panic!("a comparison")
        };
        plan.guards = vec![Guard {
            harm,
            ..Guard::error_rate_above(1.0)
        }];
        let value = ("error-rate".to_owned(), "1 %".parse().unwrap());
        plan.baseline.freeze([value], crate::builders::captured(outcomes));
        rollout.counted = rollout::measure::counted(&plan).into();
        rollout.plan = plan.into();
        rollout
    };
    let rollout = rollout_with(10_000);
    let (mut ledger, mut shelf) = (frames::ledger(&rollout), Shelf::default());
    for sequence in 1..=8 {
        let mut treatment = frames::cell(frames::place(0, 0, Arm::Treatment), 640, 16, &[]);
        treatment.metrics[0].buckets = (0..64).map(|bucket| (bucket, i64::from(bucket % 4 == 0), 10)).collect();
        let mut frame = frames::frame(&rollout, sequence);
        frame.cells = vec![treatment];
        ledger.accept(&frames::reporter("a"), &frame, at(sequence));
        shelf.seal_all(&mut ledger, &rollout, at(sequence));
    }
    let batches = (1..=8).map(|number| {
        let stored = &shelf.items[&keys::batch(&production(), rollout.id, number)].value;
        SealedBatch::read(stored).unwrap()
    });
    let batches: Vec<SealedBatch> = batches.collect();
    let number = ledger.record().number;
    assert!(
        number.is_some_and(|number| number.log_evidence.is_finite()),
        "{number:?}"
    );
    assert_eq!(replayed(&rollout, &rollout.plan, &batches, &[]).differs_at, None);
    let other = rollout_with(100);
    assert!(replayed(&other, &other.plan, &batches, &[]).differs_at.is_some());
    let same_limits = limits::plan_with(&rollout, proto::v1::OtherLimits::default(), &BTreeSet::new()).unwrap();
    assert_eq!(replayed(&rollout, &same_limits, &batches, &[]).differs_at, None);
}

/// A rollout under caps, in which treatment has one complaint in each batch.
fn complaining(guards: &[(&str, Level)], batches: u64) -> (RolloutRecord, Vec<SealedBatch>) {
    let mut rollout = rollout_of(Unit::Unit, &[50], 60 * SECOND_US);
    let mut plan = (*rollout.plan).clone();
    let guard = |(text, level): &(&str, Level)| {
        let Ok(Criterion::Compare(harm)) = text.parse() else {
            panic!("{text}")
        };
        Guard {
            harm,
            level: *level,
            ..Guard::no_worse_than_control()
        }
    };
    plan.guards = guards.iter().map(guard).collect();
    rollout.counted = rollout::measure::counted(&plan).into();
    rollout.plan = plan.into();
    let (mut ledger, mut shelf) = (frames::ledger(&rollout), Shelf::default());
    for sequence in 1..=batches {
        let mut treatment = frames::cell(frames::place(0, 0, Arm::Treatment), 60, 0, &[]);
        let mut complaint = treatment.metrics[0].clone();
        (complaint.metric, complaint.buckets) = (1, vec![(0, 1_000_000, 1)]);
        treatment.metrics.push(complaint);
        let mut frame = frames::frame(&rollout, sequence);
        frame.cells = vec![treatment];
        ledger.accept(&frames::reporter("a"), &frame, at(sequence));
        shelf.seal_all(&mut ledger, &rollout, at(sequence));
    }
    let stored = (1..=batches).map(|number| {
        let item = &shelf.items[&keys::batch(&production(), rollout.id, number)];
        SealedBatch::read(&item.value).unwrap()
    });
    let batches = stored.collect();
    (rollout, batches)
}

#[test]
fn a_cap_that_holds_or_warns_is_a_rung_and_its_hold_is_judged() {
    for (level, expected) in [
        (Level::Warn, [Some(3), None, None]),
        (Level::Hold, [Some(3), Some(3), None]),
        (Level::Abort, [Some(3), Some(3), Some(3)]),
    ] {
        let (rollout, batches) = complaining(&[("complaints > 2 in 24 h", level)], 5);
        let replay = replayed(&rollout, &rollout.plan, &batches, &[]);
        let reached = replay.reached.map(|look| look.map(|look| look.batch));
        assert_eq!(reached, expected, "{level:?}");
        let [warn, ..] = replay.reached;
        assert_eq!(warn.unwrap().guard(), Some(0), "{level:?}");
    }
    let (rollout, batches) = complaining(&[("complaints > 2 in 24 h", Level::Hold)], 5);
    let held = |batch: u64| {
        let log = TransitionRecord {
            sequence: 2,
            at_us: at(batch) + 100,
            kind: "held".to_owned(),
            stage: 0,
            detail: "rule".to_owned(),
            actor: ENGINE.to_owned(),
            dismissals: Vec::new(),
        };
        replayed(&rollout, &rollout.plan, &batches, &[log]).moves[0].agrees
    };
    assert_eq!([held(2), held(3), held(5)], [Some(false), Some(true), Some(true)]);
}

#[test]
fn an_abort_by_a_rule_is_that_of_its_guard() {
    let guards = [
        ("complaints > 100 in 24 h", Level::Abort),
        ("complaints > 2 in 24 h", Level::Abort),
    ];
    let (rollout, batches) = complaining(&guards, 3);
    let decision = |rule| {
        let mut record = ended(&rollout, EndCause::Rule, 3, None);
        record.end.as_mut().unwrap().rule = rule;
        replayed(&record, &record.plan, &batches, &[]).decision.unwrap()
    };
    assert_eq!(decision(Some(1)), Decision::Same);
    assert_eq!(decision(None), Decision::Same, "an end of before this was kept");
    assert_eq!(
        decision(Some(0)),
        Decision::Differs(
            "it was aborted by rule of guard 1 after batch 3, and the replay aborts by that of guard 2 there"
                .to_owned()
        )
    );
}
