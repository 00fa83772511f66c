//! Finds out what an observation belongs to, and counts it once there.
//!
//! An exposure is named by its token, or by flag and context, which are evaluated again. Whatever cannot be counted is
//! dropped with a reason from a closed set and never fails the sender: a service must not suffer for its telemetry.
//! CANCELLED says that nobody knows how it would have ended; it counts nowhere, and is not dropped either.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::Arc,
};

use evaluation::{Exposure, Measurement, Snapshot};
use proto::{
    Token, TokenError,
    v1::{self, exposure_name::Name},
};

use super::counters::{Counters, Outcome, is_measured};
use crate::{
    evaluate::{Selection, context, find},
    metrics,
    server_clock::ServerClock,
    snapshot::Holder,
};

/// Observations that are read of one message.
const OBSERVATIONS: usize = 1_000;
/// Exposures that are read of one observation.
const EXPOSURES: usize = 64;
/// Reasons that are told to the sender.
const REASONS: usize = 8;

/// Why an exposure of an observation was not counted.
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
}

impl Dropped {
    /// As a label.
    fn label(self) -> &'static str {
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
        }
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::TooManyObservations => "a message has more than 1,000 observations; the rest is not read",
            Self::TooManyExposures => "an observation has more than 64 exposures; the rest is not read",
            Self::Outcome => "an observation has no known outcome",
            Self::Unnamed => "an exposure has neither a token nor a flag",
            Self::Malformed => "a token is not 22 characters of base64url of a known version",
            Self::Forged => "a token was not minted in this environment, or is damaged",
            Self::NoSnapshot => "this agent holds no snapshot yet",
            Self::UnknownFlag => "this agent does not hold the flag",
            Self::NotExposed => "the flag and context lie outside every rollout",
            Self::UnknownStage => "the rollout has not reached the stage, as far as this agent knows",
            Self::UnknownRollout => "the rollout has ended or is outside this agent's subscription",
        })
    }
}

/// What became of observations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Exposures counted.
    pub(crate) counted: u64,
    /// Exposures dropped, by reason.
    pub(crate) dropped: BTreeMap<Dropped, u64>,
}

impl Tally {
    /// Adds another.
    pub(crate) fn add(&mut self, other: &Self) {
        self.counted += other.counted;
        for (reason, exposures) in &other.dropped {
            self.drop(*reason, *exposures);
        }
    }

    fn drop(&mut self, reason: Dropped, exposures: u64) {
        *self.dropped.entry(reason).or_default() += exposures;
    }

    fn record(&self) {
        if self.counted > 0 {
            metrics::observed("counted", self.counted);
        }
        for (reason, exposures) in &self.dropped {
            metrics::observed(reason.label(), *exposures);
        }
    }
}

impl From<Tally> for v1::ObserveResponse {
    fn from(tally: Tally) -> Self {
        let said = |(reason, exposures): (&Dropped, &u64)| format!("{reason} ({exposures} times)");
        Self {
            counted: tally.counted,
            dropped: tally.dropped.values().sum(),
            reasons: tally.dropped.iter().map(said).take(REASONS).collect(),
        }
    }
}

/// Counts observations against the snapshot in use.
#[derive(Debug, Clone)]
pub(crate) struct Observer {
    /// The snapshot in use.
    pub(crate) holder: Holder,
    /// Where they are counted.
    pub(crate) counters: Arc<Counters>,
    /// In which tick.
    pub(crate) clock: ServerClock,
}

impl Observer {
    /// Counts one message.
    pub(crate) fn observe(&self, request: v1::ObserveRequest) -> Tally {
        let snapshot = self.holder.load_full();
        let mut tally = Tally::default();
        for (index, observation) in request.observations.into_iter().enumerate() {
            if index < OBSERVATIONS {
                self.observation(&snapshot, observation, &mut tally);
            } else {
                tally.drop(Dropped::TooManyObservations, observation.exposures.len() as u64);
            }
        }
        tally.record();
        tally
    }

    fn observation(&self, snapshot: &Snapshot, observation: v1::Observation, tally: &mut Tally) {
        let exposures = observation.exposures.len();
        let outcome = match v1::OutcomeKind::try_from(observation.outcome) {
            Ok(v1::OutcomeKind::Ok) => Outcome::Ok,
            Ok(v1::OutcomeKind::Error) => Outcome::Error,
            Ok(v1::OutcomeKind::Timeout) => Outcome::Timeout,
            Ok(v1::OutcomeKind::Cancelled) => return,
            Ok(v1::OutcomeKind::Unspecified) | Err(_) => return tally.drop(Dropped::Outcome, exposures as u64),
        };
        if exposures > EXPOSURES {
            tally.drop(Dropped::TooManyExposures, (exposures - EXPOSURES) as u64);
        }
        let mut counted = HashSet::new();
        for name in observation.exposures.into_iter().take(EXPOSURES) {
            let found = exposure(snapshot, name).and_then(|exposure| Ok((exposure, measured(snapshot, &exposure)?)));
            let (exposure, measurement) = match found {
                Ok(found) => found,
                Err(reason) => {
                    tally.drop(reason, 1);
                    continue;
                }
            };
            if !is_measured(measurement, &exposure) {
                self.counters.dropped(measurement);
                tally.drop(Dropped::UnknownStage, 1);
                continue;
            }
            tally.counted += 1;
            if counted.insert((exposure.rollout, exposure.stage, exposure.stratum, exposure.arm)) {
                self.counters
                    .observed(measurement, &exposure, outcome, self.clock.tick());
            }
        }
    }
}

fn measured<'s>(snapshot: &'s Snapshot, exposure: &Exposure) -> Result<&'s Measurement, Dropped> {
    snapshot
        .measurement(exposure.rollout)
        .map(Arc::as_ref)
        .ok_or(Dropped::UnknownRollout)
}

fn exposure(snapshot: &Snapshot, name: v1::ExposureName) -> Result<Exposure, Dropped> {
    let environment = snapshot.environment().ok_or(Dropped::NoSnapshot)?;
    match name.name {
        Some(Name::Token(text)) => match Token::from_text(&text, environment.token_key) {
            Ok(token) => Ok(token.exposure),
            Err(TokenError::Forged) => Err(Dropped::Forged),
            Err(TokenError::Text | TokenError::Version(_) | TokenError::Field) => Err(Dropped::Malformed),
        },
        Some(Name::Flag(named)) => {
            let flag = find(snapshot, &Selection::All, &named.flag_key).ok_or(Dropped::UnknownFlag)?;
            flag.evaluate(snapshot, &context(named.context))
                .exposure
                .ok_or(Dropped::NotExposed)
        }
        None => Err(Dropped::Unnamed),
    }
}

#[cfg(test)]
mod tests;
