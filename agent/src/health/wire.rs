//! Turns counts into the cells of frames.
//!
//! A frame must fit a message, and a metric of a large fleet can have 2^18 positions. So cells go on in another frame
//! once one is large: metrics of one cell may be in several, its own counts are in the first. No metric is twice in a
//! cell.

use std::{collections::BTreeMap, sync::Arc};

use evaluation::Position;
use prost::Message as _;
use proto::v1;

use super::{
    classes::name,
    slice::{CellKey, Counts, MetricCounts},
};

/// A frame of so many bytes takes nothing more. With the largest metric on top it is below two of these and a half.
const FRAME_BYTES: usize = 512 * 1024;

/// The cells of each frame that a slice takes; one frame without any if there are no counts. `classes`: the names of
/// the classes by number. Complexity: linear, and sorting of positions.
pub(crate) fn frames(cells: BTreeMap<CellKey, Counts>, classes: &[Arc<str>]) -> Vec<Vec<v1::Cell>> {
    let mut packing = Packing::default();
    for (key, mut counts) in cells {
        let metrics = std::mem::take(&mut counts.metrics);
        packing.begin(cell(key, counts, classes));
        for (number, metric) in (0..=u16::MAX).zip(metrics) {
            for part in metric_cells(number, metric) {
                packing.add(key, part);
            }
        }
    }
    packing.finish()
}

/// Frames that are being filled.
#[derive(Debug, Default)]
struct Packing {
    full: Vec<Vec<v1::Cell>>,
    /// Of the frame that is being filled.
    cells: Vec<v1::Cell>,
    /// Of these cells.
    bytes: usize,
}

impl Packing {
    /// Begins a cell.
    fn begin(&mut self, cell: v1::Cell) {
        if self.bytes >= FRAME_BYTES {
            self.seal();
        }
        self.bytes += cell.encoded_len();
        self.cells.push(cell);
    }

    /// Adds a metric to the cell that was begun last, which is of this key.
    fn add(&mut self, key: CellKey, metric: v1::MetricCell) {
        let repeats = |cell: &v1::Cell| cell.metrics.last().is_some_and(|last| last.metric == metric.metric);
        if self.bytes >= FRAME_BYTES || self.cells.last().is_some_and(repeats) {
            self.seal();
            self.begin(bare(key));
        }
        self.bytes += metric.encoded_len();
        if let Some(cell) = self.cells.last_mut() {
            cell.metrics.push(metric);
        }
    }

    fn seal(&mut self) {
        self.full.push(std::mem::take(&mut self.cells));
        self.bytes = 0;
    }

    fn finish(mut self) -> Vec<Vec<v1::Cell>> {
        if self.full.is_empty() || !self.cells.is_empty() {
            self.seal();
        }
        self.full
    }
}

/// A cell without counts.
fn bare(key: CellKey) -> v1::Cell {
    v1::Cell {
        stage: u32::from(key.stage),
        stratum: u32::from(key.stratum),
        arm: u32::from(u8::from(key.arm)),
        ..v1::Cell::default()
    }
}

/// A cell without its metrics.
fn cell(key: CellKey, counts: Counts, names: &[Arc<str>]) -> v1::Cell {
    v1::Cell {
        exposures: counts.exposures,
        outcomes: counts.outcomes,
        lost: counts.lost,
        exposed_positions: ascending(counts.exposed),
        last_exposure_us: counts.last_exposure_us,
        durations: counts.durations.to_wire(),
        classes: class_counts(&counts.classes, names),
        sampled_outcomes: counts.sampled_outcomes,
        ..bare(key)
    }
}

/// The classes with failures, the largest first, equal ones by name.
fn class_counts(counts: &[u64], names: &[Arc<str>]) -> Vec<v1::ClassCount> {
    let counted = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let mut classes: Vec<_> = counted
        .map(|(index, count)| v1::ClassCount {
            class: name(names, index).to_owned(),
            count: *count,
        })
        .collect();
    classes.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.class.cmp(&other.class)));
    classes
}

/// A metric as often as its sums take frames; none if it has no counts.
fn metric_cells(number: u16, counts: MetricCounts) -> Vec<v1::MetricCell> {
    let mut cells = counts.sums.cells(number);
    if let Some(first) = cells.first_mut() {
        first.bad_positions = ascending(counts.bad);
    }
    cells
}

fn ascending(positions: Vec<Position>) -> Vec<u32> {
    let mut numbers: Vec<_> = positions.into_iter().map(Position::get).collect();
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use evaluation::Arm;
    use proto::SUM_LIMIT;

    use super::*;
    use crate::health::counting::Step;

    const KEY: CellKey = CellKey {
        stage: 3,
        stratum: 2,
        arm: Arm::Treatment,
    };

    fn position(number: u32) -> Position {
        Position::new(number).unwrap()
    }

    fn step(num: i128) -> Step {
        Step {
            num,
            den: 1,
            ..Step::default()
        }
    }

    #[test]
    fn a_cell_says_what_was_counted_and_nothing_of_metrics_that_were_not() {
        let mut counts = Counts {
            exposures: 9,
            outcomes: 8,
            lost: 1,
            sampled_outcomes: 2,
            last_exposure_us: 77,
            exposed: vec![position(128), position(64)],
            classes: vec![1, 0, 5, 5],
            ..Counts::default()
        };
        counts.add_step(2, position(5), step(1));
        counts.metric(2).bad = vec![position(9), position(5)];
        let names: Vec<Arc<str>> = ["db", "none", "card"].map(Arc::from).into();
        let frames = frames([(KEY, counts)].into(), &names);
        let [cells] = &frames[..] else { panic!("{frames:?}") };
        let class = |class: &str, count| v1::ClassCount {
            class: class.to_owned(),
            count,
        };
        let expected = v1::Cell {
            stage: 3,
            stratum: 2,
            arm: 1,
            exposures: 9,
            outcomes: 8,
            lost: 1,
            metrics: vec![v1::MetricCell {
                metric: 2,
                buckets: vec![0],
                num: vec![1],
                den: vec![1],
                bad_positions: vec![5, 9],
            }],
            exposed_positions: vec![64, 128],
            last_exposure_us: 77,
            durations: None,
            classes: vec![class("card", 5), class("other", 5), class("db", 1)],
            sampled_outcomes: 2,
        };
        assert_eq!(cells[..], [expected]);
    }

    #[test]
    fn without_counts_there_is_one_frame_without_cells() {
        assert_eq!(frames(BTreeMap::new(), &[]), [Vec::new()]);
    }

    #[test]
    fn a_large_cell_goes_on_in_another_frame_and_counts_once() {
        let mut counts = Counts {
            outcomes: 7,
            ..Counts::default()
        };
        for metric in 0..3 {
            counts.add_step(metric, position(1), step(1));
            counts.metric(usize::from(metric)).bad = (0..1 << 18).map(position).collect();
        }
        let frames = frames([(KEY, counts)].into(), &[]);
        assert_eq!(frames.len(), 3);
        let cells: Vec<_> = frames.iter().flatten().collect();
        assert_eq!(cells.iter().map(|cell| cell.outcomes).sum::<u64>(), 7);
        let metrics: Vec<_> = cells.iter().flat_map(|cell| &cell.metrics).collect();
        assert_eq!(
            metrics.iter().map(|metric| metric.metric).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        assert!(metrics.iter().all(|metric| metric.bad_positions.len() == 1 << 18));
        let sizes = frames
            .iter()
            .map(|cells| cells.iter().map(|cell| cell.encoded_len()).sum::<usize>());
        assert!(sizes.max().unwrap() < 5 * FRAME_BYTES / 2);
    }

    #[test]
    fn sums_that_take_several_frames_tell_their_positions_once() {
        let mut counts = Counts::default();
        let limit = i64::try_from(SUM_LIMIT).unwrap();
        counts.add_step(0, position(1), step(i128::from(limit)));
        counts.add_step(0, position(1), step(i128::from(limit)));
        counts.metric(0).bad = vec![position(1)];
        counts.add_step(1, position(1), step(1));
        let frames = frames([(KEY, counts)].into(), &[]);
        let told = |cells: &Vec<v1::Cell>| -> Vec<(u32, i64, usize)> {
            let metrics = cells.iter().flat_map(|cell| &cell.metrics);
            metrics
                .map(|metric| (metric.metric, metric.num[0], metric.bad_positions.len()))
                .collect()
        };
        assert_eq!(
            frames.iter().map(told).collect::<Vec<_>>(),
            [vec![(0, limit, 1)], vec![(0, limit, 0), (1, 1, 0)]]
        );
    }
}
