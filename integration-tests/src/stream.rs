//! Raw streams of an agent that is none: what a broken, malicious or stuck peer sends.
//!
//! A stream spoken by hand can stop reading, say things twice or out of order, and acknowledge what it does not hold,
//! which no build of the real agent does.

use std::time::Duration;

use futures::{Stream, StreamExt as _};
use proto::v1::{
    self, health_client::HealthClient, sync_client::SyncClient, sync_request::Message,
    sync_response::Message as Response,
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Channel};

/// An open Sync stream, spoken by hand.
#[derive(Debug)]
pub struct RawSync {
    requests: mpsc::Sender<v1::SyncRequest>,
    /// What the server says, if anybody reads it.
    pub responses: Streaming<v1::SyncResponse>,
}

impl RawSync {
    /// Opens a stream with a first message.
    pub async fn open(channel: Channel, first: Message) -> Result<Self, Status> {
        let (requests, receiver) = mpsc::channel(64);
        requests
            .send(v1::SyncRequest { message: Some(first) })
            .await
            .expect("the receiver is held");
        let responses = SyncClient::new(channel)
            .sync(ReceiverStream::new(receiver))
            .await?
            .into_inner();
        Ok(Self { requests, responses })
    }

    /// The revision of the next transfer, read to its end.
    pub async fn revision_sent(&mut self) -> v1::Revision {
        let mut to = None;
        loop {
            let response = self
                .responses
                .message()
                .await
                .expect("the stream stands")
                .expect("the stream goes on");
            match response.message {
                Some(Response::Begin(begin)) => to = begin.to,
                Some(Response::End(_)) => return to.expect("a transfer begins before it ends"),
                _ => {}
            }
        }
    }

    /// The status with which the server ends the stream.
    pub async fn refusal(&mut self) -> Status {
        loop {
            match self.responses.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended without a word"),
                Err(status) => return status,
            }
        }
    }

    /// Sends a message; false if the stream has ended.
    pub async fn send(&self, message: Message) -> bool {
        self.requests
            .send(v1::SyncRequest { message: Some(message) })
            .await
            .is_ok()
    }
}

/// An agent that applies everything, says so, lives, and never reports any health.
#[derive(Debug)]
pub struct MuteAgent(JoinHandle<()>);

impl Drop for MuteAgent {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Connects one.
pub async fn mute_agent(channel: Channel, hello: v1::Hello) -> MuteAgent {
    let raw = RawSync::open(channel, Message::Hello(hello))
        .await
        .expect("the control plane takes it");
    MuteAgent(tokio::spawn(acknowledge(raw)))
}

async fn acknowledge(mut raw: RawSync) {
    let mut beats = tokio::time::interval(Duration::from_millis(500));
    let mut sent = None;
    loop {
        let response = tokio::select! {
            response = raw.responses.message() => response,
            _ = beats.tick() => {
                raw.send(Message::Heartbeat(v1::AgentHeartbeat { agent_time_us: 0 })).await;
                continue;
            }
        };
        match response {
            Ok(Some(v1::SyncResponse {
                message: Some(Response::Begin(begin)),
            })) => sent = Some(begin),
            Ok(Some(v1::SyncResponse {
                message: Some(Response::End(_)),
            })) => {
                let Some(begin) = sent.take() else { continue };
                let level = v1::AckLevel::Persisted.into();
                let ack = v1::Ack {
                    revision: begin.to,
                    digest: begin.digest,
                    level,
                    held_back: Vec::new(),
                };
                raw.send(Message::Ack(ack)).await;
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

/// A Hello of an agent that holds nothing.
pub fn hello(agent: &str, environment: &str) -> v1::Hello {
    v1::Hello {
        agent: agent.to_owned(),
        environment: environment.to_owned(),
        ..v1::Hello::default()
    }
}

/// The first answer to one message of frames, sent on a stream of its own that stays open.
pub async fn report(channel: Channel, request: v1::ReportRequest) -> Result<v1::ReportResponse, Status> {
    let requests = once_and_open(request);
    let mut responses = HealthClient::new(channel).report(requests).await?.into_inner();
    responses
        .message()
        .await?
        .ok_or_else(|| Status::aborted("the stream ended without an answer"))
}

/// One item, and then a stream that does not end.
fn once_and_open<T>(item: T) -> impl Stream<Item = T> {
    futures::stream::iter([item]).chain(futures::stream::pending())
}
