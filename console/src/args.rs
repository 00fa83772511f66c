//! The command line: options, commands and their checks. The only place that reads environment variables.
//!
//! What clap accepts here is already parsed: keys are keys, percentages are buckets, durations have a unit. Options
//! that stand for the same thing in several commands are written once.

mod flags;
mod rollouts;

use std::{env, fs, time::Duration};

use clap::{Args, Parser, Subcommand, builder::NonEmptyStringValueParser};
use evaluation::{Buckets, Key};
use tonic::{
    metadata::{Ascii, MetadataValue},
    transport::Endpoint,
};

pub(crate) use self::{
    flags::{CreateArgs, SetArgs, TypeArg, VariantArg},
    rollouts::{RolloutCommand, StartArgs, UnitArg},
};
use crate::{duration, error::EXIT_CODES, print::Format};

/// Feature flags and staged rollouts: the operator's command line of Tidegate.
///
/// Speaks gRPC to a control plane (tidegate-control-plane). Every change is durable and audited when a command returns.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = EXIT_CODES, after_long_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// Options that every command takes.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The control plane's address
    #[arg(long, global = true, env = "TIDEGATE_SERVER", value_name = "URL", default_value = "http://127.0.0.1:7420",
          value_parser = server)]
    pub(crate) server: String,
    /// The environment to act in
    #[arg(short, long, global = true, env = "TIDEGATE_ENVIRONMENT", value_name = "KEY", default_value = "production",
          value_parser = key)]
    pub(crate) environment: Key,
    /// How to write results
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    /// Why you do this; recorded in the audit
    #[arg(long, global = true, value_name = "TEXT", value_parser = metadata)]
    pub(crate) reason: Option<MetadataValue<Ascii>>,
    /// Who does this; recorded in the audit (default: user@host)
    #[arg(long, global = true, env = "TIDEGATE_ACTOR", value_name = "NAME", value_parser = metadata)]
    pub(crate) actor: Option<MetadataValue<Ascii>>,
    /// How long to wait for an answer
    #[arg(long, global = true, value_name = "DURATION", default_value = "10s", value_parser = timeout)]
    pub(crate) timeout: Duration,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a flag, from options or from a document
    Create(Box<CreateArgs>),
    /// Serve a variant of a flag, to everybody or to a percentage
    Set(Box<SetArgs>),
    /// Show a flag
    Get(FlagKey),
    /// List the flags
    List,
    /// Turn a flag on: its lists, rules and default decide
    Enable(FlagKey),
    /// Turn a flag off: everybody gets the off variant
    Disable(FlagKey),
    /// Emergency: everybody gets the off variant, until revived
    Kill(FlagKey),
    /// Undo a kill
    Revive(FlagKey),
    /// Start, follow and abort rollouts
    #[command(subcommand)]
    Rollout(RolloutCommand),
    /// Show who did what, when and why, the newest first
    Audit(AuditArgs),
    /// List the agents and the revisions that they hold
    Fleet,
    /// List the environments in the order of promotion
    Environments,
}

/// One flag.
#[derive(Debug, Args)]
pub(crate) struct FlagKey {
    /// The flag's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
}

/// Which records.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Only records about this flag or rollout
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) key: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
}

impl Global {
    /// Who acts: as given, else user@host.
    pub(crate) fn acting(&self) -> MetadataValue<Ascii> {
        let given = self.actor.clone();
        given
            .or_else(|| metadata(&user_at_host()).ok())
            .unwrap_or_else(|| MetadataValue::from_static("unknown"))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads settings")]
fn user_at_host() -> String {
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let file = |path| {
        fs::read_to_string(path)
            .ok()
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
    };
    let user = variable("USER")
        .or_else(|| variable("LOGNAME"))
        .unwrap_or_else(|| "unknown".into());
    let host = file("/proc/sys/kernel/hostname")
        .or_else(|| file("/etc/hostname"))
        .or_else(|| variable("HOSTNAME"));
    format!("{user}@{}", host.unwrap_or_else(|| "localhost".into()))
}

/// A key of a flag, an environment, a flag set.
fn key(text: &str) -> Result<Key, String> {
    Key::parse(text).map_err(|error| error.to_string())
}

/// A percentage with at most three decimals.
fn percent(text: &str) -> Result<Buckets, String> {
    Buckets::parse_percent(text).map_err(|error| error.to_string())
}

fn server(text: &str) -> Result<String, String> {
    let address = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    if !address.starts_with("http://") {
        return Err("write http://HOST:PORT".into());
    }
    Endpoint::from_shared(address.clone()).map_err(|_| "write http://HOST:PORT")?;
    Ok(address)
}

fn timeout(text: &str) -> Result<Duration, String> {
    let timeout = duration::parse(text)?;
    if timeout.is_zero() {
        Err("longer than 0s".into())
    } else {
        Ok(timeout)
    }
}

/// Text that travels as gRPC metadata, which carries printable ASCII only; at most 1,024 bytes.
fn metadata(text: &str) -> Result<MetadataValue<Ascii>, String> {
    if text.len() > 1_024 {
        return Err("at most 1,024 bytes".into());
    }
    match text.chars().find(|c| !matches!(c, ' '..='~')) {
        Some(c) => Err(format!("{c:?} cannot be sent; write printable ASCII")),
        None => MetadataValue::try_from(text).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests;
