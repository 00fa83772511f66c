#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::{Lineage, Revision};
use tempfile::TempDir;

use super::*;
use crate::{
    builders::{World, actor, flag, key, production},
    change,
    publish::Subscription,
    store::{Op, Outcome, Txn, model, redb::Redb},
    truth::Truth,
};

/// Only a broken test waits so long.
const FAR: Duration = Duration::from_secs(60);
const LINEAGE: u128 = 7;

fn store() -> (TempDir, Arc<Redb>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Redb::open(&folder.path().join("store.redb"), LINEAGE).unwrap();
    (folder, Arc::new(store))
}

/// All that is on the shelf of a world, in as few transactions as the store takes.
async fn put(store: &Redb, world: &World) {
    let items = world.shelf.items.values().collect::<Vec<_>>();
    for some in items.chunks(100) {
        let txn = Txn {
            guards: Vec::new(),
            ops: some
                .iter()
                .map(|item| Op::Put(item.key.clone(), item.value.clone()))
                .collect(),
        };
        assert!(matches!(store.txn(txn).await.unwrap(), Outcome::Committed(_)));
    }
}

/// A feed that follows the store.
struct Following {
    truth: Truth,
    publisher: Arc<Publisher>,
    task: tokio::task::JoinHandle<()>,
}

impl Following {
    fn begin(store: &Arc<Redb>, state: State) -> Self {
        let state = Arc::new(state);
        let publisher = Arc::new(Publisher::new(LINEAGE, state.clone()));
        let (announced, states) = watch::channel(state);
        let truth = Truth::new(store.clone(), states);
        let task = tokio::spawn({
            let (store, publisher) = (store.clone(), publisher.clone());
            async move { follow(&*store, &publisher, &announced).await.unwrap() }
        });
        Self { truth, publisher, task }
    }

    fn end(self) {
        self.task.abort();
    }
}

fn whole() -> Subscription {
    Subscription {
        environment: production(),
        set: None,
    }
}

#[tokio::test]
async fn an_empty_store_is_an_empty_state() {
    let (_folder, store) = store();
    let state = load(&*store).await.unwrap();
    assert_eq!(state.revision, 0);
    assert!(state.environments.is_empty() && state.flags.is_empty());
}

#[tokio::test]
async fn what_is_loaded_is_what_was_followed() {
    let (_folder, store) = store();
    store.txn(change::first_environments(|| 1)).await.unwrap();
    let following = Following::begin(&store, load(&*store).await.unwrap());
    let mut world = World::new();
    for name in ["checkout", "banner"] {
        let txn = world.writing(flag(name));
        following.truth.commit(txn.clone()).await.unwrap();
        world.commit(&txn);
    }
    let state = following.truth.state();
    let edit = |record: &crate::record::FlagRecord| {
        let mut after = record.clone();
        after.flag.killed = true;
        after.version += 1;
        after
    };
    let before = state.flag(&production(), &key("checkout")).unwrap();
    let txn = change::flag::write(
        Txn::default(),
        &state,
        change::flag::Act::alone(&production(), "flag.kill", &actor()),
        Some(before),
        &edit(before),
    );
    let followed = following.truth.commit(txn).await.unwrap();
    following.end();
    let loaded = load(&*store).await.unwrap();
    // Acts are known of since the process began.
    let followed = State {
        acts: loaded.acts.clone(),
        ..State::clone(&followed)
    };
    assert_eq!(format!("{loaded:?}"), format!("{followed:?}"));
    assert_eq!(loaded.revision, 4);
}

#[tokio::test]
async fn a_state_larger_than_one_page_is_loaded_whole() {
    let (_folder, store) = store();
    let mut world = World::new();
    for number in 0..LOAD_PAGE + 5 {
        world.write(flag(&format!("flag-{number}")));
    }
    world.start("flag-3");
    put(&store, &world).await;
    let loaded = load(&*store).await.unwrap();
    assert_eq!(loaded.flags.len(), LOAD_PAGE + 5);
    assert_eq!(loaded.rollouts.len(), 1);
    assert_eq!(loaded.exposures.len(), 1);
    assert_eq!(loaded.environments.len(), 3);
}

#[tokio::test]
async fn a_value_that_cannot_be_read_is_named_and_nothing_starts_on_it() {
    let (_folder, store) = store();
    let at = keys::flag(&production(), &key("checkout"));
    store.txn(Txn::default().put(at, "\u{1}not a flag")).await.unwrap();
    let error = load(&*store).await.unwrap_err().to_string();
    assert!(
        error.starts_with("the value of /tg/v1/flag/production/checkout "),
        "{error}"
    );
}

#[tokio::test]
async fn a_revision_that_the_state_shows_is_on_its_way_to_the_agents() {
    let (_folder, store) = store();
    store.txn(change::first_environments(|| 1)).await.unwrap();
    let following = Following::begin(&store, load(&*store).await.unwrap());
    let snapshots = following.publisher.subscribe(&whole()).unwrap();
    for number in 0..20 {
        let world = World::new();
        let txn = world.writing(flag(&format!("flag-{number}")));
        let shown = following.truth.commit(txn).await.unwrap();
        let published = snapshots.borrow().clone();
        assert!(published.revision.number >= shown.revision);
        assert!(following.publisher.current(&whole()).unwrap().0 >= shown.revision);
        assert_eq!(published.index.len(), number + 2);
    }
    following.end();
}

#[tokio::test]
async fn what_is_written_in_a_burst_is_published_together() {
    let (_folder, store) = store();
    store.txn(change::first_environments(|| 1)).await.unwrap();
    let state = load(&*store).await.unwrap();
    for number in 0..50 {
        let txn = World::new().writing(flag(&format!("flag-{number}")));
        store.txn(txn).await.unwrap();
    }
    let following = Following::begin(&store, state);
    let snapshots = following.publisher.subscribe(&whole()).unwrap();
    let shown = tokio::time::timeout(FAR, following.truth.at(51))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(shown.flags.len(), 50);
    let latest = snapshots.borrow().clone();
    assert_eq!(latest.revision.number, 51);
    let first = Revision {
        lineage: Lineage(LINEAGE),
        number: 1,
    };
    // One delta leads from before the burst to behind it.
    assert_ne!(latest.revision, first);
    let between = (2..51).filter(|&number| {
        let revision = Revision { number, ..first };
        let digest = latest.digest();
        following.publisher.recent(&whole(), revision, digest).is_some()
    });
    assert_eq!(between.count(), 0);
    following.end();
}

#[tokio::test]
async fn a_write_that_agents_need_not_know_moves_the_state_alone() {
    let (_folder, store) = store();
    store.txn(change::first_environments(|| 1)).await.unwrap();
    let following = Following::begin(&store, load(&*store).await.unwrap());
    let snapshots = following.publisher.subscribe(&whole()).unwrap();
    let before = snapshots.borrow().clone();
    let at = keys::soak(&production(), uuid::Uuid::now_v7());
    let soak = crate::record::Soak {
        visits: 1,
        soaked_us: 1,
    };
    let txn = Txn::default().put(at, model::write_soak(soak));
    let shown = following.truth.commit(txn).await.unwrap();
    assert_eq!(shown.soaks.len(), 1);
    assert!(Arc::ptr_eq(&before, &snapshots.borrow()));
    assert_eq!(following.publisher.current(&whole()).unwrap().0, shown.revision);
    following.end();
}
