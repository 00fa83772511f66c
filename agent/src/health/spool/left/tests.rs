#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const ROLLOUT: u32 = 7;
const ID: u128 = 77;
const NOW: u32 = 10_000;

fn kept(sequence: u64, outcomes: u64) -> Kept {
    let tick = NOW - 100 + u32::try_from(sequence).unwrap();
    let cell = v1::Cell {
        outcomes,
        ..v1::Cell::default()
    };
    let frame = v1::Frame {
        rollout: ROLLOUT,
        sequence,
        first_tick: tick,
        last_tick: tick,
        horizon: 1,
        cells: vec![cell],
        dropped: 0,
        environment: "production".to_owned(),
        urgent: false,
    };
    Kept { id: ID, frame }
}

fn cut(sequence: u64, outcomes: u64) -> Record {
    Record::Cut(kept(sequence, outcomes))
}

fn open(sequence: u64, outcomes: u64) -> Record {
    Record::Open(kept(sequence, outcomes))
}

fn acked(sequence: u64) -> Record {
    Record::Acked {
        rollout: ROLLOUT,
        sequence,
    }
}

fn head() -> Head {
    Head {
        agent: "agent-1".to_owned(),
        epoch: 9,
        environment: "production".to_owned(),
    }
}

fn file(records: &[Record]) -> Vec<u8> {
    let head = Record::Head(head());
    [&head].into_iter().chain(records).flat_map(Record::encode).collect()
}

fn left(records: &[Record]) -> Left {
    let left = Left::read(&file(records));
    assert_eq!((left.damaged, &left.head), (0, &Some(head())));
    left
}

fn sent(left: &Left) -> Vec<v1::Frame> {
    let to_send = left.to_send(NOW);
    to_send.into_iter().flat_map(|to_send| to_send.frames).collect()
}

/// Sequence and outcomes; and how many outcomes are missing.
fn told(left: &Left) -> Vec<(u64, u64, u64)> {
    let outcomes = |frame: &v1::Frame| frame.cells.iter().map(|cell| cell.outcomes).sum();
    let frames = sent(left);
    let told = frames.iter();
    told.map(|frame| (frame.sequence, outcomes(frame), frame.dropped))
        .collect()
}

#[test]
fn frames_are_sent_as_they_were_cut_under_the_names_that_they_had() {
    let left = left(&[cut(1, 5), cut(2, 6)]);
    assert_eq!(sent(&left), [kept(1, 5).frame, kept(2, 6).frame]);
}

#[test]
fn what_was_acknowledged_is_not_sent() {
    assert_eq!(told(&left(&[cut(1, 5), cut(2, 6), acked(1)])), [(2, 6, 0)]);
    assert!(told(&left(&[cut(1, 5), acked(1)])).is_empty());
}

#[test]
fn an_open_frame_counts_until_the_frame_of_its_name_is_cut() {
    assert_eq!(told(&left(&[cut(1, 5), open(2, 3)])), [(1, 5, 0), (2, 3, 0)]);
    assert_eq!(told(&left(&[open(1, 3), open(1, 4)])), [(1, 4, 0)]);
    assert_eq!(told(&left(&[open(1, 3), cut(1, 5)])), [(1, 5, 0)]);
    assert_eq!(told(&left(&[cut(1, 5), open(1, 3)])), [(1, 5, 0)]);
    assert!(told(&left(&[open(1, 3), cut(1, 5), acked(1)])).is_empty());
}

#[test]
fn a_missing_frame_is_sent_without_counts_so_that_nobody_waits_for_it() {
    assert_eq!(
        told(&left(&[cut(3, 5), cut(5, 6)])),
        [(1, 0, 0), (2, 0, 0), (3, 5, 0), (4, 0, 0), (5, 6, 0)]
    );
    let acked_before = left(&[acked(2), cut(3, 5), cut(5, 6)]);
    assert_eq!(told(&acked_before), [(3, 5, 0), (4, 0, 0), (5, 6, 0)]);
    let far = sent(&left(&[cut(1, 5), cut(90, 6)]));
    assert_eq!(far.len(), 66);
    let ascends = far.windows(2).all(|pair| pair[0].sequence < pair[1].sequence);
    assert!(ascends && far.iter().all(|frame| frame.horizon == 1));
}

#[test]
fn what_is_too_old_to_be_counted_is_told_as_missing_and_is_not_too_old_to_be_told() {
    let old = |sequence| {
        let mut old = kept(sequence, 8);
        (old.frame.first_tick, old.frame.last_tick) = (1, NOW - USEFUL_TICKS);
        Record::Cut(old)
    };
    let left = left(&[old(1), cut(2, 6)]);
    assert_eq!(told(&left), [(1, 0, 8), (2, 6, 0)]);
    assert!(sent(&left)[0].last_tick > NOW - USEFUL_TICKS);
    assert_eq!(left.to_send(NOW)[0].lost, 8);
}

#[test]
fn what_was_counted_by_a_clock_that_was_ahead_is_of_now() {
    let mut ahead = kept(1, 5);
    (ahead.frame.first_tick, ahead.frame.last_tick) = (NOW + 500, NOW + 600);
    ahead.frame.cells[0].last_exposure_us = tick::begins_us(NOW + 600);
    let [frame] = &sent(&left(&[Record::Open(ahead)]))[..] else {
        panic!("one frame")
    };
    assert_eq!((frame.first_tick, frame.last_tick), (NOW, NOW));
    assert!(frame.cells[0].last_exposure_us <= tick::begins_us(NOW + 1));
    assert_eq!(frame.cells[0].outcomes, 5);
}

#[test]
fn how_many_frames_it_holds_can_be_told() {
    let records = [cut(1, 5), open(2, 6), cut(2, 6), open(3, 1)];
    assert_eq!(left(&records).frames(), 3, "by their names");
    assert_eq!(left(&[cut(1, 5), cut(2, 6), acked(1)]).frames(), 1);
}

#[test]
fn a_rollout_that_is_over_takes_its_frames_along_and_leaves_its_index() {
    let mut other = kept(1, 2);
    other.id = 78;
    let left = left(&[cut(1, 5), cut(2, 6), acked(u64::MAX), Record::Cut(other)]);
    assert_eq!(told(&left), [(1, 2, 0)]);
    assert_eq!(left.outcomes(), [((ROLLOUT, 78), 2)].into());
}

#[test]
fn of_a_torn_file_everything_is_sent_that_is_whole() {
    let whole = file(&[cut(1, 5), cut(2, 6)]);
    let all = file(&[cut(1, 5), cut(2, 6), cut(3, 7)]);
    for length in whole.len() + 1..all.len() {
        let left = Left::read(&all[..length]);
        assert_eq!(left.damaged, 1, "{length}");
        assert_eq!(told(&left), [(1, 5, 0), (2, 6, 0)], "{length}");
    }
}

#[test]
fn a_damaged_record_costs_itself_alone() {
    let before = file(&[cut(1, 5)]).len();
    let all = file(&[cut(1, 5), cut(2, 6), cut(3, 7)]);
    let until = file(&[cut(1, 5), cut(2, 6)]).len();
    for at in before..until {
        let mut damaged = all.clone();
        damaged[at] ^= 0x55;
        let left = Left::read(&damaged);
        assert_eq!(left.damaged, 1, "{at}");
        assert_eq!(told(&left), [(1, 5, 0), (2, 0, 0), (3, 7, 0)], "{at}");
    }
}

#[test]
fn without_its_beginning_nobody_knows_whose_a_file_is() {
    let mut damaged = file(&[cut(1, 5)]);
    damaged[20] ^= 1;
    let left = Left::read(&damaged);
    assert_eq!((left.head, left.damaged), (None, 1));
    assert_eq!(Left::read(&[]), Left::default());
}

proptest! {
    #[test]
    fn any_file_is_answered(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        torn in any::<prop::sample::Index>(),
    ) {
        let mut file = file(&[cut(1, 5), open(2, 6)]);
        let at = torn.index(file.len());
        file.splice(at..at, bytes);
        let left = Left::read(&file);
        prop_assert!(left.to_send(NOW).len() <= 1);
    }
}
