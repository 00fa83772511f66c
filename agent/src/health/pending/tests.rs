#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use evaluation::Arm;
use proptest::prelude::*;

use super::*;

const PATIENCE_S: u32 = 30;

fn cell(stage: u8) -> CellKey {
    CellKey {
        stage,
        stratum: 0,
        arm: Arm::Treatment,
    }
}

fn unit(number: u32) -> (CellKey, Position) {
    (cell(0), Position::new(number).unwrap())
}

/// Nothing awaited, and room for this many.
fn empty(room: usize) -> (Pending, Room) {
    (Pending::default(), Room(room))
}

fn expire(pending: &mut Pending, now_s: u32, room: &mut Room) -> Vec<u32> {
    let lost = pending.expire(now_s, PATIENCE_S, room);
    lost.into_iter().map(|(_, position)| position.get()).collect()
}

#[test]
fn an_exposure_without_an_outcome_is_lost_once_after_the_deadline() {
    let (mut pending, mut room) = empty(10);
    assert!(pending.add(unit(1), 100, 1_000, &mut room));
    assert!(expire(&mut pending, 1_030, &mut room).is_empty());
    assert_eq!(expire(&mut pending, 1_031, &mut room), [1]);
    assert!(expire(&mut pending, 9_000, &mut room).is_empty());
    assert_eq!(room.0, 10);
}

#[test]
fn an_outcome_by_token_resolves_that_exposure_alone() {
    let (mut pending, mut room) = empty(10);
    for tick in [100, 101, 102] {
        assert!(pending.add(unit(1), tick, tick, &mut room));
    }
    pending.resolve(unit(1), 101, &mut room);
    pending.resolve(unit(1), 102, &mut room);
    pending.resolve(unit(1), 102, &mut room);
    pending.resolve((cell(1), unit(1).1), 100, &mut room);
    pending.resolve(unit(2), 100, &mut room);
    assert_eq!(room.0, 9);
    assert_eq!(expire(&mut pending, 131, &mut room), [1]);
    assert_eq!(room.0, 10);
}

#[test]
fn an_outcome_of_a_unit_resolves_all_that_it_awaits_in_any_stage() {
    let (mut pending, mut room) = empty(10);
    assert!(pending.add(unit(1), 100, 0, &mut room));
    assert!(pending.add((cell(1), unit(1).1), 101, 1, &mut room));
    assert!(pending.add(unit(2), 101, 1, &mut room));
    pending.resolve_unit(unit(1).1, &mut room);
    assert_eq!(room.0, 9);
    assert_eq!(expire(&mut pending, 100, &mut room), [2]);
}

#[test]
fn evaluations_with_one_name_are_awaited_once() {
    let (mut pending, mut room) = empty(1);
    assert!(pending.add(unit(1), 100, 0, &mut room));
    assert!(pending.add(unit(1), 100, 0, &mut room));
    pending.resolve(unit(1), 100, &mut room);
    assert!(expire(&mut pending, 100, &mut room).is_empty());
}

#[test]
fn what_finds_no_room_is_not_awaited() {
    let (mut pending, mut room) = empty(2);
    assert!(pending.add(unit(1), 100, 0, &mut room));
    assert!(pending.add(unit(1), 101, 0, &mut room));
    assert!(!pending.add(unit(1), 102, 0, &mut room));
    assert!(!pending.add(unit(2), 100, 0, &mut room));
    pending.clear(&mut room);
    assert_eq!(room.0, 2);
    assert!(expire(&mut pending, 100, &mut room).is_empty());
}

proptest! {
    #[test]
    fn what_is_lost_was_exposed_and_never_resolved(
        steps in prop::collection::vec((0u32..6, 0u32..4, 0u8..4), 0..200),
    ) {
        let (mut pending, mut room) = empty(16);
        let (mut awaited, mut now_s) = (BTreeSet::new(), 0);
        for (number, tick, what) in steps {
            match what {
                0 | 1 => {
                    let fits = awaited.contains(&(number, tick)) || awaited.len() < 16;
                    prop_assert_eq!(pending.add(unit(number), tick, now_s, &mut room), fits);
                    if fits {
                        awaited.insert((number, tick));
                    }
                }
                2 => {
                    pending.resolve(unit(number), tick, &mut room);
                    awaited.remove(&(number, tick));
                }
                _ => {
                    pending.resolve_unit(unit(number).1, &mut room);
                    awaited.retain(|(other, _)| *other != number);
                }
            }
            now_s = u32::from(what) / 3;
            prop_assert_eq!(room.0, 16 - awaited.len());
        }
        let mut lost = expire(&mut pending, now_s + PATIENCE_S + 2, &mut room);
        lost.sort_unstable();
        let expected: Vec<_> = awaited.into_iter().map(|(number, _)| number).collect();
        prop_assert_eq!(lost, expected);
        prop_assert_eq!(room.0, 16);
    }
}
