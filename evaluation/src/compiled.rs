//! A flag as it is evaluated: flat, shared, immutable.
//!
//! Names are resolved to indexes, rules and conditions lie in one array each, the lists are one map from unit to
//! decision, and the rollout's share is already picked. Only `compile` builds one, so every index in it is in range.

use std::collections::HashMap;

use crate::condition::CompiledCondition;
use crate::key::Key;
use crate::names::BuildNameHasher;
use crate::rule::CompiledRule;
use crate::split::CompiledSplit;
use crate::step::CompiledStep;
use crate::value::{FlagType, Value};

/// A checked flag, with the rollout step that holds it.
#[derive(Debug)]
pub struct CompiledFlag {
    pub(crate) key: Key,
    pub(crate) set: Option<Key>,
    pub(crate) flag_type: FlagType,
    /// Enabled and not killed.
    pub(crate) on: bool,
    /// Whether nothing but the default could ever decide, and it is one variant.
    pub(crate) constant: bool,
    pub(crate) variants: Box<[CompiledVariant]>,
    pub(crate) off: Option<VariantIndex>,
    pub(crate) listed: HashMap<Box<str>, Listed, BuildNameHasher>,
    pub(crate) rules: Box<[CompiledRule]>,
    /// The conditions of all rules, one rule after the other.
    pub(crate) conditions: Box<[CompiledCondition]>,
    pub(crate) step: Option<Box<CompiledStep>>,
    pub(crate) default: CompiledServe,
}

/// A variant: its name and value.
#[derive(Debug)]
pub(crate) struct CompiledVariant {
    pub(crate) name: Box<str>,
    pub(crate) value: Value,
}

/// The place of a variant in its flag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct VariantIndex(pub(crate) u16);

/// What the lists decide for a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// The off variant.
    Denied,
    /// This variant.
    Allowed(VariantIndex),
}

/// What a rule or the default serves.
#[derive(Debug)]
pub(crate) enum CompiledServe {
    Variant(VariantIndex),
    Split(Box<CompiledSplit>),
    CallerDefault,
}

impl CompiledFlag {
    /// The flag's key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The type of its values.
    pub fn flag_type(&self) -> FlagType {
        self.flag_type
    }

    /// Whether a rollout holds it. Such a flag is never `Static`.
    pub fn under_rollout(&self) -> bool {
        self.step.is_some()
    }

    /// The flag set that it belongs to.
    pub fn set(&self) -> Option<&str> {
        self.set.as_deref()
    }
}
