//! Keeps one sync stream open for as long as the agent runs.
//!
//! Owns the connection loop: dial, let a `Session` speak, wait with full jitter, again. No error of the stream touches
//! the held snapshot: an unknown environment or a refused permission is said once, loudly, and retried with a cap,
//! while evaluations go on.

use std::{future::pending, time::Duration};

use proto::{
    MESSAGE_LIMIT,
    v1::{self, sync_client::SyncClient},
};
use runtime::{backoff::Backoff, shutdown::Shutdown};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;

use super::{
    apply::{HeldBack, still_held_back},
    session::{Ended, Outbound, Session},
    trouble::Trouble,
};
use crate::{
    contact::Contact,
    disk::{Disk, Update},
    identity::Identity,
    metrics,
    server_clock::ServerClock,
    snapshot::{Holder, Refusal, Stamp},
    upstream::with_causes,
};

const BACKOFF_BASE: Duration = Duration::from_millis(100);
const BACKOFF_CAP: Duration = Duration::from_secs(10);
/// How long opening a stream may take, the first answer included.
const OPEN_DEADLINE: Duration = Duration::from_secs(10);
/// Messages to the server that may wait; more means that it does not read.
const OUTBOUND: usize = 64;

/// The agent's end of delivery.
#[derive(Debug)]
pub(crate) struct Client {
    /// Where the control plane is.
    pub(crate) endpoint: Endpoint,
    /// Who this agent is.
    pub(crate) identity: Identity,
    /// Where snapshots go.
    pub(crate) holder: Holder,
    /// Where they are kept; None: diskless.
    pub(crate) disk: Option<Disk>,
    /// Learns its offset here.
    pub(crate) clock: ServerClock,
    /// Learns here that the control plane lives.
    pub(crate) contact: Contact,
    /// Entries of the held snapshot that are held back.
    pub(crate) held_back: Vec<HeldBack>,
    /// The largest transfer that is accepted, in bytes.
    pub(crate) transfer_limit: u64,
    /// What keeps it from the control plane.
    pub(crate) trouble: Trouble,
}

impl Client {
    /// Runs until the process drains.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        let mut backoff = Backoff::new(BACKOFF_BASE, BACKOFF_CAP);
        loop {
            let mut lively = false;
            let ended = tokio::select! {
                ended = self.connection(&mut lively) => ended,
                () = shutdown.draining() => return,
            };
            metrics::connected(false);
            if lively {
                backoff.reset();
            }
            let pause = pause(ended.delay(), &mut backoff);
            self.trouble.ended(&ended, pause, self.holder.stamp());
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.draining() => return,
            }
        }
    }

    /// One connection, from dialling to its end.
    async fn connection(&mut self, lively: &mut bool) -> Ended {
        let (sender, receiver) = mpsc::channel(OUTBOUND);
        let outbound = Outbound::new(sender);
        if let Err(ended) = outbound.send(v1::sync_request::Message::Hello(self.hello())) {
            return ended;
        }
        let opening = async {
            let channel = self
                .endpoint
                .connect()
                .await
                .map_err(|error| Ended::Unreachable(with_causes(&error)))?;
            let mut client = SyncClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT);
            let response = client
                .sync(ReceiverStream::new(receiver))
                .await
                .map_err(|status| Ended::Status(Box::new(status)))?;
            Ok(response.into_inner())
        };
        let inbound = match tokio::time::timeout(OPEN_DEADLINE, opening).await {
            Ok(Ok(inbound)) => inbound,
            Ok(Err(ended)) => return ended,
            Err(_) => return Ended::Silent(OPEN_DEADLINE),
        };
        metrics::connected(true);
        if !self.trouble.is_under_way() {
            tracing::info!(control_plane = %self.endpoint.uri(), "connected");
        }
        Session::new(self, outbound).run(inbound, lively).await
    }

    /// The connection has lasted: whatever was in the way before is not any more.
    pub(super) fn steady(&mut self) {
        if self.trouble.is_under_way() {
            tracing::info!(control_plane = %self.endpoint.uri(), "connected again");
            self.trouble.over();
        }
    }

    fn hello(&self) -> v1::Hello {
        let held = self.holder.stamp().filter(|_| !self.whole_wanted());
        v1::Hello {
            agent: self.identity.agent.to_string(),
            environment: self.identity.scope.environment.clone(),
            flag_set: self.identity.scope.flag_set.clone(),
            revision: held.map(|held| held.revision.into()),
            digest: held
                .map(|held| proto::revision::write_digest(held.digest))
                .unwrap_or_default(),
            features: 0,
            diskless: self.disk.is_none(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            epoch: self.identity.epoch,
        }
    }

    fn whole_wanted(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| *disk.whole_wanted().borrow())
    }

    /// Puts a built snapshot in use and on its way to the disk.
    pub(super) fn install(&mut self, built: super::apply::Built, to: Stamp) -> Result<(), Refusal> {
        let next = built.snapshot.clone();
        self.holder.install(built.snapshot, to.digest)?;
        self.held_back = still_held_back(std::mem::take(&mut self.held_back), &next, built.held_back);
        metrics::held_back(self.held_back.len());
        metrics::revision(to.revision.number);
        if let Some(disk) = &self.disk {
            let held_back = self.held_back.iter().map(|held| &held.id);
            disk.put(Update::new(to, built.whole, built.received, held_back));
        }
        Ok(())
    }

    /// What is on disk; a diskless agent has nothing there and hears of no change.
    pub(super) fn persisted(&self) -> Option<watch::Receiver<Option<Stamp>>> {
        self.disk.as_ref().map(Disk::persisted)
    }

    /// Ends when the disk copy is lost and a whole snapshot is needed.
    pub(super) fn whole_becomes_wanted(&self) -> impl Future<Output = ()> + Send + use<> {
        let wanted = self.disk.as_ref().map(Disk::whole_wanted);
        let already = wanted.as_ref().is_some_and(|wanted| *wanted.borrow());
        async move {
            match wanted {
                // This connection's Hello has asked for it already.
                Some(_) if already => pending().await,
                Some(mut wanted) => {
                    let came = wanted.wait_for(|wanted| *wanted).await.is_ok();
                    if !came {
                        pending().await
                    }
                }
                None => pending().await,
            }
        }
    }
}

/// How long to wait before the next attempt: what the server asked for, and full jitter on top. A fleet that was asked
/// to come back after the same delay comes back spread over as long again.
fn pause(asked: Duration, backoff: &mut Backoff) -> Duration {
    let spread = Backoff::new(asked, asked).next();
    asked + spread + backoff.next()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_pause_is_never_shorter_than_asked_for_nor_longer_than_twice_that_and_the_cap(
            asked_us in 0u64..300_000_000, failures in 0usize..20,
        ) {
            let asked = Duration::from_micros(asked_us);
            let mut backoff = Backoff::new(BACKOFF_BASE, BACKOFF_CAP);
            for _ in 0..failures {
                backoff.next();
            }
            let pause = pause(asked, &mut backoff);
            prop_assert!(pause >= asked && pause <= 2 * asked + BACKOFF_CAP);
        }
    }

    #[test]
    fn agents_that_were_asked_to_go_at_one_moment_come_back_over_the_whole_range() {
        let asked = Duration::from_secs(10);
        let waits: Vec<_> = (0..400)
            .map(|_| pause(asked, &mut Backoff::new(Duration::ZERO, Duration::ZERO)))
            .collect();
        // Each half is missed with probability 2^-400.
        assert!(waits.iter().any(|wait| *wait < Duration::from_secs(15)));
        assert!(waits.iter().any(|wait| *wait > Duration::from_secs(15)));
    }
}
