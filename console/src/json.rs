//! JSON between documents and the wire: `serde_json` on this side, protobuf's `Struct` on the other.
//!
//! Protobuf knows one kind of number, an IEEE 754 double; a whole number that fits is shown without a decimal point. What
//! the wire cannot carry (numbers beyond a double, too many levels) is refused with its path.

use prost_types::{ListValue, Struct, Value, value::Kind};
use proto::{v1, value::DEPTH_LIMIT};
use serde_json::{Map, Number, Value as Json};

/// Whole numbers up to here are exact as doubles.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// An object for the wire; on failure `path: what is wrong`.
pub(crate) fn to_struct(fields: &Map<String, Json>) -> Result<Struct, String> {
    object(fields, "", DEPTH_LIMIT)
}

fn object(fields: &Map<String, Json>, path: &str, depth: usize) -> Result<Struct, String> {
    let depth = deeper(path, depth)?;
    let convert = |(name, value): (&String, &Json)| {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        Ok((name.clone(), to_value(value, &path, depth)?))
    };
    Ok(Struct {
        fields: fields.iter().map(convert).collect::<Result<_, String>>()?,
    })
}

fn to_value(value: &Json, path: &str, depth: usize) -> Result<Value, String> {
    let kind = match value {
        Json::Null => Kind::NullValue(0),
        Json::Bool(boolean) => Kind::BoolValue(*boolean),
        Json::Number(number) => match number.as_f64().filter(|number| number.is_finite()) {
            Some(number) => Kind::NumberValue(number),
            None => return Err(format!("{path}: {number} is no IEEE 754 double")),
        },
        Json::String(text) => Kind::StringValue(text.clone()),
        Json::Array(values) => {
            let depth = deeper(path, depth)?;
            let values = values.iter().enumerate();
            let values = values.map(|(at, value)| to_value(value, &format!("{path}[{at}]"), depth));
            Kind::ListValue(ListValue {
                values: values.collect::<Result<_, _>>()?,
            })
        }
        Json::Object(fields) => Kind::StructValue(object(fields, path, depth)?),
    };
    Ok(Value { kind: Some(kind) })
}

fn deeper(path: &str, depth: usize) -> Result<usize, String> {
    depth
        .checked_sub(1)
        .ok_or_else(|| format!("{path}: nested more than {DEPTH_LIMIT} levels deep"))
}

/// An object of the wire, its fields in the order of their names.
pub(crate) fn of_struct(object: &Struct) -> Json {
    let fields = object.fields.iter();
    Json::Object(fields.map(|(name, value)| (name.clone(), of_wire(value))).collect())
}

fn of_wire(value: &Value) -> Json {
    match &value.kind {
        Some(Kind::BoolValue(boolean)) => Json::Bool(*boolean),
        Some(Kind::NumberValue(number)) => of_number(*number),
        Some(Kind::StringValue(text)) => Json::String(text.clone()),
        Some(Kind::ListValue(list)) => Json::Array(list.values.iter().map(of_wire).collect()),
        Some(Kind::StructValue(fields)) => of_struct(fields),
        Some(Kind::NullValue(_)) | None => Json::Null,
    }
}

/// Whole numbers without a decimal point; what is not finite is null.
fn of_number(number: f64) -> Json {
    if number.fract() == 0.0 && number.abs() <= EXACT && !(number == 0.0 && number.is_sign_negative()) {
        Json::from(number as i64)
    } else {
        Number::from_f64(number).map_or(Json::Null, Json::Number)
    }
}

/// A flag's value as JSON; null if it has none.
pub(crate) fn of_value(value: Option<&v1::Value>) -> Json {
    match value.and_then(|value| value.kind.as_ref()) {
        Some(v1::value::Kind::Boolean(boolean)) => Json::Bool(*boolean),
        Some(v1::value::Kind::Text(text)) => Json::String(text.clone()),
        Some(v1::value::Kind::Integer(number)) => Json::from(*number),
        Some(v1::value::Kind::Number(number)) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Some(v1::value::Kind::Object(fields)) => of_struct(fields),
        None => Json::Null,
    }
}

/// JSON that a server sent as text: absent for nothing; text that is no JSON stays text.
pub(crate) fn of_text(text: &str) -> Option<Json> {
    match text {
        "" => None,
        text => Some(serde_json::from_str(text).unwrap_or_else(|_| text.into())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            (-1_000_000_000_i64..1_000_000_000).prop_map(Json::from),
            ".{0,8}".prop_map(Json::String),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
                prop::collection::btree_map(".{0,4}", inner, 0..4)
                    .prop_map(|fields| Json::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_survives_the_wire(value in any_json()) {
            let fields = Map::from_iter([("a".to_owned(), value)]);
            prop_assert_eq!(of_struct(&to_struct(&fields).unwrap()), Json::Object(fields));
        }
    }

    #[test]
    fn what_the_wire_cannot_carry_is_named_by_its_path() {
        let deep = (0..40).fold(Json::Null, |inner, _| Json::Array(vec![inner]));
        let refused = to_struct(&Map::from_iter([("a".to_owned(), deep)])).unwrap_err();
        assert!(
            refused.starts_with("a[0][0]") && refused.contains("levels deep"),
            "{refused}"
        );
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        let cases = [
            (1.0, "1"),
            (-3.0, "-3"),
            (0.5, "0.5"),
            (1e300, "1e+300"),
            (f64::NAN, "null"),
        ];
        for (number, text) in cases {
            assert_eq!(of_number(number).to_string(), text);
        }
    }
}
