//! Sends what former processes of this agent left in the spool, under the names that they gave it.
//!
//! One file after the other, the oldest first, each over a stream of its own, because a stream speaks for one process.
//! A file is removed when everything in it is acknowledged. Begins when the server's clock is known: by then the
//! control plane was heard, and what is too old to be counted can be told.

use std::{path::Path, sync::Arc, time::Duration};

use evaluation::Snapshot;
use runtime::{backoff::Backoff, shutdown::Shutdown};
use tokio::sync::mpsc;
use tonic::{Code, transport::Endpoint};

use super::{
    carried::Carried,
    outboxes::Outboxes,
    spool::{
        Folder, Head,
        left::{Left, ToSend},
    },
    stream::{Ended, OUTBOUND, Outgoing, open},
};
use crate::{
    metrics::{self, SpoolResult},
    server_clock::ServerClock,
    snapshot::Holder,
};

const BACKOFF_BASE: Duration = Duration::from_millis(100);
const BACKOFF_CAP: Duration = Duration::from_secs(10);

/// The sender of what is left.
#[derive(Debug)]
pub(crate) struct Backlog {
    /// Where the control plane is.
    pub(crate) endpoint: Endpoint,
    /// The environment that is served now.
    pub(crate) environment: String,
    /// Which rollouts are measured.
    pub(crate) holder: Holder,
    /// Now, by the server's clock.
    pub(crate) clock: ServerClock,
    /// What is left.
    pub(crate) folder: Arc<Folder>,
}

impl Backlog {
    /// Runs until nothing is left, or the process drains.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        tokio::select! {
            () = self.send_all() => {}
            () = shutdown.draining() => {}
        }
    }

    async fn send_all(&self) {
        self.clock.known().await;
        while let Some(path) = self.folder.to_send() {
            let left = match self.read(&path).await {
                Ok(left) => left,
                Err(error) => {
                    tracing::error!(?path, %error, "a spool file cannot be read; what is in it is lost");
                    metrics::spooled(SpoolResult::Damaged, 1);
                    self.folder.set_aside(&path);
                    continue;
                }
            };
            match &left.head {
                Some(head) if head.environment == self.environment => {
                    let to_send = self.meant(left.to_send(self.clock.tick()));
                    self.send(head, to_send).await;
                    self.folder.done(&path);
                }
                Some(head) => {
                    tracing::warn!(
                        ?path,
                        environment = head.environment,
                        "the spool file of another environment is dropped"
                    );
                    metrics::spooled(SpoolResult::Dropped, left.frames());
                    self.folder.done(&path);
                }
                None => {
                    tracing::error!(
                        ?path,
                        "a spool file is damaged where it says whose it is; setting it aside"
                    );
                    self.folder.set_aside(&path);
                }
            }
        }
    }

    /// Reads a file off the async threads.
    async fn read(&self, path: &Path) -> std::io::Result<Left> {
        let (folder, file) = (Arc::clone(&self.folder), path.to_owned());
        let read = tokio::task::spawn_blocking(move || folder.read(&file)).await;
        let left = read.unwrap_or_else(|error| Err(std::io::Error::other(error)))?;
        if left.damaged > 0 {
            tracing::error!(
                ?path,
                parts = left.damaged,
                "a spool file is torn or damaged; what is whole is sent"
            );
            metrics::spooled(SpoolResult::Damaged, left.damaged);
        }
        Ok(left)
    }

    /// Leaves out the frames of rollouts whose index means another now, as it does after a store was replaced.
    fn meant(&self, left: Vec<ToSend>) -> Vec<ToSend> {
        let snapshot = self.holder.load_full();
        let (meant, others): (Vec<_>, Vec<_>) = left
            .into_iter()
            .partition(|left| is_meant(&snapshot, left.rollout, left.id));
        for other in others {
            tracing::warn!(
                rollout = other.rollout,
                frames = other.frames.len(),
                "the index of a rollout in the spool means another now; its frames are dropped"
            );
            metrics::spooled(SpoolResult::Dropped, other.frames.len() as u64);
        }
        meant
    }

    /// Sends frames until all are acknowledged.
    async fn send(&self, head: &Head, left: Vec<ToSend>) {
        let frames: usize = left.iter().map(|left| left.frames.len()).sum();
        let lost: u64 = left.iter().map(|left| left.lost).sum();
        if frames == 0 {
            return;
        }
        tracing::info!(
            epoch = head.epoch,
            frames,
            lost,
            "sending what a former process of this agent counted"
        );
        metrics::spooled(SpoolResult::Found, frames as u64);
        let (mut outboxes, mut carried) = (Outboxes::of_former(left), Carried::default());
        let mut outgoing = Outgoing {
            agent: &head.agent,
            epoch: head.epoch,
            outboxes: &mut outboxes,
            carried: &mut carried,
        };
        let mut backoff = Backoff::new(BACKOFF_BASE, BACKOFF_CAP);
        while outgoing.outboxes.waiting() > 0 {
            let mut lively = false;
            let Err(ended) = self.stream(&mut outgoing, &mut lively).await else {
                continue;
            };
            if let Ended::Status(status) = &ended
                && status.code() == Code::InvalidArgument
            {
                outgoing.abandon(status);
            }
            if lively {
                backoff.reset();
            }
            let pause = backoff.next();
            tracing::warn!(%ended, ?pause, epoch = head.epoch, "the stream of a former process is lost; trying again");
            tokio::time::sleep(pause).await;
        }
    }

    /// One stream, until everything is acknowledged.
    async fn stream(&self, outgoing: &mut Outgoing<'_>, lively: &mut bool) -> Result<(), Ended> {
        let (sender, receiver) = mpsc::channel(OUTBOUND);
        outgoing.begin();
        outgoing.send(&sender, true)?;
        let mut inbound = open(self.endpoint.clone(), receiver).await?;
        while outgoing.outboxes.waiting() > 0 {
            let deadline = outgoing.ack_deadline();
            let message = match tokio::time::timeout(deadline, inbound.message()).await {
                Ok(message) => message?.ok_or(Ended::Closed)?,
                Err(_) => return Err(Ended::Silent(deadline)),
            };
            outgoing.outboxes.hear(message, &self.holder.load_full());
            *lively = true;
            outgoing.send(&sender, false)?;
        }
        Ok(())
    }
}

/// Whether the index still means the rollout of this id, as far as it is known: an index that nothing is measured of is
/// that of a rollout that ended, of which the control plane knows more.
fn is_meant(snapshot: &Snapshot, rollout: u32, id: u128) -> bool {
    snapshot.measurement(rollout).is_none_or(|found| found.id == id)
}

#[cfg(test)]
mod tests;
