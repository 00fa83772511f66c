//! Outcomes for which the spool had no room, until they count as *dropped* in their rollouts.
//!
//! A file of a former process that is dropped is not sent by anybody, so what was in it is told with what this process
//! counts: else a control plane would take less traffic for good news. It waits until its rollout is measured, because
//! what an index means is not known before; of a rollout that never is nobody misses anything.

use std::{collections::BTreeMap, sync::Arc};

use crate::{health::counters::Counters, snapshot::Holder};

/// Outcomes by the index and id of their rollouts.
pub(crate) type Outcomes = BTreeMap<(u32, u128), u64>;

/// What was dropped and is not told.
#[derive(Debug)]
pub(crate) struct Dropped {
    holder: Holder,
    counters: Arc<Counters>,
    outcomes: Outcomes,
}

impl Dropped {
    /// Nothing yet; it will count here, of rollouts that are measured there.
    pub(crate) fn new(holder: Holder, counters: Arc<Counters>) -> Self {
        Self {
            holder,
            counters,
            outcomes: Outcomes::new(),
        }
    }

    /// So many more.
    pub(super) fn add(&mut self, outcomes: Outcomes) {
        add(&mut self.outcomes, outcomes);
    }

    /// Counts what belongs to a rollout that is measured now; the rest waits.
    pub(super) fn tell(&mut self) {
        if self.outcomes.is_empty() {
            return;
        }
        let (snapshot, counters) = (self.holder.load_full(), &self.counters);
        self.outcomes.retain(|(rollout, id), outcomes| {
            let Some(measurement) = snapshot.measurement(*rollout).filter(|found| found.id == *id) else {
                return true;
            };
            counters.dropped(measurement, *outcomes);
            false
        });
    }
}

/// Adds outcomes to others.
pub(super) fn add(sum: &mut Outcomes, outcomes: Outcomes) {
    for (rollout, outcomes) in outcomes {
        *sum.entry(rollout).or_default() += outcomes;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use evaluation::Buckets;

    use super::*;
    use crate::samples::{Contents, ROLLOUT, measurement};

    fn told(counters: &Counters) -> u64 {
        counters.peek(&measurement()).unsaid.dropped
    }

    #[test]
    fn what_was_dropped_counts_once_as_soon_as_its_rollout_is_measured() {
        let (holder, counters) = (Holder::new(false), Arc::new(Counters::default()));
        let mut dropped = Dropped::new(holder.clone(), Arc::clone(&counters));
        dropped.add([((ROLLOUT, measurement().id), 5)].into());
        dropped.tell();
        assert_eq!(told(&counters), 0, "nobody knows of which rollout it is");
        Contents::production().rollout(Buckets::ALL).install(&holder, 1);
        dropped.add([((ROLLOUT, measurement().id), 2)].into());
        dropped.tell();
        dropped.tell();
        assert_eq!(told(&counters), 7);
    }

    #[test]
    fn what_was_dropped_never_counts_in_another_rollout_of_its_index() {
        let counters = Arc::new(Counters::default());
        let holder = Contents::production().rollout(Buckets::ALL).held(1);
        let mut dropped = Dropped::new(holder, Arc::clone(&counters));
        dropped.add([((ROLLOUT, measurement().id + 1), 5)].into());
        dropped.tell();
        assert_eq!(told(&counters), 0);
    }
}
