//! Taking readings in: numbered, made durable, and only then known to whoever looks at the rollout.
//!
//! One after the other, so that the numbers are the order in which the guards saw them: a decision names the last one that
//! it rests on, and a replay takes in the same ones.

use evaluation::Arm;
use uuid::Uuid;

use super::{Kept, Levels, Reading};
use crate::{
    record::RolloutRecord,
    store::{self, Order, Store, Txn, keys, model},
};

/// The most readings of a rollout that are kept; later ones are judged, and cannot be judged again.
const MOST_KEPT: u64 = 50_000;

/// A reading of one arm of one metric.
pub(crate) type Read = (String, Arm, Reading);

/// Somebody takes readings of a rollout in, and nobody else does.
#[derive(Debug)]
pub(crate) struct Turn<'l> {
    levels: &'l Levels,
    _turn: tokio::sync::MutexGuard<'l, ()>,
    rollout: Uuid,
    /// The number of the last reading that was kept.
    last: u64,
    /// Nothing was read since the process began.
    is_first: bool,
}

impl Levels {
    /// Waits for a turn.
    pub(crate) async fn turn(&self, store: &dyn Store, rollout: &RolloutRecord) -> Result<Turn<'_>, store::Error> {
        let turn = self.turns.lock().await;
        let held = self.last(rollout.id);
        let last = match held {
            0 => {
                let prefix = keys::readings(&rollout.environment, rollout.id);
                let page = store.range(&prefix, None, 1, Order::Descending).await?;
                let last = page.items.first().and_then(|item| keys::reading_number(&item.key));
                last.unwrap_or(0)
            }
            held => held,
        };
        Ok(Turn {
            levels: self,
            _turn: turn,
            rollout: rollout.id,
            last,
            is_first: held == 0,
        })
    }
}

impl Turn<'_> {
    /// Adds to a transaction that readings are kept.
    pub(crate) fn keep(&self, txn: Txn, rollout: &RolloutRecord, readings: &[Read], now_us: i64) -> Txn {
        let numbered = (self.last + 1..)
            .zip(readings)
            .take_while(|(number, _)| *number <= MOST_KEPT);
        numbered.fold(txn, |txn, (number, (metric, arm, reading))| {
            let kept = Kept {
                metric: metric.clone(),
                arm: *arm,
                reading: reading.clone(),
                noted_at_us: now_us,
                is_first: self.is_first && number == self.last + 1,
            };
            let key = keys::reading(&rollout.environment, rollout.id, number);
            txn.put(key, model::write_reading(&kept))
        })
    }

    /// They are kept: now they are known.
    pub(crate) fn note(self, readings: Vec<Read>) {
        for (number, (metric, arm, reading)) in (self.last + 1..).zip(readings) {
            self.levels.note(self.rollout, number, &metric, arm, reading);
        }
    }
}
