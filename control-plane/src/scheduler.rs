//! The task that makes scheduled changes when their time has come, each once.
//!
//! It sleeps until the earliest is due, wakes when schedules change, and never sleeps long, so that a clock that is set
//! moves it too. Due changes are made in the order of their times. What could not be made at its time, because the
//! document no longer allows it or the process was away for too long, ends as refused or missed, is audited and counted.

mod execute;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use evaluation::Key;
use runtime::shutdown::Shutdown;
use uuid::Uuid;

pub(crate) use self::execute::prepare;
use crate::{
    change::schedule as change,
    identity::Actor,
    metrics as names,
    schedule::{Due, Progress, ScheduleEnd, ScheduleRecord},
    state::State,
    store::Txn,
    truth::{CommitError, Truth},
};

/// The longest sleep: a clock that jumps is noticed after this.
const LOOK: Duration = Duration::from_secs(1);
/// How often a change is tried against what others write at the same time, before the next look.
const TRIES: usize = 8;
/// Ended schedules are kept this long.
const KEPT_US: i64 = 90 * 24 * 60 * 60 * 1_000_000;
/// Ended schedules that are forgotten at once.
const FORGOTTEN: usize = 100;

/// All schedules, as the state holds them.
type Schedules = BTreeMap<(Key, Uuid), Arc<ScheduleRecord>>;

/// The task that makes scheduled changes.
#[derive(Debug)]
pub(crate) struct Scheduler {
    truth: Truth,
    seen: Arc<Schedules>,
    /// When the earliest of those seen is due.
    next_us: i64,
}

impl Scheduler {
    /// A scheduler of what the truth holds.
    pub(crate) fn new(truth: Truth) -> Self {
        Self {
            truth,
            seen: Arc::default(),
            next_us: i64::MAX,
        }
    }

    /// Makes changes until the process drains.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        let mut states = self.truth.states();
        loop {
            states.borrow_and_update();
            let now_us = runtime::clock::now_us();
            self.look(now_us).await;
            // What is due and could not be made is tried again at the next look, not at once.
            let wait_us = self.next_us.saturating_sub(runtime::clock::now_us());
            let wait = u64::try_from(wait_us).map_or(LOOK, |us| Duration::from_micros(us).min(LOOK));
            tokio::select! {
                changed = states.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(wait) => {}
                () = shutdown.draining() => return,
            }
        }
    }

    /// Makes what is due by now.
    pub(crate) async fn look(&mut self, now_us: i64) {
        let state = self.truth.state();
        if Arc::ptr_eq(&state.schedules, &self.seen) && now_us < self.next_us {
            return;
        }
        for record in due(&state.schedules, now_us) {
            self.make(&record, now_us).await;
        }
        self.forget(now_us).await;
        self.seen = self.truth.state().schedules.clone();
        let pending = self.seen.values().filter(|record| record.is_pending());
        self.next_us = pending.map(|record| record.at_us).min().unwrap_or(i64::MAX);
    }

    /// Makes one change, or says why it was not made.
    async fn make(&self, record: &ScheduleRecord, now_us: i64) {
        for _ in 0..TRIES {
            let state = self.truth.state();
            let Some(current) = state.schedules.get(&(record.environment.clone(), record.id)) else {
                return;
            };
            if !current.is_pending() {
                return;
            }
            let (txn, after) = ending(&state, current, now_us);
            match self.truth.commit(txn).await {
                Ok(_) => return tell(&after),
                Err(CommitError::Conflict) => {}
                Err(error @ (CommitError::Store(_) | CommitError::NotShown(_))) => {
                    tracing::error!(schedule = %record.id, %error, "a scheduled change was not made; it is tried again");
                    return;
                }
            }
        }
    }

    /// Forgets what ended long ago.
    async fn forget(&self, now_us: i64) {
        let state = self.truth.state();
        let old = |record: &&Arc<ScheduleRecord>| match record.progress {
            Progress::Pending => false,
            Progress::Ended { at_us, .. } => at_us < now_us - KEPT_US,
        };
        let old = state.schedules.values().filter(old).take(FORGOTTEN);
        let txn = old.fold(Txn::default(), |txn, record| change::forget(txn, record));
        if !txn.ops.is_empty()
            && let Err(error) = self.truth.commit(txn).await
        {
            tracing::warn!(%error, "old schedules were not forgotten");
        }
    }
}

/// What is due, in the order of their times.
fn due(schedules: &Schedules, now_us: i64) -> Vec<Arc<ScheduleRecord>> {
    let pending = schedules.values().filter(|record| record.is_pending());
    let mut due = pending
        .filter(|record| record.due(now_us) != Due::Later)
        .cloned()
        .collect::<Vec<_>>();
    due.sort_by_key(|record| (record.at_us, record.id));
    due
}

/// The transaction that ends a schedule: with its change, if that can be made.
fn ending(state: &State, record: &ScheduleRecord, now_us: i64) -> (Txn, ScheduleRecord) {
    let actor = Actor {
        name: record.actor.clone(),
        reason: reason(record),
        peer: record.peer.clone(),
        at_us: now_us,
    };
    let made = match record.due(now_us) {
        Due::TooLate => Err((ScheduleEnd::Missed, "the control plane was away at its time".to_owned())),
        Due::Later | Due::Now => {
            prepare(state, record, &actor).map_err(|refusal| (ScheduleEnd::Refused, refusal.to_string()))
        }
    };
    let (txn, after) = match made {
        Ok(Some(txn)) => (txn, record.ended(ScheduleEnd::Done, now_us, "made")),
        Ok(None) => (
            Txn::default(),
            record.ended(ScheduleEnd::Done, now_us, "nothing differed"),
        ),
        Err((end, why)) => (Txn::default(), record.ended(end, now_us, why)),
    };
    let engine = Actor::engine(record.reason.clone(), now_us);
    (change::end(txn, record, &after, &engine), after)
}

/// Why a change is made, with the schedule that makes it.
fn reason(record: &ScheduleRecord) -> String {
    let id = record.id;
    match record.reason.as_str() {
        "" => format!("schedule {id}"),
        reason => format!("{reason} (schedule {id})"),
    }
}

/// Tells operators what became of a schedule.
fn tell(after: &ScheduleRecord) {
    let Progress::Ended { end, outcome, .. } = &after.progress else {
        return;
    };
    metrics::counter!(names::SCHEDULES_ENDED, "end" => end.action()).increment(1);
    let (id, flag, environment) = (after.id, &after.flag, &after.environment);
    match end {
        ScheduleEnd::Done | ScheduleEnd::Cancelled => {
            tracing::info!(schedule = %id, %flag, %environment, %outcome, "scheduled change made");
        }
        ScheduleEnd::Refused | ScheduleEnd::Missed => {
            tracing::warn!(schedule = %id, %flag, %environment, %outcome, "scheduled change not made");
        }
    }
}

#[cfg(test)]
mod tests;
