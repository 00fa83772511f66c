//! Changes of baselines: one comes to be, or goes. There is no other, so a baseline has no versions.

use super::{flag::Act, guard_references, populate};
use crate::{
    audit,
    baseline::BaselineRecord,
    state::State,
    store::{Guard, Txn, keys, model},
};

/// Stores a new baseline.
pub(crate) fn create(state: &State, act: Act<'_>, record: &BaselineRecord) -> Txn {
    let at = keys::baseline(act.environment, &record.key);
    let txn = Txn::default()
        .guard(Guard::Absent(at.clone()))
        .put(at, model::write_baseline(record));
    let txn = populate(txn, state, act.environment);
    audited(guard_references(txn, state, act.environment), act, None, Some(record))
}

/// Takes a baseline away; rollouts keep what they took over.
pub(crate) fn delete(state: &State, act: Act<'_>, record: &BaselineRecord) -> Txn {
    let at = keys::baseline(act.environment, &record.key);
    let txn = Txn::default()
        .guard(Guard::Unchanged(at.clone(), record.revision))
        .delete(at);
    audited(guard_references(txn, state, act.environment), act, Some(record), None)
}

fn audited(txn: Txn, act: Act<'_>, before: Option<&BaselineRecord>, after: Option<&BaselineRecord>) -> Txn {
    let key = before.or(after).map_or("", |record| record.key.as_str());
    let subject = audit::Subject {
        environment: act.environment,
        action: act.action,
        kind: "baseline",
        key,
    };
    let (before, after) = (before.map(audit::baseline), after.map(audit::baseline));
    audit::record(txn, subject, act.actor, act.changeset, before, after)
}
