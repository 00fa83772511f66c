//! Every metric of the agent: names as constants, described once, labels from closed sets.
//!
//! Counters on the path of an evaluation are registered once and kept as handles (`evaluations`); the others go through
//! the recorder.

mod evaluations;

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

pub(crate) use evaluations::{Answers, Evaluations, Several};

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
/// Evaluations, by door and reason.
pub(crate) const EVALUATIONS: &str = "tidegate_agent_evaluations_total";
/// OFREP calls for all flags that were answered with 304.
pub(crate) const UNCHANGED: &str = "tidegate_agent_unchanged_total";
/// Exposures in observations, by result.
pub(crate) const OBSERVATIONS: &str = "tidegate_agent_observations_total";
/// Parts of reports that were left out or changed, by reason.
pub(crate) const REPORT_FAULTS: &str = "tidegate_agent_report_faults_total";
/// Exposures whose outcome is expected, but not awaited for want of room.
pub(crate) const UNWATCHED: &str = "tidegate_agent_unwatched_exposures_total";
/// Frames that were sent before they were due.
pub(crate) const FRAMES_HURRIED: &str = "tidegate_agent_frames_hurried_total";
/// Frames that are not acknowledged yet.
pub(crate) const FRAMES_PENDING: &str = "tidegate_agent_frames_pending";
/// Frames that the control plane refused for good.
pub(crate) const FRAMES_REFUSED: &str = "tidegate_agent_frames_refused_total";
/// Bytes of what this process counted, in the spool.
pub(crate) const SPOOL_BYTES: &str = "tidegate_agent_spool_bytes";
/// What became of what is in the spool, by result.
pub(crate) const SPOOL: &str = "tidegate_agent_spool_total";
/// Times that what is not yet in a frame went to the spool.
pub(crate) const SPOOL_CHECKPOINTS: &str = "tidegate_agent_spool_checkpoints_total";
/// Bootstrap files that were looked at, by result.
pub(crate) const BOOTSTRAP: &str = "tidegate_agent_bootstrap_total";
/// The revision that the control plane wants this agent to hold.
pub(crate) const REVISION_WANTED: &str = "tidegate_agent_revision_wanted";
/// 1 for the reason for which the last connection ended, until one lasts.
pub(crate) const SYNC_TROUBLE: &str = "tidegate_agent_sync_trouble";
/// Connections to the control plane that ended or were not made, by reason.
pub(crate) const SYNC_ENDS: &str = "tidegate_agent_sync_ends_total";
/// Writes of the snapshot file, by result.
pub(crate) const DISK_WRITES: &str = "tidegate_agent_disk_writes_total";

/// What OpenTelemetry told, by what became of it.
pub(crate) const OTLP: &str = "tidegate_agent_otlp_total";
/// Data points of OpenTelemetry, none of which is used, by reason.
pub(crate) const OTLP_METRICS_NOT_USED: &str = "tidegate_agent_otlp_metrics_not_used_total";
/// Spans that are remembered, for what may still be told of them.
pub(crate) const OTLP_SPANS: &str = "tidegate_agent_otlp_spans";
/// Evaluations and values that wait for a span.
pub(crate) const OTLP_WAITING: &str = "tidegate_agent_otlp_waiting";

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
    describe_counter!(EVALUATIONS, "Evaluations by door and reason");
    describe_counter!(
        UNCHANGED,
        "OFREP calls for all flags answered with 304, without an evaluation"
    );
    describe_counter!(OBSERVATIONS, "Exposures in observations by result");
    describe_counter!(
        REPORT_FAULTS,
        "Parts of observations left out, or counted otherwise than said, by reason"
    );
    describe_counter!(
        UNWATCHED,
        "Exposures not watched for outcomes that never come, for want of room"
    );
    describe_counter!(
        FRAMES_HURRIED,
        "Health frames sent early because a treatment does plainly worse"
    );
    describe_gauge!(FRAMES_PENDING, "Health frames not yet acknowledged");
    describe_counter!(FRAMES_REFUSED, "Health frames refused for good by the control plane");
    describe_gauge!(
        SPOOL_BYTES,
        Unit::Bytes,
        "Bytes on disk of what this process counted and sends until it is acknowledged"
    );
    describe_counter!(
        SPOOL,
        "Frames of former processes found in the spool, frames dropped, damaged parts, failed writes"
    );
    describe_counter!(
        SPOOL_CHECKPOINTS,
        "Times that what is not yet in a frame went to the spool"
    );
    describe_counter!(BOOTSTRAP, "Bootstrap files looked at by result");
    describe_gauge!(
        REVISION_WANTED,
        "Content revision that the control plane wants in use here"
    );
    describe_gauge!(
        SYNC_TROUBLE,
        "1 for the reason for which the last connection to the control plane ended, until one lasts"
    );
    describe_counter!(
        SYNC_ENDS,
        "Connections to the control plane ended or not made by reason"
    );
    describe_counter!(DISK_WRITES, "Writes of the snapshot file by result");
    describe_counter!(
        OTLP,
        "Evaluations, spans and judgements told by OpenTelemetry, by result"
    );
    describe_counter!(
        OTLP_METRICS_NOT_USED,
        "Data points of OpenTelemetry that are not used, by reason"
    );
    describe_gauge!(OTLP_SPANS, "Spans remembered for what may still be told of them");
    describe_gauge!(OTLP_WAITING, "Evaluations and values that wait for a span");
    // Alerts need these series before anything has happened: what begins with 1 has not increased.
    counter!(FRAMES_REFUSED).absolute(0);
    for result in SpoolResult::ALL {
        counter!(SPOOL, "result" => result.name()).absolute(0);
    }
    for result in DiskResult::ALL {
        counter!(DISK_WRITES, "result" => result.name()).absolute(0);
    }
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
    /// The previous file was used in the place of the newest.
    FellBack,
}

impl DiskResult {
    const ALL: [Self; 4] = [Self::Written, Self::Failed, Self::Damaged, Self::FellBack];

    fn name(self) -> &'static str {
        match self {
            DiskResult::Written => "written",
            DiskResult::Failed => "failed",
            DiskResult::Damaged => "damaged",
            DiskResult::FellBack => "fell_back",
        }
    }
}

/// Counts what became of the snapshot file.
pub(crate) fn disk(result: DiskResult) {
    counter!(DISK_WRITES, "result" => result.name()).increment(1);
}

/// What became of a bootstrap file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BootstrapResult {
    /// The agent starts from it.
    Used,
    /// It cannot be used.
    Refused,
    /// There is a snapshot on disk.
    NotNeeded,
}

/// Counts what became of a bootstrap file.
pub(crate) fn bootstrap(result: BootstrapResult) {
    let label = match result {
        BootstrapResult::Used => "used",
        BootstrapResult::Refused => "refused",
        BootstrapResult::NotNeeded => "not_needed",
    };
    counter!(BOOTSTRAP, "result" => label).increment(1);
}

/// Shows what should be in use.
pub(crate) fn revision_wanted(number: u64) {
    gauge!(REVISION_WANTED).set(number as f64);
}

/// Shows whether this is what keeps the agent from its control plane.
pub(crate) fn sync_trouble(reason: &'static str, lasts: bool) {
    gauge!(SYNC_TROUBLE, "reason" => reason).set(f64::from(u8::from(lasts)));
}

/// Counts a connection that ended.
pub(crate) fn sync_ended(reason: &'static str) {
    counter!(SYNC_ENDS, "reason" => reason).increment(1);
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

/// What became of what is in the spool.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SpoolResult {
    /// A frame of a former process is sent.
    Found,
    /// There was no room for a frame, or nobody to send it to.
    Dropped,
    /// A part of a file could not be read.
    Damaged,
    /// A write failed.
    Failed,
}

impl SpoolResult {
    const ALL: [Self; 4] = [Self::Found, Self::Dropped, Self::Damaged, Self::Failed];

    fn name(self) -> &'static str {
        match self {
            SpoolResult::Found => "found",
            SpoolResult::Dropped => "dropped",
            SpoolResult::Damaged => "damaged",
            SpoolResult::Failed => "failed",
        }
    }
}

/// Counts what became of what is in the spool.
pub(crate) fn spooled(result: SpoolResult, times: u64) {
    counter!(SPOOL, "result" => result.name()).increment(times);
}

/// Shows how large the spool file of this process is.
pub(crate) fn spool_bytes(bytes: u64) {
    gauge!(SPOOL_BYTES).set(bytes as f64);
}

/// Counts that open counts went to the spool.
pub(crate) fn spool_checkpoint() {
    counter!(SPOOL_CHECKPOINTS).increment(1);
}

/// Counts parts of reports that were left out or changed.
pub(crate) fn report_fault(reason: &'static str, times: u64) {
    counter!(REPORT_FAULTS, "reason" => reason).increment(times);
}

/// Counts exposures that are not watched.
pub(crate) fn unwatched(exposures: u64) {
    counter!(UNWATCHED).increment(exposures);
}

/// Counts a frame that was sent early.
pub(crate) fn frame_hurried() {
    counter!(FRAMES_HURRIED).increment(1);
}

/// Counts exposures in observations.
pub(crate) fn observed(result: &'static str, exposures: u64) {
    counter!(OBSERVATIONS, "result" => result).increment(exposures);
}

/// Counts what OpenTelemetry told.
pub(crate) fn otlp(result: &'static str, times: u64) {
    counter!(OTLP, "result" => result).increment(times);
}

/// Counts data points of OpenTelemetry that are not used.
pub(crate) fn otlp_metrics_not_used(reason: &'static str, points: u64) {
    if points > 0 {
        counter!(OTLP_METRICS_NOT_USED, "reason" => reason).increment(points);
    }
}

/// Shows how much of OpenTelemetry's is remembered.
pub(crate) fn otlp_remembered(spans: usize, waiting: usize) {
    gauge!(OTLP_SPANS).set(spans as f64);
    gauge!(OTLP_WAITING).set(waiting as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_alerts_count_is_there_before_it_happens() {
        let (recorder, recorded) = runtime::telemetry::local_metrics();
        ::metrics::with_local_recorder(&recorder, describe);
        let text = recorded.render();
        let spool = SpoolResult::ALL.map(|result| format!("{SPOOL}{{result=\"{}\"}} 0", result.name()));
        let disk = DiskResult::ALL.map(|result| format!("{DISK_WRITES}{{result=\"{}\"}} 0", result.name()));
        let refused = format!("{FRAMES_REFUSED} 0");
        for line in spool.into_iter().chain(disk).chain([refused]) {
            assert!(text.lines().any(|written| written == line), "{line} is not in\n{text}");
        }
    }
}
