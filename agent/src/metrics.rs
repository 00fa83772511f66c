//! Every metric of the agent: names as constants, described once, labels from closed sets.
//!
//! Counters on the path of an evaluation are registered once and kept as handles; the others go through the recorder.

use std::time::Duration;

use evaluation::Reason;
use metrics::{Counter, Unit, counter, describe_counter, describe_gauge, gauge};

/// The content revision in use.
pub(crate) const REVISION: &str = "tidegate_agent_revision";
/// For how long the control plane has not confirmed the snapshot.
pub(crate) const SNAPSHOT_AGE: &str = "tidegate_agent_snapshot_age_seconds";
/// 1 while the sync stream is open.
pub(crate) const CONNECTED: &str = "tidegate_agent_connected";
/// Entries that this build does not understand.
pub(crate) const HELD_BACK: &str = "tidegate_agent_entries_held_back";
/// Revisions that were refused.
pub(crate) const NACKS: &str = "tidegate_agent_nacks_total";
/// Evaluations, by reason.
pub(crate) const EVALUATIONS: &str = "tidegate_agent_evaluations_total";
/// Exposures in observations, by result.
pub(crate) const OBSERVATIONS: &str = "tidegate_agent_observations_total";
/// Frames that are not acknowledged yet.
pub(crate) const FRAMES_PENDING: &str = "tidegate_agent_frames_pending";
/// Frames that the control plane refused for good.
pub(crate) const FRAMES_REFUSED: &str = "tidegate_agent_frames_refused_total";
/// Writes of the snapshot file, by result.
pub(crate) const DISK_WRITES: &str = "tidegate_agent_disk_writes_total";

/// Says what each metric means. Call after a recorder is installed.
pub(crate) fn describe() {
    describe_gauge!(REVISION, "Content revision in use");
    describe_gauge!(
        SNAPSHOT_AGE,
        Unit::Seconds,
        "Time since the control plane was last heard of"
    );
    describe_gauge!(CONNECTED, "1 while the sync stream to the control plane is open");
    describe_gauge!(HELD_BACK, "Entries that this agent does not understand and holds back");
    describe_counter!(NACKS, "Revisions refused");
    describe_counter!(EVALUATIONS, "Evaluations by reason");
    describe_counter!(OBSERVATIONS, "Exposures in observations by result");
    describe_gauge!(FRAMES_PENDING, "Health frames not yet acknowledged");
    describe_counter!(FRAMES_REFUSED, "Health frames refused for good by the control plane");
    describe_counter!(DISK_WRITES, "Writes of the snapshot file by result");
}

/// What became of the snapshot file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DiskResult {
    /// Written and flushed.
    Written,
    /// The disk refused.
    Failed,
    /// A file could not be used.
    Damaged,
}

/// Counts what became of the snapshot file.
pub(crate) fn disk(result: DiskResult) {
    let label = match result {
        DiskResult::Written => "written",
        DiskResult::Failed => "failed",
        DiskResult::Damaged => "damaged",
    };
    counter!(DISK_WRITES, "result" => label).increment(1);
}

/// Shows what is in use.
pub(crate) fn revision(number: u64) {
    gauge!(REVISION).set(number as f64);
}

/// Shows for how long the control plane has been silent.
pub(crate) fn age(silence: Duration) {
    gauge!(SNAPSHOT_AGE).set(silence.as_secs_f64());
}

/// Shows whether the sync stream is open.
pub(crate) fn connected(open: bool) {
    gauge!(CONNECTED).set(f64::from(u8::from(open)));
}

/// Shows how many entries are held back.
pub(crate) fn held_back(entries: usize) {
    gauge!(HELD_BACK).set(entries as f64);
}

/// Counts a refused revision.
pub(crate) fn nack() {
    counter!(NACKS).increment(1);
}

/// Shows how many frames wait for their ack.
pub(crate) fn frames_pending(frames: usize) {
    gauge!(FRAMES_PENDING).set(frames as f64);
}

/// Counts frames refused for good.
pub(crate) fn frames_refused(frames: u64) {
    counter!(FRAMES_REFUSED).increment(frames);
}

/// Counts exposures in observations.
pub(crate) fn observed(result: &'static str, exposures: u64) {
    counter!(OBSERVATIONS, "result" => result).increment(exposures);
}

/// Counts evaluations by reason, without a look-up per evaluation.
pub(crate) struct Evaluations {
    fixed: Counter,
    default: Counter,
    targeting_match: Counter,
    split: Counter,
    disabled: Counter,
    error: Counter,
    not_found: Counter,
    type_mismatch: Counter,
}

impl Evaluations {
    /// Registers the counters with the current recorder.
    pub(crate) fn new() -> Self {
        let of = |reason: &'static str| counter!(EVALUATIONS, "reason" => reason);
        Self {
            fixed: of("static"),
            default: of("default"),
            targeting_match: of("targeting_match"),
            split: of("split"),
            disabled: of("disabled"),
            error: of("error"),
            not_found: of("flag_not_found"),
            type_mismatch: of("type_mismatch"),
        }
    }

    /// A flag was answered.
    pub(crate) fn answered(&self, reason: Reason) {
        match reason {
            Reason::Static => &self.fixed,
            Reason::Default => &self.default,
            Reason::TargetingMatch => &self.targeting_match,
            Reason::Split => &self.split,
            Reason::Disabled => &self.disabled,
            Reason::Error => &self.error,
        }
        .increment(1);
    }

    /// An unknown flag was asked for.
    pub(crate) fn not_found(&self) {
        self.not_found.increment(1);
    }

    /// A flag was asked for as what it is not.
    pub(crate) fn type_mismatch(&self) {
        self.type_mismatch.increment(1);
    }
}

impl std::fmt::Debug for Evaluations {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Evaluations").finish_non_exhaustive()
    }
}
