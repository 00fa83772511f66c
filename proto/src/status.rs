//! Violations as a gRPC status: INVALID_ARGUMENT with every field's violation in a `BadRequest` detail.
//!
//! The message repeats them in words, because many clients show nothing else.

use evaluation::Violation;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// INVALID_ARGUMENT that names every violation.
pub fn invalid(violations: &[Violation]) -> Status {
    let fields = violations
        .iter()
        .map(|violation| FieldViolation::new(violation.field.clone(), violation.description.clone()))
        .collect::<Vec<_>>();
    let message = violations
        .iter()
        .map(|violation| format!("{}: {}", violation.field, violation.description))
        .collect::<Vec<_>>()
        .join("; ");
    Status::with_error_details(Code::InvalidArgument, message, ErrorDetails::with_bad_request(fields))
}

/// One violation of one field.
pub fn violation(field: impl Into<String>, description: impl Into<String>) -> Violation {
    Violation {
        field: field.into(),
        description: description.into(),
    }
}
