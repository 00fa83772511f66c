//! The types that a flag can have, as Rust has them.

use proto::v1::{FlagType, value::Kind};

use crate::object::{self, Object};

/// A type of flags.
pub(crate) trait FlagValue: Sized {
    /// What the agent is asked for.
    const TYPE: FlagType;

    /// The value, if it is of this type.
    fn from_wire(kind: Kind) -> Option<Self>;
}

impl FlagValue for bool {
    const TYPE: FlagType = FlagType::Boolean;

    fn from_wire(kind: Kind) -> Option<Self> {
        if let Kind::Boolean(value) = kind {
            Some(value)
        } else {
            None
        }
    }
}

impl FlagValue for String {
    const TYPE: FlagType = FlagType::String;

    fn from_wire(kind: Kind) -> Option<Self> {
        if let Kind::Text(value) = kind {
            Some(value)
        } else {
            None
        }
    }
}

impl FlagValue for i64 {
    const TYPE: FlagType = FlagType::Integer;

    fn from_wire(kind: Kind) -> Option<Self> {
        if let Kind::Integer(value) = kind {
            Some(value)
        } else {
            None
        }
    }
}

impl FlagValue for f64 {
    const TYPE: FlagType = FlagType::Float;

    fn from_wire(kind: Kind) -> Option<Self> {
        if let Kind::Number(value) = kind {
            Some(value)
        } else {
            None
        }
    }
}

impl FlagValue for Object {
    const TYPE: FlagType = FlagType::Object;

    fn from_wire(kind: Kind) -> Option<Self> {
        if let Kind::Object(fields) = kind {
            Some(object::from_wire(fields))
        } else {
            None
        }
    }
}

/// A flag whose default only the caller has.
#[cfg(feature = "open-feature")]
impl<T: FlagValue> FlagValue for Option<T> {
    const TYPE: FlagType = T::TYPE;

    fn from_wire(kind: Kind) -> Option<Self> {
        T::from_wire(kind).map(Some)
    }
}
