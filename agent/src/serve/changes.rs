//! Which flags changed for one client since it was last told, for every door that says so.
//!
//! Holds no queue: it remembers the snapshot that the client was told about and compares it with the one in use when
//! the client can take more. So a slow client coalesces by itself, and no one waits for it. A snapshot that becomes
//! stale, or is confirmed again, changes the flags that say what they serve then.

use std::{collections::BTreeMap, sync::Arc};

use evaluation::{EntryKind, Revision, Snapshot, between};
use tokio::sync::watch;

use crate::evaluate::{Evaluator, Selection, find};

/// The most flags that are told at once: with keys of at most 200 bytes their message stays below the 4 MiB that
/// clients accept.
pub(crate) const AT_ONCE: usize = 10_000;

/// How a flag changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is new.
    Written,
    /// It may serve something else.
    Updated,
    /// It is gone.
    Deleted,
}

/// What one client does not know yet.
#[derive(Debug)]
pub(crate) struct Changes {
    evaluator: Arc<Evaluator>,
    revision: watch::Receiver<Revision>,
    stale: watch::Receiver<bool>,
    selection: Selection,
    told: Told,
    /// Flags that changed until `told` and did not fit what was told last.
    rest: BTreeMap<String, Change>,
}

/// What the client was told about, but for the rest.
#[derive(Debug)]
struct Told {
    snapshot: Arc<Snapshot>,
    stale: bool,
}

impl Changes {
    /// For a client that knows what is in use now.
    pub(crate) fn from_now(evaluator: &Arc<Evaluator>, selection: Selection) -> Self {
        let revision = evaluator.holder.watch();
        let stale = evaluator.stale.subscribe();
        let told = Told {
            snapshot: evaluator.holder.load_full(),
            stale: *stale.borrow(),
        };
        Self {
            evaluator: Arc::clone(evaluator),
            revision,
            stale,
            selection,
            told,
            rest: BTreeMap::new(),
        }
    }

    /// The revision that the client was told about.
    pub(crate) fn revision(&self) -> Revision {
        self.told.snapshot.revision()
    }

    /// Whether anything can be answered.
    pub(crate) fn holds_any(&self) -> bool {
        self.evaluator.holder.holds_any()
    }

    /// Holds every flag that is in use now as one that may have changed: the client may know values from before.
    pub(crate) fn every(&mut self) {
        self.told.snapshot = self.evaluator.holder.load_full();
        let flags = self.told.snapshot.flags().filter(|flag| self.selection.admits(flag));
        self.rest = flags.map(|flag| (flag.key().to_string(), Change::Updated)).collect();
    }

    /// What the client does not know yet, at most `AT_ONCE` flags of it, in key order. Empty: nothing.
    pub(crate) fn news(&mut self) -> BTreeMap<String, Change> {
        if self.rest.is_empty() {
            self.revision.borrow_and_update();
            self.look();
        }
        let later = match self.rest.keys().nth(AT_ONCE).cloned() {
            Some(next) => self.rest.split_off(&next),
            None => BTreeMap::new(),
        };
        std::mem::replace(&mut self.rest, later)
    }

    /// Waits until there may be news; false if there never will be.
    pub(crate) async fn wait(&mut self) -> bool {
        tokio::select! {
            changed = self.revision.changed() => changed.is_ok(),
            changed = self.stale.changed() => changed.is_ok(),
        }
    }

    fn look(&mut self) {
        let (current, stale) = (self.evaluator.holder.load_full(), *self.stale.borrow_and_update());
        self.rest = self.changed(&current);
        if stale != self.told.stale {
            let served_otherwise = current
                .flags()
                .filter(|flag| self.selection.admits(flag) && flag.falls_back_when_stale());
            for flag in served_otherwise {
                self.rest.entry(flag.key().to_string()).or_insert(Change::Updated);
            }
        }
        self.told = Told {
            snapshot: current,
            stale,
        };
    }

    /// The flags that are other ones for this client than those that it was told of, and those that read what changed.
    fn changed(&self, current: &Arc<Snapshot>) -> BTreeMap<String, Change> {
        let told = &self.told.snapshot;
        let delta = between(told.index(), current.index());
        let mut changed: BTreeMap<_, _> = delta
            .changes
            .iter()
            .filter(|change| change.id.kind == EntryKind::Flag)
            .filter_map(|change| Some((change.id.key.to_string(), self.change(current, &change.id.key)?)))
            .collect();
        if !delta.changes.is_empty() {
            let readers = self.evaluator.derived.readers(current);
            for key in readers.flags_reading(delta.changes.iter().map(|change| &change.id)) {
                if find(current, &self.selection, key).is_some() {
                    changed.entry(key.to_owned()).or_insert(Change::Updated);
                }
            }
        }
        changed
    }

    /// How a flag differs for this client, if it does.
    fn change(&self, current: &Snapshot, key: &str) -> Option<Change> {
        let (told, selection) = (&self.told.snapshot, &self.selection);
        match (find(told, selection, key), find(current, selection, key)) {
            (None, None) => None,
            (None, Some(_)) => Some(Change::Written),
            (Some(_), None) => Some(Change::Deleted),
            // Held back: another entry, the same flag.
            (Some(was), Some(is)) if std::ptr::eq(was, is) => None,
            (Some(_), Some(_)) => Some(Change::Updated),
        }
    }
}
