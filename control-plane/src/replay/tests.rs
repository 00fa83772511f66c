#![allow(clippy::unwrap_used)]

use evaluation::Arm;
use rollout::{Guard, Unit};

use super::*;
use crate::{
    builders::{SECOND_US, START_US, Shelf, production, rollout_of},
    evidence::Counts,
    health::builders as frames,
    identity::ENGINE,
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
    let mut replayer = Replayer::new(rollout, Arc::new(plan.clone()), log);
    batches.iter().for_each(|batch| replayer.add(batch));
    replayer.finish()
}

/// The rollout, ended after a batch.
fn ended(rollout: &RolloutRecord, cause: EndCause, batch: u64, evidence: Option<EvidenceNumber>) -> RolloutRecord {
    RolloutRecord {
        end: Some(End {
            decided_at_us: at(batch) + 100,
            cause,
            actor: ENGINE.to_owned(),
            reason: String::new(),
            evidence,
            counts: Counts::default(),
            published_at_us: None,
            applied_at_us: None,
            persisted_at_us: None,
            last_treatment_exposure_us: None,
            time_to_zero_us: None,
            batches: batch,
            fresh: true,
            awaited: Vec::new(),
            recovery: None,
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
        replayed(&rollout, &plan, &batches, &[]).aborts_at()
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
        (replay.aborts_at(), replay.decision.unwrap())
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
