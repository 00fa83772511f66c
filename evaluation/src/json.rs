//! A JSON value: an attribute of a context, and what an object flag serves.
//!
//! Numbers are IEEE 754 doubles, as on the wire. Objects are ordered by name, so that equal values have equal forms. An
//! object as a flag's value is bounded; its size is reckoned here, without writing it out.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// null.
    Null,
    /// True or false.
    Boolean(bool),
    /// A number.
    Number(f64),
    /// UTF-8 text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object.
    Object(BTreeMap<String, Json>),
}

/// What bounds an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    /// More bytes as compact JSON than allowed.
    Bytes,
    /// More levels than allowed; an object or list is one more than what it holds.
    Levels,
    /// A number that JSON cannot write.
    NotFinite,
}

/// Finds whether an object is larger as compact JSON than `bytes`, deeper than `levels`, or has a number that is not
/// finite; the first that is found. Stops as soon as a bound is passed, so that its cost is bounded too.
pub(crate) fn excess(object: &BTreeMap<String, Json>, bytes: usize, levels: usize) -> Option<Excess> {
    let mut size = Size { left: bytes };
    size.object(object, levels).err()
}

/// The bytes that may still come.
struct Size {
    left: usize,
}

impl Size {
    fn take(&mut self, bytes: usize) -> Result<(), Excess> {
        self.left = self.left.checked_sub(bytes).ok_or(Excess::Bytes)?;
        Ok(())
    }

    fn object(&mut self, object: &BTreeMap<String, Json>, levels: usize) -> Result<(), Excess> {
        let levels = levels.checked_sub(1).ok_or(Excess::Levels)?;
        self.take(2 + object.len().saturating_sub(1))?;
        object.iter().try_for_each(|(name, value)| {
            self.text(name)?;
            self.take(1)?;
            self.value(value, levels)
        })
    }

    fn value(&mut self, value: &Json, levels: usize) -> Result<(), Excess> {
        match value {
            Json::Null | Json::Boolean(true) => self.take(4),
            Json::Boolean(false) => self.take(5),
            Json::Number(number) if number.is_finite() => self.number(*number),
            Json::Number(_) => Err(Excess::NotFinite),
            Json::Text(text) => self.text(text),
            Json::Object(object) => self.object(object, levels),
            Json::List(list) => {
                let levels = levels.checked_sub(1).ok_or(Excess::Levels)?;
                self.take(2 + list.len().saturating_sub(1))?;
                list.iter().try_for_each(|value| self.value(value, levels))
            }
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Excess> {
        self.take(2)?;
        text.bytes().try_for_each(|byte| {
            self.take(match byte {
                b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
                0..0x20 => 6,
                0x20.. => 1,
            })
        })
    }

    /// Shortest decimal form, with an exponent where that is the usual one.
    fn number(&mut self, number: f64) -> Result<(), Excess> {
        let magnitude = number.abs();
        let written = if magnitude == 0.0 || (1e-5..1e16).contains(&magnitude) {
            write!(self, "{number}")
        } else {
            write!(self, "{number:e}")
        };
        written.map_err(|fmt::Error| Excess::Bytes)
    }
}

impl fmt::Write for Size {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.take(text.len()).map_err(|_| fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, value: Json) -> BTreeMap<String, Json> {
        BTreeMap::from([(name.to_owned(), value)])
    }

    #[test]
    fn the_size_is_that_of_compact_json() {
        let cases = [
            (BTreeMap::new(), "{}"),
            (object("a", Json::Null), r#"{"a":null}"#),
            (object("a", Json::Number(-1.5)), r#"{"a":-1.5}"#),
            (object("a", Json::Number(1e300)), r#"{"a":1e300}"#),
            (
                object("a", Json::Text("\"\n\u{1}ü".into())),
                "{\"a\":\"\\\"\\n\\u0001ü\"}",
            ),
            (
                object("a", Json::List(vec![Json::Boolean(true), Json::Boolean(false)])),
                r#"{"a":[true,false]}"#,
            ),
        ];
        for (object, json) in cases {
            assert_eq!(excess(&object, json.len(), 9), None, "{json}");
            assert_eq!(excess(&object, json.len() - 1, 9), Some(Excess::Bytes), "{json}");
        }
    }

    #[test]
    fn levels_and_numbers_are_bounded() {
        let nested = object("a", Json::List(vec![Json::Object(BTreeMap::new())]));
        assert_eq!(excess(&nested, 99, 3), None);
        assert_eq!(excess(&nested, 99, 2), Some(Excess::Levels));
        assert_eq!(
            excess(&object("a", Json::Number(f64::NAN)), 99, 3),
            Some(Excess::NotFinite)
        );
    }
}
