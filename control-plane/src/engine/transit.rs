//! From a transition to the transaction that carries it out, and the record that tells of it.

use evaluation::Key;
use rollout::{AbortCause, RollbackCause, State as Progress, Transition, gate, guards::Broken};

use super::{facts::Gathered, recovery, words};
use crate::{
    change::rollout as change,
    identity::Actor,
    record::{End, EndCause, Exit, Latch, Reading, RolloutRecord, TransitionRecord},
    state::State,
    store::Txn,
};

/// Agents that an end names at most.
const AWAITED_LIMIT: usize = 1_000;

/// A transition, ready to be committed.
#[derive(Debug)]
pub(crate) struct Made {
    /// What is written.
    pub(crate) txn: Txn,
    /// What happened, in words.
    pub(super) detail: String,
}

/// What a transition of the engine writes; none if what it needs is gone (a flag that was deleted).
pub(super) fn transit(
    state: &State,
    record: &RolloutRecord,
    progress: &Progress,
    transition: &Transition,
    facts: &Gathered,
    now_us: i64,
) -> Option<Made> {
    let actor = match (transition, state.latches.get(&record.id)) {
        // A latch that was found set: whoever set it has aborted.
        (Transition::Aborted(AbortCause::Person), Some(latch)) => Actor {
            name: latch.actor.clone(),
            reason: latch.reason.clone(),
            peer: String::new(),
            at_us: now_us,
        },
        _ => {
            let said = said(record, progress, transition, facts);
            Actor::engine(said, now_us)
        }
    };
    by(state, record, progress, transition, facts, &actor)
}

/// What a transition writes, whoever makes it.
pub(crate) fn by(
    state: &State,
    record: &RolloutRecord,
    progress: &Progress,
    transition: &Transition,
    facts: &Gathered,
    actor: &Actor,
) -> Option<Made> {
    let said = said(record, progress, transition, facts);
    let detail = match transition {
        Transition::Aborted(_) => actor.reason.clone(),
        Transition::AbortDelivered if facts.known.delivery.live == 0 => {
            "no agent is live; each gets the abort when it comes back".to_owned()
        }
        _ if actor.name == crate::identity::ENGINE || actor.reason.is_empty() => said,
        _ => format!("{said}: {}", actor.reason),
    };
    let after = moved(record, progress, transition, detail.clone(), actor);
    let txn = txn(state, record, after, transition, facts, actor)?;
    Some(Made { txn, detail })
}

fn said(record: &RolloutRecord, progress: &Progress, transition: &Transition, facts: &Gathered) -> String {
    let signals = &facts.known.concerns.signals;
    words::detail(record, progress, transition, &facts.heard(record), signals)
}

/// The record after a transition.
pub(crate) fn moved(
    record: &RolloutRecord,
    progress: &Progress,
    transition: &Transition,
    detail: String,
    actor: &Actor,
) -> RolloutRecord {
    let mut after = record.clone();
    after.state = progress.clone();
    if matches!(transition, Transition::ClockStarted) {
        after.acked_buckets = after.acked_buckets.max(record.plan.deployed(progress.stage).get());
    }
    after.push(TransitionRecord {
        sequence: progress.sequence,
        at_us: actor.at_us,
        kind: transition.name().to_owned(),
        stage: progress.stage as u32,
        detail,
        actor: actor.name.clone(),
        dismissals: match transition {
            Transition::Dismissed(dismissals) => dismissals.clone(),
            _ => Vec::new(),
        },
    });
    after
}

fn txn(
    state: &State,
    before: &RolloutRecord,
    mut after: RolloutRecord,
    transition: &Transition,
    facts: &Gathered,
    actor: &Actor,
) -> Option<Txn> {
    let exit = self::exit(before, &after, facts, actor.at_us);
    Some(match transition {
        Transition::ClockStarted
        | Transition::GateReached
        | Transition::Extended { .. }
        | Transition::Held(_)
        | Transition::Resumed
        | Transition::HorizonCut
        | Transition::AbortDelivered
            if actor.name == crate::identity::ENGINE =>
        {
            change::rest(before, &after)
        }
        Transition::Archived if !before.state.is_final() => {
            after.end = Some(end(state, before, EndCause::Time, facts, actor));
            change::withdraw(before, &after, None, actor)
        }
        Transition::StartAsked => {
            let key = Key::parse(&before.plan.flag).ok()?;
            change::ask_start(before, &after, state.flag(&before.environment, &key)?, actor)
        }
        Transition::ClockStarted
        | Transition::GateReached
        | Transition::Extended { .. }
        | Transition::Held(_)
        | Transition::Paused
        | Transition::Resumed
        | Transition::HorizonCut
        | Transition::AbortDelivered
        | Transition::Submitted
        | Transition::Approved(_)
        | Transition::Ticked { .. }
        | Transition::Unticked { .. }
        | Transition::IssueAdded { .. }
        | Transition::IssueClosed { .. }
        | Transition::FixAsked
        | Transition::Dismissed(_)
        | Transition::Acknowledged
        | Transition::Rebased
        | Transition::Archived => change::act(before, &after, words::action(transition), actor),
        Transition::Started => change::advance(before, &after, None, facts.evidence_revision, actor),
        Transition::Advanced { .. } | Transition::SteppedBack { .. } => {
            change::advance(before, &after, exit.as_ref(), facts.evidence_revision, actor)
        }
        Transition::BakeStarted => change::bake(before, &after, &exit?, facts.evidence_revision, actor),
        Transition::RolledBack(cause) => {
            let cause = match cause {
                RollbackCause::Criterion { .. } => EndCause::Criterion,
                RollbackCause::Person => EndCause::Withdrawn,
            };
            after.end = Some(end(state, before, cause, facts, actor));
            change::withdraw(before, &after, exit.as_ref(), actor)
        }
        Transition::Superseded => {
            after.end = Some(end(state, before, EndCause::Edit, facts, actor));
            change::withdraw(before, &after, exit.as_ref(), actor)
        }
        Transition::Expired => {
            after.end = Some(end(state, before, EndCause::Time, facts, actor));
            change::withdraw(before, &after, None, actor)
        }
        Transition::Aborted(cause) => {
            after.end = Some(end(state, before, EndCause::of_abort(cause), facts, actor));
            let latch = Latch {
                at_us: actor.at_us,
                actor: actor.name.clone(),
                reason: actor.reason.clone(),
            };
            let is_set = state.latches.contains_key(&before.id);
            change::abort(before, &after, exit.as_ref(), (!is_set).then_some(&latch), actor)
        }
        Transition::Completed => {
            let flag = Key::parse(&before.plan.flag).ok()?;
            let flag = state.flag(&before.environment, &flag)?;
            after.end = Some(end(state, before, EndCause::Completed, facts, actor));
            let exit = exit.filter(|_| !before.state.is_baking());
            change::complete(before, &after, exit.as_ref(), flag, facts.evidence_revision, actor)
        }
    })
}

/// A baking rollout that yields to the next, completed.
pub(crate) fn yielded(state: &State, record: &RolloutRecord, facts: &Gathered, actor: &Actor) -> RolloutRecord {
    let mut progress = record.state.clone();
    progress.sequence += 1;
    progress.phase = rollout::Phase::Completed;
    progress.holds.clear();
    progress.ended_at_us = Some(actor.at_us);
    let detail = "it yields to the next rollout of its flag".to_owned();
    let mut after = moved(record, &progress, &Transition::Completed, detail, actor);
    after.end = Some(end(state, record, EndCause::Completed, facts, actor));
    after
}

/// What was known of the stage that a rollout stands in, when it leaves it; none before its first.
fn exit(before: &RolloutRecord, after: &RolloutRecord, facts: &Gathered, at_us: i64) -> Option<Exit> {
    let visit = before.state.visits.last()?;
    let stage = before.plan.stages.get(visit.stage)?;
    let soaked_us = facts.soaked_us;
    let criteria = stage.success.iter().map(|criterion| {
        let finding = gate::criterion(&before.plan, stage, &facts.known, criterion);
        (criterion.to_string(), finding.name().to_owned())
    });
    let metrics = facts.known.measures.iter().map(|(metric, measure)| Reading {
        metric: metric.clone(),
        measure: *measure,
    });
    Some(Exit {
        stage: visit.stage as u32,
        visit: visit.visit,
        entered_at_us: visit.entered_at_us,
        left_at_us: at_us,
        soaked_us,
        sequence: after.state.sequence,
        counts: facts.visit,
        evidence: facts.known.evidence,
        criteria: criteria.collect(),
        metrics: metrics.collect(),
    })
}

fn end(state: &State, record: &RolloutRecord, cause: EndCause, facts: &Gathered, actor: &Actor) -> End {
    End {
        decided_at_us: actor.at_us,
        cause,
        actor: actor.name.clone(),
        reason: reason(state, record, cause, actor),
        evidence: facts.known.evidence,
        rule: (facts.known.concerns.rule)
            .filter(|_| cause == EndCause::Rule)
            .map(Broken::guard),
        counts: facts.totals,
        published_at_us: None,
        applied_at_us: None,
        persisted_at_us: None,
        last_treatment_exposure_us: None,
        time_to_zero_us: None,
        batches: facts.batches,
        readings: facts.readings,
        fresh: facts.known.fresh,
        awaited: facts.live.iter().take(AWAITED_LIMIT).map(ToString::to_string).collect(),
        recovery: facts
            .known
            .evidence
            .filter(|_| cause == EndCause::Evidence)
            .and_then(|evidence| recovery::begun(state, record, evidence, &facts.levels, actor.at_us)),
    }
}

/// Why, and what an end at 0 % leaves in place.
fn reason(state: &State, record: &RolloutRecord, cause: EndCause, actor: &Actor) -> String {
    let flag = Key::parse(&record.plan.flag)
        .ok()
        .and_then(|flag| state.flag(&record.environment, &flag).cloned());
    let left = match (cause, flag) {
        (EndCause::Completed | EndCause::Time, _) | (_, None) => Vec::new(),
        (
            EndCause::Evidence
            | EndCause::Person
            | EndCause::Rule
            | EndCause::Trigger
            | EndCause::Criterion
            | EndCause::Withdrawn
            | EndCause::Edit,
            Some(flag),
        ) => change::still_served(&flag, &record.plan.treatment),
    };
    match left.as_slice() {
        [] => actor.reason.clone(),
        left => format!("{} (treatment is still served by: {})", actor.reason, left.join(", ")),
    }
}

#[cfg(test)]
mod tests;
