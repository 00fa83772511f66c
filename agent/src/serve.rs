//! The doors for services: one set of gRPC services, on a port and on a socket.
//!
//! `flagd` answers OpenFeature providers, `outcomes` takes observations; health and reflection stand beside them. Both
//! listeners serve the same routes, and stop taking calls as soon as the process drains.

mod events;
pub(crate) mod flagd;
pub(crate) mod outcomes;

use std::{convert::Infallible, sync::Arc, time::Duration};

use proto::{
    MESSAGE_LIMIT,
    flagd::evaluation_v2::service_server::{SERVICE_NAME as FLAGD, ServiceServer},
    v1::outcomes_server::{OutcomesServer, SERVICE_NAME as OUTCOMES},
};
use runtime::shutdown::Shutdown;
use tokio::{
    net::{TcpListener, UnixListener},
    sync::mpsc,
};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{
    service::Routes,
    transport::{Server, server::TcpIncoming},
};
use tonic_health::{ServingStatus, server::HealthReporter};

use self::{flagd::Flagd, outcomes::Outcomes};
use crate::{evaluate::Evaluator, health::observe::Observer, snapshot::Holder};

/// The largest request of an evaluation, in bytes: a context has at most 1 MB.
const EVALUATION_LIMIT: usize = 1_000_000;
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

/// The services, for both listeners.
pub(crate) fn routes(
    evaluator: Arc<Evaluator>,
    observer: Observer,
    shutdown: &Shutdown,
) -> anyhow::Result<(Routes, HealthReporter)> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let flagd = ServiceServer::new(Flagd::new(evaluator, shutdown.clone())).max_decoding_message_size(EVALUATION_LIMIT);
    let outcomes =
        OutcomesServer::new(Outcomes::new(observer, shutdown.clone())).max_decoding_message_size(MESSAGE_LIMIT);
    let reflection =
        || tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(proto::DESCRIPTORS);
    let routes = Routes::new(flagd)
        .add_service(outcomes)
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .prepare();
    Ok((routes, reporter))
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
        for service in ["", FLAGD, OUTCOMES] {
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
