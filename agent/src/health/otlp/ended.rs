//! How a span ended: well, badly, too late, or with nobody there to know.
//!
//! Of a server, only what is the server's fault is bad: an HTTP status from 500 on, the statuses of gRPC that say so,
//! or a span that its instrumentation marked as failed. A deadline that passed is a timeout. Whose caller went away is
//! cancelled: it counts nowhere. What is decided here holds for a consumer and for a local root as well.

use opentelemetry_proto::tonic::{
    common::v1::any_value::Value,
    trace::v1::{Span, status::StatusCode},
};

use super::{attributes, names, sampling};
use crate::health::{caller::Caller, report::Outcome};

/// The longest class of a failure, in characters.
const CLASS: usize = 64;
/// The class of a failure that has none of a closed set.
const OTHER: &str = "_OTHER";

/// How a span ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// None: cancelled.
    pub(super) outcome: Option<Outcome>,
    /// How long it took, in microseconds; none: its times are not in order.
    pub(super) duration_us: Option<u64>,
    /// The status of its HTTP response.
    pub(super) http_status: Option<u16>,
    /// What kind of failure it was: only of a bad outcome.
    pub(super) class: Option<Box<str>>,
    /// Who reports it.
    pub(super) caller: Caller,
    /// Whether it is one of a sample.
    pub(super) is_sampled: bool,
}

/// What attributes say of an end.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    http_status: Option<u16>,
    rpc: Option<Rpc>,
    error_type: Option<&'a str>,
    exception: Option<&'a str>,
}

/// A status of gRPC, as far as it matters to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rpc {
    /// It worked, or the caller is at fault.
    Answered,
    /// The caller went away.
    Cancelled,
    /// The deadline passed.
    Late,
    /// The server is at fault.
    Failed(&'static str),
}

impl<'a> Said<'a> {
    /// Looks at one attribute of a span.
    pub(super) fn attribute(&mut self, key: &str, value: &'a Value) {
        match key {
            names::HTTP_STATUS => self.http_status = status(value).or(self.http_status),
            names::OLDER_HTTP_STATUS => self.http_status = self.http_status.or_else(|| status(value)),
            names::ERROR_TYPE => self.error_type = attributes::text(value),
            _ if names::RPC_STATUS.contains(&key) => self.rpc = self.rpc.or_else(|| Rpc::read(value)),
            _ => {}
        }
    }

    /// Looks at an exception event; the last one counts.
    pub(super) fn exception(&mut self, key: &str, value: &'a Value) {
        if key == names::EXCEPTION_TYPE {
            self.exception = attributes::text(value).or(self.exception);
        }
    }

    /// How the span ended of which this is said, as this caller reports it.
    pub(super) fn ended(&self, span: &Span, caller: Caller, is_sampled: bool) -> Ended {
        let outcome = self.outcome(span);
        let is_bad = matches!(outcome, Some(Outcome::Error | Outcome::Timeout));
        let nanoseconds = span.end_time_unix_nano.checked_sub(span.start_time_unix_nano);
        Ended {
            outcome,
            duration_us: nanoseconds
                .filter(|_| span.start_time_unix_nano > 0)
                .map(|nanoseconds| nanoseconds / 1_000),
            http_status: self.http_status,
            class: is_bad.then(|| self.class()).flatten(),
            caller,
            is_sampled: is_sampled || sampling::is_sample(&span.trace_state),
        }
    }

    fn outcome(&self, span: &Span) -> Option<Outcome> {
        let failed = span
            .status
            .as_ref()
            .is_some_and(|status| status.code == i32::from(StatusCode::Error));
        match (self.http_status, self.rpc) {
            (Some(499), _) | (_, Some(Rpc::Cancelled)) => None,
            (Some(504), _) | (_, Some(Rpc::Late)) => Some(Outcome::Timeout),
            (http, rpc) => {
                let failed = failed || http.is_some_and(|status| status >= 500) || matches!(rpc, Some(Rpc::Failed(_)));
                let late = || [self.error_type, self.exception].into_iter().flatten().any(is_timeout);
                Some(match failed {
                    true if late() => Outcome::Timeout,
                    true => Outcome::Error,
                    false => Outcome::Ok,
                })
            }
        }
    }

    /// The class of the failure: what it is called, else the exception, else the status.
    fn class(&self) -> Option<Box<str>> {
        let rpc = self.rpc.and_then(|rpc| match rpc {
            Rpc::Failed(name) => Some(name),
            Rpc::Late => Some("DEADLINE_EXCEEDED"),
            Rpc::Answered | Rpc::Cancelled => None,
        });
        let named = self.error_type.filter(|name| *name != OTHER).or(self.exception);
        let status = self.http_status.filter(|status| *status >= 500);
        match (named.or(rpc), status) {
            (Some(name), _) => class(name),
            (None, Some(status)) => class(&status.to_string()),
            (None, None) => self.error_type.and_then(class),
        }
    }
}

impl Rpc {
    /// From the status in words or as gRPC's number; none of another protocol's.
    fn read(value: &Value) -> Option<Self> {
        const STATUSES: [(&str, Rpc); 17] = [
            ("OK", Rpc::Answered),
            ("CANCELLED", Rpc::Cancelled),
            ("UNKNOWN", Rpc::Failed("UNKNOWN")),
            ("INVALID_ARGUMENT", Rpc::Answered),
            ("DEADLINE_EXCEEDED", Rpc::Late),
            ("NOT_FOUND", Rpc::Answered),
            ("ALREADY_EXISTS", Rpc::Answered),
            ("PERMISSION_DENIED", Rpc::Answered),
            ("RESOURCE_EXHAUSTED", Rpc::Answered),
            ("FAILED_PRECONDITION", Rpc::Answered),
            ("ABORTED", Rpc::Answered),
            ("OUT_OF_RANGE", Rpc::Answered),
            ("UNIMPLEMENTED", Rpc::Failed("UNIMPLEMENTED")),
            ("INTERNAL", Rpc::Failed("INTERNAL")),
            ("UNAVAILABLE", Rpc::Failed("UNAVAILABLE")),
            ("DATA_LOSS", Rpc::Failed("DATA_LOSS")),
            ("UNAUTHENTICATED", Rpc::Answered),
        ];
        let by_name = attributes::text(value).and_then(|name| STATUSES.iter().find(|(known, _)| *known == name));
        let by_number = || STATUSES.get(usize::try_from(attributes::integer(value)?).ok()?);
        by_name.or_else(by_number).map(|(_, status)| *status)
    }
}

/// A status of HTTP.
fn status(value: &Value) -> Option<u16> {
    let status = u16::try_from(attributes::integer(value)?).ok()?;
    (100..=599).contains(&status).then_some(status)
}

/// Whether a failure is called a timeout, in any language's way.
fn is_timeout(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "504"
        || ["timeout", "timedout", "timed_out", "deadline"]
            .iter()
            .any(|part| name.contains(part))
}

/// A name as the class of a failure: in small letters, with a dash for what is no letter, digit, dot, line or dash.
fn class(name: &str) -> Option<Box<str>> {
    let kept = |letter: char| match letter.to_ascii_lowercase() {
        letter @ ('a'..='z' | '0'..='9' | '.' | '_' | '-') => letter,
        _ => '-',
    };
    let name = name.trim_start_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let class: String = name.chars().take(CLASS).map(kept).collect();
    Some(class).filter(|class| !class.is_empty()).map(Into::into)
}

#[cfg(test)]
mod tests;
