//! One flag of flagd: state, variants, default variant, targeting, metadata.
//!
//! A disabled flag of flagd serves the caller's own default; so ours have no off variant.

use std::collections::BTreeMap;

use evaluation::Key;
use proto::v1::{self, FlagType, value};

use super::{Leniency, logic::Targeting, references::References};
use crate::document::{Fields, Kind, Node, Problems, json, text_of};

/// The flag, if nothing is wrong with it.
pub(super) fn read(
    node: &Node,
    key: &str,
    path: &str,
    set: Option<&str>,
    references: &References<'_>,
    leniency: Leniency,
    problems: &mut Problems,
) -> Option<v1::Flag> {
    let mut fields = Fields::of(
        node,
        path,
        "a flag: {\"state\", \"variants\", \"defaultVariant\", \"targeting\"}",
        problems,
    )?;
    fields.take("key");
    if let Err(error) = Key::parse(key) {
        problems.wrong(node.place, &fields.path("key"), error.to_string());
    }
    let enabled = read_state(&mut fields, problems);
    let (flag_type, variants) = read_variants(&mut fields, problems);
    let default = read_default(&mut fields, &variants, problems);
    let mut flag = v1::Flag {
        key: key.into(),
        r#type: flag_type.into(),
        enabled,
        default_serve: Some(default.clone()),
        flag_set: set.unwrap_or_default().into(),
        ..v1::Flag::default()
    };
    read_metadata(&mut flag, &mut fields, problems);
    if let Some(targeting) = fields.take("targeting") {
        let path = fields.path("targeting");
        let targeting = references.resolve(targeting, &path, problems);
        let reader = Targeting::new(key, &variants, default, leniency);
        reader.read(&targeting, &path, &mut flag, problems);
    }
    flag.variants = variants;
    fields.finish(problems);
    Some(flag)
}

fn read_state(fields: &mut Fields<'_>, problems: &mut Problems) -> bool {
    let path = fields.path("state");
    match fields.take("state") {
        Some(Node {
            kind: Kind::Text(state),
            ..
        }) if state == "ENABLED" => true,
        Some(Node {
            kind: Kind::Text(state),
            ..
        }) if state == "DISABLED" => false,
        Some(node) => {
            problems.wrong(node.place, &path, "neither ENABLED nor DISABLED");
            false
        }
        None => {
            problems.wrong(fields.place, &path, "missing");
            false
        }
    }
}

fn read_variants(fields: &mut Fields<'_>, problems: &mut Problems) -> (FlagType, BTreeMap<String, v1::Value>) {
    let path = fields.path("variants");
    let map = match fields.take("variants") {
        Some(Node {
            kind: Kind::Map(map), ..
        }) if !map.is_empty() => map,
        Some(node) => {
            problems.expected(node, &path, "a map of names and values, at least one");
            return (FlagType::Unspecified, BTreeMap::new());
        }
        None => {
            problems.wrong(fields.place, &path, "missing");
            return (FlagType::Unspecified, BTreeMap::new());
        }
    };
    let integral = map.iter().all(|(_, node)| match &node.kind {
        Kind::Number(number) => number.whole.is_some_and(|whole| whole.unsigned_abs() <= 1 << 53),
        Kind::Null | Kind::Boolean(_) | Kind::Text(_) | Kind::List(_) | Kind::Map(_) => true,
    });
    let mut types = Vec::new();
    let mut variants = BTreeMap::new();
    for (name, node) in map {
        let path = format!("{path}.{}", name.text);
        let (flag_type, kind) = match &node.kind {
            Kind::Boolean(boolean) => (FlagType::Boolean, value::Kind::Boolean(*boolean)),
            Kind::Text(text) => (FlagType::String, value::Kind::Text(text.clone())),
            Kind::Number(number) if integral => (
                FlagType::Integer,
                value::Kind::Integer(number.whole.unwrap_or_default()),
            ),
            Kind::Number(number) => (FlagType::Float, value::Kind::Number(number.value)),
            Kind::Map(_) => match json::object(node, &path, problems) {
                Some(fields) => (FlagType::Object, value::Kind::Object(fields)),
                None => continue,
            },
            Kind::Null | Kind::List(_) => {
                problems.expected(node, &path, "a boolean, text, a number or an object");
                continue;
            }
        };
        types.push(flag_type);
        variants.insert(name.text.clone(), v1::Value { kind: Some(kind) });
    }
    types.dedup();
    match types.as_slice() {
        [flag_type] => (*flag_type, variants),
        _ => {
            problems.wrong(fields.place, &path, "values of several types; a flag has one");
            (FlagType::Unspecified, variants)
        }
    }
}

/// The default variant; `null`, `""` and none are the caller's own default.
fn read_default(fields: &mut Fields<'_>, variants: &BTreeMap<String, v1::Value>, problems: &mut Problems) -> v1::Serve {
    let path = fields.path("defaultVariant");
    let kind = match fields.take("defaultVariant") {
        None => None,
        Some(node) => match text_of(node, &path, problems) {
            Some(name) if name.is_empty() => None,
            Some(name) => {
                if !variants.contains_key(&name) {
                    problems.wrong(node.place, &path, format!("no variant `{name}`"));
                }
                Some(v1::serve::Kind::Variant(name))
            }
            None => None,
        },
    };
    v1::Serve {
        kind: Some(kind.unwrap_or(v1::serve::Kind::CallerDefault(v1::CallerDefault {}))),
    }
}

/// `flagSetId` is the flag set; the rest is for people, and goes where people read.
fn read_metadata(flag: &mut v1::Flag, fields: &mut Fields<'_>, problems: &mut Problems) {
    let path = fields.path("metadata");
    let Some(metadata) = fields.take("metadata") else {
        return;
    };
    if let Some(set) = flag_set(metadata, &path, problems) {
        flag.flag_set = set;
    }
    let Some(mut rest) = json::object(metadata, &path, problems) else {
        return;
    };
    rest.fields.remove("flagSetId");
    if !rest.fields.is_empty() {
        let text = serde_json::to_string(&json::tree(&rest)).unwrap_or_default();
        flag.description = format!("flagd metadata: {text}");
        problems.note(
            metadata.place,
            &path,
            "kept in the description; evaluations do not return it",
        );
    }
}

/// The flag set that metadata names.
pub(super) fn flag_set(metadata: &Node, path: &str, problems: &mut Problems) -> Option<String> {
    let path = format!("{path}.flagSetId");
    let node = metadata.get("flagSetId")?;
    let set = text_of(node, &path, problems).filter(|set| !set.is_empty())?;
    if let Err(error) = Key::parse(&set) {
        problems.wrong(node.place, &path, error.to_string());
    }
    Some(set)
}
