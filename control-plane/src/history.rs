//! Versions of documents, read from the store: the newest, a page of them, and the one that was in force at a revision.
//!
//! Versions are kept for ever under `hist`, one key each, in the order of their numbers. They are no part of the state:
//! whoever asks reads them, at most a bounded number at a time.

use std::sync::Arc;

use evaluation::Key;

use crate::{
    members::{Chunks, MissingChunk},
    record::SegmentRecord,
    state::State,
    store::{
        self, Order, Store, keys,
        model::{self, ModelError, VersionRecord},
    },
};

/// Why a version could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A stored version cannot be read.
    #[error("a version cannot be read: it {0}")]
    Model(#[from] ModelError),
    /// A chunk that a version names is gone.
    #[error(transparent)]
    Chunk(#[from] MissingChunk),
}

/// A version with the revision at which it was written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    /// The version.
    pub(crate) record: VersionRecord,
    /// The store revision.
    pub(crate) revision: u64,
}

/// The number of a document's newest version, deletions included; 0: the key was never used.
pub(crate) async fn newest_version(
    store: &dyn Store,
    environment: &Key,
    kind: &str,
    key: &Key,
) -> Result<u32, HistoryError> {
    let newest = page(store, environment, kind, key, None, 1).await?;
    Ok(newest.first().map_or(0, |kept| kept.record.version))
}

/// Versions of a document, the newest first: those before a number if one is given, at most `limit`.
pub(crate) async fn page(
    store: &dyn Store,
    environment: &Key,
    kind: &str,
    key: &Key,
    before: Option<u32>,
    limit: usize,
) -> Result<Vec<Kept>, HistoryError> {
    let prefix = keys::versions(kind, environment, key);
    let before = before.map(|version| keys::history(kind, environment, key, version));
    let found = store
        .range(&prefix, before.as_deref(), limit, Order::Descending)
        .await?;
    found.items.iter().map(read).collect()
}

/// One version of a document.
pub(crate) async fn version(
    store: &dyn Store,
    environment: &Key,
    kind: &str,
    key: &Key,
    version: u32,
) -> Result<Option<Kept>, HistoryError> {
    let found = store.get(&keys::history(kind, environment, key, version)).await?;
    found.as_ref().map(read).transpose()
}

/// The version that was in force at a store revision; none if the key was not used by then.
///
/// Versions are written one after the other, so their revisions ascend with their numbers: a binary search finds the
/// last that is not younger, in about 2 * log2(versions) reads of one key.
pub(crate) async fn version_at(
    store: &dyn Store,
    environment: &Key,
    kind: &str,
    key: &Key,
    revision: u64,
) -> Result<Option<Kept>, HistoryError> {
    let Some(newest) = page(store, environment, kind, key, None, 1).await?.pop() else {
        return Ok(None);
    };
    if newest.revision <= revision {
        return Ok(Some(newest));
    }
    // The version before `low` is not younger than asked for (or there is none), the one at `high` is.
    let (mut low, mut high, mut best) = (1, newest.record.version, None);
    while low < high {
        let middle = low + (high - low) / 2;
        match version(store, environment, kind, key, middle).await? {
            Some(kept) if kept.revision <= revision => {
                best = Some(kept);
                low = middle + 1;
            }
            Some(_) | None => high = middle,
        }
    }
    Ok(best)
}

/// The chunks of a segment of any version: those that the state holds, and from the store those that only versions name
/// any longer.
pub(crate) async fn chunks(
    store: &dyn Store,
    state: &State,
    environment: &Key,
    record: &SegmentRecord,
) -> Result<Chunks, HistoryError> {
    let held = state.chunks_of(environment);
    let mut chunks = Chunks::new();
    for id in record.chunks() {
        let chunk = match held.get(&id) {
            Some(chunk) => chunk.clone(),
            None => {
                let item = store.get(&keys::chunk(environment, id)).await?;
                Arc::new(model::read_chunk(&item.ok_or(MissingChunk(id))?.value)?)
            }
        };
        chunks.insert(id, chunk);
    }
    Ok(chunks)
}

fn read(item: &store::Item) -> Result<Kept, HistoryError> {
    let record = model::read_version(&item.value, item.modified)?;
    Ok(Kept {
        record,
        revision: item.modified,
    })
}

#[cfg(test)]
mod tests;
