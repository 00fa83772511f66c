//! Evaluation as every door needs it: find the flag, decide, name and count the exposure.
//!
//! Not `async`, and knows no door: it takes a context and gives a decision that borrows from the snapshot. A door asks
//! for the exposure only once it knows that it can answer, so that what was never served is never counted.

pub(crate) mod derived;
pub(crate) mod version;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use evaluation::{Arm, CompiledFlag, Context, Decision, Exposure, Json, Snapshot};
use prost_types::{Struct, value::Kind};
use proto::Token;
use tokio::sync::watch;

use self::derived::Derived;
use crate::{
    contact::Contact,
    health::{caller::Caller, counters::Counters, tally::token_tick},
    metrics::Evaluations,
    server_clock::ServerClock,
    snapshot::Holder,
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
    /// Whether it was when somebody last looked, for who waits for that to change.
    pub(crate) stale: watch::Sender<bool>,
    /// The low byte of this agent's hash, for tokens.
    pub(crate) minter: u8,
    /// What was worked out of the snapshot.
    pub(crate) derived: Derived,
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
    /// Where in its rollout, as telemetry carries it.
    pub(crate) version: String,
    /// The stage, 0 to 15.
    pub(crate) stage: u8,
    /// The arm.
    pub(crate) arm: Arm,
}

impl Named {
    /// The arm as it is written.
    pub(crate) fn arm(&self) -> &'static str {
        proto::result::arm(self.arm)
    }
}

impl Selection {
    /// The flags of a set; all if none is named.
    pub(crate) fn of_set(set: String) -> Self {
        if set.is_empty() { Self::All } else { Self::Set(set) }
    }

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

/// What the flag serves to this context; `stale`: whether the snapshot is too old to be trusted.
pub(crate) fn decide<'s>(
    snapshot: &'s Snapshot,
    flag: &'s CompiledFlag,
    context: &Context,
    stale: bool,
) -> Decision<'s> {
    if stale {
        flag.evaluate_stale(snapshot, context)
    } else {
        flag.evaluate(snapshot, context)
    }
}

impl Evaluator {
    /// Counts the exposure of a decision that is about to be answered, and names it. None outside rollouts; only within
    /// one is the caller asked for.
    pub(crate) fn expose(
        &self,
        snapshot: &Snapshot,
        decision: &Decision<'_>,
        caller: impl FnOnce() -> Caller,
    ) -> Option<Named> {
        let exposure = decision.exposure?;
        let Some(measurement) = snapshot.measurement(exposure.rollout) else {
            return self.name(snapshot, exposure, 0);
        };
        let now = self.clock.moment();
        self.counters.exposed(measurement, &exposure, caller(), now);
        self.name(snapshot, exposure, token_tick(measurement, now.time_us))
    }

    /// Names the exposure that a bulk answer holds ready, and counts nothing: nobody knows whether the caller will use
    /// it. Its tick is 0, so that the same caller gets the same text.
    pub(crate) fn foresee(&self, snapshot: &Snapshot, decision: &Decision<'_>) -> Option<Named> {
        self.name(snapshot, decision.exposure?, 0)
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
            version: version::of(&exposure),
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

    /// Tells who waits for it whether answers are stale by now.
    pub(crate) fn look_at_staleness(&self) {
        let now = self.stale_s().is_some();
        self.stale
            .send_if_modified(|stale| std::mem::replace(stale, now) != now);
    }
}

/// A context from its wire form; what it holds is moved. A value that is not set, or a number that is not finite, is
/// null.
pub(crate) fn context(fields: Option<Struct>) -> Context {
    let fields = fields.map(|fields| fields.fields).unwrap_or_default();
    fields
        .into_iter()
        .fold(Context::new(), |context, (name, value)| context.with(name, json(value)))
}

/// A value of protobuf. Its depth is bounded by the decoder.
fn json(value: prost_types::Value) -> Json {
    match value.kind {
        Some(Kind::StringValue(text)) => Json::Text(text),
        Some(Kind::NumberValue(number)) if number.is_finite() => Json::Number(number),
        Some(Kind::BoolValue(boolean)) => Json::Boolean(boolean),
        Some(Kind::ListValue(list)) => Json::List(list.values.into_iter().map(json).collect()),
        Some(Kind::StructValue(fields)) => Json::Object(object(fields)),
        Some(Kind::NumberValue(_) | Kind::NullValue(_)) | None => Json::Null,
    }
}

fn object(fields: Struct) -> BTreeMap<String, Json> {
    fields
        .fields
        .into_iter()
        .map(|(name, value)| (name, json(value)))
        .collect()
}
