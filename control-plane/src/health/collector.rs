//! The collector: the one task that owns all ledgers and turns frames into committed batches.
//!
//! Frames are taken together, four times a second or when a thousand wait. Four times a second it looks which ledgers are
//! due, commits all of their transactions at once, and sends the acks. The rule: an ack follows the commit. A ledger that
//! meets a conflict is thrown away with its open batch: its agents are asked to send again, and the marks in the store tell
//! what they need not have sent.

use std::{
    collections::{HashMap, hash_map::Entry},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use evaluation::Key;
use futures::future::join_all;
use metrics::{counter, gauge};
use runtime::shutdown::Shutdown;
use tokio::{sync::watch, time::MissedTickBehavior};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use uuid::Uuid;

use super::{
    check::is_judged,
    coverage::Coverage,
    frames::{Checked, Frame, Reporter},
    intake::{self, Intake, Message, Waiting},
    ledger::{Accepted, Due, Ledger},
    load::{LoadError, load},
    marks,
    metrics::{self as names, Tally},
    pace,
    sessions::Sessions,
};
use crate::{
    record::RolloutRecord,
    state::State,
    store::{self, Outcome, Store, Txn},
    sync::fleet::Fleet,
};

/// How often ledgers are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// When an agent whose stream was ended should come back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why an agent whose frame will never be counted should forget it.
const TOO_OLD: &str = "older than 60 minutes";
const UNKNOWN: &str = "the rollout is not known, or ended more than 60 minutes ago";

/// The owner of all ledgers.
#[derive(Debug)]
pub(crate) struct Collector {
    store: Arc<dyn Store>,
    states: watch::Receiver<Arc<State>>,
    fleet: Arc<Fleet>,
    coverage: Coverage,
    waiting: Waiting,
    /// Room for what is taken together, kept because thousands would be asked for each time.
    messages: Vec<Message>,
    ledgers: HashMap<Uuid, Ledger>,
    sessions: Sessions,
    tally: Tally,
}

impl Collector {
    /// The collector, the way into it, and what it knows of the fleet's reports.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        states: watch::Receiver<Arc<State>>,
        fleet: Arc<Fleet>,
    ) -> (Self, Intake, Coverage) {
        let (intake, waiting) = intake::queue();
        let coverage = Coverage::default();
        let (ledgers, sessions) = (HashMap::new(), Sessions::default());
        let collector = Self {
            store,
            states,
            fleet,
            coverage: coverage.clone(),
            waiting,
            messages: Vec::new(),
            ledgers,
            sessions,
            tally: Tally::default(),
        };
        (collector, intake, coverage)
    }

    /// Collects until the process drains. What is not sealed by then is sent again by its agents.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut draining = pin!(shutdown.draining());
        loop {
            tokio::select! {
                biased;
                () = &mut draining => return,
                _ = look.tick() => {
                    let now_us = runtime::clock::now_us();
                    self.take_waiting(now_us).await;
                    self.look(now_us).await;
                }
                () = self.waiting.is_much() => self.take_waiting(runtime::clock::now_us()).await,
            }
        }
    }

    /// Takes all messages that wait at this moment.
    async fn take_waiting(&mut self, now_us: i64) {
        let mut messages = std::mem::take(&mut self.messages);
        self.waiting.take(&mut messages).await;
        let mut taken = 0;
        for message in messages.drain(..) {
            if let Message::Frames { frames, .. } = &message {
                taken += frames.len();
            }
            self.take(message, now_us).await;
        }
        self.messages = messages;
        self.waiting.free(taken);
        self.tally.tell();
    }

    async fn take(&mut self, message: Message, now_us: i64) {
        match message {
            Message::Leaving { reporter, reply } => self.sessions.leaving(&reporter, &reply, now_us),
            Message::Frames {
                reporter,
                frames,
                reply,
            } => {
                if let Some(reply) = reply {
                    self.sessions.heard(&reporter, reply);
                }
                for frame in frames {
                    if !self.take_frame(&reporter, frame, now_us).await {
                        break;
                    }
                }
            }
        }
    }

    /// Takes one frame in; false if its stream was ended, so that nothing after it may be taken.
    async fn take_frame(&mut self, reporter: &Reporter, frame: Checked, now_us: i64) -> bool {
        match frame {
            Checked::Unknown { rollout, sequence } => {
                self.tally.add("unknown_rollout");
                self.sessions.refuse(reporter, rollout, sequence, UNKNOWN);
                true
            }
            Checked::TooOld(frame) => {
                self.tally.add("too_old");
                // Its dot is taken if it can be; either way its counts are lost.
                let _ = self.accept(reporter, &frame, now_us).await;
                self.sessions.refuse(reporter, frame.index, frame.sequence, TOO_OLD);
                true
            }
            Checked::Counted(frame) => match self.accept(reporter, &frame, now_us).await {
                Ok(result) => {
                    self.tally.add(result);
                    self.coverage.report(frame.rollout, &reporter.agent, frame.last_tick);
                    true
                }
                Err(status) => {
                    self.tally.add("not_taken");
                    self.sessions.fail(reporter, status);
                    false
                }
            },
        }
    }

    /// Brings a frame to its ledger; what became of it, in a word, or how its stream must end.
    async fn accept(&mut self, reporter: &Reporter, frame: &Frame, now_us: i64) -> Result<&'static str, Status> {
        let ledger = self.ledger_of(&frame.environment, frame.rollout, frame.index).await;
        let ledger = ledger.map_err(|error| {
            tracing::error!(rollout = %frame.rollout, %error, "evidence cannot be loaded; nothing is counted");
            again("the evidence of a rollout cannot be read at present")
        })?;
        match ledger.accept(reporter, frame, now_us) {
            Accepted::New => Ok("accepted"),
            Accepted::Known { durable } => {
                if durable > 0 {
                    self.sessions.ack(reporter, frame.index, durable);
                }
                Ok("known")
            }
            Accepted::Full => Err(Status::resource_exhausted(
                "too many frames without an ack; send on when acks come",
            )),
        }
    }

    async fn look(&mut self, now_us: i64) {
        let state = self.states.borrow().clone();
        self.survey(&state, now_us);
        self.forget(&state, now_us);
        self.take_pushed(&state).await;
        let mut txns = self.unfinished();
        loop {
            txns.extend(self.seal(&state, now_us));
            if txns.is_empty() {
                break;
            }
            let store = &self.store;
            let commits = txns
                .drain(..)
                .map(|(id, txn)| async move { (id, store.txn(txn).await) });
            for (id, outcome) in join_all(commits).await {
                self.settle(id, outcome);
            }
        }
        let ledgers = &self.ledgers;
        self.sessions.flush(
            |reporter| ledgers.values().any(|ledger| ledger.is_awaited_by(reporter)),
            now_us,
        );
    }

    /// Brings what was pushed to its ledgers.
    async fn take_pushed(&mut self, state: &State) {
        let mut rollouts = state.waiting.keys().map(|(rollout, _)| *rollout).collect::<Vec<_>>();
        rollouts.dedup();
        for id in rollouts {
            // Without its rollout nothing can be counted; it is taken away with the rest of what was pushed.
            let Some(rollout) = state.rollouts.values().find(|rollout| rollout.id == id) else {
                continue;
            };
            match self.ledger_of(&rollout.environment, id, rollout.index).await {
                Ok(ledger) => ledger.accept_pushed(state.waiting_of(id).map(|waiting| &**waiting)),
                Err(error) => {
                    tracing::error!(rollout = %rollout.name(), %error, "evidence cannot be loaded; what was pushed waits");
                }
            }
        }
    }

    /// The ledger of a rollout, loaded if need be.
    async fn ledger_of(&mut self, environment: &Key, rollout: Uuid, index: u32) -> Result<&mut Ledger, LoadError> {
        Ok(match self.ledgers.entry(rollout) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(place) => place.insert(load(&self.store, environment, rollout, index).await?),
        })
    }

    /// Learns who is live, and tells how far the state shows what they reported.
    fn survey(&mut self, state: &State, now_us: i64) {
        let judged = |rollout: &&Arc<RolloutRecord>| is_judged(rollout, now_us);
        // Thousands of rollouts have the same agents.
        let mut fleets = HashMap::new();
        for rollout in state.rollouts.values().filter(judged) {
            let flag = Key::parse(&rollout.plan.flag)
                .ok()
                .and_then(|key| state.flag(&rollout.environment, &key));
            let set = flag.and_then(|record| record.flag.set.as_ref());
            let live = fleets
                .entry((&rollout.environment, set))
                .or_insert_with(|| self.fleet.live_agents(&rollout.environment, set))
                .clone();
            let shown = state.evidence_of(rollout.id);
            let interval_us = pace::interval_us(rollout, &shown, now_us);
            let ledger = self.ledgers.get(&rollout.id);
            let is_shown = |ledger: &Ledger| ledger.is_settled() && ledger.record().revision <= shown.revision;
            if ledger.is_none_or(is_shown) {
                self.coverage.settle(rollout.id);
            }
            for reporter in ledger.iter().flat_map(|ledger| ledger.awaited_by()) {
                self.sessions.interval(reporter, rollout.index, interval_us);
            }
            self.coverage.expect(rollout.id, live, interval_us, now_us);
        }
    }

    /// Lets go of what nobody asks for any more.
    fn forget(&mut self, state: &State, now_us: i64) {
        let ended_at_us = state
            .rollouts
            .values()
            .map(|rollout| (rollout.id, rollout.state.ended_at_us));
        let ended_at_us = ended_at_us.collect::<HashMap<_, _>>();
        let is_within = |id: Uuid, longest_us: i64| match ended_at_us.get(&id) {
            None => false,
            Some(ended_at_us) => ended_at_us.is_none_or(|ended_at_us| now_us.saturating_sub(ended_at_us) <= longest_us),
        };
        self.ledgers.retain(|id, _| is_within(*id, marks::KEPT_US));
        self.coverage.keep(|id| is_within(id, marks::KEPT_US));
        gauge!(names::LEDGERS).set(self.ledgers.len() as f64);
    }

    /// Transactions that the store failed to take; whether they are durable is not known.
    fn unfinished(&self) -> Vec<(Uuid, Txn)> {
        self.ledgers
            .iter()
            .filter_map(|(id, ledger)| Some((*id, ledger.pending()?.clone())))
            .collect()
    }

    /// The transactions of all ledgers that are due.
    fn seal(&mut self, state: &State, now_us: i64) -> Vec<(Uuid, Txn)> {
        let mut txns = Vec::new();
        for rollout in state.rollouts.values() {
            let Some(ledger) = self.ledgers.get_mut(&rollout.id) else {
                continue;
            };
            let interval_us = pace::interval_us(rollout, ledger.record(), now_us);
            let due = ledger.due(interval_us, |tick| self.coverage.covers(rollout.id, tick), now_us);
            match due {
                Due::Nothing => continue,
                Due::Marks => {}
                Due::Batch => counter!(names::BATCHES_SEALED).increment(1),
            }
            txns.extend(ledger.seal(rollout, now_us).map(|txn| (rollout.id, txn)));
        }
        txns
    }

    /// Takes the answer to a transaction in.
    fn settle(&mut self, id: Uuid, outcome: Result<Outcome, store::Error>) {
        match outcome {
            Ok(Outcome::Committed(revision)) => {
                let Some(ledger) = self.ledgers.get_mut(&id) else {
                    return;
                };
                for (reporter, sequence) in ledger.committed(revision) {
                    self.sessions.ack(&reporter, ledger.index(), sequence);
                }
            }
            Ok(Outcome::Refused { .. }) => {
                counter!(names::SEALS_FAILED, "why" => names::CONFLICT).increment(1);
                tracing::warn!(rollout = %id, "evidence was written by somebody else; loading it anew");
                self.coverage.restart(id);
                let Some(ledger) = self.ledgers.remove(&id) else { return };
                for reporter in ledger.awaited_by() {
                    self.sessions.fail(reporter, again("frames must be sent again"));
                }
            }
            Err(error) => {
                counter!(names::SEALS_FAILED, "why" => names::STORE).increment(1);
                tracing::error!(rollout = %id, %error, "a batch is not durable yet; trying again");
            }
        }
    }
}

/// UNAVAILABLE with the time after which to come back.
fn again(message: &str) -> Status {
    Status::with_error_details(
        Code::Unavailable,
        message,
        ErrorDetails::with_retry_info(Some(RETRY_AFTER)),
    )
}

#[cfg(test)]
mod tests;
