//! A segment: named, shared conditions and member lists; as its owner wrote it, unchecked, and as it is evaluated.
//!
//! A context whose targeting key is excluded is out; one whose targeting key is included is in; any other is in if all
//! conditions of one of the groups hold.

use std::collections::BTreeSet;

use crate::condition::Condition;
use crate::key::Key;
use crate::test::{Conditions, Run, Seen};
use crate::texts::TextSet;
use crate::within::Within;

/// One segment of one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Unique among the segments of its environment.
    pub key: Key,
    /// For people; at most 4,096 bytes.
    pub description: String,
    /// Who answers for the segment; at most 200 bytes.
    pub owner: String,
    /// Free labels; at most 50.
    pub tags: BTreeSet<String>,
    /// Targeting keys that are in; with `excluded` at most 500,000 and 16 MiB.
    pub included: Vec<String>,
    /// Targeting keys that are out.
    pub excluded: Vec<String>,
    /// Groups of conditions, one of which must hold; at most 50 groups of 1 to 50 conditions.
    pub groups: Vec<Vec<Condition>>,
}

/// A checked segment; only `compile_segment` builds one.
#[derive(Debug)]
pub struct CompiledSegment {
    pub(crate) key: Key,
    pub(crate) excluded: TextSet,
    pub(crate) included: TextSet,
    /// The conditions of all groups, one group after the other.
    pub(crate) conditions: Conditions,
}

impl CompiledSegment {
    /// The segment's key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// How many targeting keys its lists name.
    pub fn members(&self) -> usize {
        self.included.len() + self.excluded.len()
    }

    /// Whether the caller is in it. The lists cost the same however long they are.
    pub(crate) fn has(&self, within: &Within<'_, '_>) -> bool {
        let unit = within.context.targeting_key();
        let on = |list: &TextSet| unit.is_some_and(|unit| list.contains(unit));
        if on(&self.excluded) {
            return false;
        }
        let mut seen = Seen::default();
        let holds = |group: &Run| self.conditions.first_failed(*group, within, &mut seen).is_none();
        on(&self.included) || self.conditions.runs().iter().any(holds)
    }
}
