//! The service of webhooks: written, tried, and how their deliveries fare. Delivering is `webhooks.rs`'s of this crate.
//!
//! A secret leaves by the answer to the call that drew it, and by no other way.

mod deliveries;
mod wire;

use std::sync::Arc;

use evaluation::Key;
use proto::{
    status::{invalid, violation},
    v1::{self, webhooks_server::Webhooks as Service},
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{race::Race, refusal};
use crate::{
    change::webhook as change,
    identity::Actor,
    state::State,
    store::Txn,
    truth::Truth,
    webhooks::{
        Webhooks, probe,
        secret::Secret,
        webhook::{LIMIT, Previous, WebhookRecord},
    },
};

/// How long the secret before signs unless it is said.
const OVERLAP_US: i64 = 24 * 60 * 60 * 1_000_000;
/// How long it may sign at most.
const LONGEST_OVERLAP_US: i64 = 7 * OVERLAP_US;

/// The service `tidegate.v1.Webhooks`.
#[derive(Debug)]
pub(crate) struct WebhooksApi {
    truth: Truth,
    webhooks: Webhooks,
}

impl WebhooksApi {
    /// The service over the truth and the deliveries.
    pub(crate) fn new(truth: Truth, webhooks: Webhooks) -> Self {
        Self { truth, webhooks }
    }

    /// Commits what is made of the state, until it meets no other write; the record, at the revision of the write if there
    /// was one to make.
    async fn commit(
        &self,
        make: impl Fn(&State) -> Result<(Option<Txn>, WebhookRecord), Status>,
    ) -> Result<WebhookRecord, Status> {
        let mut race = Race::new(&self.truth);
        loop {
            let state = self.truth.state();
            let (txn, record) = make(&state)?;
            let Some(txn) = txn else {
                return Ok(record);
            };
            if let Some((revision, _)) = race.commit(&state, txn).await? {
                return Ok(WebhookRecord { revision, ..record });
            }
        }
    }

    fn shown(&self, record: &WebhookRecord, now_us: i64) -> v1::Webhook {
        wire::webhook(record, &self.webhooks.standing(record.id), now_us)
    }
}

#[tonic::async_trait]
impl Service for WebhooksApi {
    async fn create_webhook(
        &self,
        request: Request<v1::CreateWebhookRequest>,
    ) -> Result<Response<v1::CreateWebhookResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let given = request.into_inner().webhook.unwrap_or_default();
        let (id, secret) = (Uuid::now_v7(), Secret::draw());
        let make = |state: &State| {
            let (key, wanted) = wire::create(state, &given, self.webhooks.post().allows_http())?;
            if state.webhooks.contains_key(&key) {
                return Err(Status::already_exists(format!("webhook {key} exists already")));
            }
            if state.webhooks.len() >= LIMIT {
                let refused = format!("there are {LIMIT} webhooks already; delete one that is not needed");
                return Err(Status::resource_exhausted(refused));
            }
            let record = wanted.of(WebhookRecord {
                key,
                id,
                url: String::new(),
                description: String::new(),
                kinds: [].into(),
                least_severity: None,
                environments: [].into(),
                disabled: false,
                disabled_reason: String::new(),
                secret: secret.clone(),
                previous: None,
                secrets: 1,
                begins_after: state.revision,
                created_at_us: actor.at_us,
                updated_at_us: actor.at_us,
                revision: 0,
            });
            Ok((Some(change::create(state, &record, &actor)), record))
        };
        let record = self.commit(make).await?;
        Ok(Response::new(v1::CreateWebhookResponse {
            webhook: Some(self.shown(&record, actor.at_us)),
            secret: record.secret.text(),
        }))
    }

    async fn update_webhook(
        &self,
        request: Request<v1::UpdateWebhookRequest>,
    ) -> Result<Response<v1::UpdateWebhookResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let given = request.webhook.unwrap_or_default();
        let mask = wire::mask(request.update_mask)?;
        let make = |state: &State| {
            let before = find(state, &given.key)?;
            current(before, request.expected_revision)?;
            let wanted = wire::update(state, &given, mask.as_ref(), self.webhooks.post().allows_http())?;
            let after = wanted.of(WebhookRecord::clone(before));
            if after == **before {
                return Ok((None, after));
            }
            let after = WebhookRecord {
                updated_at_us: actor.at_us,
                ..after
            };
            let txn = change::write(state, "webhook.update", before, &after, &actor);
            Ok((Some(txn), after))
        };
        let record = self.commit(make).await?;
        let webhook = Some(self.shown(&record, actor.at_us));
        Ok(Response::new(v1::UpdateWebhookResponse { webhook }))
    }

    async fn delete_webhook(
        &self,
        request: Request<v1::DeleteWebhookRequest>,
    ) -> Result<Response<v1::DeleteWebhookResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let make = |state: &State| {
            let before = find(state, &request.key)?;
            current(before, request.expected_revision)?;
            let txn = change::delete(state, before, &actor);
            Ok((Some(txn), WebhookRecord::clone(before)))
        };
        self.commit(make).await?;
        Ok(Response::new(v1::DeleteWebhookResponse {}))
    }

    async fn get_webhook(
        &self,
        request: Request<v1::GetWebhookRequest>,
    ) -> Result<Response<v1::GetWebhookResponse>, Status> {
        let state = self.truth.state();
        let record = find(&state, &request.into_inner().key)?;
        let webhook = Some(self.shown(record, runtime::clock::now_us()));
        Ok(Response::new(v1::GetWebhookResponse { webhook }))
    }

    async fn list_webhooks(
        &self,
        _: Request<v1::ListWebhooksRequest>,
    ) -> Result<Response<v1::ListWebhooksResponse>, Status> {
        let (state, now_us) = (self.truth.state(), runtime::clock::now_us());
        let webhooks = state.webhooks.values().map(|record| self.shown(record, now_us));
        Ok(Response::new(v1::ListWebhooksResponse {
            webhooks: webhooks.collect(),
        }))
    }

    async fn test_webhook(
        &self,
        request: Request<v1::TestWebhookRequest>,
    ) -> Result<Response<v1::TestWebhookResponse>, Status> {
        let record = find(&self.truth.state(), &request.into_inner().key)?.clone();
        let probed = probe::send(self.webhooks.post(), &record, runtime::clock::now_us()).await;
        if probed.answer.is_good() {
            self.webhooks.again(record.id);
        }
        Ok(Response::new(wire::probed(probed)))
    }

    async fn rotate_webhook_secret(
        &self,
        request: Request<v1::RotateWebhookSecretRequest>,
    ) -> Result<Response<v1::RotateWebhookSecretResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let overlap_us = request.overlap_us.unwrap_or(OVERLAP_US);
        if !(0..=LONGEST_OVERLAP_US).contains(&overlap_us) {
            return Err(invalid(&[violation("overlap_us", "is from 0 to 7 days")]));
        }
        let secret = Secret::draw();
        let make = |state: &State| {
            let before = find(state, &request.key)?;
            current(before, request.expected_revision)?;
            let previous = (overlap_us > 0).then(|| Previous {
                secret: before.secret.clone(),
                until_us: actor.at_us.saturating_add(overlap_us),
            });
            let after = WebhookRecord {
                secret: secret.clone(),
                previous,
                secrets: before.secrets.saturating_add(1),
                updated_at_us: actor.at_us,
                ..WebhookRecord::clone(before)
            };
            let txn = change::write(state, "webhook.rotate-secret", before, &after, &actor);
            Ok((Some(txn), after))
        };
        let record = self.commit(make).await?;
        Ok(Response::new(v1::RotateWebhookSecretResponse {
            webhook: Some(self.shown(&record, actor.at_us)),
            secret: record.secret.text(),
        }))
    }

    async fn list_webhook_deliveries(
        &self,
        request: Request<v1::ListWebhookDeliveriesRequest>,
    ) -> Result<Response<v1::ListWebhookDeliveriesResponse>, Status> {
        let request = request.into_inner();
        let record = find(&self.truth.state(), &request.key)?.clone();
        // While a receiver rests nothing is sent to it, and never in the past.
        let next_us = self.webhooks.standing(record.id).next_us;
        let not_before_us = next_us.unwrap_or(0).max(runtime::clock::now_us());
        let not_before_us = (!record.disabled).then_some(not_before_us);
        let page = deliveries::page(self.truth.store(), record.id, not_before_us, request).await?;
        Ok(Response::new(page))
    }
}

fn find<'s>(state: &'s State, key: &str) -> Result<&'s Arc<WebhookRecord>, Status> {
    let key = refusal::key("key", key)?;
    let found = state.webhooks.get(&key);
    found.ok_or_else(|| {
        let known = state.webhooks.keys().map(Key::as_str).collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "none".to_owned() } else { known };
        Status::not_found(format!("webhook {key} does not exist; there are: {known}"))
    })
}

/// Refuses a decision that was based on another revision.
fn current(before: &WebhookRecord, expected: u64) -> Result<(), Status> {
    if expected == 0 || expected == before.revision {
        Ok(())
    } else {
        Err(refusal::stale(&before.key, expected, before.revision))
    }
}

#[cfg(test)]
mod tests;
