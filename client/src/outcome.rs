//! What came of a request, in a word.

use std::borrow::Cow;
use std::time::Duration;

use proto::v1::OutcomeKind;

use crate::report::Report;
use crate::values::Amount;

/// What came of a request. With a duration, a class of failure or values it becomes a [`Report`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It worked.
    Ok,
    /// It failed.
    Error,
    /// It took too long.
    Timeout,
    /// The caller went away: counts for neither arm.
    Cancelled,
}

impl Outcome {
    /// `Ok` or `Error`, as the result is.
    pub fn of<T, E>(result: &Result<T, E>) -> Self {
        match result {
            Ok(_) => Self::Ok,
            Err(_) => Self::Error,
        }
    }

    /// This outcome, after so long.
    pub fn after(self, duration: Duration) -> Report {
        Report::from(self).after(duration)
    }

    /// This failure, and of which class it is; see [`Report::class`].
    pub fn class(self, class: impl Into<Cow<'static, str>>) -> Report {
        Report::from(self).class(class)
    }

    /// This outcome, and a number that belongs to it; see [`Report::value`].
    pub fn value(self, metric: impl Into<Cow<'static, str>>, amount: impl Into<Amount>) -> Report {
        Report::from(self).value(metric, amount)
    }

    /// Whether it counts as bad.
    pub(crate) fn is_bad(self) -> bool {
        matches!(self, Self::Error | Self::Timeout)
    }

    pub(crate) fn to_wire(self) -> OutcomeKind {
        match self {
            Self::Ok => OutcomeKind::Ok,
            Self::Error => OutcomeKind::Error,
            Self::Timeout => OutcomeKind::Timeout,
            Self::Cancelled => OutcomeKind::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_ok_or_an_error() {
        assert_eq!(Outcome::of::<_, ()>(&Ok(1)), Outcome::Ok);
        assert_eq!(Outcome::of::<(), _>(&Err("down")), Outcome::Error);
    }
}
