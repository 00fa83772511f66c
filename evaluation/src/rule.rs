//! A rule: conditions on the context that serve something when all of them hold.
//!
//! Rules are tried in the order written and the first that matches decides. A rule's name is part of the salt of its
//! split, so that two rules of a flag draw independently and moving a rule up or down keeps every unit's bucket.

use crate::compiled::CompiledServe;
use crate::condition::Condition;
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
    /// Draws the buckets of this rule's split; 1 to 64 bytes without a colon. Empty: the flag's salt, a slash and the name.
    pub salt: String,
}

/// What a rule serves, as it is evaluated; its conditions lie in the flag's one array.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    /// As written, for the decision.
    pub(crate) name: Box<str>,
    /// What is served when all conditions hold.
    pub(crate) serve: CompiledServe,
}
