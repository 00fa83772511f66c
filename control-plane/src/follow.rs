//! Following what is done in an environment: its audit records as they are made, in order, each once.
//!
//! A follower pulls: it reads the store's log when somebody asks for the next record, so a slow one holds nobody up and
//! holds no more than one page of it; who keeps up is served from the state (`recent.rs`) and reads no log at all. It
//! says a record only when the state shows its revision, so that whoever reads after it, reads what it told of.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use evaluation::Key;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use uuid::Uuid;

use crate::{
    recent::Recorded,
    state::State,
    store::{
        self, Commit, keys,
        model::{Act, AuditRecord, ModelError},
    },
    truth::Truth,
};

/// Followers at once.
const FOLLOWERS: usize = 256;

/// The places for followers of this process.
#[derive(Debug, Clone)]
pub(crate) struct Followers(Arc<Semaphore>);

/// One reader of an environment's records.
#[derive(Debug)]
pub(crate) struct Follower {
    truth: Truth,
    states: watch::Receiver<Arc<State>>,
    environment: Key,
    prefix: Bytes,
    /// The state's revision when it began: what was done before that is in the log only.
    begun: u64,
    /// Up to where the log was read.
    read: u64,
    /// Up to where everything was handed out.
    told: u64,
    queue: VecDeque<Seen>,
    _place: OwnedSemaphorePermit,
}

/// A record that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its id.
    pub(crate) id: Uuid,
    /// What it says.
    pub(crate) record: AuditRecord,
    /// The store revision of the act.
    pub(crate) revision: u64,
    /// The store revision up to which nothing is left out once this record is known: that of the act, or the one before
    /// as long as more records of the same act follow.
    pub(crate) told: u64,
}

/// Why a follower has nothing more to say.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    /// All places are taken.
    #[error("{FOLLOWERS} followers are there already")]
    Full,
    /// A revision that is not there yet.
    #[error("revision {asked} does not exist yet; the current one is {current}")]
    Future {
        /// Asked for.
        asked: u64,
        /// The current one.
        current: u64,
    },
    /// The store failed, or no longer holds that revision.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A stored record cannot be read.
    #[error("an audit record cannot be read: it {0}")]
    Model(#[from] ModelError),
}

impl Followers {
    /// All places free.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(FOLLOWERS)))
    }

    /// Begins to follow an environment after a revision, or (none) from now on.
    pub(crate) async fn follow(
        &self,
        truth: &Truth,
        environment: &Key,
        after: Option<u64>,
    ) -> Result<Follower, FollowError> {
        let place = self.0.clone().try_acquire_owned().map_err(|_| FollowError::Full)?;
        let begun = truth.state().revision;
        let read = after.unwrap_or(begun);
        if read > begun {
            return Err(FollowError::Future {
                asked: read,
                current: begun,
            });
        }
        let mut follower = Follower {
            truth: truth.clone(),
            states: truth.states(),
            environment: environment.clone(),
            prefix: keys::audits(environment),
            begun,
            read,
            told: read,
            queue: VecDeque::new(),
            _place: place,
        };
        if read < begun {
            // A revision that the log no longer holds is said at once, not in the middle of a stream.
            follower.read_log(begun).await?;
        }
        Ok(follower)
    }
}

impl Follower {
    /// The store revision up to which nothing was left out.
    pub(crate) fn told(&self) -> u64 {
        self.told
    }

    /// The next record; waits until there is one. May be dropped while it waits: nothing is lost.
    pub(crate) async fn next(&mut self) -> Result<Seen, FollowError> {
        loop {
            if let Some(seen) = self.queue.pop_front() {
                self.told = seen.told;
                return Ok(seen);
            }
            self.told = self.read;
            let read = self.read;
            let shown = self.states.wait_for(|state| state.revision > read).await;
            let state = shown.map_err(|_| store::Error::Closed)?.clone();
            match state.acts.get(&self.environment).map(|recent| recent.after(read)) {
                Some(Some(recent)) => {
                    let recent = recent.map(|recorded| Seen::from(&**recorded));
                    self.queue.extend(told_whole(recent.collect()));
                    self.read = state.revision;
                }
                // Nothing was done since this process began.
                None if read >= self.begun => self.read = state.revision,
                Some(None) | None => self.read_log(state.revision).await?,
            }
        }
    }

    /// Takes the next page of the log in, as far as the state shows it.
    async fn read_log(&mut self, shown: u64) -> Result<(), FollowError> {
        let commits = self.truth.store().watch(self.read).await?;
        let mut shown_commits = commits
            .into_iter()
            .take_while(|commit| commit.revision <= shown)
            .peekable();
        if shown_commits.peek().is_none() {
            // Revisions need not be dense: there is nothing up to what the state shows.
            self.read = shown;
        }
        for commit in shown_commits {
            let seen = self.seen(&commit)?;
            self.queue.extend(seen);
            self.read = commit.revision;
        }
        Ok(())
    }

    /// The records of this environment in a commit.
    fn seen(&self, commit: &Commit) -> Result<Vec<Seen>, ModelError> {
        let mut found = Vec::new();
        for event in &commit.events {
            let id = event.key.strip_prefix(&*self.prefix);
            let (Some(id), Some(value)) = (id.and_then(|id| Uuid::from_slice(id).ok()), &event.value) else {
                continue;
            };
            found.extend(Act::read_all(id, value)?.into_iter().map(|(id, record)| Seen {
                id,
                record,
                revision: commit.revision,
                told: commit.revision - 1,
            }));
        }
        Ok(told_whole(found))
    }
}

impl From<&Recorded> for Seen {
    fn from(recorded: &Recorded) -> Self {
        Self {
            id: recorded.id,
            record: recorded.record.clone(),
            revision: recorded.revision,
            told: recorded.revision - 1,
        }
    }
}

/// With the last record of each act its whole revision is told.
fn told_whole(mut seen: Vec<Seen>) -> Vec<Seen> {
    for at in 0..seen.len() {
        let next = seen.get(at + 1).map(|next| next.revision);
        if next != Some(seen[at].revision) {
            seen[at].told = seen[at].revision;
        }
    }
    seen
}

#[cfg(test)]
mod tests;
