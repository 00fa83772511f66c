//! The provider: flags of the agent under the names of OpenFeature.
//!
//! Its status is what the last call showed: whether the agent answers, and whether its own answers are stale. The SDK
//! hands providers no default, so a flag that serves the caller's default is an error here, and the caller's `unwrap_or`
//! serves it.

use std::sync::Mutex;
use std::sync::PoisonError;

use open_feature::provider::{FeatureProvider, ProviderMetadata, ProviderStatus, ResolutionDetails};
use open_feature::{EvaluationContext, EvaluationResult, StructValue, async_trait};

use crate::client::Client;
use crate::evaluation::{Evaluation, EvaluationError};
use crate::object::Object;
use crate::value::FlagValue;

use super::{answer, context};

/// The provider's name.
const NAME: &str = "tidegate";

/// An OpenFeature provider that evaluates at the agent: all five types, with reasons, error codes and flag metadata.
/// `tidegate.token` among the metadata names the exposure ([`Exposure::of_token`](crate::Exposure::of_token)).
#[derive(Debug)]
pub struct TidegateProvider {
    client: Client,
    metadata: ProviderMetadata,
    seen: Mutex<Seen>,
}

/// What the last call showed of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Nobody has called yet.
    Nothing,
    /// It answers.
    Answering,
    /// It answers, and has not heard of its control plane for too long.
    Stale,
    /// It does not answer.
    Silent,
}

impl TidegateProvider {
    /// A provider that evaluates by this client.
    pub fn new(client: &Client) -> Self {
        Self {
            client: client.clone(),
            metadata: ProviderMetadata::new(NAME),
            seen: Mutex::new(Seen::Nothing),
        }
    }

    async fn resolve<T: FlagValue>(
        &self,
        flag: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<T>> {
        let context = context::read(context)?;
        let evaluation: Evaluation<Option<T>> = self.client.resolve(flag, None, &context).await;
        self.see(match &evaluation.error {
            Some(EvaluationError::Unreachable(_) | EvaluationError::Deadline(_)) => Seen::Silent,
            _ if evaluation.stale.is_some() => Seen::Stale,
            _ => Seen::Answering,
        });
        answer::details(evaluation)
    }

    fn see(&self, seen: Seen) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }
}

#[async_trait]
impl FeatureProvider for TidegateProvider {
    /// Looks whether the agent is there; if it is not, evaluations find out when it is.
    async fn initialize(&mut self, _: &EvaluationContext) {
        let ready = self.client.ready().await;
        self.see(ready.map_or(Seen::Silent, |()| Seen::Answering));
    }

    fn status(&self) -> ProviderStatus {
        match *self.seen.lock().unwrap_or_else(PoisonError::into_inner) {
            Seen::Nothing => ProviderStatus::NotReady,
            Seen::Answering => ProviderStatus::Ready,
            Seen::Stale => ProviderStatus::STALE,
            Seen::Silent => ProviderStatus::Error,
        }
    }

    fn metadata(&self) -> &ProviderMetadata {
        &self.metadata
    }

    async fn resolve_bool_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<bool>> {
        self.resolve(flag_key, evaluation_context).await
    }

    async fn resolve_int_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<i64>> {
        self.resolve(flag_key, evaluation_context).await
    }

    async fn resolve_float_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<f64>> {
        self.resolve(flag_key, evaluation_context).await
    }

    async fn resolve_string_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<String>> {
        self.resolve(flag_key, evaluation_context).await
    }

    async fn resolve_struct_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<StructValue>> {
        let details = self.resolve::<Object>(flag_key, evaluation_context).await?;
        Ok(ResolutionDetails {
            value: answer::structure(details.value)?,
            variant: details.variant,
            reason: details.reason,
            flag_metadata: details.flag_metadata,
        })
    }
}
