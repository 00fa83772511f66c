//! The numerator and denominator of a metric by unit bucket.
//!
//! Sparse, because a shard has four of the 64 buckets and most cells have few metrics. Sums in memory have room for
//! whatever values may come; on the wire a numerator is of 64 bits, and what does not fit goes with the next frame.

use evaluation::Position;
use proto::v1;

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
                let part = i64::try_from(sum.num).unwrap_or(if sum.num > 0 { i64::MAX } else { i64::MIN });
                cell.buckets.push(u32::from(sum.bucket));
                cell.num.push(part);
                cell.den.push(std::mem::take(&mut sum.den));
                sum.num -= i128::from(part);
            }
            cells.push(cell);
            self.0.retain(|sum| sum.num != 0);
        }
        if !self.is_empty() {
            tracing::error!(metric, "sums of values are too large for frames and are cut off");
        }
        cells
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

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

    #[test]
    fn what_does_not_fit_the_wire_goes_with_the_next_frame() {
        let mut sums = Sums::default();
        for _ in 0..3 {
            sums.add(position(1), step(i128::from(i64::MAX), 1));
            sums.add(position(2), step(i128::from(i64::MIN), 1));
        }
        sums.add(position(3), step(1, 1));
        let total = sums.total();
        let cells = sums.cells(0);
        assert_eq!(cells.len(), 3);
        let num: i128 = cells
            .iter()
            .flat_map(|cell| &cell.num)
            .map(|num| i128::from(*num))
            .sum();
        let den: u64 = cells.iter().flat_map(|cell| &cell.den).sum();
        assert_eq!((num, den), total);
    }

    #[test]
    fn the_largest_sums_do_not_make_frames_without_end() {
        let mut sums = Sums::default();
        sums.add(position(1), step(i128::from(i64::MAX) * 100, 100));
        assert_eq!(sums.cells(0).len(), PARTS);
    }
}
