//! The service of audit records.

use proto::v1::{self, audit_server::Audit};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    page::{self, Page},
    refusal,
};
use crate::{
    store::{Item, Order, keys, model::Act},
    truth::Truth,
};

/// Records read at once while looking for those of one key.
const SCAN: usize = 500;
/// Records that one call looks at: a page may be short, and its token goes on.
const SCAN_LIMIT: usize = 5_000;

/// The service `tidegate.v1.Audit`.
#[derive(Debug)]
pub(crate) struct AuditApi {
    truth: Truth,
}

impl AuditApi {
    /// The service over the truth.
    pub(crate) fn new(truth: Truth) -> Self {
        Self { truth }
    }
}

#[tonic::async_trait]
impl Audit for AuditApi {
    async fn list_audit(
        &self,
        request: Request<v1::ListAuditRequest>,
    ) -> Result<Response<v1::ListAuditResponse>, Status> {
        let request = request.into_inner();
        let environment = refusal::environment(&self.truth.state(), &request.environment)?;
        let size = page::size(request.page_size, 50, 1_000)?;
        let prefix = keys::audits(&environment);
        let mut before = match request.page_token.as_str() {
            "" => None,
            token => {
                let id = token.parse::<Uuid>().map_err(|_| page::wrong_token())?;
                Some(keys::audit(&environment, id))
            }
        };
        let (mut page, mut scanned) = (Page::new(size), 0);
        loop {
            let found = self
                .truth
                .store()
                .range(&prefix, before.as_deref(), SCAN, Order::Descending);
            let found = found.await.map_err(|error| Status::internal(error.to_string()))?;
            for item in &found.items {
                if page.is_full() {
                    return Ok(answer(page, before.as_deref(), prefix.len()));
                }
                let record = read(item, prefix.len())?;
                before = Some(item.key.clone());
                if request.key.is_empty() || about(&record, &request.key) {
                    page.push(record);
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

/// Whether a record is about a key, or about a rollout of the flag with that key.
fn about(record: &v1::AuditRecord, key: &str) -> bool {
    record.key == key || record.key.rsplit_once('#').is_some_and(|(flag, _)| flag == key)
}

fn read(item: &Item, prefix: usize) -> Result<v1::AuditRecord, Status> {
    let broken = || Status::data_loss("an audit record cannot be read");
    let id = Uuid::from_slice(&item.key[prefix..]).map_err(|_| broken())?;
    let act = Act::read(&item.value).map_err(|_| broken())?;
    Ok(v1::AuditRecord {
        id: id.to_string(),
        at_us: act.at_us,
        actor: act.actor,
        authenticated: false,
        action: act.action,
        kind: act.kind,
        key: act.key,
        reason: act.reason,
        before: act.before,
        after: act.after,
        peer: act.peer,
        revision: item.modified,
    })
}
