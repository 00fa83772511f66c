//! Sends frames to the control plane until they are durable.
//!
//! Owns the outboxes and one stream with a backoff of its own: health must not wait for delivery, nor delivery for health.
//! Frames are cut right after each tick has ended, and only while the stream is open; a new stream begins with everything
//! that is not acknowledged. On drain, once services can report no more, what was counted is sent for the last time.

use std::{collections::HashSet, sync::Arc, time::Duration};

use proto::{
    MESSAGE_LIMIT, tick,
    v1::{self, health_client::HealthClient},
};
use runtime::{backoff::Backoff, shutdown::Shutdown};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming, transport::Endpoint};

use super::{
    carried::Carried,
    counters::Counters,
    outboxes::{Cut, Outboxes},
};
use crate::{
    identity::Identity, metrics, serve::DoorsClosed, server_clock::ServerClock, snapshot::Holder, upstream::with_causes,
};

const BACKOFF_BASE: Duration = Duration::from_millis(100);
const BACKOFF_CAP: Duration = Duration::from_secs(10);
const OPEN_DEADLINE: Duration = Duration::from_secs(10);
/// How long frames may wait for an ack before the stream is given up, beside the time that batches take.
const ACK_DEADLINE: Duration = Duration::from_secs(30);
/// The control plane may wait for as many intervals before it seals a batch.
const BATCH_INTERVALS: u32 = 4;
/// How long a stream may take to open when the process drains.
const LAST_OPEN_DEADLINE: Duration = Duration::from_secs(1);
/// How long the doors may take to close when the process drains; a call that does not end must not cost the last frames.
const DOORS_DEADLINE: Duration = Duration::from_secs(1);
/// How long the last frames may take. With the two above it fits the time that a process has to end.
const FLUSH_DEADLINE: Duration = Duration::from_secs(2);
/// After a tick has ended, the counts of its last requests are waited for.
const AFTER_TICK_US: i64 = 10_000;
/// Messages that may wait for the server to read.
const OUTBOUND: usize = 8;

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("cannot connect: {0}")]
    Unreachable(String),
    #[error("{}: {}", .0.code(), .0.message())]
    Status(Box<Status>),
    #[error("the stream was closed")]
    Closed,
    #[error("nothing was acknowledged for {0:?}")]
    Silent(Duration),
    #[error("flushed")]
    Flushed,
    #[error("a rollout's index means another rollout now")]
    Replaced,
}

impl From<Status> for Ended {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

/// The agent's end of health.
#[derive(Debug)]
pub(crate) struct Reporter {
    /// Where the control plane is.
    pub(crate) endpoint: Endpoint,
    /// Who this agent is.
    pub(crate) identity: Identity,
    /// Which rollouts are measured.
    pub(crate) holder: Holder,
    /// What was counted.
    pub(crate) counters: Arc<Counters>,
    /// When ticks end.
    pub(crate) clock: ServerClock,
    /// The frames, by rollout.
    pub(crate) outboxes: Outboxes,
    /// What the stream has carried.
    pub(crate) carried: Carried,
    /// When nothing more can be counted.
    pub(crate) doors: DoorsClosed,
}

impl Reporter {
    /// Runs until the process drains and what was counted is flushed.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        let mut backoff = Backoff::new(BACKOFF_BASE, BACKOFF_CAP);
        loop {
            tokio::select! {
                () = self.something_to_report() => {}
                () = shutdown.draining() => return,
            }
            let mut lively = false;
            let ended = match self.stream(&shutdown, &mut lively).await {
                Err(ended) => ended,
                Ok(()) => Ended::Flushed,
            };
            if shutdown.is_draining() {
                return;
            }
            if let Ended::Status(status) = &ended
                && status.code() == Code::InvalidArgument
            {
                self.abandon(status);
            }
            if lively {
                backoff.reset();
            }
            let pause = backoff.next();
            tracing::warn!(%ended, ?pause, "health stream lost; counting on");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.draining() => return,
            }
        }
    }

    /// Gives up the frames that a server which calls them malformed has seen: they cannot be changed, and would be
    /// refused for ever, with every later frame behind them. Other rollouts keep theirs, if it can be told which.
    fn abandon(&mut self, status: &Status) {
        let suspects = self.carried.suspects(status, |frame| self.outboxes.waits(frame));
        let frames = self.outboxes.abandon(&suspects);
        tracing::error!(
            frames,
            rollouts = ?suspects,
            reason = status.message(),
            "the control plane refuses frames as malformed; they are lost"
        );
        metrics::frames_refused(frames as u64);
    }

    /// Ends when a rollout is measured or a frame waits.
    ///
    /// Until the server's clock is known no tick could be named: a frame of a wrong one would be refused, and it could
    /// not be changed.
    async fn something_to_report(&mut self) {
        self.clock.known().await;
        let mut revision = self.holder.watch();
        loop {
            revision.borrow_and_update();
            // No stream is open, so none has to end.
            let _ = self.follow();
            if !self.outboxes.is_empty() || revision.changed().await.is_err() {
                return;
            }
        }
    }

    /// One stream, from dialling to its end; Ok: flushed because the process drains.
    async fn stream(&mut self, shutdown: &Shutdown, lively: &mut bool) -> Result<(), Ended> {
        let (sender, receiver) = mpsc::channel(OUTBOUND);
        self.carried.clear();
        self.outboxes.rewind();
        self.cut(Cut::Due);
        self.send(&sender, true)?;
        let mut inbound = tokio::select! {
            opened = tokio::time::timeout(OPEN_DEADLINE, open(self.endpoint.clone(), receiver)) => match opened {
                Ok(opened) => opened?,
                Err(_) => return Err(Ended::Silent(OPEN_DEADLINE)),
            },
            // A stream that is about to open is still good for the last frames.
            () = async { shutdown.draining().await; tokio::time::sleep(LAST_OPEN_DEADLINE).await } => return Ok(()),
        };
        let mut progress = Instant::now();
        // Kept over messages: one that comes just after a tick must not put off its cut to the next.
        let mut tick_ends = Instant::now() + until_cut(self.clock.now_us());
        loop {
            tokio::select! {
                message = inbound.message() => {
                    self.outboxes.hear(message?.ok_or(Ended::Closed)?);
                    *lively = true;
                    progress = Instant::now();
                }
                () = tokio::time::sleep_until(tick_ends) => {
                    self.follow()?;
                    self.cut(Cut::Due);
                    tick_ends = Instant::now() + until_cut(self.clock.now_us());
                }
                () = shutdown.draining() => return self.flush(&sender, inbound).await,
            }
            self.send(&sender, false)?;
            self.check_progress(&mut progress)?;
        }
    }

    /// An error if frames have waited for too long since the server last said anything.
    fn check_progress(&self, progress: &mut Instant) -> Result<(), Ended> {
        let waiting = self.outboxes.waiting();
        metrics::frames_pending(waiting);
        if waiting == 0 {
            *progress = Instant::now();
        } else if progress.elapsed() > self.ack_deadline() {
            return Err(Ended::Silent(self.ack_deadline()));
        }
        Ok(())
    }

    /// Waits shortly until services can report no more, cuts and sends what is left, the current tick included, and waits
    /// shortly for the acks.
    async fn flush(
        &mut self,
        sender: &mpsc::Sender<v1::ReportRequest>,
        mut inbound: Streaming<v1::ReportResponse>,
    ) -> Result<(), Ended> {
        if tokio::time::timeout(DOORS_DEADLINE, self.doors.wait()).await.is_err() {
            tracing::info!("calls are still open; what they report from now on is not counted");
        }
        self.cut(Cut::Rest);
        self.send(sender, false)?;
        let acks = async {
            while self.outboxes.waiting() > 0 {
                self.outboxes.hear(inbound.message().await?.ok_or(Ended::Closed)?);
            }
            Ok(())
        };
        match tokio::time::timeout(FLUSH_DEADLINE, acks).await {
            Ok(result) => result,
            Err(_) => {
                tracing::warn!(
                    frames = self.outboxes.waiting(),
                    "draining with frames that were not acknowledged"
                );
                Ok(())
            }
        }
    }

    /// Follows which rollouts are measured. An error if the open stream must end for it.
    fn follow(&mut self) -> Result<(), Ended> {
        let snapshot = self.holder.load_full();
        let measured: HashSet<u32> = snapshot.measurements().map(|measurement| measurement.rollout).collect();
        self.counters.retain(&measured);
        if self.outboxes.follow(&snapshot, self.clock.tick()) {
            return Err(Ended::Replaced);
        }
        Ok(())
    }

    fn cut(&mut self, which: Cut) {
        let snapshot = self.holder.load_full();
        self.outboxes.cut(&snapshot, &self.counters, self.clock.moment(), which);
    }

    /// Sends what was not sent on this stream, as far as the server reads; the rest goes with the next tick.
    fn send(&mut self, sender: &mpsc::Sender<v1::ReportRequest>, first: bool) -> Result<(), Ended> {
        let mut greeting = first;
        loop {
            let permit = match sender.try_reserve() {
                Ok(permit) => permit,
                Err(mpsc::error::TrySendError::Full(())) => return Ok(()),
                Err(mpsc::error::TrySendError::Closed(())) => return Err(Ended::Closed),
            };
            let frames = self.outboxes.take_unsent();
            if frames.is_empty() && !greeting {
                return Ok(());
            }
            greeting = false;
            self.carried.add(&frames, |frame| self.outboxes.waits(frame));
            permit.send(v1::ReportRequest {
                agent: self.identity.agent.to_string(),
                epoch: self.identity.epoch,
                frames,
            });
        }
    }

    fn ack_deadline(&self) -> Duration {
        ACK_DEADLINE + self.outboxes.interval() * BATCH_INTERVALS
    }
}

/// How long until the next frames are cut, shortly after a tick has ended.
fn until_cut(now_us: i64) -> Duration {
    let last = tick::at(now_us.saturating_sub(AFTER_TICK_US));
    let next_us = tick::begins_us(last.saturating_add(1)).saturating_add(AFTER_TICK_US);
    // Beyond the last tick, or before the first, look again in a second.
    let wait_us = next_us.saturating_sub(now_us).clamp(0, 1_000_000 + AFTER_TICK_US);
    Duration::from_micros(u64::try_from(wait_us).unwrap_or(0))
}

async fn open(
    endpoint: Endpoint,
    receiver: mpsc::Receiver<v1::ReportRequest>,
) -> Result<Streaming<v1::ReportResponse>, Ended> {
    let channel = endpoint
        .connect()
        .await
        .map_err(|error| Ended::Unreachable(with_causes(&error)))?;
    let mut client = HealthClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT);
    Ok(client.report(ReceiverStream::new(receiver)).await?.into_inner())
}

#[cfg(test)]
mod tests;
