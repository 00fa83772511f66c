//! The attributes of the caller: what a flag's rules and its split look at.
//!
//! Kept in the form in which it is sent, so that an evaluation copies it once. What rules can test is what JSON can say:
//! texts, numbers, booleans, lists of them and objects, into which rules reach by path. A number too large for 53 bits
//! (an id, usually) belongs in a text, which is why there is no conversion from `i64` and `u64`.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct};

use crate::object;

/// The attribute that identifies the unit.
const TARGETING_KEY: &str = "targetingKey";

/// The attributes of the caller.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context(Struct);

/// The value of one attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// UTF-8 text.
    Text(String),
    /// A number; not-a-number and infinities are legal here and equal to nothing.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// Several values; rules ask whether any, all or none of them are something, and how many there are.
    List(Vec<Attribute>),
    /// Anything that JSON can say; rules reach into objects by path (`address.country`).
    Json(serde_json::Value),
}

impl Context {
    /// A caller about whom nothing is known; a split serves the default to it.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// The caller identified by `key`, the unit of every split: a user, an account, a request.
    pub fn user(key: impl Into<String>) -> Self {
        Self::default().with(TARGETING_KEY, key.into())
    }

    /// The same caller with one more attribute; a second value of an attribute replaces the first.
    #[must_use]
    pub fn with(mut self, attribute: impl Into<String>, value: impl Into<Attribute>) -> Self {
        self.0.fields.insert(attribute.into(), value.into().into_wire());
        self
    }

    /// The same attributes, of the caller identified by `key`.
    #[cfg(feature = "open-feature")]
    pub(crate) fn for_user(self, key: &str) -> Self {
        self.with(TARGETING_KEY, key)
    }

    pub(crate) fn to_wire(&self) -> Struct {
        self.0.clone()
    }
}

impl Attribute {
    fn into_wire(self) -> prost_types::Value {
        let kind = match self {
            Self::Text(text) => Kind::StringValue(text),
            Self::Number(number) => Kind::NumberValue(number),
            Self::Boolean(boolean) => Kind::BoolValue(boolean),
            Self::List(values) => Kind::ListValue(ListValue {
                values: values.into_iter().map(Self::into_wire).collect(),
            }),
            Self::Json(value) => return object::to_wire(value),
        };
        prost_types::Value { kind: Some(kind) }
    }
}

impl<T: Into<Attribute>> From<Vec<T>> for Attribute {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl From<serde_json::Value> for Attribute {
    fn from(value: serde_json::Value) -> Self {
        Self::Json(value)
    }
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Attribute {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Attribute {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<i32> for Attribute {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u32> for Attribute {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Attribute {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_sent_under_their_names_and_the_user_under_the_targeting_key() {
        let wire = Context::user("user-7")
            .with("plan", "free")
            .with("plan", "pro")
            .with("age", 41)
            .to_wire();
        let kinds: Vec<_> = wire
            .fields
            .into_iter()
            .map(|(name, value)| (name, value.kind))
            .collect();
        assert_eq!(
            kinds,
            [
                ("age".to_owned(), Some(Kind::NumberValue(41.0))),
                ("plan".to_owned(), Some(Kind::StringValue("pro".to_owned()))),
                (TARGETING_KEY.to_owned(), Some(Kind::StringValue("user-7".to_owned()))),
            ]
        );
        assert!(Context::anonymous().to_wire().fields.is_empty());
    }

    #[test]
    fn lists_and_objects_are_sent_as_json_has_them() {
        let json = serde_json::json!({"country": "DE", "codes": [1, 2]});
        let context = Context::anonymous()
            .with("groups", vec!["a", "b"])
            .with("address", json.clone());
        let sent = serde_json::Value::from(object::from_wire(context.to_wire()));
        assert_eq!(sent, serde_json::json!({"groups": ["a", "b"], "address": json}));
    }
}
