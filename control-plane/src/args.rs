//! Settings of the control plane: flags and `TIDEGATE_*` variables, read here and nowhere else.

#![allow(rustdoc::bare_urls, reason = "doc comments of options are help texts")]

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, builder::FalseyValueParser};
use rollout::Micros;
use runtime::telemetry::LogFormat;

use crate::{prometheus::Address, web::Origin};

/// The Tidegate control plane: owns feature flags and rollouts, streams them to agents, takes health back, and aborts a
/// rollout by itself when the evidence says that it harms.
#[derive(Debug, Parser)]
#[command(name = "tidegate-control-plane", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where gRPC is served to operators and agents.
    #[arg(
        long,
        env = "TIDEGATE_LISTEN",
        default_value = "127.0.0.1:7420",
        value_name = "ADDRESS"
    )]
    pub(crate) listen: SocketAddr,

    /// Where /livez, /readyz and /metrics are served.
    #[arg(long, env = "TIDEGATE_OPS", default_value = "127.0.0.1:7421", value_name = "ADDRESS")]
    pub(crate) ops: SocketAddr,

    /// A web page's origin that may call over gRPC-Web, such as https://console.example.com; * for any. May be repeated,
    /// or given as a list with commas. Without it, pages of other origins get no answer.
    #[arg(
        long = "web-origin",
        env = "TIDEGATE_WEB_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    pub(crate) web_origins: Vec<Origin>,

    /// The folder of the store. One process at a time; delete it to begin anew.
    #[arg(
        long,
        env = "TIDEGATE_DATA",
        default_value = "./tidegate-data",
        value_name = "FOLDER"
    )]
    pub(crate) data: PathBuf,

    /// Let webhooks be http:// addresses of other machines. Whoever is on the way reads along; the signature still proves
    /// who sent an event.
    #[arg(long, env = "TIDEGATE_WEBHOOK_ALLOW_HTTP", value_parser = FalseyValueParser::new())]
    pub(crate) webhook_allow_http: bool,

    /// A file with certificates (PEM) that may vouch for the receivers of webhooks, beside those that the system trusts.
    #[arg(long, env = "TIDEGATE_WEBHOOK_CA", value_name = "FILE")]
    pub(crate) webhook_ca: Option<PathBuf>,

    /// The Prometheus (or whatever speaks its query API) that is asked for the metrics whose plans have a query, such as
    /// http://prometheus:9090. Without it a rollout of such a plan is refused.
    #[arg(long, env = "TIDEGATE_PROMETHEUS", value_name = "URL")]
    pub(crate) prometheus: Option<Address>,

    /// A file with the bearer token for it. It is read before each question, so a new token needs no restart.
    #[arg(
        long,
        env = "TIDEGATE_PROMETHEUS_TOKEN_FILE",
        value_name = "FILE",
        requires = "prometheus"
    )]
    pub(crate) prometheus_token_file: Option<PathBuf>,

    /// A file with certificates (PEM) that may vouch for it, beside those that the system trusts.
    #[arg(long, env = "TIDEGATE_PROMETHEUS_CA", value_name = "FILE", requires = "prometheus")]
    pub(crate) prometheus_ca: Option<PathBuf>,

    /// How long a stage must have had complete data before it can be captured as a baseline. Less is for rehearsals: a
    /// short capture knows little of how things usually are.
    #[arg(
        long,
        env = "TIDEGATE_SHORTEST_CAPTURE",
        default_value = "15m",
        value_name = "DURATION",
        value_parser = rollout::duration::parse
    )]
    pub(crate) shortest_capture: Micros,

    /// What is logged, such as info or control_plane=debug.
    #[arg(long, env = "TIDEGATE_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,

    /// How it is logged: text or json.
    #[arg(long, env = "TIDEGATE_LOG_FORMAT", default_value = "text", value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,
}

const EXAMPLES: &str = "\
Begin with:
  tidegate-control-plane                        data in ./tidegate-data, gRPC on 127.0.0.1:7420
  tidegate-agent                                beside each service
  tidegate set my-flag on --create --percent 25

Guard by what Prometheus knows: tell of it, and write a query into a plan's metric:
  tidegate-control-plane --prometheus http://prometheus:9090
  metrics: [{key: queue-depth, unit: count, prometheus: 'max(queue_depth{variant=\"{{variant}}\"})'}]
  guards: [queue-depth > 500]";
