//! The one who writes the spool; a task.
//!
//! Writes whenever there is news, off the async threads, and once more when nothing more can come. What was written is
//! flushed after a while, whether or not there is news, and in the end. A disk that refuses is tried again with a
//! growing pause; the agent goes on meanwhile, and what it would cost to be killed is in the metrics.

use std::{io, sync::Arc, time::Duration};

use runtime::backoff::Backoff;
use tokio::time::Instant;

use super::{Dropped, Shared, file::SpoolFile, folder::Folder};
use crate::{
    identity::FolderLock,
    metrics::{self, SpoolResult},
    server_clock::ServerClock,
};

const RETRY_BASE: Duration = Duration::from_millis(200);
const RETRY_CAP: Duration = Duration::from_secs(10);

/// The writer of the spool.
#[derive(Debug)]
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    file: SpoolFile,
    folder: Arc<Folder>,
    clock: ServerClock,
    /// Keeps the folder for this process until the last write.
    _lock: FolderLock,
    dropped: Dropped,
    is_failing: bool,
    /// It had no room for something since it last had room for all.
    is_short: bool,
}

impl Keeper {
    /// Of this file.
    pub(super) fn new(
        shared: Arc<Shared>,
        file: SpoolFile,
        folder: Arc<Folder>,
        clock: ServerClock,
        lock: FolderLock,
        dropped: Dropped,
    ) -> Self {
        Self {
            shared,
            file,
            folder,
            clock,
            _lock: lock,
            dropped,
            is_failing: false,
            is_short: false,
        }
    }

    /// Writes until nothing more can come, and then what is left to write.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::new(RETRY_BASE, RETRY_CAP);
        loop {
            let is_last = self.shared.is_closed();
            let Some(keeper) = self.turn(is_last).await else { return };
            self = keeper;
            if is_last {
                break;
            }
            if self.is_failing {
                let _ = tokio::time::timeout(backoff.next(), self.shared.closed()).await;
            } else {
                backoff.reset();
                self.rest().await;
            }
        }
        if self.file.is_empty()
            && let Err(error) = self.file.remove()
        {
            tracing::warn!(%error, "cannot remove the spool file");
        }
    }

    /// Takes what is new, and writes if there is anything to do. None: the process ends.
    async fn turn(mut self, is_last: bool) -> Option<Self> {
        let news = self.shared.take();
        if news.is_some() || self.is_failing || self.is_flush_due(is_last) {
            let is_checkpoint = news.as_ref().is_some_and(|news| news.open.is_some());
            self.file.take(news.unwrap_or_default());
            self = self.write(is_last).await?;
            if is_checkpoint && !self.is_failing {
                metrics::spool_checkpoint();
            }
        }
        self.dropped.tell();
        Some(self)
    }

    /// Ends when there is news, or what was written is to be flushed.
    async fn rest(&self) {
        let news = self.shared.wake.notified();
        match self.file.flush_at() {
            Some(at) => {
                let _ = tokio::time::timeout_at(at, news).await;
            }
            None => news.await,
        }
    }

    /// Whether what was written is to be flushed now. After a failure it is at once, to see whether it can be.
    fn is_flush_due(&self, is_last: bool) -> bool {
        let at = self.file.flush_at();
        at.is_some_and(|at| is_last || self.is_failing || at <= Instant::now())
    }

    /// Makes room and writes, off the async threads. None: the process ends, and nothing is written any more.
    ///
    /// For the last time no file makes room: nobody could be told any more what was in it. Frames of this process that
    /// have no room tell it themselves.
    async fn write(mut self, is_last: bool) -> Option<Self> {
        let written = tokio::task::spawn_blocking(move || {
            let now = self.clock.tick();
            if !is_last {
                self.dropped.add(self.folder.make_room(self.file.useful_bytes()));
            }
            let room = self.folder.room();
            let shed = self.file.shed(room, now);
            let written = self.file.write(room, Instant::now());
            let result = written.and_then(|()| match self.is_flush_due(is_last) {
                true => self.file.flush(),
                false => Ok(()),
            });
            self.note(shed, result);
            self
        });
        match written.await {
            Ok(keeper) => Some(keeper),
            // A panic of the writer is one of this task; it drains the process, as any other does.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => None,
            },
        }
    }

    fn note(&mut self, shed: u64, result: io::Result<()>) {
        metrics::spooled(SpoolResult::Dropped, shed);
        let was_short = std::mem::replace(&mut self.is_short, shed > 0);
        if self.is_short && !was_short {
            tracing::warn!(
                frames = shed,
                "the spool has no room for the counts of its oldest frames; how many is in the metrics"
            );
        }
        match result {
            Ok(()) => {
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!("the spool is written again");
                }
            }
            Err(error) => {
                metrics::spooled(SpoolResult::Failed, 1);
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::error!(
                        %error,
                        "the spool cannot be written: what is counted now is lost if the agent is killed before it is \
                         sent"
                    );
                }
            }
        }
        metrics::spool_bytes(self.file.bytes());
    }
}

#[cfg(test)]
mod tests;
