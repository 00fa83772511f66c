//! The last minutes of treatment: what a kill switch looks at, which stands for weeks and must see a bad hour.
//!
//! Sums of a whole visit would hide it. Kept in slots of ten seconds and for ten minutes. The oldest slot of a window counts
//! whole; the one in which something began does not count if any of it was before.

use std::collections::BTreeMap;

use super::{Counted, Events, number_of, readings};
use crate::{Measure, Micros, Plan, criterion::Comparison, evidence::arm::Buckets};

pub(super) const SLOT_US: Micros = 10_000_000;
/// How far back a kill switch looks.
pub const RECENT_US: Micros = 60 * SLOT_US;

/// What came of one counting in one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slot {
    /// The sum of the numerators.
    pub num: i64,
    /// The sum of the denominators.
    pub den: u64,
    /// The unit buckets that had any, one bit each.
    pub units: u64,
    /// When the first of it happened, as far as that is known; of a sum of slots: nothing.
    pub first_us: Micros,
}

impl Slot {
    /// Adds what unit buckets have.
    pub(super) fn add(&mut self, buckets: &Buckets) {
        for (bucket, (num, den)) in buckets.sums().enumerate() {
            self.num = self.num.saturating_add(i64::try_from(num).unwrap_or(i64::MAX));
            self.den = self.den.saturating_add(den);
            self.units |= u64::from(den > 0) << bucket;
        }
    }

    /// Both together.
    pub(super) fn and(self, other: &Slot) -> Slot {
        Slot {
            num: self.num.saturating_add(other.num),
            den: self.den.saturating_add(other.den),
            units: self.units | other.units,
            first_us: 0,
        }
    }
}

/// The last minutes, by (number of the counting, slot since 1970).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recent(BTreeMap<(u16, i64), Slot>);

impl Recent {
    /// Adds what one counting had, and lets go of what is too old.
    pub fn add(&mut self, metric: u16, buckets: &Buckets, now: Micros) {
        let slot = self.0.entry((metric, now.div_euclid(SLOT_US))).or_insert(Slot {
            first_us: now,
            ..Slot::default()
        });
        slot.first_us = slot.first_us.min(now);
        slot.add(buckets);
        self.0.retain(|(_, slot), _| *slot >= oldest(now));
    }

    /// What one counting had since something began, no longer ago than ten minutes.
    pub(crate) fn since(&self, metric: u16, began: Micros, now: Micros) -> Slot {
        let first = began.div_euclid(SLOT_US).max(oldest(now));
        let slots = self.0.range((metric, first)..=(metric, i64::MAX));
        let slots = slots.filter(|(_, slot)| slot.first_us >= began);
        slots.fold(Slot::default(), |sum, (_, slot)| sum.and(slot))
    }

    /// All of them: (number of the counting, slot since 1970, what came of it).
    pub fn iter(&self) -> impl Iterator<Item = (u16, i64, Slot)> {
        self.0.iter().map(|((metric, at), slot)| (*metric, *at, *slot))
    }

    /// As they were stored.
    pub fn from_stored(slots: impl IntoIterator<Item = (u16, i64, Slot)>) -> Self {
        Self(
            slots
                .into_iter()
                .map(|(metric, at, slot)| ((metric, at), slot))
                .collect(),
        )
    }
}

/// The oldest slot of the window that ends at a time.
fn oldest(now: Micros) -> i64 {
    now.saturating_sub(RECENT_US).div_euclid(SLOT_US)
}

/// What a comparison reads of the last minutes, and not from before `since`; none without data.
pub fn recent_reading(
    plan: &Plan,
    comparison: &Comparison,
    (counted, recent, events): (&[Counted], &Recent, &Events),
    since: Micros,
    now: Micros,
) -> Option<Measure> {
    let number = number_of(plan, comparison, counted)?;
    let slot = recent.since(number, since, now);
    if slot.den == 0 && comparison.window.is_none() {
        return None;
    }
    let treatment = match plan.kind_of(comparison.metric.as_str())? {
        crate::catalogue::Kind::Count => events.within(number, comparison.window, now),
        _ => readings::estimate_of(
            plan,
            comparison,
            &counted.get(usize::from(number))?.counting,
            (slot.num as f64, slot.den),
        )?,
    };
    Some(Measure {
        estimates: crate::criterion::Estimates {
            treatment: Some(treatment),
            ..Default::default()
        },
        outcomes: slot.den,
        units: u64::from(slot.units.count_ones()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{criterion::Criterion, measure::counted, plan::KillSwitch};

    fn plan(condition: &str) -> Plan {
        Plan {
            kill_switch: Some(KillSwitch {
                flag: String::new(),
                auto_trip: true,
                conditions: vec![condition.parse().unwrap()],
            }),
            ..Plan::new("plan", "flag")
        }
    }

    fn read(plan: &Plan, recent: &Recent, since: Micros, now: Micros) -> Option<(f64, u64, u64)> {
        let counted = counted(plan);
        let Criterion::Compare(comparison) = &plan.kill_switch.as_ref().unwrap().conditions[0] else {
            panic!()
        };
        let measure = recent_reading(plan, comparison, (&counted, recent, &Events::default()), since, now)?;
        Some((measure.estimates.treatment?, measure.outcomes, measure.units))
    }

    fn of(bad: i64, all: u64) -> Buckets {
        let mut buckets = Buckets::new();
        buckets.add(1, bad, all);
        buckets.add(9, 0, all);
        buckets
    }

    #[test]
    fn a_bad_hour_is_seen_after_good_weeks() {
        let plan = plan("error-rate > 5 %");
        let mut recent = Recent::default();
        let hour = 6 * RECENT_US;
        assert_eq!(read(&plan, &recent, 0, hour), None);
        recent.add(0, &of(0, 1_000_000), 0);
        recent.add(0, &of(50, 100), hour);
        assert_eq!(read(&plan, &recent, 0, hour), Some((0.25, 200, 2)));
        assert_eq!(read(&plan, &recent, hour + 1, hour + SLOT_US), None, "it begins anew");
        recent.add(0, &of(0, 100), hour + SLOT_US + 5);
        let since = |since| read(&plan, &recent, since, hour + 2 * SLOT_US).map(|(_, outcomes, _)| outcomes);
        assert_eq!(since(hour + 1), Some(200), "what began later counts from its first");
        assert_eq!(since(hour + SLOT_US + 5), Some(200));
        assert_eq!(since(hour + SLOT_US + 6), None, "its slot has what was before");
        let mut recent = Recent::default();
        recent.add(0, &of(50, 100), hour);
        assert_eq!(read(&plan, &recent, 0, hour + RECENT_US + 1), Some((0.25, 200, 2)));
        assert_eq!(read(&plan, &recent, 0, hour + RECENT_US + SLOT_US), None);
        assert_eq!(Recent::from_stored(recent.iter()), recent);
    }

    #[test]
    fn a_quantile_is_read_from_what_exceeds_its_limit() {
        let plan = plan("p99 > 1 s");
        let mut recent = Recent::default();
        recent.add(1, &of(1, 100), 0);
        assert!(read(&plan, &recent, 0, 0).unwrap().0 < 1_000_000.0);
        recent.add(1, &of(9, 100), 0);
        assert!(read(&plan, &recent, 0, 0).unwrap().0 > 1_000_000.0);
    }
}
