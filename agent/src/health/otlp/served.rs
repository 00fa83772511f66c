//! One flag evaluation as telemetry tells it, and which exposure it was.
//!
//! Named by the token if one is told (as the attribute `tidegate.token`), else by flag, variant, and what else is told
//! of version and caller. Without a version it must have been the current stage: what was served before that began, or
//! too soon after for this agent to know of it, could be of the stage before, and counts nowhere. The caller's id is
//! hashed here, and goes no further.

use std::borrow::Cow;

use evaluation::{Attributed, Served, Snapshot, Unattributed};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use proto::{METADATA_TOKEN, Token};

use super::{attributes, dropped::Dropped, names};
use crate::{
    evaluate::{Selection, find, version},
    server_clock::ServerClock,
};

/// For how many ticks after a stage began an evaluation may have been served from the one before.
const UNSURE_TICKS: u32 = 2;

/// What attributes say of one evaluation.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    flag: Option<&'a str>,
    variant: Option<&'a str>,
    reason: Option<&'a str>,
    version: Option<&'a str>,
    token: Option<&'a str>,
    context_id: Option<Cow<'a, str>>,
}

/// Why an evaluation is no exposure that could be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Uncounted {
    /// Why.
    pub(super) reason: Dropped,
    /// Whose exposure it was, of a stage that is not known: it is awaited no more.
    pub(super) of: Option<Attributed>,
}

/// What a reason says of who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// Something about the caller did.
    Targeted,
    /// Nothing about the caller did.
    Untargeted,
    /// It is not told, or not known.
    Untold,
}

impl<'a> Said<'a> {
    /// From the attributes of an event.
    pub(super) fn of(attributes: &'a [KeyValue]) -> Self {
        let mut said = Self::default();
        for (key, value) in attributes::each(attributes) {
            said.attribute(key, value);
        }
        said
    }

    /// Looks at one attribute.
    pub(super) fn attribute(&mut self, key: &str, value: &'a Value) {
        match key {
            names::FLAG => self.flag = attributes::text(value),
            names::VARIANT => self.variant = attributes::text(value).or(self.variant),
            names::OLDER_VARIANT => self.variant = self.variant.or_else(|| attributes::text(value)),
            names::REASON => self.reason = attributes::text(value).or(self.reason),
            names::VERSION => self.version = attributes::text(value),
            names::CONTEXT_ID => self.context_id = attributes::written(value),
            METADATA_TOKEN => self.token = attributes::text(value),
            _ if names::OLDER_REASONS.contains(&key) => self.reason = self.reason.or_else(|| attributes::text(value)),
            _ => {}
        }
    }

    /// Whether an evaluation is told at all.
    pub(super) fn is_any(&self) -> bool {
        self.flag.is_some() || self.token.is_some()
    }

    /// The exposure that it was, served at this time of the machine's clock in microseconds; 0: not told.
    pub(super) fn attribute_to(
        &self,
        snapshot: &Snapshot,
        clock: &ServerClock,
        served_us: i64,
    ) -> Result<Attributed, Uncounted> {
        let environment = snapshot.environment().ok_or(Dropped::NoSnapshot)?;
        if let Some(token) = self.token {
            let token = Token::from_text(token, environment.token_key).map_err(|_| Dropped::Token)?;
            return Ok(token.exposure.into());
        }
        let key = self.flag.ok_or(Dropped::Malformed)?;
        let flag = find(snapshot, &Selection::All, key).ok_or(Dropped::UnknownFlag)?;
        if !flag.under_rollout() {
            return Err(Dropped::NoRollout.into());
        }
        let place = self.version.and_then(version::read);
        let reason = self.reason.map_or(Reason::Untold, Reason::read);
        if place.is_none() && reason == Reason::Untargeted {
            return Err(Dropped::NotExposed.into());
        }
        let served = Served {
            variant: self.variant.ok_or(Dropped::NoVariant)?,
            targeting_key: self.context_id.as_deref(),
            place,
            is_targeted: reason == Reason::Targeted,
        };
        let attributed = flag.attribute(snapshot, &served)?;
        if place.is_none() && is_before(snapshot, &attributed, clock, served_us) {
            return Err(Uncounted {
                reason: Dropped::StaleStage,
                of: Some(attributed),
            });
        }
        Ok(attributed)
    }
}

impl From<Dropped> for Uncounted {
    fn from(reason: Dropped) -> Self {
        Self { reason, of: None }
    }
}

impl From<Unattributed> for Uncounted {
    fn from(unattributed: Unattributed) -> Self {
        let of = match unattributed {
            Unattributed::OtherArm(attributed) => Some(attributed),
            Unattributed::NoRollout
            | Unattributed::AnotherRollout
            | Unattributed::NotExposed
            | Unattributed::Ambiguous => None,
        };
        Self {
            reason: unattributed.into(),
            of,
        }
    }
}

impl Reason {
    /// From OpenFeature's word, in any case; some libraries put the name of the type before it.
    fn read(text: &str) -> Self {
        let word = text.rsplit('.').next().unwrap_or_default();
        let is_one_of = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
        if is_one_of(&["targeting_match", "split"]) {
            Self::Targeted
        } else if is_one_of(&["static", "default", "disabled", "error", "cached"]) {
            // Clients keep what is static only, so that what comes out of a cache was served before the rollout.
            Self::Untargeted
        } else {
            Self::Untold
        }
    }
}

/// Whether something was served before this agent can have known of the stage that it is attributed to.
fn is_before(snapshot: &Snapshot, attributed: &Attributed, clock: &ServerClock, served_us: i64) -> bool {
    let Some(measurement) = snapshot.measurement(attributed.place.rollout) else {
        return false;
    };
    let visits = measurement
        .stages
        .iter()
        .filter(|visit| visit.stage == attributed.place.stage);
    let entered = visits.map(|visit| visit.entered_tick).max();
    let served = proto::tick::at(clock.at(served_us));
    served_us > 0 && entered.is_some_and(|entered| served < entered.saturating_add(UNSURE_TICKS))
}

#[cfg(test)]
mod tests;
