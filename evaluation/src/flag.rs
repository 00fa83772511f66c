//! A flag as its owner wrote it: plain fields, nothing checked.
//!
//! `compile` does all the checking and gives the form that is evaluated. The running rollout is not here: it stands in
//! the snapshot beside the flag, so that starting or aborting one never edits what a person wrote.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::Key;
use crate::rule::Rule;
use crate::split::Split;
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
    /// Flags that must serve what is named here, else the off variant is served; at most 32.
    pub prerequisites: Vec<Prerequisite>,
    /// How units are hashed into buckets.
    pub hash: HashScheme,
    /// The attributes that name the unit for splits and rollouts: the first that the context has; at most 4. Empty: the
    /// targeting key.
    pub bucket_by: Vec<String>,
    /// What an agent serves that has not heard of the control plane for too long.
    pub when_stale: WhenStale,
}

/// A flag that must serve one of some variants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prerequisite {
    /// The flag's key.
    pub flag: String,
    /// Names of its variants; 1 to 100.
    pub variants: Vec<String>,
}

/// How a unit is hashed into one of 100,000 buckets. Later schemes are those of imported flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashScheme {
    /// (murmur3_x86_32(seed 0, UTF-8 of `salt:unit`) * 100,000) >> 32.
    #[default]
    Murmur3,
}

/// What is served from a stale snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WhenStale {
    /// What the snapshot says, marked as stale.
    #[default]
    Keep,
    /// This variant.
    Variant(String),
    /// The off variant.
    Off,
}

/// What a rule or the default serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serve {
    /// One variant for everybody.
    Variant(String),
    /// A share of the buckets for each variant.
    Split(Split),
    /// No value of the flag: the default that the caller passed.
    CallerDefault,
}
