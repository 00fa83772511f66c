//! Reading the stream of events: what is kept, then what happens, in the order of commits, each once.
//!
//! A reader pulls, so a slow one holds nobody up. What is kept lies in the store by rollout, so its places are read once
//! and put in order, and the events themselves one revision at a time; a place takes some dozens of bytes, and there are
//! about as many as the sweep leaves. From the revision of that reading on it follows the store's log, and only when the
//! state says that there is something in it. Events that were swept before they were read are said to be missing.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use evaluation::Key;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use uuid::Uuid;

use super::{Event, position::Position};
use crate::{
    state::State,
    store::{
        self, Commit, Order, Store, keys,
        model::{self, ModelError},
    },
    truth::Truth,
};

/// Readers at once.
const READERS: usize = 64;
/// Items read at once.
const PAGE: usize = 500;

/// The places for readers of this process.
#[derive(Debug, Clone)]
pub(crate) struct Readers(Arc<Semaphore>);

/// One reader of the stream.
#[derive(Debug)]
pub(crate) struct Reader {
    truth: Truth,
    states: watch::Receiver<Arc<State>>,
    /// The last event that was handed out, or behind which was asked for.
    after: Option<Position>,
    /// What is kept and was not read yet.
    kept: VecDeque<Kept>,
    /// Up to here all is in `kept` or in `queue`, or was handed out.
    read: u64,
    queue: VecDeque<Told>,
    _place: OwnedSemaphorePermit,
}

/// An event with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// Where it is.
    pub(crate) position: Position,
    /// The environment that it is of.
    pub(crate) environment: Key,
    /// The rollout that it is about.
    pub(crate) rollout: Uuid,
    /// The event.
    pub(crate) event: Event,
}

/// Where events lie.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kept {
    /// The revision that brought them.
    pub(super) revision: u64,
    /// Their key.
    pub(super) key: Bytes,
}

/// Why there is nothing to read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// All places are taken.
    #[error("{READERS} readers of events are there already")]
    Full,
    /// A position that is not there yet.
    #[error("revision {asked} does not exist yet; the current one is {current}")]
    Future {
        /// Asked for.
        asked: u64,
        /// The current one.
        current: u64,
    },
    /// Events behind the position are gone.
    #[error("events after {after} are no longer kept; those after revision {swept} are")]
    Swept {
        /// Asked for, or read last.
        after: String,
        /// Up to here they are gone.
        swept: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A stored value cannot be read.
    #[error("an event cannot be read: it {0}")]
    Model(#[from] ModelError),
}

impl Readers {
    /// All places free.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(READERS)))
    }

    /// Begins to read behind a position, or (none) with the first event that is kept.
    pub(crate) async fn read(&self, truth: &Truth, after: Option<Position>) -> Result<Reader, ReadError> {
        let place = self.0.clone().try_acquire_owned().map_err(|_| ReadError::Full)?;
        let head = truth.state().revision;
        if let Some(after) = after.filter(|after| after.revision > head) {
            return Err(ReadError::Future {
                asked: after.revision,
                current: head,
            });
        }
        let mut reader = Reader {
            truth: truth.clone(),
            states: truth.states(),
            after,
            kept: VecDeque::new(),
            read: 0,
            queue: VecDeque::new(),
            _place: place,
        };
        reader.look_up(head).await?;
        Ok(reader)
    }
}

impl Reader {
    /// The next event of those that were there when the reader began; none: that was the last.
    pub(crate) async fn next_kept(&mut self) -> Result<Option<Told>, ReadError> {
        loop {
            if let Some(told) = self.queue.pop_front() {
                self.after = Some(told.position);
                return Ok(Some(told));
            }
            if self.kept.is_empty() {
                return Ok(None);
            }
            self.load().await?;
        }
    }

    /// The next event; waits until there is one. May be dropped while it waits: nothing is lost.
    pub(crate) async fn next(&mut self) -> Result<Told, ReadError> {
        loop {
            if let Some(told) = self.next_kept().await? {
                return Ok(told);
            }
            let read = self.read;
            let shown = self.states.wait_for(|state| state.revision > read).await;
            let (shown, told_at) = {
                let state = shown.map_err(|_| store::Error::Closed)?;
                (state.revision, state.told_at)
            };
            if told_at.is_none_or(|at| at <= read) {
                self.read = shown;
                continue;
            }
            match self.truth.store().watch(read).await {
                Ok(commits) => self.follow(commits, shown)?,
                // It slept for longer than the log reaches back.
                Err(store::Error::Compacted { .. }) => self.look_up(shown).await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Finds what is kept behind the position, up to a revision.
    async fn look_up(&mut self, head: u64) -> Result<(), ReadError> {
        let from = self.after.map_or(0, |after| after.revision).max(self.read);
        let mut found = kept(self.truth.store()).await?;
        found.retain(|kept| (from..=head).contains(&kept.revision));
        found.sort_unstable();
        // Read after the places: what was swept meanwhile is seen.
        self.check_swept().await?;
        self.kept = found.into();
        self.read = head;
        Ok(())
    }

    /// Takes in the events of the next revision that is kept.
    async fn load(&mut self) -> Result<(), ReadError> {
        // Much may be passed over by who asks for little.
        tokio::task::yield_now().await;
        let Some(revision) = self.kept.front().map(|kept| kept.revision) else {
            return Ok(());
        };
        let of_revision = self.kept.iter().take_while(|kept| kept.revision == revision);
        let mut values = Vec::new();
        for kept in of_revision {
            if let Some(item) = self.truth.store().get(&kept.key).await? {
                values.push((kept.key.clone(), item.value));
            } else {
                let swept = swept(self.truth.store()).await?;
                let after = self
                    .after
                    .map_or_else(|| "the beginning".to_owned(), |after| after.to_string());
                return Err(ReadError::Swept { after, swept });
            }
        }
        let told = told(revision, &values)?;
        self.kept.drain(..values.len());
        self.queue_behind(told);
        Ok(())
    }

    /// Takes in what the log says, as far as the state shows it.
    fn follow(&mut self, commits: Vec<Commit>, shown: u64) -> Result<(), ReadError> {
        let mut shown_commits = commits
            .into_iter()
            .take_while(|commit| commit.revision <= shown)
            .peekable();
        if shown_commits.peek().is_none() {
            // Revisions need not be dense: there is nothing up to what the state shows.
            self.read = shown;
        }
        for commit in shown_commits {
            let prefix = keys::outbox();
            let events = commit.events.into_iter().filter(|event| event.key.starts_with(&prefix));
            let mut values = events
                .filter_map(|event| Some((event.key, event.value?)))
                .collect::<Vec<_>>();
            values.sort_unstable_by(|one, other| one.0.cmp(&other.0));
            let told = told(commit.revision, &values)?;
            self.queue_behind(told);
            self.read = commit.revision;
        }
        Ok(())
    }

    fn queue_behind(&mut self, told: Vec<Told>) {
        let after = self.after;
        self.queue
            .extend(told.into_iter().filter(|told| Some(told.position) > after));
    }

    async fn check_swept(&self) -> Result<(), ReadError> {
        let Some(after) = self.after else {
            return Ok(());
        };
        let swept = swept(self.truth.store()).await?;
        if after.revision < swept {
            let after = after.to_string();
            return Err(ReadError::Swept { after, swept });
        }
        Ok(())
    }
}

/// Where all events that are kept lie, in the order of their keys.
pub(super) async fn kept(store: &dyn Store) -> Result<Vec<Kept>, store::Error> {
    let prefix = keys::outbox();
    let mut found = Vec::<Kept>::new();
    loop {
        let after = found.last().map(|kept| kept.key.clone());
        let page = store.range(&prefix, after.as_deref(), PAGE, Order::Ascending).await?;
        found.extend(page.items.into_iter().map(|item| Kept {
            revision: item.modified,
            key: item.key,
        }));
        if !page.more {
            return Ok(found);
        }
        tokio::task::yield_now().await;
    }
}

/// The revision up to which events are gone; 0: none is.
pub(super) async fn swept(store: &dyn Store) -> Result<u64, ReadError> {
    let item = store.get(&keys::swept()).await?;
    let revision = item.map(|item| model::read_revision(&item.value)).transpose()?;
    Ok(revision.unwrap_or(0))
}

/// The events of a revision, numbered in the order of their keys.
fn told(revision: u64, values: &[(Bytes, Bytes)]) -> Result<Vec<Told>, ModelError> {
    let mut told = Vec::new();
    for (key, value) in values {
        let Some(keys::Subject::Events(environment, rollout)) = keys::subject(key) else {
            return Err(ModelError::Field("key"));
        };
        for event in model::read_events(value)? {
            let index = told.len() as u32;
            told.push(Told {
                position: Position { revision, index },
                environment: environment.clone(),
                rollout,
                event,
            });
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests;
