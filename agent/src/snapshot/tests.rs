#![allow(clippy::unwrap_used)]

use evaluation::{Index, Lineage};

use super::*;
use crate::samples::{Contents, boolean};

fn held() -> Holder {
    Contents::production().flag(&boolean("a")).held(5)
}

fn install(holder: &Holder, next: Snapshot) -> Result<(), Refusal> {
    let digest = next.digest();
    holder.install(next, digest)
}

fn of_lineage(lineage: u128, contents: &Contents) -> Snapshot {
    let revision = Revision {
        lineage: Lineage(lineage),
        number: 1,
    };
    Snapshot::new(revision, contents.snapshot(1).index().clone())
}

#[test]
fn nothing_is_held_before_the_first_snapshot() {
    let holder = Holder::new(false);
    assert!(!holder.holds_any());
    assert_eq!(holder.stamp(), None);
}

#[test]
fn a_newer_snapshot_takes_the_place_of_the_held_one_and_waiters_hear_of_it() {
    let holder = held();
    let mut waiter = holder.watch();
    waiter.borrow_and_update();
    install(&holder, Contents::production().flag(&boolean("b")).snapshot(6)).unwrap();
    assert!(waiter.has_changed().unwrap());
    assert!(holder.load().flag("b").is_some());
    assert_eq!(holder.stamp().unwrap().revision.number, 6);
}

#[test]
fn an_older_snapshot_of_the_same_lineage_is_refused() {
    let holder = held();
    let mut waiter = holder.watch();
    waiter.borrow_and_update();
    let older = Contents::production().flag(&boolean("b")).snapshot(4);
    assert_eq!(install(&holder, older), Err(Refusal::Older { held: 5 }));
    assert!(!waiter.has_changed().unwrap());
    assert!(holder.load().flag("a").is_some());
}

#[test]
fn the_same_content_may_take_any_number() {
    let holder = held();
    for number in [9, 5, 4] {
        install(&holder, Contents::production().flag(&boolean("a")).snapshot(number)).unwrap();
        assert_eq!(holder.stamp().unwrap().revision.number, number);
    }
}

#[test]
fn a_snapshot_that_fails_its_digest_is_refused() {
    let holder = held();
    let next = Contents::production().snapshot(6);
    let found = next.digest();
    assert_eq!(
        holder.install(next, Digest(1)),
        Err(Refusal::Digest {
            expected: Digest(1),
            found
        })
    );
}

#[test]
fn an_empty_store_of_another_lineage_empties_nobody_unless_told() {
    let holder = held();
    assert_eq!(
        install(&holder, of_lineage(2, &Contents::production())),
        Err(Refusal::Empty)
    );
    assert_eq!(
        install(&holder, of_lineage(2, &Contents::default())),
        Err(Refusal::Empty)
    );
    assert!(holder.load().flag("a").is_some());

    let willing = Holder::new(true);
    Contents::production().flag(&boolean("a")).install(&willing, 5);
    install(&willing, of_lineage(2, &Contents::production())).unwrap();
    assert!(willing.load().flag("a").is_none());
}

#[test]
fn another_lineage_with_flags_and_the_last_deletion_of_this_one_are_taken() {
    let holder = held();
    install(&holder, of_lineage(2, &Contents::production().flag(&boolean("b")))).unwrap();
    let last = Snapshot::new(
        Revision {
            lineage: Lineage(2),
            number: 2,
        },
        Index::new(),
    );
    install(&holder, last).unwrap();
    assert_eq!(holder.stamp(), None);
}
