//! Index and snapshot: what is put in is found, what did not change is shared, what cannot be understood is counted.

use std::sync::Arc;

use evaluation::{
    Body, Buckets, Change, Digest, Entry, EntryId, EntryKind, Environment, EnvironmentKind, Index, Key, Lineage,
    Measurement, Revision, Snapshot, SplittingUnit, StageVisit, between, entry_hash,
};

use crate::builders::{boolean, compiled};

fn change<B>(kind: EntryKind, key: &str, body: B) -> Change<B> {
    let hash = entry_hash(kind, key, b"body");
    Change {
        id: EntryId { kind, key: key.into() },
        entry: Some(Entry { hash, body }),
    }
}

fn flag(key: &str) -> Change<Body> {
    change(EntryKind::Flag, key, Body::Flag(Arc::new(compiled(&boolean(key)))))
}

fn measurement(rollout: u32) -> Change<Body> {
    let visit = StageVisit {
        stage: 0,
        visit: 1,
        share: Buckets::NONE,
        entered_tick: 5,
    };
    let measurement = Measurement {
        rollout,
        id: 1,
        flag: Key::parse("a").unwrap(),
        measuring_key: 2,
        start_tick: 5,
        unit: SplittingUnit::Unit,
        stages: vec![visit],
        horizon_starts: vec![5],
        lost_after_us: 30_000_000,
        metrics: Vec::new(),
        ended: false,
    };
    change(
        EntryKind::Measurement,
        &rollout.to_string(),
        Body::Measurement(Arc::new(measurement)),
    )
}

fn environment() -> Change<Body> {
    let key = Key::parse("production").unwrap();
    let environment = Environment {
        key,
        kind: EnvironmentKind::Production,
        order: 2,
        token_key: 9,
    };
    change(
        EntryKind::Environment,
        "production",
        Body::Environment(Arc::new(environment)),
    )
}

#[test]
fn a_snapshot_finds_what_it_holds_by_name() {
    let changes = [
        flag("a"),
        flag("b"),
        measurement(0),
        measurement(4_000_000_000),
        environment(),
    ];
    let held_back = [
        change(EntryKind::Flag, "future", Body::Ignored),
        change(EntryKind::Segment, "a", Body::Ignored),
    ];
    let revision = Revision {
        lineage: Lineage(3),
        number: 17,
    };
    let snapshot = Snapshot::new(revision, Index::new().with(changes.into_iter().chain(held_back)));
    assert_eq!((snapshot.revision(), snapshot.index().len()), (revision, 7));
    assert_eq!(snapshot.flag("b").map(|flag| flag.key().as_str()), Some("b"));
    assert!(snapshot.flag("future").is_none() && snapshot.flag("c").is_none());
    let mut keys: Vec<&str> = snapshot.flags().map(|flag| flag.key().as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["a", "b"]);
    assert_eq!(
        snapshot.measurement(4_000_000_000).map(|found| found.rollout),
        Some(4_000_000_000)
    );
    assert!(snapshot.measurement(1).is_none());
    assert_eq!(snapshot.measurements().count(), 2);
    assert_eq!(snapshot.environment().map(|found| found.token_key), Some(9));
}

#[test]
fn an_empty_snapshot_has_digest_zero_and_no_lineage() {
    let snapshot = Snapshot::empty();
    assert_eq!(
        (snapshot.digest(), snapshot.revision()),
        (Digest(0), Revision::default())
    );
    assert!(snapshot.index().is_empty() && snapshot.environment().is_none());
}

#[test]
fn the_same_key_in_two_kinds_is_two_entries() {
    let index = Index::new().with([change(EntryKind::Flag, "a", 1), change(EntryKind::Segment, "a", 2)]);
    assert_eq!(index.get(EntryKind::Flag, "a").map(|entry| entry.body), Some(1));
    assert_eq!(index.get(EntryKind::Segment, "a").map(|entry| entry.body), Some(2));
    assert!(index.get(EntryKind::Measurement, "a").is_none());
}

#[test]
fn an_entry_with_the_same_hash_still_takes_the_new_body() {
    let held_back = Index::new().with([change(EntryKind::Flag, "a", "ignored")]);
    let understood = held_back.with([change(EntryKind::Flag, "a", "compiled")]);
    assert_eq!(
        understood.get(EntryKind::Flag, "a").map(|entry| entry.body),
        Some("compiled")
    );
    assert_eq!((understood.len(), understood.digest()), (1, held_back.digest()));
    assert!(between(&held_back, &understood).changes.is_empty());
}

#[test]
fn a_change_leaves_what_it_came_from_as_it_was() {
    let before = Index::new().with([change(EntryKind::Flag, "a", 1)]);
    let gone = Change {
        id: EntryId {
            kind: EntryKind::Flag,
            key: "a".into(),
        },
        entry: None,
    };
    let after = before.with([gone.clone(), gone]);
    assert!(after.is_empty() && after.digest() == Digest(0));
    assert_eq!(before.get(EntryKind::Flag, "a").map(|entry| entry.body), Some(1));
}
