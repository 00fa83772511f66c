//! Audit records: what an act changed, as JSON before and after, beside who, when and why.
//!
//! A record is written in the transaction of the act itself: there is no act without it, and none twice.

use evaluation::{EnvironmentKind, Flag};
use proto::v1;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::{
    baseline::BaselineRecord,
    document,
    identity::Actor,
    plan_wire,
    record::{EnvironmentRecord, PlanRecord, RolloutRecord, SegmentRecord},
    store::{
        Op, Txn, keys,
        model::{Act, AuditRecord},
    },
};

/// The longest account of a subject, in bytes.
const LONGEST: usize = 64 * 1024;

/// What is changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// Its environment.
    pub(crate) environment: &'a evaluation::Key,
    /// What was done, such as flag.create.
    pub(crate) action: &'static str,
    /// Its kind.
    pub(crate) kind: &'static str,
    /// Its key.
    pub(crate) key: &'a str,
}

/// Adds the record of an act to its transaction: of before and after only what differs. A changeset joins it to others.
pub(crate) fn record(
    txn: Txn,
    subject: Subject<'_>,
    actor: &Actor,
    changeset: Option<Uuid>,
    before: Option<Json>,
    after: Option<Json>,
) -> Txn {
    let (before, after) = differing(before, after);
    let record = AuditRecord {
        at_us: actor.at_us,
        actor: actor.name.clone(),
        action: subject.action.to_owned(),
        kind: subject.kind.to_owned(),
        key: subject.key.to_owned(),
        reason: actor.reason.clone(),
        before: text(before),
        after: text(after),
        peer: actor.peer.clone(),
        changeset,
    };
    txn.put(keys::audit(subject.environment, Uuid::now_v7()), Act::write(&record))
}

/// Puts the records of a transaction under one key, in the order in which they were made.
///
/// A transaction has 128 operations, and many documents may be written in one.
pub(crate) fn joined(mut txn: Txn, environment: &evaluation::Key) -> Txn {
    let prefix = keys::audits(environment);
    let is_record = |op: &Op| matches!(op, Op::Put(key, _) if key.starts_with(&prefix));
    let records = txn.ops.extract_if(.., |op| is_record(op)).collect::<Vec<_>>();
    let mut records = records.into_iter().filter_map(|op| match op {
        Op::Put(key, value) => Some((key, value)),
        Op::Delete(_) => None,
    });
    match records.next() {
        Some((key, first)) => txn.put(key, Act::join(&first, records.map(|(_, value)| value))),
        None => txn,
    }
}

/// Fields that are the same before and after are left out of both.
fn differing(before: Option<Json>, after: Option<Json>) -> (Option<Json>, Option<Json>) {
    match (before, after) {
        (Some(Json::Object(mut before)), Some(Json::Object(mut after))) => {
            before.retain(|field, value| match after.get(field) {
                Some(now) if now == value => {
                    after.remove(field);
                    false
                }
                Some(_) | None => true,
            });
            complete(&before, &mut after);
            complete(&after, &mut before);
            (Some(Json::Object(before)), Some(Json::Object(after)))
        }
        whole => whole,
    }
}

/// A switch that only one side has is off on the other.
fn complete(one: &Map<String, Json>, other: &mut Map<String, Json>) {
    for (field, value) in one {
        if value.is_boolean() && !other.contains_key(field) {
            other.insert(field.clone(), false.into());
        }
    }
}

/// As text; what is too long is in the history, whole.
fn text(json: Option<Json>) -> String {
    let text = json.map(|json| json.to_string()).unwrap_or_default();
    if text.len() > LONGEST {
        json!({ "omitted_bytes": text.len(), "see": "history" }).to_string()
    } else {
        text
    }
}

/// A flag as JSON.
pub(crate) fn flag(flag: &Flag) -> Json {
    document::json("tidegate.v1.Flag", &v1::Flag::from(flag))
}

/// A segment as JSON; of its members how many there are.
pub(crate) fn segment(record: &SegmentRecord) -> Json {
    let mut json = document::json("tidegate.v1.Segment", &v1::Segment::from(&record.segment));
    if let Json::Object(fields) = &mut json {
        for (field, members) in [("included", &record.included), ("excluded", &record.excluded)] {
            fields.insert(field.to_owned(), json!({ "units": members.count() }));
        }
    }
    json
}

/// A plan as JSON, every default written out.
pub(crate) fn plan(record: &PlanRecord) -> Json {
    document::json("tidegate.v1.Plan", &plan_wire::write(&record.plan))
}

/// A baseline as JSON.
pub(crate) fn baseline(record: &BaselineRecord) -> Json {
    let values = record.values.iter();
    let values = values.map(|(metric, value)| (metric.clone(), value.number.to_string().into()));
    let mut json = json!({ "key": record.key.as_str(), "values": values.collect::<Map<_, _>>() });
    if let Some(origin) = &record.origin {
        json["origin"] = json!({ "rollout": origin.name, "stage": origin.stage, "visit": origin.visit });
    }
    json
}

/// An environment as JSON, without its secret.
pub(crate) fn environment(record: &EnvironmentRecord) -> Json {
    json!({
        "key": record.environment.key.as_str(),
        "kind": match record.environment.kind {
            EnvironmentKind::Development => "development",
            EnvironmentKind::Staging => "staging",
            EnvironmentKind::Production => "production",
        },
        "order": record.environment.order,
        "description": record.description,
    })
}

/// A rollout as JSON: what a person decides about, not its counts.
pub(crate) fn rollout(record: &RolloutRecord) -> Json {
    json!({
        "name": record.name(),
        "flag": record.plan.flag,
        "phase": record.state.phase.name(),
        "stage": record.state.stage,
        "sequence": record.state.sequence,
    })
}

#[cfg(test)]
mod tests;
