#![allow(clippy::unwrap_used)]

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use evaluation::{Digest, EntryKind, FlagType, Lineage, Revision};
use futures::Stream;
use prost::Message as _;
use proto::{
    entry::PART_LIMIT,
    v1::{
        self,
        sync_request::Message as Said,
        sync_response::Message,
        sync_server::{Sync, SyncServer},
    },
};
use runtime::{clock::now_us, shutdown::Shutdown};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Endpoint, Server, server::TcpIncoming},
};

use super::{client::Client, transfer::TRANSFER_LIMIT, trouble::Trouble};
use crate::{
    contact::Contact,
    disk::{self, Scope},
    identity::Identity,
    samples::{Contents, boolean, text},
    server_clock::ServerClock,
    snapshot::{Holder, Stamp},
    sync::apply::restore,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A control plane whose every word is the test's.
struct FakeControlPlane(mpsc::Sender<Conversation>);

/// One stream of the agent, in the test's hands.
struct Conversation {
    inbound: Streaming<v1::SyncRequest>,
    outbound: mpsc::Sender<Result<v1::SyncResponse, Status>>,
}

#[tonic::async_trait]
impl Sync for FakeControlPlane {
    type SyncStream = Pin<Box<dyn Stream<Item = Result<v1::SyncResponse, Status>> + Send>>;

    async fn sync(&self, request: Request<Streaming<v1::SyncRequest>>) -> Result<Response<Self::SyncStream>, Status> {
        let (outbound, responses) = mpsc::channel(1_000);
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
    async fn say(&self, message: Message) {
        self.outbound
            .send(Ok(v1::SyncResponse { message: Some(message) }))
            .await
            .unwrap();
    }

    /// Sends a transfer in parts of 50 bytes, announced as given.
    async fn transfer(&self, from: Option<Revision>, to: Stamp, bytes: &Bytes, announced: u64) {
        self.parts(50, from, to, bytes, announced).await;
    }

    async fn parts(&self, part_bytes: usize, from: Option<Revision>, to: Stamp, bytes: &Bytes, announced: u64) {
        self.say(Message::Begin(v1::Begin {
            from: from.map(v1::Revision::from),
            to: Some(to.revision.into()),
            digest: proto::revision::write_digest(to.digest),
            bytes: announced,
        }))
        .await;
        for part in bytes.chunks(part_bytes) {
            self.say(Message::Part(v1::Part {
                data: Bytes::copy_from_slice(part),
            }))
            .await;
        }
        self.say(Message::End(v1::End {})).await;
    }

    async fn whole(&self, number: u64, contents: &Contents) {
        let bytes = contents.framed(None);
        self.transfer(None, contents.stored(number).stamp, &bytes, bytes.len() as u64)
            .await;
    }

    async fn delta(&self, from: (u64, &Contents), to: (u64, &Contents)) {
        let bytes = to.1.framed(Some(from.1));
        self.transfer(
            Some(revision(from.0)),
            to.1.stored(to.0).stamp,
            &bytes,
            bytes.len() as u64,
        )
        .await;
    }

    /// The next thing that the agent says, heartbeats apart; None: it closed the stream.
    async fn hear(&mut self) -> Option<Said> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.inbound.message()).await.unwrap();
            match message.ok().flatten()?.message.unwrap() {
                Said::Heartbeat(_) => {}
                said => return Some(said),
            }
        }
    }

    async fn heartbeat(&mut self) -> i64 {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.inbound.message()).await.unwrap();
            if let Said::Heartbeat(heartbeat) = message.unwrap().unwrap().message.unwrap() {
                return heartbeat.agent_time_us;
            }
        }
    }

    async fn hello(&mut self) -> v1::Hello {
        match self.hear().await {
            Some(Said::Hello(hello)) => hello,
            other => panic!("{other:?}"),
        }
    }

    /// The next ack must be this one.
    async fn acked(&mut self, stamp: Stamp, level: v1::AckLevel) -> Vec<v1::EntryProblem> {
        match self.hear().await {
            Some(Said::Ack(ack)) => {
                assert_eq!(Revision::try_from(ack.revision.as_ref().unwrap()), Ok(stamp.revision));
                assert_eq!(ack.digest, proto::revision::write_digest(stamp.digest));
                assert_eq!(ack.level(), level);
                ack.held_back
            }
            other => panic!("{other:?}"),
        }
    }

    async fn nacked(&mut self) -> (u64, String) {
        match self.hear().await {
            Some(Said::Nack(nack)) => (nack.revision.unwrap().number, nack.problems[0].reason.clone()),
            other => panic!("{other:?}"),
        }
    }
}

/// An agent's client that talks to the test.
struct Agent {
    holder: Holder,
    clock: ServerClock,
    contact: Contact,
    conversations: mpsc::Receiver<Conversation>,
    folder: Option<TempDir>,
    shutdown: Shutdown,
}

impl Agent {
    async fn start(holder: Holder, diskless: bool) -> Self {
        let (sender, conversations) = mpsc::channel(4);
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let server = Server::builder().add_service(SyncServer::new(FakeControlPlane(sender)));
        shutdown.spawn("fake control plane", async move {
            server.serve_with_incoming(incoming).await.unwrap()
        });

        let scope = scope();
        let folder = (!diskless).then(|| tempfile::tempdir().unwrap());
        let disk = folder.as_ref().map(|folder| {
            let (disk, writer, _) = disk::open(folder.path(), scope.clone());
            shutdown.spawn("disk", writer.run(shutdown.clone()));
            disk
        });
        let (clock, contact) = (ServerClock::new(), Contact::new());
        let client = Client {
            endpoint: Endpoint::from_shared(format!("http://{address}")).unwrap(),
            identity: Identity {
                agent: "agent-1".parse().unwrap(),
                scope,
                epoch: 9,
            },
            holder: holder.clone(),
            disk,
            clock: clock.clone(),
            contact: contact.clone(),
            held_back: Vec::new(),
            transfer_limit: TRANSFER_LIMIT,
            trouble: Trouble::default(),
        };
        shutdown.spawn("sync", client.run(shutdown.clone()));
        Self {
            holder,
            clock,
            contact,
            conversations,
            folder,
            shutdown,
        }
    }

    async fn fresh() -> Self {
        Self::start(Holder::new(false), false).await
    }

    async fn conversation(&mut self) -> Conversation {
        tokio::time::timeout(PATIENCE, self.conversations.recv())
            .await
            .unwrap()
            .unwrap()
    }

    /// The next stream, after its Hello.
    async fn greeted(&mut self) -> (Conversation, v1::Hello) {
        let mut conversation = self.conversation().await;
        let hello = conversation.hello().await;
        (conversation, hello)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.shutdown.drain();
    }
}

fn scope() -> Scope {
    Scope {
        environment: "production".into(),
        flag_set: String::new(),
    }
}

fn revision(number: u64) -> Revision {
    Revision {
        lineage: Lineage(1),
        number,
    }
}

#[tokio::test]
async fn an_agent_says_who_it_is_and_acks_what_it_has_in_use_and_then_on_disk() {
    let mut agent = Agent::fresh().await;
    let (mut control_plane, hello) = agent.greeted().await;
    assert_eq!(
        (hello.agent.as_str(), hello.environment.as_str(), hello.epoch),
        ("agent-1", "production", 9)
    );
    assert_eq!((hello.revision, hello.digest.len(), hello.diskless), (None, 0, false));

    let first = Contents::production().flag(&boolean("a"));
    control_plane.whole(1, &first).await;
    control_plane.acked(first.stored(1).stamp, v1::AckLevel::Applied).await;
    assert!(agent.holder.load().flag("a").is_some());
    control_plane
        .acked(first.stored(1).stamp, v1::AckLevel::Persisted)
        .await;

    let second = first.clone().flag(&text("b")).without("a");
    control_plane.delta((1, &first), (2, &second)).await;
    control_plane.acked(second.stored(2).stamp, v1::AckLevel::Applied).await;
    control_plane
        .acked(second.stored(2).stamp, v1::AckLevel::Persisted)
        .await;

    drop(control_plane);
    let (_, hello) = agent.greeted().await;
    assert_eq!(hello.revision, Some(revision(2).into()));
    assert_eq!(
        hello.digest,
        proto::revision::write_digest(second.stored(2).stamp.digest)
    );
}

#[tokio::test]
async fn what_is_wrong_is_refused_by_its_revision_and_changes_nothing() {
    let mut agent = Agent::fresh().await;
    let (mut control_plane, _) = agent.greeted().await;
    let held = Contents::production().flag(&boolean("a"));
    control_plane.whole(5, &held).await;
    control_plane.acked(held.stored(5).stamp, v1::AckLevel::Applied).await;
    control_plane.acked(held.stored(5).stamp, v1::AckLevel::Persisted).await;

    let next = held.clone().flag(&boolean("b"));
    let (stamp, bytes) = (next.stored(6).stamp, next.framed(Some(&held)));
    let length = bytes.len() as u64;
    let other_digest = Stamp {
        digest: Digest(1),
        ..stamp
    };
    let cases: [(_, _, Bytes, u64, &str); 6] = [
        (
            Some(revision(4)),
            stamp,
            bytes.clone(),
            length,
            "starts from revision 4",
        ),
        (Some(revision(5)), other_digest, bytes.clone(), length, "digest"),
        (
            Some(revision(5)),
            stamp,
            bytes.slice(..bytes.len() - 1),
            length - 1,
            "torn",
        ),
        (Some(revision(5)), stamp, bytes.clone(), length + 1, "were announced"),
        (
            Some(revision(5)),
            stamp,
            bytes.clone(),
            TRANSFER_LIMIT + 1,
            "not accepted",
        ),
        (None, held.stored(4).stamp, Bytes::new(), 0, "digest"),
    ];
    for (from, to, bytes, announced, reason) in cases {
        control_plane.transfer(from, to, &bytes, announced).await;
        let (refused, words) = control_plane.nacked().await;
        assert_eq!(refused, to.revision.number);
        assert!(words.contains(reason), "{words}");
        assert_eq!(agent.holder.stamp(), Some(held.stored(5).stamp));
    }
    let older = Contents::production();
    control_plane.whole(4, &older).await;
    assert!(control_plane.nacked().await.1.contains("older"));

    control_plane.delta((5, &held), (6, &next)).await;
    control_plane.acked(stamp, v1::AckLevel::Applied).await;
    assert!(agent.holder.load().flag("b").is_some());
}

#[tokio::test]
async fn an_entry_that_is_not_understood_is_named_in_the_ack() {
    let mut agent = Agent::fresh().await;
    let (mut control_plane, _) = agent.greeted().await;
    let contents =
        Contents::production()
            .flag(&boolean("a"))
            .raw(EntryKind::Flag, "from-the-future", Bytes::from_static(b"\xff"));
    control_plane.whole(1, &contents).await;
    let held_back = control_plane
        .acked(contents.stored(1).stamp, v1::AckLevel::Applied)
        .await;
    assert_eq!(held_back.len(), 1);
    assert_eq!(
        (held_back[0].kind(), held_back[0].key.as_str()),
        (v1::EntryKind::Flag, "from-the-future")
    );
    assert!(agent.holder.load().flag("a").is_some());
}

#[tokio::test]
async fn an_agent_that_is_current_takes_the_servers_number() {
    let contents = Contents::production().flag(&boolean("a"));
    let mut agent = Agent::fresh().await;
    let (mut control_plane, _) = agent.greeted().await;
    control_plane.whole(1, &contents).await;
    control_plane
        .acked(contents.stored(1).stamp, v1::AckLevel::Applied)
        .await;
    control_plane
        .acked(contents.stored(1).stamp, v1::AckLevel::Persisted)
        .await;
    drop(control_plane);

    let (mut control_plane, _) = agent.greeted().await;
    control_plane
        .say(Message::Current(v1::Current {
            revision: Some(revision(8).into()),
        }))
        .await;
    control_plane
        .acked(contents.stored(8).stamp, v1::AckLevel::Applied)
        .await;
    control_plane
        .acked(contents.stored(8).stamp, v1::AckLevel::Persisted)
        .await;
    drop(control_plane);

    let (mut control_plane, hello) = agent.greeted().await;
    assert_eq!(hello.revision, Some(revision(8).into()));
    control_plane
        .say(Message::Current(v1::Current {
            revision: Some(revision(8).into()),
        }))
        .await;
    control_plane
        .acked(contents.stored(8).stamp, v1::AckLevel::Applied)
        .await;
    control_plane
        .acked(contents.stored(8).stamp, v1::AckLevel::Persisted)
        .await;
}

#[tokio::test]
async fn no_error_of_the_stream_drops_the_held_snapshot() {
    let mut agent = Agent::start(Contents::production().flag(&boolean("a")).held(3), true).await;
    for status in [
        Status::not_found("unknown environment"),
        Status::unauthenticated("who?"),
        Status::permission_denied("no"),
        Status::internal("oops"),
    ] {
        let (control_plane, hello) = agent.greeted().await;
        assert_eq!(hello.revision, Some(revision(3).into()));
        control_plane.outbound.send(Err(status)).await.unwrap();
    }
    agent.greeted().await;
    assert!(agent.holder.load().flag("a").is_some());
}

#[tokio::test]
async fn a_server_that_breaks_the_protocol_is_left_and_tried_again() {
    let mut agent = Agent::fresh().await;
    let part = Message::Part(v1::Part {
        data: Bytes::from_static(b"x"),
    });
    let nameless = Message::Begin(v1::Begin::default());
    for message in [
        part,
        Message::End(v1::End {}),
        nameless,
        Message::Current(v1::Current { revision: None }),
    ] {
        let (mut control_plane, _) = agent.greeted().await;
        control_plane.say(message).await;
        assert_eq!(control_plane.hear().await, None);
    }
    agent.greeted().await;
}

#[tokio::test]
async fn a_silent_server_is_left_after_three_intervals() {
    let mut agent = Agent::fresh().await;
    let (mut control_plane, _) = agent.greeted().await;
    let heartbeat = v1::ServerHeartbeat {
        server_time_us: now_us(),
        interval_us: 1,
        ..Default::default()
    };
    control_plane.say(Message::Heartbeat(heartbeat)).await;
    assert_eq!(control_plane.hear().await, None);
    agent.greeted().await;
}

#[tokio::test]
async fn an_agent_that_is_asked_to_go_away_comes_back() {
    let mut agent = Agent::fresh().await;
    let (mut control_plane, _) = agent.greeted().await;
    control_plane.say(Message::GoAway(v1::GoAway { delay_us: 1_000 })).await;
    assert_eq!(control_plane.hear().await, None);
    agent.greeted().await;
}

#[tokio::test]
async fn heartbeats_teach_the_servers_clock() {
    let mut agent = Agent::fresh().await;
    let (mut control_plane, _) = agent.greeted().await;
    let sent_us = control_plane.heartbeat().await;
    let hour_us = 3_600_000_000;
    let heartbeat = v1::ServerHeartbeat {
        server_time_us: now_us() + hour_us,
        echoed_agent_time_us: sent_us,
        interval_us: 2_000_000,
        ..Default::default()
    };
    control_plane.say(Message::Heartbeat(heartbeat)).await;
    tokio::time::timeout(PATIENCE, agent.clock.known()).await.unwrap();
    let ahead_us = agent.clock.now_us() - now_us();
    assert!(
        (hour_us - 10_000_000..hour_us + 10_000_000).contains(&ahead_us),
        "{ahead_us}"
    );
}

#[tokio::test]
async fn an_agent_that_lost_its_copy_on_disk_asks_for_the_whole() {
    let mut agent = Agent::fresh().await;
    let (mut control_plane, _) = agent.greeted().await;
    let first = Contents::production();
    let second = first.clone().flag(&boolean("a"));
    control_plane.whole(1, &first).await;
    control_plane.acked(first.stored(1).stamp, v1::AckLevel::Applied).await;
    control_plane
        .acked(first.stored(1).stamp, v1::AckLevel::Persisted)
        .await;
    std::fs::remove_file(agent.folder.as_ref().unwrap().path().join("snapshot")).unwrap();
    control_plane.delta((1, &first), (2, &second)).await;
    control_plane.acked(second.stored(2).stamp, v1::AckLevel::Applied).await;

    let (mut control_plane, hello) = agent.greeted().await;
    assert_eq!(hello.revision, None);
    assert!(agent.holder.load().flag("a").is_some(), "it is served all the while");
    control_plane.whole(2, &second).await;
    control_plane.acked(second.stored(2).stamp, v1::AckLevel::Applied).await;
    control_plane
        .acked(second.stored(2).stamp, v1::AckLevel::Persisted)
        .await;
}

#[tokio::test]
async fn a_diskless_agent_says_so_and_never_says_persisted() {
    let mut agent = Agent::start(Holder::new(false), true).await;
    let (mut control_plane, hello) = agent.greeted().await;
    assert!(hello.diskless);
    let mut last = Contents::production();
    control_plane.whole(1, &last).await;
    control_plane.acked(last.stored(1).stamp, v1::AckLevel::Applied).await;
    for number in 2..5 {
        let next = last.clone().flag(&boolean(&format!("flag-{number}")));
        control_plane.delta((number - 1, &last), (number, &next)).await;
        control_plane
            .acked(next.stored(number).stamp, v1::AckLevel::Applied)
            .await;
        last = next;
    }
}

#[tokio::test]
async fn a_refusal_is_no_sign_that_the_control_plane_stands_behind_what_is_held() {
    let holder = Contents::production().flag(&boolean("a")).held(3);
    let mut agent = Agent::start(holder, true).await;
    let (control_plane, _) = agent.greeted().await;
    let long_ago = Duration::from_secs(3_600);
    agent.contact.forget(long_ago);
    control_plane
        .outbound
        .send(Err(Status::permission_denied("no")))
        .await
        .unwrap();
    drop(control_plane);
    let (control_plane, _) = agent.greeted().await;
    assert!(agent.contact.silence() >= long_ago);
    control_plane
        .say(Message::Heartbeat(v1::ServerHeartbeat::default()))
        .await;
    while agent.contact.silence() >= long_ago {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_segment_of_several_megabytes_passes_in_parts() {
    let members = (0..200_000).map(|number| format!("customer-{number:012}")).collect();
    let segment = v1::SegmentEntry {
        segment: Some(v1::Segment {
            key: "customers".to_owned(),
            included: members,
            ..Default::default()
        }),
    };
    let contents = Contents::production().raw(EntryKind::Segment, "customers", segment.encode_to_vec().into());
    let bytes = contents.framed(None);
    assert!(bytes.len() > 4_000_000);
    let mut agent = Agent::fresh().await;
    let (mut control_plane, _) = agent.greeted().await;
    let stamp = contents.stored(1).stamp;
    control_plane
        .parts(PART_LIMIT, None, stamp, &bytes, bytes.len() as u64)
        .await;
    let held_back = control_plane.acked(stamp, v1::AckLevel::Applied).await;
    assert_eq!(held_back, []);
    control_plane.acked(stamp, v1::AckLevel::Persisted).await;
}

#[tokio::test]
async fn a_flag_that_is_held_back_survives_the_agents_restart() {
    let understood = Contents::production().flag(&text("a"));
    let later = understood
        .clone()
        .raw(EntryKind::Flag, "a", Bytes::from_static(b"\xff\xff"));
    let mut agent = Agent::fresh().await;
    let (mut control_plane, _) = agent.greeted().await;
    control_plane.whole(1, &understood).await;
    control_plane
        .acked(understood.stored(1).stamp, v1::AckLevel::Applied)
        .await;
    control_plane
        .acked(understood.stored(1).stamp, v1::AckLevel::Persisted)
        .await;
    control_plane.delta((1, &understood), (2, &later)).await;
    control_plane.acked(later.stored(2).stamp, v1::AckLevel::Applied).await;
    control_plane
        .acked(later.stored(2).stamp, v1::AckLevel::Persisted)
        .await;

    let (_, _, stored) = disk::open(agent.folder.as_ref().unwrap().path(), scope());
    let (snapshot, held_back) = restore(&stored.unwrap());
    assert_eq!(snapshot.flag("a").unwrap().flag_type(), FlagType::String);
    assert_eq!((held_back.len(), snapshot.digest()), (1, later.stored(2).stamp.digest));
}
