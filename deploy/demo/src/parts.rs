//! The parts of the story, started in the order in which they need each other, each ready before the next.
//!
//! A part is a real binary with the options that anybody would give it. One that dies instead of becoming ready ends
//! the start with the end of its log.

use std::{net::SocketAddr, time::Duration};

use anyhow::bail;
use tokio::time::Instant;

use crate::{
    args::DemoArgs,
    children::{self, Children},
    faults::PATHS,
    figures::{count, took},
    http::Http,
    ports::Ports,
    screen::Screen,
};

/// Names of the agents; their folders and logs are named alike.
pub(crate) const AGENTS: [&str; 2] = ["agent-one", "agent-two"];
/// Users of the service.
const USERS: u32 = 40_000;
/// How long a part may take to become ready.
const READY: Duration = Duration::from_secs(30);
/// How often it is asked.
const PACE: Duration = Duration::from_millis(20);

/// Starts all.
pub(crate) async fn start(
    children: &mut Children,
    ports: &Ports,
    args: &DemoArgs,
    screen: &Screen,
) -> anyhow::Result<()> {
    control_plane(children, ports, screen).await?;
    agents(children, ports, screen).await?;
    services(children, ports, args, screen).await?;
    load(children, ports, args, screen)
}

async fn control_plane(children: &mut Children, ports: &Ports, screen: &Screen) -> anyhow::Result<()> {
    let options = [
        ("listen", ports.control_plane.to_string()),
        ("ops", ports.control_plane_ops.to_string()),
        ("data", "control-plane".to_owned()),
    ];
    let binary = children::binary("tidegate-control-plane")?;
    children.start("control-plane", &binary, &written(options))?;
    let took = ready(children, "the control plane", ports.control_plane_ops, "/readyz").await?;
    let address = ports.control_plane;
    screen.line(format_args!("control plane   gRPC on {address}, ready after {took}"));
    Ok(())
}

async fn agents(children: &mut Children, ports: &Ports, screen: &Screen) -> anyhow::Result<()> {
    for (name, agent) in AGENTS.into_iter().zip(ports.agents) {
        let options = [
            ("id", name.to_owned()),
            ("control-plane", format!("http://{}", ports.control_plane)),
            ("listen", agent.listen.to_string()),
            ("ofrep", agent.ofrep.to_string()),
            ("ops", agent.ops.to_string()),
            ("data", name.to_owned()),
            ("socket", "none".to_owned()),
        ];
        children.start(name, &children::binary("tidegate-agent")?, &written(options))?;
        let took = ready(children, name, agent.ops, "/readyz").await?;
        let address = agent.listen;
        screen.line(format_args!(
            "{name}       flagd protocol on {address}, ready after {took}"
        ));
    }
    Ok(())
}

async fn services(children: &mut Children, ports: &Ports, args: &DemoArgs, screen: &Screen) -> anyhow::Result<()> {
    let [old, good, harmful] = PATHS;
    let rates = [(old, args.base_rate), (good, args.base_rate), (harmful, args.fault)];
    for ((name, agent), listen) in ["service-one", "service-two"]
        .into_iter()
        .zip(ports.agents)
        .zip(ports.services)
    {
        let mut line = vec!["service".to_owned()];
        line.extend(written([
            ("agent", format!("http://{}", agent.listen)),
            ("listen", listen.to_string()),
        ]));
        line.extend(written(rates.map(|(path, rate)| ("fault", format!("{path}={rate}")))));
        children.start(name, &children::binary("tidegate-demo")?, &line)?;
        ready(children, name, listen, "/livez").await?;
        screen.line(format_args!("{name}     http://{listen}/checkout?user=user-7"));
    }
    Ok(())
}

fn load(children: &mut Children, ports: &Ports, args: &DemoArgs, screen: &Screen) -> anyhow::Result<()> {
    let targets = ports.services.map(|address| address.to_string()).join(",");
    let options = [
        ("targets", targets),
        ("rate", args.rate.to_string()),
        ("users", USERS.to_string()),
    ];
    let mut line = vec!["load".to_owned()];
    line.extend(written(options));
    children.start("load", &children::binary("tidegate-demo")?, &line)?;
    let (rate, users) = (count(args.rate.into()), count(USERS.into()));
    screen.line(format_args!(
        "load            {rate} requests/s of {users} users, a few of whom come very often"
    ));
    Ok(())
}

/// Waits until a part says that it is ready, and says how long that took.
async fn ready(children: &mut Children, name: &str, address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let begun = Instant::now();
    let (http, mut last) = (Http::new(), String::new());
    let asking = async {
        loop {
            match http.succeeds(address, path).await {
                Ok(()) => return,
                Err(news) => last = news,
            }
            tokio::time::sleep(PACE).await;
        }
    };
    let asked = tokio::select! {
        asked = tokio::time::timeout(READY, asking) => asked,
        died = children.death() => return Err(died.into()),
    };
    if asked.is_err() {
        bail!("{name} is not ready after {}; it last said: {last}", took(READY));
    }
    Ok(took(begun.elapsed()))
}

/// Options as they are typed.
fn written(options: impl IntoIterator<Item = (&'static str, String)>) -> Vec<String> {
    options
        .into_iter()
        .flat_map(|(name, value)| [format!("--{name}"), value])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_written_as_they_are_typed() {
        let line = written([("rate", "300".to_owned()), ("users", "40".to_owned())]);
        assert_eq!(line, ["--rate", "300", "--users", "40"]);
    }
}
