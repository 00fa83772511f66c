//! Single values of documents: a variant's value, a literal, a percentage.
//!
//! A document keeps the type that it was written with, because types never convert: `"true"` is text, `true` is a
//! boolean. A percentage keeps its digits as text, so that three decimals mean what they say.

use std::fmt;

use proto::v1;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Whole numbers up to here are exact as IEEE 754 doubles: 2^53.
const EXACT: u64 = 1 << 53;

/// Text, a number or a boolean.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    /// In quotes, or neither a number nor a boolean.
    Text(String),
    /// Finite; whole numbers at most 2^53.
    Number(f64),
    /// `true` or `false`.
    Boolean(bool),
}

impl Scalar {
    /// A variant's value, if it is of the flag's type.
    pub(crate) fn to_value(&self, flag_type: v1::FlagType) -> Result<v1::Value, String> {
        let kind = match (flag_type, self) {
            (v1::FlagType::Boolean | v1::FlagType::Unspecified, Self::Boolean(boolean)) => {
                v1::value::Kind::Boolean(*boolean)
            }
            (v1::FlagType::String | v1::FlagType::Unspecified, Self::Text(text)) => v1::value::Kind::Text(text.clone()),
            (v1::FlagType::Boolean, Self::Text(_)) => {
                return Err("text; a boolean flag's value is true or false".into());
            }
            (v1::FlagType::Boolean, Self::Number(_)) => {
                return Err("a number; a boolean flag's value is true or false".into());
            }
            (v1::FlagType::String, Self::Number(_)) => {
                return Err("a number; put a string flag's value in quotes".into());
            }
            (v1::FlagType::String, Self::Boolean(_)) => {
                return Err("a boolean; put a string flag's value in quotes".into());
            }
            (v1::FlagType::Unspecified, Self::Number(_)) => return Err("a number; no flag type has such values".into()),
        };
        Ok(v1::Value { kind: Some(kind) })
    }

    /// The value of a variant; empty text for a kind that this console does not know.
    pub(crate) fn from_value(value: &v1::Value) -> Self {
        match &value.kind {
            Some(v1::value::Kind::Boolean(boolean)) => Self::Boolean(*boolean),
            Some(v1::value::Kind::Text(text)) => Self::Text(text.clone()),
            None => Self::Text(String::new()),
        }
    }

    /// What an attribute is compared with.
    pub(crate) fn to_literal(&self) -> v1::Literal {
        let kind = match self {
            Self::Text(text) => v1::literal::Kind::Text(text.clone()),
            Self::Number(number) => v1::literal::Kind::Number(*number),
            Self::Boolean(boolean) => v1::literal::Kind::Boolean(*boolean),
        };
        v1::Literal { kind: Some(kind) }
    }

    /// As `to_literal`, back; empty text for a kind that this console does not know.
    pub(crate) fn from_literal(literal: &v1::Literal) -> Self {
        match &literal.kind {
            Some(v1::literal::Kind::Text(text)) => Self::Text(text.clone()),
            Some(v1::literal::Kind::Number(number)) => Self::Number(*number),
            Some(v1::literal::Kind::Boolean(boolean)) => Self::Boolean(*boolean),
            None => Self::Text(String::new()),
        }
    }
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Boolean(boolean) => serializer.serialize_bool(*boolean),
            Self::Number(number) => serialize_number(*number, serializer),
        }
    }
}

/// Whole numbers without a decimal point.
fn serialize_number<S: Serializer>(number: f64, serializer: S) -> Result<S::Ok, S::Error> {
    let whole = number.fract() == 0.0 && number.abs() <= EXACT as f64 && !(number == 0.0 && number.is_sign_negative());
    if whole {
        serializer.serialize_i64(number as i64)
    } else {
        serializer.serialize_f64(number)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl de::Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number or a boolean")
    }

    fn visit_bool<E: de::Error>(self, boolean: bool) -> Result<Scalar, E> {
        Ok(Scalar::Boolean(boolean))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.into()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
        if number <= EXACT {
            Ok(Scalar::Number(number as f64))
        } else {
            Err(inexact(number))
        }
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar, E> {
        if number.unsigned_abs() <= EXACT {
            Ok(Scalar::Number(number as f64))
        } else {
            Err(inexact(number))
        }
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Scalar, E> {
        if number.is_finite() {
            Ok(Scalar::Number(number))
        } else {
            Err(E::custom("a number must be finite; put it in quotes if it is text"))
        }
    }
}

fn inexact<E: de::Error>(number: impl fmt::Display) -> E {
    E::custom(format!(
        "{number} cannot be compared exactly as a number; put it in quotes if it is text"
    ))
}

/// A percentage as it was written, with or without quotes and `%`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Percent(String);

impl Percent {
    /// The text as written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Of a number of buckets.
    pub(crate) fn of(buckets: u32) -> Self {
        let percent = evaluation::Buckets::new(buckets).map(|buckets| buckets.to_string());
        Self(percent.unwrap_or_else(|| format!("{buckets} buckets")))
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.parse() {
            Ok(number) => serialize_number(number, serializer),
            Err(_) => serializer.serialize_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Scalar::deserialize(deserializer)? {
            Scalar::Text(text) => Ok(Self(text)),
            // The shortest decimal that reads as this number: what was written, up to 15 digits.
            Scalar::Number(number) => Ok(Self(number.to_string())),
            Scalar::Boolean(_) => Err(de::Error::custom("a percentage is a number or text, not a boolean")),
        }
    }
}
