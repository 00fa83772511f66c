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

/// Why a message is refused: it is no message, or too large.
pub(super) const UNREADABLE: &str = "unreadable";
/// Why a message is refused: it is malformed.
pub(super) const MALFORMED: &str = "malformed";
/// Why a message is refused: nobody knows its environment.
pub(super) const NO_ENVIRONMENT: &str = "no_environment";
/// Why a message is refused: its agent lives in another environment.
pub(super) const OTHER_ENVIRONMENT: &str = "other_environment";
const REFUSALS: [&str; 4] = [UNREADABLE, MALFORMED, NO_ENVIRONMENT, OTHER_ENVIRONMENT];
/// Why a batch did not commit: somebody else wrote.
pub(super) const CONFLICT: &str = "conflict";
/// Why a batch did not commit: the store failed.
pub(super) const STORE: &str = "store";

/// Describes all of them to the recorder.
pub(crate) fn describe() {
    describe_counter!(FRAMES, "frames of agents, by what became of them");
    describe_counter!(MESSAGES_REFUSED, "messages of agents that were refused, by reason");
    describe_counter!(BATCHES_SEALED, "batches of evidence sealed");
    describe_counter!(SEALS_FAILED, "transactions of batches that did not commit, by why");
    describe_counter!(PUSHED, "measurements that were pushed, by what became of them");
    describe_gauge!(LEDGERS, "rollouts whose evidence is held in memory");
    // Alerts need these series before anything has happened: what begins with 1 has not increased.
    for reason in REFUSALS {
        counter!(MESSAGES_REFUSED, "reason" => reason).absolute(0);
    }
    for why in [CONFLICT, STORE] {
        counter!(SEALS_FAILED, "why" => why).absolute(0);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_alerts_count_is_there_before_it_happens() {
        let (recorder, recorded) = runtime::telemetry::local_metrics();
        metrics::with_local_recorder(&recorder, describe);
        let text = recorded.render();
        let refused = REFUSALS.map(|reason| format!("{MESSAGES_REFUSED}{{reason=\"{reason}\"}} 0"));
        let failed = [CONFLICT, STORE].map(|why| format!("{SEALS_FAILED}{{why=\"{why}\"}} 0"));
        for line in refused.into_iter().chain(failed) {
            assert!(text.lines().any(|written| written == line), "{line} is not in\n{text}");
        }
    }
}
