//! The built-in metrics, as data.
//!
//! Each begins from a pattern of its kind and says only what differs. Keys and aliases are in the form of a key and
//! name one metric each; a test holds the table to that. What the words mean is in the parent module.

use super::{Definition, Direction, Kind, Source, Unit};
use crate::measure::Per;

/// A fraction of outcomes that is better low.
const BAD_RATE: Definition = Definition {
    key: "",
    name: "",
    aliases: &[],
    kind: Kind::Rate,
    unit: Unit::Fraction,
    better: Direction::Lower,
    source: Source::Outcome,
    per: Per::Value,
    description: "",
};
/// A fraction of outcomes that is better high.
const GOOD_RATE: Definition = Definition {
    better: Direction::Higher,
    ..BAD_RATE
};
/// A quantile of how long requests take.
const LATENCY: Definition = Definition {
    kind: Kind::Quantile(950),
    unit: Unit::Duration,
    source: Source::Duration,
    ..BAD_RATE
};
/// A mean of something spent on each request.
const SPENT: Definition = Definition {
    kind: Kind::Mean,
    unit: Unit::Count,
    source: Source::Value,
    ..BAD_RATE
};
/// Things that happen, better seldom.
const EVENTS: Definition = Definition {
    per: Per::Exposure,
    kind: Kind::Count,
    unit: Unit::Count,
    source: Source::External,
    ..BAD_RATE
};
/// A level read from outside, better low.
const LEVEL: Definition = Definition {
    kind: Kind::Gauge,
    source: Source::External,
    ..BAD_RATE
};

/// All of them: technical, business, support and safety, answers of AI.
pub(super) const DEFINITIONS: &[Definition] = &[
    Definition {
        key: "error-rate",
        name: "Error rate",
        aliases: &["errors", "error", "errors-rate", "failure-rate"],
        description: "Outcomes that are application errors or timeouts, out of all outcomes",
        ..BAD_RATE
    },
    Definition {
        key: "http-error-rate",
        name: "HTTP error rate",
        aliases: &["http-errors", "http-error"],
        source: Source::Value,
        description: "Responses with a status of 400 or above, out of all responses",
        ..BAD_RATE
    },
    Definition {
        key: "http-4xx-rate",
        name: "HTTP 4xx rate",
        aliases: &["http-4xx", "4xx", "4xx-rate", "4xx-errors", "client-error-rate"],
        source: Source::Value,
        description: "Responses with a status of 400 to 499, out of all responses",
        ..BAD_RATE
    },
    Definition {
        key: "http-5xx-rate",
        name: "HTTP 5xx rate",
        aliases: &["http-5xx", "5xx", "5xx-rate", "5xx-errors", "server-error-rate"],
        source: Source::Value,
        description: "Responses with a status of 500 to 599, out of all responses",
        ..BAD_RATE
    },
    Definition {
        key: "timeout-rate",
        name: "Timeout rate",
        aliases: &["timeouts", "timeout"],
        description: "Outcomes that are timeouts, out of all outcomes",
        ..BAD_RATE
    },
    Definition {
        key: "p50",
        name: "Latency p50",
        aliases: &["latency-p50", "p50-latency", "median-latency", "latency-median"],
        kind: Kind::Quantile(500),
        description: "The duration that half of the requests stay within; errors and timeouts count as slow",
        ..LATENCY
    },
    Definition {
        key: "p90",
        name: "Latency p90",
        aliases: &["latency-p90", "p90-latency"],
        kind: Kind::Quantile(900),
        description: "The duration that 90 % of requests stay within; errors and timeouts count as slow",
        ..LATENCY
    },
    Definition {
        key: "p95",
        name: "Latency p95",
        aliases: &["latency", "latency-p95", "p95-latency"],
        kind: Kind::Quantile(950),
        description: "The duration that 95 % of requests stay within; errors and timeouts count as slow",
        ..LATENCY
    },
    Definition {
        key: "p99",
        name: "Latency p99",
        aliases: &["latency-p99", "p99-latency"],
        kind: Kind::Quantile(990),
        description: "The duration that 99 % of requests stay within; errors and timeouts count as slow",
        ..LATENCY
    },
    Definition {
        key: "throughput",
        name: "Throughput",
        aliases: &["requests-per-second", "rps"],
        unit: Unit::PerSecond,
        better: Direction::Higher,
        source: Source::Outcome,
        description: "Outcomes in a second",
        ..LEVEL
    },
    Definition {
        key: "completion-rate",
        name: "Completion rate",
        aliases: &["completion", "completions"],
        description: "Exposures that had an outcome before they were lost, out of all exposures",
        ..GOOD_RATE
    },
    Definition {
        key: "cpu",
        name: "CPU use",
        aliases: &["cpu-usage", "cpu-use", "cpu-utilisation", "cpu-utilization"],
        description: "Processor time in use, as a fraction of what the service may use",
        ..LEVEL
    },
    Definition {
        key: "memory",
        name: "Memory use",
        aliases: &["memory-usage", "memory-use", "ram"],
        unit: Unit::Bytes,
        description: "Memory in use by the service",
        ..LEVEL
    },
    Definition {
        key: "engagement",
        name: "Engagement",
        aliases: &["user-engagement"],
        kind: Kind::Mean,
        unit: Unit::Score,
        source: Source::Event,
        description: "What users did with the feature, as the service scores it, per exposure",
        per: Per::Exposure,
        ..GOOD_RATE
    },
    Definition {
        key: "revenue",
        name: "Revenue",
        aliases: &["revenue-per-exposure"],
        kind: Kind::Mean,
        unit: Unit::Money,
        source: Source::Value,
        description: "Money taken, per exposure",
        per: Per::Exposure,
        ..GOOD_RATE
    },
    Definition {
        key: "conversion",
        name: "Conversion",
        aliases: &["conversion-rate", "conversions"],
        source: Source::Event,
        description: "Exposures that were followed by a conversion, out of all exposures",
        per: Per::Exposure,
        ..GOOD_RATE
    },
    Definition {
        key: "tickets",
        name: "Support tickets",
        aliases: &["support-tickets", "support-ticket", "ticket"],
        description: "Support tickets opened",
        ..EVENTS
    },
    Definition {
        key: "complaints",
        name: "Complaints",
        aliases: &["complaint", "customer-complaints", "user-complaints"],
        description: "Complaints received",
        ..EVENTS
    },
    Definition {
        key: "charge-complaints",
        name: "Charge complaints",
        aliases: &["charge-complaint", "billing-complaints", "billing-complaint"],
        description: "Complaints about a charge: wrong, double or unknown",
        ..EVENTS
    },
    Definition {
        key: "critical-bugs",
        name: "Critical bugs",
        aliases: &["critical-bug", "critical-defects"],
        description: "Bugs reported as critical",
        ..EVENTS
    },
    Definition {
        key: "data-loss",
        name: "Data loss",
        aliases: &["data-losses", "lost-data"],
        description: "Cases of data lost or corrupted",
        ..EVENTS
    },
    Definition {
        key: "payment-data-loss",
        name: "Payment data loss",
        aliases: &["payment-data-losses", "lost-payment-data"],
        description: "Cases of payment data lost or corrupted",
        ..EVENTS
    },
    Definition {
        key: "security-incidents",
        name: "Security incidents",
        aliases: &["security-incident"],
        description: "Incidents that security has confirmed",
        ..EVENTS
    },
    Definition {
        key: "hallucination-rate",
        name: "Hallucination rate",
        aliases: &["hallucinations", "hallucination"],
        source: Source::External,
        description: "Answers that the judge finds made up, out of all judged answers",
        ..BAD_RATE
    },
    Definition {
        key: "faithfulness",
        name: "Faithfulness",
        aliases: &["faithfulness-score"],
        kind: Kind::Mean,
        unit: Unit::Score,
        source: Source::External,
        description: "How well answers keep to their sources, as the judge scores it, per judged answer",
        ..GOOD_RATE
    },
    Definition {
        key: "cost-per-query",
        name: "Cost per query",
        aliases: &["cost", "query-cost", "cost-per-request"],
        unit: Unit::Money,
        description: "Money spent on answering, per query",
        ..SPENT
    },
    Definition {
        key: "tokens-per-query",
        name: "Tokens per query",
        aliases: &["tokens", "token-usage", "tokens-per-request"],
        description: "Tokens read and written, per query",
        ..SPENT
    },
    Definition {
        key: "time-to-first-token",
        name: "Time to first token",
        aliases: &["ttft", "first-token", "first-token-latency"],
        source: Source::Value,
        description: "The time to the first token that 95 % of queries stay within; no first token counts as slow",
        ..LATENCY
    },
];
