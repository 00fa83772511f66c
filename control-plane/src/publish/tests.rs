#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::{Change, Entry, Flag, Prerequisite, Value, apply, entry_hash};

use super::*;
use crate::{
    builders::{World, flag, key, production},
    record::FlagRecord,
};

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

/// A flag of a set, which waits for another one if it is named.
fn waiting(name: &str, set: &str, for_flag: Option<&str>) -> Flag {
    let wait = |flag: &str| Prerequisite {
        flag: flag.to_owned(),
        variants: vec!["new".to_owned()],
    };
    Flag {
        set: Some(key(set)),
        prerequisites: for_flag.map(wait).into_iter().collect(),
        ..flag(name)
    }
}

#[test]
fn what_a_flag_set_begins_to_read_comes_to_it_and_what_it_no_longer_reads_goes() {
    let mut stage = Stage::new();
    stage.write(waiting("base", "core", None));
    stage.write(waiting("billing", "money", Some("base")));
    stage.write(waiting("checkout", "shop", None));
    let mut shop = stage.subscribe(Some("shop"));
    let holds = |published: &Published, name: &str| published.index.get(EntryKind::Flag, name).is_some();
    assert!(!holds(&shop.borrow_and_update(), "billing"));
    stage.write(waiting("checkout", "shop", Some("billing")));
    {
        let now = shop.borrow_and_update();
        assert!(holds(&now, "checkout") && holds(&now, "billing") && holds(&now, "base"));
    }
    // What is read is followed, wherever it is at home.
    stage.write(Flag {
        salt: "another".to_owned(),
        ..waiting("base", "core", None)
    });
    assert!(shop.has_changed().unwrap());
    shop.borrow_and_update();
    stage.write(waiting("billing", "money", None));
    {
        let now = shop.borrow_and_update();
        assert!(holds(&now, "billing") && !holds(&now, "base"));
    }
    stage.write(waiting("checkout", "shop", None));
    assert!(!holds(&shop.borrow_and_update(), "billing"));
}

#[test]
fn an_entry_is_encoded_once_for_all_who_hold_it() {
    let mut stage = Stage::new();
    let (all, shop) = (stage.subscribe(None), stage.subscribe(Some("shop")));
    stage.write(waiting("checkout", "shop", None));
    let body = |published: &Published| {
        let entry = published.index.get(EntryKind::Flag, "checkout").unwrap();
        entry.body.as_ptr()
    };
    assert_eq!(body(&all.borrow()), body(&shop.borrow()));
    // One who comes later shares it, too.
    drop(shop);
    stage.write(waiting("another", "search", None));
    let late = stage.subscribe(Some("shop"));
    assert_eq!(body(&all.borrow()), body(&late.borrow()));
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
fn a_large_entry_that_is_edited_often_is_not_remembered_for_ever() {
    let mut stage = Stage::new();
    let receiver = stage.subscribe(None);
    let large = |number: usize| Flag {
        variants: [(
            "old".to_owned(),
            Value::String(format!("{number:}").repeat(4_000_000).into()),
        )]
        .into(),
        ..flag("checkout")
    };
    let mut published = Vec::new();
    for number in 0..20 {
        // Past the limits of the store: only what is published is looked at.
        let mut state = stage.world.state.clone();
        state.revision += 1;
        let record = FlagRecord {
            flag: large(number % 10),
            version: 1,
            created_at_us: 0,
            updated_at_us: 0,
            archived_at_us: None,
            revision: state.revision,
        };
        Arc::make_mut(&mut state.flags).insert((production(), key("checkout")), Arc::new(record));
        let id = EntryId {
            kind: EntryKind::Flag,
            key: "checkout".into(),
        };
        stage.world.state = state.clone();
        stage
            .publisher
            .publish(Arc::new(state), &[(production(), vec![id])].into());
        let now = receiver.borrow().clone();
        published.push((now.revision, now.digest()));
    }
    let known = published.iter().filter(|(revision, digest)| {
        stage
            .publisher
            .recent(&subscription(None), *revision, *digest)
            .is_some()
    });
    let known = known.count();
    assert!((2..=17).contains(&known), "{known} snapshots are remembered");
    let (revision, digest) = published[19];
    assert!(stage.publisher.recent(&subscription(None), revision, digest).is_some());
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
