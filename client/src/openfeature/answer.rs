//! An evaluation in the words of the OpenFeature SDK.

use open_feature::provider::ResolutionDetails;
use open_feature::{
    EvaluationError as Error, EvaluationErrorCode as Code, EvaluationReason, EvaluationResult, FlagMetadata,
    StructValue, Value,
};
use proto::{METADATA_ARM, METADATA_PREREQUISITE, METADATA_SHADOW, METADATA_STAGE, METADATA_STALE, METADATA_TOKEN};

use crate::evaluation::{Evaluation, EvaluationError, Reason};
use crate::exposure::Exposed as _;
use crate::object::Object;

/// What the SDK is told of an evaluation; one without a value serves the caller's default, which only the caller has.
pub(crate) fn details<T>(evaluation: Evaluation<Option<T>>) -> EvaluationResult<ResolutionDetails<T>> {
    if let Some(error) = &evaluation.error {
        return Err(failed(error));
    }
    let flag_metadata = metadata(&evaluation);
    let Some(value) = evaluation.value else {
        let words = format!("{}: the flag serves the caller's default", evaluation.reason);
        return Err(Error {
            code: Code::General(words.clone()),
            message: Some(words),
        });
    };
    Ok(ResolutionDetails {
        value,
        variant: evaluation.variant,
        reason: Some(reason(evaluation.reason)),
        flag_metadata: Some(flag_metadata),
    })
}

fn failed(error: &EvaluationError) -> Error {
    let words = error.to_string();
    let code = match error {
        EvaluationError::FlagNotFound => Code::FlagNotFound,
        EvaluationError::TypeMismatch => Code::TypeMismatch,
        EvaluationError::TargetingKeyMissing => Code::TargetingKeyMissing,
        EvaluationError::InvalidContext(_) => Code::InvalidContext,
        EvaluationError::Unreachable(_) => Code::ProviderNotReady,
        EvaluationError::Deadline(_) | EvaluationError::Refused(_) => Code::General(words.clone()),
    };
    Error {
        code,
        message: Some(words),
    }
}

/// A reason; the SDK has no STALE of its own.
fn reason(reason: Reason) -> EvaluationReason {
    match reason {
        Reason::Static => EvaluationReason::Static,
        Reason::Default => EvaluationReason::Default,
        Reason::TargetingMatch => EvaluationReason::TargetingMatch,
        Reason::Split => EvaluationReason::Split,
        Reason::Disabled => EvaluationReason::Disabled,
        Reason::Error => EvaluationReason::Error,
        Reason::Stale => EvaluationReason::Other("STALE".to_owned()),
        Reason::Other(word) if word == "UNKNOWN" => EvaluationReason::Unknown,
        Reason::Other(word) => EvaluationReason::Other(word),
    }
}

/// What the agent's other doors say in flag metadata.
fn metadata<T>(evaluation: &Evaluation<T>) -> FlagMetadata {
    let mut metadata = FlagMetadata::default();
    if let Some(token) = evaluation.token() {
        metadata.add_value(METADATA_TOKEN, token);
    }
    if let Some(stage) = evaluation.stage {
        metadata.add_value(METADATA_STAGE, i64::from(stage));
    }
    if let Some(arm) = evaluation.shadow.or(evaluation.arm) {
        metadata.add_value(METADATA_ARM, arm.to_string());
    }
    if evaluation.shadow.is_some() {
        metadata.add_value(METADATA_SHADOW, true);
    }
    if let Some(prerequisite) = &evaluation.prerequisite {
        metadata.add_value(METADATA_PREREQUISITE, prerequisite.as_str());
    }
    if let Some(stale) = evaluation.stale {
        metadata.add_value(METADATA_STALE, i64::try_from(stale.as_secs()).unwrap_or(i64::MAX));
    }
    metadata
}

/// An object as the SDK has it. It knows no null: a field that is null is left out, and a list with one cannot be said.
pub(crate) fn structure(object: Object) -> EvaluationResult<StructValue> {
    let present = object.into_iter().filter(|(_, value)| !value.is_null());
    let fields = present.map(|(name, value)| Ok((name, self::value(value)?)));
    Ok(StructValue {
        fields: fields.collect::<EvaluationResult<_>>()?,
    })
}

fn value(json: serde_json::Value) -> EvaluationResult<Value> {
    Ok(match json {
        serde_json::Value::Bool(boolean) => Value::Bool(boolean),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::String(text),
        serde_json::Value::Array(values) => {
            Value::Array(values.into_iter().map(value).collect::<EvaluationResult<_>>()?)
        }
        serde_json::Value::Object(fields) => Value::Struct(structure(fields)?),
        serde_json::Value::Null => {
            return Err(Error {
                code: Code::TypeMismatch,
                message: Some("a list in the object holds null, which OpenFeature's structures do not know".to_owned()),
            });
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn object(json: serde_json::Value) -> Object {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn an_object_keeps_its_numbers_lists_and_objects_and_loses_its_nulls() {
        let deep = json!({"whole": 3, "part": 0.5, "list": [true, "a"], "object": {"nothing": null, "er": 1}});
        let expected = StructValue::default()
            .with_field("whole", 3)
            .with_field("part", 0.5)
            .with_field("list", Value::Array(vec![true.into(), "a".into()]))
            .with_field("object", StructValue::default().with_field("er", 1));
        assert_eq!(structure(object(deep)), Ok(expected));
    }

    #[test]
    fn a_list_with_a_null_is_refused_and_not_made_shorter() {
        let refused = structure(object(json!({"list": [1, null]}))).unwrap_err();
        assert_eq!(refused.code, Code::TypeMismatch);
    }

    #[test]
    fn reasons_that_the_sdk_does_not_know_keep_their_words() {
        for (ours, theirs) in [
            (Reason::Stale, "STALE"),
            (Reason::Other("UNKNOWN".to_owned()), "UNKNOWN"),
            (Reason::Other("UNKNOWN_99".to_owned()), "UNKNOWN_99"),
        ] {
            assert_eq!(reason(ours).to_string(), theirs);
        }
    }
}
