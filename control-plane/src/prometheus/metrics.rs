//! Names of the metrics of this room, each described once.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// Queries that were asked, by what came of them: `read`, or why there is no number.
pub(super) const QUERIES: &str = "tidegate_prometheus_queries_total";
/// How long answers took.
pub(super) const SECONDS: &str = "tidegate_prometheus_query_seconds";
/// Metrics of rollouts under way that a Prometheus is asked for.
pub(super) const ASKED: &str = "tidegate_prometheus_metrics";

/// Describes all of them to the recorder.
pub(crate) fn describe() {
    describe_counter!(QUERIES, "queries that Prometheus was asked, by what came of them");
    describe_histogram!(SECONDS, "seconds until Prometheus had answered a query");
    describe_gauge!(ASKED, "metrics of rollouts under way that Prometheus is asked for");
}
