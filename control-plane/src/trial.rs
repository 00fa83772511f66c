//! A control plane without its doors, for tests of services: a store in a folder of its own, the feed that follows it,
//! and the truth. It can be stopped and begun again over the same folder.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use evaluation::{Flag, Key, Segment};
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    builders::{actor, production},
    change::{self, flag::Act},
    feed, history,
    identity::Actor,
    members::Members,
    publish::Publisher,
    record::{FlagRecord, SegmentRecord},
    segments,
    state::State,
    store::{Store, Txn, redb::Redb},
    truth::Truth,
};

/// The store's lineage.
pub(crate) const LINEAGE: u128 = 7;

/// A running control plane.
#[derive(Debug)]
pub(crate) struct Trial {
    folder: TempDir,
    store: Arc<Redb>,
    pub(crate) truth: Truth,
    pub(crate) publisher: Arc<Publisher>,
    task: JoinHandle<()>,
}

impl Trial {
    /// An empty store with the three first environments.
    pub(crate) async fn new() -> Self {
        Self::begin(tempfile::tempdir().unwrap()).await
    }

    /// The same store after the process was stopped. Whoever holds a clone of its truth must have let go of it.
    pub(crate) async fn again(self) -> Self {
        let Self {
            folder,
            store,
            truth,
            publisher,
            task,
        } = self;
        task.abort();
        // Aborted: the answer is an error.
        let _ = task.await;
        drop((truth, publisher));
        assert!(Arc::into_inner(store).is_some(), "somebody still holds the store");
        Self::begin(folder).await
    }

    async fn begin(folder: TempDir) -> Self {
        let store = Arc::new(Redb::open(&folder.path().join("store.redb"), LINEAGE).unwrap());
        let mut state = feed::load(&*store).await.unwrap();
        if state.environments.is_empty() {
            store.txn(change::first_environments(|| 1)).await.unwrap();
            state = feed::load(&*store).await.unwrap();
        }
        let state = Arc::new(state);
        let publisher = Arc::new(Publisher::new(LINEAGE, state.clone()));
        let (announced, states) = watch::channel(state);
        let truth = Truth::new(store.clone(), states);
        let task = tokio::spawn({
            let (store, publisher) = (store.clone(), publisher.clone());
            async move { feed::follow(&*store, &publisher, &announced).await.unwrap() }
        });
        Self {
            folder,
            store,
            truth,
            publisher,
            task,
        }
    }

    /// The store, for a part that owns a share of it.
    pub(crate) fn shared(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    /// Creates a flag of production, or replaces its document.
    pub(crate) async fn write(&self, flag: Flag) -> Arc<State> {
        self.act("flag.update", flag, None).await
    }

    /// Puts a flag of production away.
    pub(crate) async fn archive(&self, flag: &Key) -> Arc<State> {
        let record = self.truth.state().flag(&production(), flag).unwrap().clone();
        self.act("flag.archive", record.flag.clone(), Some(1)).await
    }

    async fn act(&self, action: &'static str, flag: Flag, archived_at_us: Option<i64>) -> Arc<State> {
        let (state, actor) = (self.truth.state(), actor());
        let before = state.flag(&production(), &flag.key).map(|record| &**record);
        let version = history::newest_version(self.truth.store(), &production(), "flag", &flag.key).await;
        let after = FlagRecord {
            version: version.unwrap() + 1,
            created_at_us: actor.at_us,
            updated_at_us: actor.at_us,
            archived_at_us,
            revision: 0,
            flag,
        };
        let environment = production();
        let act = Act::alone(&environment, action, &actor);
        let txn = change::flag::write(Txn::default(), &state, act, before, &after);
        self.truth.commit(txn).await.unwrap()
    }

    /// Deletes a flag of production.
    pub(crate) async fn delete(&self, flag: &Key) -> Arc<State> {
        let (state, actor, environment) = (self.truth.state(), actor(), production());
        let before = state.flag(&environment, flag).unwrap();
        let act = Act::alone(&environment, "flag.delete", &actor);
        let txn = change::flag::delete(Txn::default(), &state, act, before);
        self.truth.commit(txn).await.unwrap()
    }

    /// Creates a segment of production, or replaces its document; the units are those of the document.
    pub(crate) async fn write_segment(&self, segment: Segment) -> Arc<State> {
        let (state, actor, environment) = (self.truth.state(), actor(), production());
        let before = state.segment(&environment, &segment.key).map(|record| &**record);
        let version = history::newest_version(self.truth.store(), &environment, "segment", &segment.key).await;
        let (included, excluded) = (Members::of(&segment.included), Members::of(&segment.excluded));
        let mut fresh = included.fresh;
        fresh.extend(excluded.fresh);
        let after = SegmentRecord {
            segment: Segment {
                included: Vec::new(),
                excluded: Vec::new(),
                ..segment
            },
            included: included.members,
            excluded: excluded.members,
            version: version.unwrap() + 1,
            created_at_us: actor.at_us,
            updated_at_us: actor.at_us,
            revision: 0,
        };
        let store = self.truth.store();
        let staged = segments::stage(store, &environment, &fresh, segments::ROOM, actor.at_us)
            .await
            .unwrap();
        let act = Act::alone(&environment, "segment.update", &actor);
        let txn = change::segment::put(Txn::default(), act, before, &after, staged);
        self.truth.commit(txn).await.unwrap()
    }

    /// Deletes a segment of production.
    pub(crate) async fn delete_segment(&self, segment: &Key) -> Arc<State> {
        let (state, actor, environment) = (self.truth.state(), actor(), production());
        let before = state.segment(&environment, segment).unwrap();
        let act = Act::alone(&environment, "segment.delete", &actor);
        let txn = change::segment::delete(Txn::default(), act, before);
        self.truth.commit(txn).await.unwrap()
    }

    /// Commits any transaction.
    pub(crate) async fn commit(&self, txn: Txn) -> Arc<State> {
        self.truth.commit(txn).await.unwrap()
    }

    /// Somebody by name.
    pub(crate) fn somebody(name: &str) -> Actor {
        Actor {
            name: name.to_owned(),
            ..actor()
        }
    }
}
