//! From a transition to the transaction that carries it out, and the record that tells of it.

use evaluation::Key;
use rollout::{AbortCause, State as Progress, Transition};

use super::facts::Gathered;
use crate::{
    change::rollout as change,
    identity::Actor,
    record::{End, EndCause, Latch, RolloutRecord, TransitionRecord},
    state::State,
    store::Txn,
};

/// Agents that an end names at most.
const AWAITED_LIMIT: usize = 1_000;

/// A transition, ready to be committed.
#[derive(Debug)]
pub(super) struct Made {
    /// What is written.
    pub(super) txn: Txn,
    /// What happened, in words.
    pub(super) detail: String,
}

/// What a transition of the engine writes; none if what it needs is gone (a flag that was deleted).
pub(super) fn transit(
    state: &State,
    record: &RolloutRecord,
    progress: &Progress,
    transition: Transition,
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
        _ => Actor::engine(detail(record, transition), now_us),
    };
    by(state, record, progress, transition, facts, &actor)
}

/// What a transition writes, whoever makes it.
pub(super) fn by(
    state: &State,
    record: &RolloutRecord,
    progress: &Progress,
    transition: Transition,
    facts: &Gathered,
    actor: &Actor,
) -> Option<Made> {
    let detail = match transition {
        Transition::Aborted(_) => actor.reason.clone(),
        Transition::AbortDelivered if facts.known.delivery.live == 0 => {
            "no agent is live; each gets the abort when it comes back".to_owned()
        }
        _ => detail(record, transition),
    };
    let mut after = record.clone();
    after.state = progress.clone();
    after.push(TransitionRecord {
        sequence: progress.sequence,
        at_us: actor.at_us,
        kind: transition.name().to_owned(),
        stage: progress.stage as u32,
        detail: detail.clone(),
        actor: actor.name.clone(),
    });
    let txn = txn(state, record, after, transition, facts, actor)?;
    Some(Made { txn, detail })
}

fn txn(
    state: &State,
    before: &RolloutRecord,
    mut after: RolloutRecord,
    transition: Transition,
    facts: &Gathered,
    actor: &Actor,
) -> Option<Txn> {
    Some(match transition {
        Transition::ClockStarted
        | Transition::Held(_)
        | Transition::Resumed
        | Transition::HorizonCut
        | Transition::AbortDelivered => change::rest(before, &after),
        Transition::Advanced { .. } => change::advance(before, &after, facts.evidence_revision, actor),
        Transition::Aborted(cause) => {
            after.end = Some(end(state, before, EndCause::of_abort(cause), facts, actor));
            let latch = Latch {
                at_us: actor.at_us,
                actor: actor.name.clone(),
                reason: actor.reason.clone(),
            };
            let is_set = state.latches.contains_key(&before.id);
            change::abort(before, &after, (!is_set).then_some(&latch), actor)
        }
        Transition::Completed => {
            let flag = Key::parse(&before.plan.flag).ok()?;
            let flag = state.flag(&before.environment, &flag)?;
            after.end = Some(end(state, before, EndCause::Completed, facts, actor));
            change::complete(before, &after, flag, facts.evidence_revision, actor)
        }
    })
}

fn end(state: &State, record: &RolloutRecord, cause: EndCause, facts: &Gathered, actor: &Actor) -> End {
    End {
        decided_at_us: actor.at_us,
        cause,
        actor: actor.name.clone(),
        reason: reason(state, record, cause, actor),
        evidence: facts.known.evidence,
        counts: facts.totals,
        published_at_us: None,
        applied_at_us: None,
        persisted_at_us: None,
        last_treatment_exposure_us: None,
        time_to_zero_us: None,
        batches: facts.batches,
        fresh: facts.known.fresh,
        awaited: facts.live.iter().take(AWAITED_LIMIT).cloned().collect(),
    }
}

/// Why, and what an abort leaves in place.
fn reason(state: &State, record: &RolloutRecord, cause: EndCause, actor: &Actor) -> String {
    let flag = Key::parse(&record.plan.flag)
        .ok()
        .and_then(|flag| state.flag(&record.environment, &flag).cloned());
    let left = match (cause, flag) {
        (EndCause::Evidence | EndCause::Person, Some(flag)) => change::still_served(&flag, &record.plan.treatment),
        (EndCause::Completed, _) | (_, None) => Vec::new(),
    };
    match left.as_slice() {
        [] => actor.reason.clone(),
        left => format!("{} (treatment is still served by: {})", actor.reason, left.join(", ")),
    }
}

fn detail(record: &RolloutRecord, transition: Transition) -> String {
    let stage = |position: usize| {
        record.plan.stages.get(position).map_or_else(String::new, |stage| {
            format!("{} at {} %", stage.name, f64::from(stage.share.get()) / 1_000.0)
        })
    };
    match transition {
        Transition::ClockStarted => "99 % of the live agents have applied the stage".to_owned(),
        Transition::Advanced { to, .. } => format!("gate no-harm is open; entering {}", stage(to)),
        Transition::Held(reason) => reason.name().to_owned(),
        Transition::Resumed => "what held it is gone".to_owned(),
        Transition::HorizonCut => "units count anew".to_owned(),
        Transition::Aborted(AbortCause::Evidence {
            guard,
            horizon,
            log_evidence,
        }) => {
            let metric = record
                .plan
                .guards
                .get(guard)
                .map_or("harm", |guard| guard.metric.name());
            format!(
                "{metric} of treatment is worse than control: evidence {:.0} (abort at {:.0}), horizon {horizon}",
                shown(log_evidence),
                1.0 / record.plan.alpha
            )
        }
        Transition::Aborted(AbortCause::Person) => "aborted by hand".to_owned(),
        Transition::AbortDelivered => "every live agent has the abort on disk".to_owned(),
        Transition::Completed => format!("{} is the flag's default", record.plan.treatment),
    }
}

/// An evidence number in words; what decides stays a logarithm.
fn shown(log: f64) -> f64 {
    log.min(700.0).exp()
}

#[cfg(test)]
mod tests;
