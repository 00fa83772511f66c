//! Object values as JSON, which is what a service works with.
//!
//! The wire has one kind of number, a double. A whole one within 53 bits becomes an integer here, so that a field of 10
//! deserializes into a `u32` as one would expect.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};

/// The value of an object flag: a JSON object. `serde_json::from_value(Object.into())` makes a type of it.
pub type Object = serde_json::Map<String, serde_json::Value>;

/// The largest number below which every whole number is a double: 2^53.
const WHOLE_LIMIT: f64 = 9_007_199_254_740_992.0;

/// An object of the wire as JSON.
pub(crate) fn from_wire(fields: Struct) -> Object {
    let fields = fields.fields.into_iter();
    fields.map(|(name, value)| (name, json(value))).collect()
}

/// JSON as the wire has it; whole numbers beyond 53 bits lose their last digits there.
pub(crate) fn to_wire(value: serde_json::Value) -> Value {
    let kind = match value {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(boolean) => Kind::BoolValue(boolean),
        serde_json::Value::Number(number) => number.as_f64().map_or(Kind::NullValue(0), Kind::NumberValue),
        serde_json::Value::String(text) => Kind::StringValue(text),
        serde_json::Value::Array(values) => Kind::ListValue(ListValue {
            values: values.into_iter().map(to_wire).collect(),
        }),
        serde_json::Value::Object(fields) => Kind::StructValue(Struct {
            fields: fields.into_iter().map(|(name, value)| (name, to_wire(value))).collect(),
        }),
    };
    Value { kind: Some(kind) }
}

fn json(value: Value) -> serde_json::Value {
    match value.kind {
        Some(Kind::BoolValue(boolean)) => boolean.into(),
        Some(Kind::NumberValue(number)) => self::number(number),
        Some(Kind::StringValue(text)) => text.into(),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(json).collect(),
        Some(Kind::StructValue(fields)) => from_wire(fields).into(),
        Some(Kind::NullValue(_)) | None => serde_json::Value::Null,
    }
}

/// A number as JSON; what is not finite is no JSON and becomes null.
fn number(number: f64) -> serde_json::Value {
    if number.fract() == 0.0 && number.abs() <= WHOLE_LIMIT {
        (number as i64).into()
    } else {
        number.into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_the_same_json_on_both_sides_of_the_wire() {
        let object = json!({
            "text": "a", "yes": true, "nothing": null, "whole": 10, "less": -3, "part": 0.5, "large": 1e300,
            "list": [1, "b", [false]], "object": {"deep": {"er": 1}},
        });
        let Some(Kind::StructValue(wire)) = to_wire(object.clone()).kind else {
            panic!("an object is a struct");
        };
        assert_eq!(serde_json::Value::from(from_wire(wire)), object);
    }

    #[test]
    fn numbers_that_are_none_are_null_and_whole_ones_are_integers() {
        assert_eq!(number(f64::NAN), serde_json::Value::Null);
        assert_eq!(number(f64::INFINITY), serde_json::Value::Null);
        assert_eq!(serde_json::from_value::<u32>(number(10.0)).unwrap(), 10);
        assert_eq!(number(WHOLE_LIMIT).as_i64(), Some(9_007_199_254_740_992));
        assert!(number(1e16).is_f64());
    }
}
