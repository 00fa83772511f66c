//! The agent of this machine, at the addresses that it has unless told: its evaluation port, its ops port, OFREP and the
//! socket.

use std::{io, path::Path, time::Duration};

use tokio::{
    net::{TcpStream, UnixStream},
    time,
};
use tonic::{Request, transport::Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::{Finding, State, http};
use crate::settings;

/// Where flagd's protocol, Tidegate's own and gRPC health are.
const EVALUATION: &str = "127.0.0.1:8013";
/// Where /readyz is.
const OPS: &str = "127.0.0.1:8014";
/// Where OFREP is.
const OFREP: &str = "127.0.0.1:8016";

/// Looks at the agent. If neither port answers there is none, and nothing else is said.
pub(super) async fn look(limit: Duration) -> Vec<Finding> {
    let (ready, evaluation) = tokio::join!(http::status(OPS, "/readyz", limit), evaluation(limit));
    if ready.is_err() && evaluation.state == State::Absent {
        let found = format!("none at {EVALUATION}");
        return vec![Finding::new("local agent", State::Absent, found, "")];
    }
    let mut findings = vec![readiness(ready), evaluation, ofrep(limit).await];
    if let Some(folder) = settings::variable("XDG_RUNTIME_DIR") {
        findings.push(socket(&Path::new(&folder).join("tidegate").join("agent.sock"), limit).await);
    }
    findings
}

fn readiness(ready: io::Result<u16>) -> Finding {
    const WHAT: &str = "local agent";
    match ready {
        Ok(200) => Finding::good(WHAT, format!("{OPS}: ready, it holds a snapshot")),
        Ok(status) => Finding::new(
            WHAT,
            State::Wrong,
            format!("{OPS}/readyz answers {status}: it holds no snapshot yet"),
            "can it reach the control plane, and does its environment exist? see its log",
        ),
        Err(error) => Finding::new(
            WHAT,
            State::Warning,
            format!("{OPS}: {error}"),
            "is its ops port elsewhere?",
        ),
    }
}

async fn evaluation(limit: Duration) -> Finding {
    const WHAT: &str = "evaluation";
    let channel = match Endpoint::from_static("http://127.0.0.1:8013")
        .connect_timeout(limit)
        .connect()
        .await
    {
        Ok(channel) => channel,
        Err(_) => return Finding::new(WHAT, State::Absent, format!("{EVALUATION}: nobody listens"), ""),
    };
    let mut request = Request::new(HealthCheckRequest { service: String::new() });
    request.set_timeout(limit);
    match HealthClient::new(channel).check(request).await {
        Ok(response) if response.get_ref().status() == ServingStatus::Serving => {
            Finding::good(WHAT, format!("{EVALUATION}: serving"))
        }
        Ok(response) => Finding::new(
            WHAT,
            State::Warning,
            format!("{EVALUATION}: it says {}", response.get_ref().status().as_str_name()),
            "",
        ),
        Err(status) => Finding::new(
            WHAT,
            State::Warning,
            format!("{EVALUATION}: {}", status.message()),
            "is it a tidegate-agent that listens there?",
        ),
    }
}

async fn ofrep(limit: Duration) -> Finding {
    let found = time::timeout(limit, TcpStream::connect(OFREP)).await;
    match found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(_) => Finding::good("OFREP", format!("{OFREP}: listening")),
        Err(error) => Finding::new("OFREP", State::Absent, format!("{OFREP}: {error}"), ""),
    }
}

async fn socket(path: &Path, limit: Duration) -> Finding {
    const WHAT: &str = "socket";
    let shown = path.display();
    let found = time::timeout(limit, UnixStream::connect(path)).await;
    match found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(_) => Finding::good(WHAT, format!("{shown}: listening")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Finding::new(WHAT, State::Absent, format!("{shown}: there is none"), "")
        }
        Err(error) => Finding::new(
            WHAT,
            State::Warning,
            format!("{shown}: {error}"),
            "was it left by an agent that is gone? start the agent again",
        ),
    }
}
