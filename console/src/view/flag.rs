//! How flags are shown: one line after a change, a row in a list, a page of their own, and as a value for programs.

use proto::v1;
use serde::Serialize;

use crate::{
    document,
    flag_document::{FlagDocument, type_name, write_value},
    print, rule,
};

/// Values and lists are cut after this many characters; documents show them whole.
const LONG: usize = 60;

/// A flag with what the control plane knows of it, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct FlagView {
    /// The document, as `create -f` takes it.
    flag: FlagDocument,
    killed: bool,
    revision: u64,
    version: u32,
    created_at: Option<String>,
    updated_at: Option<String>,
    /// When it was put away; absent: it is in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    rollout: String,
}

impl FlagView {
    /// Of a flag that the control plane sent.
    pub(crate) fn of(stored: &v1::StoredFlag) -> Self {
        let flag = stored.flag.clone().unwrap_or_default();
        Self {
            flag: FlagDocument::from_wire(&flag),
            killed: flag.killed,
            revision: stored.revision,
            version: stored.version,
            created_at: print::timestamp(stored.created_at_us),
            updated_at: print::timestamp(stored.updated_at_us),
            archived_at: print::timestamp(stored.archived_at_us),
            rollout: stored.rollout.clone(),
        }
    }
}

/// `archived`, `killed`, `enabled` or `disabled`.
fn state(stored: &v1::StoredFlag, flag: &v1::Flag) -> &'static str {
    match (flag.killed, flag.enabled) {
        _ if stored.archived_at_us != 0 => "archived",
        (true, _) => "killed",
        (false, true) => "enabled",
        (false, false) => "disabled",
    }
}

fn off(flag: &v1::Flag) -> &str {
    if flag.off_variant.is_empty() {
        "the caller's default"
    } else {
        &flag.off_variant
    }
}

/// One line: who gets what, and at which revision.
pub(crate) fn summary(stored: &v1::StoredFlag) -> String {
    let flag = stored.flag.clone().unwrap_or_default();
    // A flag that was put away serves nobody: what it would serve is not said.
    let serves = match state(stored, &flag) {
        "enabled" => print::serve(flag.default_serve.as_ref()),
        "archived" => "archived, no agent holds it any more".into(),
        other => format!("{other}, everybody gets {}", off(&flag)),
    };
    let rollout = if stored.rollout.is_empty() {
        String::new()
    } else {
        format!(", under {}", stored.rollout)
    };
    print::plain(&format!(
        "{}: {serves}{rollout} (revision {})",
        flag.key, stored.revision
    ))
}

/// A table, one flag a row.
pub(crate) fn list(flags: &[v1::StoredFlag]) -> String {
    let rows = flags.iter().map(|stored| {
        let flag = stored.flag.clone().unwrap_or_default();
        [
            flag.key.clone(),
            type_name(flag.r#type).into(),
            state(stored, &flag).into(),
            print::serve(flag.default_serve.as_ref()),
            flag.rules.len().to_string(),
            stored.rollout.clone(),
            stored.revision.to_string(),
            print::moment(stored.updated_at_us),
        ]
    });
    print::table(
        [
            "KEY", "TYPE", "STATE", "DEFAULT", "RULES", "ROLLOUT", "REVISION", "UPDATED",
        ],
        rows,
    )
}

/// Everything about one flag.
pub(crate) fn page(stored: &v1::StoredFlag) -> String {
    let flag = stored.flag.clone().unwrap_or_default();
    let variants = flag
        .variants
        .iter()
        .map(|(name, value)| format!("{name}={}", show_value(value)));
    let allow = flag
        .allow
        .iter()
        .map(|list| format!("{}={}", list.variant, units(&list.units)));
    print::pairs([
        ("key", flag.key.clone()),
        ("type", type_name(flag.r#type).into()),
        ("state", state(stored, &flag).into()),
        ("default", print::serve(flag.default_serve.as_ref())),
        ("off variant", off(&flag).into()),
        ("variants", variants.collect::<Vec<_>>().join(", ")),
        ("deny", units(&flag.deny)),
        ("allow", allow.collect::<Vec<_>>().join("; ")),
        (
            "rules",
            flag.rules.iter().map(rule::show).collect::<Vec<_>>().join("; "),
        ),
        ("needs", prerequisites(&flag)),
        ("bucketed by", flag.bucket_by.join(", else ")),
        ("when stale", when_stale(&flag)),
        ("rollout", stored.rollout.clone()),
        ("description", flag.description.clone()),
        ("owner", flag.owner.clone()),
        ("tags", flag.tags.join(", ")),
        ("flag set", flag.flag_set.clone()),
        ("salt", flag.salt.clone()),
        ("revision", format!("{} (version {})", stored.revision, stored.version)),
        ("created", print::moment(stored.created_at_us)),
        ("updated", print::moment(stored.updated_at_us)),
        ("archived", print::moment(stored.archived_at_us)),
    ])
}

/// `billing-v2 serves on`, one after another.
fn prerequisites(flag: &v1::Flag) -> String {
    let words = |one: &v1::Prerequisite| format!("{} serves {}", one.flag, one.variants.join(" or "));
    flag.prerequisites.iter().map(words).collect::<Vec<_>>().join("; ")
}

/// What an agent serves that has not heard of the control plane for too long; empty: what it holds.
fn when_stale(flag: &v1::Flag) -> String {
    match flag.when_stale.as_ref().and_then(|stale| stale.kind.as_ref()) {
        Some(v1::when_stale::Kind::Variant(variant)) => variant.clone(),
        Some(v1::when_stale::Kind::Off(_)) => format!("off: {}", off(flag)),
        Some(v1::when_stale::Kind::Keep(_)) | None => String::new(),
    }
}

/// Texts in quotes; objects as JSON on one line.
fn show_value(value: &v1::Value) -> String {
    let tree = write_value(value);
    let text = match &tree {
        document::Tree::Null => "?".into(),
        tree => serde_json::to_string(tree).unwrap_or_else(|error| error.to_string()),
    };
    print::shortened(&text, LONG)
}

/// The first units, and how many more there are.
fn units(units: &[String]) -> String {
    let first = units.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
    match units.len().saturating_sub(10) {
        0 => first,
        more => format!("{first} and {} more", print::count(more as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archived_flag_is_called_archived_everywhere() {
        let stored = v1::StoredFlag {
            flag: Some(v1::Flag {
                key: "a".into(),
                enabled: true,
                ..v1::Flag::default()
            }),
            archived_at_us: 1,
            ..v1::StoredFlag::default()
        };
        assert_eq!(summary(&stored), "a: archived, no agent holds it any more (revision 0)");
        let state = page(&stored)
            .lines()
            .find(|line| line.starts_with("state"))
            .map(str::to_owned);
        assert!(state.is_some_and(|line| line.ends_with("archived")));
        assert!(list(&[stored]).contains("archived"));
    }
}
