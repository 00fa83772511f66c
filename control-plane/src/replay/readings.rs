//! The readings of levels that were kept, taken in again one number after the other, and whether the engine must have
//! seen what they said.
//!
//! A level that is beyond its limit proves nothing against a rollout that went on by that alone: it may have stood for
//! a moment, or the process may have been killed right after it was durable, and what stood then may be over when the
//! engine is back. It does if it stood for several looks, until something else was taken in that shows that the process
//! was there.

use std::sync::Arc;

use crate::levels::{HeldLevels, Kept, Log};

/// The engine looks at a rollout several times within this.
const SEEN_US: i64 = 5_000_000;

/// Readings that are taken in again.
#[derive(Debug)]
pub(super) struct Readings {
    log: Arc<Log>,
    /// How many of the log were taken in.
    taken: usize,
    held: HeldLevels,
    /// Since when a guard aborts by what is held, and after how many batches that began.
    beyond: Option<(i64, u64)>,
}

impl Readings {
    /// None is taken in yet.
    pub(super) fn new(log: Arc<Log>) -> Self {
        Self {
            log,
            taken: 0,
            held: HeldLevels::default(),
            beyond: None,
        }
    }

    /// What is held; nothing before the first that is left.
    pub(super) fn held(&self) -> &HeldLevels {
        &self.held
    }

    /// Those that come next, up to a number.
    pub(super) fn next(&self, last: u64) -> Option<&Kept> {
        let number = self.log.before.last + self.taken as u64 + 1;
        self.log.kept.get(self.taken).filter(|_| number <= last)
    }

    /// Takes the next ones in.
    pub(super) fn take(&mut self) {
        if let Some(next) = self.log.kept.get(self.taken) {
            if self.taken == 0 {
                self.held = self.log.before.clone();
            }
            self.held.take_in(&next.readings, next.noted_at_us);
            self.taken += 1;
        }
    }

    /// Notes whether a guard aborts by what is held now, after so many batches, and whether one did right before.
    pub(super) fn note(&mut self, is_beyond: bool, stood: bool, batches: u64) {
        if !is_beyond {
            self.beyond = None;
        } else if !stood || self.beyond.is_none() {
            self.beyond = Some((self.held.noted_at_us, batches));
        }
    }

    /// Whether a guard began to abort by what was held.
    pub(super) fn is_beyond(&self) -> bool {
        self.beyond.is_some()
    }

    /// After how many batches a guard began to abort, if that was so long before that the engine must have seen it.
    pub(super) fn seen_by(&self, now_us: i64) -> Option<u64> {
        let (since_us, batches) = self.beyond?;
        (now_us.saturating_sub(since_us) >= SEEN_US).then_some(batches)
    }
}
