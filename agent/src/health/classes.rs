//! The classes of failures that a rollout keeps apart: the first sixteen, and `other`.
//!
//! Services invent class names, so their number is bounded where they come in. Whoever came first stays: a class that
//! changed its number would change what was counted before. All shards of a rollout share one table.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::report::ErrorClass;

/// Classes that are kept apart.
const KEPT: usize = 16;
/// What the others are counted as; a class of this name is one of them.
const OTHER: &str = "other";

/// The classes of one rollout, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Classes(Mutex<Vec<Arc<str>>>);

/// A class by its place: below 16 a class of its own, 16 the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClassNumber(u8);

/// The names of classes by number.
pub(crate) type ClassNames = Vec<Arc<str>>;

impl ClassNumber {
    const OTHER: Self = Self(KEPT as u8);

    /// As an index, at most 16.
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl Classes {
    /// The number of a class; it has one from now on if there is room.
    pub(crate) fn number(&self, class: ErrorClass<'_>) -> ClassNumber {
        let text = class.as_str();
        if text == OTHER {
            return ClassNumber::OTHER;
        }
        let mut kept = self.kept();
        let place = match kept.iter().position(|other| **other == *text) {
            Some(place) => place,
            None if kept.len() == KEPT => return ClassNumber::OTHER,
            None => {
                kept.push(text.into());
                kept.len() - 1
            }
        };
        // Below 16.
        ClassNumber(place as u8)
    }

    /// The names by number.
    pub(crate) fn names(&self) -> ClassNames {
        self.kept().clone()
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Arc<str>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of the class at an index; `other` for what has none of its own.
pub(crate) fn name(names: &[Arc<str>], index: usize) -> &str {
    names.get(index).map_or(OTHER, |name| name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn sixteen_classes_are_kept_apart_and_the_rest_is_other() {
        let classes = Classes::default();
        let number = |text: &str| classes.number(ErrorClass::parse(text).unwrap());
        let texts: Vec<_> = (0..20).map(|number| format!("class-{number}")).collect();
        for _ in 0..2 {
            assert_eq!(number("other"), ClassNumber::OTHER);
            for (place, text) in texts.iter().enumerate() {
                assert_eq!(number(text).index(), place.min(16), "{text}");
            }
        }
        let names = classes.names();
        assert_eq!(
            (names.len(), name(&names, 15), name(&names, 16)),
            (16, "class-15", "other")
        );
    }
}
