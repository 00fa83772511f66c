//! Whether this process should be sent traffic, and if not, why.
//!
//! Each part that must be up before traffic makes sense holds a named [`Condition`]; the process is ready when all are
//! met. Rule: a condition starts unmet, so forgetting to meet one shows as "not ready", never as a false "ready", and
//! every unmet one carries a reason that tells an operator what is being waited for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The reason of a condition that nobody has touched yet.
const NOT_YET: &str = "not yet";

/// All conditions of this process; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    conditions: Arc<Mutex<Vec<Named>>>,
}

/// A handle to one condition; clones share it.
#[derive(Clone, Debug)]
pub struct Condition {
    readiness: Readiness,
    name: &'static str,
}

/// One condition and, while it is unmet, why.
#[derive(Debug)]
struct Named {
    name: &'static str,
    unmet: Option<String>,
}

impl Readiness {
    /// A process with no conditions, which is ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition, unmet until told otherwise. A name that exists gives a handle to the same condition.
    pub fn condition(&self, name: &'static str) -> Condition {
        let mut conditions = self.lock();
        if !conditions.iter().any(|condition| condition.name == name) {
            conditions.push(Named {
                name,
                unmet: Some(NOT_YET.to_owned()),
            });
        }
        Condition {
            readiness: self.clone(),
            name,
        }
    }

    /// Every unmet condition with its reason, in the order in which they were added; empty means ready.
    pub fn unmet(&self) -> Vec<(&'static str, String)> {
        self.lock()
            .iter()
            .filter_map(|condition| Some((condition.name, condition.unmet.clone()?)))
            .collect()
    }

    fn set(&self, name: &'static str, unmet: Option<String>) {
        if let Some(condition) = self.lock().iter_mut().find(|condition| condition.name == name) {
            condition.unmet = unmet;
        }
    }

    /// Each write is one assignment, so a poisoned lock holds a whole list and is taken as it is.
    fn lock(&self) -> MutexGuard<'_, Vec<Named>> {
        self.conditions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condition {
    /// The condition holds.
    pub fn met(&self) {
        self.readiness.set(self.name, None);
    }

    /// The condition does not hold (any more), and why.
    pub fn unmet(&self, reason: impl Into<String>) {
        self.readiness.set(self.name, Some(reason.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_when_every_condition_is_met() {
        let readiness = Readiness::new();
        assert!(readiness.unmet().is_empty());
        let (store, listener) = (readiness.condition("store"), readiness.condition("listener"));
        assert_eq!(readiness.unmet().len(), 2);
        store.met();
        listener.unmet("binding");
        assert_eq!(readiness.unmet(), [("listener", "binding".to_owned())]);
        listener.met();
        assert!(readiness.unmet().is_empty());
    }

    #[test]
    fn a_met_condition_can_become_unmet_again() {
        let readiness = Readiness::new();
        let store = readiness.condition("store");
        store.met();
        store.unmet("disk full");
        assert_eq!(readiness.unmet(), [("store", "disk full".to_owned())]);
    }

    #[test]
    fn the_same_name_is_the_same_condition() {
        let readiness = Readiness::new();
        readiness.condition("store").met();
        let again = readiness.condition("store");
        assert!(readiness.unmet().is_empty());
        again.unmet("closed");
        assert_eq!(readiness.unmet().len(), 1);
    }
}
