//! What the agent can be told, on the command line or by environment variables.
//!
//! The only place that reads the environment. Everything is parsed here, once: what leaves this file is valid. A
//! control plane may run in the same environment: what both have, and each has its own of, is `TIDEGATE_AGENT_*` here.

#![allow(rustdoc::bare_urls, reason = "doc comments of options are help texts")]

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Parser, builder::FalseyValueParser};
use evaluation::Key;
use runtime::telemetry::LogFormat;
use tonic::transport::Uri;

use crate::{disk::Scope, identity::AgentId, serve::ofrep::cors::Origins};

/// The process beside each service: evaluates feature flags, and reports how each variant is doing.
///
/// It keeps the flags of one environment in step with the control plane and answers any OpenFeature provider: flagd's
/// protocols on its port or its socket, OFREP on a port of its own. Without the control plane it keeps serving the last
/// good snapshot, also after a restart.
#[derive(Debug, Parser)]
#[command(name = "tidegate-agent", version, after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where the control plane is; the port is 7420 if none is given.
    #[arg(
        long,
        env = "TIDEGATE_CONTROL_PLANE",
        default_value = "http://127.0.0.1:7420",
        value_name = "URL",
        value_parser = control_plane,
    )]
    pub(crate) control_plane: Uri,

    /// The environment whose flags are served.
    #[arg(
        long,
        env = "TIDEGATE_ENVIRONMENT",
        default_value = "production",
        value_name = "KEY",
        value_parser = Key::parse,
    )]
    pub(crate) environment: Key,

    /// The flag set that is served; without it, all flags of the environment.
    #[arg(
        long,
        env = "TIDEGATE_FLAG_SET",
        default_value = "",
        hide_default_value = true,
        value_name = "KEY",
        value_parser = flag_set,
    )]
    pub(crate) flag_set: FlagSet,

    /// This agent's id, unique in the environment [default: drawn once and kept in the data folder].
    #[arg(long, env = "TIDEGATE_AGENT_ID", value_name = "ID")]
    pub(crate) id: Option<AgentId>,

    /// The folder for the last good snapshot and the id. Serves one agent.
    #[arg(
        long,
        env = "TIDEGATE_AGENT_DATA",
        default_value = "./tidegate-data/agent",
        value_name = "FOLDER"
    )]
    pub(crate) data: PathBuf,

    /// Where counts and frames are kept until the control plane has them, so that they outlive a killed or restarted
    /// agent: a folder that serves one agent, or `none` to keep nothing [default: spool in the data folder; none with
    /// --diskless]. A kill costs what was counted in the last five seconds.
    #[arg(long, env = "TIDEGATE_SPOOL", value_name = "FOLDER")]
    pub(crate) spool: Option<OsString>,

    /// How much the spool may take on disk, from 1MiB to 1GiB; where that is not enough, the oldest goes first. At most
    /// 60 minutes and 16 starts of the agent are kept. Bytes, or a number with KiB, MiB or GiB.
    #[arg(long, env = "TIDEGATE_SPOOL_SIZE", default_value = "64MiB", value_name = "SIZE", value_parser = spool_size)]
    pub(crate) spool_size: u64,

    /// The snapshot that a fresh machine starts from before the control plane is reached: the file `snapshot`, copied
    /// from the data folder of another agent of the same environment and flag set. What is in the data folder goes
    /// first.
    #[arg(long, env = "TIDEGATE_BOOTSTRAP", value_name = "FILE")]
    pub(crate) bootstrap: Option<OsString>,

    /// The largest snapshot that is accepted, 1GiB at most; a larger one is refused before it takes memory. Bytes, or a
    /// number with KiB, MiB or GiB.
    #[arg(long, env = "TIDEGATE_MAX_SNAPSHOT", default_value = "256MiB", value_name = "SIZE", value_parser = size)]
    pub(crate) max_snapshot: u64,

    /// How many threads evaluate [default: one for each processor, 4 at most].
    #[arg(long, env = "TIDEGATE_THREADS", value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: Option<u16>,

    /// Where services find flags (gRPC: flagd.evaluation.v1 and v2, tidegate.v1) and report outcomes.
    #[arg(
        long,
        env = "TIDEGATE_AGENT_LISTEN",
        default_value = "127.0.0.1:8013",
        value_name = "ADDRESS"
    )]
    pub(crate) listen: SocketAddr,

    /// Where services find flags by HTTP (OpenFeature Remote Evaluation Protocol); `none`: OFREP is not served.
    #[arg(long, env = "TIDEGATE_OFREP", default_value = "127.0.0.1:8016", value_name = "ADDRESS", value_parser = ofrep)]
    pub(crate) ofrep: Ofrep,

    /// The web pages that may ask --ofrep from a browser, by origin: `none`, `*` for all, or a list such as
    /// https://app.example.com,http://localhost:3000. A page of an allowed origin can read every flag that this agent
    /// holds.
    #[arg(
        long,
        env = "TIDEGATE_OFREP_ORIGIN",
        default_value = "none",
        value_name = "ORIGINS",
        value_parser = Origins::parse,
    )]
    pub(crate) ofrep_origin: Origins,

    /// Say in OFREP answers for all flags where changes are streamed (server-sent events, GET /ofrep/v1/events), so
    /// that web clients need not poll. Whatever lies between them and the agent must let that path through.
    #[arg(long, env = "TIDEGATE_OFREP_EVENTS", value_parser = FalseyValueParser::new())]
    pub(crate) ofrep_events: bool,

    /// Where services send OpenTelemetry (OTLP/gRPC: traces and logs) beside --listen and --socket, which take it too:
    /// 127.0.0.1:4317 is where exporters look for it by default. `none`: nowhere else.
    #[arg(long, env = "TIDEGATE_OTLP", default_value = "none", value_name = "ADDRESS", value_parser = otlp)]
    pub(crate) otlp: Otlp,

    /// Where /livez, /readyz and /metrics are.
    #[arg(
        long,
        env = "TIDEGATE_AGENT_OPS",
        default_value = "127.0.0.1:8014",
        value_name = "ADDRESS"
    )]
    pub(crate) ops: SocketAddr,

    /// The Unix socket that serves the same as --listen; `none` for no socket
    /// [default: tidegate/agent.sock in $XDG_RUNTIME_DIR, without that agent.sock in the data folder].
    /// Its user and its group may connect (mode 0660). gRPC clients of C, C++, Python, Ruby, PHP that name the socket
    /// by its absolute path must set the channel option `grpc.default_authority` to `localhost`.
    #[arg(long, env = "TIDEGATE_SOCKET", value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,

    /// Where the system keeps sockets of this user. Text, not a path: an empty one is no mistake and means none.
    #[arg(long, env = "XDG_RUNTIME_DIR", hide = true)]
    pub(crate) runtime_folder: Option<OsString>,

    /// Keep nothing on disk, unless --spool names a folder: after a restart nothing is served until the control plane
    /// is reached.
    #[arg(long, env = "TIDEGATE_DISKLESS", value_parser = FalseyValueParser::new())]
    pub(crate) diskless: bool,

    /// Let a control plane with a new, empty store empty this agent. Refused otherwise, because it is how losing the
    /// store looks from here.
    #[arg(long, env = "TIDEGATE_ACCEPT_EMPTY", value_parser = FalseyValueParser::new())]
    pub(crate) accept_empty: bool,

    /// From what silence of the control plane on answers are stale: their metadata says `tidegate.stale_s`, the native
    /// protocol also says reason STALE, and flags that fall back then do. Counted from the agent's start until it has
    /// heard the control plane. Seconds, or a number with s, m or h.
    #[arg(long, env = "TIDEGATE_STALE_AFTER", default_value = "5m", value_name = "TIME", value_parser = duration)]
    pub(crate) stale_after: Duration,

    /// How log lines look: text or json.
    #[arg(long, env = "TIDEGATE_LOG_FORMAT", default_value = "text", value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,

    /// What is logged, such as `info` or `warn,agent=debug`.
    #[arg(long, env = "TIDEGATE_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  tidegate-agent --environment staging
  tidegate-agent --listen 127.0.0.1:9013 --ofrep 127.0.0.1:9016 --ops 127.0.0.1:9014 --socket none --data ./second-agent

A fresh machine that must answer before it reaches the control plane:
  scp other-host:/var/lib/tidegate/agent/snapshot ./bootstrap
  tidegate-agent --bootstrap ./bootstrap

Then point an OpenFeature flagd provider (resolver rpc) at 127.0.0.1:8013 or an OFREP provider at
http://127.0.0.1:8016, or ask by hand, and see what the agent does:
  curl -d '{\"context\": {\"targetingKey\": \"user-7\"}}' http://127.0.0.1:8016/ofrep/v1/evaluate/flags
  curl http://127.0.0.1:8014/readyz
  curl http://127.0.0.1:8014/metrics";

/// No spool may be smaller, in bytes: a frame has to fit.
const SMALLEST_SPOOL: u64 = 1 << 20;
/// No snapshot may be larger, in bytes.
pub(crate) const LARGEST_SNAPSHOT: u64 = 1 << 30;
/// How many threads evaluate at most unless told.
const MOST_THREADS: usize = 4;

/// Where a control plane listens unless told otherwise.
const CONTROL_PLANE_PORT: u16 = 7420;

/// Where OFREP is served; None: nowhere.
pub(crate) type Ofrep = Option<SocketAddr>;

/// Where OTLP is served beside the agent's port and socket; None: nowhere.
pub(crate) type Otlp = Option<SocketAddr>;

/// The flag set to serve; None: all.
pub(crate) type FlagSet = Option<Key>;

impl Args {
    /// What this agent subscribes to.
    pub(crate) fn scope(&self) -> Scope {
        Scope {
            environment: self.environment.to_string(),
            flag_set: self.flag_set.as_ref().map(Key::to_string).unwrap_or_default(),
        }
    }

    /// The file to start from, if one is given; an empty setting means none.
    pub(crate) fn bootstrap(&self) -> Option<&Path> {
        let given = self.bootstrap.as_deref().filter(|path| !path.is_empty());
        given.map(Path::new)
    }

    /// Where what was counted is kept, if anywhere. `data` is the data folder, which a diskless agent does not have.
    pub(crate) fn spool(&self, data: Option<&Path>) -> Option<PathBuf> {
        let given = self.spool.as_deref().filter(|path| !path.is_empty());
        match given {
            Some(path) if path == "none" => None,
            Some(path) => Some(PathBuf::from(path)),
            None => data.map(|folder| folder.join("spool")),
        }
    }

    /// How many threads evaluate. An agent beside a service is not to take the machine's cores; a few answer more than
    /// any service asks, and each costs memory.
    pub(crate) fn threads(&self) -> usize {
        match self.threads {
            Some(threads) => usize::from(threads),
            None => std::thread::available_parallelism()
                .map_or(1, usize::from)
                .min(MOST_THREADS),
        }
    }

    /// Where the socket is, if there is one. `data` is the data folder, which a diskless agent does not have.
    pub(crate) fn socket(&self, data: Option<&Path>) -> Option<PathBuf> {
        match (&self.socket, &self.runtime_folder) {
            (Some(path), _) if path.as_os_str() == "none" => None,
            (Some(path), _) => Some(path.clone()),
            (None, Some(folder)) if Path::new(folder).is_absolute() => {
                Some(Path::new(folder).join("tidegate").join("agent.sock"))
            }
            (None, Some(_) | None) => data.map(|folder| folder.join("agent.sock")),
        }
    }
}

/// A URL of the control plane; host and port alone mean http.
fn control_plane(text: &str) -> Result<Uri, String> {
    let url = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let uri = url
        .parse::<Uri>()
        .map_err(|error| format!("{error}; give it as http://host:port"))?;
    match uri.scheme_str() {
        Some("http") if uri.host().is_some_and(|host| !host.is_empty()) => with_port(uri),
        Some(_) | None => Err("give it as http://host:port".to_owned()),
    }
}

/// The address with its port; without one it would be that of the web, where no control plane is.
fn with_port(uri: Uri) -> Result<Uri, String> {
    if uri.port().is_some() {
        return Ok(uri);
    }
    let host = uri.host().unwrap_or_default();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    format!("http://{host}:{CONTROL_PLANE_PORT}{path}")
        .parse()
        .map_err(|error| format!("{error}; give it as http://host:port"))
}

fn ofrep(text: &str) -> Result<Ofrep, String> {
    address_or_none(text, "127.0.0.1:8016")
}

fn otlp(text: &str) -> Result<Otlp, String> {
    address_or_none(text, "127.0.0.1:4317")
}

fn address_or_none(text: &str, usual: &str) -> Result<Option<SocketAddr>, String> {
    if text == "none" {
        return Ok(None);
    }
    let address = text.parse().map(Some);
    address.map_err(|_| format!("give it as {usual}, or none"))
}

fn flag_set(text: &str) -> Result<FlagSet, String> {
    if text.is_empty() {
        return Ok(None);
    }
    Key::parse(text).map(Some).map_err(|error| error.to_string())
}

/// A time as `300`, `300s`, `5m` or `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit_s) = match text.trim_end_matches(['s', 'm', 'h']) {
        digits if digits.len() == text.len() => (digits, 1),
        digits => match &text[digits.len()..] {
            "s" => (digits, 1),
            "m" => (digits, 60),
            "h" => (digits, 3_600),
            unit => return Err(format!("the unit {unit} is not s, m or h")),
        },
    };
    let number = digits
        .parse::<u64>()
        .map_err(|_| "give it as 300s, 5m or 1h".to_owned())?;
    number
        .checked_mul(unit_s)
        .map(Duration::from_secs)
        .ok_or_else(|| "longer than time itself".to_owned())
}

fn spool_size(text: &str) -> Result<u64, String> {
    let refused = || "give it as 16777216, 64MiB or 1GiB, which is the most; 1MiB is the least".to_owned();
    size(text)
        .ok()
        .filter(|bytes| *bytes >= SMALLEST_SPOOL)
        .ok_or_else(refused)
}

/// A size as `1048576`, `64KiB`, `256MiB` or `1GiB`.
fn size(text: &str) -> Result<u64, String> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let (digits, unit) = units
        .into_iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))
        .unwrap_or((text, 1));
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes
        .filter(|bytes| (1..=LARGEST_SNAPSHOT).contains(bytes))
        .ok_or_else(|| "give it as 1048576, 64KiB, 256MiB or 1GiB, which is the most".to_owned())
}

#[cfg(test)]
mod tests;
