//! The hook: exposures that pass through any provider join the request that is being served.

use open_feature::{
    EvaluationContext, EvaluationDetails, EvaluationError, FlagMetadata, FlagMetadataValue, Hook, HookContext,
    HookHints, Value, async_trait,
};
use proto::METADATA_TOKEN;

use crate::exposure::Exposure;
use crate::request;

/// The exposure that flag metadata names, of whatever provider: to report or to track by. None without a rollout.
pub fn exposure(metadata: &FlagMetadata) -> Option<Exposure> {
    match metadata.values.get(METADATA_TOKEN) {
        Some(FlagMetadataValue::String(token)) => Some(Exposure::of_token(token.as_str())),
        Some(FlagMetadataValue::Bool(_) | FlagMetadataValue::Int(_) | FlagMetadataValue::Float(_)) | None => None,
    }
}

/// Collects exposures for the request that is being served, by the flag metadata `tidegate.token`: for providers other
/// than [`TidegateProvider`](super::TidegateProvider) that reach the agent and keep flag metadata, as those of flagd and
/// OFREP. With ours it does no harm: an exposure counts once.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExposureHook;

#[async_trait]
impl Hook for ExposureHook {
    async fn before<'a>(
        &self,
        _: &HookContext<'a>,
        _: Option<&'a HookHints>,
    ) -> Result<Option<EvaluationContext>, EvaluationError> {
        Ok(None)
    }

    async fn after<'a>(
        &self,
        _: &HookContext<'a>,
        details: &EvaluationDetails<Value>,
        _: Option<&'a HookHints>,
    ) -> Result<(), EvaluationError> {
        if let Some(exposure) = exposure(&details.flag_metadata) {
            request::exposed(&exposure);
        }
        Ok(())
    }

    async fn error<'a>(&self, _: &HookContext<'a>, _: &EvaluationError, _: Option<&'a HookHints>) {}

    async fn finally<'a>(&self, _: &HookContext<'a>, _: &EvaluationDetails<Value>, _: Option<&'a HookHints>) {}
}
