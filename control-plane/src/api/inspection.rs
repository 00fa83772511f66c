//! The service of inspection: what a flag serves to a context, and why, as agents would decide it.
//!
//! The work is done on threads that may take their time, a few at once: the members of large segments are compiled for
//! every question. Tokens are minted by agents only: a decision here is nobody's exposure.

mod wire;

use std::{sync::Arc, time::Duration};

use evaluation::{Context, Json, Key, Snapshot};
use prost::Message as _;
use prost_types::{Struct, value::Kind};
use proto::{
    status::{invalid, violation},
    v1::{self, inspection_server::Inspection},
    value::DEPTH_LIMIT,
};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use super::refusal;
use crate::{inspect, truth::Truth};

/// The largest context, in bytes.
const CONTEXT_LIMIT: usize = 1_000_000;
/// Questions that are worked on at once.
const AT_ONCE: usize = 4;
/// How long a question waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// The service `tidegate.v1.Inspection`.
#[derive(Debug)]
pub(crate) struct InspectionApi {
    truth: Truth,
    places: Arc<Semaphore>,
}

/// What is asked.
struct Asked {
    environment: Key,
    flag: Key,
    revision: Option<u64>,
    context: Context,
}

impl InspectionApi {
    /// The service over the truth.
    pub(crate) fn new(truth: Truth) -> Self {
        Self {
            truth,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    fn asked(&self, environment: &str, flag: &str, context: Option<Struct>, revision: u64) -> Result<Asked, Status> {
        let environment = refusal::environment(&self.truth.state(), environment)?;
        let flag = refusal::key("flag_key", flag)?;
        Ok(Asked {
            environment,
            flag,
            revision: Some(revision).filter(|revision| *revision > 0),
            context: read_context(context.unwrap_or_default())
                .map_err(|description| invalid(&[violation("context", description)]))?,
        })
    }

    /// Answers from the snapshot of the flag that is asked about.
    async fn answer<A: Send + 'static>(
        &self,
        asked: Asked,
        answer: impl FnOnce(&Snapshot, &str, &Context) -> Option<A> + Send + 'static,
    ) -> Result<A, Status> {
        let place = tokio::time::timeout(PATIENCE, self.places.clone().acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(Status::resource_exhausted(
                "too many evaluations are under way here; try again, or ask an agent",
            ));
        };
        let Asked {
            environment,
            flag,
            revision,
            context,
        } = asked;
        let refused = |error| refusal::inspection(error, &environment, &flag, revision);
        let documents = inspect::documents(&self.truth, &environment, &flag, revision).await;
        let documents = documents.map_err(refused)?;
        let key = flag.clone();
        let work = tokio::task::spawn_blocking(move || {
            let snapshot = documents.snapshot();
            drop(place);
            snapshot.map(|snapshot| answer(&snapshot, &key, &context))
        });
        let answered = work.await.map_err(|error| Status::internal(error.to_string()))?;
        answered.map_err(refused)?.ok_or_else(|| {
            Status::data_loss(format!(
                "flag {flag} is there, but this build cannot read it; see the log"
            ))
        })
    }
}

#[tonic::async_trait]
impl Inspection for InspectionApi {
    async fn evaluate(&self, request: Request<v1::EvaluateRequest>) -> Result<Response<v1::EvaluateResponse>, Status> {
        let request = request.into_inner();
        let asked = self.asked(
            &request.environment,
            &request.flag_key,
            request.context,
            request.revision,
        )?;
        let answer = self.answer(asked, |snapshot, key, context| {
            let flag = snapshot.flag(key)?;
            let result = proto::result::result(flag, &flag.evaluate(snapshot, context));
            Some(v1::EvaluateResponse { result: Some(result) })
        });
        Ok(Response::new(answer.await?))
    }

    async fn explain(&self, request: Request<v1::ExplainRequest>) -> Result<Response<v1::ExplainResponse>, Status> {
        let request = request.into_inner();
        let asked = self.asked(
            &request.environment,
            &request.flag_key,
            request.context,
            request.revision,
        )?;
        let redact = request.redact;
        let answer = self.answer(asked, move |snapshot, key, context| {
            let flag = snapshot.flag(key)?;
            let explained = flag.explain(snapshot, context);
            Some(v1::ExplainResponse {
                result: Some(proto::result::result(flag, &explained.decision)),
                explanation: Some(wire::explanation(explained, redact)),
            })
        });
        Ok(Response::new(answer.await?))
    }
}

/// A context as agents read it: what is no number is null. Or what is wrong with it.
pub(super) fn read_context(fields: Struct) -> Result<Context, String> {
    let bytes = fields.encoded_len();
    if bytes > CONTEXT_LIMIT {
        return Err(format!("has {bytes} bytes, the limit is {CONTEXT_LIMIT}"));
    }
    let deep = || format!("is nested more than {DEPTH_LIMIT} levels deep");
    let mut context = Context::new();
    for (name, value) in fields.fields {
        context = context.with(name, json(value, DEPTH_LIMIT - 1).ok_or_else(deep)?);
    }
    Ok(context)
}

/// A value; none if it is too deep.
fn json(value: prost_types::Value, depth: usize) -> Option<Json> {
    Some(match value.kind {
        Some(Kind::StringValue(text)) => Json::Text(text),
        Some(Kind::NumberValue(number)) if number.is_finite() => Json::Number(number),
        Some(Kind::BoolValue(boolean)) => Json::Boolean(boolean),
        Some(Kind::ListValue(list)) => {
            let depth = depth.checked_sub(1)?;
            let values = list.values.into_iter().map(|value| json(value, depth));
            Json::List(values.collect::<Option<_>>()?)
        }
        Some(Kind::StructValue(fields)) => {
            let depth = depth.checked_sub(1)?;
            let fields = fields.fields.into_iter();
            let fields = fields.map(|(name, value)| Some((name, json(value, depth)?)));
            Json::Object(fields.collect::<Option<_>>()?)
        }
        Some(Kind::NumberValue(_) | Kind::NullValue(_)) | None => Json::Null,
    })
}

#[cfg(test)]
mod tests;
