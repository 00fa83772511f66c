//! What differs between two documents, field by field, under paths that a person reads: `rules["staff"].serve.split`.
//!
//! Named things are aligned by their names, so that a rule that moved is not a rule that was rewritten; lists without
//! an order are compared as sets; what is one of several kinds is compared within its kind only. The answer is bounded
//! in number and size whatever the documents hold, and always in the same order.

use std::collections::BTreeSet;

use proto::v1::FieldChange;
use serde_json::{Map, Value as Json, json};

use super::lists;

/// The most changes that are told one by one.
const CHANGES: usize = 200;
/// The longest value, in bytes of JSON.
const VALUE: usize = 2 * 1024;
/// The longest that all values are together: fifty documents fit one message.
const TOTAL: usize = 48 * 1024;
/// The longest name within a path, in characters.
const NAME: usize = 200;

/// What differs; a document that is not there is like one without fields.
///
/// At most 200 changes of at most 48 KiB together; what is left out is counted by a last one without a path.
pub(crate) fn differences(before: Option<&Json>, after: Option<&Json>) -> Vec<FieldChange> {
    let nothing = Json::Object(Map::new());
    let mut found = Differences::default();
    found.compare("", before.unwrap_or(&nothing), after.unwrap_or(&nothing));
    found.into_changes()
}

/// The changes so far.
#[derive(Debug, Default)]
pub(super) struct Differences {
    changes: Vec<FieldChange>,
    bytes: usize,
    omitted: usize,
}

impl Differences {
    /// Notes that something is another thing now, has come or is gone.
    pub(super) fn note(&mut self, path: &str, before: Option<&Json>, after: Option<&Json>) {
        let change = FieldChange {
            path: path.to_owned(),
            before: before.map(text).unwrap_or_default(),
            after: after.map(text).unwrap_or_default(),
        };
        let bytes = change.path.len() + change.before.len() + change.after.len();
        if self.changes.len() == CHANGES || self.bytes + bytes > TOTAL {
            self.omitted += 1;
        } else {
            self.bytes += bytes;
            self.changes.push(change);
        }
    }

    /// Compares two values of one field.
    pub(super) fn compare(&mut self, path: &str, before: &Json, after: &Json) {
        match (before, after) {
            _ if before == after => {}
            (Json::Object(before), Json::Object(after)) => self.compare_fields(path, before, after),
            (Json::Array(before), Json::Array(after)) => lists::compare(self, path, before, after),
            (before, after) => self.note(path, Some(before), Some(after)),
        }
    }

    fn compare_fields(&mut self, path: &str, before: &Map<String, Json>, after: &Map<String, Json>) {
        for name in names(before, after) {
            let path = field(path, name);
            match (before.get(name), after.get(name)) {
                (Some(before), Some(after)) => self.compare_field(&path, name, before, after),
                (Some(before), None) => self.compare_absent(&path, name, before, Side::After),
                (None, Some(after)) => self.compare_absent(&path, name, after, Side::Before),
                (None, None) => {}
            }
        }
    }

    fn compare_field(&mut self, path: &str, name: &str, before: &Json, after: &Json) {
        match (name, before, after) {
            ("serve" | "default_serve" | "when_stale", Json::Object(was), Json::Object(is))
                if was.keys().ne(is.keys()) =>
            {
                self.note(path, Some(before), Some(after));
            }
            ("split", Json::Object(was), Json::Object(is)) => self.compare_splits(path, was, is),
            ("variants", Json::Object(was), Json::Object(is)) => self.compare_variants(path, was, is),
            _ => self.compare(path, before, after),
        }
    }

    /// A field that only one side has: a switch is off there, a list or map of named things is empty there.
    fn compare_absent(&mut self, path: &str, name: &str, present: &Json, absent: Side) {
        let other = match present {
            Json::Bool(_) => Json::Bool(false),
            Json::Array(_) => Json::Array(Vec::new()),
            Json::Object(_) if name == "variants" => Json::Object(Map::new()),
            Json::Null | Json::Number(_) | Json::String(_) | Json::Object(_) => {
                return match absent {
                    Side::Before => self.note(path, None, Some(present)),
                    Side::After => self.note(path, Some(present), None),
                };
            }
        };
        match absent {
            Side::Before => self.compare_field(path, name, &other, present),
            Side::After => self.compare_field(path, name, present, &other),
        }
    }

    /// Shares are one thing: the place of one share follows from the others. Where their buckets lie follows the shares,
    /// and is told only if nothing else is.
    fn compare_splits(&mut self, path: &str, before: &Map<String, Json>, after: &Map<String, Json>) {
        let (shares, ranges) = (("shares", path.to_owned()), ("ranges", field(path, "ranges")));
        let told = [shares, ranges]
            .into_iter()
            .find(|(name, _)| before.get(*name) != after.get(*name));
        if let Some((name, path)) = told {
            self.note(&path, before.get(name), after.get(name));
        }
        let rest = |split: &Map<String, Json>| {
            let rest = split
                .iter()
                .filter(|(name, _)| !["shares", "ranges"].contains(&name.as_str()));
            rest.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        self.compare_fields(path, &rest(before), &rest(after));
    }

    /// Variants by name; a value is told as the JSON that it stands for.
    fn compare_variants(&mut self, path: &str, before: &Map<String, Json>, after: &Map<String, Json>) {
        for name in names(before, after) {
            let path = element(path, &Json::String(name.clone()));
            match (before.get(name).map(bare), after.get(name).map(bare)) {
                (Some(before), Some(after)) => self.compare_values(&path, &before, &after),
                (before, after) => self.note(&path, before.as_ref(), after.as_ref()),
            }
        }
    }

    /// Compares JSON that users wrote: its names mean nothing to the protocol.
    fn compare_values(&mut self, path: &str, before: &Json, after: &Json) {
        let (Json::Object(was), Json::Object(is)) = (before, after) else {
            if before != after {
                self.note(path, Some(before), Some(after));
            }
            return;
        };
        for name in names(was, is) {
            let path = field(path, name);
            match (was.get(name), is.get(name)) {
                (Some(before), Some(after)) => self.compare_values(&path, before, after),
                (before, after) => self.note(&path, before, after),
            }
        }
    }

    /// The changes; what was left out is counted by a last one.
    pub(super) fn into_changes(mut self) -> Vec<FieldChange> {
        if self.omitted > 0 {
            self.changes.push(FieldChange {
                path: String::new(),
                before: String::new(),
                after: json!({ "omitted_changes": self.omitted }).to_string(),
            });
        }
        self.changes
    }
}

/// Which side has no such field.
#[derive(Debug, Clone, Copy)]
enum Side {
    Before,
    After,
}

/// The fields of both, in order.
fn names<'j>(before: &'j Map<String, Json>, after: &'j Map<String, Json>) -> BTreeSet<&'j String> {
    before.keys().chain(after.keys()).collect()
}

/// What a value or a literal of the protocol stands for: `{"boolean": true}` is `true`.
pub(super) fn bare(value: &Json) -> Json {
    let cases = ["boolean", "text", "integer", "number", "object"];
    match value.as_object().map(|fields| (fields.len(), fields.iter().next())) {
        Some((1, Some((case, value)))) if cases.contains(&case.as_str()) => value.clone(),
        Some(_) | None => value.clone(),
    }
}

/// The path of a field.
pub(super) fn field(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// The path of a named thing or member.
pub(super) fn element(path: &str, name: &Json) -> String {
    let name = match name {
        Json::String(text) if text.chars().count() > NAME => {
            Json::String(text.chars().take(NAME).chain(['…']).collect())
        }
        name => name.clone(),
    };
    format!("{path}[{name}]")
}

/// As text; what is too long is said to be so.
fn text(value: &Json) -> String {
    let text = value.to_string();
    if text.len() > VALUE {
        json!({ "omitted_bytes": text.len() }).to_string()
    } else {
        text
    }
}

#[cfg(test)]
mod tests;
