//! Finds out what reports belong to, and counts them once there.
//!
//! An exposure is named by its token, or by flag and context, which are evaluated again. Whatever cannot be counted is
//! dropped with a reason from a closed set and never fails the sender: a service must not suffer for its telemetry.
//! CANCELLED says that nobody knows how it would have ended; it counts nowhere, and is not dropped either: its
//! exposures are only awaited no more. Nor are those of an observation that is not read: it came, so nothing is lost,
//! but its rollout learns that something was dropped. Doors that get their reports otherwise than as messages of ours
//! count through an `Intake`.

use std::sync::Arc;

use evaluation::{Measurement, Snapshot};
use proto::{
    Token, TokenError,
    v1::{self, exposure_name::Name},
};

use super::{
    caller::Caller,
    counters::{Counters, is_measured},
    exposed::Exposed,
    received::{Dropped, Fault, Received},
    report::{ErrorClass, Outcome, Report, VALUES, Value},
    slice::CellKey,
};
use crate::{
    evaluate::{Selection, context, find},
    server_clock::{Moment, ServerClock},
    snapshot::Holder,
};

/// Observations or events that are read of one message.
const OBSERVATIONS: usize = 1_000;
/// Exposures that are read of one observation or event.
const EXPOSURES: usize = 64;

/// Counts reports against the snapshot in use.
#[derive(Debug, Clone)]
pub(crate) struct Observer {
    /// The snapshot in use.
    pub(crate) holder: Holder,
    /// Where they are counted.
    pub(crate) counters: Arc<Counters>,
    /// In which tick.
    pub(crate) clock: ServerClock,
}

/// One message while it is counted.
#[derive(Debug)]
pub(crate) struct Intake<'c> {
    counters: &'c Counters,
    snapshot: &'c Snapshot,
    caller: Caller,
    now: Moment,
    /// The rollouts and cells that the present report has counted in.
    counted: Vec<(u32, CellKey)>,
    received: Received,
}

impl Observer {
    /// Begins to count what `caller` says against a snapshot.
    pub(crate) fn intake<'c>(&'c self, snapshot: &'c Snapshot, caller: Caller) -> Intake<'c> {
        Intake {
            counters: &self.counters,
            snapshot,
            caller,
            now: self.clock.moment(),
            counted: Vec::new(),
            received: Received::default(),
        }
    }

    /// Counts one message of observations.
    pub(crate) fn observe(&self, mut request: v1::ObserveRequest, caller: Caller) -> Received {
        let snapshot = self.holder.load_full();
        let mut intake = self.intake(&snapshot, caller);
        let mut values = Vec::new();
        for (index, observation) in request.observations.iter_mut().enumerate() {
            if index < OBSERVATIONS {
                intake.observation(observation, &mut values);
            } else {
                intake.unread(Dropped::TooManyObservations, std::mem::take(&mut observation.exposures));
            }
        }
        intake.finish()
    }

    /// Counts one message of events.
    pub(crate) fn track(&self, mut request: v1::TrackRequest, caller: Caller) -> Received {
        let snapshot = self.holder.load_full();
        let mut intake = self.intake(&snapshot, caller);
        let mut values = Vec::new();
        for (index, event) in request.events.iter_mut().enumerate() {
            if index < OBSERVATIONS {
                let surplus = event.exposures.len().saturating_sub(EXPOSURES);
                intake.dropped(Dropped::TooManyExposures, surplus as u64);
                let exposures = intake.exposures(std::mem::take(&mut event.exposures));
                intake.values(&event.values, &mut values);
                intake.count(&Report::later(&values), exposures);
            } else {
                intake.dropped(Dropped::TooManyObservations, event.exposures.len() as u64);
            }
        }
        intake.finish()
    }
}

impl<'c> Intake<'c> {
    /// Counts what one request turned out to be, or an event, for what it was exposed to: once for each (rollout,
    /// stage, stratum, arm), however many exposures are of it.
    pub(crate) fn count(&mut self, report: &Report<'_>, exposed: impl Iterator<Item = Result<Exposed, Dropped>>) {
        self.counted.clear();
        for exposed in exposed {
            match exposed.and_then(|exposed| self.count_one(report, &exposed)) {
                Ok(()) => self.received.counted += 1,
                Err(reason) => self.dropped(reason, 1),
            }
        }
    }

    /// Somebody went away before it was known how a request turned out: it counts nowhere and is awaited no more.
    pub(crate) fn cancelled(&mut self, exposed: impl Iterator<Item = Result<Exposed, Dropped>>) {
        for exposed in exposed.flatten() {
            if let Ok(measurement) = measured(self.snapshot, &exposed) {
                self.counters.resolved(measurement, &exposed);
            }
        }
    }

    /// An outcome has come and is not read: its exposures are awaited no more, and their rollouts have lost it.
    fn unread(&mut self, reason: Dropped, names: Vec<v1::ExposureName>) {
        self.dropped(reason, names.len() as u64);
        for exposed in names.into_iter().flat_map(|name| exposed(self.snapshot, name)) {
            if let Ok(measurement) = measured(self.snapshot, &exposed) {
                self.counters.resolved(measurement, &exposed);
                self.counters.dropped(measurement, 1);
            }
        }
    }

    /// Exposures are not counted.
    pub(crate) fn dropped(&mut self, reason: Dropped, exposures: u64) {
        self.received.drop(reason, exposures);
    }

    /// Parts of a report are left out.
    pub(crate) fn fault(&mut self, fault: Fault, times: u64) {
        self.received.fault(fault, times);
    }

    /// Shows what became of it all.
    pub(crate) fn finish(self) -> Received {
        self.received.record();
        self.received
    }

    fn count_one(&mut self, report: &Report<'_>, exposed: &Exposed) -> Result<(), Dropped> {
        let measurement = measured(self.snapshot, exposed)?;
        if !is_measured(measurement, &exposed.exposure) {
            self.counters.dropped(measurement, 1);
            return Err(Dropped::UnknownStage);
        }
        let place = (exposed.exposure.rollout, CellKey::from(&exposed.exposure));
        if !self.counted.contains(&place) {
            self.counted.push(place);
            let clamped = self
                .counters
                .reported(measurement, exposed, report, self.caller, self.now)
                .ok_or(Dropped::Repeated)?;
            self.fault(Fault::OutsideClamp, clamped);
        } else if report.outcome.is_some() {
            self.counters.resolved(measurement, exposed);
        }
        Ok(())
    }

    fn observation<'r>(&mut self, observation: &'r mut v1::Observation, values: &mut Vec<Value<'r>>) {
        let mut names = std::mem::take(&mut observation.exposures);
        self.unread(Dropped::TooManyExposures, names.split_off(names.len().min(EXPOSURES)));
        let outcome = match v1::OutcomeKind::try_from(observation.outcome) {
            Ok(v1::OutcomeKind::Ok) => Outcome::Ok,
            Ok(v1::OutcomeKind::Error) => Outcome::Error,
            Ok(v1::OutcomeKind::Timeout) => Outcome::Timeout,
            Ok(v1::OutcomeKind::Cancelled) => return self.cancelled(self.exposures(names)),
            Ok(v1::OutcomeKind::Unspecified) | Err(_) => return self.unread(Dropped::Outcome, names),
        };
        self.values(&observation.values, values);
        let report = Report {
            duration_us: self.duration(observation.duration_us),
            class: self.class(&observation.error_class),
            values,
            sampled: observation.sampled,
            ..Report::of(outcome)
        };
        self.count(&report, self.exposures(names));
    }

    /// The exposures that are read of one report.
    fn exposures(&self, names: Vec<v1::ExposureName>) -> impl Iterator<Item = Result<Exposed, Dropped>> + use<'c> {
        let snapshot = self.snapshot;
        names
            .into_iter()
            .take(EXPOSURES)
            .map(move |name| exposed(snapshot, name))
    }

    /// Reads the values that can be counted.
    fn values<'r>(&mut self, said: &'r [v1::MetricValue], values: &mut Vec<Value<'r>>) {
        values.clear();
        let read = &said[..said.len().min(VALUES)];
        values.extend(read.iter().filter_map(|said| Value::new(&said.metric, said.value)));
        self.fault(Fault::TooManyValues, (said.len() - read.len()) as u64);
        self.fault(Fault::NotFinite, (read.len() - values.len()) as u64);
    }

    fn duration(&mut self, said: Option<i64>) -> Option<u64> {
        let duration_us = said.map(u64::try_from);
        self.fault(Fault::NegativeDuration, u64::from(matches!(duration_us, Some(Err(_)))));
        duration_us?.ok()
    }

    fn class<'r>(&mut self, said: &'r str) -> Option<ErrorClass<'r>> {
        if said.is_empty() {
            return None;
        }
        let class = ErrorClass::parse(said);
        self.fault(Fault::ErrorClass, u64::from(class.is_none()));
        class
    }
}

fn measured<'s>(snapshot: &'s Snapshot, exposed: &Exposed) -> Result<&'s Measurement, Dropped> {
    snapshot
        .measurement(exposed.exposure.rollout)
        .map(Arc::as_ref)
        .ok_or(Dropped::UnknownRollout)
}

fn exposed(snapshot: &Snapshot, name: v1::ExposureName) -> Result<Exposed, Dropped> {
    let environment = snapshot.environment().ok_or(Dropped::NoSnapshot)?;
    match name.name {
        Some(Name::Token(text)) => match Token::from_text(&text, environment.token_key) {
            Ok(token) => Ok(Exposed::token(&token)),
            Err(TokenError::Forged) => Err(Dropped::Forged),
            Err(TokenError::Text | TokenError::Version(_) | TokenError::Field) => Err(Dropped::Malformed),
        },
        Some(Name::Flag(named)) => {
            let flag = find(snapshot, &Selection::All, &named.flag_key).ok_or(Dropped::UnknownFlag)?;
            let decision = flag.evaluate(snapshot, &context(named.context));
            decision.exposure.map(Exposed::unit).ok_or(Dropped::NotExposed)
        }
        None => Err(Dropped::Unnamed),
    }
}

#[cfg(test)]
mod tests;
