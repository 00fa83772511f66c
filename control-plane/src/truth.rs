//! The truth, for those who read it and those who change it.
//!
//! Reading is a shared value of one revision. Changing is a transaction; its answer comes when the change is durable and
//! the state shows it, so that whoever has an answer reads his own write. The engine and the rpcs write through here
//! alike: there is one write path.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    state::State,
    store::{self, Outcome, Store, Txn},
};

/// How long the state may take to show what is durable.
const CATCH_UP: Duration = Duration::from_secs(10);
/// How long the winner of a race may take to show in the state, before the loser tries again anyway.
const LOST_RACE: Duration = Duration::from_secs(1);

/// A cheap handle to the truth.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    store: Arc<dyn Store>,
    states: watch::Receiver<Arc<State>>,
}

/// Why a change was not made, or is not seen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommitError {
    /// What the change was based on has changed.
    #[error("somebody else changed it at the same time")]
    Conflict,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The change is durable, but the state does not show it.
    #[error("revision {0} is durable but not in effect; the control plane is overloaded or stopping")]
    NotShown(u64),
}

impl Truth {
    /// A handle over the store and what the feed makes of it.
    pub(crate) fn new(store: Arc<dyn Store>, states: watch::Receiver<Arc<State>>) -> Self {
        Self { store, states }
    }

    /// The state by now.
    pub(crate) fn state(&self) -> Arc<State> {
        self.states.borrow().clone()
    }

    /// The states from now on.
    pub(crate) fn states(&self) -> watch::Receiver<Arc<State>> {
        self.states.clone()
    }

    /// The store, for what is not state: audit, history.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Commits a change; the state that shows it. Others may have written by then, and the state shows that too.
    pub(crate) async fn commit(&self, txn: Txn) -> Result<Arc<State>, CommitError> {
        self.commit_at(txn).await.map(|(_, state)| state)
    }

    /// Commits a change; its own revision, and the state that shows it.
    pub(crate) async fn commit_at(&self, txn: Txn) -> Result<(u64, Arc<State>), CommitError> {
        let revision = match self.store.txn(txn).await? {
            Outcome::Committed(revision) => revision,
            Outcome::Refused { key, found } => {
                tracing::debug!(key = %String::from_utf8_lossy(&key), ?found, "a change lost a race");
                return Err(CommitError::Conflict);
            }
        };
        Ok((revision, self.at(revision).await?))
    }

    /// Waits until the state shows a later revision than this one, for a second at most: whoever lost a race looks again
    /// at what won it.
    pub(crate) async fn newer(&self, revision: u64) {
        let mut states = self.states.clone();
        let later = states.wait_for(|state| state.revision > revision);
        // Without one the next try is refused like the last, which its caller bounds.
        _ = tokio::time::timeout(LOST_RACE, later).await;
    }

    /// The state once it shows a revision that is durable.
    pub(crate) async fn at(&self, revision: u64) -> Result<Arc<State>, CommitError> {
        let mut states = self.states.clone();
        let shown = tokio::time::timeout(CATCH_UP, states.wait_for(|state| state.revision >= revision)).await;
        match shown {
            Ok(Ok(state)) => Ok(state.clone()),
            Ok(Err(_)) | Err(_) => Err(CommitError::NotShown(revision)),
        }
    }
}
