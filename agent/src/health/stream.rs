//! One stream of frames to the control plane: how it is opened, what it carries next, and why it ends.

use std::time::Duration;

use proto::{
    MESSAGE_LIMIT,
    v1::{self, health_client::HealthClient},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Endpoint};

use super::{carried::Carried, outboxes::Outboxes};
use crate::{metrics, upstream::with_causes};

/// How long a stream may take to open.
pub(super) const OPEN_DEADLINE: Duration = Duration::from_secs(10);
/// How long frames may wait for an ack before a stream is given up, beside the time that batches take.
const ACK_DEADLINE: Duration = Duration::from_secs(30);
/// The control plane may wait for as many intervals before it seals a batch.
const BATCH_INTERVALS: u32 = 4;
/// Messages that may wait for the server to read.
pub(super) const OUTBOUND: usize = 8;

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
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

/// Frames of one process, and what of them this stream has carried.
#[derive(Debug)]
pub(super) struct Outgoing<'o> {
    /// The agent's id.
    pub(super) agent: &'o str,
    /// The process's number.
    pub(super) epoch: u64,
    /// The frames.
    pub(super) outboxes: &'o mut Outboxes,
    /// What was carried.
    pub(super) carried: &'o mut Carried,
}

impl Outgoing<'_> {
    /// A new stream has carried nothing.
    pub(super) fn begin(&mut self) {
        self.carried.clear();
        self.outboxes.rewind();
    }

    /// Sends what was not sent on this stream, as far as the server reads; the rest goes another time. `greets`: at
    /// least one message is sent.
    pub(super) fn send(&mut self, sender: &mpsc::Sender<v1::ReportRequest>, greets: bool) -> Result<(), Ended> {
        let mut greeting = greets;
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
                agent: self.agent.to_owned(),
                epoch: self.epoch,
                frames,
            });
        }
    }

    /// Gives up the frames that a server which calls them malformed has seen: they cannot be changed, and would be
    /// refused for ever, with every later frame behind them. Other rollouts keep theirs, if it can be told which.
    pub(super) fn abandon(&mut self, status: &Status) {
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

    /// How long acks may take.
    pub(super) fn ack_deadline(&self) -> Duration {
        ACK_DEADLINE + self.outboxes.interval() * BATCH_INTERVALS
    }
}

/// Opens a stream that carries what comes out of the channel.
pub(super) async fn open(
    endpoint: Endpoint,
    receiver: mpsc::Receiver<v1::ReportRequest>,
) -> Result<Streaming<v1::ReportResponse>, Ended> {
    let dialled = async {
        let channel = endpoint
            .connect()
            .await
            .map_err(|error| Ended::Unreachable(with_causes(&error)))?;
        let mut client = HealthClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT);
        Ok(client.report(ReceiverStream::new(receiver)).await?.into_inner())
    };
    match tokio::time::timeout(OPEN_DEADLINE, dialled).await {
        Ok(opened) => opened,
        Err(_) => Err(Ended::Silent(OPEN_DEADLINE)),
    }
}
