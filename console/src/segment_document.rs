//! One segment as a document (YAML or JSON), and its conversion to and from the wire.
//!
//! Members are lists of targeting keys. Groups of conditions, one of which must hold, stand under `any_of`; one group
//! alone stands under `conditions`.

use evaluation::Key;
use proto::v1;
use serde::{Serialize, Serializer};

use crate::{
    condition_document,
    document::{Fields, Kind, Node, Problems, Tree, text_of, texts_of},
    flag_document::KIND,
};

/// The fields that only a segment has: a document with one of them is a segment without saying so.
pub(crate) const OWN_FIELDS: [&str; 8] = [
    "included",
    "include",
    "members",
    "excluded",
    "exclude",
    "groups",
    "any_of",
    "conditions",
];

/// A segment as people read it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SegmentDocument(Tree);

impl Serialize for SegmentDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl SegmentDocument {
    /// The document of a segment.
    pub(crate) fn from_wire(segment: &v1::Segment) -> Self {
        let (conditions, groups) = match segment.groups.as_slice() {
            [] => (None, None),
            [group] => (Some(condition_document::write_all(&group.conditions)), None),
            groups => {
                let group = |group: &v1::ConditionGroup| condition_document::write_all(&group.conditions);
                (None, Some(Tree::List(groups.iter().map(group).collect())))
            }
        };
        Self(Tree::fields([
            ("key", Some(Tree::Text(segment.key.clone()))),
            ("description", Tree::text(&segment.description)),
            ("owner", Tree::text(&segment.owner)),
            ("tags", Tree::texts(&segment.tags)),
            ("conditions", conditions),
            ("any_of", groups),
            ("included", Tree::texts(&segment.included)),
            ("excluded", Tree::texts(&segment.excluded)),
        ]))
    }

    /// The tree, for documents that hold this one.
    pub(crate) fn into_tree(self) -> Tree {
        self.0
    }
}

/// Reads a segment from its node at `path`. `key` is its name in a map of segments.
pub(crate) fn read(node: &Node, path: &str, key: Option<&str>, problems: &mut Problems) -> v1::Segment {
    let Some(mut fields) = Fields::of(node, path, "a segment: a map of its fields", problems) else {
        return v1::Segment::default();
    };
    fields.take(KIND);
    let segment = v1::Segment {
        key: read_key(&mut fields, key, problems),
        description: fields.text("description", problems).unwrap_or_default(),
        owner: fields.text("owner", problems).unwrap_or_default(),
        tags: fields.texts("tags", problems),
        included: units(&mut fields, &["included", "include", "members"], problems),
        excluded: units(&mut fields, &["excluded", "exclude"], problems),
        groups: groups(&mut fields, problems),
    };
    fields.finish(problems);
    segment
}

fn read_key(fields: &mut Fields<'_>, outer: Option<&str>, problems: &mut Problems) -> String {
    let path = fields.path("key");
    let node = fields.take("key");
    let key = node.and_then(|node| text_of(node, &path, problems));
    let place = node.map_or(fields.place, |node| node.place);
    match (key.as_deref().or(outer), outer) {
        (Some(key), Some(outer)) if key != outer => {
            problems.wrong(
                place,
                &path,
                format!("it stands under {outer}; leave the key out, or write the same"),
            );
        }
        (Some(key), _) => {
            if let Err(error) = Key::parse(key) {
                problems.wrong(place, &path, error.to_string());
            }
        }
        (None, _) => problems.wrong(place, &path, "every segment needs one"),
    }
    key.or(outer.map(str::to_owned)).unwrap_or_default()
}

fn units(fields: &mut Fields<'_>, names: &[&'static str], problems: &mut Problems) -> Vec<String> {
    match fields.take_any(names, problems) {
        Some((name, node)) => texts_of(node, &fields.path(name), problems),
        None => Vec::new(),
    }
}

fn groups(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<v1::ConditionGroup> {
    let mut groups = Vec::new();
    if let Some((name, node)) = fields.take_any(&["conditions", "all_of"], problems) {
        let conditions = condition_document::read_all(node, &fields.path(name), problems);
        groups.push(v1::ConditionGroup { conditions });
    }
    if let Some((name, node)) = fields.take_any(&["any_of", "groups"], problems) {
        let path = fields.path(name);
        match &node.kind {
            Kind::List(list) => {
                let numbered = list.iter().enumerate();
                groups.extend(numbered.map(|(at, item)| group(item, &format!("{path}[{at}]"), problems)));
            }
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) => {
                problems.expected(node, &path, "a list of groups");
            }
        }
    }
    groups
}

/// A group: a list of conditions, one condition alone, or `{conditions: [...]}`.
fn group(node: &Node, path: &str, problems: &mut Problems) -> v1::ConditionGroup {
    let inner = ["conditions", "all_of"].into_iter().find(|name| {
        // A condition has an `all_of` too, beside its attribute.
        node.get("attribute").is_none() && node.get(name).is_some()
    });
    let conditions = match inner.and_then(|name| Some((name, node.get(name)?))) {
        Some((name, conditions)) => {
            if let Some(mut fields) = Fields::of(node, path, "a group", problems) {
                fields.take("conditions");
                fields.take("all_of");
                fields.finish(problems);
            }
            condition_document::read_all(conditions, &format!("{path}.{name}"), problems)
        }
        None => condition_document::read_all(node, path, problems),
    };
    v1::ConditionGroup { conditions }
}

#[cfg(test)]
mod tests;
