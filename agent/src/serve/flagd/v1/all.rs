//! `ResolveAll` of version 1: every flag at once, each with the value of its own type.
//!
//! A bulk answer: exposures are named and not counted. A flag that leaves the value to the caller has no way to say so
//! here and is not listed; one that could not decide is listed with its type's zero and reason ERROR.

use evaluation::{Decision, FlagType, Reason, Snapshot, Value};
use prost::Message as _;
use prost_types::Struct;
use proto::{
    MESSAGE_LIMIT,
    flagd::evaluation_v1::{AnyFlag, ResolveAllResponse, any_flag},
    value::to_struct,
};
use tonic::{Status, metadata::MetadataMap};

use crate::{
    evaluate::{Evaluator, Selection, context, decide},
    metrics::Several,
    serve::{
        answer::{self, METADATA_SET},
        flagd::{Asked as _, Flagd, metadata, selection},
    },
};

/// All flags that the client may see.
pub(super) fn all(flagd: &Flagd, headers: &MetadataMap, fields: Option<Struct>) -> Result<ResolveAllResponse, Status> {
    let (selection, context) = (selection(headers)?, context(fields));
    let evaluator = &flagd.evaluator;
    let (snapshot, stale_s) = (evaluator.holder.load_full(), evaluator.stale_s());
    let (mut response, mut several, mut bytes) = (ResolveAllResponse::default(), Several::default(), 0);
    for flag in snapshot.flags().filter(|flag| selection.admits(flag)) {
        let decision = decide(&snapshot, flag, &context, stale_s.is_some());
        if let Some(any) = any(evaluator, &snapshot, flag.flag_type(), &decision, &selection, stale_s) {
            several.answered(decision.reason);
            bytes += any.encoded_len();
            if bytes > MESSAGE_LIMIT {
                return Err(too_large());
            }
            response.flags.insert(flag.key().to_string(), any);
        }
    }
    response.metadata = Some(reflected(&selection));
    if response.encoded_len() > MESSAGE_LIMIT {
        return Err(too_large());
    }
    evaluator.evaluations.flagd.answered_all(&several);
    Ok(response)
}

/// Clients accept no larger message.
fn too_large() -> Status {
    Status::resource_exhausted(format!(
        "all flags make a message of more than {MESSAGE_LIMIT} bytes; select a flag set with the header flagd-selector"
    ))
}

/// One flag of all; none: it leaves the value to the caller.
fn any(
    evaluator: &Evaluator,
    snapshot: &Snapshot,
    flag_type: FlagType,
    decision: &Decision<'_>,
    selection: &Selection,
    stale_s: Option<u64>,
) -> Option<AnyFlag> {
    let read = decision.value.map(value);
    let failed = decision.error.is_some() || matches!(read, Some(None));
    if read.is_none() && !failed && decision.reason != Reason::Disabled {
        return None;
    }
    let reason = if failed {
        Reason::Error.as_str()
    } else {
        answer::reason(decision, Reason::TargetingMatch)
    };
    let named = evaluator.foresee(snapshot, decision);
    Some(AnyFlag {
        reason: reason.to_owned(),
        variant: decision.variant.unwrap_or_default().to_owned(),
        value: Some(read.flatten().unwrap_or_else(|| zero(flag_type))),
        metadata: Some(metadata(selection, decision, named.as_ref(), stale_s)),
    })
}

/// A value in the message's form; none: an integer that no double is equal to.
fn value(value: &Value) -> Option<any_flag::Value> {
    Some(match value {
        Value::Boolean(boolean) => any_flag::Value::BoolValue(*boolean),
        Value::String(text) => any_flag::Value::StringValue(text.to_string()),
        Value::Integer(_) | Value::Float(_) => any_flag::Value::DoubleValue(f64::read(value)?),
        Value::Object(fields) => any_flag::Value::ObjectValue(to_struct(fields)),
    })
}

/// What stands where a value of this type is missing.
fn zero(flag_type: FlagType) -> any_flag::Value {
    match flag_type {
        FlagType::Boolean => any_flag::Value::BoolValue(false),
        FlagType::String => any_flag::Value::StringValue(String::new()),
        FlagType::Integer | FlagType::Float => any_flag::Value::DoubleValue(0.0),
        FlagType::Object => any_flag::Value::ObjectValue(Struct::default()),
    }
}

/// The selector, as the client gave it.
fn reflected(selection: &Selection) -> Struct {
    let mut metadata = Struct::default();
    if let Selection::Set(set) = selection {
        let value = prost_types::value::Kind::StringValue(set.clone());
        metadata
            .fields
            .insert(METADATA_SET.to_owned(), prost_types::Value { kind: Some(value) });
    }
    metadata
}
