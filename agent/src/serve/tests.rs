#![allow(clippy::unwrap_used)]

use std::path::Path;

use evaluation::{Arm, Buckets};
use hyper_util::rt::TokioIo;
use prost_types::{Struct, Value, value::Kind};
use proto::{
    Token,
    flagd::evaluation_v2::{EventStreamRequest, ResolveBooleanRequest, service_client::ServiceClient},
    v1::{self, outcomes_client::OutcomesClient},
};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::*;
use crate::{
    health::counters::Counters,
    samples::{Contents, TOKEN_KEY, boolean, evaluator, exposure, measurement},
    server_clock::ServerClock,
};

/// An agent's doors, open on a free port and a socket.
struct Doors {
    holder: Holder,
    counters: Arc<Counters>,
    port: Channel,
    socket: Channel,
    shutdown: Shutdown,
    closed: DoorsClosed,
    _folder: TempDir,
}

impl Doors {
    async fn open(holder: Holder) -> Self {
        let (shutdown, folder) = (Shutdown::new(), tempfile::tempdir().unwrap());
        let path = folder.path().join("agent.sock");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let evaluator = evaluator(&holder);
        let (counters, clock) = (Arc::clone(&evaluator.counters), evaluator.clock.clone());
        let observer = Observer {
            holder: holder.clone(),
            counters: Arc::clone(&counters),
            clock,
        };
        let (routes, reporter) = routes(Arc::new(evaluator), observer, &shutdown).unwrap();
        let (open, closed) = doors();
        shutdown.spawn("port", tcp(listener, routes.clone(), shutdown.clone(), open.clone()));
        let socket = UnixListener::bind(&path).unwrap();
        shutdown.spawn("socket", unix(socket, routes, shutdown.clone(), open));
        shutdown.spawn("health", report_health(reporter, holder.clone(), shutdown.clone()));
        let port = Endpoint::from_shared(format!("http://{address}"))
            .unwrap()
            .connect()
            .await
            .unwrap();
        Self {
            holder,
            counters,
            port,
            socket: over_socket(&path).await,
            shutdown,
            closed,
            _folder: folder,
        }
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        self.shutdown.drain();
    }
}

async fn over_socket(path: &Path) -> Channel {
    let path = path.to_owned();
    let dial = tower::service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://socket")
        .connect_with_connector(dial)
        .await
        .unwrap()
}

fn ask(bytes: usize) -> ResolveBooleanRequest {
    let value = Value {
        kind: Some(Kind::StringValue("x".repeat(bytes))),
    };
    let context = Struct {
        fields: [("note".to_owned(), value)].into(),
    };
    ResolveBooleanRequest {
        flag_key: "a".to_owned(),
        context: Some(context),
    }
}

#[tokio::test]
async fn port_and_socket_answer_alike() {
    let doors = Doors::open(Contents::production().flag(&boolean("a")).held(1)).await;
    for channel in [doors.port.clone(), doors.socket.clone()] {
        let answer = ServiceClient::new(channel)
            .resolve_boolean(ask(10))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answer.value, Some(true));
    }
}

#[tokio::test]
async fn a_context_beyond_a_megabyte_is_refused() {
    let doors = Doors::open(Contents::production().flag(&boolean("a")).held(1)).await;
    let mut client = ServiceClient::new(doors.port.clone());
    assert!(client.resolve_boolean(ask(900_000)).await.is_ok());
    assert_eq!(
        client.resolve_boolean(ask(1_000_000)).await.unwrap_err().code(),
        Code::OutOfRange
    );
}

#[tokio::test]
async fn outcomes_are_counted_as_they_arrive_and_answered_when_the_process_drains() {
    let doors = Doors::open(Contents::production().rollout(Buckets::ALL).held(1)).await;
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let mut client = OutcomesClient::new(doors.socket.clone());
    let calling = tokio::spawn(async move {
        client
            .observe(tokio_stream::wrappers::ReceiverStream::new(receiver))
            .await
            .map(tonic::Response::into_inner)
    });
    let text = Token {
        exposure: exposure(Arm::Treatment, 1),
        tick: 0,
        minter: 0,
    }
    .to_text(TOKEN_KEY);
    let name = |text: &str| v1::ExposureName {
        name: Some(v1::exposure_name::Name::Token(text.to_owned())),
    };
    let exposures = vec![name(&text), name("forged")];
    let observation = v1::Observation {
        exposures,
        outcome: v1::OutcomeKind::Ok.into(),
        duration_us: None,
    };
    sender
        .send(v1::ObserveRequest {
            observations: vec![observation],
        })
        .await
        .unwrap();
    let counted = || {
        doors
            .counters
            .drain(&measurement(), ServerClock::new().tick())
            .slices
            .iter()
            .any(|slice| slice.outcomes() == 1)
    };
    while !counted() {
        tokio::task::yield_now().await;
    }
    doors.shutdown.drain();
    let answer = calling.await.unwrap().unwrap();
    assert_eq!((answer.counted, answer.dropped, answer.reasons.len()), (1, 1, 1));
}

#[tokio::test]
async fn clients_are_told_before_the_process_ends() {
    let mut doors = Doors::open(Contents::production().held(1)).await;
    let mut events = ServiceClient::new(doors.port.clone())
        .event_stream(EventStreamRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(events.message().await.unwrap().unwrap().r#type, "provider_ready");
    doors.shutdown.drain();
    assert_eq!(events.message().await.unwrap().unwrap().r#type, "provider_shutdown");
    assert_eq!(events.message().await.unwrap_err().code(), Code::Unavailable);
    drop(events);
    doors.closed.wait().await;
    assert!(doors.shutdown.finished(Duration::from_secs(20)).await);
}

#[tokio::test]
async fn health_checks_follow_the_first_snapshot() {
    let doors = Doors::open(Holder::new(false)).await;
    let mut client = HealthClient::new(doors.port.clone());
    let request = HealthCheckRequest {
        service: FLAGD.to_owned(),
    };
    let mut statuses = client.watch(request).await.unwrap().into_inner();
    let not_serving = tonic_health::pb::health_check_response::ServingStatus::NotServing;
    while statuses.message().await.unwrap().unwrap().status() != not_serving {}
    Contents::production().install(&doors.holder, 1);
    let serving = tonic_health::pb::health_check_response::ServingStatus::Serving;
    while statuses.message().await.unwrap().unwrap().status() != serving {}
}
