//! A rollout over time: its sealed batches as points, each the sum of some that follow each other.
//!
//! Pure, and one batch at a time. Points are sums and not samples, so that a peak between two of them is not lost; a batch
//! is in one point only, whatever page it is read in.

use rollout::measure::{Counted, Counting};

use crate::store::model::{SealedArm, SealedBatch, SealedCounts};

/// Batches that become points.
#[derive(Debug)]
pub(crate) struct Thinner {
    series: Vec<Series>,
    /// How many batches a point holds.
    group: u64,
}

/// One counting over time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// Its number.
    pub(crate) metric: u16,
    /// How it is counted.
    pub(crate) counted: Counted,
    /// In the order of time.
    pub(crate) points: Vec<Point>,
}

/// Some batches that follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// The first of them, from 1.
    pub(crate) batch: u64,
    /// How many.
    pub(crate) batches: u64,
    /// When the last of them was sealed.
    pub(crate) at_us: i64,
    /// What treatment had.
    pub(crate) treatment: Sum,
    /// What control had.
    pub(crate) control: Sum,
    /// ln of the evidence number after the last of them.
    pub(crate) log_evidence: Option<f64>,
}

/// Numerators and denominators, added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sum {
    num: i128,
    den: u64,
}

impl Thinner {
    /// For these countings, by their numbers; `group` batches become a point.
    pub(crate) fn new(counted: impl IntoIterator<Item = (u16, Counted)>, group: u64) -> Self {
        let series = counted.into_iter().map(|(metric, counted)| Series {
            metric,
            counted,
            points: Vec::new(),
        });
        Self {
            series: series.collect(),
            group: group.max(1),
        }
    }

    /// Adds a batch, the next by its number.
    pub(crate) fn add(&mut self, number: u64, batch: &SealedBatch) {
        // The first point may begin anywhere; the others begin where a point of the whole would.
        let begins = number.saturating_sub(1).is_multiple_of(self.group);
        for series in &mut self.series {
            let point = match series.points.last_mut().filter(|_| !begins) {
                Some(point) => point,
                None => {
                    series.points.push(Point::begin(number));
                    // Just pushed.
                    let Some(point) = series.points.last_mut() else { return };
                    point
                }
            };
            point.batches += 1;
            point.at_us = batch.sealed_at_us;
            point.log_evidence = batch.log_evidence;
            let of_metric = |counts: &&SealedCounts| counts.metric == u32::from(series.metric);
            for arm in batch.counts.iter().filter(of_metric).flat_map(SealedCounts::arms) {
                if arm.treatment {
                    point.treatment.add(arm);
                } else {
                    point.control.add(arm);
                }
            }
        }
    }

    /// The series so far.
    pub(crate) fn finish(self) -> Vec<Series> {
        self.series
    }
}

impl Point {
    fn begin(batch: u64) -> Self {
        Self {
            batch,
            batches: 0,
            at_us: 0,
            treatment: Sum::default(),
            control: Sum::default(),
            log_evidence: None,
        }
    }
}

impl Sum {
    fn add(&mut self, arm: &SealedArm) {
        self.num = self.num.saturating_add(arm.sum());
        self.den = self.den.saturating_add(arm.count());
    }

    /// The numerator in the unit of the metric; of what completes, those that did.
    pub(crate) fn num(self, counting: &Counting) -> f64 {
        match counting {
            Counting::Sum { .. } => self.num as f64 / 1e6,
            Counting::Lost => (i128::from(self.den) - self.num) as f64,
            Counting::Errors { .. }
            | Counting::Timeouts
            | Counting::Status { .. }
            | Counting::Slower { .. }
            | Counting::Above { .. }
            | Counting::Hits { .. } => self.num as f64,
        }
    }

    /// The denominator.
    pub(crate) fn den(self) -> u64 {
        self.den
    }

    /// The rate or the mean; none of nothing.
    pub(crate) fn value(self, counting: &Counting) -> Option<f64> {
        (self.den > 0).then(|| self.num(counting) / self.den as f64)
    }
}

/// How many batches a point must hold, so that there are no more than so many points of all.
pub(crate) fn group(sealed: u64, points: u64) -> u64 {
    sealed.div_ceil(points.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use evaluation::Arm;
    use rollout::evidence::arm::Buckets;

    use super::*;

    fn batch(at_us: i64, bad: i64, log_evidence: Option<f64>) -> SealedBatch {
        let mut counts = SealedCounts::new(3, 0);
        for (arm, num) in [(Arm::Treatment, bad), (Arm::Control, 1)] {
            let mut buckets = Buckets::new();
            buckets.add(0, num, 10);
            buckets.add(63, 0, 10);
            counts.add(arm, (0, 1), &buckets);
        }
        let mut batch = SealedBatch::new(at_us, 1, &rollout::State::draft(0, 0));
        batch.counts = vec![SealedCounts::new(0, 0), counts];
        batch.log_evidence = log_evidence;
        batch
    }

    fn thinned(group: u64, numbers: std::ops::RangeInclusive<u64>) -> Vec<Point> {
        let counting = Counting::Errors { expected: Vec::new() };
        let counted = Counted {
            metric: "error-rate".to_owned(),
            counting: counting.clone(),
        };
        let mut thinner = Thinner::new([(3, counted)], group);
        for number in numbers {
            thinner.add(number, &batch(number as i64, number as i64, Some(number as f64)));
        }
        thinner.finish().swap_remove(0).points
    }

    #[test]
    fn a_point_is_the_sum_of_its_batches() {
        let points = thinned(3, 1..=7);
        let told: Vec<_> = points
            .iter()
            .map(|point| {
                (
                    point.batch,
                    point.batches,
                    point.at_us,
                    point.treatment.num,
                    point.treatment.den,
                )
            })
            .collect();
        assert_eq!(told, [(1, 3, 3, 6, 60), (4, 3, 6, 15, 60), (7, 1, 7, 7, 20)]);
        assert_eq!(points[1].control, Sum { num: 3, den: 60 });
        assert_eq!(points[2].log_evidence, Some(7.0));
        let errors = Counting::Errors { expected: Vec::new() };
        assert_eq!(points[0].treatment.value(&errors), Some(0.1));
    }

    #[test]
    fn pages_cut_a_series_where_points_end() {
        let whole = thinned(3, 1..=12);
        let pages = [thinned(3, 1..=6), thinned(3, 7..=12)].concat();
        assert_eq!(pages, whole);
    }

    #[test]
    fn values_are_in_the_unit_of_their_metric() {
        let sum = Sum {
            num: 2_500_000,
            den: 5_000_000,
        };
        let money = Counting::Sum {
            value: "revenue".to_owned(),
            minimum: 0,
            maximum: 0,
            per: rollout::measure::Per::Exposure,
        };
        assert_eq!(sum.value(&money), Some(2.5 / 5_000_000.0));
        assert_eq!(sum.value(&Counting::Lost), Some(0.5));
        assert_eq!(Sum::default().value(&money), None);
    }

    #[test]
    fn there_are_no_more_points_than_were_asked_for() {
        for (sealed, points, expected) in [(0, 200, 1), (199, 200, 1), (201, 200, 2), (1_000, 200, 5), (7, 0, 7)] {
            let group = group(sealed, points);
            assert_eq!(group, expected, "{sealed} {points}");
            assert!(sealed.div_ceil(group) <= points.max(1));
        }
    }
}
