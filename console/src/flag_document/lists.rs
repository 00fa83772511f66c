//! Units that always get a variant, flags that must serve one, and what a stale snapshot serves.
//!
//! A list of one may be written without brackets; a list of units alone, without a variant, is of the variant that
//! means true.

use proto::v1::{self, when_stale};

use super::Variants;
use crate::document::{Fields, Kind, Node, Problems, Tree, texts_of};

/// Units under one of several names.
pub(super) fn read_units(fields: &mut Fields<'_>, names: &[&'static str], problems: &mut Problems) -> Vec<String> {
    match fields.take_any(names, problems) {
        Some((name, node)) => texts_of(node, &fields.path(name), problems),
        None => Vec::new(),
    }
}

/// `allow: {on: [user-7]}`, or `allow: [user-7]` for the variant that means true.
pub(super) fn read_allow(fields: &mut Fields<'_>, variants: &Variants, problems: &mut Problems) -> Vec<v1::AllowList> {
    let Some((name, node)) = fields.take_any(&["allow", "whitelist"], problems) else {
        return Vec::new();
    };
    let path = fields.path(name);
    match &node.kind {
        Kind::Map(map) => map
            .iter()
            .map(|(variant, units)| {
                let path = format!("{path}.{}", variant.text);
                variants.check(&variant.text, units, &path, problems);
                v1::AllowList {
                    variant: variant.text.clone(),
                    units: texts_of(units, &path, problems),
                }
            })
            .collect(),
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
            let units = texts_of(node, &path, problems);
            allow_true(node, &path, units, variants, problems)
        }
    }
}

/// The units get the variant that means true.
pub(super) fn allow_true(
    node: &Node,
    path: &str,
    units: Vec<String>,
    variants: &Variants,
    problems: &mut Problems,
) -> Vec<v1::AllowList> {
    match variants.only(true) {
        Some(variant) => vec![v1::AllowList {
            variant: variant.into(),
            units,
        }],
        None => {
            problems.wrong(node.place, path, "say which variant they get: {on: [user-7]}");
            Vec::new()
        }
    }
}

/// The lists as a document has them.
pub(super) fn write_allow(lists: &[v1::AllowList]) -> Option<Tree> {
    let list = |list: &v1::AllowList| (list.variant.clone(), Tree::list_of(&list.units));
    (!lists.is_empty()).then(|| Tree::Map(lists.iter().map(list).collect()))
}

/// `prerequisites: {billing-v2: on}`.
pub(super) fn read_prerequisites(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<v1::Prerequisite> {
    let Some((name, node)) = fields.take_any(&["prerequisites", "requires"], problems) else {
        return Vec::new();
    };
    let path = fields.path(name);
    match &node.kind {
        Kind::Map(map) => map
            .iter()
            .map(|(flag, variants)| v1::Prerequisite {
                flag: flag.text.clone(),
                variants: texts_of(variants, &format!("{path}.{}", flag.text), problems),
            })
            .collect(),
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
            problems.expected(node, &path, "flags and their variants: {billing-v2: on}");
            Vec::new()
        }
    }
}

/// The prerequisites as a document has them.
pub(super) fn write_prerequisites(prerequisites: &[v1::Prerequisite]) -> Option<Tree> {
    let one = |one: &v1::Prerequisite| (one.flag.clone(), Tree::one_or_list(&one.variants));
    (!prerequisites.is_empty()).then(|| Tree::Map(prerequisites.iter().map(one).collect()))
}

/// `when_stale: keep`, `off`, or `{variant: on}`.
pub(super) fn read_when_stale(
    fields: &mut Fields<'_>,
    variants: &Variants,
    problems: &mut Problems,
) -> Option<v1::WhenStale> {
    let node = fields.take("when_stale")?;
    let path = fields.path("when_stale");
    let kind = match &node.kind {
        Kind::Text(word) if word == "keep" => when_stale::Kind::Keep(v1::Keep {}),
        Kind::Text(word) if word == "off" => when_stale::Kind::Off(v1::Off {}),
        Kind::Map(_) => {
            let mut inner = Fields::of(node, &path, "{variant: on}", problems)?;
            let variant = inner
                .take("variant")
                .and_then(|node| variants.name(node, &path, problems));
            inner.finish(problems);
            when_stale::Kind::Variant(variant?)
        }
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
            problems.wrong(node.place, &path, "write keep, off, or {variant: on}");
            return None;
        }
    };
    Some(v1::WhenStale { kind: Some(kind) })
}

/// What a stale snapshot serves, as a document has it.
pub(super) fn write_when_stale(when_stale: Option<&v1::WhenStale>) -> Option<Tree> {
    Some(match when_stale?.kind.as_ref()? {
        when_stale::Kind::Keep(_) => Tree::Text("keep".into()),
        when_stale::Kind::Off(_) => Tree::Text("off".into()),
        when_stale::Kind::Variant(variant) => Tree::fields([("variant", Some(Tree::Text(variant.clone())))]),
    })
}
