//! Evaluation as every door needs it: find the flag, decide, name and count the exposure.
//!
//! Not `async`, and knows no door: it takes a context and gives a decision that borrows from the snapshot. A door asks
//! for the exposure only once it knows that it can answer, so that what was never served is never counted.

use std::{sync::Arc, time::Duration};

use evaluation::{Arm, Attribute, CompiledFlag, Context, Decision, Exposure, Snapshot};
use prost_types::{Struct, value::Kind};
use proto::{Token, tick};

use crate::{
    contact::Contact, health::counters::Counters, metrics::Evaluations, server_clock::ServerClock, snapshot::Holder,
};

/// What an evaluation needs beside the snapshot.
#[derive(Debug)]
pub(crate) struct Evaluator {
    /// The snapshot in use.
    pub(crate) holder: Holder,
    /// Where exposures are counted.
    pub(crate) counters: Arc<Counters>,
    /// When they happened.
    pub(crate) clock: ServerClock,
    /// Whether the snapshot may be stale.
    pub(crate) contact: Contact,
    /// From what silence on it is.
    pub(crate) stale_after: Duration,
    /// The low byte of this agent's hash, for tokens.
    pub(crate) minter: u8,
    /// Counts answers.
    pub(crate) evaluations: Evaluations,
}

/// Which flags a caller may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All of the snapshot.
    All,
    /// Those of this flag set; empty: those of none.
    Set(String),
    /// None: the caller names a source, and there is but one.
    Nothing,
}

/// An exposure, named for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// The token's text.
    pub(crate) token: String,
    /// The stage, 0 to 15.
    pub(crate) stage: u8,
    /// The arm.
    pub(crate) arm: Arm,
}

impl Selection {
    /// Whether the flag is among them.
    pub(crate) fn admits(&self, flag: &CompiledFlag) -> bool {
        match self {
            Self::All => true,
            Self::Set(set) => flag.set().unwrap_or_default() == set,
            Self::Nothing => false,
        }
    }
}

/// The flag of this key, if the caller may see it.
pub(crate) fn find<'s>(snapshot: &'s Snapshot, selection: &Selection, key: &str) -> Option<&'s CompiledFlag> {
    snapshot
        .flag(key)
        .map(Arc::as_ref)
        .filter(|flag| selection.admits(flag))
}

impl Evaluator {
    /// Counts the exposure of a decision that is about to be answered, and names it. None outside rollouts.
    pub(crate) fn expose(&self, snapshot: &Snapshot, decision: &Decision<'_>) -> Option<Named> {
        let exposure = decision.exposure?;
        let time_us = self.clock.now_us();
        let measurement = snapshot.measurement(exposure.rollout);
        if let Some(measurement) = measurement {
            self.counters.exposed(measurement, &exposure, time_us);
        }
        let start_tick = measurement.map_or_else(|| tick::at(time_us), |measurement| measurement.start_tick);
        let tick = tick::at(time_us).saturating_sub(start_tick);
        self.name(snapshot, exposure, tick)
    }

    fn name(&self, snapshot: &Snapshot, exposure: Exposure, tick: u32) -> Option<Named> {
        let token_key = snapshot.environment()?.token_key;
        let token = Token {
            exposure,
            tick,
            minter: self.minter,
        }
        .to_text(token_key);
        Some(Named {
            token,
            stage: exposure.stage,
            arm: exposure.arm,
        })
    }

    /// For how many seconds the control plane has been silent, if that makes answers stale.
    pub(crate) fn stale_s(&self) -> Option<u64> {
        self.contact
            .silence_beyond(self.stale_after)
            .map(|silence| silence.as_secs())
    }
}

/// A context from its wire form: scalars keep their value, anything else is there and equal to nothing.
pub(crate) fn context(fields: Option<Struct>) -> Context {
    let fields = fields.map(|fields| fields.fields).unwrap_or_default();
    fields.into_iter().fold(Context::new(), |context, (name, value)| {
        let attribute = match value.kind {
            Some(Kind::StringValue(text)) => Attribute::Text(text),
            Some(Kind::NumberValue(number)) => Attribute::Number(number),
            Some(Kind::BoolValue(boolean)) => Attribute::Boolean(boolean),
            Some(Kind::NullValue(_) | Kind::StructValue(_) | Kind::ListValue(_)) | None => Attribute::Other,
        };
        context.with(name, attribute)
    })
}
