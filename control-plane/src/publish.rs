//! Published snapshots: the latest of each subscription, for streams to pick up when they can.
//!
//! One cell per subscription, latest wins: a slow stream coalesces and nobody waits for it. A snapshot equal to the one
//! before is not published at all. What goes to agents is encoded once per (from, to, subscription) and shared.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};
use evaluation::{Digest, EntryId, Index, Key, Lineage, Revision, between};
use proto::{entry, revision::write_digest, v1};
use tokio::sync::watch;

use crate::{compile, state::State};

/// Snapshots that a subscription remembers, so that a returning agent gets a delta.
const REMEMBERED: usize = 64;

/// All that one subscription holds at one revision.
#[derive(Debug)]
pub(crate) struct Published {
    /// The content revision.
    pub(crate) revision: Revision,
    /// Framed entries.
    pub(crate) index: Index<Bytes>,
    encoded: Mutex<Encoded>,
}

/// What has been encoded of a snapshot, while it is the latest.
#[derive(Debug, Default)]
struct Encoded {
    whole: Option<Arc<Transfer>>,
    deltas: BTreeMap<u64, Arc<Transfer>>,
}

/// A snapshot or delta as it goes over the wire.
#[derive(Debug)]
pub(crate) struct Transfer {
    /// What comes first.
    pub(crate) begin: v1::Begin,
    /// Parts of at most 64 KiB.
    pub(crate) parts: Vec<Bytes>,
}

/// A subscription: an environment and one flag set, or all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Subscription {
    /// Key of the environment.
    pub(crate) environment: Key,
    /// Key of the flag set; none: all flags.
    pub(crate) set: Option<Key>,
}

/// The owner of all published snapshots. Written by the feed, read by streams.
#[derive(Debug)]
pub(crate) struct Publisher {
    lineage: Lineage,
    cells: Mutex<Cells>,
}

#[derive(Debug, Default)]
struct Cells {
    state: Arc<State>,
    by_subscription: BTreeMap<Subscription, Cell>,
}

#[derive(Debug)]
struct Cell {
    latest: watch::Sender<Arc<Published>>,
    recent: VecDeque<Arc<Published>>,
}

/// No environment has that key.
#[derive(Debug, thiserror::Error)]
#[error("environment {0} does not exist")]
pub(crate) struct UnknownEnvironment(pub(crate) Key);

impl Published {
    fn new(revision: Revision, index: Index<Bytes>) -> Self {
        Self {
            revision,
            index,
            encoded: Mutex::default(),
        }
    }

    /// The digest of its entries.
    pub(crate) fn digest(&self) -> Digest {
        self.index.digest()
    }

    /// The whole snapshot.
    pub(crate) fn whole(&self) -> Arc<Transfer> {
        let make = || Arc::new(self.transfer(None, self.index.iter().map(|(_, entry)| entry.body.clone())));
        locked(&self.encoded).whole.get_or_insert_with(make).clone()
    }

    /// What leads from an earlier snapshot to this one.
    pub(crate) fn delta(&self, from: &Published) -> Arc<Transfer> {
        let mut encoded = locked(&self.encoded);
        let make = || {
            let changes = between(&from.index, &self.index).changes;
            let framed = changes.into_iter().map(|change| match change.entry {
                Some(entry) => entry.body,
                None => entry::frame(change.id.kind, &change.id.key, None),
            });
            Arc::new(self.transfer(Some(from.revision), framed))
        };
        encoded.deltas.entry(from.revision.number).or_insert_with(make).clone()
    }

    fn transfer(&self, from: Option<Revision>, framed: impl Iterator<Item = Bytes>) -> Transfer {
        let mut joined = BytesMut::new();
        for entry in framed {
            joined.extend_from_slice(&entry);
        }
        let mut joined = joined.freeze();
        let begin = v1::Begin {
            from: from.map(v1::Revision::from),
            to: Some(v1::Revision::from(self.revision)),
            digest: write_digest(self.digest()),
            bytes: joined.len() as u64,
        };
        let mut parts = Vec::new();
        while !joined.is_empty() {
            parts.push(joined.split_to(joined.len().min(entry::PART_LIMIT)));
        }
        Transfer { begin, parts }
    }
}

impl Publisher {
    /// A publisher of the state that was loaded.
    pub(crate) fn new(lineage: u128, state: Arc<State>) -> Self {
        let cells = Cells {
            state,
            by_subscription: BTreeMap::new(),
        };
        Self {
            lineage: Lineage(lineage),
            cells: Mutex::new(cells),
        }
    }

    /// The snapshots of a subscription, from the latest on.
    pub(crate) fn subscribe(
        &self,
        subscription: &Subscription,
    ) -> Result<watch::Receiver<Arc<Published>>, UnknownEnvironment> {
        let mut cells = locked(&self.cells);
        if !cells.state.environments.contains_key(&subscription.environment) {
            return Err(UnknownEnvironment(subscription.environment.clone()));
        }
        if let Some(cell) = cells.by_subscription.get(subscription) {
            return Ok(cell.latest.subscribe());
        }
        let cell = self.first(&cells.state, subscription);
        let receiver = cell.latest.subscribe();
        cells.by_subscription.insert(subscription.clone(), cell);
        Ok(receiver)
    }

    /// A snapshot that was published lately, if it is what the agent says it holds.
    pub(crate) fn recent(
        &self,
        subscription: &Subscription,
        revision: Revision,
        digest: Digest,
    ) -> Option<Arc<Published>> {
        let cells = locked(&self.cells);
        let recent = &cells.by_subscription.get(subscription)?.recent;
        recent
            .iter()
            .find(|published| published.revision == revision && published.digest() == digest)
            .cloned()
    }

    /// The state that the latest snapshots show, and the digest of a subscription's latest.
    pub(crate) fn current(&self, subscription: &Subscription) -> Option<(u64, Digest)> {
        let cells = locked(&self.cells);
        let digest = cells.by_subscription.get(subscription)?.latest.borrow().digest();
        Some((cells.state.revision, digest))
    }

    /// The content revision of a subscription that somebody has.
    pub(crate) fn latest(&self, subscription: &Subscription) -> Option<u64> {
        let cells = locked(&self.cells);
        let cell = cells.by_subscription.get(subscription)?;
        let number = cell.latest.borrow().revision.number;
        Some(number)
    }

    /// Publishes what differs after a commit. Returns how many snapshots were published.
    pub(crate) fn publish(&self, state: Arc<State>, touched: &BTreeMap<Key, Vec<EntryId>>) -> usize {
        let mut cells = locked(&self.cells);
        let mut published = 0;
        // A flag set that nobody subscribes to any longer costs nothing.
        cells
            .by_subscription
            .retain(|subscription, cell| subscription.set.is_none() || cell.latest.receiver_count() > 0);
        for (subscription, cell) in &mut cells.by_subscription {
            let Some(ids) = touched.get(&subscription.environment) else {
                continue;
            };
            let changes = ids
                .iter()
                .map(|id| compile::change(&state, &subscription.environment, subscription.set.as_ref(), id));
            published += usize::from(cell.publish(self.revision(&state), changes));
        }
        cells.state = state;
        published
    }

    fn first(&self, state: &State, subscription: &Subscription) -> Cell {
        let ids = compile::all(state, &subscription.environment);
        let changes = ids
            .iter()
            .map(|id| compile::change(state, &subscription.environment, subscription.set.as_ref(), id));
        let first = Arc::new(Published::new(self.revision(state), Index::new().with(changes)));
        Cell {
            latest: watch::Sender::new(first.clone()),
            recent: VecDeque::from([first]),
        }
    }

    fn revision(&self, state: &State) -> Revision {
        Revision {
            lineage: self.lineage,
            number: state.revision,
        }
    }
}

impl Cell {
    fn publish(&mut self, revision: Revision, changes: impl Iterator<Item = evaluation::Change<Bytes>>) -> bool {
        let before = self.latest.borrow().clone();
        let index = before.index.with(changes);
        if index.digest() == before.digest() {
            return false;
        }
        let next = Arc::new(Published::new(revision, index));
        // Superseded: whoever still sends it holds what he sends.
        *locked(&before.encoded) = Encoded::default();
        self.recent.push_back(next.clone());
        if self.recent.len() > REMEMBERED {
            self.recent.pop_front();
        }
        self.latest.send_replace(next);
        true
    }
}

/// A lock that a panic elsewhere cannot poison for everybody: the values behind are replaced whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
