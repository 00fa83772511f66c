//! Object variants: JSON of a document as protobuf's `Struct`, and back.
//!
//! Numbers there are doubles; a whole number that a double cannot hold is refused rather than rounded. What is too deep is
//! refused here, because protobuf's own limit would answer with a path of three names for every level.

use prost_types::{ListValue, Struct, Value, value};
use proto::value::{DEPTH_LIMIT, ValueError};

use super::{Kind, Node, Number, Problems, Tree};

/// The fields of a map as a `Struct`.
pub(crate) fn object(node: &Node, field: &str, problems: &mut Problems) -> Option<Struct> {
    if levels(node) > DEPTH_LIMIT {
        problems.wrong(node.place, field, ValueError::TooDeep.to_string());
        return None;
    }
    match to_value(node, field, problems).kind {
        Some(value::Kind::StructValue(fields)) => Some(fields),
        _ => {
            problems.expected(node, field, "a map");
            None
        }
    }
}

/// Maps and lists that lie in each other; a document bounds how many there can be.
fn levels(node: &Node) -> usize {
    match &node.kind {
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) => 0,
        Kind::List(list) => 1 + list.iter().map(levels).max().unwrap_or(0),
        Kind::Map(map) => 1 + map.iter().map(|(_, item)| levels(item)).max().unwrap_or(0),
    }
}

fn to_value(node: &Node, field: &str, problems: &mut Problems) -> Value {
    let kind = match &node.kind {
        Kind::Null => value::Kind::NullValue(0),
        Kind::Boolean(boolean) => value::Kind::BoolValue(*boolean),
        Kind::Number(number) => value::Kind::NumberValue(double(node, number, field, problems)),
        Kind::Text(text) => value::Kind::StringValue(text.clone()),
        Kind::List(list) => {
            let items = list.iter().enumerate();
            let values = items.map(|(at, item)| to_value(item, &format!("{field}[{at}]"), problems));
            value::Kind::ListValue(ListValue {
                values: values.collect(),
            })
        }
        Kind::Map(map) => {
            let fields = map.iter().map(|(name, item)| {
                let value = to_value(item, &format!("{field}.{}", name.text), problems);
                (name.text.clone(), value)
            });
            value::Kind::StructValue(Struct {
                fields: fields.collect(),
            })
        }
    };
    Value { kind: Some(kind) }
}

/// The number as a double; one that would be rounded is a problem.
pub(crate) fn double(node: &Node, number: &Number, field: &str, problems: &mut Problems) -> f64 {
    let rounded = number
        .whole
        .is_none_or(|whole| number.value as i128 != i128::from(whole));
    let integral = number.written.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if rounded && integral {
        let what = format!(
            "{} cannot be held exactly by a double; put it in quotes if it is text",
            number.written
        );
        problems.wrong(node.place, field, what);
    }
    number.value
}

/// As `object`, back.
pub(crate) fn tree(fields: &Struct) -> Tree {
    let fields = fields.fields.iter();
    Tree::Map(fields.map(|(name, value)| (name.clone(), of_value(value))).collect())
}

fn of_value(value: &Value) -> Tree {
    match &value.kind {
        Some(value::Kind::BoolValue(boolean)) => Tree::Boolean(*boolean),
        Some(value::Kind::NumberValue(number)) => Tree::number(*number),
        Some(value::Kind::StringValue(text)) => Tree::Text(text.clone()),
        Some(value::Kind::ListValue(list)) => Tree::List(list.values.iter().map(of_value).collect()),
        Some(value::Kind::StructValue(fields)) => tree(fields),
        Some(value::Kind::NullValue(_)) | None => Tree::Null,
    }
}
