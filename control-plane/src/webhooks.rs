//! Webhooks: events and alerts on their way out of the house, signed, in order, each once as far as a crash allows.
//!
//! One task puts events from the outbox into a durable queue of each webhook (`fan_out.rs`); one courier for each webhook
//! takes from its queue and posts (`courier.rs`). Here they are started, told of changes, and ended. What a delivery costs
//! is paid by these tasks: neither the engine nor another webhook waits for a receiver.

mod address;
mod courier;
pub(crate) mod delivery;
mod fan_out;
mod gone;
pub(crate) mod metrics;
mod post;
pub(crate) mod probe;
mod queue;
#[cfg(test)]
pub(crate) mod receiver;
pub(crate) mod retry;
pub(crate) mod secret;
mod signature;
mod standing;
pub(crate) mod webhook;

use std::{collections::HashMap, sync::Arc};

use runtime::shutdown::Shutdown;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use self::{
    courier::{Assignment, Courier, Means},
    retry::Patience,
    standing::Standings,
};
use crate::{events::position::Position, state::State, truth::Truth};

pub(crate) use self::{
    address::read as read_address,
    fan_out::needed_after,
    post::{Post, Settings},
    standing::Standing,
};

/// Webhooks that may be asked at once to try again; more asks are heard by the time of what waits.
const ASKS: usize = 32;

/// A handle to the deliveries.
#[derive(Debug, Clone)]
pub(crate) struct Webhooks {
    post: Arc<Post>,
    standings: Standings,
    asks: mpsc::Sender<Uuid>,
}

/// Starts, tells and ends couriers.
struct Dispatcher {
    means: Means,
    queued: watch::Receiver<Position>,
    couriers: HashMap<Uuid, watch::Sender<Option<Assignment>>>,
    shutdown: Shutdown,
}

impl Webhooks {
    /// Starts all deliveries; they end when the process drains.
    pub(crate) fn start(truth: &Truth, post: Post, patience: Patience, shutdown: &Shutdown) -> Self {
        let (asks, asked) = mpsc::channel(ASKS);
        let webhooks = Self {
            post: Arc::new(post),
            standings: Standings::default(),
            asks,
        };
        let (queued, watched) = watch::channel(Position::FIRST);
        shutdown.spawn("webhook-queues", fan_out::run(truth.clone(), queued, shutdown.clone()));
        let dispatcher = Dispatcher {
            means: Means {
                truth: truth.clone(),
                post: webhooks.post.clone(),
                standings: webhooks.standings.clone(),
                patience,
            },
            queued: watched,
            couriers: HashMap::new(),
            shutdown: shutdown.clone(),
        };
        shutdown.spawn("webhooks", dispatcher.run(asked));
        webhooks
    }

    /// The way to receivers.
    pub(crate) fn post(&self) -> &Post {
        &self.post
    }

    /// How the deliveries of a webhook stand.
    pub(crate) fn standing(&self, id: Uuid) -> Standing {
        self.standings.of(id)
    }

    /// Lets all that waits for a webhook be tried now.
    pub(crate) fn again(&self, id: Uuid) {
        // Full: so many ask already that this one keeps to its times.
        _ = self.asks.try_send(id);
    }
}

impl Dispatcher {
    async fn run(mut self, mut asked: mpsc::Receiver<Uuid>) {
        let mut states = self.means.truth.states();
        let mut seen = None;
        self.sweep().await;
        loop {
            let state = states.borrow_and_update().clone();
            if seen.as_ref().is_none_or(|seen| !Arc::ptr_eq(seen, &state.webhooks)) {
                self.tell(&state);
                seen = Some(state.webhooks.clone());
            }
            tokio::select! {
                biased;
                () = self.shutdown.draining() => return,
                changed = states.changed() => if changed.is_err() { return },
                Some(id) = asked.recv() => if let Some(courier) = self.couriers.get(&id) {
                    courier.send_modify(|assignment| if let Some(assignment) = assignment {
                        assignment.asked += 1;
                    });
                },
            }
        }
    }

    /// Tells couriers of changes, and starts those that are missing.
    fn tell(&mut self, state: &State) {
        let is_there = |id: &Uuid| state.webhooks.values().any(|webhook| webhook.id == *id);
        self.couriers.retain(|id, courier| {
            let stays = is_there(id);
            if !stays {
                courier.send_replace(None);
            }
            stays
        });
        for webhook in state.webhooks.values() {
            let Some(courier) = self.couriers.get(&webhook.id) else {
                self.begin(webhook.clone());
                continue;
            };
            courier.send_if_modified(|assignment| match assignment {
                Some(known) if known.webhook != *webhook => {
                    known.webhook = webhook.clone();
                    true
                }
                Some(_) | None => false,
            });
        }
    }

    fn begin(&mut self, webhook: Arc<webhook::WebhookRecord>) {
        let assignment = Assignment {
            webhook: webhook.clone(),
            asked: 0,
        };
        let (courier, assigned) = watch::channel(Some(assignment));
        self.couriers.insert(webhook.id, courier);
        let run = Courier::new(self.means.clone(), webhook).run(assigned, self.queued.clone(), self.shutdown.clone());
        self.shutdown.spawn("webhook", run);
    }

    /// Takes away what is left of webhooks that were deleted just before a crash.
    async fn sweep(&self) {
        let store = self.means.truth.store();
        let swept = async {
            for id in gone::kept(store).await? {
                let state = self.means.truth.state();
                if !state.webhooks.values().any(|webhook| webhook.id == id) {
                    gone::forget(store, id).await?;
                }
            }
            Ok::<_, crate::store::Error>(())
        };
        if let Err(error) = swept.await {
            tracing::warn!(%error, "what is left of deleted webhooks was not swept; the next start will");
        }
    }
}

#[cfg(test)]
mod tests;
