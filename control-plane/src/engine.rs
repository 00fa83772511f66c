//! The engine: looks at every rollout that is under way, and commits what `rollout::step` decides.
//!
//! The one owner of a rollout's progress between two transitions (its soak, when it was last looked at). It decides
//! nothing itself: it gathers facts of one revision, calls the pure step, commits, and looks again. It wakes when the
//! state or the fleet changes, at the next deadline, and several times a second besides, so a deadline is never a timer
//! in memory. With thousands of rollouts a pass takes its time, so passes are paced by what the last one took.

mod alarms;
pub(crate) mod facts;
mod look;
mod proof;
pub(crate) mod soaks;
pub(crate) mod transit;
mod trip;
mod words;

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::future::join_all;
use rollout::{Act, Facts, Phase, Refusal, State as Progress};
use runtime::shutdown::Shutdown;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{
    change::{alert as raise, rollout as change},
    engine::{facts::Sources, look::Basis},
    events::alert::Alert,
    identity::Actor,
    metrics as names,
    record::{RolloutRecord, Soak},
    standing::{self, Due},
    state::{BAKING, State},
    store::{Txn, keys},
    stuck::Stuck,
    truth::{CommitError, Truth},
};

/// The longest time between two looks at a rollout.
const LOOK: Duration = Duration::from_millis(200);
/// The shortest sleep: a deadline that has come is met by the next pass, not by a spinning one.
const LEAST_US: i64 = 500;
/// After a pass the engine rests for this many times of what it took.
const PACE: u32 = 2;
/// A rest that is shorter than this is left out.
const UNPACED: Duration = Duration::from_millis(2);
/// Soak is stored when it has grown by a thousandth of the dwell, within these bounds: what a crash can cost.
const SOAK_STORED_US: std::ops::RangeInclusive<i64> = 1_000_000..=60_000_000;
/// How long after its start the engine waits for fresh data before it believes that there is none.
const SETTLING_US: i64 = 15_000_000;
/// Outcomes of an ended rollout are measured this long.
const MEASURED_US: i64 = 60 * 60 * 1_000_000;
/// An abort that takes longer than this is somebody's business.
const STUCK_US: i64 = 60_000_000;

/// The task that walks rollouts.
#[derive(Debug)]
pub(crate) struct Engine {
    truth: Truth,
    sources: Sources,
    started_at_us: i64,
    machines: HashMap<Uuid, Machine>,
    /// Counts the passes over all rollouts.
    pass: u64,
    /// The earliest time at which a rollout must be looked at though nothing happens.
    due_us: i64,
}

/// A rollout between two transitions.
#[derive(Debug)]
struct Machine {
    progress: Progress,
    /// Soak as stored.
    stored_us: i64,
    /// It was under way before this process was, and has not been seen on fresh data since.
    resumed: bool,
    /// The last pass that met it.
    pass: u64,
    /// What the last look rested on; none: it must be looked at.
    basis: Option<Basis>,
    /// When it must be looked at though nothing has changed.
    due_us: i64,
}

impl Engine {
    /// An engine that starts now.
    pub(crate) fn new(truth: Truth, sources: Sources) -> Self {
        Self {
            truth,
            sources,
            started_at_us: runtime::clock::now_us(),
            machines: HashMap::new(),
            pass: 0,
            due_us: 0,
        }
    }

    /// Walks rollouts until the process drains.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        let mut states = self.truth.states();
        let mut fleet = self.sources.fleet.changes();
        loop {
            let due_us = self.due_us.saturating_sub(runtime::clock::now_us()).max(LEAST_US);
            let due = Duration::from_micros(due_us.unsigned_abs()).min(LOOK);
            tokio::select! {
                changed = states.changed() => if changed.is_err() { return },
                changed = fleet.changed() => if changed.is_err() { return },
                () = sleep(due) => {}
                () = shutdown.draining() => return,
            }
            states.borrow_and_update();
            let fleet = *fleet.borrow_and_update();
            let began = Instant::now();
            self.look_at_all(fleet).await;
            let rest = (began.elapsed() * PACE).min(LOOK);
            if rest > UNPACED {
                sleep(rest).await;
            }
        }
    }

    async fn look_at_all(&mut self, fleet: u64) {
        let state = self.truth.state();
        self.pass += 1;
        self.due_us = i64::MAX;
        let (mut active, mut stuck, mut aborting) = (0u32, 0u32, 0u32);
        self.keep_watches(&state).await;
        for ((environment, id), record) in state.rollouts.iter() {
            if record.standing {
                self.watch(&state, record).await;
            } else if !record.state.is_final() {
                active += 1;
                aborting += u32::from(is_stuck_aborting(record));
                stuck += u32::from(self.tell_stuck(&state, record).await);
                if !self.is_idle(&state, record, fleet) {
                    self.look_at(record, fleet).await;
                }
            } else if let Some(exposure) = state.exposures.get(id) {
                self.prove(record).await;
                if record
                    .end
                    .as_ref()
                    .is_some_and(|end| runtime::clock::now_us() - end.decided_at_us > MEASURED_US)
                {
                    self.commit(change::close_measurement(environment, *id, exposure.revision), record)
                        .await;
                }
            }
        }
        let pass = self.pass;
        self.machines.retain(|_, machine| machine.pass == pass);
        self.sources.soaks.retain(|id| self.machines.contains_key(id));
        self.sources.levels.retain(|id| state.exposures.contains_key(id));
        self.store_soaks(&state).await;
        metrics::gauge!(names::ROLLOUTS_ACTIVE).set(active);
        metrics::gauge!(names::ROLLOUTS_STUCK).set(stuck);
        metrics::gauge!(names::ROLLOUTS_STUCK_ABORTING).set(aborting);
    }

    /// Begins and ends the watches of standing kill switches, one at a time.
    async fn keep_watches(&self, state: &State) {
        let now_us = runtime::clock::now_us();
        match standing::due(state) {
            None => {}
            Some(Due::End(record)) => {
                self.commit(standing::end(&record), &record).await;
            }
            Some(Due::Begin {
                environment,
                flag,
                plan,
            }) => {
                let item = self.truth.store().get(&keys::rollout_count(&environment)).await;
                let count = item.ok().and_then(|item| change::Count::read(item.as_ref()).ok());
                let Some(count) = count else { return };
                let record = standing::watch(&environment, &flag, &plan, (Uuid::now_v7(), count.value + 1), now_us);
                if self.commit(standing::begin(&record, count), &record).await.is_some() {
                    tracing::info!(%environment, %flag, plan = %plan.key, "a kill switch stands");
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

    /// Whether a rollout is stuck, which is told once for each visit of a stage.
    async fn tell_stuck(&self, state: &State, record: &RolloutRecord) -> bool {
        let now_us = runtime::clock::now_us();
        let Some(stuck) = Stuck::of(record, now_us) else {
            return false;
        };
        if !state.stuck.contains(&(record.id, stuck.visit)) {
            let told = self.commit(change::tell_stuck(record, stuck, now_us), record).await;
            if told.is_some() {
                tracing::warn!(
                    rollout = %record.name(), environment = %record.environment,
                    question = %stuck.question(now_us), "rollout is stuck"
                );
            }
        }
        true
    }

    /// Whether a look would see what the last one saw.
    fn is_idle(&mut self, state: &State, record: &RolloutRecord, fleet: u64) -> bool {
        let Some(machine) = self.machines.get_mut(&record.id) else {
            return false;
        };
        machine.pass = self.pass;
        let is_idle =
            machine.basis == Some(Basis::of(state, record, fleet)) && runtime::clock::now_us() < machine.due_us;
        if is_idle {
            self.due_us = self.due_us.min(machine.due_us);
        }
        is_idle
    }

    /// Steps a rollout until nothing more happens at this moment.
    async fn look_at(&mut self, seen: &Arc<RolloutRecord>, fleet: u64) {
        let mut next = Some(seen.clone());
        while let Some(record) = next {
            if record.end.is_some() {
                self.prove(&record).await;
            }
            // Read anew: the facts must belong to the state that they are given with.
            let state = self.truth.state();
            let Some(current) = state.rollout(&record.environment, record.id).cloned() else {
                return;
            };
            next = self.step(&state, &current, fleet).await;
        }
    }

    /// One step; the record after its transition, if there was one and it was committed.
    async fn step(&mut self, state: &State, record: &Arc<RolloutRecord>, fleet: u64) -> Option<Arc<RolloutRecord>> {
        let now_us = runtime::clock::now_us();
        let resumed_before = self.started_at_us;
        let machine = self
            .machines
            .entry(record.id)
            .or_insert_with(|| Machine::load(state, record, resumed_before, now_us));
        machine.follow(state, record, now_us);
        machine.pass = self.pass;
        machine.basis = None;
        let mut facts = self.sources.gather(state, record, machine.resumed, now_us);
        let step = rollout::step(&record.plan, &machine.progress, &facts.known, now_us);
        machine.settle(record, facts.known.fresh, now_us - resumed_before);
        let Some(transition) = step.transition else {
            let trip = trip::trip(state, record, &facts.known, now_us);
            let alarms = alarms::alarms(record, &facts.known, &facts.examination);
            machine.progress = step.state;
            self.sources.soaks.note(record.id, &machine.progress);
            machine.basis = Some(Basis::of(state, record, fleet));
            machine.due_us = due(record, &machine.progress, &facts.known, machine.resumed, now_us);
            self.due_us = self.due_us.min(machine.due_us);
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

    /// Stores all soaks that have grown, together: they share their way to the disk, and no abort waits behind them.
    async fn store_soaks(&mut self, state: &State) {
        let mut due = Vec::new();
        for record in state.rollouts.values().filter(|record| !record.state.is_final()) {
            let Some(machine) = self.machines.get_mut(&record.id) else {
                continue;
            };
            // A machine that has moved on has stored its soak with the transition.
            let is_same = machine.progress.sequence == record.state.sequence;
            if is_same && machine.progress.soaked_us - machine.stored_us >= soak_stored_us(record) {
                machine.stored_us = machine.progress.soaked_us;
                let baking = u32::from(machine.progress.is_baking()) * BAKING;
                let (visits, soaked_us) = (machine.progress.visits.len() as u32 + baking, machine.stored_us);
                due.push((record.clone(), change::soak(record, Soak { visits, soaked_us })));
            }
        }
        let this = &*self;
        join_all(
            due.into_iter()
                .map(|(record, txn)| async move { this.commit(txn, &record).await }),
        )
        .await;
    }

    /// Notes what has been seen of a rollout's end since it was decided.
    async fn prove(&mut self, record: &Arc<RolloutRecord>) {
        let state = self.truth.state();
        let now_us = runtime::clock::now_us();
        let Some(record) = state.rollout(&record.environment, record.id) else {
            return;
        };
        if record.started_at_us < self.started_at_us && now_us - self.started_at_us < SETTLING_US {
            // The agents that are back by now are not all that there are.
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

    /// Commits; a race or a failure is met by looking again.
    async fn commit(&self, txn: Txn, record: &RolloutRecord) -> Option<Arc<State>> {
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

impl Machine {
    fn load(state: &State, record: &RolloutRecord, engine_started_us: i64, now_us: i64) -> Self {
        let mut progress = state.soaked(record);
        progress.observed_at_us = now_us;
        Self {
            stored_us: progress.soaked_us,
            progress,
            resumed: record.started_at_us < engine_started_us,
            pass: 0,
            basis: None,
            due_us: 0,
        }
    }

    /// Whether it has been seen on fresh data since the process started. An abort is not proved by the first agents that
    /// are back, so it waits until all have had the time to come.
    fn settle(&mut self, record: &RolloutRecord, fresh: bool, running_us: i64) {
        let is_settled = running_us >= SETTLING_US || (fresh && record.state.phase != Phase::Aborting);
        self.resumed &= !is_settled;
    }

    /// Takes up what was stored, if it has moved on without this machine.
    fn follow(&mut self, state: &State, record: &RolloutRecord, now_us: i64) {
        if self.progress.sequence != record.state.sequence {
            self.progress = state.soaked(record);
            self.progress.observed_at_us = now_us;
            self.stored_us = self.progress.soaked_us;
        }
    }
}

fn is_stuck_aborting(record: &RolloutRecord) -> bool {
    record.state.phase == Phase::Aborting
        && record
            .end
            .as_ref()
            .is_some_and(|end| runtime::clock::now_us() - end.decided_at_us > STUCK_US)
}

/// By how much soak grows before it is stored.
fn soak_stored_us(record: &RolloutRecord) -> i64 {
    let dwell_us = match record.state.is_baking() {
        true => record.plan.bake_us,
        false => record.state.dwell_us(&record.plan).unwrap_or(i64::MAX),
    };
    (dwell_us / 1_000).clamp(*SOAK_STORED_US.start(), *SOAK_STORED_US.end())
}

/// When a rollout must be looked at though nothing changes.
fn due(record: &RolloutRecord, progress: &Progress, known: &Facts, resumed: bool, now_us: i64) -> i64 {
    let longest_us = if resumed || (progress.is_live() && !known.fresh) {
        look::UNSURE_US
    } else {
        look::IDLE_US
    };
    let deadline_us = rollout::next_deadline(&record.plan, progress, known, now_us);
    deadline_us.unwrap_or(i64::MAX).min(now_us + longest_us)
}

/// What a person does to a rollout, as a transaction: the same machine, stepped to the present moment.
///
/// An abort sets the latch in the same transaction.
pub(crate) fn act(
    state: &State,
    record: &RolloutRecord,
    act: &Act,
    facts: &facts::Gathered,
    actor: &Actor,
) -> Result<Txn, Refusal> {
    let mut progress = state.soaked(record);
    progress.soaked_us = progress.soaked_us.max(facts.soaked_us);
    let acted = rollout::act(&record.plan, &progress, &facts.known, act, &actor.name, actor.at_us)?;
    let made = transit::by(state, record, &acted.state, &acted.transition, facts, actor);
    // Only a start or a completion needs the flag, and the flag of a rollout cannot be deleted while it is held.
    made.map(|made| made.txn).ok_or(Refusal::Already(format!(
        "flag {} is gone; nothing can be done with a rollout of it",
        record.plan.flag
    )))
}

#[cfg(test)]
mod tests;
