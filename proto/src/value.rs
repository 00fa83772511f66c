//! Values and JSON between the wire and `evaluation`.
//!
//! Lists in protobuf's `Struct` are values of JSON like any other. What is not finite or unset is refused, or, in a
//! caller's context, read as null.

use std::{collections::BTreeMap, sync::Arc};

use evaluation::{FlagType, Json, Value};
use prost_types::{ListValue, Struct, value::Kind};

use crate::v1;

/// How deep JSON of the wire may be.
pub const DEPTH_LIMIT: usize = 32;

/// Why a value of the wire is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// No case is set.
    #[error("must have a value")]
    Unset,
    /// NaN or infinite.
    #[error("must be a finite number")]
    NotFinite,
    /// Deeper than the limit.
    #[error("is nested more than {DEPTH_LIMIT} levels deep")]
    TooDeep,
}

impl From<FlagType> for v1::FlagType {
    fn from(flag_type: FlagType) -> Self {
        match flag_type {
            FlagType::Boolean => Self::Boolean,
            FlagType::String => Self::String,
            FlagType::Integer => Self::Integer,
            FlagType::Float => Self::Float,
            FlagType::Object => Self::Object,
        }
    }
}

/// The type that a message names; none if it names none.
pub fn flag_type(flag_type: v1::FlagType) -> Option<FlagType> {
    match flag_type {
        v1::FlagType::Unspecified => None,
        v1::FlagType::Boolean => Some(FlagType::Boolean),
        v1::FlagType::String => Some(FlagType::String),
        v1::FlagType::Integer => Some(FlagType::Integer),
        v1::FlagType::Float => Some(FlagType::Float),
        v1::FlagType::Object => Some(FlagType::Object),
    }
}

impl From<&Value> for v1::Value {
    fn from(value: &Value) -> Self {
        let kind = match value {
            Value::Boolean(value) => v1::value::Kind::Boolean(*value),
            Value::String(value) => v1::value::Kind::Text(value.to_string()),
            Value::Integer(value) => v1::value::Kind::Integer(*value),
            Value::Float(value) => v1::value::Kind::Number(*value),
            Value::Object(fields) => v1::value::Kind::Object(to_struct(fields)),
        };
        Self { kind: Some(kind) }
    }
}

/// A value as read.
pub fn read(value: v1::Value) -> Result<Value, ValueError> {
    match value.kind.ok_or(ValueError::Unset)? {
        v1::value::Kind::Boolean(value) => Ok(Value::Boolean(value)),
        v1::value::Kind::Text(value) => Ok(Value::String(value.into())),
        v1::value::Kind::Integer(value) => Ok(Value::Integer(value)),
        v1::value::Kind::Number(value) if value.is_finite() => Ok(Value::Float(value)),
        v1::value::Kind::Number(_) => Err(ValueError::NotFinite),
        v1::value::Kind::Object(fields) => Ok(Value::Object(Arc::new(from_struct(fields)?))),
    }
}

/// An object as protobuf has it.
pub fn to_struct(fields: &BTreeMap<String, Json>) -> Struct {
    let fields = fields.iter().map(|(name, value)| (name.clone(), to_wire(value)));
    Struct {
        fields: fields.collect(),
    }
}

/// A JSON value as protobuf has it.
pub fn to_wire(value: &Json) -> prost_types::Value {
    let kind = match value {
        Json::Null => Kind::NullValue(0),
        Json::Boolean(value) => Kind::BoolValue(*value),
        Json::Number(value) => Kind::NumberValue(*value),
        Json::Text(value) => Kind::StringValue(value.clone()),
        Json::List(values) => Kind::ListValue(ListValue {
            values: values.iter().map(to_wire).collect(),
        }),
        Json::Object(fields) => Kind::StructValue(to_struct(fields)),
    };
    prost_types::Value { kind: Some(kind) }
}

/// An object of protobuf; every number finite, every value set, and not too deep.
pub fn from_struct(fields: Struct) -> Result<BTreeMap<String, Json>, ValueError> {
    object(fields, DEPTH_LIMIT)
}

/// A value of protobuf; every number finite, every value set, and not too deep.
pub fn from_wire(value: prost_types::Value) -> Result<Json, ValueError> {
    json(value, DEPTH_LIMIT)
}

fn object(fields: Struct, depth: usize) -> Result<BTreeMap<String, Json>, ValueError> {
    let depth = depth.checked_sub(1).ok_or(ValueError::TooDeep)?;
    let fields = fields.fields.into_iter();
    fields.map(|(name, value)| Ok((name, json(value, depth)?))).collect()
}

fn json(value: prost_types::Value, depth: usize) -> Result<Json, ValueError> {
    Ok(match value.kind.ok_or(ValueError::Unset)? {
        Kind::NullValue(_) => Json::Null,
        Kind::BoolValue(value) => Json::Boolean(value),
        Kind::NumberValue(value) if value.is_finite() => Json::Number(value),
        Kind::NumberValue(_) => return Err(ValueError::NotFinite),
        Kind::StringValue(value) => Json::Text(value),
        Kind::ListValue(list) => {
            let depth = depth.checked_sub(1).ok_or(ValueError::TooDeep)?;
            let values = list.values.into_iter().map(|value| json(value, depth));
            Json::List(values.collect::<Result<_, _>>()?)
        }
        Kind::StructValue(fields) => Json::Object(object(fields, depth)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_survives_the_wire() {
        let value = Json::Object(BTreeMap::from([
            ("null".to_owned(), Json::Null),
            (
                "list".to_owned(),
                Json::List(vec![Json::Number(1.5), Json::Boolean(true), Json::Text("a".to_owned())]),
            ),
        ]));
        assert_eq!(from_wire(to_wire(&value)), Ok(value));
    }

    #[test]
    fn what_is_too_deep_unset_or_not_finite_is_refused() {
        let nested = |levels| (0..levels).fold(Json::Null, |inner, _| Json::List(vec![inner]));
        assert!(from_wire(to_wire(&nested(DEPTH_LIMIT))).is_ok());
        assert_eq!(from_wire(to_wire(&nested(DEPTH_LIMIT + 1))), Err(ValueError::TooDeep));
        assert_eq!(from_wire(to_wire(&Json::Number(f64::NAN))), Err(ValueError::NotFinite));
        assert_eq!(from_wire(prost_types::Value { kind: None }), Err(ValueError::Unset));
    }
}
