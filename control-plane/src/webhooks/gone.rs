//! Webhooks that are gone: a receiver that wants no more disables its webhook, and nothing is left of one that was deleted.

use uuid::Uuid;

use super::webhook::WebhookRecord;
use crate::{
    change,
    identity::Actor,
    store::{self, Order, Store, Txn, keys},
    truth::{CommitError, Truth},
};

/// Keys that one transaction takes away.
const AT_ONCE: usize = 100;
/// How often it is tried to disable a webhook that others change at the same time.
const TRIES: usize = 8;

/// Disables a webhook whose receiver has answered 410 Gone; false: it was changed since, and what it answered is not about
/// it any longer.
pub(super) async fn disable(truth: &Truth, sent: &WebhookRecord, answer: &str) -> bool {
    for _ in 0..TRIES {
        let state = truth.state();
        let current = state.webhooks.get(&sent.key);
        let current = current.filter(|webhook| webhook.id == sent.id && webhook.url == sent.url && !webhook.disabled);
        let Some(before) = current else {
            return false;
        };
        let now_us = runtime::clock::now_us();
        let after = WebhookRecord {
            disabled: true,
            disabled_reason: format!("its receiver {answer}"),
            updated_at_us: now_us,
            ..WebhookRecord::clone(before)
        };
        let actor = Actor::engine(after.disabled_reason.clone(), now_us);
        let txn = change::webhook::write(&state, "webhook.disable", before, &after, &actor);
        match truth.commit(txn).await {
            Ok(_) => {
                tracing::warn!(webhook = %sent.key, answer, "the webhook is disabled");
                return true;
            }
            Err(CommitError::Conflict) => truth.newer(state.revision).await,
            Err(error @ (CommitError::Store(_) | CommitError::NotShown(_))) => {
                tracing::error!(webhook = %sent.key, %error, "the webhook was not disabled; it will be");
                return false;
            }
        }
    }
    false
}

/// Takes away all that is kept of the deliveries of a webhook.
pub(super) async fn forget(store: &dyn Store, id: Uuid) -> Result<(), store::Error> {
    let prefix = keys::deliveries(id);
    loop {
        let page = store.range(&prefix, None, AT_ONCE, Order::Ascending).await?;
        if page.items.is_empty() {
            return Ok(());
        }
        let txn = page
            .items
            .into_iter()
            .fold(Txn::default(), |txn, item| txn.delete(item.key));
        store.txn(txn).await?;
    }
}

/// The webhooks of which deliveries are kept.
pub(super) async fn kept(store: &dyn Store) -> Result<Vec<Uuid>, store::Error> {
    let prefix = keys::all_deliveries();
    let (mut found, mut after) = (Vec::new(), None::<Vec<u8>>);
    loop {
        let page = store.range(&prefix, after.as_deref(), 1, Order::Ascending).await?;
        let id = page
            .items
            .first()
            .and_then(|item| item.key.get(prefix.len()..prefix.len() + 16));
        let Some(id) = id.and_then(|id| Uuid::from_slice(id).ok()) else {
            return Ok(found);
        };
        found.push(id);
        // Behind all that is kept of this one.
        after = Some([&keys::deliveries(id)[..], &[u8::MAX]].concat());
    }
}
