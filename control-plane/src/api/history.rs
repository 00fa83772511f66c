//! The service of history: every version of every flag, segment and plan, also of deleted ones, and the way back to one.

mod restore;
mod wire;

use evaluation::Key;
use proto::{
    status::{invalid, violation},
    v1::{self, history_server::History},
};
use serde_json::Value as Json;
use tonic::{Request, Response, Status};

use super::{
    page::{self, Page},
    refusal,
};
use crate::{
    audit,
    document::{self, Populated},
    history::{self, Kept},
    identity::Actor,
    members::Chunks,
    record::{FlagRecord, SegmentRecord},
    state::State,
    store::model::Document,
    truth::Truth,
};

/// Versions read at once: each holds its document whole.
const SCAN: usize = 16;

/// The service `tidegate.v1.History`.
#[derive(Debug)]
pub(crate) struct HistoryApi {
    truth: Truth,
}

/// A document that has versions, as a request names it.
#[derive(Debug)]
struct Named {
    environment: Key,
    kind: Kind,
    key: Key,
}

/// What has versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Flag,
    Segment,
    Plan,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Segment => "segment",
            Self::Plan => "plan",
        }
    }
}

impl HistoryApi {
    /// The service over the truth.
    pub(crate) fn new(truth: Truth) -> Self {
        Self { truth }
    }

    fn named(&self, environment: &str, kind: &str, key: &str) -> Result<Named, Status> {
        let environment = refusal::environment(&self.truth.state(), environment)?;
        let kind = match kind {
            "" | "flag" => Kind::Flag,
            "segment" => Kind::Segment,
            "plan" => Kind::Plan,
            _ => return Err(invalid(&[violation("kind", "must be flag, segment or plan")])),
        };
        let key = refusal::key("key", key)?;
        Ok(Named { environment, kind, key })
    }

    /// A version of a document; 0: the newest.
    async fn version(&self, named: &Named, version: u32) -> Result<Kept, Status> {
        let store = self.truth.store();
        let (environment, kind, key) = (&named.environment, named.kind.as_str(), &named.key);
        let newest = history::page(store, environment, kind, key, None, 1).await?;
        let Some(newest) = newest.into_iter().next() else {
            return Err(Status::not_found(format!(
                "{kind} {key} never existed in environment {environment}"
            )));
        };
        if version == 0 || version == newest.record.version {
            return Ok(newest);
        }
        let kept = history::version(store, environment, kind, key, version).await?;
        kept.ok_or_else(|| {
            Status::not_found(format!(
                "{kind} {key} of environment {environment} has no version {version}; it has 1 to {}",
                newest.record.version
            ))
        })
    }

    /// What differs between two versions.
    async fn differences(
        &self,
        named: &Named,
        before: Option<&Kept>,
        after: &Kept,
    ) -> Result<Vec<v1::FieldChange>, Status> {
        let (before, after) = (
            before.and_then(|kept| kept.record.document.as_ref()),
            after.record.document.as_ref(),
        );
        match named.kind {
            Kind::Flag => {
                let json = |document: Option<&Document>| match document {
                    Some(Document::Flag(record)) => Some(flag(record)),
                    Some(Document::Segment(_) | Document::Plan(_)) | None => None,
                };
                let (before, after) = (json(before), json(after));
                Ok(document::differences(before.as_ref(), after.as_ref()))
            }
            Kind::Segment => {
                let record = |document: Option<&Document>| match document {
                    Some(Document::Segment(record)) => Some(record.clone()),
                    Some(Document::Flag(_) | Document::Plan(_)) | None => None,
                };
                let state = self.truth.state();
                self.segment_differences(named, &state, record(before), record(after))
                    .await
            }
            Kind::Plan => {
                let json = |document: Option<&Document>| match document {
                    Some(Document::Plan(record)) => Some(audit::plan(record)),
                    Some(Document::Flag(_) | Document::Segment(_)) | None => None,
                };
                let (before, after) = (json(before), json(after));
                Ok(document::differences(before.as_ref(), after.as_ref()))
            }
        }
    }

    async fn segment_differences(
        &self,
        named: &Named,
        state: &State,
        before: Option<SegmentRecord>,
        after: Option<SegmentRecord>,
    ) -> Result<Vec<v1::FieldChange>, Status> {
        let (store, environment) = (self.truth.store(), &named.environment);
        let mut chunks = Chunks::new();
        for record in before.iter().chain(&after) {
            chunks.append(&mut history::chunks(store, state, environment, record).await?);
        }
        // Half a million units are compared where nobody waits for it.
        let compared = tokio::task::spawn_blocking(move || {
            let chunks = &chunks;
            let populated = |record| Populated { record, chunks };
            document::segment_differences(before.as_ref().map(populated), after.as_ref().map(populated))
        });
        let compared = compared.await.map_err(|error| Status::internal(error.to_string()))?;
        compared.map_err(|error| Status::data_loss(error.to_string()))
    }
}

#[tonic::async_trait]
impl History for HistoryApi {
    async fn list_versions(
        &self,
        request: Request<v1::ListVersionsRequest>,
    ) -> Result<Response<v1::ListVersionsResponse>, Status> {
        let request = request.into_inner();
        let named = self.named(&request.environment, &request.kind, &request.key)?;
        let mut page = Page::new(page::size(request.page_size, 50, 1_000)?);
        let mut before = match request.page_token.as_str() {
            "" => {
                self.version(&named, 0).await?;
                None
            }
            token => Some(token.parse::<u32>().map_err(|_| page::wrong_token())?),
        };
        let mut next_page_token = String::new();
        loop {
            let (store, kind) = (self.truth.store(), named.kind.as_str());
            let found = history::page(store, &named.environment, kind, &named.key, before, SCAN).await?;
            let is_last = found.len() < SCAN;
            for kept in found {
                if page.is_full() {
                    next_page_token = before.map(|version| version.to_string()).unwrap_or_default();
                    break;
                }
                before = Some(kept.record.version);
                page.push(wire::version(&kept));
            }
            if is_last || !next_page_token.is_empty() {
                break;
            }
        }
        Ok(Response::new(v1::ListVersionsResponse {
            versions: page.items,
            next_page_token,
        }))
    }

    async fn get_version(
        &self,
        request: Request<v1::GetVersionRequest>,
    ) -> Result<Response<v1::GetVersionResponse>, Status> {
        let request = request.into_inner();
        let named = self.named(&request.environment, &request.kind, &request.key)?;
        let kept = self.version(&named, request.version).await?;
        Ok(Response::new(v1::GetVersionResponse {
            version: Some(wire::version(&kept)),
            document: wire::document(&named.environment, kept),
        }))
    }

    async fn diff_versions(
        &self,
        request: Request<v1::DiffVersionsRequest>,
    ) -> Result<Response<v1::DiffVersionsResponse>, Status> {
        let request = request.into_inner();
        let named = self.named(&request.environment, &request.kind, &request.key)?;
        let to = self.version(&named, request.to).await?;
        let from = match request.from {
            0 => to.record.version - 1,
            from if from < to.record.version => from,
            _ => return Err(invalid(&[violation("from", "must be older than `to`")])),
        };
        let from = match from {
            // The first version came from nothing.
            0 => None,
            from => Some(self.version(&named, from).await?),
        };
        let changes = self.differences(&named, from.as_ref(), &to).await?;
        Ok(Response::new(v1::DiffVersionsResponse {
            from: from.as_ref().map(wire::version),
            to: Some(wire::version(&to)),
            changes,
        }))
    }

    async fn restore_version(
        &self,
        request: Request<v1::RestoreVersionRequest>,
    ) -> Result<Response<v1::RestoreVersionResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let named = self.named(&request.environment, &request.kind, &request.key)?;
        if request.version == 0 {
            return Err(invalid(&[violation("version", "must name a version, from 1")]));
        }
        let restore = restore::Restore {
            version: request.version,
            expected_revision: request.expected_revision,
            validate_only: request.validate_only,
            actor: restore::because(actor, request.version),
        };
        let (version, changes) = self.restore(&named, &restore).await?;
        Ok(Response::new(v1::RestoreVersionResponse {
            version: Some(version),
            changes,
        }))
    }
}

/// A flag as JSON, with a word on whether it is put away.
fn flag(record: &FlagRecord) -> Json {
    let mut json = audit::flag(&record.flag);
    if let (Some(_), Some(fields)) = (record.archived_at_us, json.as_object_mut()) {
        fields.insert("archived".to_owned(), true.into());
    }
    json
}

#[cfg(test)]
mod tests;
