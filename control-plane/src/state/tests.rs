#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;

use super::*;
use crate::{
    builders::{World, flag, key, production, rollout, state},
    record::Soak,
    store::keys,
};

#[test]
fn keys_that_are_not_state_are_passed_over() {
    let mut state = State::default();
    let value = Bytes::from_static(b"not even a message");
    for key in [
        keys::history("flag", &production(), "checkout", 1),
        keys::rollout_count(&production()),
        keys::index(&production(), 1),
        Bytes::from_static(b"/somebody/else"),
    ] {
        assert_eq!(state.apply(1, &key, Some(&value)), Ok(None));
    }
}

#[test]
fn a_value_that_cannot_be_read_changes_nothing() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let before = world.flag("checkout");
    let broken = Bytes::from_static(b"\xff\xff");
    let at = keys::flag(&production(), &key("checkout"));
    assert!(world.state.apply(9, &at, Some(&broken)).is_err());
    assert!(Arc::ptr_eq(&world.flag("checkout"), &before));
}

#[test]
fn a_record_has_the_revision_of_its_last_write_and_is_gone_when_deleted() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let written = world.state.revision;
    world.write(flag("banner"));
    assert_eq!(world.flag("checkout").revision, written);
    let at = keys::flag(&production(), &key("checkout"));
    world.state.apply(9, &at, None).unwrap();
    assert!(world.state.flag(&production(), &key("checkout")).is_none());
}

#[test]
fn a_change_copies_the_map_that_it_touches_and_no_other() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let before = world.state.clone();
    world.write(flag("banner"));
    assert!(!Arc::ptr_eq(&before.flags, &world.state.flags));
    assert!(Arc::ptr_eq(&before.environments, &world.state.environments));
    assert!(Arc::ptr_eq(&before.rollouts, &world.state.rollouts));
    // Whoever holds the state before still sees it as it was.
    assert!(before.flag(&production(), &key("banner")).is_none());
}

#[test]
fn flags_are_listed_by_key_within_their_environment_behind_a_key() {
    let mut world = World::new();
    for name in ["c", "a", "0", "b"] {
        world.write(flag(name));
    }
    let names = |after: Option<&str>| {
        let (production, after) = (production(), after.map(key));
        let flags = world.state.flags_of(&production, after.as_ref());
        flags.map(|record| record.flag.key.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(None), ["0", "a", "b", "c"]);
    assert_eq!(names(Some("a")), ["b", "c"]);
    assert_eq!(names(Some("aa")), ["b", "c"]);
    assert_eq!(world.state.flags_of(&key("staging"), None).count(), 0);
}

#[test]
fn the_holder_of_a_flag_is_found_and_so_is_every_rollout_by_its_index() {
    let mut world = World::new();
    world.write(flag("checkout"));
    world.write(flag("banner"));
    let (first, _) = world.start("checkout");
    let (second, _) = world.start("banner");
    let holder = |name: &str| world.state.holder(&production(), &key(name)).map(|record| record.id);
    assert_eq!(holder("checkout"), Some(first.id));
    assert_eq!(holder("banner"), Some(second.id));
    assert_eq!(holder("ranking"), None);
    let at = |index| world.state.rollout_at(&production(), index).map(|record| record.id);
    assert_eq!((at(1), at(2), at(3)), (Some(first.id), Some(second.id), None));
    let production = production();
    let ids = world.state.rollouts_of(&production).map(|record| record.id);
    assert_eq!(ids.collect::<Vec<_>>(), [first.id, second.id]);
}

#[test]
fn a_stored_soak_counts_for_its_own_visit_only_and_never_takes_back() {
    let mut record = rollout();
    record.state.soaked_us = 5;
    let mut state = state([record.clone()]);
    let mut soaked = |visits, soaked_us| {
        state.soaks = Arc::new([(record.id, Soak { visits, soaked_us })].into());
        state.soaked(&record).soaked_us
    };
    assert_eq!(soaked(2, 9), 9);
    assert_eq!(soaked(1, 9), 5);
    assert_eq!(soaked(2, 3), 5);
}
