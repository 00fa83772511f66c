//! One copy of conditions that several flags have in common.
//!
//! Flags are often made after one pattern: the same rules, each with a variant of its own. Their conditions are compiled
//! once in a process and then shared, which keeps them in the nearest memory. They are known by the XXH3-128 of what was
//! written, which is trusted here as it is in digests. Nobody can tell shared conditions from others: they never change.
//! What no flag uses any more is forgotten.

use std::collections::HashMap;
use std::fmt::{self, Debug, Write};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use twox_hash::XxHash3_128;

use crate::test::Conditions;

/// Fewer than so many are kept without asking whether they are still in use.
const FEW: usize = 1_024;

/// The conditions of this process.
static SHELF: LazyLock<Mutex<Shelf>> = LazyLock::new(Mutex::default);

/// Conditions by the hash of what was written.
#[derive(Default)]
struct Shelf {
    conditions: HashMap<u128, Weak<Conditions>>,
    /// When there are so many, those without a user are dropped.
    crowded_at: usize,
}

/// `conditions`, or the equal ones that another flag has already. `written` is all that they were compiled from.
pub(crate) fn shared(written: &dyn Debug, conditions: Conditions) -> Arc<Conditions> {
    let mut hashed = Hashed(XxHash3_128::new());
    if write!(hashed, "{written:?}").is_err() {
        // Writing into a hash does not fail; if it did, there would be nothing to know the conditions by.
        return Arc::new(conditions);
    }
    let hash = hashed.0.finish_128();
    // A map of weak references is as good after a panic elsewhere as before.
    SHELF
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .keep(hash, conditions)
}

impl Shelf {
    fn keep(&mut self, hash: u128, conditions: Conditions) -> Arc<Conditions> {
        if let Some(held) = self.conditions.get(&hash).and_then(Weak::upgrade) {
            return held;
        }
        if self.conditions.len() >= self.crowded_at.max(FEW) {
            self.conditions.retain(|_, held| held.strong_count() > 0);
            self.crowded_at = 2 * self.conditions.len();
        }
        let conditions = Arc::new(conditions);
        self.conditions.insert(hash, Arc::downgrade(&conditions));
        conditions
    }
}

/// Text is hashed as it is written.
struct Hashed(XxHash3_128);

impl Write for Hashed {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_conditions_are_shared_and_others_are_not() {
        let one = shared(&"a pattern of this test", Conditions::default());
        let same = shared(&"a pattern of this test", Conditions::default());
        let other = shared(&"another pattern of this test", Conditions::default());
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
    }

    #[test]
    fn what_nobody_uses_is_forgotten() {
        let mut shelf = Shelf::default();
        let used: Vec<_> = (0..10).map(|hash| shelf.keep(hash, Conditions::default())).collect();
        for hash in 10..10_000 {
            shelf.keep(hash, Conditions::default());
        }
        assert!(shelf.conditions.len() <= FEW);
        for (hash, conditions) in (0..10).zip(used) {
            assert!(Arc::ptr_eq(&conditions, &shelf.keep(hash, Conditions::default())));
        }
    }
}
