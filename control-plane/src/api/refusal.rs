//! Refusals: the one place where what went wrong becomes a gRPC status, with details and a word on what to do.

use evaluation::Key;
use proto::status::{invalid, violation};
use tonic::{Code, Status};
use tonic_types::PreconditionViolation;

use crate::{
    edit::{Precondition, Refusal},
    events::reader::ReadError,
    follow::FollowError,
    history::HistoryError,
    inspect::InspectError,
    members::MissingChunk,
    state::State,
    store,
    truth::CommitError,
};

/// An environment that must exist.
pub(super) fn environment(state: &State, text: &str) -> Result<Key, Status> {
    environment_in(state, "environment", text)
}

/// An environment that must exist, as a field of another name has it.
pub(super) fn environment_in(state: &State, field: &str, text: &str) -> Result<Key, Status> {
    let key = Key::parse(text).map_err(|error| invalid(&[violation(field, error.to_string())]))?;
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
    let violation = PreconditionViolation::new(kind, subject, description);
    proto::status::refused(Code::FailedPrecondition, &[], &[violation])
}

/// Something that stands against what was asked.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    kind: &'static str,
    subject: String,
    description: String,
}

impl Standing {
    /// What, of what, in words.
    pub(super) fn new(kind: &'static str, subject: String, description: String) -> Self {
        Self {
            kind,
            subject,
            description,
        }
    }
}

/// FAILED_PRECONDITION with all that stands against it.
pub(super) fn standing(found: Vec<Standing>) -> Status {
    let found = found
        .into_iter()
        .map(|found| PreconditionViolation::new(found.kind, found.subject, found.description))
        .collect::<Vec<_>>();
    proto::status::refused(Code::FailedPrecondition, &[], &found)
}

/// A write that was based on an old revision.
pub(super) fn stale(key: &str, expected: u64, current: u64) -> Status {
    refused(Refusal {
        violations: Vec::new(),
        preconditions: vec![Precondition::stale(key, expected, current)],
    })
}

/// INVALID_ARGUMENT if a document is wrong, else FAILED_PRECONDITION; with everything that was found.
pub(super) fn refused(refusal: Refusal) -> Status {
    let Refusal {
        violations,
        preconditions,
    } = refusal;
    let code = if violations.is_empty() {
        Code::FailedPrecondition
    } else {
        Code::InvalidArgument
    };
    let found = preconditions
        .into_iter()
        .map(|found| PreconditionViolation::new(found.kind, found.subject, found.description))
        .collect::<Vec<_>>();
    proto::status::refused(code, &violations, &found)
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

/// Of an evaluation that could not be made.
pub(super) fn inspection(error: InspectError, environment: &Key, flag: &Key, revision: Option<u64>) -> Status {
    let at = revision
        .map(|revision| format!(" at revision {revision}"))
        .unwrap_or_default();
    match error {
        InspectError::Future { .. } => invalid(&[violation("revision", error.to_string())]),
        InspectError::NoFlag => {
            Status::not_found(format!("flag {flag} does not exist in environment {environment}{at}"))
        }
        InspectError::Archived => Status::not_found(format!(
            "flag {flag} of environment {environment} is archived{at}, so agents do not have it"
        )),
        InspectError::TooMany => Status::failed_precondition(format!("flag {flag}: {error}")),
        InspectError::History(error) => error.into(),
    }
}

impl From<store::Error> for Status {
    /// Of what only reads.
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Compacted { asked, oldest } => Status::out_of_range(format!(
                "what was done right after revision {asked} is no longer kept for following (it is after {oldest}); list \
                 what is there, then follow from its newest revision"
            )),
            store::Error::Closed => Status::unavailable("the control plane is stopping; try again"),
            store::Error::Engine(_) | store::Error::Limit { .. } => {
                tracing::error!(%error, "the store failed");
                Status::internal(error.to_string())
            }
        }
    }
}

impl From<MissingChunk> for Status {
    fn from(error: MissingChunk) -> Self {
        tracing::error!(%error, "a member list is not whole");
        Status::data_loss(error.to_string())
    }
}

impl From<FollowError> for Status {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Full => Status::resource_exhausted(format!("{error}; end one, or try again later")),
            FollowError::Future { .. } => invalid(&[violation("after_revision", error.to_string())]),
            FollowError::Store(error) => error.into(),
            FollowError::Model(_) => Status::data_loss(error.to_string()),
        }
    }
}

impl From<ReadError> for Status {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Full => Status::resource_exhausted(format!("{error}; end one, or try again later")),
            ReadError::Future { .. } => invalid(&[violation("after", error.to_string())]),
            ReadError::Swept { .. } => Status::out_of_range(format!(
                "{error}; read from the beginning of what is kept (an empty after), and look at the rollouts for what is \
                 missing"
            )),
            ReadError::Store(error) => error.into(),
            ReadError::Model(_) => Status::data_loss(error.to_string()),
        }
    }
}

impl From<HistoryError> for Status {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Store(error) => error.into(),
            HistoryError::Model(_) | HistoryError::Chunk(_) => Status::data_loss(error.to_string()),
        }
    }
}
