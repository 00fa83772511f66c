//! The last minute of both arms in the present visit: whether what both suffered is over.
//!
//! Sums of a whole visit remember an outage long after it. Kept in slots of ten seconds, six for each counting, up to
//! the last that was heard: silence is no news, so a minute stays what it was until more is heard. A new visit begins
//! it anew.

use std::collections::BTreeMap;

use super::{Slot, recent::SLOT_US};
use crate::{Micros, evidence::arm::Buckets, guards::VisitKey};

/// How many slots are a minute.
const SLOTS: i64 = 6;

/// The last minute of both arms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Minute {
    visit: VisitKey,
    /// By (number of the counting, slot since 1970, whether it is treatment's).
    slots: BTreeMap<(u16, i64, bool), Slot>,
}

impl Minute {
    /// A visit that is not the one before begins without a past.
    pub fn begin(&mut self, visit: VisitKey) {
        if self.visit != visit {
            *self = Self {
                visit,
                slots: BTreeMap::new(),
            };
        }
    }

    /// Adds what one counting had in an arm (treatment's?) by then, and lets go of what is too old.
    pub fn add(&mut self, (metric, treatment): (u16, bool), buckets: &Buckets, at: Micros) {
        let key = (metric, at.div_euclid(SLOT_US), treatment);
        self.slots.entry(key).or_default().add(buckets);
        let last = self.last(metric).unwrap_or_default();
        self.slots
            .retain(|(other, slot, _), _| *other != metric || *slot > last - SLOTS);
    }

    /// What one counting had in an arm in the minute that was heard last.
    pub(crate) fn arm(&self, metric: u16, treatment: bool) -> Slot {
        let slots = self.slots.range((metric, i64::MIN, false)..=(metric, i64::MAX, true));
        let of_arm = slots.filter(|((_, _, is_treatment), _)| *is_treatment == treatment);
        of_arm.fold(Slot::default(), |sum, (_, slot)| sum.and(slot))
    }

    /// When the slot began that was heard last of a counting.
    pub(crate) fn heard_at(&self, metric: u16) -> Option<Micros> {
        self.last(metric).map(|slot| slot.saturating_mul(SLOT_US))
    }

    fn last(&self, metric: u16) -> Option<i64> {
        let mut slots = self.slots.range((metric, i64::MIN, false)..=(metric, i64::MAX, true));
        slots.next_back().map(|((_, slot, _), _)| *slot)
    }

    /// The visit that it is of.
    pub fn visit(&self) -> VisitKey {
        self.visit
    }

    /// An arm of it: (number of the counting, slot since 1970, what came of it).
    pub fn iter(&self, treatment: bool) -> impl Iterator<Item = (u16, i64, Slot)> {
        let slots = self.slots.iter();
        let of_arm = slots.filter(move |((_, _, is_treatment), _)| *is_treatment == treatment);
        of_arm.map(|((metric, at, _), slot)| (*metric, *at, *slot))
    }

    /// As it was stored: slots by ((number of the counting, whether it is treatment's), slot since 1970).
    pub fn from_stored(visit: VisitKey, slots: impl IntoIterator<Item = ((u16, bool), i64, Slot)>) -> Self {
        let slots = slots.into_iter();
        Self {
            visit,
            slots: slots
                .map(|((metric, treatment), at, slot)| ((metric, at, treatment), slot))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bad: i64, all: u64) -> Buckets {
        let mut buckets = Buckets::new();
        buckets.add(7, bad, all);
        buckets
    }

    fn read(minute: &Minute, treatment: bool) -> (i64, u64, u32) {
        let slot = minute.arm(1, treatment);
        (slot.num, slot.den, slot.units.count_ones())
    }

    #[test]
    fn a_minute_forgets_what_is_older_and_not_what_is_silent() {
        let mut minute = Minute::default();
        minute.begin((0, 1));
        for slot in 0..6 {
            minute.add((1, true), &of(1, 10), slot * SLOT_US);
        }
        minute.add((1, false), &of(0, 5), 5 * SLOT_US);
        assert_eq!((read(&minute, true), read(&minute, false)), ((6, 60, 1), (0, 5, 1)));
        minute.add((2, true), &of(1, 10), 100 * SLOT_US);
        assert_eq!(read(&minute, true), (6, 60, 1), "another counting is another's news");
        minute.add((1, false), &of(0, 5), 7 * SLOT_US);
        assert_eq!((read(&minute, true), read(&minute, false)), ((4, 40, 1), (0, 10, 1)));
        assert_eq!(minute.heard_at(1), Some(7 * SLOT_US));
        minute.add((1, true), &of(9, 9), SLOT_US);
        assert_eq!(
            read(&minute, true),
            (4, 40, 1),
            "it came too late to be of the last minute"
        );
        minute.begin((0, 1));
        assert_eq!(read(&minute, true), (4, 40, 1));
        minute.begin((1, 2));
        assert_eq!((read(&minute, true), minute.heard_at(1)), ((0, 0, 0), None));
    }
}
