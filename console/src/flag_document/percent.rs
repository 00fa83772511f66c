//! A percentage as it was written: its digits are kept as text, so that three decimals mean what they say.

use evaluation::Buckets;
use serde::{Serialize, Serializer};

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

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.parse::<f64>() {
            Ok(number) if number.fract() == 0.0 => serializer.serialize_i64(number as i64),
            Ok(number) => serializer.serialize_f64(number),
            Err(_) => serializer.serialize_str(&self.0),
        }
    }
}
