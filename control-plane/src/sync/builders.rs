//! An agent that speaks the wire with the service and nothing else, over a body in memory: time may be paused.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use evaluation::{Digest, Flag};
use proto::{
    revision::write_digest,
    v1::{self, sync_request, sync_response::Message, sync_server::Sync as _},
};
use runtime::shutdown::Shutdown;
use tokio::sync::{mpsc, watch};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::{
    Request, Status, Streaming,
    codec::{BufferSettings, EncodeBody},
};
use tonic_prost::{ProstDecoder, ProstEncoder};

use super::{fleet::Fleet, service::SyncService};
use crate::{
    builders::{World, flag, production},
    publish::{Published, Publisher, Subscription},
};

/// Only a broken test waits so long.
pub(super) const FAR: Duration = Duration::from_secs(600);

/// A control plane as agents see it.
pub(super) struct Harbour {
    pub(super) world: World,
    pub(super) publisher: Arc<Publisher>,
    pub(super) fleet: Arc<Fleet>,
    pub(super) shutdown: Shutdown,
    pub(super) service: SyncService,
}

impl Harbour {
    /// With one flag.
    pub(super) fn new() -> Self {
        let mut world = World::new();
        world.write(flag("checkout"));
        let publisher = Arc::new(Publisher::new(7, Arc::new(world.state.clone())));
        let (fleet, shutdown) = (Arc::new(Fleet::new()), Shutdown::new());
        let service = SyncService::new(publisher.clone(), fleet.clone(), shutdown.clone());
        Self {
            world,
            publisher,
            fleet,
            shutdown,
            service,
        }
    }

    /// Writes the flag with another salt; the store's revision.
    pub(super) fn write(&mut self, salt: &str) -> u64 {
        self.write_flag(Flag {
            salt: salt.to_owned(),
            ..flag("checkout")
        })
    }

    /// Writes a flag and publishes it; the store's revision.
    pub(super) fn write_flag(&mut self, flag: Flag) -> u64 {
        let touched = self.world.write(flag);
        self.publisher.publish(Arc::new(self.world.state.clone()), &touched);
        self.world.state.revision
    }

    /// What an agent without a flag set should hold by now.
    pub(super) fn latest(&self) -> Arc<Published> {
        let snapshots = self.publisher.subscribe(&whole()).unwrap();
        snapshots.borrow().clone()
    }

    /// Waits until something is true of the fleet.
    pub(super) async fn until(&self, is_so: impl Fn(&Fleet) -> bool) {
        let mut changes: watch::Receiver<u64> = self.fleet.changes();
        let so = async {
            while !is_so(&self.fleet) {
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(FAR, so).await.expect("it becomes so");
    }
}

/// All flags of production.
pub(super) fn whole() -> Subscription {
    Subscription {
        environment: production(),
        set: None,
    }
}

/// An agent of production that holds nothing.
pub(super) fn hello(agent: &str) -> v1::Hello {
    v1::Hello {
        agent: agent.to_owned(),
        environment: "production".to_owned(),
        ..v1::Hello::default()
    }
}

/// The same, but it holds something.
pub(super) fn holding(agent: &str, published: &Published) -> v1::Hello {
    v1::Hello {
        revision: Some(v1::Revision::from(published.revision)),
        digest: write_digest(published.digest()),
        ..hello(agent)
    }
}

/// One side of a stream.
pub(super) struct Agent {
    say: mpsc::Sender<v1::SyncRequest>,
    hear: std::pin::Pin<Box<dyn Stream<Item = Result<v1::SyncResponse, Status>> + Send>>,
}

/// A transfer as it arrived.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) begin: v1::Begin,
    pub(super) bytes: Bytes,
}

impl Agent {
    /// Opens a stream and says Hello.
    pub(super) async fn open(harbour: &Harbour, hello: v1::Hello) -> Result<Self, Status> {
        Self::begin(harbour, sync_request::Message::Hello(hello)).await
    }

    /// Opens a stream and says something.
    pub(super) async fn begin(harbour: &Harbour, first: sync_request::Message) -> Result<Self, Status> {
        let (say, said) = mpsc::channel(16);
        say.try_send(v1::SyncRequest { message: Some(first) }).unwrap();
        Self::connect(harbour, say, said).await
    }

    /// Opens a stream and says nothing.
    pub(super) async fn silent(harbour: &Harbour) -> Result<Self, Status> {
        let (say, said) = mpsc::channel(16);
        Self::connect(harbour, say, said).await
    }

    async fn connect(
        harbour: &Harbour,
        say: mpsc::Sender<v1::SyncRequest>,
        said: mpsc::Receiver<v1::SyncRequest>,
    ) -> Result<Self, Status> {
        let encoder = ProstEncoder::<v1::SyncRequest>::new(BufferSettings::default());
        let decoder = ProstDecoder::<v1::SyncRequest>::new(BufferSettings::default());
        let body = EncodeBody::new_client(encoder, ReceiverStream::new(said).map(Ok), None, None);
        let request = Request::new(Streaming::new_request(decoder, body, None, None));
        let hear = harbour.service.sync(request).await?.into_inner();
        Ok(Self { say, hear })
    }

    /// Says something; false if the other side is gone.
    pub(super) async fn say(&self, message: sync_request::Message) -> bool {
        let message = v1::SyncRequest { message: Some(message) };
        self.say.send(message).await.is_ok()
    }

    /// Says something without a message in it.
    pub(super) async fn say_nothing(&self) {
        self.say.send(v1::SyncRequest { message: None }).await.unwrap();
    }

    /// Lives on for ever, on a handle of its own.
    pub(super) fn heartbeats(&self) -> impl Future<Output = ()> + Send + 'static {
        let say = self.say.clone();
        async move {
            let heartbeat = sync_request::Message::Heartbeat(v1::AgentHeartbeat { agent_time_us: 5 });
            let message = v1::SyncRequest {
                message: Some(heartbeat),
            };
            while say.send(message.clone()).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        }
    }

    /// The next message, whatever it is; none at the end.
    pub(super) async fn next(&mut self) -> Option<Result<Message, Status>> {
        let next = tokio::time::timeout(FAR, self.hear.next()).await;
        let next = next.expect("something happens");
        next.map(|response| response.map(|response| response.message.expect("one of them")))
    }

    /// The next message that is not a heartbeat.
    pub(super) async fn news(&mut self) -> Message {
        let news = async {
            loop {
                match self.next().await {
                    Some(Ok(Message::Heartbeat(_))) => {}
                    Some(Ok(news)) => return news,
                    ended => panic!("the stream has ended: {ended:?}"),
                }
            }
        };
        tokio::time::timeout(FAR, news).await.expect("there are news")
    }

    /// The next heartbeat; nothing else may come before it.
    pub(super) async fn heartbeat(&mut self) -> v1::ServerHeartbeat {
        match self.next().await {
            Some(Ok(Message::Heartbeat(heartbeat))) => heartbeat,
            other => panic!("not a heartbeat: {other:?}"),
        }
    }

    /// The next transfer, whole.
    pub(super) async fn transfer(&mut self) -> Arrived {
        let Message::Begin(begin) = self.news().await else {
            panic!("a transfer begins");
        };
        let mut parts = Vec::new();
        loop {
            match self.news().await {
                Message::Part(part) => parts.push(part.data),
                Message::End(_) => break,
                other => panic!("neither a part nor the end: {other:?}"),
            }
        }
        Arrived {
            begin,
            bytes: parts.concat().into(),
        }
    }

    /// What the stream ended with.
    pub(super) async fn end(&mut self) -> Status {
        let end = async {
            loop {
                match self.next().await {
                    Some(Ok(_)) => {}
                    Some(Err(status)) => return status,
                    None => return Status::ok("closed"),
                }
            }
        };
        tokio::time::timeout(FAR, end).await.expect("the stream ends")
    }

    /// Acknowledges a transfer.
    pub(super) async fn ack(&self, arrived: &Arrived, level: v1::AckLevel) {
        let ack = acking(arrived.begin.to.clone(), arrived.begin.digest.clone(), level);
        assert!(self.say(sync_request::Message::Ack(ack)).await);
    }

    /// Refuses a transfer.
    pub(super) async fn nack(&self, arrived: &Arrived) {
        let problem = v1::EntryProblem {
            reason: "torn".to_owned(),
            ..v1::EntryProblem::default()
        };
        let nack = v1::Nack {
            revision: arrived.begin.to.clone(),
            problems: vec![problem],
        };
        assert!(self.say(sync_request::Message::Nack(nack)).await);
    }
}

/// An ack of anything.
pub(super) fn acking(revision: Option<v1::Revision>, digest: Bytes, level: v1::AckLevel) -> v1::Ack {
    v1::Ack {
        revision,
        digest,
        level: level.into(),
        held_back: Vec::new(),
    }
}

/// A digest that is nobody's.
pub(super) fn strange_digest() -> Bytes {
    write_digest(Digest(1))
}
