//! The store: ordered byte keys, one global revision per committed transaction, guards on a key's revision.
//!
//! The model is etcd's, so that one trait serves an embedded engine and a distributed one. The one rule: whoever writes
//! says what must still be true (the guards), and learns what he has changed only by watching. Limits are etcd's too
//! (128 operations, 1.5 MiB a value), so that moving up never fails.

pub(crate) mod keys;
pub(crate) mod model;
pub(crate) mod redb;

use bytes::Bytes;
use futures::future::BoxFuture;

/// The most operations of one transaction.
pub(crate) const OPERATIONS_LIMIT: usize = 128;
/// The largest value, and the most that all values of a transaction hold together, in bytes.
pub(crate) const VALUE_LIMIT: usize = 1_500_000;

/// What a transaction needs to be true of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Guard {
    /// The key has no value.
    Absent(Bytes),
    /// The key's value was last written at this revision.
    Unchanged(Bytes, u64),
}

/// One write of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    /// Gives a key a value.
    Put(Bytes, Bytes),
    /// Takes a key's value away; nothing happens to a key that has none.
    Delete(Bytes),
}

/// Writes that happen together, if all guards hold, or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Txn {
    /// All must hold.
    pub(crate) guards: Vec<Guard>,
    /// Each key at most once.
    pub(crate) ops: Vec<Op>,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Durable, at this revision.
    Committed(u64),
    /// A guard did not hold; nothing was written.
    Refused {
        /// The key of the guard.
        key: Bytes,
        /// When the key was last written; none: it has no value.
        found: Option<u64>,
    },
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// The key.
    pub(crate) key: Bytes,
    /// The value.
    pub(crate) value: Bytes,
    /// Revision of its last write.
    pub(crate) modified: u64,
}

/// Some items of one moment, in key order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// The store's revision at that moment.
    pub(crate) revision: u64,
    /// The items.
    pub(crate) items: Vec<Item>,
    /// Whether there are more behind the last.
    pub(crate) more: bool,
}

/// One change of a committed revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// The key.
    pub(crate) key: Bytes,
    /// Its value now; none: it was deleted.
    pub(crate) value: Option<Bytes>,
}

/// A whole committed revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Its number.
    pub(crate) revision: u64,
    /// All that it changed.
    pub(crate) events: Vec<Event>,
}

/// Why the store could not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The engine failed; the message is the engine's.
    #[error("the store failed: {0}")]
    Engine(String),
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
    /// A transaction or value beyond the limits.
    #[error("{what} is {size}, the limit is {limit}")]
    Limit {
        /// What is too large.
        what: &'static str,
        /// How large.
        size: usize,
        /// How large it may be.
        limit: usize,
    },
    /// The log no longer reaches back to that revision.
    #[error("revision {asked} is compacted; the log begins after {oldest}")]
    Compacted {
        /// Asked for.
        asked: u64,
        /// The last revision that is gone.
        oldest: u64,
    },
}

/// A store, shared by all parts of the process.
pub(crate) trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Drawn when the store was created or restored.
    fn lineage(&self) -> u128;

    /// Keys with this prefix, behind `after` if given, at most `limit`, in key order, or reversed.
    fn range(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
        order: Order,
    ) -> BoxFuture<'_, Result<Page, Error>>;

    /// One key.
    fn get(&self, key: &[u8]) -> BoxFuture<'_, Result<Option<Item>, Error>>;

    /// Commits all operations at one revision if all guards hold. The answer comes when it is durable.
    fn txn(&self, txn: Txn) -> BoxFuture<'_, Result<Outcome, Error>>;

    /// Waits until there are revisions after this one, and returns the next of them, whole and in order.
    fn watch(&self, after: u64) -> BoxFuture<'_, Result<Vec<Commit>, Error>>;
}

/// The order of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Smallest key first.
    Ascending,
    /// Largest key first; `after` is then an upper bound.
    Descending,
}

/// Every item under a prefix, in the order of their keys; pages of one snapshot each.
pub(crate) async fn all(store: &dyn Store, prefix: &[u8]) -> Result<Vec<Item>, Error> {
    const PAGE: usize = 500;
    let mut items: Vec<Item> = Vec::new();
    loop {
        let after = items.last().map(|item| item.key.clone());
        let page = store.range(prefix, after.as_deref(), PAGE, Order::Ascending).await?;
        items.extend(page.items);
        if !page.more {
            return Ok(items);
        }
    }
}

impl Txn {
    /// Adds a guard.
    pub(crate) fn guard(mut self, guard: Guard) -> Self {
        self.guards.push(guard);
        self
    }

    /// Adds a write.
    pub(crate) fn put(mut self, key: Bytes, value: impl Into<Bytes>) -> Self {
        self.ops.push(Op::Put(key, value.into()));
        self
    }

    /// Adds a deletion.
    pub(crate) fn delete(mut self, key: Bytes) -> Self {
        self.ops.push(Op::Delete(key));
        self
    }

    /// Adds another transaction: both are committed, or neither.
    pub(crate) fn and(mut self, other: Txn) -> Self {
        self.guards.extend(other.guards);
        self.ops.extend(other.ops);
        self
    }

    /// Refuses what no engine would take.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.ops.len() > OPERATIONS_LIMIT {
            return Err(Error::Limit {
                what: "a transaction",
                size: self.ops.len(),
                limit: OPERATIONS_LIMIT,
            });
        }
        let size = |op: &Op| match op {
            Op::Put(_, value) => value.len(),
            Op::Delete(_) => 0,
        };
        let size = self.ops.iter().map(size).sum();
        if size > VALUE_LIMIT {
            return Err(Error::Limit {
                what: "what is written at once",
                size,
                limit: VALUE_LIMIT,
            });
        }
        Ok(())
    }
}
