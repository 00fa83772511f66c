//! The changes of deliveries: they are queued, tried, and end.
//!
//! A queue is written by the fan-out alone, and by the one courier that takes from it. What a courier writes comes after
//! the answer of a receiver: a crash between the two sends the same message again, under the same name.

use uuid::Uuid;

use crate::{
    store::{Guard, Txn, keys, model},
    webhooks::{
        delivery::{Delivery, Tally},
        webhook::WebhookRecord,
    },
};

/// Ended deliveries that are kept of a webhook.
pub(crate) const KEPT: u64 = 200;

/// An event waits for each of these webhooks, which are as they were seen; what came before it was queued, too.
pub(crate) fn queue(takers: &[&WebhookRecord], delivery: &Delivery) -> Txn {
    let value = model::write_delivery(delivery);
    let txn = Txn::default().put(keys::queued(), model::write_position(delivery.position));
    takers.iter().fold(txn, |txn, webhook| {
        txn.guard(Guard::Unchanged(keys::webhook(&webhook.key), webhook.revision))
            .put(keys::waiting(webhook.id, delivery.position), value.clone())
    })
}

/// A delivery was tried and waits on.
pub(crate) fn tried(webhook: Uuid, delivery: &Delivery, tally: &Tally) -> Txn {
    Txn::default()
        .put(
            keys::waiting(webhook, delivery.position),
            model::write_delivery(delivery),
        )
        .put(keys::tally(webhook), model::write_tally(tally))
}

/// A delivery has ended, and is counted by the tally; of those that ended the latest are kept.
pub(crate) fn end(webhook: Uuid, delivery: &Delivery, tally: &Tally) -> Txn {
    let number = tally.ended();
    let txn = Txn::default()
        .delete(keys::waiting(webhook, delivery.position))
        .put(keys::delivered(webhook, number), model::write_delivery(delivery))
        .put(keys::tally(webhook), model::write_tally(tally));
    match number.checked_sub(KEPT) {
        Some(oldest) => txn.delete(keys::delivered(webhook, oldest)),
        None => txn,
    }
}
