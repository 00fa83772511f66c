//! JSON to and from the messages that carry it, so that a test writes contexts and values as people read them.

use prost_types::{ListValue, Struct, value::Kind};
use proto::v1;
use serde_json::{Map, Value};

/// The fields of a JSON object.
pub fn fields(object: &Value) -> Struct {
    let object = object.as_object().expect("a context is an object");
    Struct {
        fields: object.iter().map(|(name, value)| (name.clone(), any(value))).collect(),
    }
}

fn any(value: &Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(boolean) => Kind::BoolValue(*boolean),
        Value::Number(number) => Kind::NumberValue(number.as_f64().expect("a number of a test is a double")),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(list) => Kind::ListValue(ListValue {
            values: list.iter().map(any).collect(),
        }),
        Value::Object(_) => Kind::StructValue(fields(value)),
    };
    prost_types::Value { kind: Some(kind) }
}

/// An object of JSON; its numbers are doubles.
pub fn object(fields: &Struct) -> Value {
    let fields = fields.fields.iter();
    Value::Object(
        fields
            .map(|(name, value)| (name.clone(), of(value)))
            .collect::<Map<_, _>>(),
    )
}

fn of(value: &prost_types::Value) -> Value {
    match &value.kind {
        Some(Kind::BoolValue(boolean)) => Value::from(*boolean),
        Some(Kind::NumberValue(number)) => Value::from(*number),
        Some(Kind::StringValue(text)) => Value::from(text.as_str()),
        Some(Kind::ListValue(list)) => list.values.iter().map(of).collect(),
        Some(Kind::StructValue(fields)) => object(fields),
        Some(Kind::NullValue(_)) | None => Value::Null,
    }
}

/// A flag's value.
pub fn value(value: &v1::Value) -> Value {
    match value.kind.as_ref().expect("a value has a kind") {
        v1::value::Kind::Boolean(boolean) => Value::from(*boolean),
        v1::value::Kind::Text(text) => Value::from(text.as_str()),
        v1::value::Kind::Integer(integer) => Value::from(*integer),
        v1::value::Kind::Number(number) => Value::from(*number),
        v1::value::Kind::Object(fields) => object(fields),
    }
}

/// The same JSON with every number a double, as protobuf has them: JSON knows but one kind, and writers differ.
pub fn doubles(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_f64().expect("a number of a test is a double")),
        Value::Array(list) => list.into_iter().map(doubles).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, doubles(value))).collect(),
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}
