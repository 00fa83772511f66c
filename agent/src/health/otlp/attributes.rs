//! Attributes as they are read here: so many of them, texts and numbers, and nothing else.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};

/// Attributes that are looked at in one list; OpenTelemetry's own limit is 128.
const ATTRIBUTES: usize = 128;

/// Those that have a value.
pub(super) fn each(attributes: &[KeyValue]) -> impl Iterator<Item = (&str, &Value)> {
    attributes
        .iter()
        .take(ATTRIBUTES)
        .filter_map(|attribute| Some((attribute.key.as_str(), attribute.value.as_ref()?.value.as_ref()?)))
}

/// A text.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// A text, or a number in its shortest decimal form: how units are written.
pub(super) fn written(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::StringValue(text) => Some(Cow::Borrowed(text)),
        Value::IntValue(number) => Some(Cow::Owned(number.to_string())),
        Value::DoubleValue(number) if number.is_finite() => Some(Cow::Owned((number + 0.0).to_string())),
        _ => None,
    }
}

/// A finite number.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::IntValue(number) => Some(*number as f64),
        Value::DoubleValue(number) => Some(*number).filter(|number| number.is_finite()),
        _ => None,
    }
}

/// A whole number, as one or in digits.
pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::IntValue(number) => Some(*number),
        Value::StringValue(text) => text.parse().ok(),
        _ => None,
    }
}

/// Yes or no, as one or in a word.
pub(super) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::BoolValue(boolean) => Some(*boolean),
        Value::StringValue(text) => text.parse().ok(),
        _ => None,
    }
}
