//! Builds the next snapshot aside, from what is held and what was received. Pure.
//!
//! An entry that this build cannot read is held back: it keeps the body that it had, or none, while its hash counts in
//! the digest as received. Everything else that is wrong refuses the whole: a delta from another base, torn framing,
//! or, at `Holder::install`, a digest that is not the announced one. An entry whose hash is held already is not read
//! again, so a whole snapshot after a short break costs little.

use std::sync::Arc;

use bytes::Bytes;
use evaluation::{Body, Change, Entry, EntryId, Index, Revision, Snapshot, entry_hash};
use proto::{
    entry::{FramingError, RawEntry, decode, kind_number, unframe},
    v1,
};

use super::transfer::Transfer;
use crate::disk::Stored;

/// Why a transfer cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApplyError {
    /// The delta starts from something else than what is held.
    #[error("the delta starts from revision {from}, held is {held}")]
    Base {
        /// As announced.
        from: Revision,
        /// What is held.
        held: Revision,
    },
    /// The joined parts are not entries.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// A whole snapshot removes an entry.
    #[error("a whole snapshot removes the entry {0}")]
    Removal(String),
}

/// An entry that this build does not understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldBack {
    /// Which one.
    pub(crate) id: EntryId,
    /// The hash of what was not understood.
    pub(crate) hash: u128,
    /// Why.
    pub(crate) reason: String,
}

/// What is held back of the held snapshot after `next` took its place: what still is, and what came with it.
pub(crate) fn still_held_back(earlier: Vec<HeldBack>, next: &Snapshot, new: Vec<HeldBack>) -> Vec<HeldBack> {
    let in_use = |held: &HeldBack| {
        next.index()
            .get(held.id.kind, &held.id.key)
            .is_some_and(|entry| entry.hash == held.hash)
    };
    let mut all = earlier;
    all.retain(|held| in_use(held) && new.iter().all(|newer| newer.id != held.id));
    all.extend(new);
    all
}

impl From<&HeldBack> for v1::EntryProblem {
    fn from(held_back: &HeldBack) -> Self {
        Self {
            kind: kind_number(held_back.id.kind),
            key: held_back.id.key.to_string(),
            reason: held_back.reason.clone(),
        }
    }
}

/// A snapshot, built and not yet in use.
#[derive(Debug)]
pub(crate) struct Built {
    /// The snapshot.
    pub(crate) snapshot: Snapshot,
    /// What is held back of the entries that were read for it.
    pub(crate) held_back: Vec<HeldBack>,
    /// The entries as received, for the disk.
    pub(crate) received: Vec<RawEntry>,
    /// Whether it was built from nothing.
    pub(crate) whole: bool,
}

/// The snapshot that a transfer leads to.
pub(crate) fn build(held: &Snapshot, transfer: Transfer) -> Result<Built, ApplyError> {
    let whole = transfer.from.is_none();
    if let Some(from) = transfer.from.filter(|from| *from != held.revision()) {
        return Err(ApplyError::Base {
            from,
            held: held.revision(),
        });
    }
    let received = unframe(transfer.bytes)?;
    if let Some(removal) = received.iter().find(|raw| whole && raw.body.is_none()) {
        return Err(ApplyError::Removal(removal.key.clone()));
    }
    let mut held_back = Vec::new();
    let changes: Vec<_> = received.iter().map(|raw| change(held, raw, &mut held_back)).collect();
    let index = if whole {
        Index::new().with(changes)
    } else {
        held.index().with(changes)
    };
    Ok(Built {
        snapshot: Snapshot::new(transfer.to.revision, index),
        held_back,
        received,
        whole,
    })
}

/// The snapshot of a copy on disk. An entry that this build does not understand serves the body that was kept for it.
pub(crate) fn restore(stored: &Stored) -> (Snapshot, Vec<HeldBack>) {
    let mut held_back = Vec::new();
    let changes: Vec<_> = stored
        .entries
        .iter()
        .map(|(id, bytes)| {
            let hash = entry_hash(id.kind, &id.key, bytes);
            let kept = || decode(id.kind, &id.key, stored.kept.get(id)?.as_ref()?).ok();
            let body = read(id, hash, bytes, kept, &mut held_back);
            Change {
                id: id.clone(),
                entry: Some(Entry { hash, body }),
            }
        })
        .collect();
    (
        Snapshot::new(stored.stamp.revision, Index::new().with(changes)),
        held_back,
    )
}

fn change(held: &Snapshot, raw: &RawEntry, held_back: &mut Vec<HeldBack>) -> Change<Body> {
    let id = EntryId {
        kind: raw.kind,
        key: Arc::from(raw.key.as_str()),
    };
    let entry = raw.body.as_ref().map(|bytes| {
        let hash = entry_hash(raw.kind, &raw.key, bytes);
        let previous = held.index().get(raw.kind, &raw.key);
        let before = || previous.map(|entry| entry.body.clone());
        let body = match previous.filter(|entry| entry.hash == hash) {
            Some(entry) => entry.body.clone(),
            None => read(&id, hash, bytes, before, held_back),
        };
        Entry { hash, body }
    });
    // What was understood has its key already: one text for both.
    let known = entry.as_ref().and_then(|entry| entry.body.key());
    let key = known
        .filter(|known| known.as_str() == &*id.key)
        .map_or(id.key, Arc::from);
    let id = EntryId { key, kind: id.kind };
    Change { id, entry }
}

/// What an entry's bytes mean; if that is not understood, it is noted, and what was there `before` stays.
fn read(
    id: &EntryId,
    hash: u128,
    bytes: &Bytes,
    before: impl FnOnce() -> Option<Body>,
    held_back: &mut Vec<HeldBack>,
) -> Body {
    decode(id.kind, &id.key, bytes).unwrap_or_else(|error| {
        held_back.push(HeldBack {
            id: id.clone(),
            hash,
            reason: error.to_string(),
        });
        before().unwrap_or(Body::Ignored)
    })
}

#[cfg(test)]
mod tests;
