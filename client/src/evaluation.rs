//! What an evaluation answers: a value to use whatever happened, and why it is that one.
//!
//! Rule: there is always a value. A failure is told beside it, never instead of it, so that a service cannot forget to
//! handle it. The exposure token stays inside; it is what ties a later report to the arm that was served.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use proto::v1;
use tonic::{Code, Status};

use crate::exposure::{Exposed, Exposure, Exposures, sealed::Sealed};
use crate::outbox::Outbox;
use crate::report::Report;
use crate::request;
use crate::value::FlagValue;
use crate::values::{Amount, Values};

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
    /// The name of the rule that decided, if one did.
    pub rule: Option<String>,
    /// The key of the flag that was not as this one requires, if that decided.
    pub prerequisite: Option<String>,
    /// The unit's bucket, 0 to 99,999, if it decided.
    pub bucket: Option<u32>,
    /// For how long the agent has not heard of its control plane, if that makes the answer stale.
    pub stale: Option<Duration>,
    /// The stage of the rollout that decided, if one did.
    pub stage: Option<u32>,
    /// The arm that a rollout served to this unit, if one decided.
    pub arm: Option<Arm>,
    /// The arm that a rollout in shadow assigned to this unit; absent: no rollout shadows the flag. Whatever it is, the
    /// value is the control's; a service may run the treatment's path beside and throw its result away.
    pub shadow: Option<Arm>,
    exposure: Option<Exposure>,
    outbox: Outbox,
}

/// One of the two sides of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arm {
    /// What was before.
    Control,
    /// What is rolled out.
    Treatment,
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
    /// The agent has not heard of its control plane for too long.
    Stale,
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
    /// The flag splits by an attribute that the context does not have.
    #[error("the context has no targeting key")]
    TargetingKeyMissing,
    /// The context cannot be used, in the agent's words.
    #[error("the context cannot be used: {0}")]
    InvalidContext(String),
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

/// What the agent answered about a flag of this type.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    /// None: the caller's default.
    value: Option<T>,
    /// The rest of it.
    result: v1::Result,
}

impl<T: FlagValue> Answer<T> {
    /// Reads a result; one that is an error, or of another type than was asked for, is no answer.
    pub(crate) fn read(mut result: v1::Result) -> Result<Self, EvaluationError> {
        if result.reason() == v1::Reason::Error || result.error_code != 0 {
            return Err(EvaluationError::from_result(result));
        }
        let value = match result.value.take().and_then(|value| value.kind) {
            Some(kind) => Some(T::from_wire(kind).ok_or(EvaluationError::TypeMismatch)?),
            None => None,
        };
        Ok(Self { value, result })
    }
}

impl<T> Evaluation<T> {
    pub(crate) fn new(answer: Result<Answer<T>, EvaluationError>, default: T, outbox: Outbox) -> Self {
        let arm = answer
            .as_ref()
            .ok()
            .and_then(|answer| Arm::from_wire(&answer.result.arm));
        match answer {
            Ok(Answer { value, result }) => Self {
                value: value.unwrap_or(default),
                reason: Reason::from_wire(result.reason),
                variant: named(result.variant),
                error: None,
                rule: named(result.rule),
                prerequisite: named(result.prerequisite),
                bucket: result.bucket,
                stale: result.stale_s.map(Duration::from_secs),
                stage: result.stage,
                arm: arm.filter(|_| !result.shadow),
                shadow: arm.filter(|_| result.shadow),
                exposure: named(result.token).map(Exposure::of_token),
                outbox,
            },
            Err(error) => Self {
                value: default,
                variant: None,
                reason: Reason::Error,
                error: Some(error),
                rule: None,
                prerequisite: None,
                bucket: None,
                stale: None,
                stage: None,
                arm: None,
                shadow: None,
                exposure: None,
                outbox,
            },
        }
    }

    /// Reports what came of the request in which this value was used: an [`Outcome`](crate::Outcome), or a [`Report`]
    /// with all there is to say. Never blocks and never fails; without a rollout there is nothing to report and nothing
    /// is sent. Under a [`ReportLayer`](crate::ReportLayer) the request no longer reports this evaluation.
    pub fn report(&self, report: impl Into<Report>) {
        let exposures = Exposures::of(&[self]);
        request::settled(&exposures);
        self.outbox.report(exposures, report.into());
    }

    /// As [`Self::report`], with how long the request took.
    pub fn report_after(&self, report: impl Into<Report>, duration: Duration) {
        self.report(report.into().after(duration));
    }

    /// Reports what came later than the outcome: `track("conversion", true)`, `track("refunds", 12.5)`. Never blocks and
    /// never fails; without a rollout nothing is sent. For what comes in a later request keep [`Self::exposure`].
    pub fn track(&self, metric: impl Into<Cow<'static, str>>, amount: impl Into<Amount>) {
        let mut values = Values::default();
        values.set(metric.into(), amount.into());
        self.outbox.track(Exposures::of(&[self]), values);
    }

    /// What this evaluation exposed the unit to, to be named when the evaluation is gone; none without a rollout.
    pub fn exposure(&self) -> Option<Exposure> {
        self.exposure.clone()
    }
}

impl<T> Exposed for Evaluation<T> {
    fn token(&self) -> Option<&str> {
        self.exposure.as_ref()?.token()
    }
}

impl<T> Sealed for Evaluation<T> {
    fn name(&self) -> Option<Exposure> {
        self.exposure.clone()
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Control => "control",
            Self::Treatment => "treatment",
        })
    }
}

impl Arm {
    fn from_wire(text: &str) -> Option<Self> {
        match text {
            "control" => Some(Self::Control),
            "treatment" => Some(Self::Treatment),
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    /// OpenFeature's word.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Static => "STATIC",
            Self::Default => "DEFAULT",
            Self::TargetingMatch => "TARGETING_MATCH",
            Self::Split => "SPLIT",
            Self::Disabled => "DISABLED",
            Self::Stale => "STALE",
            Self::Error => "ERROR",
            Self::Other(word) => word,
        })
    }
}

impl Reason {
    fn from_wire(number: i32) -> Self {
        match v1::Reason::try_from(number) {
            Ok(v1::Reason::Static) => Self::Static,
            Ok(v1::Reason::Default) => Self::Default,
            Ok(v1::Reason::TargetingMatch) => Self::TargetingMatch,
            Ok(v1::Reason::Split) => Self::Split,
            Ok(v1::Reason::Disabled) => Self::Disabled,
            Ok(v1::Reason::Stale) => Self::Stale,
            Ok(v1::Reason::Error) => Self::Error,
            Ok(v1::Reason::Unspecified) => Self::Other("UNKNOWN".to_owned()),
            Err(_) => Self::Other(format!("UNKNOWN_{number}")),
        }
    }
}

impl EvaluationError {
    /// The error code of OpenFeature that says the same.
    pub fn code(&self) -> &'static str {
        match self {
            Self::FlagNotFound => "FLAG_NOT_FOUND",
            Self::TypeMismatch => "TYPE_MISMATCH",
            Self::TargetingKeyMissing => "TARGETING_KEY_MISSING",
            Self::InvalidContext(_) => "INVALID_CONTEXT",
            Self::Unreachable(_) => "PROVIDER_NOT_READY",
            Self::Deadline(_) | Self::Refused(_) => "GENERAL",
        }
    }

    /// Why a call failed as a whole.
    pub(crate) fn from_status(status: &Status, deadline: Duration) -> Self {
        let words = || status.message().to_owned();
        match status.code() {
            Code::InvalidArgument => Self::InvalidContext(words()),
            Code::DeadlineExceeded | Code::Cancelled => Self::Deadline(deadline),
            Code::Unavailable => Self::Unreachable(words()),
            _ => Self::Refused(words()),
        }
    }

    /// Why a flag could not decide.
    fn from_result(result: v1::Result) -> Self {
        match result.error_code() {
            v1::ErrorCode::FlagNotFound => Self::FlagNotFound,
            v1::ErrorCode::TypeMismatch => Self::TypeMismatch,
            v1::ErrorCode::TargetingKeyMissing => Self::TargetingKeyMissing,
            v1::ErrorCode::InvalidContext => Self::InvalidContext(result.error_message),
            v1::ErrorCode::General | v1::ErrorCode::Unspecified => Self::Refused(result.error_message),
        }
    }
}

/// A name; the wire says none by an empty one.
fn named(name: String) -> Option<String> {
    (!name.is_empty()).then_some(name)
}
