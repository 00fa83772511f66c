//! An OpenFeature context as ours.
//!
//! Everything that rules can test is taken over. What cannot be read is refused with the attribute's name: an attribute
//! that silently is not there would meet no condition, and nobody would know why.

use std::any::Any;

use open_feature::{
    EvaluationContext, EvaluationContextFieldValue as Field, EvaluationError, EvaluationErrorCode, EvaluationResult,
    StructValue, Value,
};
use time::format_description::well_known::Rfc3339;

use crate::context::{Attribute, Context};
use crate::object::Object;

/// The largest whole number that a context carries as a number; larger ones, usually ids, go as text.
const WHOLE_LIMIT: u64 = 1 << 53;

/// The same context.
pub(crate) fn read(context: &EvaluationContext) -> EvaluationResult<Context> {
    let mut read = Context::anonymous();
    for (name, field) in &context.custom_fields {
        read = read.with(name.as_str(), attribute(name, field)?);
    }
    Ok(match &context.targeting_key {
        Some(key) => read.for_user(key.as_str()),
        None => read,
    })
}

fn attribute(name: &str, field: &Field) -> EvaluationResult<Attribute> {
    match field {
        Field::Bool(boolean) => Ok((*boolean).into()),
        Field::Int(number) if number.unsigned_abs() <= WHOLE_LIMIT => Ok((*number as f64).into()),
        Field::Int(number) => Ok(number.to_string().into()),
        Field::Float(number) => Ok((*number).into()),
        Field::String(text) => Ok(text.as_str().into()),
        Field::DateTime(moment) => match moment.format(&Rfc3339) {
            Ok(text) => Ok(text.into()),
            Err(error) => Err(unreadable(name, &error.to_string())),
        },
        Field::Struct(structure) => json(&**structure).map(Attribute::Json).ok_or_else(|| {
            let words = "only serde_json::Value, serde_json::Map and open_feature::StructValue can be read";
            unreadable(name, words)
        }),
    }
}

/// A structure, if it is of a type that can be looked into.
fn json(structure: &(dyn Any + Send + Sync)) -> Option<serde_json::Value> {
    if let Some(value) = structure.downcast_ref::<serde_json::Value>() {
        return Some(value.clone());
    }
    if let Some(object) = structure.downcast_ref::<Object>() {
        return Some(object.clone().into());
    }
    structure.downcast_ref::<StructValue>().map(fields)
}

fn fields(structure: &StructValue) -> serde_json::Value {
    let fields = structure.fields.iter();
    fields.map(|(name, field)| (name.clone(), value(field))).collect()
}

fn value(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(boolean) => (*boolean).into(),
        Value::Int(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(values) => values.iter().map(self::value).collect(),
        Value::Struct(structure) => fields(structure),
    }
}

fn unreadable(name: &str, why: &str) -> EvaluationError {
    EvaluationError {
        code: EvaluationErrorCode::InvalidContext,
        message: Some(format!("the attribute {name:?} cannot be read: {why}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn everything_that_rules_can_test_is_taken_over() {
        let context = EvaluationContext::default()
            .with_targeting_key("user-7")
            .with_custom_field("targetingKey", "another")
            .with_custom_field("pro", true)
            .with_custom_field("age", 41)
            .with_custom_field("account", 9_007_199_254_740_993_i64)
            .with_custom_field("score", 0.5)
            .with_custom_field("country", "DE")
            .with_custom_field("joined", OffsetDateTime::UNIX_EPOCH)
            .with_custom_field("address", Field::new_struct(json!({"city": "Bonn"})))
            .with_custom_field(
                "cart",
                Field::new_struct(StructValue::default().with_field("items", vec![1, 2])),
            );
        let expected = Context::user("user-7")
            .with("pro", true)
            .with("age", 41)
            .with("account", "9007199254740993")
            .with("score", 0.5)
            .with("country", "DE")
            .with("joined", "1970-01-01T00:00:00Z")
            .with("address", json!({"city": "Bonn"}))
            .with("cart", json!({"items": [1, 2]}));
        assert_eq!(read(&context), Ok(expected));
    }

    #[test]
    fn a_structure_that_cannot_be_looked_into_is_refused_by_its_name() {
        struct Opaque;
        let context = EvaluationContext::default().with_custom_field("cart", Field::new_struct(Opaque));
        let refused = read(&context).unwrap_err();
        assert_eq!(refused.code, EvaluationErrorCode::InvalidContext);
        assert!(refused.message.unwrap().contains("\"cart\""));
    }

    #[test]
    fn a_context_without_a_targeting_key_is_anonymous() {
        assert_eq!(read(&EvaluationContext::default()), Ok(Context::anonymous()));
    }
}
