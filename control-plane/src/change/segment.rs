//! Changes of segments, each as a part of a transaction: the document, its version, its audit record, and what must
//! still be true for it.
//!
//! A caller that writes several documents at once adds what concerns the environment once: [`super::populate`], and the
//! guard of references.

use super::{flag::Act, put_version};
use crate::{
    audit,
    record::SegmentRecord,
    segments::Staged,
    store::{
        Guard, Txn, keys,
        model::{self, Document, VersionRecord},
    },
};

/// Writes a segment: a new one, or in place of what there was.
pub(crate) fn put(
    txn: Txn,
    act: Act<'_>,
    before: Option<&SegmentRecord>,
    after: &SegmentRecord,
    staged: Staged,
) -> Txn {
    let key = keys::segment(act.environment, &after.segment.key);
    let guard = match before {
        Some(before) => Guard::Unchanged(key.clone(), before.revision),
        None => Guard::Absent(key.clone()),
    };
    let txn = staged.settle(txn.guard(guard)).put(key, model::write_segment(after));
    let document = Some(Document::Segment(after.clone()));
    kept(txn, act, (before, after), after.version, document)
}

/// Takes a segment away; its history stays.
pub(crate) fn delete(txn: Txn, act: Act<'_>, before: &SegmentRecord) -> Txn {
    let key = keys::segment(act.environment, &before.segment.key);
    let txn = txn.guard(Guard::Unchanged(key.clone(), before.revision)).delete(key);
    kept(txn, act, (Some(before), before), before.version + 1, None)
}

/// Adds the version and the audit record of a segment that was and is so.
fn kept(
    txn: Txn,
    act: Act<'_>,
    (before, after): (Option<&SegmentRecord>, &SegmentRecord),
    version: u32,
    document: Option<Document>,
) -> Txn {
    let key = &after.segment.key;
    let subject = audit::Subject {
        environment: act.environment,
        action: act.action,
        kind: "segment",
        key,
    };
    let after = document.is_some().then(|| audit::segment(after));
    let record = VersionRecord {
        version,
        at_us: act.actor.at_us,
        actor: act.actor.name.clone(),
        action: act.action.to_owned(),
        reason: act.actor.reason.clone(),
        document,
    };
    let txn = put_version(txn, act.environment, "segment", key, &record);
    audit::record(
        txn,
        subject,
        act.actor,
        act.changeset,
        before.map(audit::segment),
        after,
    )
}
