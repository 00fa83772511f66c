//! What a variant stands for: a boolean, a text, a number or an object.
//!
//! All variants of a flag have values of the flag's one type, so that a caller who asks for a boolean never meets a
//! text. Texts and objects are shared: an answer borrows them, a compiled flag does not copy them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::json::Json;

/// The type of all values of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlagType {
    /// True or false.
    Boolean,
    /// UTF-8 text.
    String,
    /// A whole number of 64 bits.
    Integer,
    /// An IEEE 754 double, finite.
    Float,
    /// A JSON object.
    Object,
}

/// The value of one variant.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A boolean flag's value.
    Boolean(bool),
    /// A string flag's value, at most 64 KiB.
    String(Arc<str>),
    /// An integer flag's value.
    Integer(i64),
    /// A float flag's value; finite.
    Float(f64),
    /// An object flag's value: at most 64 KiB as JSON, 32 levels deep.
    Object(Arc<BTreeMap<String, Json>>),
}

impl FlagType {
    /// The type's name in documents and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            FlagType::Boolean => "boolean",
            FlagType::String => "string",
            FlagType::Integer => "integer",
            FlagType::Float => "float",
            FlagType::Object => "object",
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
            Value::Integer(_) => FlagType::Integer,
            Value::Float(_) => FlagType::Float,
            Value::Object(_) => FlagType::Object,
        }
    }
}
