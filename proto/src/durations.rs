//! Buckets of the histogram of durations: sixteen to each doubling of a microsecond, so that none is wider than a
//! sixteenth of where it begins.
//!
//! Buckets are fixed, so histograms of any agents and times add without loss. Bucket s below 16 holds s; bucket 16 g + s,
//! for g from 1 and s from 0 to 15, holds durations from (16 + s) 2^(g-1) to below (17 + s) 2^(g-1): an H2 histogram of 4
//! bits. A histogram is for showing; nothing is ever decided from one.

use std::ops::Range;

/// Sub-buckets of each doubling, as a histogram says it on the wire.
pub const SCALE: u32 = 16;
/// How many buckets there are. The last one ends at 2^43 microseconds, 101 days, and holds what is longer, too.
pub const BUCKETS: u16 = 640;

/// The bucket of a duration in microseconds, below [`BUCKETS`]. Constant time.
pub fn bucket(duration_us: u64) -> u16 {
    if duration_us < u64::from(SCALE) {
        return duration_us as u16;
    }
    let group = duration_us.ilog2() - 3;
    // The five highest bits: 16 to 31.
    let step = (duration_us >> (group - 1)) as u32 - SCALE;
    (SCALE * group + step).min(u32::from(BUCKETS) - 1) as u16
}

/// The durations that a bucket holds, in microseconds; none if there is no such bucket. What is longer than all is in
/// the last one, beyond its end.
pub fn bounds(bucket: u16) -> Option<Range<u64>> {
    if bucket >= BUCKETS {
        return None;
    }
    let (group, step) = (bucket / 16, u64::from(bucket % 16));
    Some(match group.checked_sub(1) {
        None => step..step + 1,
        Some(power) => (16 + step) << power..(17 + step) << power,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_durations_have_a_bucket_each() {
        for duration_us in 0..32 {
            assert_eq!(u64::from(bucket(duration_us)), duration_us);
            assert_eq!(bounds(bucket(duration_us)), Some(duration_us..duration_us + 1));
        }
    }

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        let mut begins = 0;
        for number in 0..BUCKETS {
            let held = bounds(number).unwrap();
            assert_eq!(held.start, begins, "bucket {number}");
            begins = held.end;
        }
        assert_eq!((begins, bounds(BUCKETS)), (1 << 43, None));
    }

    #[test]
    fn the_edges_of_the_layout_are_where_it_says() {
        for (duration_us, number) in [
            (15, 15),
            (16, 16),
            (31, 31),
            (32, 32),
            (33, 32),
            (34, 33),
            (63, 47),
            (64, 48),
            ((1 << 43) - 1, 639),
            (1 << 43, 639),
            (u64::MAX, 639),
        ] {
            assert_eq!(bucket(duration_us), number, "{duration_us}");
        }
    }

    proptest! {
        #[test]
        fn a_duration_is_in_the_bucket_that_holds_it(bits in 0u32..43, low in any::<u64>()) {
            let duration_us = 1 << bits | low & ((1 << bits) - 1);
            let held = bounds(bucket(duration_us)).unwrap();
            prop_assert!(held.contains(&duration_us), "{duration_us} in {held:?}");
            prop_assert!((held.end - held.start - 1) * 16 <= held.start);
        }

        #[test]
        fn a_longer_duration_is_in_no_earlier_bucket(one in any::<u64>(), other in any::<u64>()) {
            prop_assert!(bucket(one.min(other)) <= bucket(one.max(other)));
        }
    }
}
