//! A rule: conditions on the context that serve something when all of them hold.
//!
//! Rules are tried in the order written and the first that matches decides. A rule's name is part of the salt of its
//! split, so that two rules of a flag draw independently and moving a rule up or down keeps every unit's bucket.

use crate::compiled::CompiledServe;
use crate::condition::{CompiledCondition, Condition};
use crate::context::Context;
use crate::flag::Serve;

/// One rule as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Unique in the flag; 1 to 200 bytes.
    pub name: String,
    /// All must hold; 1 to 50.
    pub conditions: Vec<Condition>,
    /// What is served then.
    pub serve: Serve,
}

/// A rule as it is evaluated; its conditions lie in the flag's one array.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    /// As written, for the decision.
    pub(crate) name: Box<str>,
    /// Index of its first condition.
    pub(crate) first: u32,
    /// Index after its last condition.
    pub(crate) end: u32,
    /// What is served when all of them hold.
    pub(crate) serve: CompiledServe,
}

impl CompiledRule {
    /// Whether all conditions of this rule, taken from the flag's `conditions`, hold in `context`.
    pub(crate) fn matches(&self, conditions: &[CompiledCondition], context: &Context) -> bool {
        conditions[self.first as usize..self.end as usize]
            .iter()
            .all(|condition| condition.holds(context))
    }
}
