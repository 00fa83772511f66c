//! A percentage as it was written: its digits are kept as text, so that three decimals mean what they say.

use std::fmt;

use evaluation::Buckets;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::document::{Kind, Node, Problems};

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
        let percent = Buckets::new(buckets).map(|buckets| buckets.to_string());
        Self(percent.unwrap_or_else(|| format!("{buckets} buckets")))
    }

    /// The percentage of a node; anything but text and a number is a problem.
    pub(crate) fn read(node: &Node, field: &str, problems: &mut Problems) -> Option<u32> {
        let text = match &node.kind {
            Kind::Text(text) => text,
            Kind::Number(number) => &number.written,
            Kind::Null | Kind::Boolean(_) | Kind::List(_) | Kind::Map(_) => {
                problems.expected(node, field, "a percentage: 25, 2.5%");
                return None;
            }
        };
        match Buckets::parse_percent(text) {
            Ok(buckets) => Some(buckets.get()),
            Err(error) => {
                problems.wrong(node.place, field, format!("{text:?}: {error}"));
                None
            }
        }
    }
}

/// Buckets of a percentage, or `field: what is wrong` and none.
pub(crate) fn buckets(percent: &Percent, field: &str, problems: &mut Vec<String>) -> u32 {
    match Buckets::parse_percent(percent.as_str()) {
        Ok(buckets) => buckets.get(),
        Err(error) => {
            problems.push(format!("{field}: {:?}: {error}", percent.as_str()));
            0
        }
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.parse::<f64>() {
            Ok(number) if number.fract() == 0.0 => serializer.serialize_i64(number as i64),
            Ok(number) => serializer.serialize_f64(number),
            Err(_) => serializer.serialize_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PercentVisitor)
    }
}

struct PercentVisitor;

impl de::Visitor<'_> for PercentVisitor {
    type Value = Percent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a percentage: a number or text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Percent, E> {
        Ok(Percent(text.into()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Percent, E> {
        Ok(Percent(number.to_string()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Percent, E> {
        Ok(Percent(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Percent, E> {
        // The shortest decimal that reads as this number: what was written, up to 15 digits.
        Ok(Percent(number.to_string()))
    }
}
