//! Names of the control plane's metrics, each described once.

use metrics::{describe_counter, describe_gauge, describe_histogram};
use rollout::recovery::Outcome;

/// The store revision that the state shows.
pub(crate) const REVISION: &str = "tidegate_revision";
/// Snapshots published to subscriptions.
pub(crate) const SNAPSHOTS_PUBLISHED: &str = "tidegate_snapshots_published_total";
/// Agents with an open stream.
pub(crate) const AGENTS_CONNECTED: &str = "tidegate_agents_connected";
/// Snapshots and deltas sent to agents, by form.
pub(crate) const TRANSFERS_SENT: &str = "tidegate_transfers_sent_total";
/// Revisions that agents refused.
pub(crate) const NACKS: &str = "tidegate_nacks_total";
/// Transitions of rollouts, by kind.
pub(crate) const TRANSITIONS: &str = "tidegate_rollout_transitions_total";
/// Alerts that were raised, by severity.
pub(crate) const ALERTS: &str = "tidegate_alerts_total";
/// Kill switches that tripped by themselves.
pub(crate) const TRIPS: &str = "tidegate_kill_switch_trips_total";
/// Aborts of which it is known whether what harmed recovered, by outcome.
pub(crate) const RECOVERIES: &str = "tidegate_recoveries_total";
/// Rollouts that are under way.
pub(crate) const ROLLOUTS_ACTIVE: &str = "tidegate_rollouts_active";
/// What the engine worked in one pass over all rollouts.
pub(crate) const ENGINE_PASS: &str = "tidegate_engine_pass_seconds";
/// Looks of the engine at a rollout: its evidence, its guards, and the step.
pub(crate) const ENGINE_LOOKS: &str = "tidegate_engine_looks_total";
/// Rollouts that have been in one stage for longer than their plans allow: somebody should decide.
pub(crate) const ROLLOUTS_STUCK: &str = "tidegate_rollouts_stuck";
/// Rollouts that are aborting for over a minute: somebody should look.
pub(crate) const ROLLOUTS_STUCK_ABORTING: &str = "tidegate_rollouts_stuck_aborting";
/// Scheduled changes that ended, by end.
pub(crate) const SCHEDULES_ENDED: &str = "tidegate_schedules_ended_total";
/// From an abort's decision until treatment was seen to be gone.
pub(crate) const TIME_TO_ZERO: &str = "tidegate_time_to_zero_seconds";

/// Describes all of them to the recorder.
pub(crate) fn describe() {
    describe_gauge!(REVISION, "store revision that the state shows");
    describe_counter!(SNAPSHOTS_PUBLISHED, "snapshots published to subscriptions");
    describe_gauge!(AGENTS_CONNECTED, "agents with an open stream");
    describe_counter!(TRANSFERS_SENT, "snapshots and deltas sent to agents, by form");
    describe_counter!(NACKS, "revisions that agents refused");
    describe_counter!(TRANSITIONS, "transitions of rollouts, by kind");
    describe_counter!(ALERTS, "alerts that were raised, by severity");
    describe_counter!(TRIPS, "kill switches that tripped by themselves");
    describe_histogram!(ENGINE_PASS, "work of the engine in one pass over all rollouts");
    describe_counter!(ENGINE_LOOKS, "looks of the engine at a rollout");
    describe_counter!(RECOVERIES, "what came of the harm after aborts, by outcome");
    describe_gauge!(ROLLOUTS_ACTIVE, "rollouts that are under way");
    describe_gauge!(
        ROLLOUTS_STUCK,
        "rollouts that have been in one stage for longer than their plans allow"
    );
    describe_gauge!(ROLLOUTS_STUCK_ABORTING, "rollouts that are aborting for over a minute");
    describe_counter!(SCHEDULES_ENDED, "scheduled changes that ended, by end");
    describe_histogram!(
        TIME_TO_ZERO,
        "seconds from an abort until treatment was seen to be gone"
    );
    // Alerts need these series before anything has happened: what begins with 1 has not increased.
    metrics::gauge!(AGENTS_CONNECTED).set(0.0);
    metrics::counter!(NACKS).absolute(0);
    metrics::counter!(TRIPS).absolute(0);
    for outcome in Outcome::ALL {
        metrics::counter!(RECOVERIES, "outcome" => outcome.name()).absolute(0);
    }
    for severity in ["warning", "critical"] {
        metrics::counter!(ALERTS, "severity" => severity).absolute(0);
    }
    for kind in ["aborted", "rolled-back", "completed"] {
        metrics::counter!(TRANSITIONS, "kind" => kind).absolute(0);
    }
}
