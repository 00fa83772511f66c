#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::store::{Guard, VALUE_LIMIT};

fn key(name: &str) -> Bytes {
    Bytes::copy_from_slice(name.as_bytes())
}

fn put(name: &str, value: &str) -> Txn {
    Txn::default().put(key(name), Bytes::copy_from_slice(value.as_bytes()))
}

fn open(folder: &tempfile::TempDir) -> Redb {
    Redb::open(&folder.path().join("store.redb"), 7).unwrap()
}

#[tokio::test]
async fn a_committed_revision_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    assert_eq!(store.txn(put("a", "1")).await.unwrap(), Outcome::Committed(1));
    assert_eq!(store.txn(put("b", "2")).await.unwrap(), Outcome::Committed(2));
    drop(store);
    let store = Redb::open(&folder.path().join("store.redb"), 8).unwrap();
    assert_eq!(store.lineage(), 7);
    let page = store.range(b"", None, 10, Order::Ascending).await.unwrap();
    assert_eq!(page.revision, 2);
    assert_eq!(page.items.iter().map(|item| item.modified).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(store.watch(0).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_file_that_is_in_use_and_one_that_is_no_store_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let again = Redb::open(&folder.path().join("store.redb"), 7);
    assert!(matches!(again, Err(OpenError::InUse)), "{again:?}");
    drop(store);
    let other = folder.path().join("other.redb");
    std::fs::write(&other, [7; 10_000]).unwrap();
    let opened = Redb::open(&other, 7);
    assert!(matches!(opened, Err(OpenError::Store(_))), "{opened:?}");
    assert_eq!(std::fs::read(&other).unwrap(), [7; 10_000]);
}

#[tokio::test]
async fn a_guard_that_does_not_hold_refuses_everything() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.txn(put("a", "1")).await.unwrap();
    let refused = store.txn(put("b", "2").guard(Guard::Absent(key("a")))).await.unwrap();
    assert_eq!(
        refused,
        Outcome::Refused {
            key: key("a"),
            found: Some(1)
        }
    );
    let refused = store
        .txn(put("b", "2").guard(Guard::Unchanged(key("c"), 1)))
        .await
        .unwrap();
    assert_eq!(
        refused,
        Outcome::Refused {
            key: key("c"),
            found: None
        }
    );
    assert_eq!(store.get(b"b").await.unwrap(), None);
    let committed = store
        .txn(put("b", "2").guard(Guard::Unchanged(key("a"), 1)))
        .await
        .unwrap();
    assert_eq!(committed, Outcome::Committed(2));
}

#[tokio::test]
async fn of_two_writers_on_one_guard_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let create = |value: &str| store.txn(put("a", value).guard(Guard::Absent(key("a"))));
    let (first, second) = tokio::join!(create("1"), create("2"));
    let outcomes = [first.unwrap(), second.unwrap()];
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Committed(_)))
            .count(),
        1
    );
}

#[tokio::test]
async fn a_watch_gets_whole_revisions_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.txn(put("a", "1").put(key("b"), key("1"))).await.unwrap();
    store.txn(Txn::default().delete(key("a"))).await.unwrap();
    let commits = store.watch(0).await.unwrap();
    let sizes = commits
        .iter()
        .map(|commit| (commit.revision, commit.events.len()))
        .collect::<Vec<_>>();
    assert_eq!(sizes, [(1, 2), (2, 1)]);
    assert_eq!(
        commits[1].events[0],
        Event {
            key: key("a"),
            value: None
        }
    );
    let (waited, _) = tokio::join!(store.watch(2), store.txn(put("c", "3")));
    assert_eq!(waited.unwrap()[0].revision, 3);
}

#[tokio::test]
async fn a_range_pages_in_both_orders_within_its_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for name in ["p/1", "p/2", "p/3", "q/1"] {
        store.txn(put(name, "x")).await.unwrap();
    }
    let names = |page: &Page| page.items.iter().map(|item| item.key.clone()).collect::<Vec<_>>();
    let first = store.range(b"p/", None, 2, Order::Ascending).await.unwrap();
    assert_eq!((names(&first), first.more), (vec![key("p/1"), key("p/2")], true));
    let second = store.range(b"p/", Some(b"p/2"), 2, Order::Ascending).await.unwrap();
    assert_eq!((names(&second), second.more), (vec![key("p/3")], false));
    let last = store.range(b"p/", None, 2, Order::Descending).await.unwrap();
    assert_eq!((names(&last), last.more), (vec![key("p/3"), key("p/2")], true));
    let rest = store.range(b"p/", Some(b"p/2"), 2, Order::Descending).await.unwrap();
    assert_eq!((names(&rest), rest.more), (vec![key("p/1")], false));
}

#[tokio::test]
async fn what_is_too_large_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let many = (0..=128).fold(Txn::default(), |txn, number: i32| {
        txn.put(key(&number.to_string()), key("x"))
    });
    assert!(matches!(store.txn(many).await, Err(Error::Limit { size: 129, .. })));
    let large = Txn::default().put(key("a"), vec![0; VALUE_LIMIT + 1]);
    assert!(matches!(store.txn(large).await, Err(Error::Limit { .. })));
    assert_eq!(
        store.range(b"", None, 10, Order::Ascending).await.unwrap().items.len(),
        0
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// What a watcher has taken in from the beginning is what a reader finds.
    #[test]
    fn the_log_and_the_live_keys_agree(ops in proptest::collection::vec((0u8..6, any::<Option<u8>>()), 1..20)) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = open(&folder);
            for (name, value) in ops {
                let name = key(&name.to_string());
                let txn = match value {
                    Some(value) => Txn::default().put(name, vec![value]),
                    None => Txn::default().delete(name),
                };
                store.txn(txn).await.unwrap();
            }
            let mut replayed = BTreeMap::new();
            for event in store.watch(0).await.unwrap().into_iter().flat_map(|commit| commit.events) {
                match event.value {
                    Some(value) => replayed.insert(event.key, value),
                    None => replayed.remove(&event.key),
                };
            }
            let live = store.range(b"", None, 100, Order::Ascending).await.unwrap().items;
            let live = live.into_iter().map(|item| (item.key, item.value)).collect::<BTreeMap<_, _>>();
            assert_eq!(live, replayed);
        });
    }
}
