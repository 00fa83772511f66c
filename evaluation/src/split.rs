//! Buckets to variants: a share as written, and the intervals that it becomes.
//!
//! Shares take cumulative intervals in the order written: the first from bucket 0 up. So growing the first share takes
//! nobody out of it, and what the others lose, they lose to their neighbour.

use crate::bucket::Salted;
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

/// A split as it is evaluated.
#[derive(Debug)]
pub(crate) struct CompiledSplit {
    /// Draws the bucket.
    pub(crate) salted: Salted,
    /// The intervals in ascending order; the last ends at 100,000.
    pub(crate) intervals: Box<[Interval]>,
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
    pub(crate) fn draw(&self, unit: &str) -> (u32, Option<VariantIndex>) {
        let bucket = self.salted.bucket(unit);
        let holder = self.intervals.iter().find(|interval| bucket < interval.end);
        (bucket, holder.map(|interval| interval.variant))
    }
}
