//! How long outcomes took, as a histogram that adds without loss.
//!
//! A run of counts from the lowest to the highest bucket that has any: most durations of a flag lie close together, and
//! all 640 buckets take 5 KiB at most.

use proto::{durations, v1};

/// Counts by bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    /// The bucket of the first count.
    first: usize,
    counts: Vec<u64>,
}

impl Histogram {
    /// One more that took so long.
    pub(crate) fn add(&mut self, duration_us: u64) {
        self.add_to(usize::from(durations::bucket(duration_us)), 1);
    }

    /// Adds another.
    pub(crate) fn add_all(&mut self, other: &Self) {
        for (bucket, count) in (other.first..).zip(&other.counts) {
            if *count > 0 {
                self.add_to(bucket, *count);
            }
        }
    }

    fn add_to(&mut self, bucket: usize, count: u64) {
        if self.counts.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let missing = self.first - bucket;
            self.counts.splice(..0, std::iter::repeat_n(0, missing));
            self.first = bucket;
        }
        let at = bucket - self.first;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += count;
    }

    /// On the wire; None: nothing was timed.
    pub(crate) fn to_wire(&self) -> Option<v1::Durations> {
        let counted = (0_u32..).skip(self.first).zip(&self.counts);
        let (buckets, counts): (Vec<_>, Vec<_>) = counted.filter(|(_, count)| **count > 0).unzip();
        (!counts.is_empty()).then_some(v1::Durations {
            scale: durations::SCALE,
            buckets,
            counts,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn nothing_timed_is_no_histogram() {
        assert_eq!(Histogram::default().to_wire(), None);
    }

    proptest! {
        #[test]
        fn what_is_told_is_what_was_added_however_it_was_merged(
            parts in vec(vec(any::<u64>().prop_flat_map(|top| 0..=top), 0..20), 0..5),
        ) {
            let (mut whole, mut expected) = (Histogram::default(), BTreeMap::<u32, u64>::new());
            for part in &parts {
                let mut histogram = Histogram::default();
                for duration_us in part {
                    histogram.add(*duration_us);
                    *expected.entry(u32::from(durations::bucket(*duration_us))).or_default() += 1;
                }
                whole.add_all(&histogram);
            }
            let told = whole.to_wire().unwrap_or_default();
            prop_assert!(told.buckets.iter().all(|bucket| *bucket < 640));
            let told: Vec<_> = told.buckets.into_iter().zip(told.counts).collect();
            prop_assert_eq!(told, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
