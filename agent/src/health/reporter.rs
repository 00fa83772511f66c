//! Sends frames to the control plane until they are durable.
//!
//! Owns the outboxes and one stream with a backoff of its own: health must not wait for delivery, nor delivery for
//! health. Frames are cut before a stream is opened, and while it is open right after each tick has ended; a new stream
//! begins with everything that is not acknowledged. On drain, once services can report no more, what was counted is sent
//! for the last time. Whatever it waits for, each few seconds the spool is told what a kill would cost otherwise.

use std::{collections::HashSet, pin::pin, sync::Arc, time::Duration};

use proto::{tick, v1};
use runtime::{backoff::Backoff, shutdown::Shutdown};
use tokio::{sync::mpsc, time::Instant};
use tonic::{Code, Streaming, transport::Endpoint};

use super::{
    carried::Carried,
    counters::Counters,
    outboxes::{Cut, Outboxes},
    stream::{Ended, OUTBOUND, Outgoing, open},
};
use crate::{identity::Identity, metrics, serve::DoorsClosed, server_clock::ServerClock, snapshot::Holder};

const BACKOFF_BASE: Duration = Duration::from_millis(100);
const BACKOFF_CAP: Duration = Duration::from_secs(10);
/// How long a stream may take to open when the process drains.
const LAST_OPEN_DEADLINE: Duration = Duration::from_secs(1);
/// How long the doors may take to close when the process drains; a call that does not end must not cost the last
/// frames.
const DOORS_DEADLINE: Duration = Duration::from_secs(1);
/// How long the last frames may take. With the two above it fits the time that a process has to end.
const FLUSH_DEADLINE: Duration = Duration::from_secs(2);
/// After a tick has ended, the counts of its last requests are waited for.
const AFTER_TICK_US: i64 = 10_000;
/// How often what is not cut goes to the spool: what a killed agent loses at most.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);

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
    /// When what is not cut last went to the spool, or could have.
    pub(crate) checkpoint: Instant,
}

impl Reporter {
    /// Runs until the process drains and what was counted is flushed.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        self.report(&shutdown).await;
        self.leave().await;
    }

    async fn report(&mut self, shutdown: &Shutdown) {
        let mut backoff = Backoff::new(BACKOFF_BASE, BACKOFF_CAP);
        loop {
            tokio::select! {
                () = self.something_to_report() => {}
                () = shutdown.draining() => return,
            }
            let mut lively = false;
            let ended = match self.stream(shutdown, &mut lively).await {
                Err(ended) => ended,
                Ok(()) => Ended::Flushed,
            };
            if shutdown.is_draining() {
                return;
            }
            if let Ended::Status(status) = &ended
                && status.code() == Code::InvalidArgument
            {
                self.outgoing().abandon(status);
            }
            if lively {
                backoff.reset();
            }
            let pause = backoff.next();
            tracing::warn!(%ended, ?pause, "health stream lost; counting on");
            tokio::select! {
                () = self.keeping(tokio::time::sleep(pause)) => {}
                () = shutdown.draining() => return,
            }
        }
    }

    /// Waits for something without a stream; meanwhile what is counted goes to the spool.
    async fn keeping<F: Future>(&mut self, wait: F) -> F::Output {
        let mut wait = pin!(wait);
        loop {
            tokio::select! {
                biased;
                waited = &mut wait => return waited,
                () = tokio::time::sleep_until(self.checkpoint + CHECKPOINT_EVERY), if self.outboxes.spools() => {
                    self.keep();
                }
            }
        }
    }

    /// Tells the spool what is not cut.
    fn keep(&mut self) {
        self.checkpoint = Instant::now();
        let snapshot = self.holder.load_full();
        self.outboxes.keep(&snapshot, &self.counters, self.clock.tick());
    }

    /// What was counted and could not be sent goes to the spool, for the next process.
    async fn leave(&mut self) {
        if !self.outboxes.spools() {
            return;
        }
        // Waited for already if there was a stream; what is reported after this is not counted.
        let _ = tokio::time::timeout(DOORS_DEADLINE, self.doors.wait()).await;
        if self.clock.is_known() {
            self.cut(Cut::Counts);
        }
        self.keep();
    }

    /// Ends when a rollout is measured or a frame waits.
    ///
    /// Until the server's clock is known no tick could be named: a frame of a wrong one would be refused, and it could
    /// not be changed.
    async fn something_to_report(&mut self) {
        if !self.clock.is_known() {
            if self.outboxes.spools() {
                // So that what is counted before has somewhere to go; it is named when the clock is known.
                let _ = self.follow();
            }
            let clock = self.clock.clone();
            self.keeping(clock.known()).await;
        }
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
        self.outgoing().begin();
        self.cut(Cut::Due);
        self.outgoing().send(&sender, true)?;
        let opening = open(self.endpoint.clone(), receiver);
        let mut inbound = tokio::select! {
            opened = self.keeping(opening) => opened?,
            // A stream that is about to open is still good for the last frames.
            () = async { shutdown.draining().await; tokio::time::sleep(LAST_OPEN_DEADLINE).await } => return Ok(()),
        };
        let mut progress = Instant::now();
        // Kept over messages: one that comes just after a tick must not put off its cut to the next.
        let mut tick_ends = Instant::now() + until_cut(self.clock.now_us());
        loop {
            tokio::select! {
                message = inbound.message() => {
                    self.hear(message?.ok_or(Ended::Closed)?);
                    *lively = true;
                    progress = Instant::now();
                }
                () = tokio::time::sleep_until(tick_ends) => {
                    self.follow()?;
                    self.cut(Cut::Due);
                    if self.outboxes.spools() && self.checkpoint.elapsed() >= CHECKPOINT_EVERY {
                        self.keep();
                    }
                    tick_ends = Instant::now() + until_cut(self.clock.now_us());
                }
                () = shutdown.draining() => return self.flush(&sender, inbound).await,
            }
            self.outgoing().send(&sender, false)?;
            self.check_progress(&mut progress)?;
        }
    }

    /// An error if frames have waited for too long since the server last said anything.
    fn check_progress(&mut self, progress: &mut Instant) -> Result<(), Ended> {
        let waiting = self.outboxes.waiting();
        metrics::frames_pending(waiting);
        if waiting == 0 {
            *progress = Instant::now();
            return Ok(());
        }
        let deadline = self.outgoing().ack_deadline();
        if progress.elapsed() > deadline {
            return Err(Ended::Silent(deadline));
        }
        Ok(())
    }

    /// Waits shortly until services can report no more, cuts and sends what is left, the current tick included, and
    /// waits shortly for the acks.
    async fn flush(
        &mut self,
        sender: &mpsc::Sender<v1::ReportRequest>,
        mut inbound: Streaming<v1::ReportResponse>,
    ) -> Result<(), Ended> {
        if tokio::time::timeout(DOORS_DEADLINE, self.doors.wait()).await.is_err() {
            tracing::info!("calls are still open; what they report from now on is not counted");
        }
        self.cut(Cut::Rest);
        self.outgoing().send(sender, false)?;
        let acks = async {
            while self.outboxes.waiting() > 0 {
                self.hear(inbound.message().await?.ok_or(Ended::Closed)?);
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

    fn outgoing(&mut self) -> Outgoing<'_> {
        Outgoing {
            agent: self.identity.agent.as_str(),
            epoch: self.identity.epoch,
            outboxes: &mut self.outboxes,
            carried: &mut self.carried,
        }
    }

    fn hear(&mut self, response: v1::ReportResponse) {
        self.outboxes.hear(response, &self.holder.load_full());
    }

    fn cut(&mut self, which: Cut) {
        let snapshot = self.holder.load_full();
        self.outboxes.cut(&snapshot, &self.counters, self.clock.moment(), which);
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

#[cfg(test)]
mod tests;
