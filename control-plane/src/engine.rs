//! The engine: looks at every rollout that is under way, and commits what `rollout::step` decides.
//!
//! The one owner of a rollout's progress between two transitions (its soak, when it was last looked at). It decides
//! nothing itself: it gathers facts of one revision, calls the pure step, commits, and looks again. It wakes when the
//! state or the fleet changes, at the next deadline, and several times a second besides, so a deadline is never a timer
//! in memory. With thousands of rollouts a pass takes its time, so passes are paced by the work of the last one.

mod alarms;
pub(crate) mod facts;
mod look;
mod machine;
mod proof;
mod recovery;
pub(crate) mod soaks;
pub(crate) mod transit;
mod trip;
mod walk;
mod words;

pub(crate) use self::words::harm_of;

use std::{collections::HashMap, time::Duration};

use futures::{StreamExt as _, future::join_all, stream::FuturesUnordered};
use rollout::{Act, Phase, Refusal};
use runtime::shutdown::Shutdown;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use uuid::Uuid;

use crate::{
    change::rollout as change,
    engine::{
        facts::Sources,
        look::Basis,
        machine::Machine,
        walk::{Errand, Walker},
    },
    identity::Actor,
    metrics as names,
    record::RolloutRecord,
    state::State,
    store::Txn,
    stuck::Stuck,
    truth::Truth,
};

/// The longest time between two looks at a rollout.
const LOOK: Duration = Duration::from_millis(200);
/// The shortest sleep: a deadline that has come is met by the next pass, not by a spinning one.
const LEAST_US: i64 = 500;
/// After a pass the engine rests for this many times of what it worked.
const PACE: u32 = 2;
/// A rest that is shorter than this is left out.
const UNPACED: Duration = Duration::from_millis(2);
/// How long acks that come together are waited for.
const ACKS: Duration = Duration::from_millis(5);
/// Rollouts that are walked side by side.
const AT_ONCE: usize = 64;
/// How long after its start the engine waits for fresh data before it believes that there is none.
const SETTLING_US: i64 = 15_000_000;
/// Outcomes of an ended rollout are measured this long.
const MEASURED_US: i64 = 60 * 60 * 1_000_000;
/// An abort that takes longer than this is somebody's business.
const STUCK_US: i64 = 60_000_000;

/// The task that walks rollouts.
#[derive(Debug)]
pub(crate) struct Engine {
    walker: Walker,
    machines: HashMap<Uuid, Box<Machine>>,
    /// The earliest time at which a rollout must be looked at though nothing happens.
    due_us: i64,
}

/// How many rollouts there are of what a pass counts.
#[derive(Debug, Default)]
struct Census {
    active: u32,
    stuck: u32,
    aborting: u32,
}

impl Engine {
    /// An engine that starts now.
    pub(crate) fn new(truth: Truth, sources: Sources) -> Self {
        Self {
            walker: Walker::new(truth, sources),
            machines: HashMap::new(),
            due_us: 0,
        }
    }

    /// Walks rollouts until the process drains.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        let mut states = self.walker.truth.states();
        let mut fleet = self.walker.sources.fleet.changes();
        loop {
            let due_us = self.due_us.saturating_sub(runtime::clock::now_us()).max(LEAST_US);
            let due = Duration::from_micros(due_us.unsigned_abs()).min(LOOK);
            tokio::select! {
                changed = states.changed() => if changed.is_err() { return },
                changed = acks(&mut fleet) => if changed.is_err() { return },
                () = sleep(due) => {}
                () = shutdown.draining() => return,
            }
            states.borrow_and_update();
            let fleet = *fleet.borrow_and_update();
            let worked = self.look_at_all(fleet).await;
            let rest = (worked * PACE).min(LOOK);
            if rest > UNPACED {
                sleep(rest).await;
            }
        }
    }

    /// One pass; how long it worked.
    async fn look_at_all(&mut self, fleet: u64) -> Duration {
        let began = Instant::now();
        let state = self.walker.truth.state();
        self.due_us = i64::MAX;
        let mut machines = std::mem::take(&mut self.machines);
        let (errands, census) = self.errands(&state, &mut machines, fleet);
        let mut worked = began.elapsed();
        let mut under_way = FuturesUnordered::new();
        let mut back = Vec::new();
        for errand in errands {
            if under_way.len() == AT_ONCE {
                back.extend(under_way.next().await.flatten());
            }
            under_way.push(self.walker.run(&state, errand, fleet));
        }
        while let Some(done) = under_way.next().await {
            back.extend(done);
        }
        drop(under_way);
        // No abort waits for a watch.
        self.walker.keep_watches(&state).await;
        worked += self.walker.worked();
        metrics::histogram!(names::ENGINE_PASS).record(worked.as_secs_f64());
        metrics::counter!(names::ENGINE_LOOKS).increment(back.len() as u64);
        for (id, machine) in back {
            // One whose transition was not committed is tried again by the next pass, which comes soon enough.
            if machine.basis.is_some() {
                self.due_us = self.due_us.min(machine.due_us);
            }
            self.machines.insert(id, machine);
        }
        self.walker.sources.soaks.retain(|id| self.machines.contains_key(id));
        self.walker.sightings.retain(|id| state.exposures.contains_key(id));
        self.store_soaks(&state).await;
        census.tell();
        worked
    }

    /// What is due. Machines of rollouts that nothing has happened to stay; those of what is to be looked at go along.
    fn errands(
        &mut self,
        state: &State,
        machines: &mut HashMap<Uuid, Box<Machine>>,
        fleet: u64,
    ) -> (Vec<Errand>, Census) {
        let now_us = runtime::clock::now_us();
        let mut census = Census::default();
        let mut errands = Vec::new();
        for (id, record) in state.rollouts.iter().map(|((_, id), record)| (*id, record)) {
            if record.standing {
                // A watch of a recovery alone has nothing that could trip.
                if record.plan.kill_switch.is_some() {
                    errands.push(Errand::Watch(record.clone()));
                }
            } else if !record.state.is_final() {
                let stuck = Stuck::of(record, now_us);
                census.active += 1;
                census.aborting += u32::from(is_stuck_aborting(record));
                census.stuck += u32::from(stuck.is_some());
                match machines.remove(&id) {
                    Some(machine) if is_idle(&machine, state, record, fleet, now_us) => {
                        self.due_us = self.due_us.min(machine.due_us);
                        self.machines.insert(id, machine);
                        if stuck.is_some_and(|stuck| !state.stuck.contains(&(id, stuck.visit))) {
                            errands.push(Errand::Stuck(record.clone()));
                        }
                    }
                    machine => errands.push(Errand::Look(record.clone(), machine)),
                }
            } else if let Some(exposure) = state.exposures.get(&id) {
                errands.push(Errand::Ended(record.clone(), exposure.revision));
            }
        }
        (errands, census)
    }

    /// Stores all soaks that have grown, together: they share their way to the disk, and no abort waits behind them.
    async fn store_soaks(&mut self, state: &State) {
        let mut due = Vec::new();
        for record in state.rollouts.values().filter(|record| !record.state.is_final()) {
            let machine = self.machines.get_mut(&record.id);
            if let Some(soak) = machine.and_then(|machine| machine.unstored(record)) {
                due.push((record.clone(), change::soak(record, soak)));
            }
        }
        let walker = &self.walker;
        join_all(
            due.into_iter()
                .map(|(record, txn)| async move { walker.commit(txn, &record).await }),
        )
        .await;
    }
}

impl Census {
    fn tell(&self) {
        metrics::gauge!(names::ROLLOUTS_ACTIVE).set(self.active);
        metrics::gauge!(names::ROLLOUTS_STUCK).set(self.stuck);
        metrics::gauge!(names::ROLLOUTS_STUCK_ABORTING).set(self.aborting);
    }
}

/// The fleet has changed, and those who acknowledge the same have had a moment to do so too: a thousand agents are
/// looked at once and not a thousand times.
async fn acks(fleet: &mut watch::Receiver<u64>) -> Result<(), watch::error::RecvError> {
    fleet.changed().await?;
    sleep(ACKS).await;
    Ok(())
}

/// Whether a look would see what the last one saw.
fn is_idle(machine: &Machine, state: &State, record: &RolloutRecord, fleet: u64, now_us: i64) -> bool {
    machine.basis == Some(Basis::of(state, record, fleet)) && now_us < machine.due_us
}

fn is_stuck_aborting(record: &RolloutRecord) -> bool {
    record.state.phase == Phase::Aborting
        && record
            .end
            .as_ref()
            .is_some_and(|end| runtime::clock::now_us() - end.decided_at_us > STUCK_US)
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
