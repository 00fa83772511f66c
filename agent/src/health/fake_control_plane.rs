//! A control plane for tests: speaks the wire, and says what the test wants it to.

#![allow(clippy::unwrap_used)]

use std::{pin::Pin, time::Duration};

use futures::Stream;
use proto::v1::{
    self,
    health_server::{Health, HealthServer},
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Endpoint, Server, server::TcpIncoming},
};

use crate::samples::ROLLOUT;

/// Only a broken test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A control plane whose every word is the test's.
pub(crate) struct FakeControlPlane {
    /// Where it is.
    pub(crate) endpoint: Endpoint,
    /// The streams that agents open.
    pub(crate) conversations: mpsc::Receiver<Conversation>,
    /// The task that serves.
    pub(crate) serving: JoinHandle<()>,
}

struct Service(mpsc::Sender<Conversation>);

/// One stream of the agent, in the test's hands.
pub(crate) struct Conversation {
    pub(crate) inbound: Streaming<v1::ReportRequest>,
    pub(crate) outbound: mpsc::Sender<Result<v1::ReportResponse, Status>>,
}

impl FakeControlPlane {
    /// Serves on a port of its own.
    pub(crate) fn start() -> Self {
        let (sender, conversations) = mpsc::channel(4);
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        let server = Server::builder().add_service(HealthServer::new(Service(sender)));
        Self {
            endpoint: Endpoint::from_shared(format!("http://{address}")).unwrap(),
            conversations,
            serving: tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() }),
        }
    }
}

#[tonic::async_trait]
impl Health for Service {
    type ReportStream = Pin<Box<dyn Stream<Item = Result<v1::ReportResponse, Status>> + Send>>;

    async fn report(
        &self,
        request: Request<Streaming<v1::ReportRequest>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        let (outbound, responses) = mpsc::channel(100);
        let conversation = Conversation {
            inbound: request.into_inner(),
            outbound,
        };
        self.0
            .send(conversation)
            .await
            .map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(Box::pin(ReceiverStream::new(responses))))
    }
}

impl Conversation {
    /// Frames of the process with number 9 until their outcomes are as many as these.
    pub(crate) async fn outcomes(&mut self, wanted: u64) -> Vec<v1::Frame> {
        self.outcomes_of(9, wanted).await
    }

    /// Frames of a process until their outcomes are as many as these.
    pub(crate) async fn outcomes_of(&mut self, epoch: u64, wanted: u64) -> Vec<v1::Frame> {
        let mut frames = Vec::new();
        loop {
            let message = tokio::time::timeout(PATIENCE, self.inbound.message())
                .await
                .unwrap()
                .unwrap()
                .unwrap();
            assert_eq!((message.agent.as_str(), message.epoch), ("agent-1", epoch));
            frames.extend(message.frames);
            if outcomes(&frames) >= wanted {
                return frames;
            }
        }
    }

    /// Frames up to this one are durable.
    pub(crate) async fn ack(&self, sequence: u64) {
        let ack = v1::FrameAck {
            rollout: ROLLOUT,
            sequence,
            refused: String::new(),
        };
        self.outbound
            .send(Ok(v1::ReportResponse {
                acks: vec![ack],
                intervals: Vec::new(),
            }))
            .await
            .unwrap();
    }
}

/// How many there are in frames.
pub(crate) fn outcomes(frames: &[v1::Frame]) -> u64 {
    frames
        .iter()
        .flat_map(|frame| &frame.cells)
        .map(|cell| cell.outcomes)
        .sum()
}
