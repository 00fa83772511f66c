//! What every reading of a document needs: the violations of the wire form so far.
//!
//! What a document means is checked by `evaluation`, which the caller runs next; here only what the wire form can get
//! wrong is said (unset cases, malformed keys, buckets out of range).

use evaluation::{Key, Violation};

use crate::status::violation;

/// The state of one reading.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) violations: Vec<Violation>,
}

impl Reader {
    /// Notes what is wrong with a field.
    pub(crate) fn wrong(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.violations.push(violation(field, description));
    }

    /// A key; malformed: noted.
    pub(crate) fn key(&mut self, field: &str, text: &str) -> Option<Key> {
        Key::parse(text)
            .map_err(|error| self.wrong(field, error.to_string()))
            .ok()
    }
}
