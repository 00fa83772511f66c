//! Options of the commands that only show: audit, changes, fleet, completion.

use std::time::Duration;

use clap::{Args, ValueEnum, builder::NonEmptyStringValueParser};
use clap_complete::Shell;

use super::global::{past, positive};

/// What `audit --help` teaches.
pub(super) const AUDIT_EXAMPLES: &str = "\
Examples:
  tidegate audit checkout-v2
  tidegate audit --actor ann@desk --since 24h
  tidegate audit --action flag.kill --since 2026-11-01 --until 2026-12-01 -o json
  tidegate audit --follow

With --actor only the acts of that actor are shown.";
/// What `watch --help` teaches.
pub(super) const WATCH_EXAMPLES: &str = "\
Examples:
  tidegate watch
  tidegate watch checkout-v2 -o json
  tidegate watch --kind flag --kind segment --after 1204

To follow a rollout: tidegate rollout watch checkout";
/// What `completion --help` teaches.
pub(super) const COMPLETION_EXAMPLES: &str = "\
Examples:
  bash:        tidegate completion bash > ~/.local/share/bash-completion/completions/tidegate
  zsh:         tidegate completion zsh > ~/.zfunc/_tidegate        (with ~/.zfunc in fpath)
  fish:        tidegate completion fish > ~/.config/fish/completions/tidegate.fish
  powershell:  tidegate completion powershell >> $PROFILE
  elvish:      tidegate completion elvish >> ~/.config/elvish/rc.elv";

/// What `doctor --help` teaches.
pub(super) const DOCTOR_HELP: &str = "\
Examples:
  tidegate doctor
  tidegate doctor --agent 127.0.0.1:9013 --agent-ops 127.0.0.1:9014

Exits 0 if nothing is wrong, else 1. A local agent that is not there is not wrong, unless its address was named.";

/// Where the agent is that is looked at.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Where the agent answers flagd's protocol [env: TIDEGATE_AGENT_LISTEN] [default: 127.0.0.1:8013]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) agent: Option<String>,
    /// Where its /readyz is [env: TIDEGATE_AGENT_OPS] [default: 127.0.0.1:8014]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) agent_ops: Option<String>,
    /// Where it answers OFREP [env: TIDEGATE_OFREP] [default: 127.0.0.1:8016]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) agent_ofrep: Option<String>,
}

/// A host and a port.
fn address(text: &str) -> Result<String, String> {
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    match port.map(|(_, port)| port.parse::<u16>()) {
        Some(Ok(1..)) => Ok(text.to_owned()),
        Some(Ok(0) | Err(_)) | None => Err("write HOST:PORT".into()),
    }
}

/// Which records.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Only records about this flag, segment or rollout
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) key: Option<String>,
    /// Only these acts: flag.update, or flag for all about flags
    #[arg(long, value_name = "ACTION", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) action: Option<String>,
    /// Only records not older than this: a moment, or 24h for so long ago
    #[arg(long, value_name = "WHEN", value_parser = past)]
    pub(crate) since: Option<i64>,
    /// Only records older than this
    #[arg(long, value_name = "WHEN", value_parser = past, conflicts_with = "follow")]
    pub(crate) until: Option<i64>,
    /// Only records of this changeset
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "follow")]
    pub(crate) changeset: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000),
          conflicts_with = "follow")]
    pub(crate) limit: u32,
    /// Write records as they are made, until Ctrl-C; goes on by itself after a cut
    #[arg(short, long)]
    pub(crate) follow: bool,
}

/// Which changes.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Only changes of this key
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) key: Option<String>,
    /// Only changes of this kind; may be given several times
    #[arg(long, value_enum)]
    pub(crate) kind: Vec<ChangeKind>,
    /// Begin with the changes after this store revision (default: from now on)
    #[arg(long, value_name = "REVISION", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) after: Option<u64>,
}

/// What can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ChangeKind {
    /// Flags
    Flag,
    /// Segments
    Segment,
    /// Rollouts
    Rollout,
    /// Environments
    Environment,
    /// Scheduled changes
    Schedule,
    /// Webhooks
    Webhook,
}

impl ChangeKind {
    /// As the wire says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Segment => "segment",
            Self::Rollout => "rollout",
            Self::Environment => "environment",
            Self::Schedule => "schedule",
            Self::Webhook => "webhook",
        }
    }
}

/// How to show the fleet.
#[derive(Debug, Args)]
pub(crate) struct FleetArgs {
    /// Show it again and again, until Ctrl-C
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// How often, with --watch
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = positive)]
    pub(crate) every: Duration,
    /// Only agents that are away, behind or have problems
    #[arg(long)]
    pub(crate) behind: bool,
}

/// Which shell.
#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}
