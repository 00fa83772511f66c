//! The changes of a schedule, as transactions: it is created, it ends, and long after that it is forgotten.
//!
//! The end of a schedule goes into the transaction of the change that it makes, guarded by the schedule as it was: that is
//! why a change is made once, whatever process makes it and however often it is tried.

use serde_json::{Value as Json, json};

use super::populate;
use crate::{
    audit::{self, Subject},
    identity::Actor,
    schedule::{Progress, ScheduleRecord},
    state::State,
    store::{Guard, Txn, keys, model},
};

/// Schedules a change, in an environment that is still there.
pub(crate) fn create(state: &State, record: &ScheduleRecord, actor: &Actor) -> Txn {
    let key = keys::schedule(&record.environment, record.id);
    let txn = populate(Txn::default(), state, &record.environment)
        .guard(Guard::Absent(key.clone()))
        .put(key, model::write_schedule(record));
    audited(txn, "schedule.create", None, record, actor)
}

/// Ends a schedule, together with whatever else the transaction does.
pub(crate) fn end(txn: Txn, before: &ScheduleRecord, after: &ScheduleRecord, actor: &Actor) -> Txn {
    let key = keys::schedule(&before.environment, before.id);
    let txn = txn
        .guard(Guard::Unchanged(key.clone(), before.revision))
        .put(key, model::write_schedule(after));
    let action = match &after.progress {
        // A schedule that has not ended is not written.
        Progress::Pending => "schedule.create",
        Progress::Ended { end, .. } => end.action(),
    };
    audited(txn, action, Some(before), after, actor)
}

/// Forgets a schedule that ended long ago; its audit records stay.
pub(crate) fn forget(txn: Txn, record: &ScheduleRecord) -> Txn {
    txn.delete(keys::schedule(&record.environment, record.id))
}

fn audited(
    txn: Txn,
    action: &'static str,
    before: Option<&ScheduleRecord>,
    after: &ScheduleRecord,
    actor: &Actor,
) -> Txn {
    let subject = Subject {
        environment: &after.environment,
        action,
        kind: "schedule",
        key: &after.flag,
    };
    audit::record(txn, subject, actor, None, before.map(account), Some(account(after)))
}

/// A schedule as its audit tells it.
fn account(record: &ScheduleRecord) -> Json {
    let outcome = match &record.progress {
        Progress::Pending => "pending",
        Progress::Ended { outcome, .. } => outcome,
    };
    json!({
        "id": record.id.to_string(),
        "at_us": record.at_us,
        "change": record.change.describe(),
        "outcome": outcome,
    })
}
