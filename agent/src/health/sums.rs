//! The numerator and denominator of a metric by unit bucket.
//!
//! Sparse, because a shard has four of the 64 buckets and most cells have few metrics. Sums in memory have room for
//! whatever values may come; the control plane takes numerators up to a limit, and only as large as so many values may
//! be, so a larger sum is told in parts of several frames, each with its share of the values.

use evaluation::Position;
use proto::{SUM_LIMIT, v1};

use super::counting::Step;

/// Frames over which one sum is spread at most; reached only by values near the largest that there are.
const PARTS: usize = 16;

/// The sums of one metric.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sums(Vec<Sum>);

/// The sum of one unit bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sum {
    /// 0 to 63.
    bucket: u8,
    num: i128,
    den: u64,
}

impl Sums {
    /// Adds to the bucket of a position.
    pub(crate) fn add(&mut self, position: Position, step: Step) {
        self.add_to(position.unit_bucket(), step.num, step.den);
    }

    /// Adds other sums of the metric.
    pub(crate) fn add_all(&mut self, other: &Self) {
        for sum in &other.0 {
            self.add_to(sum.bucket, sum.num, sum.den);
        }
    }

    fn add_to(&mut self, bucket: u8, num: i128, den: u64) {
        let at = match self.0.binary_search_by_key(&bucket, |sum| sum.bucket) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, Sum { bucket, num: 0, den: 0 });
                at
            }
        };
        let sum = &mut self.0[at];
        // 2^63 counts, or sums of as many values, are not reached.
        sum.num += num;
        sum.den += den;
    }

    /// Whether nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All buckets together.
    #[cfg(test)]
    pub(crate) fn total(&self) -> (i128, u64) {
        self.0
            .iter()
            .fold((0, 0), |(num, den), sum| (num + sum.num, den + sum.den))
    }

    /// As cells of a metric on the wire, one for each frame that it takes: mostly one. Complexity: linear.
    pub(crate) fn cells(mut self, metric: u16) -> Vec<v1::MetricCell> {
        let mut cells = Vec::with_capacity(1);
        while !self.is_empty() && cells.len() < PARTS {
            let mut cell = v1::MetricCell {
                metric: u32::from(metric),
                ..v1::MetricCell::default()
            };
            for sum in &mut self.0 {
                let (num, den) = sum.take_part();
                cell.buckets.push(u32::from(sum.bucket));
                cell.num.push(num);
                cell.den.push(den);
            }
            cells.push(cell);
            self.0.retain(|sum| sum.num != 0 || sum.den != 0);
        }
        if !self.is_empty() {
            tracing::error!(metric, "sums of values are too large for frames and are cut off");
        }
        cells
    }
}

impl Sum {
    /// Takes as much as one frame may tell; mostly all.
    ///
    /// A part of the values has the same part of their sum, rounded down. With whole bounds of a value, neither it nor
    /// what stays is then beyond what so many values may come to.
    fn take_part(&mut self) -> (i64, u64) {
        let parts = self.num.unsigned_abs().div_ceil(u128::from(SUM_LIMIT)).max(1);
        // The parts of 2^64 values are not more than 2^64.
        let share = u64::try_from(u128::from(self.den) / parts).unwrap_or(u64::MAX);
        let limit = i128::from(SUM_LIMIT);
        let (num, den) = if parts == 1 {
            (self.num, self.den)
        } else if share > 0 {
            let (all, part) = (i128::from(self.den), i128::from(share));
            let num = self.num.div_euclid(all) * part + self.num.rem_euclid(all) * part / all;
            (num, share)
        } else {
            // More than so many values may be: those of exposures, which are counted elsewhere.
            (self.num.clamp(-limit, limit), self.den)
        };
        self.num -= num;
        self.den -= den;
        // Within the limit, which fits.
        (i64::try_from(num).unwrap_or(0), den)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn step(num: i128, den: u64) -> Step {
        Step {
            num,
            den,
            ..Step::default()
        }
    }

    fn position(bucket: u32) -> Position {
        Position::new(bucket << 12).unwrap()
    }

    #[test]
    fn buckets_are_summed_apart_and_told_in_order() {
        let (mut sums, mut other) = (Sums::default(), Sums::default());
        for (bucket, num) in [(63, 1), (0, -5), (63, 2), (16, 0)] {
            sums.add(position(bucket), step(num, 1));
        }
        other.add(position(17), step(7, 2));
        sums.add_all(&other);
        let cells = sums.cells(3);
        let [cell] = &cells[..] else { panic!("{cells:?}") };
        assert_eq!((cell.metric, &cell.buckets[..]), (3, &[0, 16, 17, 63][..]));
        assert_eq!((&cell.num[..], &cell.den[..]), (&[-5, 0, 7, 3][..], &[1, 1, 2, 2][..]));
    }

    /// What the control plane asks of a part of a sum of values within these bounds.
    fn assert_taken(cells: &[v1::MetricCell], (least, most): (i128, i128)) {
        for (num, den) in cells.iter().flat_map(|cell| cell.num.iter().zip(&cell.den)) {
            assert!(num.unsigned_abs() <= SUM_LIMIT, "{num}");
            let (num, den) = (i128::from(*num), i128::from(*den));
            assert!((least * den..=most * den).contains(&num), "{num} of {den} values");
        }
    }

    fn total_of(cells: &[v1::MetricCell]) -> (i128, u64) {
        let num = cells
            .iter()
            .flat_map(|cell| &cell.num)
            .map(|num| i128::from(*num))
            .sum();
        (num, cells.iter().flat_map(|cell| &cell.den).sum())
    }

    #[test]
    fn what_does_not_fit_the_wire_goes_with_the_next_frame() {
        let limit = i128::from(SUM_LIMIT);
        let mut sums = Sums::default();
        for _ in 0..3 {
            sums.add(position(1), step(limit, 1));
            sums.add(position(2), step(-limit, 1));
        }
        sums.add(position(3), step(1, 1));
        let total = sums.total();
        let cells = sums.cells(0);
        assert_eq!(cells.len(), 3);
        assert_taken(&cells, (-limit, limit));
        assert_eq!(total_of(&cells), total);
    }

    #[test]
    fn at_the_limit_one_frame_is_enough_and_beyond_it_two() {
        let limit = i128::from(SUM_LIMIT);
        for (num, frames) in [(limit, 1), (-limit, 1), (limit + 1, 2), (-limit - 1, 2)] {
            let mut sums = Sums::default();
            sums.add(position(1), step(num, 10));
            let cells = sums.cells(0);
            assert_eq!(cells.len(), frames, "{num}");
            assert_taken(&cells, (-limit, limit));
            assert_eq!(total_of(&cells), (num, 10));
        }
    }

    #[test]
    fn values_of_exposures_that_are_elsewhere_are_told_in_parts_too() {
        let mut sums = Sums::default();
        sums.add(position(1), step(2 * i128::from(SUM_LIMIT) + 7, 0));
        let cells = sums.cells(0);
        let limit = i64::try_from(SUM_LIMIT).unwrap();
        let nums: Vec<_> = cells.iter().flat_map(|cell| &cell.num).copied().collect();
        assert_eq!(nums, [limit, limit, 7]);
    }

    proptest! {
        #[test]
        fn no_part_of_a_sum_is_beyond_what_its_values_may_be(
            bounds in (-(1_i64 << 60)..=1 << 60, -(1_i64 << 60)..=1 << 60),
            values in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
            more in 0..3_u32,
        ) {
            let (least, most) = (bounds.0.min(bounds.1), bounds.0.max(bounds.1));
            let width = usize::try_from(most - least + 1).unwrap();
            let mut sums = Sums::default();
            for value in &values {
                let value = i128::from(least) + value.index(width) as i128;
                let times = 10_u64.pow(more);
                sums.add(position(1), step(value * i128::from(times), times));
            }
            let total = sums.total();
            let cells = sums.cells(0);
            assert_taken(&cells, (least.into(), most.into()));
            if cells.len() < PARTS {
                prop_assert_eq!(total_of(&cells), total);
            }
        }
    }

    #[test]
    fn the_largest_sums_do_not_make_frames_without_end() {
        let mut sums = Sums::default();
        sums.add(position(1), step(i128::from(i64::MAX) * 100, 100));
        assert_eq!(sums.cells(0).len(), PARTS);
    }
}
