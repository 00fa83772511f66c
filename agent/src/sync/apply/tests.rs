#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use evaluation::{EntryKind, FlagType, Lineage};
use proptest::prelude::*;
use proto::entry::frame;

use super::*;
use crate::{
    samples::{Contents, boolean, text},
    snapshot::Stamp,
};

fn transfer(from: Option<u64>, to: Stamp, bytes: Bytes) -> Transfer {
    Transfer {
        from: from.map(|number| Revision {
            lineage: Lineage(1),
            number,
        }),
        to,
        bytes,
    }
}

fn whole(contents: &Contents, number: u64) -> Transfer {
    transfer(None, contents.stored(number).stamp, contents.framed(None))
}

fn delta(from: &Contents, from_number: u64, to: &Contents, number: u64) -> Transfer {
    transfer(Some(from_number), to.stored(number).stamp, to.framed(Some(from)))
}

#[test]
fn a_delta_leads_to_the_announced_digest() {
    let from = Contents::production().flag(&boolean("a")).flag(&boolean("b"));
    let to = from.clone().flag(&text("c")).without("a");
    let built = build(&from.snapshot(1), delta(&from, 1, &to, 2)).unwrap();
    assert_eq!(built.snapshot.digest(), to.stored(2).stamp.digest);
    assert_eq!(built.snapshot.revision().number, 2);
    assert!(built.snapshot.flag("a").is_none() && built.snapshot.flag("c").is_some());
    assert!(!built.whole && built.held_back.is_empty());
}

#[test]
fn a_whole_snapshot_starts_from_nothing() {
    let held = Contents::production().flag(&boolean("a"));
    let next = Contents::production().flag(&boolean("b"));
    let built = build(&held.snapshot(1), whole(&next, 2)).unwrap();
    assert_eq!(built.snapshot.digest(), next.stored(2).stamp.digest);
    assert!(built.whole && built.snapshot.flag("a").is_none());
}

#[test]
fn a_delta_from_another_base_is_refused() {
    let from = Contents::production();
    let to = from.clone().flag(&boolean("a"));
    let refused = build(&from.snapshot(3), delta(&from, 1, &to, 4)).unwrap_err();
    assert!(matches!(refused, ApplyError::Base { from, held } if from.number == 1 && held.number == 3));
}

#[test]
fn torn_framing_at_any_length_never_installs() {
    let contents = Contents::production().flag(&boolean("a"));
    let complete = whole(&contents, 1);
    for length in 0..complete.bytes.len() {
        let torn = Transfer {
            bytes: complete.bytes.slice(..length),
            ..complete.clone()
        };
        let installed = build(&Snapshot::empty(), torn).is_ok_and(|built| {
            crate::snapshot::Holder::new(false)
                .install(built.snapshot, complete.to.digest)
                .is_ok()
        });
        assert!(!installed, "length {length}");
    }
}

#[test]
fn a_whole_snapshot_removes_nothing() {
    let bytes = frame(EntryKind::Flag, "a", None);
    let stamp = Contents::default().stored(1).stamp;
    assert_eq!(
        build(&Snapshot::empty(), transfer(None, stamp, bytes)).unwrap_err(),
        ApplyError::Removal("a".into())
    );
}

#[test]
fn an_entry_that_is_not_understood_keeps_what_it_was_and_the_rest_is_applied() {
    let from = Contents::production().flag(&boolean("a"));
    let unreadable = Bytes::from_static(b"\xff\xff");
    let to = from
        .clone()
        .raw(EntryKind::Flag, "a", unreadable.clone())
        .raw(EntryKind::Flag, "new", unreadable)
        .flag(&text("b"));
    let held = from.snapshot(1);
    let built = build(&held, delta(&from, 1, &to, 2)).unwrap();
    assert_eq!(built.snapshot.digest(), to.stored(2).stamp.digest);
    assert_eq!(built.snapshot.flag("a").unwrap().flag_type(), FlagType::Boolean);
    assert!(built.snapshot.flag("new").is_none() && built.snapshot.flag("b").is_some());
    let keys: Vec<_> = built.held_back.iter().map(|held| &*held.id.key).collect();
    assert_eq!(keys, ["a", "new"]);
}

#[test]
fn what_is_held_back_is_said_until_it_is_understood_or_gone() {
    let unreadable = Bytes::from_static(b"\xff\xff");
    let first = Contents::production()
        .raw(EntryKind::Flag, "a", unreadable.clone())
        .raw(EntryKind::Flag, "b", unreadable);
    let built = build(&Snapshot::empty(), whole(&first, 1)).unwrap();
    let held_back = still_held_back(Vec::new(), &built.snapshot, built.held_back);
    assert_eq!(held_back.len(), 2);

    let again = build(&built.snapshot, whole(&first, 2)).unwrap();
    let held_back = still_held_back(held_back, &again.snapshot, again.held_back);
    assert_eq!(held_back.len(), 2);

    let second = first.clone().flag(&boolean("a")).without("b");
    let built = build(&again.snapshot, delta(&first, 2, &second, 3)).unwrap();
    assert!(still_held_back(held_back, &built.snapshot, built.held_back).is_empty());
}

#[test]
fn an_entry_that_is_held_already_is_not_read_again() {
    let contents = Contents::production().flag(&boolean("a"));
    let held = contents.snapshot(1);
    let built = build(&held, whole(&contents, 2)).unwrap();
    assert!(Arc::ptr_eq(held.flag("a").unwrap(), built.snapshot.flag("a").unwrap()));
}

#[test]
fn the_copy_on_disk_gives_the_same_snapshot() {
    let contents = Contents::production().flag(&boolean("a"));
    let (snapshot, held_back) = restore(&contents.stored(3));
    assert_eq!(snapshot.digest(), contents.stored(3).stamp.digest);
    assert!(snapshot.environment().is_some() && held_back.is_empty());
}

#[test]
fn an_entry_that_was_held_back_serves_what_was_kept_for_it() {
    let from = Contents::production().flag(&boolean("a"));
    let mut stored = from
        .clone()
        .raw(EntryKind::Flag, "a", Bytes::from_static(b"\xff\xff"))
        .stored(2);
    let (without, _) = restore(&stored);
    assert!(without.flag("a").is_none());
    let id = stored.entries.keys().find(|id| &*id.key == "a").unwrap().clone();
    let before = from.stored(1).entries[&id].clone();
    stored.kept.insert(id, Some(before));
    let (snapshot, held_back) = restore(&stored);
    assert_eq!(snapshot.flag("a").unwrap().flag_type(), FlagType::Boolean);
    assert_eq!((held_back.len(), snapshot.digest()), (1, stored.stamp.digest));
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let stamp = Contents::default().stored(1).stamp;
        let _ = build(&Snapshot::empty(), transfer(None, stamp, bytes.into()));
    }

    #[test]
    fn any_body_of_any_kind_is_answered(kind in 1u8..=4, body in prop::collection::vec(any::<u8>(), 0..200)) {
        let kind = EntryKind::try_from(kind).unwrap();
        let contents = Contents::production().raw(kind, "7", body.into());
        let built = build(&Snapshot::empty(), whole(&contents, 1)).unwrap();
        prop_assert_eq!(built.snapshot.digest(), contents.stored(1).stamp.digest);
    }
}
