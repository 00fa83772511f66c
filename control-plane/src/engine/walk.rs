//! One rollout at a time: what a pass does about each, and commits.
//!
//! Rollouts that are due together are walked side by side: they share their way to the disk, and none waits for another.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    MEASURED_US, SETTLING_US, alarms, facts::Sources, look::Basis, machine::Machine, proof, recovery, transit, trip,
};
use crate::{
    change::{alert as raise, rollout as change},
    events::alert::Alert,
    metrics as names,
    record::RolloutRecord,
    standing::{self, Due},
    state::State,
    store::{Txn, keys},
    stuck::Stuck,
    truth::{CommitError, Truth},
};

/// Does what a pass finds due.
#[derive(Debug)]
pub(super) struct Walker {
    pub(super) truth: Truth,
    pub(super) sources: Sources,
    pub(super) started_at_us: i64,
    /// What its own work has taken, in microseconds; waiting for the disk is none.
    worked_us: AtomicU64,
}

/// What is due.
#[derive(Debug)]
pub(super) enum Errand {
    /// The watch of a kill switch must be looked at.
    Watch(Arc<RolloutRecord>),
    /// A rollout under way must be looked at, by the machine that it has.
    Look(Arc<RolloutRecord>, Option<Box<Machine>>),
    /// Somebody must be told that it is stuck, and no more.
    Stuck(Arc<RolloutRecord>),
    /// A rollout has ended: what is known of that.
    Ended(Arc<RolloutRecord>, u64),
}

impl Walker {
    /// A walker that starts now.
    pub(super) fn new(truth: Truth, sources: Sources) -> Self {
        Self {
            truth,
            sources,
            started_at_us: runtime::clock::now_us(),
            worked_us: AtomicU64::new(0),
        }
    }

    /// How long it has worked since it was last asked.
    pub(super) fn worked(&self) -> Duration {
        Duration::from_micros(self.worked_us.swap(0, Ordering::Relaxed))
    }

    fn work<T>(&self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.worked_us.fetch_add(took_us, Ordering::Relaxed);
        done
    }

    /// Does one of them; the machine of a rollout that is under way comes back.
    pub(super) async fn run(&self, state: &State, errand: Errand, fleet: u64) -> Option<(Uuid, Box<Machine>)> {
        match errand {
            Errand::Watch(record) => self.watch(state, &record).await,
            Errand::Stuck(record) => self.tell_stuck(state, &record).await,
            Errand::Ended(record, exposure) => {
                self.prove(&record).await;
                let is_over = |decided_at_us| runtime::clock::now_us() - decided_at_us > MEASURED_US;
                if record.end.as_ref().is_some_and(|end| is_over(end.decided_at_us)) {
                    let txn = change::close_measurement(&record.environment, record.id, exposure);
                    self.commit(txn, &record).await;
                }
            }
            Errand::Look(record, machine) => {
                self.tell_stuck(state, &record).await;
                let id = record.id;
                return self.look_at(record, machine, fleet).await.map(|machine| (id, machine));
            }
        }
        None
    }

    /// Begins and ends watches, one at a time.
    pub(super) async fn keep_watches(&self, state: &State) {
        let now_us = runtime::clock::now_us();
        match standing::due(state) {
            None => {}
            Some(Due::End(record)) => {
                self.commit(standing::end(&record), &record).await;
            }
            Some(Due::Begin(watch)) => {
                let item = self.truth.store().get(&keys::rollout_count(&watch.environment)).await;
                let count = item.ok().and_then(|item| change::Count::read(item.as_ref()).ok());
                let Some(count) = count else { return };
                let record = watch.record((Uuid::now_v7(), count.value + 1), now_us);
                if self.commit(standing::begin(&record, count), &record).await.is_some() {
                    tracing::info!(environment = %watch.environment, flag = %watch.flag, "a flag is watched");
                }
            }
        }
    }

    /// Looks at the conditions of a standing kill switch.
    async fn watch(&self, state: &State, record: &RolloutRecord) {
        let now_us = runtime::clock::now_us();
        let known = self.sources.gather(state, record, false, now_us).known;
        if let Some(tripped) = trip::trip(state, record, &known, now_us) {
            self.kill(tripped, record).await;
        }
    }

    /// Raises the first alert that was not told in this visit; a look follows every commit.
    async fn alert(&self, state: &State, record: &RolloutRecord, alarms: &[Alert], now_us: i64) {
        let untold = alarms
            .iter()
            .find_map(|alert| Some((alert, raise::alone(state, record, alert, now_us)?)));
        if let Some((alert, txn)) = untold
            && self.commit(txn, record).await.is_some()
        {
            metrics::counter!(names::ALERTS, "severity" => alert.severity.name()).increment(1);
            tracing::warn!(
                rollout = %record.name(), environment = %record.environment,
                severity = alert.severity.name(), title = %alert.title, "alert"
            );
        }
    }

    /// Kills what a kill switch is for.
    async fn kill(&self, (reason, txn): (String, Txn), record: &RolloutRecord) -> Option<()> {
        self.commit(txn, record).await?;
        metrics::counter!(names::TRIPS).increment(1);
        tracing::warn!(rollout = %record.name(), environment = %record.environment, %reason, "kill switch tripped");
        Some(())
    }

    /// Tells that a rollout is stuck, once for each visit of a stage.
    async fn tell_stuck(&self, state: &State, record: &RolloutRecord) {
        let now_us = runtime::clock::now_us();
        let untold = |stuck: &Stuck| !state.stuck.contains(&(record.id, stuck.visit));
        let Some(stuck) = Stuck::of(record, now_us).filter(untold) else {
            return;
        };
        let told = self.commit(change::tell_stuck(record, stuck, now_us), record).await;
        if told.is_some() {
            tracing::warn!(
                rollout = %record.name(), environment = %record.environment,
                question = %stuck.question(now_us), "rollout is stuck"
            );
        }
    }

    /// Steps a rollout until nothing more happens at this moment; none if it is gone.
    async fn look_at(
        &self,
        seen: Arc<RolloutRecord>,
        machine: Option<Box<Machine>>,
        fleet: u64,
    ) -> Option<Box<Machine>> {
        let mut machine = machine;
        let mut record = seen;
        loop {
            if record.end.is_some() {
                self.prove(&record).await;
            }
            // Read anew: the facts must belong to the state that they are given with.
            let state = self.truth.state();
            let current = state.rollout(&record.environment, record.id).cloned()?;
            let held = machine.get_or_insert_with(|| {
                Box::new(Machine::load(
                    &state,
                    &current,
                    self.started_at_us,
                    runtime::clock::now_us(),
                ))
            });
            match self.step(&state, &current, held, fleet).await {
                Some(after) => record = after,
                None => return machine,
            }
        }
    }

    /// One step; the record after its transition, if there was one and it was committed.
    async fn step(
        &self,
        state: &State,
        record: &Arc<RolloutRecord>,
        machine: &mut Machine,
        fleet: u64,
    ) -> Option<Arc<RolloutRecord>> {
        let now_us = runtime::clock::now_us();
        machine.follow(state, record, now_us);
        machine.basis = None;
        let (mut facts, step) = self.work(|| {
            let facts = self.sources.gather(state, record, machine.resumed, now_us);
            let step = rollout::step(&record.plan, &machine.progress, &facts.known, now_us);
            (facts, step)
        });
        machine.settle(record, facts.known.fresh, now_us - self.started_at_us);
        let Some(transition) = step.transition else {
            let trip = trip::trip(state, record, &facts.known, now_us);
            let alarms = alarms::alarms(record, &facts.known, &facts.examination);
            machine.progress = step.state;
            self.sources.soaks.note(record.id, &machine.progress);
            machine.rest(Basis::of(state, record, fleet), record, &facts.known, now_us);
            if let Some(tripped) = trip {
                self.kill(tripped, record).await;
            }
            self.alert(state, record, &alarms, now_us).await;
            return None;
        };
        // Of what is stored the latest is missing.
        let observed = rollout::observed(&record.plan, &machine.progress, &facts.known, now_us);
        facts.soaked_us = observed.soaked_us;
        // The machine follows once the transition is committed; if it is not, it stands where it stood.
        let made = transit::transit(state, record, &step.state, &transition, &facts, now_us)?;
        let after = self.commit(made.txn, record).await?;
        metrics::counter!(names::TRANSITIONS, "kind" => transition.name()).increment(1);
        tracing::info!(
            rollout = %record.name(), environment = %record.environment,
            transition = transition.name(), stage = step.state.stage, detail = %made.detail,
            "rollout moved"
        );
        after.rollout(&record.environment, record.id).cloned()
    }

    /// Notes what has been seen of a rollout's end since it was decided.
    async fn prove(&self, record: &Arc<RolloutRecord>) {
        let state = self.truth.state();
        let now_us = runtime::clock::now_us();
        let Some(record) = state.rollout(&record.environment, record.id) else {
            return;
        };
        if record.started_at_us < self.started_at_us && now_us - self.started_at_us < SETTLING_US {
            // The agents that are back by now are not all that there are.
            return;
        }
        if let Some(after) = recovery::ended(&state, record, now_us) {
            self.tell_recovery(record, &after);
            self.commit(change::note(record, &after), record).await;
            return;
        }
        if let Some(after) = proof::prove(&state, record, &self.sources, now_us) {
            let seen = after.end.as_ref().and_then(|end| end.time_to_zero_us);
            let news = record.end.as_ref().is_none_or(|end| end.time_to_zero_us.is_none());
            if let (Some(time_to_zero_us), true) = (seen, news) {
                metrics::histogram!(names::TIME_TO_ZERO).record(time_to_zero_us as f64 / 1e6);
                tracing::info!(rollout = %record.name(), time_to_zero_us, "treatment is gone");
            }
            self.commit(change::note(record, &after), record).await;
        }
    }

    fn tell_recovery(&self, record: &RolloutRecord, after: &RolloutRecord) {
        let recovery = after.end.as_ref().and_then(|end| end.recovery.as_ref());
        if let Some((outcome, _)) = recovery.and_then(|recovery| recovery.outcome) {
            metrics::counter!(names::RECOVERIES, "outcome" => outcome.name()).increment(1);
            tracing::info!(rollout = %record.name(), outcome = outcome.name(), "after the abort");
        }
    }

    /// Commits; a race or a failure is met by looking again.
    pub(super) async fn commit(&self, txn: Txn, record: &RolloutRecord) -> Option<Arc<State>> {
        match self.truth.commit(txn).await {
            Ok(state) => Some(state),
            Err(CommitError::Conflict) => None,
            Err(error @ (CommitError::Store(_) | CommitError::NotShown(_))) => {
                tracing::error!(rollout = %record.name(), %error, "a change of a rollout was not committed");
                None
            }
        }
    }
}
