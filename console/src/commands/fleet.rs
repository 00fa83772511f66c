//! The agents of an environment, and how far the wanted revision has come.

use proto::v1;
use serde::Serialize;

use crate::{args::Global, connect::Session, error::Error, print};

/// The agents, for programs.
#[derive(Debug, Serialize)]
struct Fleet {
    wanted_revision: u64,
    agents: Vec<Agent>,
}

/// One agent, for programs.
#[derive(Debug, Serialize)]
struct Agent {
    id: String,
    flag_set: String,
    version: String,
    address: String,
    live: bool,
    seen_at: Option<String>,
    wanted_revision: u64,
    applied_revision: u64,
    persisted_revision: u64,
    diskless: bool,
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
            seen_at: print::timestamp(agent.seen_at_us),
            wanted_revision: agent.wanted_revision,
            applied_revision: agent.applied_revision,
            persisted_revision: agent.persisted_revision,
            diskless: agent.diskless,
            problems: agent.problems.clone(),
        }
    }
}

/// Lists the agents.
pub(super) async fn list(global: &Global) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let request = v1::ListAgentsRequest {
        environment: session.environment(),
    };
    let response = session.fleet().list_agents(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?.into_inner();
    let agents = &response.agents;
    let value = Fleet {
        wanted_revision: response.wanted_revision,
        agents: agents.iter().map(Agent::of).collect(),
    };
    print::show(global.output, &value, || table(agents, response.wanted_revision))
}

fn table(agents: &[v1::Agent], wanted: u64) -> String {
    if agents.is_empty() {
        return "no agents: start tidegate-agent beside a service".into();
    }
    let header = [
        "AGENT",
        "STATE",
        "SET",
        "APPLIED",
        "PERSISTED",
        "WANTED",
        "SEEN",
        "ADDRESS",
        "VERSION",
        "PROBLEMS",
    ];
    let table = print::table(header, agents.iter().map(row));
    let live: Vec<_> = agents.iter().filter(|agent| agent.live).collect();
    let reached = |agent: &&&v1::Agent| agent.applied_revision >= agent.wanted_revision;
    let applied = live.iter().filter(reached).count();
    let live = live.len();
    format!("{table}\n\nrevision {wanted}: applied by {applied} of {live} live agents")
}

fn row(agent: &v1::Agent) -> [String; 10] {
    let set = if agent.flag_set.is_empty() {
        "all"
    } else {
        &agent.flag_set
    };
    let persisted = agent.persisted_revision.to_string();
    [
        agent.id.clone(),
        if agent.live { "live" } else { "away" }.into(),
        set.into(),
        agent.applied_revision.to_string(),
        if agent.diskless { "diskless".into() } else { persisted },
        agent.wanted_revision.to_string(),
        print::moment(agent.seen_at_us),
        agent.address.clone(),
        agent.version.clone(),
        agent.problems.join("; "),
    ]
}
