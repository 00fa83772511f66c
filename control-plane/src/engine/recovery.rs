//! What comes of an aborted rollout once treatment is gone: its recovery, as the watch of it shows (`standing.rs`).
//!
//! Pure. The bar is drawn when the abort is decided; it is read until it is reached, until half an hour is over, or until
//! the next rollout of the flag begins, in which nobody is measured as one arm any more.

use evaluation::Key;
use rollout::{
    EvidenceNumber,
    criterion::Criterion,
    guards,
    recovery::{Outcome, Watch},
    shown::Look,
};

use crate::{
    evidence::Examined,
    record::{Recovery, RolloutRecord},
    state::State,
};

/// What is to be watched of a rollout that the evidence of a guard ends now; none if nothing can be.
pub(super) fn begun(
    state: &State,
    record: &RolloutRecord,
    evidence: EvidenceNumber,
    levels: &guards::Levels,
    now_us: i64,
) -> Option<Recovery> {
    let sealed = state.evidence_of(record.id);
    let examined = Examined {
        rollout: record,
        evidence: &sealed,
    };
    let look = Look {
        plan: &record.plan,
        state: &record.state,
        seen: &examined.seen(),
        levels,
        now: now_us,
    };
    Some(Recovery {
        harm: Criterion::Compare(record.plan.guards.get(evidence.guard)?.harm.clone()).to_string(),
        bar: rollout::recovery::bar(&look, evidence.guard)?,
        reading: None,
        outcome: None,
    })
}

/// The record with what came of its recovery; none while that is not known, or known already.
pub(super) fn ended(state: &State, record: &RolloutRecord, now_us: i64) -> Option<RolloutRecord> {
    let end = record.end.as_ref()?;
    let before = end.recovery.as_ref().filter(|recovery| recovery.outcome.is_none())?;
    let flag = Key::parse(&record.plan.flag).ok()?;
    let watch = state
        .watch_of(&record.environment, &flag)
        .filter(|watch| watch.recovery_of == Some(record.id));
    let reading = watch.and_then(|watch| {
        let evidence = state.evidence_of(watch.id);
        let watched = Watch {
            counted: &watch.counted,
            recent: &evidence.recent,
            began: watch.started_at_us,
            lost_after: watch.plan.lost_after_us,
        };
        before.bar.read(&watched, now_us)
    });
    let outcome = match state.active(&record.environment, &flag) {
        Some(active) if active.rollout != record.id => Outcome::Superseded,
        Some(_) | None => before.bar.judge(reading, end.decided_at_us, now_us)?,
    };
    let mut after = record.clone();
    after.end.as_mut()?.recovery = Some(Recovery {
        reading,
        outcome: Some((outcome, now_us)),
        ..before.clone()
    });
    Some(after)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rollout::{Phase, evidence::arm::Buckets, measure::Recent, recovery::WATCHED_US};
    use uuid::Uuid;

    use super::*;
    use crate::{
        builders::{self, START_US, World, actor, flag, key, moved, production},
        change::rollout as changes,
        compile,
        evidence::EvidenceRecord,
        record::{End, EndCause},
        standing::{self, Due},
        store::{Txn, keys, model},
    };

    /// By then what hung when the watch began is known to be lost.
    const LATER_US: i64 = START_US + 60_000_000;

    /// A rollout that was aborted for its error rate, with its recovery to be watched.
    fn aborted(world: &mut World) -> RolloutRecord {
        world.write(flag("checkout"));
        let (before, _) = world.start("checkout");
        let mut after = moved(&before, Phase::Aborting, "aborted");
        after.end = Some(End {
            recovery: Some(builders::recovery()),
            ..builders::end(EndCause::Evidence, START_US)
        });
        world.commit(&changes::abort(&before, &after, None, None, &actor()));
        RolloutRecord::clone(&world.rollout(before.id))
    }

    fn watched(world: &mut World) -> RolloutRecord {
        let Some(Due::Begin(watch)) = standing::due(&world.state) else {
            panic!("{:?}", standing::due(&world.state))
        };
        let count = world.count();
        let record = watch.record((Uuid::from_u128(0x0199 << 100), count.value + 1), START_US);
        world.commit(&standing::begin(&record, count));
        RolloutRecord::clone(&world.rollout(record.id))
    }

    fn measured(world: &mut World, watch: &RolloutRecord, bad: i64, at_us: i64) {
        let mut recent = Recent::default();
        let mut buckets = Buckets::new();
        (0..10).for_each(|unit| buckets.add(unit, bad, 100));
        recent.add(0, &buckets, at_us);
        let evidence = EvidenceRecord {
            recent,
            ..EvidenceRecord::default()
        };
        let at = keys::evidence(&production(), watch.id);
        world.commit(&Txn::default().put(at, model::write_evidence(&evidence)));
    }

    fn outcome(world: &World, record: &RolloutRecord, now_us: i64) -> Option<Outcome> {
        let after = ended(&world.state, record, now_us)?;
        after.end?.recovery?.outcome.map(|(outcome, _)| outcome)
    }

    #[test]
    fn after_an_abort_everybody_is_measured_as_control_until_the_recovery_is_known() {
        let mut world = World::new();
        let record = aborted(&mut world);
        let watch = watched(&mut world);
        assert_eq!(watch.recovery_of, Some(record.id));
        assert_eq!(watch.counted[..record.counted.len()], record.counted[..]);
        assert_eq!(standing::due(&world.state), None);
        let step = compile::step_of(&world.state, &production(), &key("checkout")).unwrap();
        assert_eq!((step.rollout, step.shadow), (watch.index, false));
        assert_eq!(
            (step.control.as_str(), step.reached[0].share),
            ("old", evaluation::Buckets::NONE)
        );
        assert_eq!(outcome(&world, &record, START_US), None);
        measured(&mut world, &watch, 0, START_US + watch.plan.lost_after_us - 1);
        assert_eq!(
            outcome(&world, &record, LATER_US),
            None,
            "what hangs is not heard of yet"
        );
        measured(&mut world, &watch, 3, LATER_US);
        assert_eq!(outcome(&world, &record, LATER_US), None, "3 % is beyond 2 %");
        assert_eq!(
            outcome(&world, &record, START_US + WATCHED_US),
            Some(Outcome::NoData),
            "that is long ago"
        );
        measured(&mut world, &watch, 1, LATER_US);
        assert_eq!(outcome(&world, &record, LATER_US), Some(Outcome::Recovered));
        let after = ended(&world.state, &record, LATER_US).unwrap();
        world.commit(&changes::note(&record, &after));
        assert_eq!(standing::due(&world.state), Some(Due::End(world.rollout(watch.id))));
        assert!(
            ended(&world.state, &world.rollout(record.id), LATER_US).is_none(),
            "it is known"
        );
    }

    #[test]
    fn the_next_rollout_of_the_flag_ends_the_watch_without_an_answer() {
        let mut world = World::new();
        let record = aborted(&mut world);
        let watch = watched(&mut world);
        world.start("checkout");
        assert_eq!(standing::due(&world.state), Some(Due::End(world.rollout(watch.id))));
        assert_eq!(outcome(&world, &record, START_US), Some(Outcome::Superseded));
    }
}
