//! Names of the metrics of this room, each described once. The label `webhook` is a webhook's key: there are at most 32.

use metrics::{describe_counter, describe_gauge};

/// Messages sent, by webhook and what came of them.
pub(super) const ATTEMPTS: &str = "tidegate_webhook_attempts_total";
/// Deliveries that ended, by webhook and end.
pub(super) const DELIVERIES: &str = "tidegate_webhook_deliveries_total";
/// Events that wait, by webhook.
pub(super) const WAITING: &str = "tidegate_webhook_waiting";
/// Since when the oldest event waits, by webhook; 0: none does.
pub(super) const OLDEST: &str = "tidegate_webhook_oldest_waiting_timestamp_seconds";
/// When something is sent next, by webhook; 0: nothing waits.
pub(super) const NEXT: &str = "tidegate_webhook_next_attempt_timestamp_seconds";
/// Times that events were swept before webhooks had them.
pub(super) const MISSED: &str = "tidegate_webhook_sweeps_missed_total";

/// Describes all of them to the recorder.
pub(crate) fn describe() {
    describe_counter!(ATTEMPTS, "messages sent to webhooks, by what came of them");
    describe_counter!(DELIVERIES, "deliveries to webhooks that ended, by end");
    describe_gauge!(WAITING, "events that wait for a webhook");
    describe_gauge!(
        OLDEST,
        "since when the oldest event waits for a webhook, seconds since 1970; 0: none does"
    );
    describe_gauge!(
        NEXT,
        "when something is sent to a webhook next, seconds since 1970; 0: nothing waits"
    );
    describe_counter!(MISSED, "times that events were swept before webhooks had them");
}
