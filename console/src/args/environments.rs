//! Options of the commands about environments.

use clap::{Args, Subcommand, ValueEnum};
use evaluation::Key;

use super::global::key;

/// What `environments --help` teaches.
pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate environments
  tidegate environments create canary --kind production --order 3 --description 'one cell'
  tidegate environments set canary --description 'two cells'
  tidegate environments delete canary --yes";

/// What to do about environments.
#[derive(Debug, Subcommand)]
pub(crate) enum EnvironmentCommand {
    /// List the environments in the order of promotion
    #[command(visible_alias = "ls")]
    List,
    /// Show one environment
    Get(EnvironmentKey),
    /// Create an environment
    Create(EnvironmentArgs),
    /// Change kind, order or description
    Set(EnvironmentArgs),
    /// Delete an environment that holds nothing
    Delete(EnvironmentDeleteArgs),
}

/// One environment.
#[derive(Debug, Args)]
pub(crate) struct EnvironmentKey {
    /// The environment's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
}

/// What an environment is.
#[derive(Debug, Args)]
pub(crate) struct EnvironmentArgs {
    /// The environment's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// What it is for (of a new one: development)
    #[arg(long, value_enum)]
    pub(crate) kind: Option<KindArg>,
    /// Its place in the order of promotion, from 1 (of a new one: the last)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) order: Option<u32>,
    /// For people
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
}

/// An environment to delete.
#[derive(Debug, Args)]
pub(crate) struct EnvironmentDeleteArgs {
    /// The environment's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// What an environment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindArg {
    /// Where changes are made
    Development,
    /// Where they are tried
    Staging,
    /// Where they matter
    Production,
}
