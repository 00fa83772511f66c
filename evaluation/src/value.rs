//! What a variant stands for: a boolean or a text.
//!
//! All variants of a flag have values of the flag's one type, so that a caller who asks for a boolean never meets a
//! text. Texts are shared: an answer borrows them, a compiled flag does not copy them.

use std::fmt;
use std::sync::Arc;

/// The type of all values of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlagType {
    /// True or false.
    Boolean,
    /// UTF-8 text.
    String,
}

/// The value of one variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A boolean flag's value.
    Boolean(bool),
    /// A string flag's value, at most 64 KiB.
    String(Arc<str>),
}

impl FlagType {
    /// The type's name in documents and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            FlagType::Boolean => "boolean",
            FlagType::String => "string",
        }
    }
}

impl fmt::Display for FlagType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl Value {
    /// The type that a flag with this value has.
    pub fn flag_type(&self) -> FlagType {
        match self {
            Value::Boolean(_) => FlagType::Boolean,
            Value::String(_) => FlagType::String,
        }
    }
}
