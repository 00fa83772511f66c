//! Agents that are none: frames up and acks down, each on a connection of its own.

use std::{
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use futures::{StreamExt as _, stream};
use integration_tests::{plans, system::PRODUCTION};
use proto::v1::{self, health_client::HealthClient};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Streaming,
    transport::{Channel, Endpoint},
};

/// One of them.
pub(crate) struct Reporter {
    frames: mpsc::Sender<v1::ReportRequest>,
    acks: Streaming<v1::ReportResponse>,
    agent: String,
    /// Of the last frame that was sent.
    pub(crate) sequence: u64,
}

impl Reporter {
    /// Opens so many, named by a prefix and their number.
    pub(crate) async fn connect(address: SocketAddr, prefix: &str, count: usize) -> Vec<Self> {
        let connect = |number: usize| async move {
            let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
            let channel: Channel = endpoint.connect().await.unwrap();
            let (frames, receiver) = mpsc::channel(64);
            let acks = HealthClient::new(channel)
                .report(ReceiverStream::new(receiver))
                .await
                .unwrap();
            Self {
                frames,
                acks: acks.into_inner(),
                agent: format!("{prefix}-{number}"),
                sequence: 0,
            }
        };
        stream::iter(0..count).map(connect).buffer_unordered(50).collect().await
    }

    /// Sends a frame, which has the next sequence.
    pub(crate) async fn send(&mut self, frame: v1::Frame) {
        self.sequence = frame.sequence;
        let message = v1::ReportRequest {
            agent: self.agent.clone(),
            epoch: 1,
            frames: vec![frame],
        };
        self.frames.send(message).await.unwrap();
    }

    /// Waits until everything that was sent is acknowledged.
    pub(crate) async fn acked(&mut self) {
        let mut acked = 0;
        while acked < self.sequence {
            let response = self.acks.message().await.unwrap().expect("the stream goes on");
            acked = response.acks.iter().map(|ack| ack.sequence).fold(acked, u64::max);
        }
    }

    /// Says of a rollout that nothing happened in the last second, each second, until the task is aborted.
    pub(crate) async fn be_silent(mut self, rollout: u32) {
        let mut seconds = tokio::time::interval(std::time::Duration::from_secs(1));
        let mut sequence = 0;
        loop {
            tokio::select! {
                _ = seconds.tick() => {
                    sequence += 1;
                    let tick = proto::tick::at(now_us()).saturating_sub(1);
                    self.send(v1::Frame {
                        rollout,
                        sequence,
                        first_tick: tick,
                        last_tick: tick,
                        horizon: 1,
                        environment: PRODUCTION.to_owned(),
                        ..v1::Frame::default()
                    })
                    .await;
                }
                response = self.acks.message() => {
                    if !matches!(response, Ok(Some(_))) {
                        return;
                    }
                }
            }
        }
    }
}

/// Microseconds since 1970 UTC.
pub(crate) fn now_us() -> i64 {
    plans::micros(SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970"))
}
