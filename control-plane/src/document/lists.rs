//! What differs between two lists: of named things, of members without an order, or of steps in order.
//!
//! Which it is follows from the field's name, as the protocol has it. A list of many members is told in numbers, because
//! nobody reads the names of ten thousand units.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::differences::{Differences, bare, element, field};

/// Members that are told one by one.
const MEMBERS: usize = 20;

/// How a list is to be understood.
enum Shape {
    /// Things with a name of their own, under this field; `in_order` if their order means something.
    Named { name: &'static str, in_order: bool },
    /// Members of a set.
    Set,
    /// Steps by their place.
    Steps,
    /// One thing.
    Whole,
}

impl Shape {
    /// Of a field.
    fn of(name: &str) -> Self {
        match name {
            "rules" => Self::Named {
                name: "name",
                in_order: true,
            },
            "stages" | "preflight" | "exit" => Self::Named {
                name: "name",
                in_order: true,
            },
            "metrics" => Self::Named {
                name: "key",
                in_order: false,
            },
            "prerequisites" => Self::Named {
                name: "flag",
                in_order: false,
            },
            "allow" => Self::Named {
                name: "variant",
                in_order: false,
            },
            "tags" | "deny" | "units" | "included" | "excluded" | "variants" | "literals" | "texts" | "networks"
            | "segments" | "audience" | "observed" | "manual_triggers" | "approvers" | "outcomes" | "windows" => {
                Self::Set
            }
            "conditions" | "groups" | "guards" | "duties" | "stakeholders" => Self::Steps,
            _ => Self::Whole,
        }
    }
}

/// Compares two lists of one field.
pub(super) fn compare(found: &mut Differences, path: &str, before: &[Json], after: &[Json]) {
    let name = path.rsplit('.').next().unwrap_or_default();
    match Shape::of(name) {
        Shape::Named { name, in_order } => {
            compare_named(found, path, name, before, after);
            if in_order {
                compare_order(found, path, name, before, after);
            }
        }
        Shape::Set => compare_sets(found, path, before, after),
        Shape::Steps => compare_steps(found, path, before, after),
        Shape::Whole => {
            let whole = |list: &[Json]| (!list.is_empty()).then(|| Json::from(list));
            found.note(path, whole(before).as_ref(), whole(after).as_ref());
        }
    }
}

fn compare_named(found: &mut Differences, path: &str, name: &str, before: &[Json], after: &[Json]) {
    for was in before {
        let path = element(path, &was[name]);
        match after.iter().find(|is| is[name] == was[name]) {
            Some(is) => found.compare(&path, was, is),
            None => found.note(&path, Some(was), None),
        }
    }
    for is in after {
        if before.iter().all(|was| was[name] != is[name]) {
            found.note(&element(path, &is[name]), None, Some(is));
        }
    }
}

/// The order of those that both have.
fn compare_order(found: &mut Differences, path: &str, name: &str, before: &[Json], after: &[Json]) {
    let common = |of: &[Json], other: &[Json]| {
        let names = of.iter().map(|thing| thing[name].clone());
        let known = names.filter(|own| other.iter().any(|thing| thing[name] == *own));
        Json::Array(known.collect())
    };
    let (was, is) = (common(before, after), common(after, before));
    if was != is {
        found.note(&field(path, "order"), Some(&was), Some(&is));
    }
}

fn compare_sets(found: &mut Differences, path: &str, before: &[Json], after: &[Json]) {
    let members = |list: &[Json]| {
        let members = list.iter().map(|member| (bare(member).to_string(), bare(member)));
        members.collect::<BTreeMap<_, _>>()
    };
    let (was, is) = (members(before), members(after));
    let only = |of: &BTreeMap<String, Json>, other: &BTreeMap<String, Json>| {
        let members = of.iter().filter(|(text, _)| !other.contains_key(*text));
        members.map(|(_, member)| member.clone()).collect()
    };
    let moved = Moved {
        before: was.len(),
        after: is.len(),
        gone: only(&was, &is),
        come: only(&is, &was),
    };
    note_members(found, path, &moved);
}

/// How a set has changed.
pub(super) struct Moved {
    /// How many members it had.
    pub(super) before: usize,
    /// How many it has.
    pub(super) after: usize,
    /// Those that are no longer there.
    pub(super) gone: Vec<Json>,
    /// Those that were not there.
    pub(super) come: Vec<Json>,
}

/// Members that came and went, one by one; in numbers if they are many.
pub(super) fn note_members(found: &mut Differences, path: &str, moved: &Moved) {
    let (gone, come) = (&moved.gone, &moved.come);
    if gone.len() + come.len() > MEMBERS {
        let before = json!({ "count": moved.before, "removed": gone.len() });
        let after = json!({ "count": moved.after, "added": come.len() });
        return found.note(path, Some(&before), Some(&after));
    }
    for member in gone {
        found.note(&element(path, member), Some(member), None);
    }
    for member in come {
        found.note(&element(path, member), None, Some(member));
    }
}

/// Equal steps at the beginning and at the end stay; those between are compared in their order.
fn compare_steps(found: &mut Differences, path: &str, before: &[Json], after: &[Json]) {
    let same = before.iter().zip(after).take_while(|(was, is)| was == is).count();
    let (was, is) = (&before[same..], &after[same..]);
    let tail = was
        .iter()
        .rev()
        .zip(is.iter().rev())
        .take_while(|(was, is)| was == is)
        .count();
    let (was, is) = (&was[..was.len() - tail], &is[..is.len() - tail]);
    for at in 0..was.len().max(is.len()) {
        let path = format!("{path}[{}]", same + at);
        match (was.get(at), is.get(at)) {
            (Some(was), Some(is)) if is_same_kind(was, is) => found.compare(&path, was, is),
            (was, is) => found.note(&path, was, is),
        }
    }
}

/// Whether two conditions test the same attribute in the same way, with other operands.
fn is_same_kind(before: &Json, after: &Json) -> bool {
    let tests = |fields: &Map<String, Json>| {
        let names = fields.keys().filter(|name| *name != "negated").cloned();
        names.collect::<Vec<_>>()
    };
    match (before, after) {
        (Json::Object(was), Json::Object(is)) => tests(was) == tests(is) && was.get("attribute") == is.get("attribute"),
        (was, is) => was == is,
    }
}
