//! What an evaluation answers: a value to use whatever happened, and why it is that one.
//!
//! Rule: there is always a value. A failure is told beside it, never instead of it, so that a service cannot forget to
//! handle it. The exposure token stays inside; it is what ties a later report to the arm that was served.

use std::time::Duration;

use prost_types::Struct;
use prost_types::value::Kind;
use tonic::{Code, Status};

use crate::outcome::{Outcome, observation};
use crate::queue::Inlet;

/// The answer to one evaluation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Evaluation<T> {
    /// The value to use; the caller's default if there was no other.
    pub value: T,
    /// The name of the variant; absent when the default is served.
    pub variant: Option<String>,
    /// Why this value.
    pub reason: Reason,
    /// What went wrong, when the reason is [`Reason::Error`].
    pub error: Option<EvaluationError>,
    token: Option<String>,
    inlet: Inlet,
}

/// Why a value was served, in the words of OpenFeature.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The same for every caller.
    Static,
    /// The flag's default, or the caller's.
    Default,
    /// A list, a rule or a split chose it.
    TargetingMatch,
    /// A split chose it.
    Split,
    /// The flag is off.
    Disabled,
    /// The evaluation failed; the caller's default is served.
    Error,
    /// Another reason, in the agent's word.
    Other(String),
}

/// Why an evaluation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// The agent knows no flag of this key.
    #[error("flag not found")]
    FlagNotFound,
    /// The flag has another type than the one asked for.
    #[error("the flag has another type")]
    TypeMismatch,
    /// The agent did not answer in time.
    #[error("no answer within {0:?}")]
    Deadline(Duration),
    /// No connection to the agent.
    #[error("agent unreachable: {0}")]
    Unreachable(String),
    /// The agent refused, in its words.
    #[error("refused: {0}")]
    Refused(String),
}

/// Anything that was exposed to an arm: an [`Evaluation`] of any type.
pub trait Exposed: sealed::Sealed {
    /// The exposure token, present while the flag is under a rollout and this unit is part of it.
    fn token(&self) -> Option<&str>;
}

mod sealed {
    pub trait Sealed {}
    impl<T> Sealed for super::Evaluation<T> {}
}

/// The parts of a reply that are the same for every type.
pub(crate) struct Reply<T> {
    pub(crate) value: Option<T>,
    pub(crate) variant: Option<String>,
    pub(crate) reason: String,
    pub(crate) metadata: Option<Struct>,
}

impl<T> Evaluation<T> {
    pub(crate) fn new(outcome: Result<Reply<T>, EvaluationError>, default: T, inlet: Inlet) -> Self {
        match outcome {
            Ok(reply) => Self {
                value: reply.value.unwrap_or(default),
                variant: reply.variant,
                reason: Reason::from_wire(reply.reason),
                error: None,
                token: reply.metadata.and_then(exposure_token),
                inlet,
            },
            Err(error) => Self {
                value: default,
                variant: None,
                reason: Reason::Error,
                error: Some(error),
                token: None,
                inlet,
            },
        }
    }

    /// Reports what came of the request in which this value was used. Never blocks and never fails; without a rollout
    /// there is nothing to report and nothing is sent.
    pub fn report(&self, outcome: Outcome) {
        self.inlet.offer(observation(self.token().into_iter(), outcome, None));
    }

    /// As [`Self::report`], with how long the request took.
    pub fn report_after(&self, outcome: Outcome, duration: Duration) {
        self.inlet
            .offer(observation(self.token().into_iter(), outcome, Some(duration)));
    }
}

impl<T> Exposed for Evaluation<T> {
    fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }
}

impl Reason {
    fn from_wire(word: String) -> Self {
        match word.as_str() {
            "STATIC" => Self::Static,
            "DEFAULT" => Self::Default,
            "TARGETING_MATCH" => Self::TargetingMatch,
            "SPLIT" => Self::Split,
            "DISABLED" => Self::Disabled,
            "ERROR" => Self::Error,
            _ => Self::Other(word),
        }
    }
}

impl EvaluationError {
    /// Reads a status as flagd's evaluation protocol means it.
    pub(crate) fn from_status(status: &Status, deadline: Duration) -> Self {
        match status.code() {
            Code::NotFound => Self::FlagNotFound,
            Code::InvalidArgument => Self::TypeMismatch,
            Code::DeadlineExceeded | Code::Cancelled => Self::Deadline(deadline),
            Code::Unavailable => Self::Unreachable(status.message().to_owned()),
            _ => Self::Refused(status.message().to_owned()),
        }
    }
}

fn exposure_token(mut metadata: Struct) -> Option<String> {
    match metadata.fields.remove(proto::METADATA_TOKEN)?.kind? {
        Kind::StringValue(token) if !token.is_empty() => Some(token),
        _ => None,
    }
}
