//! Every change there is, as a transaction: what it writes, and what must still be true for it.
//!
//! Pure: records in, a transaction out. Each change carries its audit record, and guards all that its validation read.

use bytes::Bytes;
use evaluation::{Environment, EnvironmentKind, Key, Serve};
use uuid::Uuid;

use crate::{
    audit::{self, Subject},
    identity::Actor,
    record::{EndCause, FlagRecord, Latch, RolloutRecord, Soak},
    state::State,
    store::{Guard, Txn, keys, model},
};

/// The environments that an empty store begins with.
pub(crate) fn first_environments(mut token_key: impl FnMut() -> u128) -> Txn {
    let kinds = [
        ("development", EnvironmentKind::Development),
        ("staging", EnvironmentKind::Staging),
        ("production", EnvironmentKind::Production),
    ];
    (1u32..).zip(kinds).fold(Txn::default(), |txn, (order, (name, kind))| {
        let key = Key::parse(name).expect("the three names are keys");
        let environment = Environment {
            key: key.clone(),
            kind,
            order,
            token_key: token_key(),
        };
        let at = keys::environment(&key);
        txn.guard(Guard::Absent(at.clone()))
            .put(at, model::write_environment(&environment))
    })
}

/// Creates a flag.
pub(crate) fn create_flag(environment: &Key, record: &FlagRecord, actor: &Actor) -> Txn {
    let key = keys::flag(environment, &record.flag.key);
    let txn = put_flag(Txn::default().guard(Guard::Absent(key)), environment, record);
    let subject = Subject {
        environment,
        action: "flag.create",
        kind: "flag",
        key: &record.flag.key,
    };
    audit::record(txn, subject, actor, None, Some(audit::flag(&record.flag)))
}

/// Replaces a flag's document.
pub(crate) fn update_flag(
    state: &State,
    environment: &Key,
    before: &FlagRecord,
    after: &FlagRecord,
    action: &'static str,
    actor: &Actor,
) -> Txn {
    let flag = &after.flag.key;
    let txn = Txn::default()
        .guard(Guard::Unchanged(keys::flag(environment, flag), before.revision))
        .guard(hold_unchanged(state, environment, flag));
    let txn = put_flag(txn, environment, after);
    let subject = Subject {
        environment,
        action,
        kind: "flag",
        key: flag,
    };
    audit::record(
        txn,
        subject,
        actor,
        Some(audit::flag(&before.flag)),
        Some(audit::flag(&after.flag)),
    )
}

fn put_flag(txn: Txn, environment: &Key, record: &FlagRecord) -> Txn {
    let value = model::write_flag(record);
    txn.put(keys::flag(environment, &record.flag.key), value.clone()).put(
        keys::history("flag", environment, &record.flag.key, record.version),
        value,
    )
}

/// Whether a rollout holds the flag must not change under a decision that looked at it.
fn hold_unchanged(state: &State, environment: &Key, flag: &Key) -> Guard {
    let key = keys::active(environment, flag);
    match state.active(environment, flag) {
        Some(active) => Guard::Unchanged(key, active.revision),
        None => Guard::Absent(key),
    }
}

/// How many rollouts an environment has had, as the store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    /// So many.
    pub(crate) value: u32,
    /// When that was written; none: never.
    pub(crate) revision: Option<u64>,
}

/// Starts a rollout of a flag.
pub(crate) fn start_rollout(record: &RolloutRecord, flag: &FlagRecord, count: Count, actor: &Actor) -> Txn {
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
        .put(
            keys::plan(environment, &record.plan.key),
            model::write_plan(&record.plan),
        )
        .put(active, model::write_id(record.id));
    let txn = put_rollout(txn, record).put(keys::exposure(environment, record.id), wanted(record));
    audit_rollout(txn, "rollout.start", actor, None, record)
}

fn put_rollout(txn: Txn, record: &RolloutRecord) -> Txn {
    txn.put(
        keys::rollout(&record.environment, record.id),
        model::write_rollout(record),
    )
}

/// What a rollout wants exposed in its present state.
fn wanted(record: &RolloutRecord) -> Bytes {
    let buckets = if record.state.is_aborted() {
        0
    } else {
        record
            .plan
            .stages
            .get(record.state.stage)
            .map_or(0, |stage| stage.share.get())
    };
    model::write_exposure(record.state.stage as u32, buckets)
}

fn audit_rollout(
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
        before.map(audit::rollout),
        Some(audit::rollout(after)),
    )
}

/// A transition that changes no exposure: the clock, a hold, a resumption, a cut, an abort that is proved.
pub(crate) fn note(before: &RolloutRecord, after: &RolloutRecord) -> Txn {
    put_rollout(unchanged(before), after)
}

/// Into the next stage.
pub(crate) fn advance(before: &RolloutRecord, after: &RolloutRecord, actor: &Actor) -> Txn {
    let txn = put_rollout(unchanged(before), after)
        .put(keys::exposure(&after.environment, after.id), wanted(after))
        .delete(keys::soak(&after.environment, after.id));
    audit_rollout(txn, "rollout.advance", actor, Some(before), after)
}

/// Sets the abort latch: treatment to 0 %, for good.
pub(crate) fn abort(before: &RolloutRecord, after: &RolloutRecord, latch: &Latch, actor: &Actor) -> Txn {
    let environment = &after.environment;
    let key = keys::latch(environment, after.id);
    let txn = put_rollout(unchanged(before).guard(Guard::Absent(key.clone())), after)
        .put(key, model::write_latch(latch))
        .put(keys::exposure(environment, after.id), wanted(after));
    let txn = release(txn, after);
    audit_rollout(txn, "rollout.abort", actor, Some(before), after)
}

/// The last gate has opened: treatment becomes the flag's default in the same transaction.
pub(crate) fn complete(before: &RolloutRecord, after: &RolloutRecord, flag: &FlagRecord, actor: &Actor) -> Txn {
    let mut completed = flag.clone();
    completed.flag.default = Serve::Variant(after.plan.treatment.clone());
    completed.version += 1;
    completed.updated_at_us = actor.at_us;
    let key = keys::flag(&after.environment, &flag.flag.key);
    let txn = unchanged(before).guard(Guard::Unchanged(key, flag.revision));
    let txn = put_rollout(put_flag(txn, &after.environment, &completed), after)
        .put(keys::exposure(&after.environment, after.id), wanted(after));
    let txn = release(txn, after);
    audit_rollout(txn, "rollout.complete", actor, Some(before), after)
}

fn unchanged(record: &RolloutRecord) -> Txn {
    Txn::default().guard(Guard::Unchanged(
        keys::rollout(&record.environment, record.id),
        record.revision,
    ))
}

/// The rollout holds its flag no longer.
fn release(txn: Txn, record: &RolloutRecord) -> Txn {
    let txn = txn.delete(keys::soak(&record.environment, record.id));
    match Key::parse(&record.plan.flag) {
        Ok(flag) => txn.delete(keys::active(&record.environment, &flag)),
        Err(_) => txn,
    }
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

/// The lists and rules of a flag that serve a variant whatever a rollout does, in words.
pub(crate) fn still_served(flag: &FlagRecord, variant: &str) -> Vec<String> {
    let serves = |serve: &Serve| match serve {
        Serve::Variant(name) => name == variant,
        Serve::Split(shares) => shares
            .iter()
            .any(|share| share.variant == variant && share.buckets.get() > 0),
        Serve::CallerDefault => false,
    };
    let allow = flag.flag.allow.get(variant).filter(|units| !units.is_empty());
    let lists = allow.map(|units| format!("allow list ({} units)", units.len()));
    let rules = flag
        .flag
        .rules
        .iter()
        .filter(|rule| serves(&rule.serve))
        .map(|rule| format!("rule {}", rule.name));
    lists.into_iter().chain(rules).collect()
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
