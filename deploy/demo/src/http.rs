//! Requests over HTTP/1.1 with kept-alive connections: what the load, the probes and the fault switch need.
//!
//! Requests have no body and every one has a deadline; an answer that is no success is an answer, not an error.

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::Bytes,
    http::{Method, Request, StatusCode},
};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(2);
/// How many bytes of an answer are read.
const BODY_BYTES: usize = 64 * 1024;

/// A client; clones share the connections.
#[derive(Debug, Clone)]
pub(crate) struct Http(Client<HttpConnector, Empty<Bytes>>);

impl Http {
    /// A client without any connection yet.
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }

    /// Status and body of one request; `path` begins with a slash and may have a query.
    pub(crate) async fn call(
        &self,
        method: Method,
        address: SocketAddr,
        path: &str,
    ) -> Result<(StatusCode, String), String> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{address}{path}"))
            .body(Empty::new());
        let request = request.map_err(|error| error.to_string())?;
        let exchange = async {
            let answer = self
                .0
                .request(request)
                .await
                .map_err(|error| format!("{address}: {error}"))?;
            let (status, body) = (answer.status(), answer.into_body());
            let body = Limited::new(body, BODY_BYTES).collect().await;
            let body = body.map_err(|error| format!("{address}: {error}"))?.to_bytes();
            Ok((status, String::from_utf8_lossy(&body).into_owned()))
        };
        let answer = tokio::time::timeout(DEADLINE, exchange).await;
        answer.unwrap_or_else(|_| Err(format!("{address}: no answer within {DEADLINE:?}")))
    }

    /// Nothing if a GET is answered with success, else what it said.
    pub(crate) async fn succeeds(&self, address: SocketAddr, path: &str) -> Result<(), String> {
        match self.call(Method::GET, address, path).await? {
            (status, _) if status.is_success() => Ok(()),
            (status, body) => Err(format!("{status}: {}", body.trim())),
        }
    }
}
