//! Measurements that are pushed from outside: each is durable before it is answered, and counted once.
//!
//! A push is written twice in one transaction. Under its key, for as long as the rollout is judged, so that a repeat is
//! recognised (`Remembered`); and into the queue of its rollout (`Waiting`). The transaction that seals a batch takes
//! what it has counted out of the queue: a measurement is in the queue or in the evidence, never in both, never in
//! neither, whatever dies in between. What a value comes to is `value.rs`'s to say, where it belongs `place.rs`'s; who the
//! unit was is known to neither.

pub(crate) mod content;
pub(crate) mod place;
pub(crate) mod sweep;
pub(crate) mod value;

use evaluation::{Arm, Key};
use rollout::guards::VisitKey;
use uuid::Uuid;

/// Measurements of one request.
pub(crate) const REQUEST_LIMIT: usize = 100;
/// Values of one measurement.
pub(crate) const VALUES_LIMIT: usize = 100;
/// The longest key, in bytes.
pub(crate) const KEY_BYTES: usize = 200;
/// Requests of one rollout that may wait to be counted.
pub(crate) const WAITING_LIMIT: usize = 1_000;
/// Measurements of one rollout.
pub(crate) const ROLLOUT_LIMIT: u64 = 1_000_000;
/// How old a measurement may be.
pub(crate) const OLDEST_US: i64 = 60 * 60 * 1_000_000;
/// How far another clock may be ahead of this one.
pub(crate) const AHEAD_US: i64 = 60_000_000;

/// The measurements of one request that are not counted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Key of the rollout's environment.
    pub(crate) environment: Key,
    /// Names it in the queue.
    pub(crate) id: Uuid,
    /// The horizon in which they were pushed, from 1.
    pub(crate) horizon: u32,
    /// What they come to.
    pub(crate) items: Vec<Item>,
    /// How many measurements they are.
    pub(crate) measurements: u32,
    /// The store revision of its write.
    pub(crate) revision: u64,
}

/// What a measurement adds to one counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Item {
    /// The visit of a stage.
    pub(crate) visit: VisitKey,
    /// The stage that gave the units their share.
    pub(crate) stratum: u8,
    /// Whose it is.
    pub(crate) arm: Arm,
    /// The unit bucket, 0 to 63.
    pub(crate) bucket: u8,
    /// Number of the counting.
    pub(crate) metric: u16,
    /// Counts, or millionths for sums.
    pub(crate) num: i64,
    /// Counts.
    pub(crate) den: u64,
}
