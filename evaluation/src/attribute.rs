//! The name by which a flag or segment looks for an attribute: a whole name, else a path into nested objects.
//!
//! The name is hashed once, when the flag is compiled; a context has the hashes of its names too, so that looking one up
//! compares numbers. A context that has the whole name answers with that; only then is the name cut at its dots.

use crate::context::Context;
use crate::json::Json;
use crate::names::name_hash;
use crate::pool::{Pool, PoolBuilder, Text};

/// The attribute that names the unit.
pub const TARGETING_KEY: &str = "targetingKey";

/// Where names of attributes are hashed apart from other names.
const SPACE: u8 = 0;

/// The name of an attribute, ready to be looked up; its text lies in a pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttributeName {
    hash: u64,
    text: Text,
    has_dot: bool,
}

impl AttributeName {
    /// Adds a name to the pool.
    pub(crate) fn new(text: &str, pool: &mut PoolBuilder) -> AttributeName {
        AttributeName {
            hash: hash(text),
            text: pool.text(text),
            has_dot: text.contains('.'),
        }
    }

    /// The name as written.
    pub(crate) fn as_str(self, pool: &Pool) -> &str {
        // Only texts are added to a pool.
        str::from_utf8(pool.text(self.text)).unwrap_or_default()
    }

    /// What the context has under this name, whose text lies in `pool`.
    #[inline]
    pub(crate) fn find<'c>(self, pool: &Pool, context: &'c Context) -> Option<&'c Json> {
        let whole = context.find(self.hash, pool.text(self.text));
        if whole.is_none() && self.has_dot {
            return follow(self.as_str(pool), context);
        }
        whole
    }
}

/// The hash of an attribute's name.
pub(crate) fn hash(name: &str) -> u64 {
    name_hash(SPACE, name)
}

/// Follows a path from its first dot.
#[cold]
fn follow<'c>(path: &str, context: &'c Context) -> Option<&'c Json> {
    let (head, rest) = path.split_once('.')?;
    inside(context.find(hash(head), head.as_bytes())?, rest)
}

/// What lies at `path` in nested objects: at each the rest of the path as one name, else its first part.
fn inside<'c>(value: &'c Json, path: &str) -> Option<&'c Json> {
    let (mut value, mut path) = (value, path);
    loop {
        let Json::Object(fields) = value else {
            return None;
        };
        if let Some(found) = fields.get(path) {
            return Some(found);
        }
        let (head, rest) = path.split_once('.')?;
        value = fields.get(head)?;
        path = rest;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn object(name: &str, value: Json) -> Json {
        Json::Object(BTreeMap::from([(name.to_owned(), value)]))
    }

    fn text(text: &str) -> Json {
        Json::Text(text.to_owned())
    }

    fn find(context: &Context, name: &str) -> Option<String> {
        let mut pool = PoolBuilder::default();
        let name = AttributeName::new(name, &mut pool);
        match name.find(&pool.finish(), context) {
            Some(Json::Text(text)) => Some(text.clone()),
            Some(_) | None => None,
        }
    }

    #[test]
    fn a_path_reaches_into_nested_objects() {
        let context = Context::new().with("address", object("home", object("country", text("NL"))));
        assert_eq!(find(&context, "address.home.country").as_deref(), Some("NL"));
        for absent in [
            "address",
            "address.home",
            "address.work.country",
            "address.",
            ".address",
            ".",
        ] {
            assert_eq!(find(&context, absent), None, "{absent}");
        }
    }

    #[test]
    fn a_whole_name_goes_before_a_path() {
        let context = Context::new()
            .with("a.b", text("whole"))
            .with("a", object("b", text("nested")));
        assert_eq!(find(&context, "a.b").as_deref(), Some("whole"));
        let context = Context::new().with("a", object("b.c", text("rest")));
        assert_eq!(find(&context, "a.b.c").as_deref(), Some("rest"));
    }

    #[test]
    fn the_targeting_key_is_found_by_its_name() {
        let context = Context::new().with_targeting_key("ada");
        assert_eq!(find(&context, TARGETING_KEY).as_deref(), Some("ada"));
    }
}
