//! Baselines: what metrics were before, under a name.
//!
//! A baseline is written once and never changed, so what a rollout took over from it needs no version. It holds values
//! as plans write them; where they come from (a visit of a stage, or an operator) stands beside them, and of captured
//! rates and means the unit buckets, which stand in for a control's. Capturing is in
//! `capture.rs`, what a rollout takes over in `frozen.rs`.

pub(crate) mod capture;
pub(crate) mod frozen;

use std::{collections::BTreeMap, sync::Arc};

use evaluation::Key;
use rollout::{
    criterion::Number,
    measure::{CapturedArms, Whose},
};
use uuid::Uuid;

/// Values of one import; what is captured has as many as the rollout measures.
pub(crate) const VALUES_LIMIT: usize = 64;
/// Baselines of one environment.
pub(crate) const LIMIT: usize = 1_000;
/// The longest description, in bytes.
pub(crate) const DESCRIPTION_BYTES: usize = 4_096;

/// A baseline with what the store knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaselineRecord {
    /// Unique in its environment.
    pub(crate) key: Key,
    /// For people.
    pub(crate) description: String,
    /// By the key of a metric.
    pub(crate) values: BTreeMap<String, Value>,
    /// Where it was captured; none: an operator wrote it.
    pub(crate) origin: Option<Origin>,
    /// The unit buckets of what was captured.
    pub(crate) arms: Arc<CapturedArms>,
    /// When it was stored.
    pub(crate) created_at_us: i64,
    /// Who stored it.
    pub(crate) created_by: String,
    /// Why.
    pub(crate) reason: String,
    /// The store revision of its write.
    pub(crate) revision: u64,
}

/// What a metric was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value {
    /// With its unit.
    pub(crate) number: Number,
    /// Outcomes that it rests on; 0: an operator wrote it.
    pub(crate) outcomes: u64,
}

/// The visit of a stage in which a baseline was captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The rollout.
    pub(crate) rollout: Uuid,
    /// Its display name.
    pub(crate) name: String,
    /// Name of the stage.
    pub(crate) stage: String,
    /// Which visit of it, from 1.
    pub(crate) visit: u32,
    /// Whose numbers they are.
    pub(crate) whose: Whose,
    /// When the visit began.
    pub(crate) from_us: i64,
    /// When it ended, or until when it had data.
    pub(crate) until_us: i64,
    /// How long data was complete meanwhile.
    pub(crate) soaked_us: i64,
    /// About how many units were seen.
    pub(crate) units: u64,
}

/// Whose numbers a baseline holds, in a word.
pub(crate) fn whose_name(whose: Whose) -> &'static str {
    match whose {
        Whose::Control => "control",
        Whose::Both => "both",
    }
}
