//! Taking readings in: numbered, and durable together with what is held after them.
//!
//! The one rule: readings of one rollout are taken in one after the other, in one order for the store, the guards and a
//! replay. Within the process a turn sees to it; beyond it, guards on what was held and on the number: whoever saw less
//! than what is durable by then is refused and looks again. Rollouts do not wait for each other.

use std::sync::{Arc, PoisonError, Weak};

use tokio::sync::{Mutex, OwnedMutexGuard};
use uuid::Uuid;

use super::{HeldLevels, Kept, Levels, Read, log};
use crate::{
    record::RolloutRecord,
    state::State,
    store::{Guard, Txn, keys, model},
};

/// Where those wait who take readings of one rollout in.
pub(super) type Queue = Mutex<()>;

/// Somebody takes readings of a rollout in, and nobody else of this process does.
#[derive(Debug)]
pub(crate) struct Turn {
    _turn: OwnedMutexGuard<()>,
    /// When the process began.
    began_us: i64,
}

impl Levels {
    /// Waits for a turn. Only a state that is looked at in it shows all readings that were taken in before.
    pub(crate) async fn turn(&self, rollout: Uuid) -> Turn {
        let queue = self.queue(rollout);
        Turn {
            _turn: queue.lock_owned().await,
            began_us: self.began_us,
        }
    }

    fn queue(&self, rollout: Uuid) -> Arc<Queue> {
        // Every write leaves the map whole, so a poisoned lock is taken as it is.
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = turns.get(&rollout).and_then(Weak::upgrade) {
            return queue;
        }
        // Those in which nobody waits go; there are no more than rollouts that are being read at this moment.
        turns.retain(|_, queue| queue.strong_count() > 0);
        let queue = Arc::new(Queue::default());
        turns.insert(rollout, Arc::downgrade(&queue));
        queue
    }
}

impl Turn {
    /// Adds to a transaction that readings are taken in, together, by a rollout as a state has it.
    ///
    /// They are held, and kept for a replay as long as there is something to judge: nobody replays a watch, and what
    /// comes after an end had no say in it.
    pub(crate) fn keep(&self, txn: Txn, state: &State, rollout: &RolloutRecord, readings: &[Read], now_us: i64) -> Txn {
        let environment = &rollout.environment;
        let before = state.levels_of(rollout.id);
        let mut held = HeldLevels::clone(&before);
        held.take_in(readings, now_us);
        let own = keys::levels(environment, rollout.id);
        let as_seen = match before.revision {
            0 => Guard::Absent(own.clone()),
            revision => Guard::Unchanged(own.clone(), revision),
        };
        let is_there = Guard::Unchanged(keys::rollout(environment, rollout.id), rollout.revision);
        let mut txn = txn.guard(is_there).guard(as_seen).put(own, model::write_levels(&held));
        if rollout.standing || rollout.end.is_some() {
            return txn;
        }
        let kept = Kept {
            readings: readings.to_vec(),
            noted_at_us: now_us,
            is_first: before.noted_at_us < self.began_us,
            before: log::is_checkpoint(held.last).then(|| HeldLevels::clone(&before)),
        };
        let at = keys::reading(environment, rollout.id, held.last);
        txn = txn
            .guard(Guard::Absent(at.clone()))
            .put(at, model::write_reading(&kept));
        match log::beyond(held.last) {
            Some(oldest) => txn.delete(keys::reading(environment, rollout.id, oldest)),
            None => txn,
        }
    }
}
