//! A flag as it is evaluated: flat, shared, immutable.
//!
//! What every evaluation reads lies in the flag itself; what only some flags have (prerequisites, lists, rules, a
//! rollout, another unit than the targeting key) in a box beside it, so that a simple flag stays small. Names are resolved
//! to indexes and the rollout's stages stand in the order of their shares. Only `compile` builds one, so every index in it
//! is in range.

use std::sync::Arc;

use crate::attribute::AttributeName;
use crate::key::Key;
use crate::rule::CompiledRule;
use crate::split::CompiledSplit;
use crate::step::CompiledStep;
use crate::test::{Conditions, VariantTest};
use crate::texts::TextSet;
use crate::value::{FlagType, Value};

/// A checked flag, with the rollout step that holds it.
#[derive(Debug)]
pub struct CompiledFlag {
    pub(crate) key: Key,
    /// Shared by flags that have the usual ones.
    pub(crate) variants: Arc<[CompiledVariant]>,
    pub(crate) default: CompiledServe,
    /// None: nothing but the default could ever decide, and the unit is the targeting key.
    pub(crate) targeting: Option<Box<Targeting>>,
    pub(crate) set: Option<Key>,
    pub(crate) state: State,
    pub(crate) off: Option<VariantIndex>,
    pub(crate) when_stale: CompiledWhenStale,
    pub(crate) flag_type: FlagType,
    /// The unit is the targeting key.
    pub(crate) by_targeting_key: bool,
}

/// What decides before the default.
#[derive(Debug, Default)]
pub(crate) struct Targeting {
    pub(crate) prerequisites: Box<[VariantTest]>,
    /// The units of all lists, and for each what is decided.
    pub(crate) listed: TextSet,
    pub(crate) decided: Box<[Listed]>,
    /// The conditions of all rules, one rule after the other: of most rules nothing else is read.
    pub(crate) conditions: Arc<Conditions>,
    pub(crate) rules: Box<[CompiledRule]>,
    /// The conditions in words.
    pub(crate) words: Box<[Box<str>]>,
    pub(crate) step: Option<Box<CompiledStep>>,
    /// What names the unit; empty: the targeting key.
    pub(crate) bucket_by: Box<[AttributeName]>,
}

/// Whether a flag decides at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    On,
    Disabled,
    /// Whether enabled or not.
    Killed,
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

/// What is served from a stale snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CompiledWhenStale {
    Keep,
    Variant(VariantIndex),
    Off,
}

/// What a rule or the default serves.
#[derive(Debug)]
pub(crate) enum CompiledServe {
    Variant(VariantIndex),
    Split(CompiledSplit),
    CallerDefault,
}

impl Targeting {
    /// Whether a flag needs it.
    pub(crate) fn needed(&self) -> bool {
        self.decides() || !self.bucket_by.is_empty()
    }

    /// Whether anything here could decide.
    pub(crate) fn decides(&self) -> bool {
        let undecided = self.prerequisites.is_empty() && self.listed.is_empty() && self.rules.is_empty();
        !undecided || self.step.is_some()
    }
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
        self.targeting
            .as_ref()
            .is_some_and(|targeting| targeting.step.is_some())
    }

    /// The flag set that it belongs to.
    pub fn set(&self) -> Option<&str> {
        self.set.as_deref()
    }

    /// Its variants, ascending by name: names and values.
    pub fn variants(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.variants.iter().map(|variant| (&*variant.name, &variant.value))
    }

    /// The value of a variant.
    pub fn value_of(&self, variant: &str) -> Option<&Value> {
        let found = self.variants.binary_search_by(|held| (*held.name).cmp(variant)).ok()?;
        Some(&self.variants[found].value)
    }

    /// Whether it serves something of its own from a stale snapshot, instead of what the snapshot says.
    pub fn falls_back_when_stale(&self) -> bool {
        match self.when_stale {
            CompiledWhenStale::Keep => false,
            CompiledWhenStale::Variant(_) | CompiledWhenStale::Off => true,
        }
    }
}
