//! The control plane, from outside: is it there, well, of the right age, on time; are the environment and its agents.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};
use proto::v1;
use tokio_stream::StreamExt as _;
use tonic::{Code, Response, Status};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use super::{Finding, State, http};
use crate::{
    args::Global, commands::fleet, connect::Session, duration, error::Error, nearest::nearest, settings::Settings,
};

/// The services that this console calls.
const SERVICES: [&str; 11] = [
    "Flags",
    "Segments",
    "Environments",
    "Configuration",
    "History",
    "Inspection",
    "Audit",
    "Changes",
    "Schedules",
    "Fleet",
    "Rollouts",
];
/// The port of a control plane that was not told another; its ops port is the next one.
const PORT: u16 = 7420;
/// Clocks that differ by less are the same: the header has whole seconds.
const SKEW_US: i64 = 2_000_000;
/// At most so many agents are named.
const NAMED: usize = 5;

/// Looks at the control plane; if it cannot be reached, only that is said.
pub(super) async fn look(global: &Global, settings: Settings) -> Vec<Finding> {
    const WHAT: &str = "control plane";
    let server = settings.server.value.clone();
    let session = match Session::open_as(global, settings).await {
        Ok(session) => session,
        Err(Error::Unreachable { server, cause }) => {
            let found = format!("cannot be reached at {server}: {cause}");
            let advice = "start it with tidegate-control-plane, or name another with --server";
            return vec![
                Finding::new(WHAT, State::Wrong, found, advice),
                ops(&server, global.timeout).await,
            ];
        }
        Err(error) => return vec![Finding::new(WHAT, State::Wrong, error.to_string(), "")],
    };
    let mut findings = vec![Finding::good(WHAT, format!("{server}: reachable (HTTP/2 without TLS)"))];
    findings.push(health(&session).await);
    findings.push(services(&session).await);
    findings.push(ops(&server, global.timeout).await);
    let environments = environments(&session).await;
    let exists = environments.iter().all(|finding| finding.state != State::Wrong);
    findings.extend(environments);
    if exists {
        // An environment that does not exist has no agents, and that is said already.
        findings.push(agents(&session).await);
    }
    findings
}

async fn health(session: &Session) -> Finding {
    const WHAT: &str = "health";
    let request = session.call(HealthCheckRequest { service: String::new() });
    match HealthClient::new(session.channel()).check(request).await {
        Ok(response) if response.get_ref().status() == ServingStatus::Serving => {
            let version = response
                .metadata()
                .get(proto::VERSION)
                .and_then(|version| version.to_str().ok());
            compared_versions(version, env!("CARGO_PKG_VERSION"))
        }
        Ok(response) => Finding::new(
            WHAT,
            State::Wrong,
            format!("it says {}", response.get_ref().status().as_str_name()),
            "look at its log",
        ),
        Err(status) if status.code() == Code::Unimplemented => Finding::new(
            WHAT,
            State::Warning,
            "it does not answer gRPC health checks",
            "is this a tidegate-control-plane?",
        ),
        Err(status) => failed(WHAT, session, &status),
    }
}

/// Whether the control plane that serves is of this console's version.
fn compared_versions(found: Option<&str>, own: &str) -> Finding {
    const WHAT: &str = "health";
    match found {
        Some(found) if found == own => Finding::good(WHAT, format!("serving, version {found}")),
        Some(found) => Finding::new(
            WHAT,
            State::Warning,
            format!("serving, version {found}; this console is {own}"),
            "use the console of the control plane's version",
        ),
        None => Finding::new(
            WHAT,
            State::Warning,
            "serving, but it does not say its version",
            "is there something between that takes headers away, or is it older than this console?",
        ),
    }
}

fn failed(what: &'static str, session: &Session, status: &Status) -> Finding {
    Finding::new(what, State::Wrong, session.error(status).to_string(), "")
}

async fn services(session: &Session) -> Finding {
    const WHAT: &str = "services";
    match reflected(session).await {
        Ok(services) => compared(&services),
        Err(status) => Finding::new(
            WHAT,
            State::Warning,
            format!("what it offers is not known: {}", status.message()),
            "",
        ),
    }
}

fn compared(services: &[String]) -> Finding {
    const WHAT: &str = "services";
    let has = |name: &&str| services.contains(&format!("tidegate.v1.{name}"));
    let missing: Vec<&str> = SERVICES.iter().copied().filter(|name| !has(name)).collect();
    let ours = services.iter().filter(|name| name.starts_with("tidegate.v1.")).count();
    if missing.is_empty() {
        Finding::good(WHAT, format!("{ours} of tidegate.v1, all that this console calls"))
    } else {
        Finding::new(
            WHAT,
            State::Wrong,
            format!("missing: {}", missing.join(", ")),
            "the control plane is of an older version than this console, or something else answers: update it",
        )
    }
}

/// The names of the services that the server says it offers.
async fn reflected(session: &Session) -> Result<Vec<String>, Status> {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let request = session.call(tokio_stream::once(request));
    let mut answers = ServerReflectionClient::new(session.channel())
        .server_reflection_info(request)
        .await?
        .into_inner();
    let answer = answers
        .next()
        .await
        .transpose()?
        .and_then(|answer| answer.message_response);
    match answer {
        Some(MessageResponse::ListServicesResponse(list)) => {
            Ok(list.service.into_iter().map(|service| service.name).collect())
        }
        Some(_) | None => Err(Status::internal("it answered with something else")),
    }
}

/// The ops port: the one after the server's own, where a control plane has it unless told.
async fn ops(server: &str, limit: Duration) -> Finding {
    const WHAT: &str = "ops port";
    let authority = server.trim_start_matches("http://").trim_end_matches('/');
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().unwrap_or(PORT)),
        None => (authority, PORT),
    };
    let address = format!("{host}:{}", port.saturating_add(1));
    match http::status(&address, "/readyz", limit).await {
        Ok(200) => Finding::good(WHAT, format!("{address}: ready")),
        Ok(status) => Finding::new(
            WHAT,
            State::Wrong,
            format!("{address}/readyz answers {status}: not ready"),
            "look at the log of the control plane",
        ),
        Err(error) => Finding::new(
            WHAT,
            State::Absent,
            format!("{address}: {error}; it may be bound elsewhere"),
            "",
        ),
    }
}

async fn environments(session: &Session) -> Vec<Finding> {
    let before = Timestamp::now().as_microsecond();
    let request = session.call(v1::ListEnvironmentsRequest {});
    let answer = session.environments().list_environments(request).await;
    let after = Timestamp::now().as_microsecond();
    match answer {
        Ok(response) => {
            let clock = clock(served_at(&response), before, after);
            let environments = response.into_inner().environments;
            let keys: Vec<&str> = environments.iter().map(|one| one.key.as_str()).collect();
            vec![clock, environment(&session.environment(), &keys)]
        }
        Err(status) => vec![failed("environment", session, &status)],
    }
}

fn environment(wanted: &str, keys: &[&str]) -> Finding {
    const WHAT: &str = "environment";
    if keys.contains(&wanted) {
        return Finding::good(WHAT, format!("{wanted}; there are {}", keys.join(", ")));
    }
    let advice = match nearest(wanted, keys.iter().copied()) {
        Some(near) => format!("did you mean {near}? name it with -e or in the context"),
        None => "name one with -e or in the context".into(),
    };
    let found = format!("{wanted} does not exist; there are {}", keys.join(", "));
    Finding::new(WHAT, State::Wrong, found, advice)
}

/// The server's clock as its answer says it, in whole seconds; microseconds since 1970 UTC.
fn served_at<T>(response: &Response<T>) -> Option<i64> {
    let date = response.metadata().get("date")?.to_str().ok()?;
    let at = rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    Some(at.as_microsecond())
}

/// The answer was made between two moments of the clock here, and says its second.
fn clock(served_at: Option<i64>, before: i64, after: i64) -> Finding {
    const WHAT: &str = "clock";
    let Some(at) = served_at else {
        return Finding::new(WHAT, State::Absent, "the server does not tell its time", "");
    };
    let ahead = (at - after).max(0);
    let behind = (before - at - 1_000_000).max(0);
    if ahead.max(behind) <= SKEW_US {
        return Finding::good(WHAT, "the server's and the one here agree within 2 s");
    }
    let (by, which) = if ahead > behind {
        (ahead, "ahead of")
    } else {
        (behind, "behind")
    };
    Finding::new(
        WHAT,
        State::Warning,
        format!("the server's is {} {which} the one here", duration::rounded(by)),
        "set both by NTP: scheduled changes are due by the server's clock",
    )
}

async fn agents(session: &Session) -> Finding {
    match fleet::list(session).await {
        Ok(fleet) => of_fleet(&session.environment(), &fleet),
        Err(status) => failed("agents", session, &status),
    }
}

fn of_fleet(environment: &str, fleet: &v1::ListAgentsResponse) -> Finding {
    const WHAT: &str = "agents";
    let behind: Vec<&str> = fleet
        .agents
        .iter()
        .filter(|agent| fleet::is_behind(agent))
        .map(|agent| agent.id.as_str())
        .collect();
    let mut versions: Vec<&str> = fleet.agents.iter().map(|agent| agent.version.as_str()).collect();
    versions.retain(|version| !version.is_empty());
    versions.sort_unstable();
    versions.dedup();
    let of_version = match versions.as_slice() {
        [] => String::new(),
        versions => format!(", of version {}", versions.join(", ")),
    };
    match (fleet.agents.len(), behind.as_slice()) {
        (0, _) => Finding::new(
            WHAT,
            State::Warning,
            format!("none in {environment}"),
            "start tidegate-agent beside a service",
        ),
        (all, []) => Finding::good(
            WHAT,
            format!("{all} live, all at revision {}{of_version}", fleet.wanted_revision),
        ),
        (all, behind) => {
            let more = match behind.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let named = behind[..behind.len().min(NAMED)].join(", ");
            Finding::new(
                WHAT,
                State::Warning,
                format!(
                    "{} of {all} away, behind or with problems: {named}{more}{of_version}",
                    behind.len()
                ),
                format!("tidegate fleet --behind -e {environment}"),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn clocks_that_differ_more_than_their_second_are_said() {
        let at = 1_000 * SECOND;
        let cases = [
            (Some(at), at + SECOND / 2, State::Good, "agree"),
            (Some(at + 3 * SECOND), at, State::Warning, "3s ahead of"),
            (Some(at - 64 * SECOND), at, State::Warning, "1m3s behind"),
            (None, at, State::Absent, "does not tell"),
        ];
        for (served, here, state, part) in cases {
            let finding = clock(served, here, here);
            assert_eq!(finding.state, state, "{finding:?}");
            assert!(finding.found.contains(part), "{finding:?}");
        }
    }

    #[test]
    fn a_missing_environment_is_wrong_and_names_the_nearest() {
        let finding = environment("prodution", &["staging", "production"]);
        assert_eq!(finding.state, State::Wrong);
        assert!(finding.advice.contains("did you mean production?"), "{finding:?}");
        assert_eq!(environment("staging", &["staging"]).state, State::Good);
    }

    #[test]
    fn services_that_are_missing_are_named() {
        let all: Vec<String> = SERVICES.iter().map(|name| format!("tidegate.v1.{name}")).collect();
        assert_eq!(compared(&all).state, State::Good);
        let finding = compared(&all[1..]);
        assert_eq!(
            (finding.state, finding.found.as_str()),
            (State::Wrong, "missing: Flags")
        );
    }

    #[test]
    fn agents_that_are_behind_are_named() {
        let agent = |id: &str, live, applied_revision| v1::Agent {
            id: id.into(),
            live,
            applied_revision,
            wanted_revision: 7,
            version: "0.1.0".into(),
            ..v1::Agent::default()
        };
        let fleet = |agents| v1::ListAgentsResponse {
            agents,
            wanted_revision: 7,
            ..v1::ListAgentsResponse::default()
        };
        assert_eq!(of_fleet("x", &fleet(vec![])).state, State::Warning);
        assert_eq!(of_fleet("x", &fleet(vec![agent("a", true, 7)])).state, State::Good);
        let finding = of_fleet(
            "x",
            &fleet(vec![agent("a", true, 7), agent("b", true, 6), agent("c", false, 7)]),
        );
        assert!(
            finding.found.contains("2 of 3 away, behind or with problems: b, c"),
            "{finding:?}"
        );
    }
}
