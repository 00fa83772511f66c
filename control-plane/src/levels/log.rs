//! The readings of a rollout as they are kept: those that were taken in together under one number, from 1 on.
//!
//! A rollout of months has more of them than are worth keeping, so the oldest go. What had been held by then is written
//! down at every checkpoint, and a replay begins at the first one that is left: what it holds after any number is what
//! was held.

use super::{HeldLevels, Read};

/// For so many numbers readings are kept.
const MOST_KEPT: u64 = 50_000;
/// From one checkpoint to the next.
const CHECKPOINT: u64 = 1_000;

/// Readings that were taken in together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    /// In their order.
    pub(crate) readings: Vec<Read>,
    /// When they were taken in.
    pub(crate) noted_at_us: i64,
    /// Whether they are the first since the process began: it may have been away before.
    pub(crate) is_first: bool,
    /// At a checkpoint: what was held before them.
    pub(crate) before: Option<HeldLevels>,
}

/// The readings that can be taken in again, one number after the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Log {
    /// What was held before the first of them.
    pub(crate) before: HeldLevels,
    /// Those that followed, without a gap.
    pub(crate) kept: Vec<Kept>,
}

/// A number that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("reading {0} of its levels is missing")]
pub(crate) struct Gap(u64);

/// Whether what was held before is written down with the readings of this number. Before the first nothing is held.
pub(super) fn is_checkpoint(number: u64) -> bool {
    number > 1 && number % CHECKPOINT == 1
}

/// The number that is kept no longer when this one is.
pub(super) fn beyond(number: u64) -> Option<u64> {
    number.checked_sub(MOST_KEPT).filter(|oldest| *oldest > 0)
}

impl Log {
    /// Of all that are kept, in the order of their numbers.
    pub(crate) fn of(all: impl Iterator<Item = (u64, Kept)>) -> Result<Self, Gap> {
        let is_behind = |(number, kept): &(u64, Kept)| *number > 1 && kept.before.is_none();
        let mut log = Self::default();
        for (number, mut kept) in all.skip_while(is_behind) {
            if log.kept.is_empty() {
                log.before = kept.before.take().unwrap_or_default();
            }
            let next = log.before.last + log.kept.len() as u64 + 1;
            if number != next {
                return Err(Gap(next));
            }
            log.kept.push(kept);
        }
        Ok(log)
    }

    /// The metrics that were read.
    pub(crate) fn metrics(&self) -> impl Iterator<Item = &str> {
        let before = self.before.metrics.keys();
        let read = self.kept.iter().flat_map(|kept| &kept.readings);
        before.chain(read.map(|(metric, ..)| metric)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use evaluation::Arm;

    use super::*;
    use crate::levels::{Reading, Source};

    /// So many readings as they are written, with the checkpoints among them; and what is held after each.
    fn written(numbers: u64) -> (Vec<(u64, Kept)>, Vec<HeldLevels>) {
        let mut held = vec![HeldLevels::default()];
        let all = (1..=numbers).map(|number| {
            let reading = Reading {
                value: Ok(number as f64),
                at_us: number as i64,
                until_us: number as i64 + 9,
                source: Source::Pushed,
            };
            // Of one metric nothing was said since.
            let metric = if number == 3 { "depth" } else { "cpu" };
            let readings = vec![(metric.to_owned(), Arm::Treatment, reading)];
            let before = held.last().unwrap().clone();
            let mut after = before.clone();
            after.take_in(&readings, number as i64);
            held.push(after);
            let kept = Kept {
                readings,
                noted_at_us: number as i64,
                is_first: false,
                before: is_checkpoint(number).then_some(before),
            };
            (number, kept)
        });
        (all.collect(), held)
    }

    #[test]
    fn whatever_is_left_is_taken_in_again_to_what_was_held() {
        let (all, held) = written(3 * CHECKPOINT);
        for gone in [0, 1, CHECKPOINT - 1, CHECKPOINT, 2 * CHECKPOINT, 2 * CHECKPOINT + 1] {
            let left = all.iter().filter(|(number, _)| *number > gone).cloned();
            let log = Log::of(left).unwrap();
            let mut again = log.before.clone();
            assert!(again.last <= gone + CHECKPOINT);
            assert_eq!(again, held[again.last as usize], "{gone}");
            for kept in &log.kept {
                again.take_in(&kept.readings, kept.noted_at_us);
                assert_eq!(again, held[again.last as usize], "{gone}");
            }
            let all_of_them = again.last == 3 * CHECKPOINT || log.kept.is_empty();
            assert!(all_of_them, "{gone}");
        }
    }

    #[test]
    fn a_gap_is_named_and_not_passed_over() {
        let (mut all, _) = written(9);
        all.remove(4);
        assert_eq!(Log::of(all.into_iter()), Err(Gap(5)));
    }

    #[test]
    fn the_oldest_goes_when_there_is_one_too_many() {
        assert_eq!(beyond(MOST_KEPT), None);
        assert_eq!(beyond(MOST_KEPT + 1), Some(1));
        assert_eq!(beyond(2 * MOST_KEPT), Some(MOST_KEPT));
        assert!(!is_checkpoint(1) && is_checkpoint(1_001) && !is_checkpoint(1_002));
    }
}
