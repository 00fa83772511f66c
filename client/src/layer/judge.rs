//! What came of a request, by its response.
//!
//! An HTTP response fails with a status of 500 and above; a gRPC response tells by its `grpc-status`, in its head or in
//! its trailers, and has failed if it never does. What the caller got wrong is no failure of the service. A classifier of
//! the service's own can decide otherwise; one that panics is not asked.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, StatusCode};
use tonic::Code;

use crate::outcome::Outcome;
use crate::report::Report;

/// The key under which an observation carries an HTTP status.
const STATUS_VALUE: &str = "http-status";
/// Where a gRPC response says what came of it.
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Judges by status and headers, or trailers.
type Classify = dyn Fn(StatusCode, &HeaderMap) -> Report + Send + Sync;

/// How responses are judged.
#[derive(Clone, Default)]
pub(crate) struct Judge(Option<Arc<Classify>>);

/// What is known of a response so far.
#[derive(Debug)]
pub(crate) struct Verdict {
    report: Report,
    status: StatusCode,
    /// Its HTTP status says nothing: gRPC always has 200.
    grpc: bool,
}

/// What came of a request, as [`ReportLayer`](crate::ReportLayer) judges unless told otherwise. HTTP: 408 and 504 are
/// [`Outcome::Timeout`], what else is 500 and above [`Outcome::Error`], with a class as `http-503`; the rest worked. gRPC:
/// `DEADLINE_EXCEEDED` is a timeout, `CANCELLED` is cancelled; `UNKNOWN`, `UNIMPLEMENTED`, `INTERNAL`, `UNAVAILABLE`,
/// `DATA_LOSS` and no status at all are errors, with a class as `grpc-unavailable`; the rest worked.
pub fn by_status(status: StatusCode, headers: &HeaderMap) -> Report {
    match headers.get(&GRPC_STATUS) {
        Some(code) => by_code(Code::from_bytes(code.as_bytes())),
        None if status.is_success() && is_grpc(headers) => Outcome::Error.into(),
        None => by_http_status(status),
    }
}

fn by_http_status(status: StatusCode) -> Report {
    let class = || format!("http-{}", status.as_u16());
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => Outcome::Timeout.class(class()),
        _ if status.is_server_error() => Outcome::Error.class(class()),
        _ => Outcome::Ok.into(),
    }
}

fn by_code(code: Code) -> Report {
    match code {
        Code::Cancelled => Outcome::Cancelled.into(),
        Code::DeadlineExceeded => Outcome::Timeout.class("grpc-deadline-exceeded"),
        Code::Unknown => Outcome::Error.class("grpc-unknown"),
        Code::Unimplemented => Outcome::Error.class("grpc-unimplemented"),
        Code::Internal => Outcome::Error.class("grpc-internal"),
        Code::Unavailable => Outcome::Error.class("grpc-unavailable"),
        Code::DataLoss => Outcome::Error.class("grpc-data-loss"),
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unauthenticated => Outcome::Ok.into(),
    }
}

/// Whether it is gRPC, or gRPC-Web, whose status no header tells.
fn has_grpc_type(headers: &HeaderMap) -> bool {
    content_type(headers).starts_with(b"application/grpc")
}

/// Whether it is gRPC proper, which tells its status in the end.
fn is_grpc(headers: &HeaderMap) -> bool {
    has_grpc_type(headers) && !content_type(headers).starts_with(b"application/grpc-web")
}

fn content_type(headers: &HeaderMap) -> &[u8] {
    headers.get(CONTENT_TYPE).map_or(b"", |value| value.as_bytes())
}

impl Judge {
    /// Judges by this classifier.
    pub(crate) fn by(classify: impl Fn(StatusCode, &HeaderMap) -> Report + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(classify)))
    }

    /// Judges the head of a response.
    pub(crate) fn head(&self, status: StatusCode, headers: &HeaderMap) -> Verdict {
        Verdict {
            report: self.classify(status, headers),
            status,
            grpc: has_grpc_type(headers),
        }
    }

    /// Judges again by the trailers of a response, if they say what came of it.
    pub(crate) fn trailers(&self, verdict: &mut Verdict, trailers: &HeaderMap) {
        if trailers.contains_key(&GRPC_STATUS) {
            verdict.report = self.classify(verdict.status, trailers);
        }
    }

    fn classify(&self, status: StatusCode, headers: &HeaderMap) -> Report {
        let own = self.0.as_ref().and_then(|classify| {
            // The request must not fail of it, and nothing of a classifier is left half-done here.
            catch_unwind(AssertUnwindSafe(|| classify(status, headers))).ok()
        });
        own.unwrap_or_else(|| by_status(status, headers))
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.0.is_some() { "own" } else { "by_status" };
        out.debug_tuple("Judge").field(&name).finish()
    }
}

impl Verdict {
    /// The response broke off.
    pub(crate) fn broken(self) -> Self {
        Self {
            report: self.report.with_outcome(Outcome::Error),
            ..self
        }
    }

    /// All that the response says.
    pub(crate) fn into_report(self) -> Report {
        if self.grpc {
            self.report
        } else {
            self.report.value(STATUS_VALUE, u32::from(self.status.as_u16()))
        }
    }
}

#[cfg(test)]
mod tests;
