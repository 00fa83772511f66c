//! The spool: what was counted and is not acknowledged, on disk, so that an agent that is killed or restarted while the
//! control plane is away loses little.
//!
//! Frames go to disk as they are cut, and each few seconds what they would be if they were cut now: that much a kill
//! can cost. Each process has a file of its own, because its epoch is a part of the names of its frames; the next
//! process sends what is in it under those names (`backlog`). Nobody waits for the disk: reports are counted, and
//! frames are sent, whether or not it takes what is written. So a frame may arrive that the spool never had; its name
//! is then known to the control plane, and what the spool has instead counts nothing.

mod dropped;
mod file;
mod folder;
pub(crate) mod keeper;
pub(crate) mod left;
mod record;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use prost::Message as _;
use proto::v1;
use tokio::sync::Notify;

use self::file::News;
pub(crate) use self::{
    dropped::Dropped,
    folder::{Folder, OpenError, Opened, open},
    record::{Head, Kept},
};
use crate::metrics::{self, SpoolResult};

/// Frames that wait for a disk that hangs take so many bytes of memory at most.
const WAITING_BYTES: usize = 8 * 1024 * 1024;

/// The way to the spool, for the one who cuts frames; when it is dropped, nothing more will come.
#[derive(Debug)]
pub(crate) struct Spool(Option<Arc<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    wake: Notify,
    closed: AtomicBool,
}

/// What is to be written.
#[derive(Debug, Default)]
struct Waiting {
    forgotten: BTreeMap<u32, u64>,
    cut: VecDeque<Kept>,
    /// Of the frames that were cut.
    bytes: usize,
    open: Option<Vec<Kept>>,
}

impl Spool {
    /// None: nothing is kept.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Whether anything is kept.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A frame of the rollout with this id was cut; never waits.
    pub(crate) fn cut(&self, id: u128, frame: &v1::Frame) {
        let Some(shared) = &self.0 else { return };
        let mut waiting = shared.waiting();
        waiting.bytes += frame.encoded_len();
        waiting.cut.push_back(Kept {
            id,
            frame: frame.clone(),
        });
        while waiting.bytes > WAITING_BYTES {
            let Some(dropped) = waiting.cut.pop_front() else { break };
            waiting.bytes -= dropped.frame.encoded_len();
            metrics::spooled(SpoolResult::Dropped, 1);
        }
        shared.wake.notify_one();
    }

    /// Frames of a rollout up to this sequence are of no use any more; `u64::MAX`: the rollout is over.
    pub(crate) fn forget(&self, rollout: u32, sequence: u64) {
        let Some(shared) = &self.0 else { return };
        let mut waiting = shared.waiting();
        let forgotten = waiting.forgotten.entry(rollout).or_default();
        *forgotten = sequence.max(*forgotten);
        waiting
            .cut
            .retain(|kept| kept.frame.rollout != rollout || kept.frame.sequence > sequence);
        waiting.bytes = waiting.cut.iter().map(|kept| kept.frame.encoded_len()).sum();
        shared.wake.notify_one();
    }

    /// All that would be cut now; it takes the place of what was said before.
    pub(crate) fn open(&self, frames: Vec<Kept>) {
        let Some(shared) = &self.0 else { return };
        shared.waiting().open = Some(frames);
        shared.wake.notify_one();
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.closed.store(true, Ordering::Release);
            shared.wake.notify_one();
        }
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Every change leaves it whole, so a poisoned lock is taken as it is.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing more will come.
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Ends when nothing more will come.
    async fn closed(&self) {
        while !self.is_closed() {
            self.wake.notified().await;
        }
    }

    /// What is new; None: nothing.
    fn take(&self) -> Option<News> {
        let waiting = std::mem::take(&mut *self.waiting());
        let is_nothing = waiting.forgotten.is_empty() && waiting.cut.is_empty() && waiting.open.is_none();
        (!is_nothing).then(|| News {
            forgotten: waiting.forgotten,
            cut: waiting.cut.into(),
            open: waiting.open,
        })
    }
}

#[cfg(test)]
mod tests;
