//! The context in the body of a request, read straight into the form that is evaluated.
//!
//! An empty body, and one without a context, say nothing about the caller; that is no mistake. Everything else that is
//! not `{"context": {...}}` is said to be wrong, with its place. Members that are not known here are skipped.

use std::{collections::BTreeMap, fmt};

use evaluation::{Context, Json};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// How deep an attribute may be nested.
const DEPTH: usize = 32;

/// Why a body says nothing that could be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AskedError {
    /// It is not JSON.
    #[error("Error parsing input or configuration: the body is not JSON: {0}")]
    NotJson(String),
    /// It is, but holds no context.
    #[error("Provider context is not valid: {0}")]
    Context(String),
}

/// The context that a body brings.
pub(super) fn context(body: &[u8]) -> Result<Context, AskedError> {
    if body.is_empty() {
        return Ok(Context::new());
    }
    serde_json::from_slice::<Asked>(body)
        .map(|asked| asked.0)
        .map_err(|error| match error.classify() {
            serde_json::error::Category::Data => AskedError::Context(error.to_string()),
            serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof
            | serde_json::error::Category::Io => AskedError::NotJson(error.to_string()),
        })
}

/// `{"context": {...}}`.
struct Asked(Context);

impl<'de> Deserialize<'de> for Asked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AskedVisitor).map(Asked)
    }
}

struct AskedVisitor;

impl<'de> Visitor<'de> for AskedVisitor {
    type Value = Context;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object with a context")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Context, A::Error> {
        let mut context = Context::new();
        while let Some(Name(name)) = map.next_key()? {
            if name == "context" {
                context = map.next_value_seed(ContextSeed)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(context)
    }
}

/// A member's name.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Name)
    }
}

struct ContextSeed;

impl<'de> DeserializeSeed<'de> for ContextSeed {
    type Value = Context;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Context, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ContextSeed {
    type Value = Context;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the context to be an object of attributes")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Context, E> {
        Ok(Context::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Context, A::Error> {
        let mut context = Context::new();
        while let Some(Name(name)) = map.next_key()? {
            context = context.with(name, map.next_value_seed(JsonSeed(DEPTH))?);
        }
        Ok(context)
    }
}

/// An attribute that may be nested this deep.
#[derive(Clone, Copy)]
struct JsonSeed(usize);

impl JsonSeed {
    fn inner<E: de::Error>(self) -> Result<Self, E> {
        let inner = self.0.checked_sub(1).map(Self);
        inner.ok_or_else(|| E::custom(format_args!("an attribute is nested more than {DEPTH} levels deep")))
    }
}

impl<'de> DeserializeSeed<'de> for JsonSeed {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for JsonSeed {
    type Value = Json;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an attribute")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: de::Error>(self, boolean: bool) -> Result<Json, E> {
        Ok(Json::Boolean(boolean))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Json, A::Error> {
        let inner = self.inner::<A::Error>()?;
        let mut list = Vec::new();
        while let Some(element) = sequence.next_element_seed(inner)? {
            list.push(element);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let inner = self.inner::<A::Error>()?;
        let mut object = BTreeMap::new();
        while let Some(Name(name)) = map.next_key()? {
            object.insert(name, map.next_value_seed(inner)?);
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_type_of_attribute_is_read() {
        let body = br#"{"before": [{}], "context": {"targetingKey": "ada", "n": 1, "f": -0.5, "b": true, "z": null,
            "l": ["x", 2], "o": {"deep": {"er": "y"}}, "n": 3}}"#;
        let object = |fields: &[(&str, Json)]| {
            let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            Json::Object(fields.collect())
        };
        let expected = Context::new()
            .with_targeting_key("ada")
            .with("n", Json::Number(3.0))
            .with("f", Json::Number(-0.5))
            .with("b", Json::Boolean(true))
            .with("z", Json::Null)
            .with("l", Json::List(vec![Json::Text("x".to_owned()), Json::Number(2.0)]))
            .with("o", object(&[("deep", object(&[("er", Json::Text("y".to_owned()))]))]));
        assert_eq!(context(body), Ok(expected));
    }

    #[test]
    fn nothing_said_is_no_mistake() {
        for body in [
            "",
            "{}",
            r#"{"context": {}}"#,
            r#"{"context": null}"#,
            r#" {"other": 1} "#,
        ] {
            assert_eq!(context(body.as_bytes()), Ok(Context::new()), "{body}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (body, code, said) in [
            ("{", "parse", "EOF while parsing an object at line 1 column 1"),
            ("nonsense", "parse", "expected ident at line 1 column 2"),
            ("{}x", "parse", "trailing characters at line 1 column 3"),
            (r#"{"context": {"n": 1e999}}"#, "parse", "number out of range"),
            ("[]", "context", "expected an object with a context at line 1 column"),
            ("7", "context", "expected an object with a context at line 1 column 1"),
            (
                r#"{"context": "ada"}"#,
                "context",
                "expected the context to be an object of attributes",
            ),
            (
                r#"{"context": [1]}"#,
                "context",
                "expected the context to be an object of attributes",
            ),
            (
                r#"{"context": 1}"#,
                "context",
                "expected the context to be an object of attributes",
            ),
        ] {
            match (context(body.as_bytes()).unwrap_err(), code) {
                (AskedError::NotJson(error), "parse") | (AskedError::Context(error), "context") => {
                    assert!(error.contains(said), "{body}: {error}");
                }
                (error, _) => panic!("{body}: {error:?}"),
            }
        }
        assert!(matches!(
            context(b"{\"context\": {\"a\": \"\xff\"}}"),
            Err(AskedError::NotJson(_))
        ));
    }

    #[test]
    fn attributes_may_be_nested_so_deep_and_no_deeper() {
        let nested = |levels: usize| {
            let body = format!(
                "{{\"context\": {{\"a\": {}{}}}}}",
                "[".repeat(levels),
                "]".repeat(levels)
            );
            context(body.as_bytes())
        };
        assert!(nested(DEPTH).is_ok());
        let error = nested(DEPTH + 1).unwrap_err().to_string();
        assert!(error.contains("nested more than 32 levels deep"), "{error}");
        assert!(nested(100_000).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_context_or_an_error(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = context(&body);
        }

        #[test]
        fn any_json_is_a_context_or_an_error(text in r#"[{}\[\]",:a0-9 ntrue]{0,60}"#) {
            let _ = context(format!("{{\"context\":{text}}}").as_bytes());
        }
    }
}
