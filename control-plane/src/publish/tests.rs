#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::{Change, Entry, Flag, apply, entry_hash};

use super::*;
use crate::builders::{World, flag, key, production};

const LINEAGE: u128 = 7;

/// A world and what is published of it.
struct Stage {
    world: World,
    publisher: Publisher,
}

impl Stage {
    fn new() -> Self {
        let world = World::new();
        let publisher = Publisher::new(LINEAGE, Arc::new(world.state.clone()));
        Self { world, publisher }
    }

    /// Writes a flag and publishes it; how many snapshots that was.
    fn write(&mut self, flag: Flag) -> usize {
        let touched = self.world.write(flag);
        self.publisher.publish(Arc::new(self.world.state.clone()), &touched)
    }

    fn subscribe(&self, set: Option<&str>) -> watch::Receiver<Arc<Published>> {
        self.publisher.subscribe(&subscription(set)).unwrap()
    }
}

fn subscription(set: Option<&str>) -> Subscription {
    Subscription {
        environment: production(),
        set: set.map(key),
    }
}

fn described(text: &str) -> Flag {
    Flag {
        description: text.to_owned(),
        ..flag("checkout")
    }
}

fn salted(salt: impl Into<String>) -> Flag {
    Flag {
        salt: salt.into(),
        ..flag("checkout")
    }
}

/// What an agent makes of a transfer: the changes that it spells.
fn spelled(transfer: &Transfer) -> Vec<Change<Bytes>> {
    let joined = Bytes::from(transfer.parts.concat());
    assert_eq!(joined.len() as u64, transfer.begin.bytes);
    let changes = entry::unframe(joined).unwrap().into_iter().map(|raw| Change {
        id: EntryId {
            kind: raw.kind,
            key: raw.key.as_str().into(),
        },
        entry: raw.body.map(|body| Entry {
            hash: entry_hash(raw.kind, &raw.key, &body),
            body,
        }),
    });
    changes.collect()
}

#[test]
fn an_equal_snapshot_is_not_published() {
    let mut stage = Stage::new();
    stage.write(flag("checkout"));
    let mut receiver = stage.subscribe(None);
    let before = receiver.borrow_and_update().clone();
    assert_eq!(stage.write(described("for people")), 0);
    assert!(!receiver.has_changed().unwrap());
    assert!(Arc::ptr_eq(&before, &receiver.borrow()));
    // The state has moved on all the same, and what is held is what it says.
    assert_eq!(
        stage.publisher.current(&subscription(None)),
        Some((stage.world.state.revision, before.digest()))
    );
    assert_eq!(
        stage.publisher.latest(&subscription(None)),
        Some(before.revision.number)
    );
}

#[test]
fn one_commit_publishes_once_for_each_subscription_that_it_concerns() {
    let mut stage = Stage::new();
    let (mut all, mut shop, search) = (
        stage.subscribe(None),
        stage.subscribe(Some("shop")),
        stage.subscribe(Some("search")),
    );
    let of_shop = Flag {
        set: Some(key("shop")),
        ..flag("checkout")
    };
    assert_eq!(stage.write(of_shop), 2);
    assert!(all.has_changed().unwrap() && shop.has_changed().unwrap() && !search.has_changed().unwrap());
    all.borrow_and_update();
    shop.borrow_and_update();
    assert_eq!(stage.write(flag("banner")), 1);
    assert!(all.has_changed().unwrap() && !shop.has_changed().unwrap() && !search.has_changed().unwrap());
}

#[test]
fn another_environment_hears_nothing() {
    let mut stage = Stage::new();
    let staging = Subscription {
        environment: key("staging"),
        set: None,
    };
    let receiver = stage.publisher.subscribe(&staging).unwrap();
    stage.write(flag("checkout"));
    assert!(!receiver.has_changed().unwrap());
}

#[test]
fn what_leaves_a_flag_set_is_removed_from_it() {
    let mut stage = Stage::new();
    let of = |set: Option<&str>| Flag {
        set: set.map(key),
        ..flag("checkout")
    };
    stage.write(of(Some("shop")));
    let (shop, search) = (stage.subscribe(Some("shop")), stage.subscribe(Some("search")));
    let (before_shop, before_search) = (shop.borrow().clone(), search.borrow().clone());
    stage.write(of(Some("search")));
    let left = spelled(&shop.borrow().delta(&before_shop));
    assert_eq!(left.len(), 1);
    assert!(&*left[0].id.key == "checkout" && left[0].entry.is_none());
    let joined = spelled(&search.borrow().delta(&before_search));
    assert!(&*joined[0].id.key == "checkout" && joined[0].entry.is_some());
}

#[test]
fn a_transfer_is_encoded_once_and_shared() {
    let mut stage = Stage::new();
    let mut receiver = stage.subscribe(None);
    let first = receiver.borrow_and_update().clone();
    stage.write(flag("checkout"));
    let second = receiver.borrow_and_update().clone();
    assert!(Arc::ptr_eq(&second.delta(&first), &second.delta(&first)));
    assert!(Arc::ptr_eq(&second.whole(), &second.whole()));
    let elsewhere = stage.subscribe(None).borrow().clone();
    assert!(Arc::ptr_eq(&second.delta(&first), &elsewhere.delta(&first)));
    stage.write(salted("other"));
    let third = receiver.borrow_and_update().clone();
    assert!(!Arc::ptr_eq(&third.delta(&first), &third.delta(&second)));
}

#[test]
fn what_was_encoded_of_a_superseded_snapshot_is_let_go() {
    let mut stage = Stage::new();
    let receiver = stage.subscribe(None);
    let whole = Arc::downgrade(&receiver.borrow().whole());
    assert!(whole.upgrade().is_some());
    stage.write(flag("checkout"));
    assert!(whole.upgrade().is_none());
}

#[test]
fn a_delta_leads_from_what_was_held_to_what_is_published() {
    let mut stage = Stage::new();
    stage.write(flag("checkout"));
    let receiver = stage.subscribe(None);
    let from = receiver.borrow().clone();
    stage.write(salted("other"));
    stage.write(flag("banner"));
    stage.world.start("checkout");
    stage.write(flag("ranking"));
    let to = receiver.borrow().clone();
    let delta = to.delta(&from);
    assert_eq!(delta.begin.from, Some(v1::Revision::from(from.revision)));
    assert_eq!(delta.begin.to, Some(v1::Revision::from(to.revision)));
    assert_eq!(delta.begin.digest, write_digest(to.digest()));
    let changes = spelled(&delta);
    assert!(changes.len() < to.index.len());
    let bare = |index: &Index<Bytes>| Index::new().with(spelled(&whole_of(index)));
    let reached = apply(&bare(&from.index), evaluation::Delta { changes });
    assert_eq!(reached.digest(), to.digest());
    let whole = to.whole();
    assert_eq!(whole.begin.from, None);
    assert_eq!(Index::new().with(spelled(&whole)).digest(), to.digest());
}

fn whole_of(index: &Index<Bytes>) -> Arc<Transfer> {
    Published::new(Revision::default(), index.clone()).whole()
}

#[test]
fn a_part_is_never_larger_than_its_limit_and_only_the_last_is_smaller() {
    let mut stage = Stage::new();
    for name in ["a", "b", "c"] {
        let mut large = flag(name);
        large
            .variants
            .insert("large".to_owned(), evaluation::Value::String("x".repeat(60_000).into()));
        stage.write(large);
    }
    let whole = stage.subscribe(None).borrow().whole();
    let (last, others) = whole.parts.split_last().unwrap();
    assert_eq!(others.len(), 2);
    assert!(others.iter().all(|part| part.len() == entry::PART_LIMIT));
    assert!(!last.is_empty() && last.len() <= entry::PART_LIMIT);
}

#[test]
fn a_slow_stream_meets_the_latest_snapshot_only() {
    let mut stage = Stage::new();
    let mut receiver = stage.subscribe(None);
    receiver.borrow_and_update();
    for salt in ["a", "b", "c"] {
        stage.write(salted(salt));
    }
    assert!(receiver.has_changed().unwrap());
    assert_eq!(receiver.borrow_and_update().revision.number, stage.world.state.revision);
    assert!(!receiver.has_changed().unwrap());
}

#[test]
fn a_returning_agent_gets_a_delta_as_long_as_its_snapshot_is_remembered() {
    let mut stage = Stage::new();
    let receiver = stage.subscribe(None);
    let first = receiver.borrow().clone();
    let is_known =
        |stage: &Stage, revision, digest| stage.publisher.recent(&subscription(None), revision, digest).is_some();
    for number in 1..REMEMBERED {
        stage.write(salted(format!("s{number}")));
    }
    assert!(is_known(&stage, first.revision, first.digest()));
    let lying = Digest(first.digest().0 ^ 1);
    assert!(!is_known(&stage, first.revision, lying));
    let elsewhere = Revision {
        lineage: Lineage(LINEAGE + 1),
        ..first.revision
    };
    assert!(!is_known(&stage, elsewhere, first.digest()));
    stage.write(salted("one-too-many"));
    assert!(!is_known(&stage, first.revision, first.digest()));
}

#[test]
fn an_unknown_environment_is_an_error_and_not_an_empty_snapshot() {
    let nowhere = Subscription {
        environment: key("nowhere"),
        set: None,
    };
    let refused = Stage::new().publisher.subscribe(&nowhere).unwrap_err();
    assert_eq!(refused.to_string(), "environment nowhere does not exist");
}

#[test]
fn a_flag_set_that_nobody_has_any_longer_costs_nothing() {
    let mut stage = Stage::new();
    drop((stage.subscribe(None), stage.subscribe(Some("shop"))));
    let of_shop = Flag {
        set: Some(key("shop")),
        ..flag("checkout")
    };
    assert_eq!(stage.write(of_shop), 1);
    assert_eq!(stage.publisher.latest(&subscription(Some("shop"))), None);
    // Whoever comes later finds it as it is by then.
    let index = stage.subscribe(Some("shop")).borrow().index.clone();
    assert!(index.get(evaluation::EntryKind::Flag, "checkout").is_some());
    assert!(stage.publisher.latest(&subscription(None)).is_some());
}

#[test]
fn a_snapshot_has_the_revision_of_the_last_change_to_one_of_its_entries() {
    let mut stage = Stage::new();
    let shop = stage.subscribe(Some("shop"));
    let of_shop = Flag {
        set: Some(key("shop")),
        ..flag("checkout")
    };
    stage.write(of_shop);
    let written = stage.world.state.revision;
    stage.write(flag("banner"));
    stage.write(flag("ranking"));
    assert_eq!(shop.borrow().revision.number, written);
    assert_eq!(shop.borrow().revision.lineage, Lineage(LINEAGE));
}
