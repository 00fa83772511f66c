//! What one visit of a stage came to: for each metric and stratum the unit buckets of both arms, and beside them what is
//! only shown: how long requests took, and how they failed.
//!
//! Integers that add, in any order to the same bits.

use std::collections::BTreeMap;

use crate::{Micros, evidence::arm::Buckets};

/// Buckets of a histogram of durations.
pub const DURATION_BUCKETS: usize = 640;
/// Sub-buckets of each doubling.
const SUB: u64 = 16;

/// The sums of one visit of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sums {
    /// By (number of the metric, stratum).
    pub metrics: BTreeMap<(u16, u8), Arms>,
    /// How long requests of treatment took.
    pub treatment: Shown,
    /// How long requests of control took.
    pub control: Shown,
}

/// The unit buckets of both arms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arms {
    /// The arm that is rolled out.
    pub treatment: Buckets,
    /// The arm that it is compared with.
    pub control: Buckets,
}

/// What is only shown of an arm.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// How long requests took.
    pub durations: Durations,
    /// Failures by class.
    pub classes: BTreeMap<String, u64>,
}

/// A histogram of durations: 16 sub-buckets for each doubling of a microsecond.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Durations(BTreeMap<u16, u64>);

impl Sums {
    /// Both arms of a metric, their strata added.
    pub fn total(&self, metric: u16) -> Arms {
        let mut total = Arms::default();
        for (_, arms) in self.metrics.range((metric, 0)..=(metric, u8::MAX)) {
            total.treatment.merge(&arms.treatment);
            total.control.merge(&arms.control);
        }
        total
    }
}

impl Durations {
    /// Adds to a bucket; what is no bucket counts nowhere.
    pub fn add(&mut self, bucket: u16, count: u64) {
        if usize::from(bucket) < DURATION_BUCKETS && count > 0 {
            let sum = self.0.entry(bucket).or_default();
            *sum = sum.saturating_add(count);
        }
    }

    /// The buckets that have counts, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        self.0.iter().map(|(bucket, count)| (*bucket, *count))
    }

    /// How many durations are in it.
    pub fn count(&self) -> u64 {
        self.0.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The duration that this part of all stays within: the end of its bucket, up to 6.25 % too long, never too short.
    /// None without data.
    pub fn quantile(&self, part: f64) -> Option<Micros> {
        let rank = (part * self.count() as f64).ceil().max(1.0) as u64;
        let mut before = 0_u64;
        self.0.iter().find_map(|(bucket, count)| {
            before = before.saturating_add(*count);
            (before >= rank).then(|| duration_bounds(*bucket).1)
        })
    }
}

/// The bucket that a duration is in: bucket 16 g + s holds (16 + s) 2^(g-1) to below (17 + s) 2^(g-1), bucket s below 16
/// holds s; negative ones are in the first, endless ones in the last.
pub fn duration_bucket(duration_us: Micros) -> u16 {
    let duration = duration_us.max(0).unsigned_abs();
    if duration < SUB {
        return duration as u16;
    }
    let doubling = u64::from(duration.ilog2() - 4);
    let bucket = SUB * (doubling + 1) + ((duration >> doubling) - SUB);
    bucket.min(DURATION_BUCKETS as u64 - 1) as u16
}

/// The first and the last duration of a bucket, in microseconds.
pub fn duration_bounds(bucket: u16) -> (Micros, Micros) {
    let bucket = u64::from(bucket).min(DURATION_BUCKETS as u64 - 1);
    if bucket < SUB {
        return (bucket as Micros, bucket as Micros);
    }
    let (doubling, sub) = (bucket / SUB - 1, bucket % SUB);
    let first = (SUB + sub) << doubling;
    (first as Micros, (first + (1 << doubling) - 1) as Micros)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_duration_lies_within_its_bucket(duration in 0i64..1 << 42) {
            let (first, last) = duration_bounds(duration_bucket(duration));
            prop_assert!(first <= duration && duration <= last, "{first} {duration} {last}");
            prop_assert!((last - first) as f64 <= 0.0625 * duration as f64);
        }
    }

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        for bucket in 1..DURATION_BUCKETS as u16 {
            assert_eq!(duration_bounds(bucket).0, duration_bounds(bucket - 1).1 + 1, "{bucket}");
        }
        assert_eq!(duration_bucket(i64::MAX), 639);
        assert_eq!(duration_bucket(-5), 0);
    }

    #[test]
    fn a_quantile_is_never_too_short() {
        let mut durations = Durations::default();
        assert_eq!(durations.quantile(0.5), None);
        for duration in 1..=1_000 {
            durations.add(duration_bucket(duration * 1_000), 1);
        }
        for (part, exact) in [(0.5, 500_000), (0.95, 950_000), (0.99, 990_000), (1.0, 1_000_000)] {
            let shown = durations.quantile(part).unwrap();
            assert!(
                shown >= exact && (shown as f64) < 1.0625 * exact as f64,
                "{part}: {shown}"
            );
        }
    }
}
