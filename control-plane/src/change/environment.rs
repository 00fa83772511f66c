//! Changes of environments.
//!
//! Their places in the order of promotion are unique, so every write that gives one away meets every other: the
//! arrangement, one key of the whole store, is guarded and written with it.

use evaluation::Key;

use crate::{
    audit,
    identity::Actor,
    record::EnvironmentRecord,
    state::State,
    store::{Guard, Txn, keys, model},
};

/// Creates an environment.
pub(crate) fn create(state: &State, record: &EnvironmentRecord, actor: &Actor) -> Txn {
    let key = keys::environment(&record.environment.key);
    let txn = Txn::default()
        .guard(Guard::Absent(key.clone()))
        .put(key, model::write_environment(record));
    let after = Some(audit::environment(record));
    let subject = subject(&record.environment.key, "environment.create");
    audit::record(arrange(txn, state), subject, actor, None, None, after)
}

/// Changes an environment.
pub(crate) fn update(state: &State, before: &EnvironmentRecord, after: &EnvironmentRecord, actor: &Actor) -> Txn {
    let key = keys::environment(&before.environment.key);
    let txn = Txn::default()
        .guard(Guard::Unchanged(key.clone(), before.revision))
        .put(key, model::write_environment(after));
    let txn = if before.environment.order == after.environment.order {
        txn
    } else {
        arrange(txn, state)
    };
    let accounts = (Some(audit::environment(before)), Some(audit::environment(after)));
    let subject = subject(&before.environment.key, "environment.update");
    audit::record(txn, subject, actor, None, accounts.0, accounts.1)
}

/// Deletes an environment, if no document has come to be in it since.
pub(crate) fn delete(state: &State, before: &EnvironmentRecord, actor: &Actor) -> Txn {
    let environment = &before.environment.key;
    let key = keys::environment(environment);
    let population = keys::population(environment);
    let populated = match state.populations.get(environment) {
        Some(revision) => Guard::Unchanged(population, *revision),
        None => Guard::Absent(population),
    };
    let txn = Txn::default()
        .guard(Guard::Unchanged(key.clone(), before.revision))
        .guard(populated)
        .delete(key);
    let account = Some(audit::environment(before));
    let subject = subject(environment, "environment.delete");
    audit::record(arrange(txn, state), subject, actor, None, account, None)
}

fn subject<'a>(environment: &'a Key, action: &'static str) -> audit::Subject<'a> {
    audit::Subject {
        environment,
        action,
        kind: "environment",
        key: environment,
    }
}

fn arrange(txn: Txn, state: &State) -> Txn {
    let key = keys::arrangement();
    let guard = match state.arrangement {
        Some(revision) => Guard::Unchanged(key.clone(), revision),
        None => Guard::Absent(key.clone()),
    };
    txn.guard(guard).put(key, model::write_count(1))
}
