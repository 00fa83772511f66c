//! A stream of reports to the agent.
//!
//! Its messages come already encoded, one item after the other as they leave the queue: a message of hundreds of items
//! is never built out of hundreds of small pieces.

use bytes::{BufMut as _, Bytes};
use futures::stream::Stream;
use http::uri::PathAndQuery;
use proto::v1::ObserveResponse;
use tonic::Status;
use tonic::client::Grpc;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic_prost::ProstDecoder;

use crate::caller::Caller;

/// The agent behind a connection, as a caller sees it.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    channel: Channel,
    caller: Caller,
}

/// Messages that are encoded already, and the answer to them.
#[derive(Clone, Copy, Debug)]
struct Encoded;

impl Agent {
    /// The agent behind this connection, as this caller sees it.
    pub(crate) fn new(channel: Channel, caller: Caller) -> Self {
        Self { channel, caller }
    }

    /// Sends messages over one stream to the method at `path`, until they end or the agent ends it. What the agent
    /// answers is for nobody: whether it ended the stream or refused it, the next one carries what is left.
    pub(crate) async fn carry(&self, path: &'static str, messages: impl Stream<Item = Bytes> + Send + 'static) {
        let mut agent = Grpc::new(self.channel.clone());
        if agent.ready().await.is_ok() {
            let messages = self.caller.request(messages);
            let path = PathAndQuery::from_static(path);
            let _ = agent.client_streaming(messages, path, Encoded).await;
        }
    }
}

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = ObserveResponse;
    type Encoder = Self;
    type Decoder = ProstDecoder<ObserveResponse>;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> ProstDecoder<ObserveResponse> {
        ProstDecoder::default()
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}
