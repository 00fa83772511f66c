//! The service of audit records: pages of them, the newest first, and a stream as they are made.
//!
//! Their keys are UUIDv7, in the order of time, so a time bound is a place in that order. A record's own time is that
//! of its request, a little before its key's: the scan begins and ends with room for that, and the record decides.

use bytes::Bytes;
use evaluation::Key;
use proto::v1::{self, audit_server::Audit};
use runtime::shutdown::Shutdown;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    acts::{self, Filter},
    following,
    page::{self, Page},
    refusal,
};
use crate::{
    follow::Followers,
    store::{Item, Order, keys, model::Act},
    truth::Truth,
};

/// Records read at once while looking for those that are asked for.
const SCAN: usize = 64;
/// Records that one call looks at: a page may be short, and its token goes on.
const SCAN_LIMIT: usize = 5_000;
/// How far the time of a record and the time in its key may lie apart: a retried request, a clock that was set.
const ROOM_US: i64 = 600 * 1_000_000;

/// The service `tidegate.v1.Audit`.
#[derive(Debug)]
pub(crate) struct AuditApi {
    truth: Truth,
    followers: Followers,
    shutdown: Shutdown,
}

impl AuditApi {
    /// The service over the truth.
    pub(crate) fn new(truth: Truth, followers: Followers, shutdown: Shutdown) -> Self {
        Self {
            truth,
            followers,
            shutdown,
        }
    }

    /// An environment that is there, or was: what was done in it can be read for ever.
    async fn known(&self, text: &str) -> Result<Key, Status> {
        let missing = match refusal::environment(&self.truth.state(), text) {
            Ok(environment) => return Ok(environment),
            Err(missing) => missing,
        };
        let Ok(environment) = Key::parse(text) else {
            return Err(missing);
        };
        let prefix = keys::audits(&environment);
        let found = self.truth.store().range(&prefix, None, 1, Order::Ascending).await?;
        if found.items.is_empty() {
            Err(missing)
        } else {
            Ok(environment)
        }
    }
}

#[tonic::async_trait]
impl Audit for AuditApi {
    type FollowAuditStream = futures::stream::BoxStream<'static, Result<v1::FollowAuditResponse, Status>>;

    async fn list_audit(
        &self,
        request: Request<v1::ListAuditRequest>,
    ) -> Result<Response<v1::ListAuditResponse>, Status> {
        let request = request.into_inner();
        let environment = self.known(&request.environment).await?;
        let mut page = Page::new(page::size(request.page_size, 50, 1_000)?);
        let filter = Filter::of_list(&request)?;
        let prefix = keys::audits(&environment);
        let mut before = first(&environment, &filter, &request.page_token)?;
        let mut scanned = 0;
        loop {
            let store = self.truth.store();
            let found = store.range(&prefix, before.as_deref(), SCAN, Order::Descending).await?;
            for item in &found.items {
                for (id, act) in read(item, prefix.len(), before.as_deref())? {
                    if page.is_full() {
                        return Ok(answer(page, before.as_deref(), prefix.len()));
                    }
                    if is_past(id, &filter) {
                        return Ok(answer(page, None, prefix.len()));
                    }
                    before = Some(keys::audit(&environment, id));
                    if filter.takes(&act) {
                        page.push(acts::wire(id, item.modified, act));
                    }
                }
            }
            scanned += found.items.len();
            if !found.more {
                return Ok(answer(page, None, prefix.len()));
            }
            if scanned >= SCAN_LIMIT {
                return Ok(answer(page, before.as_deref(), prefix.len()));
            }
        }
    }

    async fn follow_audit(
        &self,
        request: Request<v1::FollowAuditRequest>,
    ) -> Result<Response<Self::FollowAuditStream>, Status> {
        let request = request.into_inner();
        let environment = refusal::environment(&self.truth.state(), &request.environment)?;
        let filter = Filter::of_stream(&request);
        let after = Some(request.after_revision).filter(|after| *after > 0);
        let follower = self.followers.follow(&self.truth, &environment, after).await?;
        let message = move |seen: crate::follow::Seen| {
            filter.takes(&seen.record).then(|| v1::FollowAuditResponse {
                revision: seen.told,
                record: Some(acts::wire(seen.id, seen.revision, seen.record)),
            })
        };
        let alive = |revision| v1::FollowAuditResponse { record: None, revision };
        let stream = following::stream(follower, self.shutdown.clone(), message, alive);
        Ok(Response::new(stream))
    }
}

/// Where a scan begins: behind the page before, and not later than what is asked for.
fn first(environment: &Key, filter: &Filter, token: &str) -> Result<Option<Bytes>, Status> {
    let token = match token {
        "" => None,
        token => Some(token.parse::<Uuid>().map_err(|_| page::wrong_token())?),
    };
    let until = filter
        .until_us
        .map(|until_us| earliest(until_us.saturating_add(ROOM_US)));
    let first = match (token, until) {
        (Some(token), Some(until)) => Some(token.min(until)),
        (token, until) => token.or(until),
    };
    Ok(first.map(|id| keys::audit(environment, id)))
}

/// Whether a record, and with it all that follow in a scan, is too old.
fn is_past(id: Uuid, filter: &Filter) -> bool {
    let oldest = filter
        .since_us
        .map(|since_us| earliest(since_us.saturating_sub(ROOM_US)));
    oldest.is_some_and(|oldest| id < oldest)
}

/// The smallest UUIDv7 of a time: its 48 bits of milliseconds, and nothing else.
fn earliest(time_us: i64) -> Uuid {
    let milliseconds = u64::try_from(time_us / 1_000).unwrap_or(0).min((1 << 48) - 1);
    Uuid::from_u128(u128::from(milliseconds) << 80)
}

/// A page that ends at a key, or is the last.
fn answer(page: Page<v1::AuditRecord>, last: Option<&[u8]>, prefix: usize) -> Response<v1::ListAuditResponse> {
    let last = last.and_then(|key| Uuid::from_slice(key.get(prefix..)?).ok());
    let next_page_token = last.map(|id| id.to_string()).unwrap_or_default();
    Response::new(v1::ListAuditResponse {
        records: page.items,
        next_page_token,
    })
}

/// The acts that a key holds, the latest first: those before where the scan has come to.
fn read(
    item: &Item,
    prefix: usize,
    before: Option<&[u8]>,
) -> Result<Vec<(Uuid, crate::store::model::AuditRecord)>, Status> {
    let broken = || Status::data_loss("an audit record cannot be read");
    let id = Uuid::from_slice(&item.key[prefix..]).map_err(|_| broken())?;
    let mut acts = Act::read_all(id, &item.value).map_err(|_| broken())?;
    let before = before.and_then(|key| key.get(prefix..));
    acts.retain(|(id, _)| before.is_none_or(|before| id.as_bytes().as_slice() < before));
    acts.reverse();
    Ok(acts)
}

#[cfg(test)]
mod tests;
