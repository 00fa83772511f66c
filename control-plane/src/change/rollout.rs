//! The changes of a rollout, each guarded by the revision of its record.
//!
//! A promotion is guarded by the evidence too that it was decided on: harm that became durable in between is looked at
//! first. Every transition is kept for ever under a key of its own.

use bytes::Bytes;
use evaluation::{Key, Serve};
use uuid::Uuid;

use crate::{
    audit::{self, Subject},
    change::flag::{self, Act},
    identity::Actor,
    record::{EndCause, FlagRecord, Latch, RolloutRecord, Soak},
    store::{Guard, Txn, keys, model},
};

/// How many rollouts an environment has had, as the store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    /// So many.
    pub(crate) value: u32,
    /// When that was written; none: never.
    pub(crate) revision: Option<u64>,
}

/// Starts a rollout of a flag.
pub(crate) fn start(record: &RolloutRecord, flag: &FlagRecord, count: Count, actor: &Actor) -> Txn {
    let environment = &record.environment;
    let count_key = keys::rollout_count(environment);
    let count_guard = match count.revision {
        Some(revision) => Guard::Unchanged(count_key.clone(), revision),
        None => Guard::Absent(count_key.clone()),
    };
    let active = keys::active(environment, &flag.flag.key);
    let txn = Txn::default()
        .guard(Guard::Unchanged(keys::flag(environment, &flag.flag.key), flag.revision))
        .guard(Guard::Absent(active.clone()))
        .guard(count_guard)
        .put(count_key, model::write_count(count.value + 1))
        .put(keys::index(environment, record.index), model::write_id(record.id))
        .put(active, model::write_id(record.id));
    let txn = put_moved(txn, record).put(keys::exposure(environment, record.id), wanted(record));
    audited(txn, "rollout.start", actor, None, record)
}

/// A transition that changes no exposure: the clock, a hold, a resumption, a cut, an abort that is proved.
pub(crate) fn rest(before: &RolloutRecord, after: &RolloutRecord) -> Txn {
    put_moved(unchanged(before), after)
}

/// What has become known of a rollout's end.
pub(crate) fn note(before: &RolloutRecord, after: &RolloutRecord) -> Txn {
    put(unchanged(before), after)
}

/// Into the next stage, on the evidence of a revision (0: there is none yet).
pub(crate) fn advance(before: &RolloutRecord, after: &RolloutRecord, evidence: u64, actor: &Actor) -> Txn {
    let txn = put_moved(unchanged(before).guard(evidence_unchanged(before, evidence)), after)
        .put(keys::exposure(&after.environment, after.id), wanted(after))
        .delete(keys::soak(&after.environment, after.id));
    audited(txn, "rollout.advance", actor, Some(before), after)
}

/// Treatment to 0 %, for good. Sets the abort latch, unless it was found set (none).
pub(crate) fn abort(before: &RolloutRecord, after: &RolloutRecord, latch: Option<&Latch>, actor: &Actor) -> Txn {
    let environment = &after.environment;
    let txn = put_moved(unchanged(before), after).put(keys::exposure(environment, after.id), wanted(after));
    let txn = match latch {
        Some(latch) => {
            let key = keys::latch(environment, after.id);
            txn.guard(Guard::Absent(key.clone()))
                .put(key, model::write_latch(latch))
        }
        None => txn,
    };
    audited(release(txn, after), "rollout.abort", actor, Some(before), after)
}

/// The last gate has opened: treatment becomes the flag's default in the same transaction.
pub(crate) fn complete(
    before: &RolloutRecord,
    after: &RolloutRecord,
    flag: &FlagRecord,
    evidence: u64,
    actor: &Actor,
) -> Txn {
    let mut completed = flag.clone();
    completed.flag.default = Serve::Variant(after.plan.treatment.clone());
    completed.version += 1;
    completed.updated_at_us = actor.at_us;
    let act = Act::alone(&after.environment, "rollout.complete", actor);
    let key = keys::flag(&after.environment, &flag.flag.key);
    let txn = unchanged(before)
        .guard(Guard::Unchanged(key, flag.revision))
        .guard(evidence_unchanged(before, evidence));
    let txn = put_moved(flag::put(txn, act, &completed), after)
        .put(keys::exposure(&after.environment, after.id), wanted(after));
    audited(release(txn, after), "rollout.complete", actor, Some(before), after)
}

/// What the present visit has soaked.
pub(crate) fn soak(record: &RolloutRecord, soak: Soak) -> Txn {
    unchanged(record).put(keys::soak(&record.environment, record.id), model::write_soak(soak))
}

/// Nothing of an ended rollout is measured any longer.
pub(crate) fn close_measurement(environment: &Key, id: Uuid, revision: u64) -> Txn {
    let key = keys::exposure(environment, id);
    Txn::default()
        .guard(Guard::Unchanged(key.clone(), revision))
        .delete(key)
}

/// The lists, the rules and the default of a flag that serve a variant whatever a rollout does, in words.
pub(crate) fn still_served(flag: &FlagRecord, variant: &str) -> Vec<String> {
    let flag = &flag.flag;
    let serves = |serve: &Serve| match serve {
        Serve::Variant(name) => name == variant,
        Serve::Split(split) => split
            .shares
            .iter()
            .any(|share| share.variant == variant && share.buckets.get() > 0),
        Serve::CallerDefault => false,
    };
    let units = flag.allow.get(variant).filter(|units| !units.is_empty());
    let list = units.map(|units| format!("allow list ({} units)", units.len()));
    let rules = flag
        .rules
        .iter()
        .filter(|rule| serves(&rule.serve))
        .map(|rule| format!("rule {}", rule.name));
    let default = serves(&flag.default).then(|| "the default".to_owned());
    list.into_iter().chain(rules).chain(default).collect()
}

fn unchanged(record: &RolloutRecord) -> Txn {
    let key = keys::rollout(&record.environment, record.id);
    Txn::default().guard(Guard::Unchanged(key, record.revision))
}

fn evidence_unchanged(record: &RolloutRecord, revision: u64) -> Guard {
    let key = keys::evidence(&record.environment, record.id);
    match revision {
        0 => Guard::Absent(key),
        revision => Guard::Unchanged(key, revision),
    }
}

fn put(txn: Txn, record: &RolloutRecord) -> Txn {
    txn.put(
        keys::rollout(&record.environment, record.id),
        model::write_rollout(record),
    )
}

/// The rollout after a transition, and the transition by itself.
fn put_moved(txn: Txn, record: &RolloutRecord) -> Txn {
    let txn = put(txn, record);
    match record.transitions.last() {
        Some(made) => {
            let key = keys::transition(&record.environment, record.id, made.sequence);
            txn.put(key, model::write_transition(made))
        }
        None => txn,
    }
}

/// What a rollout wants exposed in its present state.
fn wanted(record: &RolloutRecord) -> Bytes {
    let stage = record.plan.stages.get(record.state.stage);
    let buckets = stage
        .filter(|_| !record.state.is_aborted())
        .map_or(0, |stage| stage.share.get());
    model::write_exposure(record.state.stage as u32, buckets)
}

/// The rollout holds its flag no longer.
fn release(txn: Txn, record: &RolloutRecord) -> Txn {
    let txn = txn.delete(keys::soak(&record.environment, record.id));
    match Key::parse(&record.plan.flag) {
        Ok(flag) => txn.delete(keys::active(&record.environment, &flag)),
        Err(_) => txn,
    }
}

fn audited(
    txn: Txn,
    action: &'static str,
    actor: &Actor,
    before: Option<&RolloutRecord>,
    after: &RolloutRecord,
) -> Txn {
    let name = after.name();
    let subject = Subject {
        environment: &after.environment,
        action,
        kind: "rollout",
        key: &name,
    };
    audit::record(
        txn,
        subject,
        actor,
        None,
        before.map(audit::rollout),
        Some(audit::rollout(after)),
    )
}

impl EndCause {
    /// The cause of an abort.
    pub(crate) fn of_abort(cause: rollout::AbortCause) -> Self {
        match cause {
            rollout::AbortCause::Evidence { .. } => Self::Evidence,
            rollout::AbortCause::Person => Self::Person,
        }
    }
}

#[cfg(test)]
mod tests;
