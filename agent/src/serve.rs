//! The doors for services: one set of gRPC services, on a port and on a socket, and OFREP on a port of its own.
//!
//! `flagd` answers OpenFeature providers and `native` our own clients, `outcomes` takes observations and `otlp` takes
//! OpenTelemetry; health and reflection stand beside them. Both gRPC listeners serve the same routes. Every door stops
//! taking calls as soon as the process drains.

mod answer;
mod changes;
mod events;
mod flagd;
mod native;
pub(crate) mod ofrep;
mod otlp;
mod outcomes;

use std::{convert::Infallible, sync::Arc, time::Duration};

use proto::{
    MESSAGE_LIMIT,
    flagd::{
        evaluation_v1::service_server::{SERVICE_NAME as FLAGD_V1, ServiceServer as V1Server},
        evaluation_v2::service_server::{SERVICE_NAME as FLAGD_V2, ServiceServer as V2Server},
    },
    v1::{
        evaluation_server::{EvaluationServer, SERVICE_NAME as EVALUATION},
        outcomes_server::{OutcomesServer, SERVICE_NAME as OUTCOMES},
    },
};
use runtime::shutdown::Shutdown;
use tokio::{
    net::{TcpListener, UnixListener},
    sync::mpsc,
};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{
    Status,
    service::Routes,
    transport::{Server, server::TcpIncoming},
};
use tonic_health::{ServingStatus, server::HealthReporter};

use self::{
    flagd::{Flagd, V1, V2},
    native::Native,
    outcomes::Outcomes,
};
use crate::{
    evaluate::Evaluator,
    health::{observe::Observer, otlp::Receiver},
    snapshot::Holder,
};

/// The largest request of an evaluation at any door, in bytes: a context has at most 1 MB.
pub(crate) const EVALUATION_LIMIT: usize = 1_000_000;
/// What the agent serves, for health checks and reflection.
const SERVICES: [&str; 4] = [FLAGD_V1, FLAGD_V2, EVALUATION, OUTCOMES];
/// What every gRPC server has beside them.
const BESIDE: [&str; 3] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];
/// How often it is looked whether the snapshot became stale.
const STALENESS_INTERVAL: Duration = Duration::from_secs(1);
/// A client that vanished without a word is noticed after this long.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Kept by a door until it has closed.
#[derive(Debug, Clone)]
pub(crate) struct DoorOpen {
    _open: mpsc::Sender<Infallible>,
}

/// Tells when no door is open any more.
#[derive(Debug)]
pub(crate) struct DoorsClosed(mpsc::Receiver<Infallible>);

impl DoorsClosed {
    /// Ends when every door has closed; at once if none was opened.
    pub(crate) async fn wait(&mut self) {
        // Nothing is ever sent: the channel ends with its last sender.
        let _ = self.0.recv().await;
    }
}

/// For the doors, and for who waits until they have closed.
pub(crate) fn doors() -> (DoorOpen, DoorsClosed) {
    let (open, closed) = mpsc::channel(1);
    (DoorOpen { _open: open }, DoorsClosed(closed))
}

/// The gRPC services, for both listeners.
pub(crate) fn routes(
    evaluator: Arc<Evaluator>,
    observer: Observer,
    telemetry: Arc<Receiver>,
    shutdown: &Shutdown,
) -> anyhow::Result<(Routes, HealthReporter)> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let flagd = Flagd::new(Arc::clone(&evaluator), shutdown.clone());
    let native = Native::new(evaluator, shutdown.clone());
    let outcomes = Outcomes::new(observer, shutdown.clone());
    let routes = Routes::new(V2Server::new(V2(flagd.clone())).max_decoding_message_size(EVALUATION_LIMIT))
        .add_service(V1Server::new(V1(flagd)).max_decoding_message_size(EVALUATION_LIMIT))
        .add_service(EvaluationServer::new(native).max_decoding_message_size(EVALUATION_LIMIT))
        .add_service(OutcomesServer::new(outcomes).max_decoding_message_size(MESSAGE_LIMIT))
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    Ok((otlp::beside(routes, telemetry).prepare(), reporter))
}

/// OTLP alone, for a listener of its own.
pub(crate) fn otlp_routes(telemetry: Arc<Receiver>) -> Routes {
    otlp::beside(Routes::default(), telemetry).prepare()
}

/// Describes what is served here, and nothing of what the control plane serves.
fn reflection() -> tonic_reflection::server::Builder<'static> {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET)
        .include_reflection_service(false);
    SERVICES
        .into_iter()
        .chain(BESIDE)
        .fold(builder, |builder, service| builder.with_service_name(service))
}

/// How a stream ends when the process does: as an error, because clients open no new one after a clean end.
fn stopping() -> Status {
    Status::unavailable("the agent is stopping; connect again")
}

/// Tells streams when the snapshot becomes stale, and when it no longer is.
pub(crate) async fn watch_staleness(evaluator: Arc<Evaluator>, shutdown: Shutdown) {
    let mut interval = tokio::time::interval(STALENESS_INTERVAL);
    loop {
        tokio::select! {
            _ = interval.tick() => evaluator.look_at_staleness(),
            () = shutdown.draining() => return,
        }
    }
}

/// Tells gRPC health checks whether anything can be answered, until the process drains.
pub(crate) async fn report_health(reporter: HealthReporter, holder: Holder, shutdown: Shutdown) {
    let mut revision = holder.watch();
    loop {
        revision.borrow_and_update();
        let ready = holder.holds_any() && !shutdown.is_draining();
        let status = if ready {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for service in SERVICES.into_iter().chain([""]) {
            reporter.set_service_status(service, status).await;
        }
        if shutdown.is_draining() {
            return;
        }
        tokio::select! {
            changed = revision.changed() => if changed.is_err() { return },
            () = shutdown.draining() => {}
        }
    }
}

/// Serves the port until the process drains and the open calls have ended.
pub(crate) async fn tcp(listener: TcpListener, routes: Routes, shutdown: Shutdown, open: DoorOpen) {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let served = server()
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, shutdown.draining())
        .await;
    drop(open);
    ended("port", served, &shutdown);
}

/// Serves the socket until the process drains and the open calls have ended.
pub(crate) async fn unix(listener: UnixListener, routes: Routes, shutdown: Shutdown, open: DoorOpen) {
    let incoming = UnixListenerStream::new(listener);
    let served = server()
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, shutdown.draining())
        .await;
    drop(open);
    ended("socket", served, &shutdown);
}

fn server() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
}

/// Without its listeners an agent is of no use: the process ends, and its supervisor starts another.
fn ended(door: &str, served: Result<(), tonic::transport::Error>, shutdown: &Shutdown) {
    if let Err(error) = served {
        tracing::error!(%error, door, "no longer serving");
        shutdown.drain();
    }
}

#[cfg(test)]
mod tests;
