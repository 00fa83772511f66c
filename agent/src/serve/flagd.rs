//! flagd's evaluation protocol for unmodified OpenFeature providers: what both of its versions share.
//!
//! Speaks flagd's words: a split is TARGETING_MATCH, an unset value is the caller's default, a wrong type is
//! INVALID_ARGUMENT. Two answers differ on purpose: nothing is sent as UNKNOWN or UNAVAILABLE, which the providers
//! retry for seconds; and a split without a targeting key, for which flagd has no status, serves the caller's default
//! and says so in the metadata. `v1` and `v2` only put an answer into the messages of their version.

mod asked;
mod v1;
mod v2;

use std::sync::Arc;

use evaluation::{Decision, Reason};
use futures::Stream;
use prost_types::{Struct, value::Kind};
use runtime::shutdown::Shutdown;
use tonic::{Status, metadata::MetadataMap};

use self::asked::Asked;
pub(crate) use self::{v1::V1, v2::V2};
use super::{
    answer::{self, Described, Meta, SELECTOR, SelectorError},
    events::{Event, events},
};
use crate::{
    evaluate::{Evaluator, Named, Selection, context, decide, find},
    health::caller::Caller,
    metrics::Answers,
};

/// What both versions answer with.
#[derive(Debug, Clone)]
pub(crate) struct Flagd {
    evaluator: Arc<Evaluator>,
    shutdown: Shutdown,
}

/// What a version does without a value, when the flag is not disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WithoutValue {
    /// It leaves it unset: the caller's default.
    Unset,
    /// It has no way to say so: there is no such flag.
    NotFound,
}

/// An answer to any of the resolve calls.
struct Answered<T> {
    value: Option<T>,
    reason: &'static str,
    variant: Option<String>,
    metadata: Struct,
}

impl Flagd {
    /// Answers with this evaluator.
    pub(crate) fn new(evaluator: Arc<Evaluator>, shutdown: Shutdown) -> Self {
        Self { evaluator, shutdown }
    }

    /// Resolves a flag for a caller that wants a `T`.
    fn resolve<T: Asked>(
        &self,
        headers: &MetadataMap,
        key: &str,
        fields: Option<Struct>,
        without_value: WithoutValue,
    ) -> Result<Answered<T>, Status> {
        let selection = selection(headers)?;
        let (snapshot, stale_s) = (self.evaluator.holder.load(), self.evaluator.stale_s());
        let flag = find(&snapshot, &selection, key).ok_or_else(|| self.not_found())?;
        let decision = decide(&snapshot, flag, &context(fields), stale_s.is_some());
        let value = decision
            .value
            .map(|value| T::read(value).ok_or_else(|| self.mismatch()));
        let value = value.transpose()?;
        if value.is_none() && without_value == WithoutValue::NotFound && decision.reason != Reason::Disabled {
            return Err(self.not_found());
        }
        let named = self
            .evaluator
            .expose(&snapshot, &decision, || Caller::of_metadata(headers));
        self.counts().answered(decision.reason);
        Ok(Answered {
            value,
            reason: answer::reason(&decision, Reason::TargetingMatch),
            variant: decision.variant.map(str::to_owned),
            metadata: metadata(&selection, &decision, named.as_ref(), stale_s),
        })
    }

    /// The events that a client sees.
    fn events<E: From<Event> + 'static>(
        &self,
        headers: &MetadataMap,
    ) -> Result<impl Stream<Item = Result<E, Status>> + Send + use<E>, Status> {
        Ok(events(&self.evaluator, selection(headers)?, self.shutdown.clone()))
    }

    fn counts(&self) -> &Answers {
        &self.evaluator.evaluations.flagd
    }

    fn not_found(&self) -> Status {
        self.counts().not_found();
        Status::not_found("Flag not found")
    }

    fn mismatch(&self) -> Status {
        self.counts().type_mismatch();
        Status::invalid_argument("Type mismatch error")
    }
}

/// What the client restricts itself to.
fn selection(headers: &MetadataMap) -> Result<Selection, Status> {
    answer::selection(headers.get(SELECTOR).map(|header| header.as_bytes())).map_err(|error| match error {
        SelectorError::Text => Status::invalid_argument(format!("invalid selector: {error}")),
        SelectorError::Key(_) => Status::invalid_argument(error.to_string()),
    })
}

/// The metadata of an answer; present even if empty, because clients expect it.
fn metadata(selection: &Selection, decision: &Decision<'_>, named: Option<&Named>, stale_s: Option<u64>) -> Struct {
    let mut metadata = Struct::default();
    let described = Described {
        decision,
        selection,
        named,
        stale_s,
    };
    described.metadata(|name, value| {
        let kind = match value {
            Meta::Text(text) => Kind::StringValue(text.to_owned()),
            // Exact up to 2^53.
            Meta::Number(number) => Kind::NumberValue(number as f64),
            Meta::Boolean(boolean) => Kind::BoolValue(boolean),
        };
        let value = prost_types::Value { kind: Some(kind) };
        metadata.fields.insert(name.to_owned(), value);
    });
    metadata
}

#[cfg(test)]
mod tests;
