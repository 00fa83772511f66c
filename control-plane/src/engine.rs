//! The engine: looks at every rollout that is under way, and commits what `rollout::step` decides.
//!
//! The one owner of a rollout's progress between two transitions (its soak, when it was last looked at). It decides
//! nothing itself: it gathers facts of one revision, calls the pure step, commits, and looks again. It wakes when the
//! state or the fleet changes and several times a second besides, so a deadline is never a timer in memory.

pub(crate) mod facts;
mod proof;
mod transit;

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::future::join_all;
use rollout::{Phase, State as Progress};
use runtime::shutdown::Shutdown;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::{
    change::rollout as change,
    health::coverage::Coverage,
    identity::Actor,
    metrics as names,
    publish::Publisher,
    record::{RolloutRecord, Soak},
    state::State,
    store::Txn,
    sync::fleet::Fleet,
    truth::{CommitError, Truth},
};

/// The longest time between two looks at a rollout.
const LOOK: Duration = Duration::from_millis(200);
/// Soak is stored when it has grown by this much: what a crash can cost.
const SOAK_STORED_US: i64 = 1_000_000;
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
    publisher: Arc<Publisher>,
    fleet: Arc<Fleet>,
    coverage: Coverage,
    started_at_us: i64,
    machines: HashMap<Uuid, Machine>,
}

/// A rollout between two transitions.
#[derive(Debug)]
struct Machine {
    progress: Progress,
    /// Soak as stored.
    stored_us: i64,
    /// It was under way before this process was, and has not been seen on fresh data since.
    resumed: bool,
}

impl Engine {
    /// An engine that starts now.
    pub(crate) fn new(truth: Truth, publisher: Arc<Publisher>, fleet: Arc<Fleet>, coverage: Coverage) -> Self {
        Self {
            truth,
            publisher,
            fleet,
            coverage,
            started_at_us: runtime::clock::now_us(),
            machines: HashMap::new(),
        }
    }

    /// Walks rollouts until the process drains.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        let mut states = self.truth.states();
        let mut fleet = self.fleet.changes();
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                changed = states.changed() => if changed.is_err() { return },
                changed = fleet.changed() => if changed.is_err() { return },
                _ = looks.tick() => {}
                () = shutdown.draining() => return,
            }
            states.borrow_and_update();
            fleet.borrow_and_update();
            self.look_at_all().await;
        }
    }

    async fn look_at_all(&mut self) {
        let state = self.truth.state();
        self.machines.retain(|id, _| state.exposures.contains_key(id));
        let (mut active, mut stuck) = (0u32, 0u32);
        for ((environment, id), record) in state.rollouts.iter() {
            if !record.state.is_final() {
                active += 1;
                stuck += u32::from(is_stuck(record));
                self.look_at(record).await;
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
        self.store_soaks(&state).await;
        metrics::gauge!(names::ROLLOUTS_ACTIVE).set(active);
        metrics::gauge!(names::ROLLOUTS_STUCK_ABORTING).set(stuck);
    }

    /// Steps a rollout until nothing more happens at this moment.
    async fn look_at(&mut self, seen: &Arc<RolloutRecord>) {
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
            next = self.step(&state, &current).await;
        }
    }

    /// One step; the record after its transition, if there was one and it was committed.
    async fn step(&mut self, state: &State, record: &Arc<RolloutRecord>) -> Option<Arc<RolloutRecord>> {
        let now_us = runtime::clock::now_us();
        let resumed_before = self.started_at_us;
        let machine = self
            .machines
            .entry(record.id)
            .or_insert_with(|| Machine::load(state, record, resumed_before, now_us));
        machine.follow(state, record, now_us);
        let facts = facts::gather(
            state,
            record,
            &self.publisher,
            &self.fleet,
            &self.coverage,
            machine.resumed,
            now_us,
        );
        let step = rollout::step(&record.plan, &machine.progress, &facts.known, now_us);
        machine.settle(record, facts.known.fresh, now_us - resumed_before);
        let Some(transition) = step.transition else {
            machine.progress = step.state;
            return None;
        };
        // The machine follows once the transition is committed; if it is not, it stands where it stood.
        let made = transit::transit(state, record, &step.state, transition, &facts, now_us)?;
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
            if is_same && machine.progress.soaked_us - machine.stored_us >= SOAK_STORED_US {
                machine.stored_us = machine.progress.soaked_us;
                let (visits, soaked_us) = (machine.progress.visits.len() as u32, machine.stored_us);
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
        if let Some(after) = proof::prove(&state, record, &self.publisher, &self.fleet, &self.coverage, now_us) {
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
        }
    }

    /// Whether it has been seen on fresh data since the process started. An abort is not proved by the first agents that
    /// are back, so it waits until all have had the time to come.
    fn settle(&mut self, record: &RolloutRecord, fresh: bool, running_us: i64) {
        let is_settled = running_us >= SETTLING_US || (fresh && !record.state.is_aborted());
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

fn is_stuck(record: &RolloutRecord) -> bool {
    let aborting = match record.state.phase {
        Phase::Aborting => true,
        Phase::Delivering | Phase::Soaking | Phase::Held(_) | Phase::Aborted | Phase::Completed => false,
    };
    aborting
        && record
            .end
            .as_ref()
            .is_some_and(|end| runtime::clock::now_us() - end.decided_at_us > STUCK_US)
}

/// A person's abort: the same step, with the latch found set, committed by the person.
pub(crate) fn abort_by_hand(state: &State, record: &RolloutRecord, live: Vec<String>, actor: &Actor) -> Option<Txn> {
    let progress = state.soaked(record);
    let facts = facts::Gathered::latched(state, record, live);
    let step = rollout::step(&record.plan, &progress, &facts.known, actor.at_us);
    let transition = step.transition?;
    transit::by(state, record, &step.state, transition, &facts, actor).map(|made| made.txn)
}
