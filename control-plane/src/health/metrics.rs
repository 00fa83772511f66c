//! Names of the metrics of this room, each described once; labels come from closed sets.

use std::collections::BTreeMap;

use metrics::{counter, describe_counter, describe_gauge};

/// Frames, by what became of them.
pub(crate) const FRAMES: &str = "tidegate_health_frames_total";
/// Messages that were refused as malformed.
pub(crate) const MESSAGES_REFUSED: &str = "tidegate_health_messages_refused_total";
/// Batches sealed.
pub(crate) const BATCHES_SEALED: &str = "tidegate_health_batches_sealed_total";
/// Transactions of sealed batches that did not commit, by why.
pub(crate) const SEALS_FAILED: &str = "tidegate_health_seals_failed_total";
/// Measurements that were pushed, by what became of them.
pub(crate) const PUSHED: &str = "tidegate_measurements_pushed_total";
/// Rollouts whose evidence is in memory.
pub(crate) const LEDGERS: &str = "tidegate_health_ledgers";

/// Describes all of them to the recorder.
pub(crate) fn describe() {
    describe_counter!(FRAMES, "frames of agents, by what became of them");
    describe_counter!(MESSAGES_REFUSED, "messages of agents that were refused as malformed");
    describe_counter!(BATCHES_SEALED, "batches of evidence sealed");
    describe_counter!(SEALS_FAILED, "transactions of batches that did not commit, by why");
    describe_counter!(PUSHED, "measurements that were pushed, by what became of them");
    describe_gauge!(LEDGERS, "rollouts whose evidence is held in memory");
}

/// What became of frames since it was last told.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    /// One more frame with this result.
    pub(super) fn add(&mut self, result: &'static str) {
        *self.0.entry(result).or_default() += 1;
    }

    /// Tells the recorder.
    pub(super) fn tell(&mut self) {
        for (result, frames) in std::mem::take(&mut self.0) {
            counter!(FRAMES, "result" => result).increment(frames);
        }
    }
}
