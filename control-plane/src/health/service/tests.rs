#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use proto::v1::{self, health_client::HealthClient, health_server::HealthServer};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, transport::Channel};
use tonic_types::StatusExt as _;

use super::*;
use crate::{
    builders::introduction,
    health::{builders::*, collector::Collector},
    store::redb::Redb,
    sync::fleet::Fleet,
};

/// Only a broken test waits so long.
const FAR: Duration = Duration::from_secs(60);
const NOW_US: i64 = START_US + 10 * SECOND_US;

fn request(frames: Vec<v1::Frame>) -> ReportRequest {
    ReportRequest {
        agent: "a".to_owned(),
        epoch: 1,
        frames,
    }
}

/// The status of the last of some messages on one stream.
fn refusal(requests: Vec<ReportRequest>) -> (Code, Vec<String>) {
    let (state, mut speaker) = (state([rollout()]), Speaker::default());
    let last = requests
        .into_iter()
        .map(|request| speaker.admit(&state, &Fleet::new(), request, NOW_US))
        .last()
        .unwrap();
    let status = Status::from(last.unwrap_err());
    let details = status
        .get_details_bad_request()
        .map(|details| details.field_violations)
        .unwrap_or_default();
    (
        status.code(),
        details.into_iter().map(|violation| violation.field).collect(),
    )
}

#[test]
fn a_stream_belongs_to_one_process_of_one_agent_in_one_environment() {
    let first = request(vec![wire_frame(1)]);
    let cases = [
        (
            ReportRequest {
                agent: "b".to_owned(),
                ..first.clone()
            },
            "agent",
        ),
        (
            ReportRequest {
                agent: String::new(),
                ..first.clone()
            },
            "agent",
        ),
        (
            ReportRequest {
                epoch: 2,
                ..first.clone()
            },
            "epoch",
        ),
        (
            request(vec![v1::Frame {
                environment: "staging".to_owned(),
                ..wire_frame(2)
            }]),
            "frames[0].environment",
        ),
    ];
    for (second, field) in cases {
        let (code, fields) = refusal(vec![first.clone(), second]);
        assert_eq!(code, Code::InvalidArgument);
        assert!(fields.contains(&field.to_owned()), "{fields:?}");
    }
}

#[test]
fn an_id_has_at_most_200_bytes() {
    let of = |bytes: usize| ReportRequest {
        agent: "a".repeat(bytes),
        epoch: 1,
        frames: Vec::new(),
    };
    assert!(
        Speaker::default()
            .admit(&state([]), &Fleet::new(), of(200), NOW_US)
            .is_ok()
    );
    assert_eq!(
        refusal(vec![of(201)]),
        (Code::InvalidArgument, vec!["agent".to_owned()])
    );
}

#[test]
fn an_unknown_environment_is_not_found() {
    let elsewhere = v1::Frame {
        environment: "nowhere".to_owned(),
        ..wire_frame(1)
    };
    assert_eq!(refusal(vec![request(vec![elsewhere])]).0, Code::NotFound);
    let nameless = v1::Frame {
        environment: String::new(),
        ..wire_frame(1)
    };
    let expected = (Code::InvalidArgument, vec!["frames[0].environment".to_owned()]);
    assert_eq!(refusal(vec![request(vec![nameless])]), expected);
}

/// A server on a port of its own.
struct Server {
    client: HealthClient<Channel>,
    shutdown: Shutdown,
    _states: watch::Sender<Arc<State>>,
    _folder: TempDir,
}

async fn serve() -> Server {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(Redb::open(&folder.path().join("store.redb"), 1).unwrap());
    let mut current = rollout();
    // Real clocks judge this stream.
    let now_us = runtime::clock::now_us();
    (current.started_at_us, current.state.entered_at_us) = (now_us, now_us);
    let (sender, states) = watch::channel(Arc::new(state([current])));
    let (collector, intake, _) = Collector::new(store, states.clone(), Arc::new(Fleet::new()));
    let shutdown = Shutdown::new();
    shutdown.spawn("collector", collector.run(shutdown.clone()));
    let service = HealthServer::new(HealthService::new(
        intake,
        Arc::new(Fleet::new()),
        states,
        shutdown.clone(),
    ));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = shutdown.clone();
    shutdown.spawn("server", async move {
        let server = tonic::transport::Server::builder().add_service(service);
        let incoming = TcpListenerStream::new(listener);
        server
            .serve_with_incoming_shutdown(incoming, async move { stop.draining().await })
            .await
            .unwrap();
    });
    let client = HealthClient::connect(format!("http://{address}")).await.unwrap();
    Server {
        client,
        shutdown,
        _states: sender,
        _folder: folder,
    }
}

fn recent(sequence: u64) -> v1::Frame {
    let now_us = runtime::clock::now_us();
    let tick = proto::tick::at(now_us);
    let mut frame = v1::Frame {
        first_tick: tick,
        last_tick: tick,
        ..wire_frame(sequence)
    };
    frame.cells[0].last_exposure_us = now_us;
    frame
}

#[tokio::test]
async fn a_malformed_frame_ends_its_stream_and_nothing_of_its_message_is_counted() {
    let mut server = serve().await;
    let bad = v1::Frame {
        horizon: 99,
        ..recent(2)
    };
    let requests = tokio_stream::iter([request(vec![recent(1), bad])]).chain(tokio_stream::pending());
    let mut answers = server.client.report(requests).await.unwrap().into_inner();
    let status = tokio::time::timeout(FAR, answers.message()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(
        status.get_details_bad_request().unwrap().field_violations[0].field,
        "frames[1].horizon"
    );

    // The first frame of that message was not taken either: sent alone it is new, and acknowledged as such.
    let requests = tokio_stream::iter([request(vec![recent(1)])]);
    let mut answers = server.client.report(requests).await.unwrap().into_inner();
    let mut acks = Vec::new();
    while let Some(answer) = tokio::time::timeout(FAR, answers.message()).await.unwrap().unwrap() {
        acks.extend(answer.acks);
    }
    assert_eq!(
        acks,
        [v1::FrameAck {
            rollout: INDEX,
            sequence: 1,
            refused: String::new()
        }]
    );
    server.shutdown.drain();
    drop(server.client);
    assert!(server.shutdown.finished(FAR).await);
}

#[tokio::test]
async fn draining_ends_every_stream() {
    let mut server = serve().await;
    let requests = tokio_stream::iter([request(vec![recent(1)])]).chain(tokio_stream::pending());
    let mut answers = server.client.report(requests).await.unwrap().into_inner();
    assert!(
        tokio::time::timeout(FAR, answers.message())
            .await
            .unwrap()
            .unwrap()
            .is_some()
    );
    server.shutdown.drain();
    while tokio::time::timeout(FAR, answers.message())
        .await
        .unwrap()
        .is_ok_and(|answer| answer.is_some())
    {}
    drop((server.client, answers));
    assert!(server.shutdown.finished(FAR).await);
}

#[test]
fn an_agent_is_not_believed_when_it_speaks_for_another_environment_than_it_serves() {
    let (state, fleet) = (state([rollout()]), Fleet::new());
    let staging = Key::parse("staging").unwrap();
    connect(&fleet, &staging);
    let admit = |fleet: &Fleet| Speaker::default().admit(&state, fleet, request(vec![wire_frame(1)]), NOW_US);
    let refused = Status::from(admit(&fleet).unwrap_err());
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("serves environment staging"), "{refused}");
    // Who serves both may speak for both, and who has left serves none.
    connect(&fleet, &production());
    assert!(admit(&fleet).is_ok());
    let gone = Fleet::new();
    connect(&gone, &staging);
    gone.disconnected(&staging, &"a".into(), 1);
    assert!(admit(&gone).is_ok());
}

/// The agent `a` opens a stream of an environment.
fn connect(fleet: &Fleet, environment: &Key) {
    fleet
        .connected(introduction(environment, "a"), 1, SECOND_US, NOW_US)
        .unwrap();
}
