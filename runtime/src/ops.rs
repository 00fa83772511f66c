//! The operator's port: is it alive, is it ready, how is it doing.
//!
//! `/livez` answers 200 as long as the process can answer at all; `/readyz` answers 200 `ready`, or 503 with a line
//! per unmet condition; `/metrics` is the Prometheus text format. Rule: nothing here changes anything, and liveness
//! never depends on the outside: a process must not be restarted because its neighbour is down.

use std::fmt::Write;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::readiness::Readiness;
use crate::shutdown::Shutdown;
use crate::telemetry::Metrics;

/// The content type of the Prometheus text format, version 0.0.4.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone)]
struct Ops {
    readiness: Readiness,
    metrics: Metrics,
    shutdown: Shutdown,
}

/// Serves the three paths until the process drains. Fails only if the listener does.
pub async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    metrics: Metrics,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let stop = shutdown.clone();
    let router = Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render))
        .with_state(Ops {
            readiness,
            metrics,
            shutdown,
        });
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { stop.draining().await })
        .await?;
    Ok(())
}

async fn readyz(State(ops): State<Ops>) -> (StatusCode, String) {
    if ops.shutdown.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned());
    }
    let unmet = ops.readiness.unmet();
    if unmet.is_empty() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    let lines = unmet.iter().fold(String::new(), |mut lines, (name, reason)| {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{name}: {reason}");
        lines
    });
    (StatusCode::SERVICE_UNAVAILABLE, lines)
}

async fn render(State(ops): State<Ops>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], ops.metrics.render())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::SocketAddr;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    struct Served {
        address: SocketAddr,
        readiness: Readiness,
        shutdown: Shutdown,
    }

    async fn served(metrics: Metrics) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, readiness, shutdown) = (listener.local_addr().unwrap(), Readiness::new(), Shutdown::new());
        let serving = serve(listener, readiness.clone(), metrics, shutdown.clone());
        shutdown.spawn("ops", async move { serving.await.unwrap() });
        Served {
            address,
            readiness,
            shutdown,
        }
    }

    /// Status code and the whole answer of `GET path`.
    async fn fetch(address: SocketAddr, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        (answer[9..12].parse().unwrap(), answer)
    }

    #[tokio::test]
    async fn readyz_names_what_is_unmet_and_livez_does_not_care() {
        let ops = served(crate::telemetry::local_metrics().1).await;
        let snapshot = ops.readiness.condition("snapshot");
        snapshot.unmet("none received yet");
        let (status, answer) = fetch(ops.address, "/readyz").await;
        assert_eq!(status, 503);
        assert!(answer.ends_with("snapshot: none received yet\n"), "{answer}");
        assert_eq!(fetch(ops.address, "/livez").await.0, 200);
        snapshot.met();
        assert_eq!(fetch(ops.address, "/readyz").await.0, 200);
        assert_eq!(fetch(ops.address, "/elsewhere").await.0, 404);
    }

    #[tokio::test]
    async fn metrics_are_prometheus_text() {
        let (recorder, metrics) = crate::telemetry::local_metrics();
        metrics::with_local_recorder(&recorder, || metrics::counter!("tidegate_test_total").increment(3));
        let ops = served(metrics).await;
        let (status, answer) = fetch(ops.address, "/metrics").await;
        assert_eq!(status, 200);
        assert!(answer.contains("text/plain; version=0.0.4"), "{answer}");
        assert!(answer.contains("tidegate_test_total 3"), "{answer}");
    }

    #[tokio::test]
    async fn draining_ends_the_server() {
        let ops = served(crate::telemetry::local_metrics().1).await;
        assert_eq!(fetch(ops.address, "/livez").await.0, 200);
        ops.shutdown.drain();
        assert!(ops.shutdown.finished(Duration::from_secs(30)).await);
    }
}
