//! How much each rollout has soaked by now, as the engine last saw it.
//!
//! The engine alone writes it; what a person does, and what people are shown, is about this moment and not about the
//! soak that was last stored, which may be a minute behind. It is a copy: what is lost with the process is what a crash
//! costs, and no more.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rollout::State as Progress;
use uuid::Uuid;

/// The soak of every rollout under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Soaks(Arc<Mutex<HashMap<Uuid, Soaked>>>);

/// The soak of one rollout, between two of its transitions.
#[derive(Debug, Clone, Copy)]
struct Soaked {
    sequence: u64,
    soaked_us: i64,
}

impl Soaks {
    /// Notes how far a rollout is.
    pub(super) fn note(&self, id: Uuid, progress: &Progress) {
        let soaked = Soaked {
            sequence: progress.sequence,
            soaked_us: progress.soaked_us,
        };
        self.all().insert(id, soaked);
    }

    /// Forgets all rollouts but these.
    pub(super) fn retain(&self, is_known: impl Fn(&Uuid) -> bool) {
        self.all().retain(|id, _| is_known(id));
    }

    /// The state as stored, with the soak as it is.
    pub(crate) fn upon(&self, id: Uuid, mut stored: Progress) -> Progress {
        if let Some(soaked) = self.all().get(&id)
            && soaked.sequence == stored.sequence
        {
            stored.soaked_us = stored.soaked_us.max(soaked.soaked_us);
        }
        stored
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Uuid, Soaked>> {
        // A number is written whole or not at all.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builders::first_stage;

    #[test]
    fn the_soak_of_the_moment_is_taken_up_and_that_of_another_moment_is_not() {
        let (soaks, id) = (Soaks::default(), Uuid::from_u128(7));
        let mut seen = first_stage();
        seen.soaked_us = 5;
        soaks.note(id, &seen);
        assert_eq!(soaks.upon(id, first_stage()).soaked_us, 5);
        assert_eq!(
            soaks.upon(Uuid::from_u128(8), first_stage()).soaked_us,
            0,
            "another rollout"
        );
        let mut moved = first_stage();
        moved.sequence += 1;
        assert_eq!(soaks.upon(id, moved).soaked_us, 0, "after a transition");
        let mut stored = first_stage();
        stored.soaked_us = 9;
        assert_eq!(soaks.upon(id, stored).soaked_us, 9, "it never goes back");
        soaks.retain(|_| false);
        assert_eq!(soaks.upon(id, first_stage()).soaked_us, 0);
    }
}
