#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use ::rollout::{EvidenceNumber, HoldReason, Phase};
use evaluation::Flag;

use super::*;
use crate::{
    builders::{START_US, World, actor, flag, key, moved, production, sources},
    evidence::{EvidenceRecord, VisitCounts},
    store::{Txn, keys, model},
};

const NOW_US: i64 = START_US + 60_000_000;
const HARM: Transition = Transition::Aborted(AbortCause::Evidence {
    guard: 0,
    horizon: 1,
    log_evidence: 5.0,
});

fn rolling() -> (World, Arc<RolloutRecord>) {
    let mut world = World::new();
    world.write(flag("checkout"));
    let (record, _) = world.start("checkout");
    (world, record)
}

fn facts(world: &World, record: &RolloutRecord) -> Gathered {
    let mut facts = sources(&world.state)
        .gather(&world.state, record, false, NOW_US)
        .latched();
    facts.live = vec!["a".into(), "b".into()];
    facts
}

/// What the engine makes of a transition, and the world after it.
fn made(
    world: &mut World,
    record: &RolloutRecord,
    phase: Phase,
    transition: &Transition,
) -> (Made, Arc<RolloutRecord>) {
    let facts = facts(world, record);
    let progress = moved(record, phase, "moved").state;
    let made = transit(&world.state, record, &progress, transition, &facts, NOW_US).unwrap();
    world.commit(&made.txn);
    let after = world.rollout(record.id);
    (made, after)
}

fn aborted_by_hand(world: &World, record: &RolloutRecord) -> Result<Txn, ::rollout::Refusal> {
    let facts = sources(&world.state)
        .gather(&world.state, record, false, NOW_US)
        .latched();
    crate::engine::act(&world.state, record, &::rollout::Act::Abort, &facts, &actor())
}

fn audit(world: &World) -> model::AuditRecord {
    let prefix = keys::audits(&production());
    let mut acts = world.shelf.items.iter().rev().filter(|(at, _)| at.starts_with(&prefix));
    model::Act::read(&acts.next().unwrap().1.value).unwrap()
}

#[test]
fn every_transition_is_told_in_a_word_and_a_sentence() {
    for (transition, phase, sentence) in [
        (
            Transition::ClockStarted,
            Phase::Soak,
            "99 % of the live agents have applied the stage",
        ),
        (
            Transition::Advanced { from: 0, to: 1 },
            Phase::Ramp,
            "gate no-harm is open; entering at-50 at 50 %",
        ),
        (Transition::Held(vec![HoldReason::Stale]), Phase::Held, "stale"),
        (Transition::Resumed, Phase::Soak, "what held it is gone"),
        (Transition::HorizonCut, Phase::Soak, "units count anew"),
        (
            HARM,
            Phase::Aborting,
            "error-rate > 1x control: evidence 148 (abort at 100), horizon 1",
        ),
        (Transition::Completed, Phase::Completed, "new is the flag's default"),
    ] {
        let (mut world, record) = rolling();
        let (made, after) = made(&mut world, &record, phase, &transition);
        assert_eq!(made.detail, sentence);
        let last = after.transitions.last().unwrap();
        assert_eq!(
            (last.kind.as_str(), last.detail.as_str()),
            (transition.name(), sentence)
        );
        assert_eq!((last.actor.as_str(), last.at_us), ("tidegate", NOW_US));
        assert_eq!(last.sequence, after.state.sequence);
        assert_eq!(after.state.phase, phase);
    }
}

#[test]
fn an_abort_keeps_what_it_was_decided_on() {
    let (mut world, record) = rolling();
    let mut evidence = EvidenceRecord {
        batches: 9,
        visits: vec![VisitCounts {
            stage: 0,
            visit: 1,
            counts: Default::default(),
        }],
        ..EvidenceRecord::default()
    };
    evidence.visit_mut(0, 1).treatment.bad = 33;
    let at = keys::evidence(&production(), record.id);
    world.commit(&Txn::default().put(at, model::write_evidence(&evidence)));
    let mut facts = facts(&world, &record);
    facts.known.fresh = true;
    facts.known.evidence = Some(EvidenceNumber {
        guard: 0,
        horizon: 1,
        log_evidence: 5.0,
        is_doubted: false,
    });
    let progress = moved(&record, Phase::Aborting, "aborted").state;
    let made = transit(&world.state, &record, &progress, &HARM, &facts, NOW_US).unwrap();
    world.commit(&made.txn);
    let end = world.rollout(record.id).end.clone().unwrap();
    assert_eq!((end.decided_at_us, end.cause), (NOW_US, EndCause::Evidence));
    assert_eq!((end.batches, end.counts.treatment.bad, end.fresh), (9, 33, true));
    assert_eq!(end.evidence, facts.known.evidence);
    assert_eq!(end.awaited, ["a", "b"]);
    assert_eq!((end.actor.as_str(), &end.reason), ("tidegate", &made.detail));
    assert_eq!((end.applied_at_us, end.time_to_zero_us), (None, None));
    assert_eq!(world.state.latches[&record.id].reason, made.detail);
    assert_eq!(audit(&world).action, "rollout.abort");
}

#[test]
fn an_abort_on_a_latch_that_was_found_set_is_of_whoever_set_it() {
    let (mut world, record) = rolling();
    let latch = Latch {
        at_us: 1,
        actor: "grace".to_owned(),
        reason: "it burns".to_owned(),
    };
    let at = keys::latch(&production(), record.id);
    world.commit(&Txn::default().put(at, model::write_latch(&latch)));
    let person = Transition::Aborted(AbortCause::Person);
    let (_, after) = made(&mut world, &record, Phase::Aborting, &person);
    let end = after.end.clone().unwrap();
    assert_eq!((end.cause, end.actor.as_str()), (EndCause::Person, "grace"));
    assert_eq!(end.reason, "it burns");
    assert_eq!(audit(&world).actor, "grace");
    assert_eq!(*world.state.latches[&record.id], latch);
}

#[test]
fn an_abort_by_hand_is_the_persons_and_names_what_it_leaves_in_place() {
    let (mut world, record) = rolling();
    world.write(Flag {
        allow: [("new".to_owned(), vec!["u1".to_owned()])].into(),
        ..flag("checkout")
    });
    let txn = aborted_by_hand(&world, &record).unwrap();
    world.commit(&txn);
    let after = world.rollout(record.id);
    let end = after.end.clone().unwrap();
    assert_eq!(
        end.reason,
        "because (treatment is still served by: allow list (1 units))"
    );
    assert_eq!((end.cause, end.actor.as_str()), (EndCause::Person, "ada"));
    assert_eq!(after.transitions.last().unwrap().actor, "ada");
    assert_eq!(world.state.latches[&record.id].reason, "because");
    // What has ended is not ended again.
    assert!(aborted_by_hand(&world, &moved(&after, Phase::Aborted, "aborted")).is_err());
}

#[test]
fn a_persons_abort_beside_evidence_of_harm_is_a_persons() {
    let (mut world, record) = rolling();
    let mut evidence = EvidenceRecord {
        batches: 1,
        ..EvidenceRecord::default()
    };
    evidence.horizons.entry(1).or_default().strata.insert((0, 0), (900, 1));
    let examined = crate::evidence::Examined {
        rollout: &record,
        evidence: &evidence,
    };
    let found = examined.examine(&Default::default(), START_US);
    assert!(found.standing.abort.unwrap().log_evidence > 100.0);
    let at = keys::evidence(&production(), record.id);
    world.commit(&Txn::default().put(at, model::write_evidence(&evidence)));
    let txn = aborted_by_hand(&world, &record).unwrap();
    world.commit(&txn);
    assert_eq!(world.rollout(record.id).end.clone().unwrap().cause, EndCause::Person);
}

#[test]
fn an_end_names_at_most_a_thousand_agents() {
    let (mut world, record) = rolling();
    let mut facts = facts(&world, &record);
    facts.live = (0..5_000).map(|number| format!("agent-{number}").into()).collect();
    let progress = moved(&record, Phase::Aborting, "aborted").state;
    let made = transit(&world.state, &record, &progress, &HARM, &facts, NOW_US).unwrap();
    world.commit(&made.txn);
    assert_eq!(
        world.rollout(record.id).end.clone().unwrap().awaited.len(),
        AWAITED_LIMIT
    );
}

#[test]
fn a_promotion_is_committed_on_the_evidence_that_was_gathered_or_not_at_all() {
    for (transition, phase) in [
        (Transition::Advanced { from: 0, to: 1 }, Phase::Ramp),
        (Transition::Completed, Phase::Completed),
    ] {
        let (mut world, record) = rolling();
        let facts = facts(&world, &record);
        let progress = moved(&record, phase, "moved").state;
        let made = transit(&world.state, &record, &progress, &transition, &facts, NOW_US).unwrap();
        let harm = model::write_evidence(&EvidenceRecord::default());
        world.commit(&Txn::default().put(keys::evidence(&production(), record.id), harm));
        assert!(world.offer(&made.txn).is_none());
        let facts = super::tests::facts(&world, &record);
        let made = transit(&world.state, &record, &progress, &transition, &facts, NOW_US).unwrap();
        assert!(world.offer(&made.txn).is_some());
    }
}

#[test]
fn a_completion_needs_its_flag() {
    let (mut world, record) = rolling();
    world.commit(&Txn::default().delete(keys::flag(&production(), &key("checkout"))));
    let facts = facts(&world, &record);
    let progress = moved(&record, Phase::Completed, "completed").state;
    let made = transit(&world.state, &record, &progress, &Transition::Completed, &facts, NOW_US);
    assert!(made.is_none());
    // Aborting does not.
    let progress = moved(&record, Phase::Aborting, "aborted").state;
    assert!(transit(&world.state, &record, &progress, &HARM, &facts, NOW_US).is_some());
}

#[test]
fn an_abort_that_reached_nobody_does_not_claim_that_agents_have_it() {
    let (world, record) = rolling();
    let progress = moved(&record, Phase::Aborted, "abort-delivered").state;
    let told = |live| {
        let mut facts = facts(&world, &record);
        facts.known.delivery.live = live;
        let made = transit(
            &world.state,
            &record,
            &progress,
            &Transition::AbortDelivered,
            &facts,
            NOW_US,
        );
        made.unwrap().detail
    };
    assert_eq!(told(0), "no agent is live; each gets the abort when it comes back");
    assert_eq!(told(1), "every live agent has the abort on disk");
}
