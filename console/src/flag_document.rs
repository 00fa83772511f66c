//! One flag as a document (YAML or JSON), and its conversion to and from the wire.
//!
//! Read from a tree that knows places, so that everything that is wrong is said at once, with file, line and column;
//! written so that what was written reads back as the same flag. What a small flag does not say is filled in here: a
//! boolean flag needs no type, no variants and no default, `percent: 25` says all of a percentage flag. What a document
//! cannot know (whether another flag exists) is the control plane's to say.

mod lists;
mod percent;
mod rules;
mod serve;
mod variants;
mod vocabulary;

use proto::v1;
use serde::{Serialize, Serializer};

pub(crate) use self::{
    percent::Percent,
    variants::{type_name, write_value},
};
use self::{serve::Serving, variants::Variants};
use crate::document::{Fields, Kind, Node, Problems, Tree};

/// The fields that a document of a flag begins with when it is one of several kinds.
pub(crate) const KIND: &str = "kind";

/// A flag as people read it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FlagDocument(Tree);

impl Serialize for FlagDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl FlagDocument {
    /// The document of a flag that the control plane sent: everything but the kill switch, which is no part of it.
    pub(crate) fn from_wire(flag: &v1::Flag) -> Self {
        Self(Tree::fields([
            ("key", Some(Tree::Text(flag.key.clone()))),
            ("type", Some(Tree::Text(type_name(flag.r#type).into()))),
            ("description", Tree::text(&flag.description)),
            ("owner", Tree::text(&flag.owner)),
            ("tags", Tree::texts(&flag.tags)),
            ("flag_set", Tree::text(&flag.flag_set)),
            ("enabled", Some(Tree::Boolean(flag.enabled))),
            ("salt", Tree::text(&flag.salt)),
            ("hash_scheme", hash_scheme(flag)),
            ("bucket_by", Tree::texts(&flag.bucket_by)),
            ("variants", Some(variants::write(&flag.variants))),
            ("off_variant", Tree::text(&flag.off_variant)),
            ("default", Some(serve::write(flag.default_serve.as_ref()))),
            ("deny", Tree::texts(&flag.deny)),
            ("allow", lists::write_allow(&flag.allow)),
            ("prerequisites", lists::write_prerequisites(&flag.prerequisites)),
            ("rules", rules::write(&flag.rules)),
            ("when_stale", lists::write_when_stale(flag.when_stale.as_ref())),
        ]))
    }

    /// The tree, for documents that hold this one.
    pub(crate) fn into_tree(self) -> Tree {
        self.0
    }
}

fn hash_scheme(flag: &v1::Flag) -> Option<Tree> {
    match flag.hash_scheme() {
        v1::HashScheme::Unspecified => None,
        v1::HashScheme::Murmur3 => Some(Tree::Text("murmur3".into())),
    }
}

/// Reads one flag from a text; every problem as `file:line:column: field: what is wrong`.
pub(crate) fn parse(file: &str, text: &str) -> Result<v1::Flag, Vec<String>> {
    let mut problems = Problems::of(file);
    let flag = match Node::parse(text) {
        Ok(nodes) => match nodes.as_slice() {
            [node] => read(node, "", None, &mut problems),
            nodes => {
                let place = nodes.get(1).map(|node| node.place).unwrap_or_default();
                let what = format!("{} documents; one flag is wanted (apply -f takes many)", nodes.len());
                problems.wrong(place, "", what);
                v1::Flag::default()
            }
        },
        Err(error) => {
            problems.syntax(&error);
            v1::Flag::default()
        }
    };
    match problems.into_lines() {
        (problems, _) if problems.is_empty() => Ok(flag),
        (problems, _) => Err(problems),
    }
}

/// Reads a flag from its node at `path`. `key` is its name in a map of flags.
pub(crate) fn read(node: &Node, path: &str, key: Option<&str>, problems: &mut Problems) -> v1::Flag {
    let Some(mut fields) = Fields::of(node, path, "a flag: a map of its fields", problems) else {
        return v1::Flag::default();
    };
    fields.take(KIND);
    let mut flag = v1::Flag {
        key: read_key(&mut fields, key, problems),
        description: fields.text("description", problems).unwrap_or_default(),
        owner: fields.text("owner", problems).unwrap_or_default(),
        tags: fields.texts("tags", problems),
        flag_set: fields.text("flag_set", problems).unwrap_or_default(),
        enabled: fields.boolean("enabled", problems).unwrap_or(true),
        salt: fields.text("salt", problems).unwrap_or_default(),
        hash_scheme: read_hash_scheme(&mut fields, problems),
        bucket_by: fields.texts("bucket_by", problems),
        ..v1::Flag::default()
    };
    let variants = Variants::read(&mut fields, problems);
    read_decisions(&mut flag, &mut fields, &variants, problems);
    fields.finish(problems);
    flag.r#type = variants.flag_type.into();
    flag.variants = variants.into_values();
    flag
}

/// What the flag serves to whom.
fn read_decisions(flag: &mut v1::Flag, fields: &mut Fields<'_>, variants: &Variants, problems: &mut Problems) {
    let off = fields.take("off_variant").and_then(|node| {
        let field = fields.path("off_variant");
        variants.name(node, &field, problems)
    });
    flag.off_variant = off.or_else(|| variants.implied_off()).unwrap_or_default();
    flag.deny = lists::read_units(fields, &["deny", "blacklist"], problems);
    flag.allow = lists::read_allow(fields, variants, problems);
    flag.prerequisites = lists::read_prerequisites(fields, problems);
    flag.when_stale = lists::read_when_stale(fields, variants, problems);
    let old = vocabulary::read(flag, fields, variants, problems);
    flag.rules.extend(rules::read(fields, variants, problems));
    let serving = Serving {
        variants,
        off: &flag.off_variant,
        old,
    };
    flag.default_serve = serving.read(fields, problems);
}

fn read_key(fields: &mut Fields<'_>, outer: Option<&str>, problems: &mut Problems) -> String {
    let place = fields.place;
    let path = fields.path("key");
    let (place, key) = match fields.take_any(&["key", "name"], problems) {
        Some((name, node)) => {
            let text = crate::document::text_of(node, &fields.path(name), problems);
            (node.place, text)
        }
        None => (place, None),
    };
    match (key, outer) {
        (Some(key), Some(outer)) if key != outer => {
            problems.wrong(
                place,
                &path,
                format!("it stands under {outer}; leave the key out, or write the same"),
            );
            key
        }
        (Some(key), _) => {
            if let Err(error) = evaluation::Key::parse(&key) {
                problems.wrong(place, &path, error.to_string());
            }
            key
        }
        (None, Some(outer)) => {
            if let Err(error) = evaluation::Key::parse(outer) {
                problems.wrong(place, &path, error.to_string());
            }
            outer.into()
        }
        (None, None) => {
            problems.wrong(place, &path, "every flag needs one");
            String::new()
        }
    }
}

fn read_hash_scheme(fields: &mut Fields<'_>, problems: &mut Problems) -> i32 {
    let Some(node) = fields.take("hash_scheme") else {
        return v1::HashScheme::Unspecified.into();
    };
    match &node.kind {
        Kind::Text(name) if name == "murmur3" => v1::HashScheme::Murmur3.into(),
        _ => {
            problems.wrong(
                node.place,
                &fields.path("hash_scheme"),
                "no such scheme; there is murmur3",
            );
            v1::HashScheme::Unspecified.into()
        }
    }
}

#[cfg(test)]
mod tests;
