//! Violations as a gRPC status: INVALID_ARGUMENT with every field's violation in a `BadRequest` detail.
//!
//! The message repeats them in words, because many clients show nothing else.

use evaluation::Violation;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// How many violations are listed; the rest are counted. Clients limit the headers that a status travels in.
const LISTED: usize = 50;

/// INVALID_ARGUMENT that names every violation, the first fifty of them one by one.
pub fn invalid(violations: &[Violation]) -> Status {
    let omitted = violations.len().saturating_sub(LISTED);
    let rest = (omitted > 0).then(|| violation("", format!("{omitted} more violations are not listed")));
    let violations = violations.iter().take(LISTED).chain(&rest);
    let fields = violations
        .clone()
        .map(|violation| FieldViolation::new(violation.field.clone(), violation.description.clone()))
        .collect::<Vec<_>>();
    let message = violations
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
