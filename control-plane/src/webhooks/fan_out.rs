//! From the outbox to the queues: each event is put before every webhook that takes it, once, in the order of the stream.
//!
//! A queue lies in the store beside the outbox, and how far events were put into queues is written in the same transaction:
//! after a crash an event is in all its queues or will be. What waits has its own copy, so that the sweep of the outbox
//! takes nothing from it. The engine knows nothing of this; it is followed as any reader of the stream follows it.

use std::{convert::Infallible, time::Duration};

use runtime::shutdown::Shutdown;
use tokio::sync::watch;

use super::{delivery::Delivery, metrics::MISSED, webhook::WebhookRecord};
use crate::{
    change,
    events::{
        position::Position,
        reader::{ReadError, Readers, Told},
    },
    state::State,
    store::{Outcome, keys, model},
    truth::Truth,
};

/// How long to wait before it begins anew after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Puts events into queues until the process drains; `queued` tells how far.
pub(super) async fn run(truth: Truth, queued: watch::Sender<Position>, shutdown: Shutdown) {
    let readers = Readers::new();
    let mut from = None;
    loop {
        let ended = tokio::select! {
            ended = follow(&truth, &readers, from, &queued) => ended,
            () = shutdown.draining() => return,
        };
        match ended {
            Ok(never) => match never {},
            Err(ReadError::Swept { swept, .. }) => {
                metrics::counter!(MISSED).increment(1);
                tracing::error!(
                    swept,
                    "events were swept before webhooks had them; they are not delivered"
                );
                from = Some(Position::behind(swept));
            }
            Err(error) => tracing::warn!(%error, "events were not put before webhooks; they will be"),
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.draining() => return,
        }
    }
}

/// Up to which revision the outbox is needed by no webhook.
pub(crate) async fn needed_after(truth: &Truth) -> Result<u64, ReadError> {
    Ok(begin(truth).await?.map_or(u64::MAX, |begin| begin.revision))
}

/// Follows the stream from where it was left, or behind a place.
async fn follow(
    truth: &Truth,
    readers: &Readers,
    from: Option<Position>,
    queued: &watch::Sender<Position>,
) -> Result<Infallible, ReadError> {
    let head = Position::behind(truth.state().revision);
    let begin = begin(truth).await?.unwrap_or(head).max(from.unwrap_or(Position::FIRST));
    let mut reader = readers.read(truth, Some(begin.min(head))).await?;
    loop {
        let told = reader.next().await?;
        spread(truth, &told, runtime::clock::now_us()).await?;
        queued.send_replace(told.position);
    }
}

/// The last event that is in its queues or that no webhook takes; none: there are no webhooks.
async fn begin(truth: &Truth) -> Result<Option<Position>, ReadError> {
    let state = truth.state();
    let Some(first) = state.webhooks.values().map(|webhook| webhook.begins_after).min() else {
        return Ok(None);
    };
    let item = truth.store().get(&keys::queued()).await?;
    let queued = item.map(|item| model::read_position(&item.value)).transpose()?;
    Ok(queued.max(Some(Position::behind(first))))
}

/// Puts an event into the queues of those that take it.
async fn spread(truth: &Truth, told: &Told, now_us: i64) -> Result<(), ReadError> {
    loop {
        let state = truth.state();
        if state.webhooks.is_empty() {
            return Ok(());
        }
        let delivery = delivery(told, now_us);
        let txn = change::delivery::queue(&takers(&state, told), &delivery);
        match truth.store().txn(txn).await? {
            Outcome::Committed(_) => return Ok(()),
            // A webhook was changed meanwhile: what it takes is looked at again.
            Outcome::Refused { .. } => truth.newer(state.revision).await,
        }
    }
}

fn takers<'s>(state: &'s State, told: &Told) -> Vec<&'s WebhookRecord> {
    let all = state.webhooks.values().map(|webhook| &**webhook);
    all.filter(|webhook| webhook.takes(&told.environment, &told.event, told.position.revision))
        .collect()
}

fn delivery(told: &Told, now_us: i64) -> Delivery {
    let json = serde_json::from_str::<serde_json::Value>(&told.event.json).unwrap_or_default();
    let id = json["id"].as_str().map(str::to_owned);
    Delivery {
        position: told.position,
        environment: told.environment.clone(),
        rollout: told.rollout,
        event_id: id.unwrap_or_else(|| told.position.to_string()),
        event: told.event.clone(),
        queued_at_us: now_us,
        attempts: 0,
        attempted_at_us: 0,
        due_us: 0,
        status: 0,
        answer: String::new(),
        ended: None,
    }
}
