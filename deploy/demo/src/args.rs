//! What the demo can be told, on the command line only.
//!
//! Without a sub-command it tells the story; the sub-commands are the parts that only the demo has, started by itself
//! as processes of their own. What leaves this file is valid.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::ports::Ports;

/// Tidegate at work on real processes: a good rollout, then a harmful one that is aborted by its evidence.
///
/// Starts a control plane, two agents, a small service beside each and a load of sticky, heavy-tailed users; prints
/// only what it reads back over gRPC; then stays up with things to try. Ctrl-C stops everything.
#[derive(Debug, Parser)]
#[command(name = "tidegate-demo", version, after_long_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) demo: DemoArgs,
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
}

/// How the story goes.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The error rate of the harmful treatment, 0 to 1; equal to the base rate it does no harm, and completes.
    #[arg(long, value_name = "RATE", default_value_t = 0.04, value_parser = share)]
    pub(crate) fault: f64,

    /// The error rate of everything else, 0 to 1.
    #[arg(long, value_name = "RATE", default_value_t = 0.008, value_parser = share)]
    pub(crate) base_rate: f64,

    /// Requests per second.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(10..=20_000))]
    pub(crate) rate: u32,

    /// The folder for everything that is stored, logs included.
    #[arg(long, value_name = "FOLDER", default_value = "./tidegate-data/demo")]
    pub(crate) data: PathBuf,

    /// Delete what an earlier demo stored in that folder, and begin anew.
    #[arg(long)]
    pub(crate) reset: bool,

    /// Use ten ports in a row from this one [default: the standard ports, 7420 and 8013 among them].
    #[arg(long, value_name = "PORT", value_parser = ports)]
    pub(crate) ports_from: Option<Ports>,

    /// Exit after the story: 0 if it went as it should, 1 if not.
    #[arg(long)]
    pub(crate) once: bool,
}

/// A part of the demo, as a process of its own.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// Run the small service: GET /checkout?user=KEY.
    Service(ServiceArgs),
    /// Make requests to services.
    Load(LoadArgs),
    /// Set how often a path of the running services fails.
    Fault(FaultArgs),
}

/// The service.
#[derive(Debug, Args)]
pub(crate) struct ServiceArgs {
    /// Its agent.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8013")]
    pub(crate) agent: tidegate_client::Address,

    /// Where it serves.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8018")]
    pub(crate) listen: SocketAddr,

    /// How often a path fails until told otherwise: checkout-v1 (no flag), checkout-v2, checkout-v3.
    #[arg(long = "fault", value_name = "PATH=RATE", value_parser = fault)]
    pub(crate) faults: Vec<(String, f64)>,
}

/// The load.
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// The services; each user always goes to the same one.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', required = true)]
    pub(crate) targets: Vec<SocketAddr>,

    /// Requests per second.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: u32,

    /// How many users there are.
    #[arg(long, value_name = "N", default_value_t = 40_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) users: u32,

    /// Draws the users and their order.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

/// A change of how often a path fails.
#[derive(Debug, Args)]
pub(crate) struct FaultArgs {
    /// checkout-v1, checkout-v2 or checkout-v3.
    pub(crate) path: String,

    /// The share of its requests that fail, 0 to 1.
    #[arg(value_parser = share)]
    pub(crate) rate: f64,

    /// The services.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', default_values_t = Ports::standard().services)]
    pub(crate) services: Vec<SocketAddr>,
}

const EXAMPLES: &str = "\
Examples:
  tidegate-demo                             the story, then things to try
  tidegate-demo --fault 0.008               the second rollout does no harm: it completes
  tidegate-demo --fault 0.016               twice the errors: found later
  tidegate-demo --reset --ports-from 17420  begin anew, on other ports";

/// A share, 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        Ok(_) | Err(_) => Err("write a share of the requests between 0 and 1, such as 0.04".to_owned()),
    }
}

fn fault(text: &str) -> Result<(String, f64), String> {
    let (path, rate) = text
        .split_once('=')
        .ok_or("write PATH=RATE, such as checkout-v2=0.04")?;
    Ok((path.to_owned(), share(rate)?))
}

fn ports(text: &str) -> Result<Ports, String> {
    let first = text.parse().ok().and_then(Ports::from_first);
    first.ok_or_else(|| "write a port between 1 and 65528: eight in a row are used".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_anything_the_story_is_told_on_the_standard_ports() {
        let arguments = Arguments::try_parse_from(["tidegate-demo"]).unwrap();
        assert!(arguments.part.is_none());
        assert_eq!(arguments.demo.ports_from, None);
        assert!(arguments.demo.fault > 4.0 * arguments.demo.base_rate);
    }

    #[test]
    fn what_cannot_be_a_share_or_a_port_is_refused_at_the_door() {
        for line in [
            ["--fault", "1.5"],
            ["--fault", "NaN"],
            ["--ports-from", "65530"],
            ["--rate", "0"],
        ] {
            assert!(
                Arguments::try_parse_from(["tidegate-demo", line[0], line[1]]).is_err(),
                "{line:?}"
            );
        }
        assert!(Arguments::try_parse_from(["tidegate-demo", "service", "--fault", "checkout-v2"]).is_err());
    }
}
