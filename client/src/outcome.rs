//! What came of a request, and the message that says so.
//!
//! An observation is one request's outcome for all exposures of that request: it counts once for each arm of each
//! rollout however many evaluations led to it. One without any exposure is not made at all.

use std::time::Duration;

use proto::v1::{ExposureName, Observation, OutcomeKind, exposure_name};

/// The most exposures that an agent takes in one observation.
const EXPOSURES: usize = 64;

/// What came of a request.
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

    fn to_wire(self) -> OutcomeKind {
        match self {
            Self::Ok => OutcomeKind::Ok,
            Self::Error => OutcomeKind::Error,
            Self::Timeout => OutcomeKind::Timeout,
            Self::Cancelled => OutcomeKind::Cancelled,
        }
    }
}

/// The observation of one request. `tokens` are those of its evaluations; repeats are left out, and of more than 64
/// distinct ones the first 64 count. Without any there is nothing to observe.
pub(crate) fn observation<'a>(
    tokens: impl Iterator<Item = &'a str>,
    outcome: Outcome,
    duration: Option<Duration>,
) -> Option<Observation> {
    let mut distinct: Vec<&str> = Vec::new();
    for token in tokens {
        if distinct.len() < EXPOSURES && !distinct.contains(&token) {
            distinct.push(token);
        }
    }
    if distinct.is_empty() {
        return None;
    }
    Some(Observation {
        exposures: distinct
            .into_iter()
            .map(|token| ExposureName {
                name: Some(exposure_name::Name::Token(token.to_owned())),
            })
            .collect(),
        outcome: outcome.to_wire().into(),
        duration_us: duration.map(|duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_tokens_are_one_exposure_and_the_limit_holds() {
        let tokens: Vec<String> = (0..70).map(|number| format!("token-{number}")).collect();
        let twice = tokens.iter().chain(&tokens).map(String::as_str);
        let observed = observation(twice, Outcome::Timeout, None).map(|observation| observation.exposures.len());
        assert_eq!(observed, Some(EXPOSURES));
    }

    #[test]
    fn without_a_token_there_is_nothing_to_observe() {
        assert_eq!(observation(std::iter::empty(), Outcome::Error, None), None);
    }

    #[test]
    fn an_endless_duration_is_the_longest_that_can_be_said() {
        let observed = observation(std::iter::once("t"), Outcome::Ok, Some(Duration::MAX));
        assert_eq!(observed.and_then(|observation| observation.duration_us), Some(i64::MAX));
    }

    #[test]
    fn a_result_is_ok_or_an_error() {
        assert_eq!(Outcome::of::<_, ()>(&Ok(1)), Outcome::Ok);
        assert_eq!(Outcome::of::<(), _>(&Err("down")), Outcome::Error);
    }
}
