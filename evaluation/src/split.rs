//! Buckets to variants: a share as written, and the intervals that it becomes.
//!
//! Without ranges, shares take cumulative intervals in the order written: the first from bucket 0 up. Ranges say it run by
//! run, so that an edit can leave everybody where they are who need not move; `allot` lays them.

use crate::bucket::{Salted, Unit};
use crate::compiled::VariantIndex;
use crate::percentage::Buckets;

/// One variant's part of a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The variant's name.
    pub variant: String,
    /// How many of the 100,000 buckets it holds; the shares of a split sum to 100,000.
    pub buckets: Buckets,
}

/// Buckets to variants, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// How much each variant gets, a variant once; their buckets sum to 100,000.
    pub shares: Vec<Share>,
    /// Which buckets: runs from bucket 0 up, a variant as often as needed, in all as many buckets as its share. Empty: the
    /// shares in the order written.
    pub ranges: Vec<Share>,
}

/// A split as it is evaluated.
#[derive(Debug)]
pub(crate) struct CompiledSplit {
    /// Draws the bucket.
    pub(crate) salted: Salted,
    /// Who holds which bucket.
    pub(crate) ranges: Ranges,
}

/// Who holds which bucket. Two runs are a percentage, which nearly all splits are: they need no array.
#[derive(Debug)]
pub(crate) enum Ranges {
    /// The buckets below `border`, and the others.
    Two {
        /// The first bucket of `above`.
        border: u32,
        /// Holds the lower buckets.
        below: VariantIndex,
        /// Holds the others.
        above: VariantIndex,
    },
    /// Intervals in ascending order; the last ends at 100,000.
    Many(Box<[Interval]>),
}

/// The buckets from the end of the interval before up to `end`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interval {
    /// The first bucket that no longer belongs.
    pub(crate) end: u32,
    /// Who holds it.
    pub(crate) variant: VariantIndex,
}

impl CompiledSplit {
    /// The bucket of a unit, and the variant that holds it.
    #[inline]
    pub(crate) fn draw(&self, unit: Unit<'_>) -> (u32, Option<VariantIndex>) {
        let bucket = self.salted.bucket(unit);
        (bucket, self.ranges.holder(bucket))
    }
}

impl Ranges {
    /// The intervals, which cover all buckets, in their smallest form.
    pub(crate) fn new(intervals: Vec<Interval>) -> Ranges {
        match intervals[..] {
            [below, above] => Ranges::Two {
                border: below.end,
                below: below.variant,
                above: above.variant,
            },
            _ => Ranges::Many(intervals.into()),
        }
    }

    #[inline]
    fn holder(&self, bucket: u32) -> Option<VariantIndex> {
        match self {
            Ranges::Two { border, below, above } => Some(if bucket < *border { *below } else { *above }),
            Ranges::Many(intervals) => {
                let at = intervals.partition_point(|interval| interval.end <= bucket);
                intervals.get(at).map(|interval| interval.variant)
            }
        }
    }
}
