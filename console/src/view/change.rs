//! What differs between two documents, field by field: a line each if it is short, else what was above what is.
//!
//! Programs get the values as JSON, absent where there is none.

use proto::v1;
use serde::Serialize;
use serde_json::Value as Json;

use crate::{
    json,
    print::{self, Paint, Tone, plain},
};

/// A change is one line up to this many characters.
const SHORT: usize = 100;
/// A longer value is cut: the rest is not for reading.
const LONG: usize = 4_000;

/// A field that differs, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct FieldView {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Json>,
}

impl FieldView {
    /// Of a difference that the control plane sent.
    pub(crate) fn of(change: &v1::FieldChange) -> Self {
        Self {
            path: change.path.clone(),
            before: json::of_text(&change.before),
            after: json::of_text(&change.after),
        }
    }

    /// Of all of them.
    pub(crate) fn all(changes: &[v1::FieldChange]) -> Vec<Self> {
        changes.iter().map(Self::of).collect()
    }
}

/// A document that differs or was written, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct DocumentView {
    kind: &'static str,
    key: String,
    action: &'static str,
    changes: Vec<FieldView>,
    #[serde(skip_serializing_if = "is_zero")]
    revision: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl DocumentView {
    /// Of a document that a copy would change.
    pub(crate) fn of_difference(difference: &v1::Difference) -> Self {
        Self::of(difference.name.as_ref(), difference.action(), &difference.changes, 0)
    }

    /// Of what became of a document.
    pub(crate) fn of_result(result: &v1::DocumentResult) -> Self {
        Self::of(result.name.as_ref(), result.action(), &result.changes, result.revision)
    }

    fn of(
        name: Option<&v1::DocumentName>,
        action: v1::DocumentAction,
        changes: &[v1::FieldChange],
        revision: u64,
    ) -> Self {
        let name = name.cloned().unwrap_or_default();
        Self {
            kind: kind(name.kind()),
            key: name.key,
            action: action_name(action),
            changes: FieldView::all(changes),
            revision,
        }
    }
}

/// `flag` or `segment`.
pub(crate) fn kind(kind: v1::DocumentKind) -> &'static str {
    match kind {
        v1::DocumentKind::Unspecified => "document",
        v1::DocumentKind::Flag => "flag",
        v1::DocumentKind::Segment => "segment",
    }
}

fn action_name(action: v1::DocumentAction) -> &'static str {
    match action {
        v1::DocumentAction::Unspecified => "unknown",
        v1::DocumentAction::Created => "created",
        v1::DocumentAction::Updated => "updated",
        v1::DocumentAction::Unchanged => "unchanged",
        v1::DocumentAction::Deleted => "deleted",
    }
}

/// One document: what becomes of it, and its differences below, indented.
pub(crate) fn document(
    name: Option<&v1::DocumentName>,
    action: v1::DocumentAction,
    changes: &[v1::FieldChange],
    paint: Paint,
) -> String {
    let name = name.cloned().unwrap_or_default();
    let (sign, tone) = match action {
        v1::DocumentAction::Created => ("+", Tone::Good),
        v1::DocumentAction::Deleted => ("-", Tone::Bad),
        v1::DocumentAction::Updated => ("~", Tone::Warning),
        v1::DocumentAction::Unchanged | v1::DocumentAction::Unspecified => ("=", Tone::Faint),
    };
    let title = format!(
        "{sign} {} {} ({})",
        kind(name.kind()),
        plain(&name.key),
        action_name(action)
    );
    let mut text = paint.tone(tone, &title);
    for line in fields(changes, paint) {
        text.push_str("\n    ");
        text.push_str(&line);
    }
    text
}

/// The differences, a line each, or two lines where a value is long.
pub(crate) fn fields(changes: &[v1::FieldChange], paint: Paint) -> Vec<String> {
    changes.iter().flat_map(|change| field(change, paint)).collect()
}

fn field(change: &v1::FieldChange, paint: Paint) -> Vec<String> {
    let worded = |text: &str| named(&change.path, text).unwrap_or_else(|| value(text));
    let path = match change.path.strip_prefix("default_serve") {
        Some(rest) => plain(&format!("default{rest}")),
        None => plain(&change.path),
    };
    let (before, after) = (worded(&change.before), worded(&change.after));
    match (before.is_empty(), after.is_empty()) {
        (true, _) => vec![paint.tone(Tone::Good, &format!("+ {path}: {after}"))],
        (false, true) => vec![paint.tone(Tone::Bad, &format!("- {path}: {before}"))],
        (false, false) if path.chars().count() + before.chars().count() + after.chars().count() <= SHORT => {
            vec![format!(
                "~ {path}: {} -> {}",
                paint.tone(Tone::Bad, &before),
                paint.tone(Tone::Good, &after)
            )]
        }
        (false, false) => vec![
            paint.tone(Tone::Bad, &format!("- {path}: {before}")),
            paint.tone(Tone::Good, &format!("+ {path}: {after}")),
        ],
    }
}

/// A name of the protocol as documents have it: `FLAG_TYPE_BOOLEAN` is `boolean`; none of other fields.
fn named(path: &str, text: &str) -> Option<String> {
    let prefix = match path {
        "type" => "FLAG_TYPE_",
        "hash_scheme" => "HASH_SCHEME_",
        _ => return None,
    };
    let name = text.trim_matches('"').strip_prefix(prefix)?;
    Some(plain(&name.to_lowercase()))
}

/// A value in one safe line: text that is a plain word without its quotes, what is served in words, other JSON as it is.
fn value(text: &str) -> String {
    let shown = match json::of_text(text).map(shorter) {
        None => return String::new(),
        Some(Json::String(word)) if is_word(&word) => word,
        Some(value) => value.to_string(),
    };
    let shown = plain(&shown);
    match shown.char_indices().nth(LONG) {
        None => shown,
        Some((at, _)) => format!("{}… ({} bytes; -o json shows all)", &shown[..at], text.len()),
    }
}

/// The parts of a document that people say shorter than the wire does: shares, what is served, literals.
fn shorter(value: Json) -> Json {
    match value {
        Json::Array(values) => match shares(&values) {
            Some(words) => Json::String(words),
            None => Json::Array(values.into_iter().map(shorter).collect()),
        },
        Json::Object(mut fields) => {
            // Ranges that lie as the shares do say nothing more.
            if fields
                .get("ranges")
                .is_some_and(|ranges| Some(ranges) == fields.get("shares"))
            {
                fields.remove("ranges");
            }
            let alone = (fields.len() == 1).then(|| fields.keys().next().cloned()).flatten();
            match alone.as_deref() {
                Some(name @ ("variant" | "text" | "number" | "boolean" | "split" | "shares" | "literals"))
                    if fields[name] != Json::Null && !is_test(&fields[name]) =>
                {
                    shorter(fields[name].take())
                }
                Some("caller_default") => Json::String("the caller's default".into()),
                Some(_) | None => {
                    Json::Object(fields.into_iter().map(|(name, value)| (name, shorter(value))).collect())
                }
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value,
    }
}

/// Whether a value of a name that literals have too is a test.
fn is_test(value: &Json) -> bool {
    matches!(value, Json::Object(fields) if !fields.contains_key("shares"))
}

/// `on 25 %, off 75 %`; none if these are no shares.
fn shares(values: &[Json]) -> Option<String> {
    let share = |value: &Json| {
        let variant = value.get("variant")?.as_str()?;
        let buckets = u32::try_from(value.get("buckets")?.as_u64()?).ok()?;
        Some(format!("{variant} {}", print::percent(buckets)))
    };
    let shares: Option<Vec<String>> = values.iter().map(share).collect();
    shares
        .filter(|shares| !shares.is_empty())
        .map(|shares| shares.join(", "))
}

/// Whether a text cannot be taken for anything else: a word, or shares.
fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ' | ',' | '%'))
        && !matches!(text, "true" | "false" | "null")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str, before: &str, after: &str) -> v1::FieldChange {
        v1::FieldChange {
            path: path.into(),
            before: before.into(),
            after: after.into(),
        }
    }

    #[test]
    fn a_short_change_is_one_line_and_a_long_one_two() {
        let long = format!("{:?}", "x".repeat(99));
        let changes = [
            change("enabled", "true", "false"),
            change("off_variant", "", "\"off\""),
            change("description", "\"true\"", ""),
            change("default", "[1]", &long),
        ];
        let lines = fields(&changes, Paint::PLAIN);
        assert_eq!(
            lines[..4],
            [
                "~ enabled: true -> false",
                "+ off_variant: off",
                "- description: \"true\"",
                "- default: [1]",
            ]
        );
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn what_is_served_is_said_in_words() {
        let split = r#"[{"buckets":25000,"variant":"on"},{"buckets":75000,"variant":"off"}]"#;
        let rule = r#"{"conditions":[{"attribute":"country","one_of":{"literals":[{"text":"DE"},{"number":5}]}},
            {"attribute":"seats","number":{"greater":5}}],"name":"eu","serve":{"split":{"shares":[]}}}"#;
        let changes = [
            change("default_serve.split", "", split),
            change("default_serve", r#"{"variant":"on"}"#, r#"{"caller_default":{}}"#),
            change("rules", "", rule),
            change("labels", "", "[]"),
            change("type", "", r#""FLAG_TYPE_BOOLEAN""#),
        ];
        let expected = [
            "+ default.split: on 25 %, off 75 %",
            "~ default: on -> \"the caller's default\"",
            "+ rules: {\"conditions\":[{\"attribute\":\"country\",\"one_of\":[\"DE\",5]},\
             {\"attribute\":\"seats\",\"number\":{\"greater\":5}}],\"name\":\"eu\",\"serve\":[]}",
            "+ labels: []",
            "+ type: boolean",
        ];
        assert_eq!(fields(&changes, Paint::PLAIN), expected);
    }

    #[test]
    fn a_document_shows_what_becomes_of_it() {
        let name = v1::DocumentName {
            kind: v1::DocumentKind::Flag.into(),
            key: "a".into(),
        };
        let text = document(
            Some(&name),
            v1::DocumentAction::Updated,
            &[change("enabled", "true", "false")],
            Paint::PLAIN,
        );
        assert_eq!(text, "~ flag a (updated)\n    ~ enabled: true -> false");
    }

    #[test]
    fn what_is_not_for_reading_is_cut_and_what_is_no_text_is_escaped() {
        let [line] = fields(&[change("a", "", &format!("{:?}", "ü".repeat(5_000)))], Paint::PLAIN)
            .try_into()
            .unwrap_or_default();
        assert!(line.ends_with("-o json shows all)") && line.len() < 9_000, "{line}");
        let [line] = fields(&[change("a\u{1b}", "", "\u{1b}[2J")], Paint::PLAIN)
            .try_into()
            .unwrap_or_default();
        assert!(!line.contains('\u{1b}'), "{line}");
    }
}
