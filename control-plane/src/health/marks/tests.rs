#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn reporter(number: u64) -> Reporter {
    Reporter {
        agent: format!("agent-{number}").into(),
        epoch: number,
    }
}

#[test]
fn frames_in_order_leave_no_gap_and_repeats_are_known() {
    let mut mark = Mark::default();
    for sequence in 1..=1_000 {
        assert!(mark.take(sequence, 0));
        assert!(!mark.take(sequence, 0));
        assert_eq!(mark.contiguous(), sequence);
    }
}

#[test]
fn a_gap_holds_the_ack_back_until_it_is_filled() {
    let mut mark = Mark::default();
    for sequence in [1, 3, 4] {
        assert!(mark.take(sequence, 0));
    }
    assert_eq!(mark.contiguous(), 1);
    assert!(mark.take(2, 0));
    assert_eq!(mark.contiguous(), 4);
}

#[test]
fn the_window_may_be_full() {
    let mut mark = Mark::default();
    for sequence in 2..=65 {
        assert!(mark.take(sequence, 0));
    }
    // 65 is the 65th after 0: the window has moved over frame 1.
    assert_eq!(mark.contiguous(), 65);
    assert!(!mark.take(1, 0));
}

#[test]
fn what_is_missing_for_a_minute_is_given_up() {
    let mut mark = Mark::default();
    for sequence in [1, 5, 9] {
        mark.take(sequence, 0);
    }
    mark.close_gap(GAP_US - 1);
    assert_eq!(mark.contiguous(), 1);
    mark.close_gap(GAP_US);
    assert_eq!(mark.contiguous(), 5);
    // The next gap is waited for as long.
    mark.close_gap(GAP_US + 1);
    assert_eq!(mark.contiguous(), 5);
    mark.close_gap(2 * GAP_US);
    assert_eq!(mark.contiguous(), 9);
    mark.close_gap(9 * GAP_US);
    assert_eq!(mark.contiguous(), 9);
}

#[test]
fn the_largest_sequence_is_a_sequence() {
    let mut mark = Mark::default();
    assert!(mark.take(u64::MAX, 0));
    assert!(!mark.take(u64::MAX, 0));
    assert!(mark.knows(1));
}

#[test]
fn reporters_that_are_silent_for_long_are_forgotten_and_make_room() {
    let mut marks = Marks::default();
    for number in 0..3 {
        let mut mark = Mark::default();
        mark.take(1, i64::try_from(number).unwrap());
        marks.set(&reporter(number), mark);
    }
    marks.take_dirty();
    marks.forget_before(0);
    assert!(marks.take_dirty().is_empty());
    marks.forget_before(2);
    assert_eq!(
        marks.iter().map(|(reporter, _)| reporter.epoch).collect::<Vec<_>>(),
        [2]
    );
    assert_eq!(marks.take_dirty().len(), 1);
    assert!(!marks.get(&reporter(0)).knows(1));
}

#[test]
fn only_pages_with_news_are_written_and_a_page_holds_4096() {
    let mut marks = Marks::default();
    let mut mark = Mark::default();
    mark.take(1, 0);
    for number in 0..=PAGE_ROOM as u64 {
        marks.set(&reporter(number), mark);
    }
    let numbers = |pages: Vec<(u32, Bytes)>| pages.into_iter().map(|(number, _)| number).collect::<Vec<_>>();
    assert_eq!(numbers(marks.take_dirty()), [0, 1]);
    marks.set(&reporter(PAGE_ROOM as u64), mark);
    assert_eq!(numbers(marks.take_dirty()), [1]);
}

proptest! {
    /// Within a window of 64 a mark is exactly a set.
    #[test]
    fn any_order_and_any_repetition_is_a_set(sequences in prop::collection::vec(1_u64..=64, 0..300)) {
        let (mut mark, mut taken) = (Mark::default(), BTreeSet::new());
        for sequence in sequences {
            prop_assert_eq!(mark.take(sequence, 0), taken.insert(sequence));
            let contiguous = (1..).take_while(|sequence| taken.contains(sequence)).last().unwrap_or(0);
            prop_assert_eq!(mark.contiguous(), contiguous);
            for sequence in 1..=70 {
                prop_assert_eq!(mark.knows(sequence), taken.contains(&sequence));
            }
        }
    }

    /// However far frames jump, none is taken twice, and what was taken stays known.
    #[test]
    fn nothing_is_ever_taken_twice(
        steps in prop::collection::vec((prop_oneof![1_u64..200, 1_u64..100_000, any::<u64>()], 0_i64..30_000_000), 1..100),
    ) {
        let (mut mark, mut taken, mut now_us) = (Mark::default(), BTreeSet::new(), 0);
        for (sequence, later_us) in steps {
            let sequence = sequence.max(1);
            now_us += later_us;
            mark.close_gap(now_us);
            if mark.take(sequence, now_us) {
                prop_assert!(taken.insert(sequence));
            }
            prop_assert!(taken.iter().all(|sequence| mark.knows(*sequence)));
        }
    }

    #[test]
    fn marks_survive_the_store(frames in prop::collection::vec((0_u64..50, 1_u64..100), 0..300)) {
        let mut marks = Marks::default();
        for (number, sequence) in frames {
            let mut mark = marks.get(&reporter(number));
            mark.take(sequence, 5);
            marks.set(&reporter(number), mark);
        }
        let pages = marks.take_dirty().into_iter().map(|(number, value)| (number as usize, value)).collect::<Vec<_>>();
        let read = Marks::read(&pages).unwrap();
        prop_assert!(read.iter().eq(marks.iter()));
    }
}
