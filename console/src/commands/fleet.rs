//! The agents of an environment, and how far the wanted revision has come.

use std::io::{self, IsTerminal as _};

use jiff::Timestamp;
use proto::v1;
use serde::Serialize;
use tokio::{signal, time};
use tonic::Status;

use crate::{
    args::{FleetArgs, Global},
    connect::Session,
    duration,
    error::{End, Error},
    print::{self, Format},
};

/// Puts the cursor to the top left of a cleared terminal.
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";

/// The agents, for programs.
#[derive(Debug, Serialize)]
struct Fleet {
    wanted_revision: u64,
    summary: Summary,
    agents: Vec<Agent>,
}

/// How the fleet stands, for programs.
#[derive(Debug, Serialize)]
struct Summary {
    live: u32,
    applied: u32,
    persisted: u32,
    away: u32,
    lag_p50_us: i64,
    lag_p90_us: i64,
    lag_p99_us: i64,
    lag_max_us: i64,
    lag_agents: u32,
}

/// One agent, for programs.
#[derive(Debug, Serialize)]
struct Agent {
    id: String,
    flag_set: String,
    version: String,
    address: String,
    live: bool,
    first_seen_at: Option<String>,
    seen_at: Option<String>,
    wanted_revision: u64,
    applied_revision: u64,
    persisted_revision: u64,
    diskless: bool,
    lag_us: i64,
    problems: Vec<String>,
}

impl Agent {
    fn of(agent: &v1::Agent) -> Self {
        Self {
            id: agent.id.clone(),
            flag_set: agent.flag_set.clone(),
            version: agent.version.clone(),
            address: agent.address.clone(),
            live: agent.live,
            first_seen_at: print::timestamp(agent.first_seen_at_us),
            seen_at: print::timestamp(agent.seen_at_us),
            wanted_revision: agent.wanted_revision,
            applied_revision: agent.applied_revision,
            persisted_revision: agent.persisted_revision,
            diskless: agent.diskless,
            lag_us: agent.lag_us,
            problems: agent.problems.clone(),
        }
    }
}

impl Fleet {
    fn of(response: &v1::ListAgentsResponse) -> Self {
        let summary = response.summary.unwrap_or_default();
        let lag = summary.lag.unwrap_or_default();
        Self {
            wanted_revision: response.wanted_revision,
            summary: Summary {
                live: summary.live,
                applied: summary.applied,
                persisted: summary.persisted,
                away: summary.away,
                lag_p50_us: lag.p50_us,
                lag_p90_us: lag.p90_us,
                lag_p99_us: lag.p99_us,
                lag_max_us: lag.max_us,
                lag_agents: lag.agents,
            },
            agents: response.agents.iter().map(Agent::of).collect(),
        }
    }
}

/// Shows the fleet, once or until Ctrl-C.
pub(super) async fn run(global: &Global, options: &FleetArgs) -> Result<End, Error> {
    let session = Session::open(global).await?;
    if !options.watch {
        let fleet = read(&session, options).await.map_err(|status| session.error(&status))?;
        print::show(global.output, &Fleet::of(&fleet), || page(&fleet))?;
        return Ok(End::Done);
    }
    tokio::select! {
        biased;
        _ = signal::ctrl_c() => Ok(End::Interrupted),
        error = again_and_again(global, &session, options) => Err(error),
    }
}

async fn again_and_again(global: &Global, session: &Session, options: &FleetArgs) -> Error {
    let mut asked_before = false;
    loop {
        match read(session, options).await {
            Ok(fleet) => {
                asked_before = true;
                if let Err(error) = redraw(global, &fleet) {
                    return error;
                }
            }
            Err(status) if asked_before => {
                print::note(&format!("{}; trying again", session.error(&status)));
            }
            Err(status) => return session.error(&status),
        }
        time::sleep(options.every).await;
    }
}

fn redraw(global: &Global, fleet: &v1::ListAgentsResponse) -> Result<(), Error> {
    let on_terminal = global.output == Format::Table && io::stdout().is_terminal();
    let clear = if on_terminal { CLEAR } else { "" };
    let now = print::moment(Timestamp::now().as_microsecond());
    print::show_change(
        global.output,
        &Fleet::of(fleet),
        &format!("{clear}{now}\n{}\n", page(fleet)),
    )
}

/// The fleet; only what needs a look, if that was asked for.
pub(super) async fn read(session: &Session, options: &FleetArgs) -> Result<v1::ListAgentsResponse, Status> {
    let mut fleet = list(session).await?;
    if options.behind {
        fleet.agents.retain(is_behind);
    }
    Ok(fleet)
}

/// All agents of the environment.
pub(super) async fn list(session: &Session) -> Result<v1::ListAgentsResponse, Status> {
    let request = v1::ListAgentsRequest {
        environment: session.environment(),
    };
    let response = session.fleet().list_agents(session.call(request)).await?;
    Ok(response.into_inner())
}

/// Whether an agent is away, has not applied what it should hold, or refused something.
pub(super) fn is_behind(agent: &v1::Agent) -> bool {
    !agent.live || agent.applied_revision < agent.wanted_revision || !agent.problems.is_empty()
}

fn page(fleet: &v1::ListAgentsResponse) -> String {
    let summary = summary(fleet);
    if fleet.agents.is_empty() {
        return match fleet.summary.as_ref().map(|summary| summary.live) {
            None | Some(0) => "no agents: start tidegate-agent beside a service".into(),
            Some(_) => format!("no agent is behind\n\n{summary}"),
        };
    }
    let header = [
        "AGENT",
        "STATE",
        "SET",
        "APPLIED",
        "PERSISTED",
        "WANTED",
        "LAG",
        "SEEN",
        "KNOWN FOR",
        "ADDRESS",
        "VERSION",
        "PROBLEMS",
    ];
    let now = Timestamp::now().as_microsecond();
    let rows = fleet.agents.iter().map(|agent| row(agent, now));
    format!("{}\n\n{summary}", print::table(header, rows))
}

/// Two lines: how far the wanted revision has come, and how long it took.
fn summary(fleet: &v1::ListAgentsResponse) -> String {
    let summary = fleet.summary.unwrap_or_default();
    let away = match summary.away {
        0 => String::new(),
        away => format!(", {away} away"),
    };
    let lag = summary.lag.unwrap_or_default();
    let lag = match lag.agents {
        0 => String::new(),
        _ => format!(
            "\nlag: half within {}, 90 % {}, 99 % {}, all {}",
            duration::rounded(lag.p50_us),
            duration::rounded(lag.p90_us),
            duration::rounded(lag.p99_us),
            duration::rounded(lag.max_us)
        ),
    };
    format!(
        "revision {}: applied by {} of {} live agents, on disk at {}{away}{lag}",
        fleet.wanted_revision, summary.applied, summary.live, summary.persisted
    )
}

fn row(agent: &v1::Agent, now_us: i64) -> [String; 12] {
    let ago = |us: i64| match us {
        0 => String::new(),
        us => duration::rounded((now_us - us).max(0)),
    };
    let persisted = agent.persisted_revision.to_string();
    [
        agent.id.clone(),
        if agent.live { "live" } else { "away" }.into(),
        if agent.flag_set.is_empty() {
            "all"
        } else {
            &agent.flag_set
        }
        .into(),
        agent.applied_revision.to_string(),
        if agent.diskless { "diskless".into() } else { persisted },
        agent.wanted_revision.to_string(),
        if agent.lag_us == 0 {
            String::new()
        } else {
            duration::rounded(agent.lag_us)
        },
        match ago(agent.seen_at_us) {
            seen if seen.is_empty() => seen,
            seen => format!("{seen} ago"),
        },
        ago(agent.first_seen_at_us),
        agent.address.clone(),
        agent.version.clone(),
        agent.problems.join("; "),
    ]
}
