//! Telemetry for tests, built with good defaults so that a test shows only what differs.

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span, Status,
        span::{Event, SpanKind},
        status::StatusCode,
    },
};

/// The trace of every sample, unless told.
pub(crate) const TRACE: [u8; 16] = [7; 16];
/// When every span begins, in nanoseconds since 1970.
pub(crate) const START_NS: u64 = 1_795_000_000_000_000_000;

/// An attribute.
pub(crate) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// A text.
pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

/// A whole number.
pub(crate) fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

/// A number.
pub(crate) fn double(key: &str, value: f64) -> KeyValue {
    attribute(key, Value::DoubleValue(value))
}

/// A resource that says this of itself.
pub(crate) fn resource(attributes: &[KeyValue]) -> Resource {
    Resource {
        attributes: attributes.to_vec(),
        ..Resource::default()
    }
}

/// An evaluation of the rolled out flag as OpenFeature's hooks tell it, served to this targeting key.
pub(crate) fn evaluated(variant: &str, targeting_key: &str) -> Vec<KeyValue> {
    vec![
        text("feature_flag.key", "checkout"),
        text("feature_flag.result.variant", variant),
        text("feature_flag.result.reason", "targeting_match"),
        text("feature_flag.provider.name", "flagd"),
        text("feature_flag.context.id", targeting_key),
    ]
}

/// An event of a span.
pub(crate) fn event(name: &str, attributes: Vec<KeyValue>) -> Event {
    Event {
        time_unix_nano: START_NS + 1,
        name: name.to_owned(),
        attributes,
        ..Event::default()
    }
}

/// The event of an evaluation.
pub(crate) fn evaluation(variant: &str, targeting_key: &str) -> Event {
    event("feature_flag.evaluation", evaluated(variant, targeting_key))
}

/// A span of 25 ms whose parent, if it has one, is in the same process; 0: it has none.
pub(crate) fn span(id: u64, parent: u64, kind: SpanKind) -> Span {
    Span {
        trace_id: TRACE.to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        parent_span_id: if parent == 0 {
            Vec::new()
        } else {
            parent.to_be_bytes().to_vec()
        },
        flags: 0x101,
        kind: kind.into(),
        name: "GET /".to_owned(),
        start_time_unix_nano: START_NS,
        end_time_unix_nano: START_NS + 25_000_000,
        ..Span::default()
    }
}

/// A request that was served, called from another process.
pub(crate) fn request(id: u64) -> Span {
    Span {
        parent_span_id: 99_u64.to_be_bytes().to_vec(),
        flags: 0x301,
        ..span(id, 0, SpanKind::Server)
    }
}

/// Failed, by its own word.
pub(crate) fn failed(span: Span) -> Span {
    Span {
        status: Some(Status {
            code: StatusCode::Error.into(),
            ..Status::default()
        }),
        ..span
    }
}

/// With these attributes.
pub(crate) fn with(span: Span, attributes: Vec<KeyValue>) -> Span {
    Span { attributes, ..span }
}

/// With these events.
pub(crate) fn telling(span: Span, events: Vec<Event>) -> Span {
    Span { events, ..span }
}

/// A log record of an event in a span.
pub(crate) fn record(name: &str, span: u64, attributes: Vec<KeyValue>) -> LogRecord {
    LogRecord {
        time_unix_nano: START_NS + 1,
        event_name: name.to_owned(),
        trace_id: TRACE.to_vec(),
        span_id: span.to_be_bytes().to_vec(),
        attributes,
        ..LogRecord::default()
    }
}

/// Spans of the process of this name.
pub(crate) fn traces(process: &str, spans: Vec<Span>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource(&[text("service.name", process)])),
            scope_spans: vec![ScopeSpans {
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

/// Log records of the process of this name.
pub(crate) fn logs(process: &str, log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource(&[text("service.name", process)])),
            scope_logs: vec![ScopeLogs {
                log_records,
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    }
}
