//! Every change there is, as a transaction: what it writes, and what must still be true for it. Here those of flags and
//! environments; those of rollouts are beside.
//!
//! Pure: records in, a transaction out. Each change carries its audit record, and guards all that its validation read.

pub(crate) mod rollout;

use crate::{
    audit::{self, Subject},
    identity::Actor,
    record::FlagRecord,
    state::State,
    store::{Guard, Txn, keys, model},
};
use evaluation::{Environment, EnvironmentKind, Key};

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

#[cfg(test)]
mod tests;
