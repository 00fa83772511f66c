//! `tidegate.v1.Evaluation`: evaluation for clients of our own, with everything that there is to say of a result.
//!
//! A flag that cannot be answered is a result with an error code; a call fails only if the call itself is wrong. A
//! single result counts its exposure, a page of results does not.

mod result;
mod watch;

use std::{pin::Pin, sync::Arc};

use evaluation::{Context, FlagType, Key, Snapshot};
use futures::Stream;
use prost::Message as _;
use proto::{
    MESSAGE_LIMIT,
    status::{invalid, violation},
    v1::{self, evaluation_server},
    value::flag_type,
};
use runtime::shutdown::Shutdown;
use tonic::{Request, Response, Status, metadata::MetadataMap};

use self::result::{failed, result};
use crate::{
    evaluate::{Evaluator, Selection, context, decide, find},
    health::caller::Caller,
    metrics::Several,
};

/// The most results of a page.
const PAGE: usize = 1_000;
/// The size of results at which a page ends, in bytes: one more result still fits the message that clients accept.
const PAGE_BYTES: usize = MESSAGE_LIMIT - 512 * 1_024;

/// The service.
#[derive(Debug)]
pub(crate) struct Native {
    evaluator: Arc<Evaluator>,
    shutdown: Shutdown,
}

impl Native {
    /// Answers with this evaluator.
    pub(crate) fn new(evaluator: Arc<Evaluator>, shutdown: Shutdown) -> Self {
        Self { evaluator, shutdown }
    }

    /// The result of one flag for a caller that wants this type, if it wants one; `metadata` say who it is.
    fn one(
        &self,
        snapshot: &Snapshot,
        metadata: &MetadataMap,
        key: &str,
        context: &Context,
        wanted: Option<FlagType>,
    ) -> v1::Result {
        let counts = &self.evaluator.evaluations.native;
        if snapshot.environment().is_none() {
            let message = "this agent holds no snapshot yet; its /readyz says when it does";
            return failed(key, v1::ErrorCode::General, message.to_owned());
        }
        let Some(flag) = find(snapshot, &Selection::All, key) else {
            counts.not_found();
            let message = format!("this agent holds no flag {key:?}");
            return failed(key, v1::ErrorCode::FlagNotFound, message);
        };
        let is = flag.flag_type();
        if let Some(wanted) = wanted.filter(|wanted| *wanted != is) {
            counts.type_mismatch();
            let message = format!("the flag is of type {is}, and {wanted} was asked for");
            let mut result = failed(key, v1::ErrorCode::TypeMismatch, message);
            result.set_type(is.into());
            return result;
        }
        let stale_s = self.evaluator.stale_s();
        let decision = decide(snapshot, flag, context, stale_s.is_some());
        let named = self
            .evaluator
            .expose(snapshot, &decision, || Caller::of_metadata(metadata));
        counts.answered(decision.reason);
        result(flag, &decision, named, stale_s)
    }

    /// The results after `from`, as many as a page holds.
    fn page(&self, asked: v1::ResolveAllRequest) -> Result<v1::ResolveAllResponse, Status> {
        let after = after(&asked.page_token)?;
        let size = match usize::try_from(asked.page_size) {
            Ok(0) | Err(_) => PAGE,
            Ok(size) => size.min(PAGE),
        };
        let (selection, context) = (Selection::of_set(asked.flag_set), context(asked.context));
        let (snapshot, stale_s) = (self.evaluator.holder.load_full(), self.evaluator.stale_s());
        let ordered = self.evaluator.derived.ordered(&snapshot);
        let start = after.map_or(0, |after| ordered.partition_point(|flag| *flag.key() <= after));
        let mut flags = ordered[start..].iter().filter(|flag| selection.admits(flag)).peekable();
        let (mut results, mut bytes, mut several) = (Vec::new(), 0, Several::default());
        while let Some(flag) = flags.next_if(|_| results.len() < size && bytes < PAGE_BYTES) {
            let decision = decide(&snapshot, flag, &context, stale_s.is_some());
            several.answered(decision.reason);
            let named = self.evaluator.foresee(&snapshot, &decision);
            let result = result(flag, &decision, named, stale_s);
            bytes += result.encoded_len();
            results.push(result);
        }
        self.evaluator.evaluations.native.answered_all(&several);
        let more = flags.peek().is_some();
        Ok(v1::ResolveAllResponse {
            next_page_token: results
                .last()
                .filter(|_| more)
                .map(|last| last.flag_key.clone())
                .unwrap_or_default(),
            results,
            revision: snapshot.revision().number,
        })
    }
}

#[tonic::async_trait]
impl evaluation_server::Evaluation for Native {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<v1::WatchResponse, Status>> + Send>>;

    async fn resolve(&self, request: Request<v1::ResolveRequest>) -> Result<Response<v1::ResolveResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let wanted = wanted(asked.r#type)?;
        let snapshot = self.evaluator.holder.load();
        let result = self.one(&snapshot, &metadata, &asked.flag_key, &context(asked.context), wanted);
        Ok(Response::new(v1::ResolveResponse {
            result: Some(result),
            revision: snapshot.revision().number,
        }))
    }

    async fn resolve_all(
        &self,
        request: Request<v1::ResolveAllRequest>,
    ) -> Result<Response<v1::ResolveAllResponse>, Status> {
        self.page(request.into_inner()).map(Response::new)
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let selection = Selection::of_set(request.into_inner().flag_set);
        let watch = watch::watch(&self.evaluator, selection, self.shutdown.clone());
        Ok(Response::new(Box::pin(watch)))
    }
}

/// The type that the caller wants; none: any.
fn wanted(number: i32) -> Result<Option<FlagType>, Status> {
    v1::FlagType::try_from(number).map(flag_type).map_err(|_| {
        invalid(&[violation(
            "type",
            format!("{number} is not a type that this agent knows"),
        )])
    })
}

/// The key after which a page begins; none: at the beginning.
fn after(page_token: &str) -> Result<Option<Key>, Status> {
    if page_token.is_empty() {
        return Ok(None);
    }
    Key::parse(page_token)
        .map(Some)
        .map_err(|_| invalid(&[violation("page_token", "must be the next_page_token of a response")]))
}

#[cfg(test)]
mod tests;
