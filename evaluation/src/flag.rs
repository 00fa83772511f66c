//! A flag as its owner wrote it: plain fields, nothing checked.
//!
//! `compile` does all the checking and gives the form that is evaluated. The running rollout is not here: it stands in
//! the snapshot beside the flag, so that starting or aborting one never edits what a person wrote.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::Key;
use crate::rule::Rule;
use crate::split::Share;
use crate::value::{FlagType, Value};

/// One flag of one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Flag {
    /// Unique in its environment.
    pub key: Key,
    /// The type of every variant's value.
    pub flag_type: FlagType,
    /// For people; at most 4,096 bytes.
    pub description: String,
    /// Who answers for the flag; at most 200 bytes.
    pub owner: String,
    /// Free labels; at most 50.
    pub tags: BTreeSet<String>,
    /// The flag set that it belongs to, a label.
    pub set: Option<Key>,
    /// False: everybody gets the off variant.
    pub enabled: bool,
    /// True after a kill: like disabled, but undone only by a revive.
    pub killed: bool,
    /// Draws units into buckets; 1 to 64 bytes without a colon.
    pub salt: String,
    /// Name to value; 1 to 100, of the flag's type.
    pub variants: BTreeMap<String, Value>,
    /// Served when disabled, killed or denied; none: the caller's default.
    pub off_variant: Option<String>,
    /// Served when nothing above it decides.
    pub default: Serve,
    /// Units that always get the off variant.
    pub deny: Vec<String>,
    /// Variant to the units that always get it; with `deny` at most 10,000 units.
    pub allow: BTreeMap<String, Vec<String>>,
    /// Tried in order after the lists; at most 200.
    pub rules: Vec<Rule>,
}

/// What a rule or the default serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serve {
    /// One variant for everybody.
    Variant(String),
    /// A share of the buckets for each variant, in order.
    Split(Vec<Share>),
    /// No value of the flag: the default that the caller passed.
    CallerDefault,
}
