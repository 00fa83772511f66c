//! An answer as HTTP has it: a status, perhaps an ETag, and JSON; and what is said when something is wrong.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    asked::AskedError,
    body::BodyError,
    write::{Failure, Writer},
};

/// An answer: a status, perhaps an ETag, and JSON.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) etag: Option<String>,
    pub(super) json: Vec<u8>,
}

impl Answer {
    pub(super) fn new(status: StatusCode, writer: Writer) -> Self {
        Self {
            status,
            etag: None,
            json: writer.into_bytes(),
        }
    }

    /// The caller has it already.
    pub(super) fn not_modified(etag: String) -> Self {
        Self {
            status: StatusCode::NOT_MODIFIED,
            etag: Some(etag),
            json: Vec::new(),
        }
    }

    /// Nothing can be answered yet. No flag is said to be missing, because a client would believe it.
    pub(super) fn no_snapshot() -> Self {
        Self::details(
            StatusCode::SERVICE_UNAVAILABLE,
            "this agent holds no snapshot yet; its /readyz says when it does",
        )
    }

    /// Something went wrong that is about no flag.
    pub(super) fn details(status: StatusCode, details: &str) -> Self {
        let mut writer = Writer::with_capacity(64 + details.len());
        writer.details(details);
        Self::new(status, writer)
    }

    /// A call or a flag failed.
    pub(super) fn failed(status: StatusCode, failure: &Failure) -> Self {
        let mut writer = Writer::with_capacity(128 + failure.len());
        writer.failure(failure);
        Self::new(status, writer)
    }
}

impl From<BodyError> for Answer {
    fn from(error: BodyError) -> Self {
        let status = match error {
            BodyError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
            BodyError::Broken => StatusCode::BAD_REQUEST,
        };
        Self::details(status, &error.to_string())
    }
}

impl From<AskedError> for Failure {
    fn from(error: AskedError) -> Self {
        let code = match error {
            AskedError::NotJson(_) => "PARSE_ERROR",
            AskedError::Context(_) => "INVALID_CONTEXT",
        };
        Self::new(code, error.to_string())
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.json));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if self.status != StatusCode::NOT_MODIFIED {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // Hexadecimal digits between quotes are a header.
        if let Some(etag) = self.etag.and_then(|etag| HeaderValue::try_from(etag).ok()) {
            headers.insert(header::ETAG, etag);
        }
        response
    }
}
