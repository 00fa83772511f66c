//! What every reading of a document needs: the violations of the wire form so far.
//!
//! What a document means is checked by `evaluation`, which the caller runs next; here only what the wire form can get
//! wrong is said (unset cases, malformed keys, buckets out of range).

use std::fmt;

use evaluation::{Key, Violations};

/// The state of one reading.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) violations: Violations,
}

impl Reader {
    /// Notes what is wrong with a field.
    pub(crate) fn wrong(&mut self, field: impl fmt::Display, description: impl fmt::Display) {
        self.violations.add(field, description);
    }

    /// A key; malformed: noted.
    pub(crate) fn key(&mut self, field: &str, text: &str) -> Option<Key> {
        Key::parse(text).map_err(|error| self.wrong(field, error)).ok()
    }
}
