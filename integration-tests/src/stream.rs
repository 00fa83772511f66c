//! Raw streams of an agent that is none: what a broken, malicious or stuck peer sends.

use futures::Stream;
use proto::v1::{self, health_client::HealthClient, sync_client::SyncClient, sync_request::Message};
use tokio::sync::mpsc;
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
        requests.send(v1::SyncRequest { message: Some(first) }).await.expect("the receiver is held");
        let responses = SyncClient::new(channel).sync(ReceiverStream::new(receiver)).await?.into_inner();
        Ok(Self { requests, responses })
    }

    /// Sends a message; false if the stream has ended.
    pub async fn send(&self, message: Message) -> bool {
        self.requests.send(v1::SyncRequest { message: Some(message) }).await.is_ok()
    }
}

/// A Hello of an agent that holds nothing.
pub fn hello(agent: &str, environment: &str) -> v1::Hello {
    v1::Hello { agent: agent.to_owned(), environment: environment.to_owned(), ..v1::Hello::default() }
}

/// The first answer to one message of frames, sent on a stream of its own that stays open.
pub async fn report(channel: Channel, request: v1::ReportRequest) -> Result<v1::ReportResponse, Status> {
    let requests = once_and_open(request);
    let mut responses = HealthClient::new(channel).report(requests).await?.into_inner();
    responses.message().await?.ok_or_else(|| Status::aborted("the stream ended without an answer"))
}

/// One item, and then a stream that does not end.
fn once_and_open<T>(item: T) -> impl Stream<Item = T> {
    use futures::StreamExt as _;
    futures::stream::iter([item]).chain(futures::stream::pending())
}
