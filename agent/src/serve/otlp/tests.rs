#![allow(clippy::unwrap_used)]

use evaluation::Buckets;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::{
    logs::v1::logs_service_client::LogsServiceClient, metrics::v1::metrics_service_client::MetricsServiceClient,
    trace::v1::trace_service_client::TraceServiceClient,
};
use runtime::shutdown::Shutdown;
use tempfile::TempDir;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};

use super::*;
use crate::{
    health::{
        counters::Counters,
        observe::Observer,
        otlp::samples::{evaluated, evaluation, failed, logs, record, request, span, telling, text, traces, with},
    },
    samples::{Contents, measurement},
    serve::{doors, otlp_routes, tcp, unix},
    server_clock::ServerClock,
};

/// OTLP on a free port and a socket, for the rollout at everybody.
struct Door {
    counters: Arc<Counters>,
    port: Channel,
    socket: Channel,
    shutdown: Shutdown,
    _folder: TempDir,
}

impl Door {
    async fn open() -> Self {
        let (shutdown, folder) = (Shutdown::new(), tempfile::tempdir().unwrap());
        let counters = Arc::new(Counters::default());
        let receiver = Receiver::new(Observer {
            holder: Contents::production().rollout(Buckets::ALL).held(1),
            counters: Arc::clone(&counters),
            clock: ServerClock::new(),
        });
        let (routes, (open, _)) = (otlp_routes(Arc::new(receiver)), doors());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        shutdown.spawn("port", tcp(listener, routes.clone(), shutdown.clone(), open.clone()));
        let path = folder.path().join("agent.sock");
        let listener = UnixListener::bind(&path).unwrap();
        shutdown.spawn("socket", unix(listener, routes, shutdown.clone(), open));
        let port = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let dial = tower::service_fn(move |_| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        });
        let socket = Endpoint::from_static("http://socket")
            .connect_with_connector(dial)
            .await;
        Self {
            counters,
            port: port.connect().await.unwrap(),
            socket: socket.unwrap(),
            shutdown,
            _folder: folder,
        }
    }

    /// Outcomes counted since the last time, and how many of them were bad.
    fn outcomes(&self) -> (u64, u64) {
        let through = ServerClock::new().tick() + 2_000;
        let drained = self.counters.drain(&measurement(), through);
        let cells = drained.slices.iter().flat_map(|slice| slice.cells.values());
        cells.fold((0, 0), |(all, bad), counts| (all + counts.outcomes, bad + counts.bad))
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.shutdown.drain();
    }
}

#[tokio::test]
async fn traces_and_logs_are_taken_compressed_on_the_port_and_on_the_socket() {
    let door = Door::open().await;
    for channel in [&door.port, &door.socket] {
        let mut traces_client = TraceServiceClient::new(channel.clone()).send_compressed(Gzip);
        let mut logs_client = LogsServiceClient::new(channel.clone()).send_compressed(Gzip);
        let first = u64::from(std::ptr::eq(channel, &door.port)) * 10;
        let spans = vec![
            telling(failed(request(first + 1)), vec![evaluation("on", "ada")]),
            request(first + 2),
        ];
        let answer = traces_client.export(traces("shop", spans)).await.unwrap().into_inner();
        assert_eq!(answer.partial_success, None);
        assert_eq!(door.outcomes(), (1, 1));
        let records = vec![record("feature_flag.evaluation", first + 2, evaluated("on", "bob"))];
        let answer = logs_client.export(logs("shop", records)).await.unwrap().into_inner();
        assert_eq!(answer.partial_success, None);
        assert_eq!(door.outcomes(), (1, 0));
    }
}

#[tokio::test]
async fn what_is_refused_is_told_and_the_rest_counts() {
    let door = Door::open().await;
    let mut client = TraceServiceClient::new(door.port.clone());
    let mut malformed = request(2);
    malformed.span_id.clear();
    let spans = vec![telling(request(1), vec![evaluation("on", "ada")]), malformed];
    let answer = client.export(traces("shop", spans)).await.unwrap().into_inner();
    let refused = answer.partial_success.unwrap();
    assert_eq!(refused.rejected_spans, 1);
    assert!(!refused.error_message.is_empty());
    assert_eq!(door.outcomes().0, 1);
}

#[tokio::test]
async fn nothing_is_a_success() {
    let door = Door::open().await;
    let (mut traces, mut logs, mut metrics) = (
        TraceServiceClient::new(door.port.clone()),
        LogsServiceClient::new(door.port.clone()),
        MetricsServiceClient::new(door.port.clone()),
    );
    let traces = traces.export(ExportTraceServiceRequest::default()).await;
    let logs = logs.export(ExportLogsServiceRequest::default()).await;
    let metrics = metrics.export(ExportMetricsServiceRequest::default()).await;
    assert_eq!(traces.unwrap().into_inner().partial_success, None);
    assert_eq!(logs.unwrap().into_inner().partial_success, None);
    assert_eq!(metrics.unwrap().into_inner().partial_success, None);
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_unpacked_and_the_door_stays_open() {
    let door = Door::open().await;
    // It packs to a few kilobytes.
    let large = with(request(1), vec![text("note", &"x".repeat(MESSAGE_LIMIT))]);
    let plain = TraceServiceClient::new(door.port.clone());
    for mut client in [plain.clone(), plain.send_compressed(Gzip)] {
        let answer = client.export(traces("shop", vec![large.clone()])).await;
        assert_eq!(
            answer.unwrap_err().code(),
            Code::ResourceExhausted,
            "or it would be sent again"
        );
    }
    let small = vec![telling(request(1), vec![evaluation("on", "ada")])];
    TraceServiceClient::new(door.port.clone())
        .export(traces("shop", small))
        .await
        .unwrap();
    assert_eq!(door.outcomes().0, 1);
}

#[tokio::test]
async fn one_export_may_hold_many_requests() {
    let door = Door::open().await;
    let mut client = TraceServiceClient::new(door.port.clone()).send_compressed(Gzip);
    let requests = (0..1_000_u64).flat_map(|number| {
        let (outer, inner) = (2 * number + 1, 2 * number + 2);
        let inner = span(
            inner,
            outer,
            opentelemetry_proto::tonic::trace::v1::span::SpanKind::Internal,
        );
        [
            telling(inner, vec![evaluation("on", &format!("user-{number}"))]),
            request(outer),
        ]
    });
    client.export(traces("shop", requests.collect())).await.unwrap();
    assert_eq!(door.outcomes(), (1_000, 0));
}
