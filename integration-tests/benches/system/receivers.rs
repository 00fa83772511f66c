//! Streams that acknowledge at once, each on a connection of its own: agents without anything behind them.

use std::{net::SocketAddr, time::Duration};

use futures::StreamExt as _;
use integration_tests::{
    stream::{RawSync, hello},
    system::PRODUCTION,
};
use proto::v1::{self, sync_request::Message, sync_response};
use tokio::sync::watch;
use tonic::transport::Endpoint;

/// Heartbeats of a stream are this far apart, as an agent's are in a fleet of this size.
const BEAT: Duration = Duration::from_secs(2);

/// Streams to one server, and how far each of them is.
pub(crate) struct Receivers(Vec<watch::Receiver<u64>>);

impl Receivers {
    /// Opens so many, each on a connection of its own.
    pub(crate) async fn connect(address: SocketAddr, count: usize) -> Self {
        let connect = |number: usize| async move {
            let channel = Endpoint::from_shared(format!("http://{address}")).unwrap();
            let first = Message::Hello(hello(&format!("stream-{number}"), PRODUCTION));
            let stream = RawSync::open(channel.connect().await.unwrap(), first).await.unwrap();
            let (progress, seen) = watch::channel(0);
            tokio::spawn(acknowledge(stream, progress));
            seen
        };
        Self(
            futures::stream::iter(0..count)
                .map(connect)
                .buffer_unordered(50)
                .collect()
                .await,
        )
    }

    /// Waits until every stream has acknowledged this number.
    pub(crate) async fn all_at(&mut self, number: u64) {
        for seen in &mut self.0 {
            seen.wait_for(|held| *held >= number).await.unwrap();
        }
    }
}

/// Acknowledges everything, lives, and says how far it is.
///
/// Heartbeats keep their own time, as an agent's do: the control plane answers each, so one sent for each that is heard
/// would be answered for ever.
async fn acknowledge(mut stream: RawSync, progress: watch::Sender<u64>) {
    let mut beats = tokio::time::interval(BEAT);
    let mut coming: Option<v1::Begin> = None;
    loop {
        let heard = tokio::select! {
            heard = stream.responses.message() => heard,
            _ = beats.tick() => {
                let beat = v1::AgentHeartbeat { agent_time_us: 1 };
                if !stream.send(Message::Heartbeat(beat)).await {
                    return;
                }
                continue;
            }
        };
        let Ok(Some(response)) = heard else { return };
        let Some((number, ack)) = answer(response.message, &mut coming) else {
            continue;
        };
        if !stream.send(Message::Ack(ack)).await {
            return;
        }
        progress.send_replace(number);
    }
}

/// The number of what has come whole, and its ack.
fn answer(message: Option<sync_response::Message>, coming: &mut Option<v1::Begin>) -> Option<(u64, v1::Ack)> {
    let level = v1::AckLevel::Persisted.into();
    match message? {
        sync_response::Message::Begin(begin) => {
            *coming = Some(begin);
            None
        }
        sync_response::Message::End(_) => {
            let begin = coming.take()?;
            let number = begin.to.as_ref().map_or(0, |to| to.number);
            let ack = v1::Ack {
                revision: begin.to,
                digest: begin.digest,
                level,
                held_back: Vec::new(),
            };
            Some((number, ack))
        }
        // The hub sends one part and nothing around it.
        sync_response::Message::Part(part) if coming.is_none() => {
            let number = part.data.first_chunk::<8>().copied().map_or(0, u64::from_be_bytes);
            let ack = v1::Ack {
                level,
                ..v1::Ack::default()
            };
            Some((number, ack))
        }
        sync_response::Message::Part(_)
        | sync_response::Message::Current(_)
        | sync_response::Message::Heartbeat(_)
        | sync_response::Message::GoAway(_) => None,
    }
}
