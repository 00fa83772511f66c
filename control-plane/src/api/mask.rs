//! Field masks: which fields of a document a request gives.
//!
//! Whole fields only, by their names in the protocol. A mask that is not there, or `*` alone, is all of them.

use std::collections::BTreeSet;

use evaluation::{Flag, Violation};
use prost_types::FieldMask;
use proto::{
    status::{invalid, violation},
    v1,
};
use tonic::Status;

/// The fields of a flag that an update takes.
const FLAG: [&str; 16] = [
    "description",
    "owner",
    "tags",
    "flag_set",
    "enabled",
    "salt",
    "variants",
    "off_variant",
    "default_serve",
    "deny",
    "allow",
    "rules",
    "prerequisites",
    "hash_scheme",
    "bucket_by",
    "when_stale",
];
/// How many violations are listed.
const LISTED: usize = 20;
/// How many characters of a path are repeated.
const SHOWN: usize = 60;

/// The fields that a mask names, of those that may stand in it; none: all.
pub(super) fn fields(
    mask: Option<FieldMask>,
    known: &[&'static str],
) -> Result<Option<BTreeSet<&'static str>>, Status> {
    read(mask.as_ref(), known, &[]).map_err(|violations| invalid(&violations))
}

/// The same, with words for those that are refused for a reason of their own.
fn read(
    mask: Option<&FieldMask>,
    known: &[&'static str],
    refused: &[(&str, &str)],
) -> Result<Option<BTreeSet<&'static str>>, Vec<Violation>> {
    let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
    if paths.is_empty() || paths == ["*"] {
        return Ok(None);
    }
    let (mut fields, mut wrong) = (BTreeSet::new(), Vec::new());
    for (at, path) in paths.iter().enumerate() {
        match known.iter().find(|field| *field == path) {
            Some(field) => _ = fields.insert(*field),
            None if wrong.len() < LISTED => {
                wrong.push(violation(format!("update_mask.paths[{at}]"), why(path, known, refused)));
            }
            None => {}
        }
    }
    if wrong.is_empty() { Ok(Some(fields)) } else { Err(wrong) }
}

/// What is wrong with a path.
fn why(path: &str, known: &[&str], refused: &[(&str, &str)]) -> String {
    if let Some((field, reason)) = refused.iter().find(|(field, _)| *field == path) {
        return format!("{field} {reason}");
    }
    let shown = path.chars().take(SHOWN).collect::<String>();
    match path.split(['.', '[']).next().filter(|whole| known.contains(whole)) {
        Some(whole) => format!("{shown:?} is a part of a field; name the whole field, {whole:?}"),
        None => format!(
            "{shown:?} is no field that can be changed; there are: {}",
            known.join(", ")
        ),
    }
}

/// The flag before with the fields of another that a mask names.
///
/// `key` may stand in the mask: it is that of the flag before. An empty salt, or none in the mask, is the present one.
pub(super) fn flag(before: &Flag, wanted: &v1::Flag, mask: Option<&FieldMask>) -> Result<v1::Flag, Vec<Violation>> {
    let known = FLAG.into_iter().chain(["key"]).collect::<Vec<_>>();
    let refused = [
        ("type", "of a flag cannot be changed; create another flag"),
        ("killed", "is changed by a kill or a revive, not by an update"),
    ];
    let Some(fields) = read(mask, &known, &refused)? else {
        return Ok(wanted.clone());
    };
    let mut flag = v1::Flag::from(before);
    for field in fields {
        take(&mut flag, wanted, field);
    }
    Ok(flag)
}

/// Takes one field.
fn take(flag: &mut v1::Flag, wanted: &v1::Flag, field: &str) {
    match field {
        "description" => flag.description.clone_from(&wanted.description),
        "owner" => flag.owner.clone_from(&wanted.owner),
        "tags" => flag.tags.clone_from(&wanted.tags),
        "flag_set" => flag.flag_set.clone_from(&wanted.flag_set),
        "enabled" => flag.enabled = wanted.enabled,
        "salt" => flag.salt.clone_from(&wanted.salt),
        "variants" => flag.variants.clone_from(&wanted.variants),
        "off_variant" => flag.off_variant.clone_from(&wanted.off_variant),
        "default_serve" => flag.default_serve.clone_from(&wanted.default_serve),
        "deny" => flag.deny.clone_from(&wanted.deny),
        "allow" => flag.allow.clone_from(&wanted.allow),
        "rules" => flag.rules.clone_from(&wanted.rules),
        "prerequisites" => flag.prerequisites.clone_from(&wanted.prerequisites),
        "hash_scheme" => flag.hash_scheme = wanted.hash_scheme,
        "bucket_by" => flag.bucket_by.clone_from(&wanted.bucket_by),
        "when_stale" => flag.when_stale = wanted.when_stale.clone(),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn mask(paths: &[&str]) -> FieldMask {
        FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }
    }

    #[test]
    fn every_field_that_is_named_is_taken_and_no_other() {
        let before = crate::builders::flag("checkout");
        let nothing = v1::Flag::default();
        let is = v1::Flag::from(&before);
        for field in FLAG {
            let wanted = v1::Flag {
                description: "d".to_owned(),
                owner: "o".to_owned(),
                tags: vec!["t".to_owned()],
                flag_set: "s".to_owned(),
                off_variant: "old".to_owned(),
                deny: vec!["u".to_owned()],
                allow: vec![v1::AllowList::default()],
                rules: vec![v1::Rule::default()],
                prerequisites: vec![v1::Prerequisite::default()],
                hash_scheme: 7,
                bucket_by: vec!["b".to_owned()],
                when_stale: Some(v1::WhenStale::default()),
                ..nothing.clone()
            };
            let after = flag(&before, &wanted, Some(&mask(&[field]))).unwrap();
            let json = |flag: &v1::Flag| crate::document::json("tidegate.v1.Flag", flag);
            let (was, is) = (json(&is), json(&after));
            let fields = was.as_object().unwrap().keys().chain(is.as_object().unwrap().keys());
            let mut moved = fields
                .filter(|name| was.get(*name) != is.get(*name))
                .collect::<Vec<_>>();
            moved.dedup();
            assert!(moved.iter().all(|name| *name == field), "{field}: {moved:?}");
            assert!(!moved.is_empty(), "{field} was not taken");
        }
    }

    #[test]
    fn no_mask_and_a_star_are_the_whole_document() {
        let (before, wanted) = (crate::builders::flag("checkout"), v1::Flag::default());
        for all in [None, Some(mask(&[])), Some(mask(&["*"]))] {
            assert_eq!(flag(&before, &wanted, all.as_ref()).unwrap(), wanted);
        }
    }

    #[test]
    fn a_path_that_is_wrong_is_answered_with_what_would_be_right() {
        let (before, wanted) = (crate::builders::flag("checkout"), v1::Flag::default());
        let wrong = flag(
            &before,
            &wanted,
            Some(&mask(&[
                "key",
                "variants.on",
                "rules[0]",
                "enabeld",
                "type",
                "killed",
                "*",
            ])),
        );
        let wrong = wrong.unwrap_err();
        let said = |at: usize| {
            wrong
                .iter()
                .find(|found| found.field == format!("update_mask.paths[{at}]"))
        };
        assert!(said(0).is_none());
        assert!(
            said(1)
                .unwrap()
                .description
                .contains("name the whole field, \"variants\"")
        );
        assert!(said(2).unwrap().description.contains("name the whole field, \"rules\""));
        assert!(said(3).unwrap().description.contains("there are: description, owner"));
        assert!(said(4).unwrap().description.contains("create another flag"));
        assert!(said(5).unwrap().description.contains("a revive"));
        assert!(said(6).is_some());
    }
}
