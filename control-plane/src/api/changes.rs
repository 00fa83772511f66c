//! The service of changes: what is done in an environment, as consoles follow it.
//!
//! It tells what the audit tells, without before and after: a console reads again what it shows.

use std::collections::BTreeSet;

use proto::{
    status::{invalid, violation},
    v1::{self, changes_server::Changes},
};
use runtime::shutdown::Shutdown;
use tonic::{Request, Response, Status};

use super::{acts, following, refusal};
use crate::{
    follow::{Followers, Seen},
    truth::Truth,
};

/// Kinds of subjects that change.
const KINDS: [&str; 8] = [
    "flag",
    "segment",
    "plan",
    "rollout",
    "environment",
    "schedule",
    "baseline",
    "webhook",
];

/// The service `tidegate.v1.Changes`.
#[derive(Debug)]
pub(crate) struct ChangesApi {
    truth: Truth,
    followers: Followers,
    shutdown: Shutdown,
}

impl ChangesApi {
    /// The service over the truth.
    pub(crate) fn new(truth: Truth, followers: Followers, shutdown: Shutdown) -> Self {
        Self {
            truth,
            followers,
            shutdown,
        }
    }
}

#[tonic::async_trait]
impl Changes for ChangesApi {
    type WatchChangesStream = futures::stream::BoxStream<'static, Result<v1::WatchChangesResponse, Status>>;

    async fn watch_changes(
        &self,
        request: Request<v1::WatchChangesRequest>,
    ) -> Result<Response<Self::WatchChangesStream>, Status> {
        let request = request.into_inner();
        let environment = refusal::environment(&self.truth.state(), &request.environment)?;
        let kinds = known_kinds(request.kinds)?;
        let after = Some(request.after_revision).filter(|after| *after > 0);
        let follower = self.followers.follow(&self.truth, &environment, after).await?;
        let key = request.key;
        let message = move |seen: Seen| {
            let is_of_kind = kinds.is_empty() || kinds.contains(&seen.record.kind);
            let is_wanted = is_of_kind && (key.is_empty() || acts::is_about(&seen.record, &key));
            is_wanted.then(|| changed(seen))
        };
        let alive = |revision| v1::WatchChangesResponse { revision, change: None };
        let stream = following::stream(follower, self.shutdown.clone(), message, alive);
        Ok(Response::new(stream))
    }
}

/// Kinds that there are; every other at once is a violation.
fn known_kinds(kinds: Vec<String>) -> Result<BTreeSet<String>, Status> {
    let wrong = kinds.iter().enumerate().take(100);
    let wrong = wrong
        .filter(|(_, kind)| !KINDS.contains(&kind.as_str()))
        .map(|(at, kind)| {
            let kind = kind.chars().take(100).collect::<String>();
            violation(
                format!("kinds[{at}]"),
                format!("{kind:?} is none of {}", KINDS.join(", ")),
            )
        })
        .collect::<Vec<_>>();
    if !wrong.is_empty() {
        return Err(invalid(&wrong));
    }
    if kinds.len() > 100 {
        return Err(invalid(&[violation("kinds", "are more than there are kinds")]));
    }
    Ok(kinds.into_iter().collect())
}

fn changed(seen: Seen) -> v1::WatchChangesResponse {
    let record = seen.record;
    v1::WatchChangesResponse {
        revision: seen.told,
        change: Some(v1::Change {
            at_us: record.at_us,
            action: record.action,
            kind: record.kind,
            key: record.key,
            actor: record.actor,
            reason: record.reason,
            revision: seen.revision,
        }),
    }
}

#[cfg(test)]
mod tests;
