//! The agent of this machine: its evaluation port, its ops port, OFREP and the socket.
//!
//! Where it is, options and the agent's own variables say, else it is looked for where it is unless told.

use std::{io, path::Path, time::Duration};

use tokio::{
    net::{TcpStream, UnixStream},
    time,
};
use tonic::{Request, transport::Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::{Finding, State, http};
use crate::{args::DoctorArgs, settings};

/// Where an agent answers flagd's protocol, Tidegate's own and gRPC health, unless told.
const EVALUATION: &str = "127.0.0.1:8013";
/// Where its /readyz is.
const OPS: &str = "127.0.0.1:8014";
/// Where it answers OFREP.
const OFREP: &str = "127.0.0.1:8016";

/// Where the agent is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    evaluation: String,
    ops: String,
    ofrep: String,
    /// Somebody said so.
    named: bool,
}

impl Place {
    /// As options say, else variables, else the defaults.
    pub(super) fn of(options: &DoctorArgs, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let evaluation = options.agent.clone().or_else(|| variable("TIDEGATE_AGENT_LISTEN"));
        let ops = options.agent_ops.clone().or_else(|| variable("TIDEGATE_AGENT_OPS"));
        let ofrep = options.agent_ofrep.clone().or_else(|| variable("TIDEGATE_OFREP"));
        Self {
            named: evaluation.is_some() || ops.is_some(),
            evaluation: evaluation.unwrap_or_else(|| EVALUATION.into()),
            ops: ops.unwrap_or_else(|| OPS.into()),
            ofrep: ofrep.unwrap_or_else(|| OFREP.into()),
        }
    }
}

/// Looks at the agent. If neither port answers there is none, and nothing else is said.
pub(super) async fn look(place: &Place, limit: Duration) -> Vec<Finding> {
    let (ready, evaluation) = tokio::join!(
        http::status(&place.ops, "/readyz", limit),
        evaluation(&place.evaluation, limit)
    );
    if ready.is_err() && evaluation.state == State::Absent {
        return vec![none(place)];
    }
    let mut findings = vec![readiness(&place.ops, ready), evaluation];
    if place.ofrep != "none" {
        findings.push(ofrep(&place.ofrep, limit).await);
    }
    if let Some(folder) = settings::variable("XDG_RUNTIME_DIR") {
        findings.push(socket(&Path::new(&folder).join("tidegate").join("agent.sock"), limit).await);
    }
    findings
}

fn none(place: &Place) -> Finding {
    let found = format!("none at {}", place.evaluation);
    if place.named {
        let advice = "start tidegate-agent there, or correct the address";
        return Finding::new("local agent", State::Wrong, found, advice);
    }
    let advice = "if it is elsewhere, say so with --agent and --agent-ops";
    Finding::new("local agent", State::Absent, found, advice)
}

fn readiness(address: &str, ready: io::Result<u16>) -> Finding {
    const WHAT: &str = "local agent";
    match ready {
        Ok(200) => Finding::good(WHAT, format!("{address}: ready, it holds a snapshot")),
        Ok(status) => Finding::new(
            WHAT,
            State::Wrong,
            format!("{address}/readyz answers {status}: it holds no snapshot yet"),
            "can it reach the control plane, and does its environment exist? see its log",
        ),
        Err(error) => Finding::new(
            WHAT,
            State::Warning,
            format!("{address}: {error}"),
            "is its ops port elsewhere?",
        ),
    }
}

async fn evaluation(address: &str, limit: Duration) -> Finding {
    const WHAT: &str = "evaluation";
    let absent = || Finding::new(WHAT, State::Absent, format!("{address}: nobody listens"), "");
    let Ok(endpoint) = Endpoint::from_shared(format!("http://{address}")) else {
        return absent();
    };
    let Ok(channel) = endpoint.connect_timeout(limit).connect().await else {
        return absent();
    };
    let mut request = Request::new(HealthCheckRequest { service: String::new() });
    request.set_timeout(limit);
    match HealthClient::new(channel).check(request).await {
        Ok(response) if response.get_ref().status() == ServingStatus::Serving => {
            Finding::good(WHAT, format!("{address}: serving"))
        }
        Ok(response) => Finding::new(
            WHAT,
            State::Warning,
            format!("{address}: it says {}", response.get_ref().status().as_str_name()),
            "",
        ),
        Err(status) => Finding::new(
            WHAT,
            State::Warning,
            format!("{address}: {}", status.message()),
            "is it a tidegate-agent that listens there?",
        ),
    }
}

async fn ofrep(address: &str, limit: Duration) -> Finding {
    let found = time::timeout(limit, TcpStream::connect(address)).await;
    match found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(_) => Finding::good("OFREP", format!("{address}: listening")),
        Err(error) => Finding::new("OFREP", State::Absent, format!("{address}: {error}"), ""),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn options(agent: Option<&str>) -> DoctorArgs {
        DoctorArgs {
            agent: agent.map(str::to_owned),
            agent_ops: None,
            agent_ofrep: None,
        }
    }

    #[test]
    fn an_agent_is_where_an_option_says_else_where_its_own_variables_say() {
        let variable = |name: &str| (name == "TIDEGATE_AGENT_LISTEN").then(|| "127.0.0.1:9013".to_owned());
        let place = Place::of(&options(None), &variable);
        assert_eq!((place.evaluation.as_str(), place.ops.as_str()), ("127.0.0.1:9013", OPS));
        assert_eq!(Place::of(&options(Some("h:1")), &variable).evaluation, "h:1");
        assert_eq!(Place::of(&options(None), &|_| None).evaluation, EVALUATION);
    }

    #[test]
    fn an_agent_that_is_missing_is_wrong_only_where_somebody_said_it_is() {
        let state = |agent| none(&Place::of(&options(agent), &|_| None)).state;
        assert_eq!((state(None), state(Some("h:1"))), (State::Absent, State::Wrong));
    }
}
