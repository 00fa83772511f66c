//! The courier of one webhook: takes what waits for it, posts it, and writes down what came of it.
//!
//! It alone takes from the queue. What lies in the store is the truth, and what it has in memory are places and times; a
//! restart begins with the same. A mark follows each answer: a crash in between repeats the message, under the same name.
//! What is slow or dead here holds up nobody else, because nobody waits for a courier.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use runtime::{clock::now_us, shutdown::Shutdown};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    delivery::{Delivery, End, Ended, Tally, message_id},
    gone,
    metrics::{ATTEMPTS, DELIVERIES},
    post::{Answer, Message, Post, Verdict},
    queue::{Queue, Waiting},
    retry::Patience,
    standing::{Standing, Standings},
    webhook::WebhookRecord,
};
use crate::{
    change::delivery as change,
    events::position::Position,
    store::{self, Order, Txn, keys, model},
    truth::Truth,
};

/// Items read at once.
const PAGE: usize = 200;
/// How long to wait after the store has failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long what is under way may take when the process drains.
const GRACE: Duration = Duration::from_secs(3);
/// The longest sleep: the clock may be set.
const NAP: Duration = Duration::from_secs(60);

/// What a courier is told: its webhook as it is now, and how often it was asked to try again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    /// The webhook.
    pub(super) webhook: Arc<WebhookRecord>,
    /// Counts.
    pub(super) asked: u64,
}

/// What couriers stand on.
#[derive(Debug, Clone)]
pub(super) struct Means {
    /// What waits, and where it is written what came of it.
    pub(super) truth: Truth,
    /// The way to receivers.
    pub(super) post: Arc<Post>,
    /// Where it is told how things stand.
    pub(super) standings: Standings,
    /// How patient they are.
    pub(super) patience: Patience,
}

/// One courier.
#[derive(Debug)]
pub(super) struct Courier {
    means: Means,
    webhook: Arc<WebhookRecord>,
    queue: Queue,
    /// The last key of its queue that was read.
    read: Option<Bytes>,
    tally: Tally,
}

/// A message that has come back.
struct Flight {
    delivery: Delivery,
    /// The webhook as it was when the message was sent.
    webhook: Arc<WebhookRecord>,
    answer: Answer,
}

type Flights = FuturesUnordered<BoxFuture<'static, Flight>>;

impl Courier {
    /// The courier of a webhook.
    pub(super) fn new(means: Means, webhook: Arc<WebhookRecord>) -> Self {
        Self {
            queue: Queue::new(means.patience),
            means,
            webhook,
            read: None,
            tally: Tally::default(),
        }
    }

    /// Delivers until the process drains or the webhook is gone (none is assigned).
    pub(super) async fn run(
        mut self,
        mut assigned: watch::Receiver<Option<Assignment>>,
        mut queued: watch::Receiver<Position>,
        shutdown: Shutdown,
    ) {
        let mut flights = Flights::new();
        let mut is_loaded = false;
        loop {
            let looked = self.look(&mut flights, &mut is_loaded).await;
            if let Err(error) = &looked {
                tracing::warn!(webhook = %self.webhook.key, %error, "what waits was not read; it will be");
            }
            self.tell();
            let nap = looked.map_or(PAUSE, |()| self.nap());
            tokio::select! {
                biased;
                () = shutdown.draining() => return self.land(flights).await,
                changed = assigned.changed() => match changed.map(|()| assigned.borrow_and_update().clone()) {
                    Ok(Some(assignment)) => self.assign(assignment),
                    Ok(None) => return self.leave().await,
                    // Whoever assigns has ended, so the process drains.
                    Err(_) => return self.land(flights).await,
                },
                Some(flight) = flights.next() => self.landed(flight).await,
                Ok(()) = queued.changed() => {}
                () = sleep(nap) => {}
            }
        }
    }

    /// Takes in what is new, gives up what has waited for too long, and sends what is due.
    async fn look(&mut self, flights: &mut Flights, is_loaded: &mut bool) -> Result<(), store::Error> {
        if !*is_loaded {
            self.load().await?;
            *is_loaded = true;
        }
        self.take_in().await?;
        while let Some(position) = self.queue.surplus() {
            self.give_up(position, End::Dropped).await?;
        }
        if self.webhook.disabled {
            while let Some(position) = self.queue.overdue(now_us()) {
                self.give_up(position, End::GivenUp).await?;
            }
            return Ok(());
        }
        for position in self.queue.start(now_us()) {
            match self.waiting(position).await {
                Ok(Some(delivery)) => flights.push(self.send(delivery)),
                Ok(None) => self.queue.ended(position),
                Err(error) => self.later(position, &error),
            }
        }
        Ok(())
    }

    async fn load(&mut self) -> Result<(), store::Error> {
        let item = self.means.truth.store().get(&keys::tally(self.webhook.id)).await?;
        if let Some(item) = item {
            match model::read_tally(&item.value) {
                Ok(tally) => self.tally = tally,
                Err(error) => {
                    tracing::error!(webhook = %self.webhook.key, %error, "its counts cannot be read; they begin anew");
                }
            }
        }
        Ok(())
    }

    /// Reads what was queued since it read last.
    async fn take_in(&mut self) -> Result<(), store::Error> {
        let prefix = keys::all_waiting(self.webhook.id);
        loop {
            let store = self.means.truth.store();
            let page = store
                .range(&prefix, self.read.as_deref(), PAGE, Order::Ascending)
                .await?;
            for item in page.items {
                match model::read_delivery(&item.value) {
                    Ok(delivery) => self.queue.add(Waiting {
                        position: delivery.position,
                        rollout: delivery.rollout,
                        queued_at_us: delivery.queued_at_us,
                        due_us: delivery.due_us,
                    }),
                    Err(error) => {
                        tracing::error!(webhook = %self.webhook.key, %error, "a delivery cannot be read; it is left");
                    }
                }
                self.read = Some(item.key);
            }
            if !page.more {
                return Ok(());
            }
        }
    }

    /// A delivery that waits; none: it is gone, or cannot be read.
    async fn waiting(&self, position: Position) -> Result<Option<Delivery>, store::Error> {
        let key = keys::waiting(self.webhook.id, position);
        let item = self.means.truth.store().get(&key).await?;
        Ok(item.and_then(|item| model::read_delivery(&item.value).ok()))
    }

    fn send(&self, delivery: Delivery) -> BoxFuture<'static, Flight> {
        let (post, webhook) = (self.means.post.clone(), self.webhook.clone());
        async move {
            let now_us = now_us();
            let id = message_id(webhook.id, &delivery.event_id);
            let message = Message {
                url: &webhook.url,
                id: &id,
                body: &delivery.event.json,
                secrets: webhook.signing(now_us).collect(),
            };
            let answer = post.send(&message, now_us).await;
            Flight {
                delivery,
                webhook,
                answer,
            }
        }
        .boxed()
    }

    /// Writes down what came of a message. If that fails it is sent again, under the same name.
    async fn landed(&mut self, flight: Flight) {
        let position = flight.delivery.position;
        let Flight {
            mut delivery,
            webhook,
            answer,
        } = flight;
        let now_us = now_us();
        let key = webhook.key.to_string();
        metrics::counter!(ATTEMPTS, "webhook" => key, "result" => answer.verdict.name()).increment(1);
        delivery.attempts = delivery.attempts.saturating_add(1);
        delivery.attempted_at_us = now_us;
        delivery.status = answer.status;
        delivery.answer.clone_from(&answer.words);
        let marked = if answer.is_good() {
            self.end(delivery, End::Delivered, self.tally.clone(), now_us).await
        } else {
            self.failed(delivery, &answer, now_us).await
        };
        match marked {
            Ok(()) if answer.is_good() => self.queue.is_back(now_us),
            Ok(()) => {}
            Err(error) => self.later(position, &error),
        }
        if answer.verdict == Verdict::Gone && gone::disable(&self.means.truth, &webhook, &answer.words).await {
            self.webhook = Arc::new(WebhookRecord {
                disabled: true,
                ..WebhookRecord::clone(&webhook)
            });
        }
    }

    /// Tries again later, or gives up.
    async fn failed(&mut self, mut delivery: Delivery, answer: &Answer, now_us: i64) -> Result<(), store::Error> {
        let tally = Tally {
            failed_at_us: now_us,
            failure: answer.words.clone(),
            ..self.tally.clone()
        };
        let patience = &self.means.patience;
        let rest_us = answer.retry_after.as_ref().and_then(|said| patience.rest(said, now_us));
        let next_us = patience.next(delivery.attempts, delivery.queued_at_us, now_us, rand::random());
        if let Some(rest_us) = rest_us {
            self.queue.rest(rest_us);
        }
        if delivery.attempts == 1 || next_us.is_none() {
            tracing::warn!(
                webhook = %self.webhook.key, event = %delivery.event_id, attempts = delivery.attempts,
                answer = %answer.words, is_given_up = next_us.is_none(), "an event was not delivered"
            );
        }
        let Some(next_us) = next_us else {
            return self.end(delivery, End::GivenUp, tally, now_us).await;
        };
        delivery.due_us = next_us;
        self.commit(change::tried(self.webhook.id, &delivery, &tally)).await?;
        self.tally = tally;
        self.queue.failed(delivery.position, next_us);
        Ok(())
    }

    /// Ends one that is not under way.
    async fn give_up(&mut self, position: Position, end: End) -> Result<(), store::Error> {
        match self.waiting(position).await? {
            Some(delivery) => {
                tracing::warn!(
                    webhook = %self.webhook.key, event = %delivery.event_id, end = end.name(),
                    "an event is not delivered"
                );
                self.end(delivery, end, self.tally.clone(), now_us()).await
            }
            None => {
                self.queue.ended(position);
                Ok(())
            }
        }
    }

    async fn end(
        &mut self,
        mut delivery: Delivery,
        end: End,
        mut tally: Tally,
        now_us: i64,
    ) -> Result<(), store::Error> {
        let ended = Ended { end, at_us: now_us };
        tally.count(ended);
        delivery.ended = Some(ended);
        delivery.due_us = 0;
        delivery.event.json = String::new();
        self.commit(change::end(self.webhook.id, &delivery, &tally)).await?;
        self.tally = tally;
        self.queue.ended(delivery.position);
        let key = self.webhook.key.to_string();
        metrics::counter!(DELIVERIES, "webhook" => key, "result" => end.name()).increment(1);
        Ok(())
    }

    /// Nobody else writes what a courier writes, so nothing is guarded.
    async fn commit(&self, txn: Txn) -> Result<(), store::Error> {
        self.means.truth.store().txn(txn).await.map(|_| ())
    }

    fn later(&mut self, position: Position, error: &store::Error) {
        tracing::error!(webhook = %self.webhook.key, %error, "what came of a message was not written; it is sent again");
        let later_us = now_us().saturating_add(PAUSE.as_micros() as i64);
        self.queue.failed(position, later_us);
    }

    /// A webhook that was changed, or somebody who asks, lets all that waits be tried now.
    fn assign(&mut self, assignment: Assignment) {
        self.webhook = assignment.webhook;
        self.queue.again(now_us());
    }

    fn tell(&self) {
        let next_us = self.queue.next_us().filter(|_| !self.webhook.disabled);
        let standing = Standing {
            waiting: self.queue.len(),
            oldest_us: self.queue.oldest_us(),
            next_us,
            tally: self.tally.clone(),
        };
        self.means
            .standings
            .note(self.webhook.id, self.webhook.key.as_str(), standing);
    }

    /// Until there is something to do.
    fn nap(&self) -> Duration {
        let next_us = if self.webhook.disabled {
            let kept_us = self.means.patience.kept_us;
            self.queue
                .oldest_us()
                .map(|oldest_us| oldest_us.saturating_add(kept_us))
        } else {
            self.queue.next_us()
        };
        let nap = next_us.map(|next_us| next_us.saturating_sub(now_us()).max(0).unsigned_abs());
        nap.map_or(NAP, Duration::from_micros).min(NAP)
    }

    /// The process drains: what is under way may come back, for a moment.
    async fn land(mut self, mut flights: Flights) {
        let landing = async {
            while let Some(flight) = flights.next().await {
                self.landed(flight).await;
            }
        };
        // What is not back by then is sent again by the next process.
        _ = timeout(GRACE, landing).await;
    }

    /// The webhook is gone, and what waits for it goes with it.
    async fn leave(self) {
        let WebhookRecord { id, key, .. } = &*self.webhook;
        self.means.standings.forget(*id, key.as_str());
        if let Err(error) = gone::forget(self.means.truth.store(), *id).await {
            tracing::warn!(webhook = %key, %error, "what waits for a deleted webhook was not forgotten; it will be");
        }
    }
}
