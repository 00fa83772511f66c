//! What the caller says about itself: a targeting key and attributes.
//!
//! A context is built once at the door and only read after that. The first attributes lie in one array with the hashes
//! of their names, which is looked through from end to end; what is beyond that lies in a tree, so that a lookup stays
//! logarithmic whatever names a caller chooses. A hash map would have to defend itself against chosen names.

use std::collections::BTreeMap;

use crate::attribute::{self, TARGETING_KEY};
use crate::json::Json;

/// How many attributes lie in the array.
const FEW: usize = 16;

/// Who asks, and what is known about them.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// A text that is not empty.
    targeting_key: Option<Json>,
    few: Vec<Attribute>,
    many: BTreeMap<String, Json>,
}

/// An attribute with the hash of its name.
#[derive(Clone, Debug)]
struct Attribute {
    hash: u64,
    name: String,
    value: Json,
}

impl Context {
    /// A context that says nothing.
    pub fn new() -> Context {
        Context::default()
    }

    /// Sets the targeting key. An empty one identifies nobody and counts as absent.
    #[must_use]
    pub fn with_targeting_key(mut self, unit: impl Into<String>) -> Context {
        self.targeting_key = targeting_key(Json::Text(unit.into()));
        self
    }

    /// Sets an attribute; the last of equal names wins.
    ///
    /// The name `targetingKey` sets the targeting key: a text as it is, a finite number in its shortest decimal form;
    /// anything else cannot identify a unit and leaves none.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: Json) -> Context {
        let name = name.into();
        if name == TARGETING_KEY {
            self.targeting_key = targeting_key(value);
            return self;
        }
        let hash = attribute::hash(&name);
        let held = self.few.iter().position(|held| held.hash == hash && held.name == name);
        match held {
            Some(at) => self.few[at].value = value,
            None if self.few.len() < FEW => self.few.push(Attribute { hash, name, value }),
            None => _ = self.many.insert(name, value),
        }
        self
    }

    /// The unit, if the caller named one.
    pub fn targeting_key(&self) -> Option<&str> {
        match self.targeting_key.as_ref()? {
            Json::Text(unit) => Some(unit),
            Json::Null | Json::Boolean(_) | Json::Number(_) | Json::List(_) | Json::Object(_) => None,
        }
    }

    /// An attribute by its whole name. The targeting key is none of them.
    pub fn attribute(&self, name: &str) -> Option<&Json> {
        if name == TARGETING_KEY {
            None
        } else {
            self.find(attribute::hash(name), name.as_bytes())
        }
    }

    /// What stands under this name, whose hash is `hash`; the targeting key too.
    #[inline]
    pub(crate) fn find(&self, hash: u64, name: &[u8]) -> Option<&Json> {
        let found = self
            .few
            .iter()
            .find(|held| held.hash == hash && held.name.as_bytes() == name);
        match found {
            Some(attribute) => Some(&attribute.value),
            None => self.find_further(name),
        }
    }

    /// What is not in the array.
    fn find_further(&self, name: &[u8]) -> Option<&Json> {
        if name == TARGETING_KEY.as_bytes() {
            return self.targeting_key.as_ref();
        }
        if self.many.is_empty() {
            return None;
        }
        self.many.get(str::from_utf8(name).ok()?)
    }

    fn len(&self) -> usize {
        self.few.len() + self.many.len()
    }
}

impl PartialEq for Context {
    /// The order in which attributes were set does not matter.
    fn eq(&self, other: &Context) -> bool {
        let same = |held: &Attribute| other.find(held.hash, held.name.as_bytes()) == Some(&held.value);
        self.targeting_key == other.targeting_key
            && self.len() == other.len()
            && self.few.iter().all(same)
            && self
                .many
                .iter()
                .all(|(name, value)| other.attribute(name) == Some(value))
    }
}

/// What names the unit in an attribute.
fn targeting_key(value: Json) -> Option<Json> {
    match value {
        Json::Text(unit) => Some(unit).filter(|unit| !unit.is_empty()).map(Json::Text),
        // Adding zero makes one of the two zeros.
        Json::Number(number) => number.is_finite().then(|| Json::Text((number + 0.0).to_string())),
        Json::Boolean(_) | Json::Null | Json::List(_) | Json::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targeting_key_may_come_as_an_attribute() {
        let cases = [
            (Json::Text("ada".into()), Some("ada")),
            (Json::Text(String::new()), None),
            (Json::Number(42.0), Some("42")),
            (Json::Number(0.1), Some("0.1")),
            (Json::Number(-0.0), Some("0")),
            (Json::Number(f64::NAN), None),
            (Json::Boolean(true), None),
            (Json::Null, None),
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

    #[test]
    fn the_last_of_equal_names_wins_however_many_there_are() {
        let numbers = |order: &mut dyn Iterator<Item = usize>| {
            order.fold(Context::new(), |context, number| {
                context.with(number.to_string(), Json::Number(number as f64))
            })
        };
        let context = numbers(&mut (0..100)).with("3", Json::Null).with("99", Json::Null);
        assert_eq!(context.len(), 100);
        assert_eq!(context.attribute("3"), Some(&Json::Null));
        assert_eq!(context.attribute("99"), Some(&Json::Null));
        assert_eq!(context.attribute("50"), Some(&Json::Number(50.0)));
        assert_eq!(context.attribute("100"), None);
        assert_eq!(numbers(&mut (0..100)), numbers(&mut (0..100).rev()));
        assert_ne!(numbers(&mut (0..100)), context);
    }
}
