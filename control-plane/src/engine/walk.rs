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
    MEASURED_US, SETTLING_US, alarms,
    facts::Sources,
    look::Basis,
    machine::Machine,
    proof::{self, Sightings},
    recovery, transit, trip,
};
use crate::{
    change::{alert as raise, rollout as change},
    events::alert::Alert,
    metrics as names,
    record::{End, Recovery, RolloutRecord},
    standing::{self, Due},
    state::State,
    store::{Txn, keys},
    stuck::Stuck,
    truth::{CommitError, Truth},
};

/// Alerts that one transaction raises.
const AT_ONCE: usize = 20;

/// Does what a pass finds due.
#[derive(Debug)]
pub(super) struct Walker {
    pub(super) truth: Truth,
    pub(super) sources: Sources,
    pub(super) started_at_us: i64,
    /// What is seen of ends.
    pub(super) sightings: Sightings,
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
            sightings: Sightings::default(),
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
                let now_us = runtime::clock::now_us();
                if !self.is_settling(&record, now_us) && is_told(&record, now_us) {
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
        match self.work(|| standing::due(state)) {
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
        let tripped = self.work(|| {
            let known = self.sources.gather(state, record, false, now_us).known;
            trip::trip(state, record, &known, now_us)
        });
        if let Some(tripped) = tripped {
            self.kill(tripped, record).await;
        }
    }

    /// Raises the alerts that were not told in this visit, together.
    async fn alert(&self, state: &State, record: &RolloutRecord, alarms: &[Alert], now_us: i64) {
        let untold = |alert: &&Alert| !state.is_alerted(record, &alert.about);
        let alarms: Vec<&Alert> = alarms.iter().filter(untold).take(AT_ONCE).collect();
        if alarms.is_empty()
            || self
                .commit(raise::alone(state, record, &alarms, now_us), record)
                .await
                .is_none()
        {
            return;
        }
        for alert in alarms {
            metrics::counter!(names::ALERTS, "severity" => alert.severity.name()).increment(1);
            tracing::warn!(
                rollout = %record.name(), environment = %record.environment,
                severity = alert.severity.name(), title = %alert.title, "alert"
            );
        }
    }

    /// Kills what a kill switch is for.
    async fn kill(&self, trip::Trip { reason, alert, txn }: trip::Trip, record: &RolloutRecord) -> Option<()> {
        self.commit(txn, record).await?;
        metrics::counter!(names::TRIPS).increment(1);
        metrics::counter!(names::ALERTS, "severity" => alert.severity.name()).increment(1);
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
            let is_unsure = machine.is_unsure(record, now_us);
            let facts = self.sources.gather(state, record, is_unsure, now_us);
            let step = rollout::step(&record.plan, &machine.progress, &facts.known, now_us);
            (facts, step)
        });
        machine.seen(facts.known.fresh);
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
        let moment = proof::Moment {
            now_us,
            is_settling: self.is_settling(record, now_us),
        };
        let recovered = match moment.is_settling {
            true => None,
            false => recovery::ended(&state, record, now_us),
        };
        let after = recovered.or_else(|| proof::prove(&state, record, &self.sources, &self.sightings, moment));
        if let Some(after) = after
            && self.commit(change::note(record, &after), record).await.is_some()
        {
            tell_end(record, &after);
        }
    }

    /// Whether the agents that are back since this process began are not all that there are.
    fn is_settling(&self, record: &RolloutRecord, now_us: i64) -> bool {
        record.started_at_us < self.started_at_us && now_us - self.started_at_us < SETTLING_US
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

/// Whether all that can become known of an end is known, so that nobody needs to measure it any more.
fn is_told(record: &RolloutRecord, now_us: i64) -> bool {
    record.end.as_ref().is_some_and(|end| {
        let is_answered = |recovery: &Recovery| recovery.outcome.is_some();
        now_us - end.decided_at_us > MEASURED_US && end.recovery.as_ref().is_none_or(is_answered)
    })
}

/// Tells what has become known of an end, once it is written.
fn tell_end(before: &RolloutRecord, after: &RolloutRecord) {
    let ends = (before.end.as_ref(), after.end.as_ref());
    let time_to_zero = |end: Option<&End>| end.and_then(|end| end.time_to_zero_us);
    match (time_to_zero(ends.0), time_to_zero(ends.1)) {
        (None, Some(time_to_zero_us)) => {
            metrics::histogram!(names::TIME_TO_ZERO).record(time_to_zero_us as f64 / 1e6);
            tracing::info!(rollout = %after.name(), time_to_zero_us, "treatment is gone");
        }
        (Some(told_us), Some(time_to_zero_us)) if told_us != time_to_zero_us => {
            tracing::warn!(rollout = %after.name(), told_us, time_to_zero_us, "treatment was served for longer than was known");
        }
        (None | Some(_), None | Some(_)) => {}
    }
    let outcome = |end: &End| end.recovery.as_ref().and_then(|recovery| recovery.outcome);
    if let Some((outcome, _)) = ends.1.and_then(outcome)
        && ends
            .0
            .and_then(|end| end.recovery.as_ref())
            .is_none_or(|before| before.outcome.is_none())
    {
        metrics::counter!(names::RECOVERIES, "outcome" => outcome.name()).increment(1);
        tracing::info!(rollout = %after.name(), outcome = outcome.name(), "after the abort");
    }
}
