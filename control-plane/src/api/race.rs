//! Writes that meet others: who loses looks again at what won, a bounded number of times.
//!
//! A writer that named no revision wants its edit made to whatever is there; it repeats it on the newer state. One that
//! named a revision is refused by that state itself.

use std::sync::Arc;

use tonic::Status;

use crate::{
    state::State,
    store::Txn,
    truth::{CommitError, Truth},
};

/// How often a write is tried against what others write at the same time. Each time another one was made.
const TRIES: usize = 64;

/// The tries of one write.
#[derive(Debug)]
pub(super) struct Race<'t> {
    truth: &'t Truth,
    left: usize,
}

impl<'t> Race<'t> {
    /// No try yet.
    pub(super) fn new(truth: &'t Truth) -> Self {
        Self { truth, left: TRIES }
    }

    /// Commits what was made of a state; its revision, and the state that shows it. None: somebody else was faster, and
    /// the write is to be made again of the state by now.
    ///
    /// Who answers with a document takes it from what was written, not from that state: somebody may have written it
    /// again by then, and a caller that takes the other's revision for its own would overwrite it unseen.
    pub(super) async fn commit(&mut self, seen: &State, txn: Txn) -> Result<Option<(u64, Arc<State>)>, Status> {
        match self.truth.commit_at(txn).await {
            Ok(committed) => Ok(Some(committed)),
            Err(CommitError::Conflict) if self.left > 0 => {
                self.left -= 1;
                self.truth.newer(seen.revision).await;
                Ok(None)
            }
            Err(error @ (CommitError::Conflict | CommitError::Store(_) | CommitError::NotShown(_))) => {
                Err(error.into())
            }
        }
    }
}
