//! The kill switch of a plan: a flag-wide off that a person or a condition trips, with or without a rollout.

use crate::criterion::Criterion;

/// The flag-wide off.
#[derive(Debug, Clone, PartialEq)]
pub struct KillSwitch {
    /// The flag that it kills; empty: the plan's own.
    pub flag: String,
    /// Whether a condition trips it without a person.
    pub auto_trip: bool,
    /// What trips it, any of them.
    pub conditions: Vec<Criterion>,
}
