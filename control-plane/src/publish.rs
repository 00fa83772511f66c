//! Published snapshots: the latest of each subscription, for streams to pick up when they can.
//!
//! One cell per subscription, latest wins: a slow stream coalesces and nobody waits for it. A snapshot equal to the one
//! before is not published at all. What goes to agents is encoded once per (from, to, subscription) and shared.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};
use evaluation::{Change, Digest, EntryId, EntryKind, Index, Key, Lineage, Revision, between};
use proto::{entry, revision::write_digest, v1};
use tokio::sync::watch;

use crate::{
    compile::{self, Selection},
    state::State,
};

/// Snapshots that a subscription remembers, so that a returning agent gets a delta.
const REMEMBERED: usize = 64;
/// Bytes of entries that are kept for remembered snapshots alone: a large segment that is edited often must not be there
/// 64 times.
const REMEMBERED_BYTES: usize = 64 * 1024 * 1024;

/// All that one subscription holds at one revision.
#[derive(Debug)]
pub(crate) struct Published {
    /// The content revision.
    pub(crate) revision: Revision,
    /// Framed entries.
    pub(crate) index: Index<Bytes>,
    /// When it was published.
    pub(crate) at_us: i64,
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
    selection: Selection,
    latest: watch::Sender<Arc<Published>>,
    /// The latest is the last.
    recent: VecDeque<Remembered>,
}

/// A snapshot that a returning agent may hold.
#[derive(Debug)]
struct Remembered {
    published: Arc<Published>,
    /// Bytes of its entries that the snapshot after it no longer has.
    superseded_bytes: usize,
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
            at_us: runtime::clock::now_us(),
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
        let cell = self.first(&cells, subscription);
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
        let mut known = recent.iter().map(|remembered| &remembered.published);
        known
            .find(|published| published.revision == revision && published.digest() == digest)
            .cloned()
    }

    /// The state that the latest snapshots show, and the digest of a subscription's latest.
    pub(crate) fn current(&self, subscription: &Subscription) -> Option<(u64, Digest)> {
        let cells = locked(&self.cells);
        let digest = cells.by_subscription.get(subscription)?.latest.borrow().digest();
        Some((cells.state.revision, digest))
    }

    /// Whether the latest snapshot of a subscription that somebody has holds a flag.
    pub(crate) fn holds(&self, subscription: &Subscription, flag: &str) -> bool {
        let cells = locked(&self.cells);
        let cell = cells.by_subscription.get(subscription);
        cell.is_some_and(|cell| cell.latest.borrow().index.get(EntryKind::Flag, flag).is_some())
    }

    /// The content revision of a subscription that somebody has.
    pub(crate) fn latest(&self, subscription: &Subscription) -> Option<u64> {
        let cells = locked(&self.cells);
        let cell = cells.by_subscription.get(subscription)?;
        let number = cell.latest.borrow().revision.number;
        Some(number)
    }

    /// Publishes what differs after a commit. Returns how many snapshots were published.
    ///
    /// An entry is encoded once, however many subscriptions hold it. A subscription of an environment that is gone ends.
    pub(crate) fn publish(&self, state: Arc<State>, touched: &BTreeMap<Key, Vec<EntryId>>) -> usize {
        let mut cells = locked(&self.cells);
        let Cells {
            state: before,
            by_subscription,
        } = &mut *cells;
        // A flag set that nobody subscribes to any longer costs nothing.
        by_subscription.retain(|subscription, cell| {
            let is_used = subscription.set.is_none() || cell.latest.receiver_count() > 0;
            is_used && state.environments.contains_key(&subscription.environment)
        });
        let mut published = 0;
        for (environment, ids) in touched {
            let restructured = compile::restructured(before, &state, environment, ids.iter());
            let mut encoded = BTreeMap::new();
            let cells = by_subscription.iter_mut();
            for (subscription, cell) in cells.filter(|(subscription, _)| subscription.environment == *environment) {
                let mut ids = ids.clone();
                if restructured {
                    ids.extend(cell.select(Selection::of(&state, environment, subscription.set.as_ref())));
                }
                let changes = ids.into_iter().map(|id| {
                    let holds = cell.selection.holds(&state, environment, &id);
                    let entry = holds.then(|| {
                        let make = || compile::entry(&state, environment, &id);
                        encoded.entry(id.clone()).or_insert_with(make).clone()
                    });
                    Change {
                        id,
                        entry: entry.flatten(),
                    }
                });
                published += usize::from(cell.publish(self.revision(&state), changes.collect()));
            }
        }
        cells.state = state;
        published
    }

    /// The first snapshot of a subscription; what others of its environment hold already is shared with them.
    fn first(&self, cells: &Cells, subscription: &Subscription) -> Cell {
        let (state, environment) = (&cells.state, &subscription.environment);
        let selection = Selection::of(state, environment, subscription.set.as_ref());
        let others = cells.by_subscription.iter();
        let others = others.filter(|(other, _)| other.environment == *environment);
        let others = others.map(|(_, cell)| cell.latest.borrow().clone()).collect::<Vec<_>>();
        let ids = compile::all(state, environment);
        let held = ids.into_iter().filter(|id| selection.holds(state, environment, id));
        let changes = held.map(|id| {
            let shared = others.iter().find_map(|other| other.index.get(id.kind, &id.key));
            let entry = shared.cloned().or_else(|| compile::entry(state, environment, &id));
            Change { id, entry }
        });
        let first = Arc::new(Published::new(self.revision(state), Index::new().with(changes)));
        Cell {
            selection,
            latest: watch::Sender::new(first.clone()),
            recent: VecDeque::from([Remembered::of(first)]),
        }
    }

    fn revision(&self, state: &State) -> Revision {
        Revision {
            lineage: self.lineage,
            number: state.revision,
        }
    }
}

impl Remembered {
    fn of(published: Arc<Published>) -> Self {
        Self {
            published,
            superseded_bytes: 0,
        }
    }
}

impl Cell {
    /// Takes another selection; the entries that it holds and the one before did not, or the other way round.
    fn select(&mut self, selection: Selection) -> Vec<EntryId> {
        let moved = selection.differing(&self.selection);
        self.selection = selection;
        moved
    }

    fn publish(&mut self, revision: Revision, changes: Vec<Change<Bytes>>) -> bool {
        let before = self.latest.borrow().clone();
        let superseded_bytes = superseded(&before.index, &changes);
        let index = before.index.with(changes);
        if index.digest() == before.digest() {
            return false;
        }
        let next = Arc::new(Published::new(revision, index));
        // Superseded: whoever still sends it holds what he sends.
        *locked(&before.encoded) = Encoded::default();
        if let Some(last) = self.recent.back_mut() {
            last.superseded_bytes = superseded_bytes;
        }
        self.recent.push_back(Remembered::of(next.clone()));
        self.forget();
        self.latest.send_replace(next);
        true
    }

    /// Lets go of what is too old or, with all that is younger, too large.
    fn forget(&mut self) {
        let mut bytes = self.recent.iter().map(|known| known.superseded_bytes).sum::<usize>();
        while self.recent.len() > REMEMBERED || bytes > REMEMBERED_BYTES {
            let Some(oldest) = self.recent.pop_front() else {
                return;
            };
            bytes -= oldest.superseded_bytes;
        }
    }
}

/// Bytes of entries that changes replace or remove.
fn superseded(index: &Index<Bytes>, changes: &[Change<Bytes>]) -> usize {
    let bytes = changes.iter().map(|change| {
        let before = index.get(change.id.kind, &change.id.key);
        let gone = before.filter(|before| change.entry.as_ref().is_none_or(|now| now.hash != before.hash));
        gone.map_or(0, |before| before.body.len())
    });
    bytes.sum()
}

/// A lock that a panic elsewhere cannot poison for everybody: the values behind are replaced whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
