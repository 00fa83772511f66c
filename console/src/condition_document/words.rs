//! Words and symbols of conditions, the same in documents and in one-line rules.

use proto::v1::{AttributeType, VersionComparison, VersionTest};

/// Longer symbols come before those that they begin with.
const SYMBOLS: [(&str, VersionComparison); 8] = [
    ("<=", VersionComparison::LessOrEqual),
    (">=", VersionComparison::GreaterOrEqual),
    ("==", VersionComparison::Equal),
    ("<", VersionComparison::Less),
    (">", VersionComparison::Greater),
    ("=", VersionComparison::Equal),
    ("~", VersionComparison::Tilde),
    ("^", VersionComparison::Caret),
];

/// A comparison of a version as it is written: `>= 1.2.3`; a version alone is equal.
pub(crate) fn version_test(text: &str) -> VersionTest {
    let text = text.trim();
    let found = SYMBOLS.iter().find_map(|(symbol, comparison)| {
        let version = text.strip_prefix(symbol)?;
        Some((*comparison, version.trim_start()))
    });
    let (comparison, version) = found.unwrap_or((VersionComparison::Equal, text));
    VersionTest {
        comparison: comparison.into(),
        version: version.into(),
    }
}

/// The symbol of a comparison.
pub(crate) fn version_symbol(comparison: VersionComparison) -> &'static str {
    match comparison {
        VersionComparison::Equal => "=",
        VersionComparison::Less => "<",
        VersionComparison::LessOrEqual => "<=",
        VersionComparison::Greater => ">",
        VersionComparison::GreaterOrEqual => ">=",
        VersionComparison::Tilde => "~",
        VersionComparison::Caret => "^",
        VersionComparison::Unspecified => "?",
    }
}

/// The type of a name, if it is one: `text`, `number`, `boolean`, `list`, `object`, `null`.
pub(crate) fn type_of(name: &str) -> Option<AttributeType> {
    match name {
        "text" | "string" => Some(AttributeType::Text),
        "number" => Some(AttributeType::Number),
        "boolean" => Some(AttributeType::Boolean),
        "list" | "array" => Some(AttributeType::List),
        "object" | "map" => Some(AttributeType::Object),
        "null" => Some(AttributeType::Null),
        _ => None,
    }
}

/// The name of a type.
pub(crate) fn type_name(attribute_type: AttributeType) -> &'static str {
    match attribute_type {
        AttributeType::Text => "text",
        AttributeType::Number => "number",
        AttributeType::Boolean => "boolean",
        AttributeType::List => "list",
        AttributeType::Object => "object",
        AttributeType::Null => "null",
        AttributeType::Unspecified => "unknown",
    }
}
