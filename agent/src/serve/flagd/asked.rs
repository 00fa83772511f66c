//! The types that a client can ask for, and which values of a flag answer them.
//!
//! Number flags of both kinds answer both number calls, because some providers ask for every number as a float. The
//! rule: a value is answered exactly or not at all, never rounded or cut off.

use evaluation::Value;
use prost_types::Struct;
use proto::value::to_struct;

/// The largest magnitude below which every whole number is a double of its own: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A type that a client can ask for.
pub(super) trait Asked: Sized {
    /// The value as this type; none: it is of another.
    fn read(value: &Value) -> Option<Self>;
}

impl Asked for bool {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Boolean(boolean) => Some(*boolean),
            Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Object(_) => None,
        }
    }
}

impl Asked for String {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(text.to_string()),
            Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::Object(_) => None,
        }
    }
}

impl Asked for i64 {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(integer) => Some(*integer),
            // Whole and within 2^53, so the conversion is exact.
            Value::Float(float) => (float.fract() == 0.0 && float.abs() <= EXACT).then_some(*float as i64),
            Value::Boolean(_) | Value::String(_) | Value::Object(_) => None,
        }
    }
}

impl Asked for f64 {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Float(float) => Some(*float),
            // Compared as i128, because i64::MAX rounds up to what no i64 can hold.
            Value::Integer(integer) => Some(*integer as f64).filter(|float| *float as i128 == i128::from(*integer)),
            Value::Boolean(_) | Value::String(_) | Value::Object(_) => None,
        }
    }
}

impl Asked for Struct {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Object(fields) => Some(to_struct(fields)),
            Value::Boolean(_) | Value::String(_) | Value::Integer(_) | Value::Float(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_answered_exactly_or_not_at_all() {
        for (value, integer, float) in [
            (Value::Integer(10), Some(10), Some(10.0)),
            (Value::Integer(-1), Some(-1), Some(-1.0)),
            (
                Value::Integer(1 << 60),
                Some(1 << 60),
                Some(1_152_921_504_606_846_976.0),
            ),
            (Value::Integer((1 << 53) + 1), Some((1 << 53) + 1), None),
            (Value::Integer(i64::MAX), Some(i64::MAX), None),
            (
                Value::Integer(i64::MIN),
                Some(i64::MIN),
                Some(-9_223_372_036_854_775_808.0),
            ),
            (Value::Float(10.0), Some(10), Some(10.0)),
            (Value::Float(-0.0), Some(0), Some(-0.0)),
            (Value::Float(0.5), None, Some(0.5)),
            (Value::Float(EXACT), Some(1 << 53), Some(EXACT)),
            (Value::Float(EXACT * 2.0), None, Some(EXACT * 2.0)),
            (Value::Float(f64::MAX), None, Some(f64::MAX)),
            (Value::Boolean(true), None, None),
            (Value::String("1".into()), None, None),
        ] {
            assert_eq!((i64::read(&value), f64::read(&value)), (integer, float), "{value:?}");
        }
    }
}
