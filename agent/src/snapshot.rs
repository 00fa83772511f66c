//! The snapshot that evaluations read, and the one gate through which another takes its place.
//!
//! Owns the atomic pointer: nobody else names `ArcSwap`. Readers load without a lock and keep what they loaded; waiters
//! watch the revision and then load. The one rule: what is installed is complete, matches the digest it was announced
//! with, and never takes an agent back. Refusing here, and not where snapshots are received, covers the copy on disk
//! too.

use std::{fmt, ops::Deref, sync::Arc};

use arc_swap::ArcSwap;
use evaluation::{Digest, Revision, Snapshot};
use tokio::sync::watch;

/// Names one content of one store: what acks speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Its revision.
    pub(crate) revision: Revision,
    /// Its digest.
    pub(crate) digest: Digest,
}

/// Why a snapshot was not installed; the held one stays in use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Its content is not what was announced.
    #[error("its digest is {found}, not {expected} as announced")]
    Digest {
        /// As announced.
        expected: Digest,
        /// As built.
        found: Digest,
    },
    /// It is older than what is held, in the same lineage.
    #[error("it is older than the held revision {held}")]
    Older {
        /// What is held.
        held: u64,
    },
    /// It has no flags, comes from another store, and flags are held.
    #[error("it has no flags and is of another lineage; start the agent with --accept-empty if that is meant")]
    Empty,
}

/// A cheap handle to the snapshot in use.
#[derive(Clone)]
pub(crate) struct Holder {
    shared: Arc<Shared>,
}

struct Shared {
    snapshot: ArcSwap<Snapshot>,
    /// Changes after the snapshot; its lock makes installing one at a time.
    revision: watch::Sender<Revision>,
    accept_empty: bool,
}

impl Holder {
    /// Holds nothing yet. With `accept_empty` a store that lost its flags may empty this agent.
    pub(crate) fn new(accept_empty: bool) -> Self {
        let empty = Snapshot::empty();
        let (revision, _) = watch::channel(empty.revision());
        Self {
            shared: Arc::new(Shared {
                snapshot: ArcSwap::from_pointee(empty),
                revision,
                accept_empty,
            }),
        }
    }

    /// The snapshot for one short piece of work. Not to be kept across an await.
    pub(crate) fn load(&self) -> impl Deref<Target = Arc<Snapshot>> + use<> {
        self.shared.snapshot.load()
    }

    /// The snapshot to keep.
    pub(crate) fn load_full(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    /// Tells when another snapshot was installed; the latest wins.
    pub(crate) fn watch(&self) -> watch::Receiver<Revision> {
        self.shared.revision.subscribe()
    }

    /// Whether a snapshot with its environment is in use: before that nothing can be answered.
    pub(crate) fn holds_any(&self) -> bool {
        self.load().environment().is_some()
    }

    /// What is in use, if anything is.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        let snapshot = self.load();
        (!snapshot.index().is_empty()).then(|| Stamp {
            revision: snapshot.revision(),
            digest: snapshot.digest(),
        })
    }

    /// Puts `next` in use, or says why not.
    pub(crate) fn install(&self, next: Snapshot, expected: Digest) -> Result<(), Refusal> {
        let mut result = Ok(());
        self.shared.revision.send_if_modified(|revision| {
            result = self.check(&next, expected);
            if result.is_ok() {
                *revision = next.revision();
                self.shared.snapshot.store(Arc::new(next));
            }
            result.is_ok()
        });
        result
    }

    fn check(&self, next: &Snapshot, expected: Digest) -> Result<(), Refusal> {
        let held = self.load();
        if next.digest() != expected {
            return Err(Refusal::Digest {
                expected,
                found: next.digest(),
            });
        }
        match held.revision().newer_than(next.revision()) {
            // The same content under the server's number takes nobody back.
            Some(true) if next.digest() == held.digest() => Ok(()),
            Some(true) => Err(Refusal::Older {
                held: held.revision().number,
            }),
            Some(false) => Ok(()),
            None if self.shared.accept_empty => Ok(()),
            None if next.flags().next().is_none() && held.flags().next().is_some() => Err(Refusal::Empty),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Holder")
            .field("snapshot", &**self.load())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
