//! Every change there is, as a transaction: what it writes, and what must still be true for it. One file for each kind of
//! record; here is what they share.
//!
//! Pure: records in, a transaction out. Each change carries its audit record, and guards all that its validation read.

pub(crate) mod alert;
pub(crate) mod baseline;
pub(crate) mod delivery;
pub(crate) mod environment;
pub(crate) mod flag;
pub(crate) mod plan;
pub(crate) mod rollout;
pub(crate) mod schedule;
pub(crate) mod segment;
pub(crate) mod webhook;

use crate::{
    record::EnvironmentRecord,
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
        let record = EnvironmentRecord {
            environment: Environment {
                key: key.clone(),
                kind,
                order,
                token_key: token_key(),
            },
            description: String::new(),
            revision: 0,
        };
        let at = keys::environment(&key);
        txn.guard(Guard::Absent(at.clone()))
            .put(at, model::write_environment(&record))
    })
}

/// Keeps a version of a document (kind: flag, segment or plan). Refused if somebody else wrote that version meanwhile.
pub(crate) fn put_version(txn: Txn, environment: &Key, kind: &str, key: &Key, record: &model::VersionRecord) -> Txn {
    let at = keys::history(kind, environment, key, record.version);
    txn.guard(Guard::Absent(at.clone()))
        .put(at, model::write_version(record))
}

/// Makes two changes meet that each read what the other writes: of those that were made of the same state, one is
/// refused and tried again. Once in a transaction.
pub(crate) fn guard_references(txn: Txn, state: &State, environment: &Key) -> Txn {
    let key = keys::references(environment);
    let guard = match state.references.get(environment) {
        Some(revision) => Guard::Unchanged(key.clone(), *revision),
        None => Guard::Absent(key.clone()),
    };
    txn.guard(guard).put(key, model::write_count(1))
}

/// Lets documents come to be in an environment that is still there, and makes its deletion meet them. Once in a
/// transaction.
pub(crate) fn populate(txn: Txn, state: &State, environment: &Key) -> Txn {
    // No key was last written at revision 0: without the environment it is refused.
    let revision = state.environments.get(environment).map_or(0, |found| found.revision);
    txn.guard(Guard::Unchanged(keys::environment(environment), revision))
        .put(keys::population(environment), model::write_count(1))
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
