//! The one way from the store to everybody: commits in, state and snapshots out.
//!
//! A single task follows the store, applies each revision, publishes what agents must learn, then announces the state:
//! in this order, so that whoever sees a revision in the state knows that it is on its way to the agents. Publishing is
//! paced: changes that come in a burst are published together.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use evaluation::{EntryId, Key};
use tokio::{sync::watch, time::Instant};

use crate::{
    compile, metrics as names,
    publish::Publisher,
    state::State,
    store::{Error, Order, Store, keys, model::ModelError},
};

/// Publish passes are at least this far apart.
const PACE: Duration = Duration::from_millis(5);
/// Items read at once at the start.
const LOAD_PAGE: usize = 1_000;

/// Why the truth could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
    /// A stored value cannot be read.
    #[error("the value of {key} {reason}")]
    Value {
        /// Its key, as far as it is text.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

/// Reads the whole state. All pages are of one revision, or the reading begins again.
pub(crate) async fn load(store: &dyn Store) -> Result<State, FeedError> {
    loop {
        if let Some(state) = load_once(store).await? {
            return Ok(state);
        }
    }
}

async fn load_once(store: &dyn Store) -> Result<Option<State>, FeedError> {
    let mut state = State::default();
    let mut first = None;
    for prefix in keys::state_prefixes() {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = store
                .range(&prefix, after.as_deref(), LOAD_PAGE, Order::Ascending)
                .await?;
            if *first.get_or_insert(page.revision) != page.revision {
                return Ok(None);
            }
            for item in &page.items {
                apply(store, &mut state, item.modified, &item.key, Some(&item.value)).await?;
            }
            match page.items.last() {
                Some(last) if page.more => after = Some(last.key.to_vec()),
                Some(_) | None => break,
            }
        }
    }
    state.revision = first.unwrap_or(0);
    Ok(Some(state))
}

/// Takes one change in; before a segment, the chunks that it names.
///
/// Chunks are fetched when a segment names them and not when they are written, so that one that no segment comes to
/// name takes no memory, and a start reads no others.
async fn apply(
    store: &dyn Store,
    state: &mut State,
    revision: u64,
    key: &[u8],
    value: Option<&bytes::Bytes>,
) -> Result<Option<keys::Subject>, FeedError> {
    match (keys::subject(key), value) {
        (Some(keys::Subject::Chunk(..)), _) => return Ok(None),
        (Some(keys::Subject::Segment(environment, _)), Some(value)) => {
            let missing = state.missing_chunks(&environment, value);
            for id in missing.map_err(|error| unreadable(key, error))? {
                let key = keys::chunk(&environment, id);
                let item = store.get(&key).await?;
                state
                    .apply(revision, &key, item.as_ref().map(|item| &item.value))
                    .map_err(|error| unreadable(&key, error))?;
            }
        }
        _ => {}
    }
    state
        .apply(revision, key, value)
        .map_err(|error| unreadable(key, error))
}

fn unreadable(key: &[u8], error: ModelError) -> FeedError {
    FeedError::Value {
        key: String::from_utf8_lossy(key).into_owned(),
        reason: error.to_string(),
    }
}

/// Follows the store until it is closed.
pub(crate) async fn follow(
    store: &dyn Store,
    publisher: &Publisher,
    states: &watch::Sender<Arc<State>>,
) -> Result<(), FeedError> {
    let mut next_pass = Instant::now();
    loop {
        let mut state = State::clone(&states.borrow());
        let mut touched = BTreeMap::<Key, Vec<EntryId>>::new();
        let commits = store.watch(state.revision).await?;
        take(store, &mut state, &mut touched, commits).await?;
        if !touched.is_empty() && Instant::now() < next_pass {
            tokio::time::sleep_until(next_pass).await;
            // What came in the meantime is there without waiting; nothing more is as good an answer.
            if let Ok(commits) = tokio::time::timeout(Duration::ZERO, store.watch(state.revision)).await {
                take(store, &mut state, &mut touched, commits?).await?;
            }
        }
        let state = Arc::new(state);
        if !touched.is_empty() {
            next_pass = Instant::now() + PACE;
        }
        let published = publisher.publish(state.clone(), &touched);
        metrics::counter!(names::SNAPSHOTS_PUBLISHED).increment(published as u64);
        metrics::gauge!(names::REVISION).set(state.revision as f64);
        states.send_replace(state);
    }
}

async fn take(
    store: &dyn Store,
    state: &mut State,
    touched: &mut BTreeMap<Key, Vec<EntryId>>,
    commits: Vec<crate::store::Commit>,
) -> Result<(), FeedError> {
    for commit in commits {
        for event in &commit.events {
            let Some(subject) = apply(store, state, commit.revision, &event.key, event.value.as_ref()).await? else {
                continue;
            };
            if let Some((environment, ids)) = compile::touched(state, &subject) {
                let known = touched.entry(environment).or_default();
                known.extend(ids.into_iter().filter(|id| !known.contains(id)).collect::<Vec<_>>());
            }
        }
        state.revision = commit.revision;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
