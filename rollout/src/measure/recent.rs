//! The last minutes of treatment: what a kill switch looks at, which stands for weeks and must see a bad hour.
//!
//! Sums of a whole visit would hide it. Kept by the minute and for ten of them; the oldest minute of a window counts whole.

use std::collections::BTreeMap;

use super::{Counted, Events, number_of, readings};
use crate::{Measure, Micros, Plan, criterion::Comparison, evidence::arm::Buckets};

const MINUTE_US: Micros = 60_000_000;
/// How far back a kill switch looks.
pub const RECENT_US: Micros = 10 * MINUTE_US;

/// What came of one counting in one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slot {
    /// The sum of the numerators.
    pub num: i64,
    /// The sum of the denominators.
    pub den: u64,
    /// The unit buckets that had any, one bit each.
    pub units: u64,
}

/// The last minutes, by (number of the counting, minute since 1970).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recent(BTreeMap<(u16, i64), Slot>);

impl Recent {
    /// Adds what one counting had, and lets go of what is too old.
    pub fn add(&mut self, metric: u16, buckets: &Buckets, now: Micros) {
        let slot = self.0.entry((metric, now.div_euclid(MINUTE_US))).or_default();
        for (bucket, (num, den)) in buckets.sums().enumerate() {
            slot.num = slot.num.saturating_add(i64::try_from(num).unwrap_or(i64::MAX));
            slot.den = slot.den.saturating_add(den);
            slot.units |= u64::from(den > 0) << bucket;
        }
        let oldest = now.saturating_sub(RECENT_US).div_euclid(MINUTE_US);
        self.0.retain(|(_, minute), _| *minute >= oldest);
    }

    /// What one counting had since a time, no longer ago than ten minutes.
    pub(crate) fn since(&self, metric: u16, since: Micros, now: Micros) -> Slot {
        let first = since.max(now.saturating_sub(RECENT_US)).div_euclid(MINUTE_US);
        let slots = self.0.range((metric, first)..=(metric, i64::MAX));
        slots.fold(Slot::default(), |sum, (_, slot)| Slot {
            num: sum.num.saturating_add(slot.num),
            den: sum.den.saturating_add(slot.den),
            units: sum.units | slot.units,
        })
    }

    /// All of them: (number of the counting, minute since 1970, what came of it).
    pub fn iter(&self) -> impl Iterator<Item = (u16, i64, Slot)> {
        self.0.iter().map(|((metric, minute), slot)| (*metric, *minute, *slot))
    }

    /// As they were stored.
    pub fn from_stored(slots: impl IntoIterator<Item = (u16, i64, Slot)>) -> Self {
        Self(
            slots
                .into_iter()
                .map(|(metric, minute, slot)| ((metric, minute), slot))
                .collect(),
        )
    }
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
        let hour = 60 * MINUTE_US;
        assert_eq!(read(&plan, &recent, 0, hour), None);
        recent.add(0, &of(0, 1_000_000), 0);
        recent.add(0, &of(50, 100), hour);
        assert_eq!(read(&plan, &recent, 0, hour), Some((0.25, 200, 2)));
        assert_eq!(
            read(&plan, &recent, hour + MINUTE_US, hour + MINUTE_US),
            None,
            "it begins anew"
        );
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
