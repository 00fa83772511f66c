//! Refusals: the one place where what went wrong becomes a gRPC status, with details and a word on what to do.

use evaluation::Key;
use proto::status::{invalid, violation};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, PreconditionViolation, StatusExt};

use crate::{state::State, store, truth::CommitError};

/// An environment that must exist.
pub(super) fn environment(state: &State, text: &str) -> Result<Key, Status> {
    let key = Key::parse(text).map_err(|error| invalid(&[violation("environment", error.to_string())]))?;
    if state.environments.contains_key(&key) {
        return Ok(key);
    }
    let known = state
        .environments
        .keys()
        .map(Key::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    Err(Status::not_found(format!(
        "environment {key} does not exist; there are: {known}"
    )))
}

/// A flag's key.
pub(super) fn key(field: &str, text: &str) -> Result<Key, Status> {
    Key::parse(text).map_err(|error| invalid(&[violation(field, error.to_string())]))
}

/// FAILED_PRECONDITION with what was violated.
pub(super) fn precondition(kind: &str, subject: &str, description: impl Into<String>) -> Status {
    let description = description.into();
    let violation = PreconditionViolation::new(kind, subject, description.clone());
    Status::with_error_details(
        Code::FailedPrecondition,
        description,
        ErrorDetails::with_precondition_failure(vec![violation]),
    )
}

/// A write that was based on an old revision.
pub(super) fn stale(key: &str, expected: u64, current: u64) -> Status {
    precondition(
        "REVISION",
        key,
        format!("{key} has changed: it is at revision {current}, not {expected}; read it again and repeat the edit"),
    )
}

impl From<CommitError> for Status {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict => Status::aborted("somebody else changed it at the same time; try again"),
            CommitError::Store(error @ store::Error::Limit { .. }) => {
                Status::invalid_argument(format!("nothing was written: {error}"))
            }
            CommitError::Store(error) => {
                tracing::error!(%error, "the store failed");
                Status::internal(format!(
                    "{error}; whether it was written is not known, so read before you try again"
                ))
            }
            CommitError::NotShown(_) => Status::deadline_exceeded(error.to_string()),
        }
    }
}
