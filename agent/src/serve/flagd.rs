//! `flagd.evaluation.v2` for unmodified OpenFeature providers.
//!
//! Speaks flagd's words: a split is TARGETING_MATCH, an unset value is the caller's default, a wrong type is
//! INVALID_ARGUMENT. Two answers differ on purpose: nothing is sent as UNKNOWN or UNAVAILABLE, which the providers retry
//! for seconds; and a split without a targeting key, for which flagd has no status, serves the caller's default and says
//! so in the metadata. Flags here are boolean or text, so the other types only know mismatches.

use std::{pin::Pin, sync::Arc};

use evaluation::{Arm, Decision, EvaluationError, FlagType, Reason, Value};
use futures::Stream;
use prost_types::{Struct, value::Kind};
use proto::{
    METADATA_ARM, METADATA_STAGE, METADATA_STALE, METADATA_TOKEN,
    flagd::evaluation_v2::{
        EventStreamRequest, EventStreamResponse, ResolveBooleanRequest, ResolveBooleanResponse, ResolveFloatRequest,
        ResolveFloatResponse, ResolveIntRequest, ResolveIntResponse, ResolveObjectRequest, ResolveObjectResponse,
        ResolveStringRequest, ResolveStringResponse, service_server::Service,
    },
};
use runtime::shutdown::Shutdown;
use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::events::events;
use crate::evaluate::{Evaluator, Named, Selection, context, find};

/// The header with which a client restricts itself to a flag set.
const SELECTOR: &str = "flagd-selector";
/// Flag metadata key that says why the caller's default is served.
const METADATA_ERROR: &str = "tidegate.error";

/// The service.
#[derive(Debug)]
pub(crate) struct Flagd {
    evaluator: Arc<Evaluator>,
    shutdown: Shutdown,
}

/// An answer to any of the resolve calls.
struct Resolved<T> {
    value: Option<T>,
    reason: String,
    variant: Option<String>,
    metadata: Option<Struct>,
}

impl Flagd {
    /// Answers with this evaluator.
    pub(crate) fn new(evaluator: Arc<Evaluator>, shutdown: Shutdown) -> Self {
        Self { evaluator, shutdown }
    }

    /// Resolves a flag for a caller that wants values which `read` accepts.
    fn resolve<T>(
        &self,
        headers: &MetadataMap,
        key: &str,
        fields: Option<Struct>,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Resolved<T>, Status> {
        let selection = selection(headers)?;
        let counts = &self.evaluator.evaluations;
        let snapshot = self.evaluator.holder.load();
        let Some(flag) = find(&snapshot, &selection, key) else {
            counts.not_found();
            return Err(Status::not_found("Flag not found"));
        };
        let decision = flag.evaluate(&context(fields));
        let value = decision.value.map(|value| read(value).ok_or_else(mismatch)).transpose();
        let value = value.inspect_err(|_| counts.type_mismatch())?;
        let named = self.evaluator.expose(&snapshot, &decision);
        counts.answered(decision.reason);
        Ok(Resolved {
            value,
            reason: reason(&decision).to_owned(),
            variant: decision.variant.map(str::to_owned),
            metadata: Some(metadata(&selection, &decision, named, self.evaluator.stale_s())),
        })
    }

    /// Answers a call for a type that no flag has yet: an unknown flag, or one of another type.
    fn refuse(&self, headers: &MetadataMap, key: &str) -> Status {
        let selection = match selection(headers) {
            Ok(selection) => selection,
            Err(status) => return status,
        };
        let snapshot = self.evaluator.holder.load();
        match find(&snapshot, &selection, key).map(|flag| flag.flag_type()) {
            Some(FlagType::Boolean | FlagType::String) => {
                self.evaluator.evaluations.type_mismatch();
                mismatch()
            }
            None => {
                self.evaluator.evaluations.not_found();
                Status::not_found("Flag not found")
            }
        }
    }
}

#[tonic::async_trait]
impl Service for Flagd {
    type EventStreamStream = Pin<Box<dyn Stream<Item = Result<EventStreamResponse, Status>> + Send>>;

    async fn resolve_boolean(
        &self,
        request: Request<ResolveBooleanRequest>,
    ) -> Result<Response<ResolveBooleanResponse>, Status> {
        let (headers, _, request) = request.into_parts();
        let Resolved {
            value,
            reason,
            variant,
            metadata,
        } = self.resolve(&headers, &request.flag_key, request.context, |value| match value {
            Value::Boolean(boolean) => Some(*boolean),
            Value::String(_) => None,
        })?;
        Ok(Response::new(ResolveBooleanResponse {
            value,
            reason,
            variant,
            metadata,
        }))
    }

    async fn resolve_string(
        &self,
        request: Request<ResolveStringRequest>,
    ) -> Result<Response<ResolveStringResponse>, Status> {
        let (headers, _, request) = request.into_parts();
        let Resolved {
            value,
            reason,
            variant,
            metadata,
        } = self.resolve(&headers, &request.flag_key, request.context, |value| match value {
            Value::String(text) => Some(text.to_string()),
            Value::Boolean(_) => None,
        })?;
        Ok(Response::new(ResolveStringResponse {
            value,
            reason,
            variant,
            metadata,
        }))
    }

    async fn resolve_float(
        &self,
        request: Request<ResolveFloatRequest>,
    ) -> Result<Response<ResolveFloatResponse>, Status> {
        Err(self.refuse(request.metadata(), &request.get_ref().flag_key))
    }

    async fn resolve_int(&self, request: Request<ResolveIntRequest>) -> Result<Response<ResolveIntResponse>, Status> {
        Err(self.refuse(request.metadata(), &request.get_ref().flag_key))
    }

    async fn resolve_object(
        &self,
        request: Request<ResolveObjectRequest>,
    ) -> Result<Response<ResolveObjectResponse>, Status> {
        Err(self.refuse(request.metadata(), &request.get_ref().flag_key))
    }

    async fn event_stream(
        &self,
        request: Request<EventStreamRequest>,
    ) -> Result<Response<Self::EventStreamStream>, Status> {
        let selection = selection(request.metadata())?;
        Ok(Response::new(Box::pin(events(
            self.evaluator.holder.clone(),
            selection,
            self.shutdown.clone(),
        ))))
    }
}

fn mismatch() -> Status {
    Status::invalid_argument("Type mismatch error")
}

/// A reason in flagd's words. Without a value it is DEFAULT or DISABLED, because clients take an unset value for the
/// caller's default with these two only; so an error that could not be answered as a status serves that too.
fn reason(decision: &Decision<'_>) -> &'static str {
    let reason = match decision.reason {
        Reason::Split => Reason::TargetingMatch,
        Reason::Error => Reason::Default,
        Reason::Static | Reason::Default | Reason::TargetingMatch | Reason::Disabled => decision.reason,
    };
    if decision.value.is_none() && reason != Reason::Disabled {
        return Reason::Default.as_str();
    }
    reason.as_str()
}

/// Reads the selector header: nothing, `flagSetId=...`, `source=...`, or a source alone.
fn selection(headers: &MetadataMap) -> Result<Selection, Status> {
    let Some(header) = headers.get(SELECTOR) else {
        return Ok(Selection::All);
    };
    let text = header
        .to_str()
        .map_err(|_| Status::invalid_argument("invalid selector: not ASCII text"))?;
    match text.split_once('=') {
        None if text.is_empty() => Ok(Selection::All),
        None | Some(("source", _)) => Ok(Selection::Nothing),
        Some(("flagSetId", set)) => Ok(Selection::Set(set.to_owned())),
        Some((key, _)) => {
            let message = format!("invalid selector key \"{key}\", valid keys: \"flagSetId\", \"source\"");
            Err(Status::invalid_argument(message))
        }
    }
}

/// The metadata of an answer; present even if empty, because clients expect it.
fn metadata(selection: &Selection, decision: &Decision<'_>, named: Option<Named>, stale_s: Option<u64>) -> Struct {
    let mut metadata = Struct::default();
    let mut put = |name: &str, kind: Kind| {
        metadata
            .fields
            .insert(name.to_owned(), prost_types::Value { kind: Some(kind) });
    };
    if let Selection::Set(set) = selection {
        put("flagSetId", Kind::StringValue(set.clone()));
    }
    if let Some(Named { token, stage, arm }) = named {
        let arm = match arm {
            Arm::Control => "control",
            Arm::Treatment => "treatment",
        };
        put(METADATA_TOKEN, Kind::StringValue(token));
        put(METADATA_STAGE, Kind::NumberValue(f64::from(stage)));
        put(METADATA_ARM, Kind::StringValue(arm.to_owned()));
    }
    match decision.error {
        Some(EvaluationError::TargetingKeyMissing) => {
            put(METADATA_ERROR, Kind::StringValue("TARGETING_KEY_MISSING".to_owned()));
        }
        None => {}
    }
    if let Some(seconds) = stale_s {
        // Exact up to 2^53 seconds.
        put(METADATA_STALE, Kind::NumberValue(seconds as f64));
    }
    metadata
}

#[cfg(test)]
mod tests;
