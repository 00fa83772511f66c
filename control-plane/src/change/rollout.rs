//! The changes of a rollout, each guarded by the revision of its record.
//!
//! A promotion is guarded by the evidence too that it was decided on: harm that became durable in between is looked at
//! first. Every transition is kept for ever under a key of its own, and its events are written with it.

use bytes::Bytes;
use evaluation::{Key, Serve};
use rollout::Phase;
use uuid::Uuid;

use crate::{
    audit::{self, Subject},
    change::flag::{self, Act},
    events,
    identity::Actor,
    record::{Active, EndCause, Exit, FlagRecord, Latch, RolloutRecord, Soak},
    store::{
        Guard, Item, Txn, keys,
        model::{self, ModelError},
    },
    stuck::Stuck,
};

/// How many rollouts an environment has had, as the store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    /// So many.
    pub(crate) value: u32,
    /// When that was written; none: never.
    pub(crate) revision: Option<u64>,
}

impl Count {
    /// As the store has it.
    pub(crate) fn read(item: Option<&Item>) -> Result<Self, ModelError> {
        let value = item.map_or(Ok(0), |item| model::read_count(&item.value))?;
        Ok(Self {
            value,
            revision: item.map(|item| item.modified),
        })
    }
}

/// Creates a rollout: its index is taken, and nothing is held.
pub(crate) fn create(record: &RolloutRecord, count: Count, actor: &Actor) -> Txn {
    let environment = &record.environment;
    let count_key = keys::rollout_count(environment);
    let count_guard = match count.revision {
        Some(revision) => Guard::Unchanged(count_key.clone(), revision),
        None => Guard::Absent(count_key.clone()),
    };
    let key = keys::rollout(environment, record.id);
    let txn = Txn::default()
        .guard(Guard::Absent(key))
        .guard(count_guard)
        .put(count_key, model::write_count(count.value + 1))
        .put(keys::index(environment, record.index), model::write_id(record.id));
    // One that is started as it is created has two transitions by now; the last is put below.
    let earlier = record.transitions.split_last().map_or(&[][..], |(_, earlier)| earlier);
    let txn = earlier.iter().fold(txn, |txn, made| {
        let key = keys::transition(environment, record.id, made.sequence);
        txn.put(key, model::write_transition(made))
    });
    let txn = put_captured(put_moved(txn, record), None, record);
    audited(txn, "rollout.create", actor, None, record)
}

/// Adds to a transaction that the rollout takes its flag: nobody else holds it, and it is as it was seen.
pub(crate) fn take(txn: Txn, record: &RolloutRecord, flag: &FlagRecord) -> Txn {
    let environment = &record.environment;
    let active = keys::active(environment, &flag.flag.key);
    txn.guard(Guard::Unchanged(keys::flag(environment, &flag.flag.key), flag.revision))
        .guard(Guard::Absent(active.clone()))
        .put(active, model::write_id(record.id))
}

/// Adds to a transaction that the rollout takes its flag from one that bakes, which is completed by the same: it yields.
pub(crate) fn take_over(txn: Txn, record: &RolloutRecord, flag: &FlagRecord, active: Active) -> Txn {
    let key = keys::active(&record.environment, &flag.flag.key);
    txn.guard(Guard::Unchanged(key.clone(), active.revision))
        .put(key, model::write_id(record.id))
}

/// Somebody has started it: it holds its flag from now on.
pub(crate) fn ask_start(before: &RolloutRecord, after: &RolloutRecord, flag: &FlagRecord, actor: &Actor) -> Txn {
    let txn = take(put_moved(unchanged(before), after), after, flag);
    audited(txn, "rollout.start", actor, Some(before), after)
}

/// A transition that changes no exposure: the clock, a hold, a resumption, a cut, an abort that is proved.
pub(crate) fn rest(before: &RolloutRecord, after: &RolloutRecord) -> Txn {
    put_moved(unchanged(before), after)
}

/// What has become known of a rollout's end.
pub(crate) fn note(before: &RolloutRecord, after: &RolloutRecord) -> Txn {
    put(unchanged(before), after)
}

/// What a person did that changes no exposure.
pub(crate) fn act(before: &RolloutRecord, after: &RolloutRecord, action: &'static str, actor: &Actor) -> Txn {
    let txn = put_captured(rest(before, after), Some(before), after);
    audited(txn, action, actor, Some(before), after)
}

/// Into another stage, on the evidence of a revision (0: there is none yet).
pub(crate) fn advance(
    before: &RolloutRecord,
    after: &RolloutRecord,
    exit: Option<&Exit>,
    evidence: u64,
    actor: &Actor,
) -> Txn {
    let txn = put_moved(unchanged(before).guard(evidence_unchanged(before, evidence)), after)
        .put(keys::exposure(&after.environment, after.id), wanted(after))
        .delete(keys::soak(&after.environment, after.id));
    audited(put_exit(txn, after, exit), action_of(after), actor, Some(before), after)
}

/// The last gate was passed: the exposure stays as it is.
pub(crate) fn bake(before: &RolloutRecord, after: &RolloutRecord, exit: &Exit, evidence: u64, actor: &Actor) -> Txn {
    let txn = put_moved(unchanged(before).guard(evidence_unchanged(before, evidence)), after)
        .delete(keys::soak(&after.environment, after.id));
    audited(
        put_exit(txn, after, Some(exit)),
        "rollout.bake",
        actor,
        Some(before),
        after,
    )
}

/// Treatment to 0 % without a latch: rolled back, superseded, expired.
pub(crate) fn withdraw(before: &RolloutRecord, after: &RolloutRecord, exit: Option<&Exit>, actor: &Actor) -> Txn {
    let txn = put_moved(unchanged(before), after);
    let txn = if before.state.visits.is_empty() {
        txn
    } else {
        txn.put(keys::exposure(&after.environment, after.id), wanted(after))
    };
    let holds = !matches!(before.state.phase, Phase::Draft | Phase::Ready);
    let txn = if holds { release(txn, after) } else { txn };
    audited(put_exit(txn, after, exit), action_of(after), actor, Some(before), after)
}

/// Treatment to 0 %, for good. Sets the abort latch, unless it was found set (none).
pub(crate) fn abort(
    before: &RolloutRecord,
    after: &RolloutRecord,
    exit: Option<&Exit>,
    latch: Option<&Latch>,
    actor: &Actor,
) -> Txn {
    let environment = &after.environment;
    let txn = put_moved(unchanged(before), after).put(keys::exposure(environment, after.id), wanted(after));
    let txn = put_exit(txn, after, exit);
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

/// Treatment becomes the flag's default in the same transaction.
pub(crate) fn complete(
    before: &RolloutRecord,
    after: &RolloutRecord,
    exit: Option<&Exit>,
    flag: &FlagRecord,
    evidence: u64,
    actor: &Actor,
) -> Txn {
    let txn = unchanged(before).guard(evidence_unchanged(before, evidence));
    let txn = put_completed(txn, after, exit, flag, actor);
    audited(release(txn, after), "rollout.complete", actor, Some(before), after)
}

/// Adds to another rollout's start that a baking one yields to it: it is completed, and its flag goes over.
pub(crate) fn yields(
    txn: Txn,
    before: &RolloutRecord,
    after: &RolloutRecord,
    flag: &FlagRecord,
    evidence: u64,
    actor: &Actor,
) -> Txn {
    let key = keys::rollout(&before.environment, before.id);
    let txn = txn
        .guard(Guard::Unchanged(key, before.revision))
        .guard(evidence_unchanged(before, evidence));
    let txn = put_completed(txn, after, None, flag, actor).delete(keys::soak(&after.environment, after.id));
    audited(txn, "rollout.complete", actor, Some(before), after)
}

fn put_completed(txn: Txn, after: &RolloutRecord, exit: Option<&Exit>, flag: &FlagRecord, actor: &Actor) -> Txn {
    let mut completed = flag.clone();
    completed.flag.default = Serve::Variant(after.plan.treatment.clone());
    completed.version += 1;
    completed.updated_at_us = actor.at_us;
    let act = Act::alone(&after.environment, "rollout.complete", actor);
    let key = keys::flag(&after.environment, &flag.flag.key);
    let txn = txn.guard(Guard::Unchanged(key, flag.revision));
    let txn = put_moved(flag::put(txn, act, &completed), after)
        .put(keys::exposure(&after.environment, after.id), wanted(after));
    put_exit(txn, after, exit)
}

/// What the present visit has soaked.
pub(crate) fn soak(record: &RolloutRecord, soak: Soak) -> Txn {
    unchanged(record).put(keys::soak(&record.environment, record.id), model::write_soak(soak))
}

/// It is told that the present visit is stuck: once.
pub(crate) fn tell_stuck(record: &RolloutRecord, stuck: Stuck, now_us: i64) -> Txn {
    let (environment, id) = (&record.environment, record.id);
    let told = keys::stuck(environment, id, stuck.visit);
    let event = events::stuck(record, stuck, now_us);
    unchanged(record)
        .guard(Guard::Absent(told.clone()))
        .put(told, model::write_count(1))
        .put(
            keys::stuck_told(environment, id, record.state.sequence),
            model::write_events(&[event]),
        )
}

/// Nothing of an ended rollout is measured any longer, and no level of it is known.
pub(crate) fn close_measurement(environment: &Key, id: Uuid, revision: u64) -> Txn {
    let key = keys::exposure(environment, id);
    Txn::default()
        .guard(Guard::Unchanged(key.clone(), revision))
        .delete(key)
        .delete(keys::levels(environment, id))
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

/// A transaction that holds while a rollout is as it was seen.
pub(super) fn unchanged(record: &RolloutRecord) -> Txn {
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

/// The unit buckets that the plan took over from its baseline, where they are not those of before. After the rollout
/// itself: whoever reads the transaction joins them to it.
fn put_captured(txn: Txn, before: Option<&RolloutRecord>, after: &RolloutRecord) -> Txn {
    let captured = &after.plan.baseline.captured;
    let known = before.map(|before| &before.plan.baseline.captured);
    let key = keys::captured(&after.environment, after.id);
    match known {
        Some(known) if known == captured => txn,
        None if captured.is_empty() => txn,
        Some(_) if captured.is_empty() => txn.delete(key),
        Some(_) | None => txn.put(key, model::write_captured(captured)),
    }
}

/// The rollout after a transition, the transition by itself, and its events if it has any.
fn put_moved(txn: Txn, record: &RolloutRecord) -> Txn {
    let txn = put(txn, record);
    let Some(made) = record.transitions.last() else {
        return txn;
    };
    let key = keys::transition(&record.environment, record.id, made.sequence);
    let txn = txn.put(key, model::write_transition(made));
    let events = events::of(record);
    if events.is_empty() {
        return txn;
    }
    let key = keys::moved(&record.environment, record.id, made.sequence);
    txn.put(key, model::write_events(&events))
}

/// What a rollout wants exposed in its present state.
fn wanted(record: &RolloutRecord) -> Bytes {
    let buckets = if record.state.is_withdrawn() {
        0
    } else {
        record.plan.wanted(record.state.stage).get()
    };
    model::write_exposure(record.state.stage as u32, buckets)
}

fn put_exit(txn: Txn, record: &RolloutRecord, exit: Option<&Exit>) -> Txn {
    match exit {
        Some(exit) => {
            let key = keys::exit(&record.environment, record.id, exit.sequence);
            txn.put(key, model::write_exit(exit))
        }
        None => txn,
    }
}

/// How the audit calls what happened last.
fn action_of(record: &RolloutRecord) -> &'static str {
    match record.transitions.last().map(|made| made.kind.as_str()) {
        Some("started") => "rollout.enter",
        Some("stepped-back") => "rollout.step-back",
        Some("rolled-back") => "rollout.roll-back",
        Some("superseded") => "rollout.supersede",
        Some("expired") => "rollout.expire",
        Some("archived") => "rollout.archive",
        _ => "rollout.advance",
    }
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
    pub(crate) fn of_abort(cause: &rollout::AbortCause) -> Self {
        match cause {
            rollout::AbortCause::Evidence { .. } => Self::Evidence,
            rollout::AbortCause::Rule { .. } | rollout::AbortCause::SpillOver { .. } => Self::Rule,
            rollout::AbortCause::Person => Self::Person,
            rollout::AbortCause::Trigger(_) => Self::Trigger,
        }
    }
}

#[cfg(test)]
mod tests;
