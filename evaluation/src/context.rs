//! What the caller says about itself: a targeting key and attributes.
//!
//! A context is built once at the door and only read after that. Attributes are ordered by name, so that a lookup stays
//! logarithmic whatever a caller sends; a hash map would have to defend itself against chosen names.

use std::collections::BTreeMap;

use crate::condition::TARGETING_KEY;

/// Who asks, and what is known about them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    targeting_key: Option<String>,
    attributes: BTreeMap<String, Attribute>,
}

/// The value of one attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// UTF-8 text.
    Text(String),
    /// A number; callers know one type of number.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// A list, a map or null: there, but equal to nothing.
    Other,
}

impl Context {
    /// A context that says nothing.
    pub fn new() -> Context {
        Context::default()
    }

    /// Sets the targeting key. An empty one identifies nobody and counts as absent.
    #[must_use]
    pub fn with_targeting_key(mut self, unit: impl Into<String>) -> Context {
        self.targeting_key = Some(unit.into()).filter(|unit| !unit.is_empty());
        self
    }

    /// Sets an attribute; the last of equal names wins.
    ///
    /// The name `targetingKey` sets the targeting key: a text as it is, a finite number in its shortest decimal form;
    /// anything else cannot identify a unit and leaves none.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, attribute: Attribute) -> Context {
        let name = name.into();
        if name == TARGETING_KEY {
            self.targeting_key = unit_of(attribute);
        } else {
            self.attributes.insert(name, attribute);
        }
        self
    }

    /// The unit, if the caller named one.
    pub fn targeting_key(&self) -> Option<&str> {
        self.targeting_key.as_deref()
    }

    /// An attribute by name. The targeting key is none of them.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.get(name)
    }
}

/// The unit that an attribute names.
fn unit_of(attribute: Attribute) -> Option<String> {
    match attribute {
        Attribute::Text(text) => Some(text).filter(|unit| !unit.is_empty()),
        Attribute::Number(number) => number.is_finite().then(|| number.to_string()),
        Attribute::Boolean(_) | Attribute::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targeting_key_may_come_as_an_attribute() {
        let cases = [
            (Attribute::Text("ada".into()), Some("ada")),
            (Attribute::Text(String::new()), None),
            (Attribute::Number(42.0), Some("42")),
            (Attribute::Number(0.1), Some("0.1")),
            (Attribute::Number(f64::NAN), None),
            (Attribute::Boolean(true), None),
            (Attribute::Other, None),
        ];
        for (attribute, unit) in cases {
            let context = Context::new().with(TARGETING_KEY, attribute.clone());
            assert_eq!(context.targeting_key(), unit, "{attribute:?}");
            assert_eq!(context.attribute(TARGETING_KEY), None);
        }
    }

    #[test]
    fn an_empty_targeting_key_identifies_nobody() {
        assert_eq!(Context::new().with_targeting_key("").targeting_key(), None);
    }
}
