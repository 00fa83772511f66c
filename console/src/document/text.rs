//! How documents are written: YAML that this console reads back as the same value.

use serde::Serialize;

/// The value as YAML, with a line break at the end.
pub(crate) fn to_yaml<T: Serialize>(value: &T) -> Result<String, serde_saphyr::SerializeError> {
    serde_saphyr::to_string(value)
}
