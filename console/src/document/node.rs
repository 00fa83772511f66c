//! A value of a document with its place: what YAML and JSON can say, before it means anything.
//!
//! A number keeps the text that it was written with: `1.10` is a version as well as a number, and the digits of a
//! percentage count. Names of a map stay in the order written, because the order of shares says something.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, de};
use serde_saphyr::{Location, Spanned, UserMessageFormatter};

/// How deep a document may be; an object variant is at most 32 levels deep, inside of a flag inside of a list.
const DEPTH: usize = 64;

/// Where something is written: from 1 up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    /// Names are unique; in the order written.
    Map(Vec<(Name, Node)>),
}

/// A finite number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    /// As written.
    pub(crate) written: String,
    /// Its value, rounded to a double.
    pub(crate) value: f64,
    /// Its value, if it was written without a decimal point or an exponent and fits.
    pub(crate) whole: Option<i64>,
}

/// A name of a map with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) place: Place,
    pub(crate) text: String,
}

/// A text that is no YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) place: Place,
    pub(crate) what: String,
}

impl Node {
    /// The documents of a text, in order; empty ones are left out.
    pub(crate) fn parse(text: &str) -> Result<Vec<Self>, SyntaxError> {
        let mut options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
        // The text is bounded; its parts need no smaller bounds, except its depth.
        let budget = options.budget.get_or_insert_default();
        (budget.max_events, budget.max_nodes) = (usize::MAX, usize::MAX);
        (budget.max_documents, budget.max_total_scalar_bytes) = (usize::MAX, usize::MAX);
        (budget.max_depth, budget.simple_key_max_lookahead) = (DEPTH, 64 * 1024);
        let escaped = escaped(text);
        let text = escaped.as_ref();
        let documents: Vec<Spanned<Raw>> =
            serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
                let what = error.render_with_formatter(&UserMessageFormatter);
                SyntaxError {
                    place: error.location().map(|location| place(&location)).unwrap_or_default(),
                    what: said(&what),
                }
            })?;
        Ok(documents.into_iter().map(|document| document.node(text)).collect())
    }

    /// What the value is, for errors: `text`, `a number`.
    pub(crate) fn what(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "nothing",
            Kind::Boolean(_) => "a boolean",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// The value under a name of a map.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Map(map) => map.iter().find(|(own, _)| own.text == name).map(|(_, node)| node),
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => None,
        }
    }
}

/// What the parser says is wrong, without the place, which is said before it, and with what to do where that is plain.
fn said(what: &str) -> String {
    let what = what.split_once(" at line ").map_or(what, |(what, _)| what);
    let twice = what.strip_prefix("duplicate mapping key: ");
    match twice.and_then(|what| what.strip_suffix(" not allowed here")) {
        Some(name) => format!("{name} is written twice"),
        None if what.contains("found a tab") => format!("{what}; indent with spaces"),
        None => what.into(),
    }
}

/// JSON with every character escaped that JSON allows in a text and YAML does not.
fn escaped(text: &str) -> Cow<'_, str> {
    let odd = |c: char| matches!(c, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    if !text.trim_start().starts_with(['{', '[']) || !text.contains(odd) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 64);
    for letter in text.chars() {
        if odd(letter) {
            escaped.push_str(&format!("\\u{:04x}", u32::from(letter)));
        } else {
            escaped.push(letter);
        }
    }
    escaped.into()
}

fn place(location: &Location) -> Place {
    Place {
        line: location.line(),
        column: location.column(),
    }
}

/// A value as the parser gives it.
enum Raw {
    Null,
    Boolean(bool),
    Whole(i128),
    Real(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

trait IntoNode {
    fn node(self, text: &str) -> Node;
}

impl IntoNode for Spanned<Raw> {
    fn node(self, text: &str) -> Node {
        let number = |shown: String, value, whole| {
            Kind::Number(Number {
                written: written(text, &self.defined).unwrap_or(shown),
                value,
                whole,
            })
        };
        let kind = match self.value {
            Raw::Null => Kind::Null,
            Raw::Boolean(boolean) => Kind::Boolean(boolean),
            Raw::Whole(whole) => number(whole.to_string(), whole as f64, i64::try_from(whole).ok()),
            Raw::Real(real) => number(real.to_string(), real, None),
            Raw::Text(text) => Kind::Text(text),
            Raw::List(list) => Kind::List(list.into_iter().map(|item| item.node(text)).collect()),
            Raw::Map(map) => Kind::Map(
                map.into_iter()
                    .map(|(name, value)| {
                        let place = place(&name.referenced);
                        let name = Name {
                            place,
                            text: name.value,
                        };
                        (name, value.node(text))
                    })
                    .collect(),
            ),
        };
        Node {
            place: place(&self.referenced),
            kind,
        }
    }
}

/// The text of a plain scalar, if the parser knows where it is.
fn written(text: &str, location: &Location) -> Option<String> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let end = start.checked_add(usize::try_from(span.byte_len()?).ok()?)?;
    let written = text.get(start..end)?.trim();
    (!written.is_empty() && written.bytes().all(|byte| byte.is_ascii_graphic())).then(|| written.to_owned())
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> de::Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(Self)
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Raw, E> {
        Ok(Raw::Boolean(boolean))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Whole(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Whole(number.into()))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Raw, E> {
        Ok(Raw::Whole(number))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Raw, E> {
        Ok(i128::try_from(number).map_or(Raw::Real(number as f64), Raw::Whole))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Raw, E> {
        if number.is_finite() {
            Ok(Raw::Real(number))
        } else {
            Err(E::custom("a number must be finite; put it in quotes if it is text"))
        }
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Raw::List(values))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}
