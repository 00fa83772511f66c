//! The check of a cell's metrics: which counting each is of, and whether its numbers can be that counting's.

use proto::{SUM_LIMIT, v1};
use rollout::{
    evidence::unit::POSITIONS,
    measure::{Counting, Per},
};

use super::{COUNT_LIMIT, ascend, faults::Faults, known::Known, path::Path};
use crate::{health::frames::MetricCell, record::RolloutRecord};

/// Words of bits for all numbers of countings.
const METRIC_WORDS: usize = 1_024 / 64;
/// Positions of one unit bucket.
const PER_BUCKET: u32 = POSITIONS / 64;

pub(super) fn check_metrics(
    faults: &mut Faults,
    path: &Path<'_>,
    metrics: Vec<v1::MetricCell>,
    rollout: Option<&RolloutRecord>,
) -> Vec<MetricCell> {
    let measured = rollout.map_or(usize::from(u16::MAX), |rollout| rollout.counted.len());
    let mut numbers = Known::<METRIC_WORDS>::default();
    let mut checked = Vec::with_capacity(metrics.len());
    for (number, cell) in metrics.into_iter().enumerate() {
        let path = path.within("metrics", number);
        let metric = u16::try_from(cell.metric)
            .ok()
            .filter(|metric| usize::from(*metric) < measured);
        faults.check(
            metric.is_some(),
            || format!("{path}.metric"),
            "is not measured in this rollout",
        );
        faults.check(
            numbers.insert(cell.metric as usize),
            || format!("{path}.metric"),
            "stands twice in this cell",
        );
        let positions = cell.bad_positions.iter().all(|position| *position < POSITIONS) && ascend(&cell.bad_positions);
        faults.check(
            positions,
            || format!("{path}.bad_positions"),
            "must be below 2^18 and ascend",
        );
        let counting = rollout
            .zip(metric)
            .and_then(|(rollout, metric)| rollout.counted.get(usize::from(metric)))
            .map(|counted| &counted.counting);
        let names_units = counting.is_none_or(Counting::names_units);
        faults.check(
            names_units || cell.bad_positions.is_empty(),
            || format!("{path}.bad_positions"),
            "must be empty: this metric does not compare units",
        );
        let buckets = check_buckets(faults, &path, &cell, counting);
        faults.check(
            !positions
                || buckets
                    .as_ref()
                    .is_none_or(|buckets| is_counted(&cell.bad_positions, buckets)),
            || format!("{path}.bad_positions"),
            "must not be more in a bucket than its num",
        );
        if let Some(metric) = metric {
            checked.push(MetricCell {
                metric,
                buckets: buckets.unwrap_or_default(),
                bad: cell.bad_positions,
            });
        }
    }
    checked
}

/// Whether each position has failed in its bucket. Positions and buckets ascend.
fn is_counted(positions: &[u32], buckets: &[(u8, i64, u64)]) -> bool {
    let in_one_bucket = positions.chunk_by(|one, other| one / PER_BUCKET == other / PER_BUCKET);
    in_one_bucket.into_iter().all(|some| {
        let bucket = some.first().map(|position| position / PER_BUCKET);
        let counted = buckets.iter().find(|(number, ..)| Some(u32::from(*number)) == bucket);
        counted.is_some_and(|(_, num, _)| usize::try_from(*num).is_ok_and(|num| some.len() <= num))
    })
}

/// (Bucket, numerator, denominator) of the buckets that have counts; none, and a fault, if that cannot be said.
fn check_buckets(
    faults: &mut Faults,
    path: &Path<'_>,
    cell: &v1::MetricCell,
    counting: Option<&Counting>,
) -> Option<Vec<(u8, i64, u64)>> {
    let buckets = &cell.buckets;
    let numbers = buckets.iter().all(|bucket| *bucket < 64) && ascend(buckets);
    faults.check(numbers, || format!("{path}.buckets"), "must be 0 to 63 and ascend");
    let alike = cell.num.len() == buckets.len() && cell.den.len() == buckets.len();
    faults.check(alike, || format!("{path}.buckets"), "must be as many as num and den");
    if !numbers || !alike {
        return None;
    }
    let mut checked = Vec::with_capacity(buckets.len());
    for (at, bucket) in buckets.iter().enumerate() {
        let (num, den) = (cell.num[at], cell.den[at]);
        faults.check(
            den <= COUNT_LIMIT,
            || format!("{path}.den[{at}]"),
            "must be at most 2^40",
        );
        check_num(faults, || format!("{path}.num[{at}]"), (num, den), counting);
        if num != 0 || den != 0 {
            checked.push((*bucket as u8, num, den));
        }
    }
    Some(checked)
}

/// A numerator: of counts at most its denominator, of values within what each of them may count for.
fn check_num(faults: &mut Faults, field: impl Fn() -> String, (num, den): (i64, u64), counting: Option<&Counting>) {
    match counting {
        Some(Counting::Sum {
            per, minimum, maximum, ..
        }) => {
            faults.check(
                num.unsigned_abs() <= SUM_LIMIT,
                &field,
                "must be within 2^60 millionths",
            );
            let (least, most) = (
                i128::from(*minimum) * i128::from(den),
                i128::from(*maximum) * i128::from(den),
            );
            let is_within = *per == Per::Exposure || (least..=most).contains(&i128::from(num));
            faults.check(is_within, &field, "is beyond what so many values may count for");
        }
        Some(counting) if !counting.is_part() => {
            let is_count = u64::try_from(num).is_ok_and(|num| num <= COUNT_LIMIT);
            faults.check(is_count, &field, "must be between 0 and 2^40");
        }
        Some(_) | None => {
            let within = u64::try_from(num).is_ok_and(|num| num <= den);
            faults.check(within, &field, "must be between 0 and its den");
        }
    }
}
