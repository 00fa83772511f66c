//! What became of what services said, and why.
//!
//! Two kinds of loss: an exposure that is dropped counts nowhere; a part of a report that is left out (a duration, a
//! value) costs that part alone. Reasons are a closed set, counted here and shown as metrics, so that bad telemetry is
//! seen without a log line for each.

use std::{collections::BTreeMap, fmt};

use proto::v1;

use super::report::VALUES;
use crate::metrics;

/// Reasons that are told to the sender.
const REASONS: usize = 8;

/// Why an exposure was not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Dropped {
    /// More observations than a message may have.
    TooManyObservations,
    /// More exposures than an observation may have.
    TooManyExposures,
    /// The outcome is not given, or none that is known here.
    Outcome,
    /// It names nothing.
    Unnamed,
    /// The token is no token.
    Malformed,
    /// The token was not minted in this environment.
    Forged,
    /// Nothing is held that could tell.
    NoSnapshot,
    /// The flag is not in this agent's subscription.
    UnknownFlag,
    /// The flag and context lie outside every rollout.
    NotExposed,
    /// The rollout has ended, or is outside this agent's subscription.
    UnknownRollout,
    /// The rollout has not reached the stage, as far as this agent knows.
    UnknownStage,
    /// The rollout splits requests, and the outcome of this one was told before.
    Repeated,
}

/// Why a part of a report was left out, or not counted as it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    /// A duration is negative.
    NegativeDuration,
    /// A value is not finite.
    NotFinite,
    /// More values than a report may have.
    TooManyValues,
    /// The error class is malformed.
    ErrorClass,
    /// A value is outside the clamp of a metric; its nearest end was counted.
    OutsideClamp,
}

impl Dropped {
    /// As a label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::TooManyObservations => "too_many_observations",
            Self::TooManyExposures => "too_many_exposures",
            Self::Outcome => "outcome",
            Self::Unnamed => "unnamed",
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::NoSnapshot => "no_snapshot",
            Self::UnknownFlag => "unknown_flag",
            Self::NotExposed => "not_exposed",
            Self::UnknownRollout => "unknown_rollout",
            Self::UnknownStage => "unknown_stage",
            Self::Repeated => "repeated",
        }
    }
}

impl Fault {
    /// As a label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::NegativeDuration => "negative_duration",
            Self::NotFinite => "not_finite",
            Self::TooManyValues => "too_many_values",
            Self::ErrorClass => "error_class",
            Self::OutsideClamp => "outside_clamp",
        }
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::TooManyObservations => "a message has more than 1,000 observations or events; the rest is not read",
            Self::TooManyExposures => "an observation has more than 64 exposures; the rest is not read",
            Self::Outcome => "an observation has no known outcome",
            Self::Unnamed => "an exposure has neither a token nor a flag",
            Self::Malformed => "a token is not 22 characters of base64url of a known version",
            Self::Forged => "a token was not minted in this environment, or is damaged",
            Self::NoSnapshot => "this agent holds no snapshot yet",
            Self::UnknownFlag => "this agent does not hold the flag",
            Self::NotExposed => "the flag and context lie outside every rollout",
            Self::UnknownStage => "the rollout has not reached the stage, as far as this agent knows",
            Self::Repeated => "the rollout splits requests, and the outcome of this one was told before",
            Self::UnknownRollout => "the rollout has ended or is outside this agent's subscription",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NegativeDuration => out.write_str("a duration is negative; the rest was counted"),
            Self::NotFinite => out.write_str("a value is not a finite number; the rest was counted"),
            Self::TooManyValues => write!(
                out,
                "an observation has more than {VALUES} values; the rest was counted"
            ),
            Self::ErrorClass => out.write_str(
                "an error class is not 1 to 64 of a-z, 0-9, `.`, `_`, `-`, or begins with a sign; the rest was counted",
            ),
            Self::OutsideClamp => out.write_str("a value is outside its clamp; the nearest end was counted"),
        }
    }
}

/// What became of what one sender said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Received {
    /// Exposures counted.
    pub(crate) counted: u64,
    /// Exposures dropped, by reason.
    pub(crate) dropped: BTreeMap<Dropped, u64>,
    /// Parts left out or changed, by reason.
    pub(crate) faults: BTreeMap<Fault, u64>,
}

impl Received {
    /// Adds another.
    pub(crate) fn add(&mut self, other: &Self) {
        self.counted += other.counted;
        for (reason, exposures) in &other.dropped {
            self.drop(*reason, *exposures);
        }
        for (fault, times) in &other.faults {
            self.fault(*fault, *times);
        }
    }

    /// Exposures were dropped.
    pub(crate) fn drop(&mut self, reason: Dropped, exposures: u64) {
        if exposures > 0 {
            *self.dropped.entry(reason).or_default() += exposures;
        }
    }

    /// Parts were left out or changed.
    pub(crate) fn fault(&mut self, fault: Fault, times: u64) {
        if times > 0 {
            *self.faults.entry(fault).or_default() += times;
        }
    }

    /// Shows it.
    pub(crate) fn record(&self) {
        if self.counted > 0 {
            metrics::observed("counted", self.counted);
        }
        for (reason, exposures) in &self.dropped {
            metrics::observed(reason.label(), *exposures);
        }
        for (fault, times) in &self.faults {
            metrics::report_fault(fault.label(), *times);
        }
    }
}

impl From<Received> for v1::ObserveResponse {
    fn from(received: Received) -> Self {
        let said = |reason: &dyn fmt::Display, times: &u64| format!("{reason} ({times} times)");
        let dropped = received.dropped.iter().map(|(reason, times)| said(reason, times));
        let faults = received.faults.iter().map(|(fault, times)| said(fault, times));
        Self {
            counted: received.counted,
            dropped: received.dropped.values().sum(),
            reasons: dropped.chain(faults).take(REASONS).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_is_told_what_was_dropped_and_what_was_left_out() {
        let mut received = Received::default();
        let mut more = Received {
            counted: 2,
            ..Received::default()
        };
        more.drop(Dropped::Forged, 3);
        more.fault(Fault::NotFinite, 1);
        for _ in 0..2 {
            received.add(&more);
        }
        let response = v1::ObserveResponse::from(received);
        assert_eq!((response.counted, response.dropped), (4, 6));
        assert_eq!(
            response.reasons,
            [
                "a token was not minted in this environment, or is damaged (6 times)",
                "a value is not a finite number; the rest was counted (2 times)",
            ]
        );
    }

    #[test]
    fn every_reason_is_shown_under_a_label_of_its_own() {
        let (recorder, rendered) = runtime::telemetry::local_metrics();
        let mut received = Received::default();
        received.drop(Dropped::Unnamed, 2);
        received.fault(Fault::OutsideClamp, 3);
        received.fault(Fault::ErrorClass, 0);
        ::metrics::with_local_recorder(&recorder, || received.record());
        let text = rendered.render();
        for line in [
            "tidegate_agent_observations_total{result=\"unnamed\"} 2",
            "tidegate_agent_report_faults_total{reason=\"outside_clamp\"} 3",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("error_class"), "{text}");
    }
}
