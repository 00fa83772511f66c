//! Pushed measurements on their way into the evidence.
//!
//! They wait in the store, in the queue of their rollout (`push.rs`), and come from the state that shows it. A ledger
//! takes each in once; a batch of its own seals them, so that no agent is waited for and no agent's batch is cut short
//! by them, and the transaction of that batch takes them out of the queue. The rule: what a state still shows though it
//! is counted is not taken again.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{
    cells::Batch,
    frames::Place,
    ledger::{Counted, Ledger},
};
use crate::{
    push::Waiting,
    record::RolloutRecord,
    store::{Guard, Txn, keys},
};

/// Requests that one batch seals: a transaction has room for their deletions beside all else.
const AT_ONCE: usize = 40;
/// The shortest time between two batches, in microseconds.
const REST_US: i64 = 1_000_000;

/// What a ledger knows of pushed measurements.
#[derive(Debug, Default)]
pub(super) struct Pushes {
    /// Taken in and not sealed, by horizon.
    open: BTreeMap<u32, Open>,
    /// Everything that was taken in, sealed or not, as long as a state shows it.
    taken: BTreeSet<Uuid>,
    /// When a batch was last sealed.
    sealed_at_us: i64,
}

#[derive(Debug, Default)]
struct Open {
    batch: Batch,
    measurements: u64,
    /// The ids, each with the revision of its write.
    from: Vec<(Uuid, u64)>,
}

impl Pushes {
    /// Takes what waits in, unless it was taken; false: there is no room before the next batch.
    fn take(&mut self, waiting: &Waiting) -> bool {
        if self.taken.contains(&waiting.id) {
            return true;
        }
        let open = self.open.entry(waiting.horizon).or_default();
        if open.from.len() >= AT_ONCE {
            return false;
        }
        self.taken.insert(waiting.id);
        open.from.push((waiting.id, waiting.revision));
        open.measurements += u64::from(waiting.measurements);
        for item in &waiting.items {
            let place = Place {
                stage: item.visit.0,
                visit: item.visit.1,
                stratum: item.stratum,
                arm: item.arm,
            };
            open.batch
                .add_value(place, item.metric, (item.bucket, item.num, item.den));
        }
        true
    }

    /// Whether nothing waits for a batch.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether a batch is due.
    pub(super) fn is_due(&self, now_us: i64) -> bool {
        !self.open.is_empty() && now_us.saturating_sub(self.sealed_at_us) >= REST_US
    }
}

impl Ledger {
    /// Takes in what waits for this rollout by a state. `waiting` is all of it.
    pub(crate) fn accept_pushed<'w>(&mut self, waiting: impl Iterator<Item = &'w Waiting>) {
        let mut shown = BTreeSet::new();
        let mut has_room = true;
        for waiting in waiting {
            shown.insert(waiting.id);
            has_room = has_room && self.pushes.take(waiting);
        }
        // States never go back: what is no longer shown is counted for good, or was never to be.
        self.pushes.taken.retain(|id| shown.contains(id));
    }

    /// Seals what was pushed in the oldest horizon; the transaction also takes it out of the queue.
    pub(super) fn seal_pushed(&mut self, rollout: &RolloutRecord, now_us: i64) -> Option<Txn> {
        let (horizon, open) = self.pushes.open.pop_first()?;
        if self.pushes.open.is_empty() {
            self.pushes.sealed_at_us = now_us;
        }
        // The batches of agents keep their own time.
        let sealed_at_us = self.sealed_at_us;
        self.record.pushed = self.record.pushed.saturating_add(open.measurements);
        let txn = self.batch_txn(Counted::now(horizon, now_us), &open.batch, rollout, now_us);
        self.sealed_at_us = sealed_at_us;
        let environment = &self.environment;
        Some(open.from.into_iter().fold(txn, |txn, (id, revision)| {
            let key = keys::push_waiting(environment, rollout.id, id);
            txn.guard(Guard::Unchanged(key.clone(), revision)).delete(key)
        }))
    }
}
