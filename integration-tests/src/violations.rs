//! What a refusal names: the fields that are wrong, and what stands against a call.
//!
//! People mend their input by these paths and tools show them beside it, so a test compares them whole: one that is
//! missing and one that is too many are both wrong.

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The fields that a status names, in their order.
pub fn fields(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|request| request.field_violations.clone());
    let fields = violations.unwrap_or_default().into_iter();
    fields.map(|violation| violation.field).collect()
}

/// What stands against a call: kinds and subjects, in their order.
pub fn preconditions(status: &Status) -> Vec<(String, String)> {
    let details = status.get_error_details();
    let failure = details.precondition_failure().map(|failure| failure.violations.clone());
    let violations = failure.unwrap_or_default().into_iter();
    violations
        .map(|violation| (violation.r#type, violation.subject))
        .collect()
}

/// A call was refused as INVALID_ARGUMENT and names exactly these fields; in its message too, unless that says that there
/// are more.
pub fn names_exactly(what: &str, status: &Status, expected: &[&str]) {
    assert_eq!(status.code(), Code::InvalidArgument, "{what}: {status}");
    let (mut named, mut expected) = (fields(status), expected.to_vec());
    named.sort_unstable();
    expected.sort_unstable();
    assert_eq!(named, expected, "{what}: {status}");
    let told = expected
        .iter()
        .filter(|field| status.message().contains(**field))
        .count();
    let is_cut = told > 0 && status.message().ends_with(" more");
    assert!(told == expected.len() || is_cut, "{what}: {status}");
}

/// A call was refused as FAILED_PRECONDITION, because of exactly this.
pub fn stands_against(what: &str, status: &Status, kind: &str, subject: &str) {
    assert_eq!(status.code(), Code::FailedPrecondition, "{what}: {status}");
    let expected = vec![(kind.to_owned(), subject.to_owned())];
    assert_eq!(preconditions(status), expected, "{what}: {status}");
}
