//! Audit records: what an act changed, as JSON before and after, beside who, when and why.
//!
//! A record is written in the transaction of the act itself: there is no act without it, and none twice.

use evaluation::{Condition, Flag, Literal, Rule, Serve, Test, Value};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    identity::Actor,
    record::RolloutRecord,
    store::{
        Txn, keys,
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

/// Adds the record of an act to its transaction: of before and after only what differs.
pub(crate) fn record(txn: Txn, subject: Subject<'_>, actor: &Actor, before: Option<Json>, after: Option<Json>) -> Txn {
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
    };
    txn.put(keys::audit(subject.environment, Uuid::now_v7()), Act::write(&record))
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
            (Some(Json::Object(before)), Some(Json::Object(after)))
        }
        whole => whole,
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
    json!({
        "key": flag.key.as_str(),
        "type": match flag.flag_type {
            evaluation::FlagType::Boolean => "boolean",
            evaluation::FlagType::String => "string",
        },
        "description": flag.description,
        "owner": flag.owner,
        "tags": flag.tags,
        "flag_set": flag.set.as_ref().map(evaluation::Key::as_str),
        "enabled": flag.enabled,
        "killed": flag.killed,
        "salt": flag.salt,
        "variants": flag.variants.iter().map(|(name, value)| (name.clone(), self::value(value))).collect::<serde_json::Map<_, _>>(),
        "off_variant": flag.off_variant,
        "default": serve(&flag.default),
        "deny": flag.deny,
        "allow": flag.allow,
        "rules": flag.rules.iter().map(rule).collect::<Vec<_>>(),
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

fn value(value: &Value) -> Json {
    match value {
        Value::Boolean(value) => json!(value),
        Value::String(value) => json!(&**value),
    }
}

fn serve(serve: &Serve) -> Json {
    match serve {
        Serve::Variant(variant) => json!({ "variant": variant }),
        Serve::Split(shares) => {
            let shares = shares
                .iter()
                .map(|share| json!({ "variant": share.variant, "percent": share.buckets.to_string() }));
            json!({ "split": shares.collect::<Vec<_>>() })
        }
        Serve::CallerDefault => json!({ "caller_default": true }),
    }
}

fn rule(rule: &Rule) -> Json {
    json!({
        "name": rule.name,
        "conditions": rule.conditions.iter().map(condition).collect::<Vec<_>>(),
        "serve": serve(&rule.serve),
    })
}

fn condition(condition: &Condition) -> Json {
    let Test::OneOf(literals) = &condition.test;
    let literals = literals.iter().map(|literal| match literal {
        Literal::Text(text) => json!(text),
        Literal::Number(number) => json!(number),
        Literal::Boolean(boolean) => json!(boolean),
    });
    json!({ "attribute": condition.attribute, "one_of": literals.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests;
