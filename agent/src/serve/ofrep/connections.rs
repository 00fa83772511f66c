//! The HTTP/1.1 connections of OFREP clients, until the process drains.
//!
//! A connection that sends no request for too long, or sends it too slowly, is closed: otherwise callers who vanished
//! would hold descriptors for ever. Calls that are under way when the process drains are answered.

use std::time::Duration;

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use runtime::shutdown::Shutdown;
use tokio::net::{TcpListener, TcpStream};

/// How long a connection may stay without a whole head of a request. Longer than clients keep idle connections, so that
/// they and not the agent close them.
const HEAD_DEADLINE: Duration = Duration::from_secs(120);
/// How long no connection is accepted after one could not be: most often there are too many.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves connections until the process drains and the open calls have ended.
pub(super) async fn serve(listener: TcpListener, router: Router, shutdown: &Shutdown) {
    let mut http = Builder::new(TokioExecutor::new()).http1_only();
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE);
    let open = GracefulShutdown::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => begin(stream, &router, &http, &open),
                Err(error) => {
                    tracing::warn!(%error, "no OFREP connection can be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            () = shutdown.draining() => break,
        }
    }
    drop(listener);
    open.shutdown().await;
}

/// Serves one connection in a task of its own, which `open` waits for.
fn begin(stream: TcpStream, router: &Router, http: &Builder<TokioExecutor>, open: &GracefulShutdown) {
    // Without it answers may wait for an acknowledgement; nothing else is lost if the system refuses.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router.clone());
    let connection = http.serve_connection(TokioIo::new(stream), service).into_owned();
    let connection = open.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "an OFREP connection broke");
        }
    });
}
