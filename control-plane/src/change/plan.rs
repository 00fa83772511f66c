//! Changes of plan documents, each as a part of a transaction: the document, its version and its audit record.
//!
//! Rollouts have a copy of the plan that they were started with, so none of these changes touches one. What the
//! validation of a plan read (flags, segments, that the environment is there) is guarded by the caller:
//! [`super::populate`], and the guard of references.

use evaluation::Key;

use super::{flag::Act, put_version};
use crate::{
    audit,
    record::PlanRecord,
    store::{
        Guard, Txn, keys,
        model::{self, Document, VersionRecord},
    },
};

/// Writes a plan under its key: a new one, or in the place of what there was.
pub(crate) fn put(txn: Txn, act: Act<'_>, key: &Key, before: Option<&PlanRecord>, after: &PlanRecord) -> Txn {
    let at = keys::plan(act.environment, key);
    let guard = match before {
        Some(before) => Guard::Unchanged(at.clone(), before.revision),
        None => Guard::Absent(at.clone()),
    };
    let txn = txn.guard(guard).put(at, model::write_plan(after));
    let version = version(act, after.version, Some(after));
    let txn = put_version(txn, act.environment, "plan", key, &version);
    audited(txn, act, key, before, Some(after))
}

/// Takes a plan away; its versions stay, and the deletion is one more.
pub(crate) fn delete(txn: Txn, act: Act<'_>, key: &Key, before: &PlanRecord) -> Txn {
    let at = keys::plan(act.environment, key);
    let txn = txn.guard(Guard::Unchanged(at.clone(), before.revision)).delete(at);
    let version = version(act, before.version + 1, None);
    let txn = put_version(txn, act.environment, "plan", key, &version);
    audited(txn, act, key, Some(before), None)
}

/// A version as an act makes it; none: a deletion.
fn version(act: Act<'_>, version: u32, record: Option<&PlanRecord>) -> VersionRecord {
    VersionRecord {
        version,
        at_us: act.actor.at_us,
        actor: act.actor.name.clone(),
        action: act.action.to_owned(),
        reason: act.actor.reason.clone(),
        document: record.cloned().map(Document::Plan),
    }
}

fn audited(txn: Txn, act: Act<'_>, key: &Key, before: Option<&PlanRecord>, after: Option<&PlanRecord>) -> Txn {
    let subject = audit::Subject {
        environment: act.environment,
        action: act.action,
        kind: "plan",
        key,
    };
    let (before, after) = (before.map(audit::plan), after.map(audit::plan));
    audit::record(txn, subject, act.actor, act.changeset, before, after)
}
