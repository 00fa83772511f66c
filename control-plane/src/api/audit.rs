//! The service of audit records.

use proto::v1::{self, audit_server::Audit};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{page, refusal};
use crate::{
    store::{Item, Order, keys, model::Act},
    truth::Truth,
};

/// Records read at once while looking for those of one key.
const SCAN: usize = 500;

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
        let mut records = Vec::new();
        loop {
            let found = self
                .truth
                .store()
                .range(&prefix, before.as_deref(), SCAN, Order::Descending)
                .await;
            let found = found.map_err(|error| Status::internal(error.to_string()))?;
            for item in &found.items {
                let record = read(item, prefix.len())?;
                if request.key.is_empty() || about(&record, &request.key) {
                    if records.len() == size {
                        let next_page_token = records.last().map(|last: &v1::AuditRecord| last.id.clone());
                        let next_page_token = next_page_token.unwrap_or_default();
                        return Ok(Response::new(v1::ListAuditResponse {
                            records,
                            next_page_token,
                        }));
                    }
                    records.push(record);
                }
            }
            match found.items.last() {
                Some(last) if found.more => before = Some(last.key.clone()),
                Some(_) | None => {
                    return Ok(Response::new(v1::ListAuditResponse {
                        records,
                        next_page_token: String::new(),
                    }));
                }
            }
        }
    }
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
