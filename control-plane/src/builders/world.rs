//! A shelf that keeps what transactions write, as a store would, and a world, which shows it as the feed does.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use evaluation::{EntryId, Flag, Key};
use rollout::Unit;
use uuid::Uuid;

use super::{SECOND_US, START_US, actor, key, plan_of, production, started, started_by};
use crate::{
    change::{self, flag::Act, rollout::Count},
    compile,
    record::{FlagRecord, RolloutRecord},
    state::State,
    store::{self, Item, Op, Txn, keys, model},
};

/// What committed transactions leave behind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shelf {
    pub(crate) items: BTreeMap<Bytes, Item>,
    pub(crate) revision: u64,
}

impl Shelf {
    /// Commits if the guards hold; the revision, or none.
    pub(crate) fn commit(&mut self, txn: &Txn) -> Option<u64> {
        txn.check().unwrap();
        let modified = |key: &Bytes| self.items.get(key).map(|item| item.modified);
        let holds = |guard: &store::Guard| match guard {
            store::Guard::Absent(key) => modified(key).is_none(),
            store::Guard::Unchanged(key, revision) => modified(key) == Some(*revision),
        };
        if !txn.guards.iter().all(holds) {
            return None;
        }
        self.revision += 1;
        for op in &txn.ops {
            match op {
                Op::Put(key, value) => {
                    let item = Item {
                        key: key.clone(),
                        value: value.clone(),
                        modified: self.revision,
                    };
                    self.items.insert(key.clone(), item);
                }
                Op::Delete(key) => _ = self.items.remove(key),
            }
        }
        Some(self.revision)
    }
}

/// Entries that a commit may have changed, by environment.
pub(crate) type Touched = BTreeMap<Key, Vec<EntryId>>;

/// A store with its environments, and the state that shows it.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) shelf: Shelf,
    pub(crate) state: State,
}

impl World {
    /// The three first environments, and nothing in them.
    pub(crate) fn new() -> Self {
        let mut world = Self {
            shelf: Shelf::default(),
            state: State::default(),
        };
        world.commit(&change::first_environments(|| 1));
        world
    }

    /// Commits what must not be refused.
    pub(crate) fn commit(&mut self, txn: &Txn) -> Touched {
        self.offer(txn).expect("all guards hold")
    }

    /// Commits if the guards hold; what was touched.
    pub(crate) fn offer(&mut self, txn: &Txn) -> Option<Touched> {
        let revision = self.shelf.commit(txn)?;
        let mut touched = Touched::new();
        for op in &txn.ops {
            let (key, value) = match op {
                Op::Put(key, value) => (key, Some(value)),
                Op::Delete(key) => (key, None),
            };
            let subject = self.state.apply(revision, key, value).unwrap();
            if let Some((environment, ids)) = subject.and_then(|subject| compile::touched(&self.state, &subject)) {
                touched.entry(environment).or_default().extend(ids);
            }
        }
        self.state.revision = revision;
        Some(touched)
    }

    /// Creates a flag in production, or replaces its document.
    pub(crate) fn write(&mut self, flag: Flag) -> Touched {
        let txn = self.writing(flag);
        self.commit(&txn)
    }

    /// What [`Self::write`] would commit.
    pub(crate) fn writing(&self, flag: Flag) -> Txn {
        let before = self.state.flag(&production(), &flag.key);
        let after = FlagRecord {
            flag,
            version: before.map_or(1, |before| before.version + 1),
            created_at_us: START_US,
            updated_at_us: START_US,
            archived_at_us: None,
            revision: 0,
        };
        let (environment, actor) = (production(), actor());
        let action = if before.is_some() { "flag.update" } else { "flag.create" };
        let act = Act::alone(&environment, action, &actor);
        change::flag::write(Txn::default(), &self.state, act, before.map(|before| &**before), &after)
    }

    /// Starts a rollout of a flag at 5 %, with 50 % and 100 % to come.
    pub(crate) fn start(&mut self, flag: &str) -> (Arc<RolloutRecord>, Touched) {
        let plan = plan_of(flag, Unit::Unit, &[5, 50, 100], 60 * SECOND_US);
        let record = started(plan, self.count().value + 1);
        let txn = started_by(&record, &self.flag(flag), self.count(), &actor());
        let touched = self.commit(&txn);
        (self.rollout(record.id), touched)
    }

    /// How many rollouts production has had.
    pub(crate) fn count(&self) -> Count {
        let item = self.shelf.items.get(&keys::rollout_count(&production()));
        Count {
            value: item.map_or(0, |item| model::read_count(&item.value).unwrap()),
            revision: item.map(|item| item.modified),
        }
    }

    /// A flag of production that is there.
    pub(crate) fn flag(&self, name: &str) -> Arc<FlagRecord> {
        self.state.flag(&production(), &key(name)).unwrap().clone()
    }

    /// A rollout of production that is there.
    pub(crate) fn rollout(&self, id: Uuid) -> Arc<RolloutRecord> {
        self.state.rollout(&production(), id).unwrap().clone()
    }
}
