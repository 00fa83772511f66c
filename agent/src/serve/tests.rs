#![allow(clippy::unwrap_used)]

use std::path::Path;

use evaluation::{Arm, Buckets};
use hyper_util::rt::TokioIo;
use prost_types::{Struct, Value, value::Kind};
use proto::{
    Token,
    flagd::{
        evaluation_v1::{self, service_client::ServiceClient as V1Client},
        evaluation_v2::{EventStreamRequest, ResolveBooleanRequest, service_client::ServiceClient},
    },
    v1::{self, evaluation_client::EvaluationClient, outcomes_client::OutcomesClient},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb;

use super::{ofrep::Pages, *};
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
    ofrep: std::net::SocketAddr,
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
        let evaluator = Arc::new(evaluator(&holder));
        let (counters, clock) = (Arc::clone(&evaluator.counters), evaluator.clock.clone());
        let observer = Observer {
            holder: holder.clone(),
            counters: Arc::clone(&counters),
            clock,
        };
        let router = ofrep::router(Arc::clone(&evaluator), Pages::default(), shutdown.clone());
        let telemetry = Arc::new(Receiver::new(observer.clone()));
        let (routes, reporter) = routes(evaluator, observer, telemetry, &shutdown).unwrap();
        let (open, closed) = doors();
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ofrep = http.local_addr().unwrap();
        shutdown.spawn("OFREP", ofrep::serve(http, router, shutdown.clone(), open.clone()));
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
            ofrep,
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
        let answer = ServiceClient::new(channel.clone())
            .resolve_boolean(ask(10))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answer.value, Some(true));
        let request = evaluation_v1::ResolveBooleanRequest {
            flag_key: "a".into(),
            context: None,
        };
        let answer = V1Client::new(channel.clone()).resolve_boolean(request).await.unwrap();
        assert!(answer.into_inner().value);
        let request = v1::ResolveRequest {
            flag_key: "a".into(),
            ..v1::ResolveRequest::default()
        };
        let answer = EvaluationClient::new(channel).resolve(request).await.unwrap();
        assert_eq!(answer.into_inner().result.unwrap().variant, "on");
    }
}

#[tokio::test]
async fn both_versions_of_flagd_have_the_same_events() {
    let doors = Doors::open(Contents::production().flag(&boolean("a")).held(1)).await;
    let mut one = V1Client::new(doors.port.clone())
        .event_stream(evaluation_v1::EventStreamRequest {})
        .await
        .unwrap()
        .into_inner();
    let mut two = ServiceClient::new(doors.port.clone())
        .event_stream(EventStreamRequest {})
        .await
        .unwrap()
        .into_inner();
    for kind in ["provider_ready", "configuration_change"] {
        let (one, two) = (
            one.message().await.unwrap().unwrap(),
            two.message().await.unwrap().unwrap(),
        );
        assert_eq!((one.r#type.as_str(), one.data), (kind, two.data));
        assert_eq!(two.r#type, kind);
    }
}

#[tokio::test]
async fn reflection_names_what_is_served_and_nothing_else() {
    let doors = Doors::open(Contents::production().held(1)).await;
    let request = pb::v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(pb::v1::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
    };
    let mut client = pb::v1::server_reflection_client::ServerReflectionClient::new(doors.port.clone());
    let mut replies = client
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap()
        .into_inner();
    let reply = replies.message().await.unwrap().unwrap().message_response.unwrap();
    let pb::v1::server_reflection_response::MessageResponse::ListServicesResponse(listed) = reply else {
        panic!("{reply:?}")
    };
    let mut names: Vec<_> = listed.service.iter().map(|service| service.name.as_str()).collect();
    names.sort_unstable();
    let expected = [
        "flagd.evaluation.v1.Service",
        "flagd.evaluation.v2.Service",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "tidegate.v1.Evaluation",
        "tidegate.v1.Outcomes",
    ];
    assert_eq!(names, expected);

    let symbol = "tidegate.v1.Evaluation".to_owned();
    let request = pb::v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(pb::v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(symbol)),
    };
    let mut client = pb::v1alpha::server_reflection_client::ServerReflectionClient::new(doors.socket.clone());
    let mut replies = client
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap()
        .into_inner();
    let reply = replies.message().await.unwrap().unwrap().message_response.unwrap();
    assert!(matches!(
        reply,
        pb::v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(_)
    ));
}

#[tokio::test]
async fn what_is_not_served_is_unimplemented() {
    let doors = Doors::open(Contents::production().held(1)).await;
    let mut client = v1::flags_client::FlagsClient::new(doors.port.clone());
    let status = client.get_flag(v1::GetFlagRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

/// One call over HTTP/1.1: the whole answer.
async fn post(address: std::net::SocketAddr, path: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn ofrep_is_answered_over_http() {
    let doors = Doors::open(Contents::production().flag(&boolean("a")).held(1)).await;
    let path = "/ofrep/v1/evaluate/flags";
    let answer = post(doors.ofrep, &format!("{path}/a"), "", "").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.ends_with(r#"{"key":"a","reason":"STATIC","value":true,"variant":"on","metadata":{}}"#),
        "{answer}"
    );
    let answer = post(doors.ofrep, path, "", "{}").await;
    let etag = answer
        .lines()
        .find_map(|line| line.strip_prefix("etag: "))
        .unwrap()
        .to_owned();
    let answer = post(doors.ofrep, path, &format!("If-None-Match: {etag}\r\n"), "{}").await;
    assert!(
        answer.starts_with("HTTP/1.1 304 ") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
    let answer = post(doors.ofrep, path, "", &"x".repeat(2_000_000)).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
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
        ..v1::Observation::default()
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
        service: EVALUATION.to_owned(),
    };
    let mut statuses = client.watch(request).await.unwrap().into_inner();
    let not_serving = tonic_health::pb::health_check_response::ServingStatus::NotServing;
    while statuses.message().await.unwrap().unwrap().status() != not_serving {}
    Contents::production().install(&doors.holder, 1);
    let serving = tonic_health::pb::health_check_response::ServingStatus::Serving;
    while statuses.message().await.unwrap().unwrap().status() != serving {}
}

#[tokio::test]
async fn a_connection_that_says_nothing_does_not_hold_up_the_end() {
    let mut doors = Doors::open(Contents::production().flag(&boolean("a")).held(1)).await;
    let silent = TcpStream::connect(doors.ofrep).await.unwrap();
    let mut idle = TcpStream::connect(doors.ofrep).await.unwrap();
    let request = "POST /ofrep/v1/evaluate/flags/a HTTP/1.1\r\nHost: agent\r\nContent-Length: 0\r\n\r\n";
    idle.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 200");
    doors.shutdown.drain();
    doors.port = Channel::balance_list(std::iter::empty());
    doors.socket = doors.port.clone();
    doors.closed.wait().await;
    drop((silent, idle));
}
