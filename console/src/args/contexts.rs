//! Options of the commands about contexts. What a context says is given by the options of every command.

use clap::{Args, Subcommand};
use evaluation::Key;

use super::global::key;

/// What `context --help` teaches.
pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate context set production --server http://gate.internal:7420 --environment production
  tidegate context set production --token-file ~/.tidegate-token
  tidegate context use production
  tidegate context show
  tidegate list --context-name staging            for one command

The contexts are in $XDG_CONFIG_HOME/tidegate/contexts.toml (or ~/.config/tidegate/contexts.toml; TIDEGATE_CONFIG names
another), readable by you alone. Options and environment variables go before the context in use.";

/// What to do about contexts.
#[derive(Debug, Subcommand)]
pub(crate) enum ContextCommand {
    /// Use a context from now on
    Use(ContextName),
    /// List the contexts; the one in use has a star
    #[command(visible_alias = "ls")]
    List,
    /// Make a context, or change what is given: --server, --environment, --token-file, --token
    Set(ContextSetArgs),
    /// Delete a context
    Delete(ContextName),
    /// Show where commands act, and what says so
    Show,
}

/// One context.
#[derive(Debug, Args)]
pub(crate) struct ContextName {
    /// The context's name
    #[arg(value_parser = key)]
    pub(crate) name: Key,
}

/// A context to write.
#[derive(Debug, Args)]
pub(crate) struct ContextSetArgs {
    /// The context's name
    #[arg(value_parser = key)]
    pub(crate) name: Key,
    /// Use it from now on
    #[arg(long = "use")]
    pub(crate) use_it: bool,
    /// Forget the token
    #[arg(long, conflicts_with_all = ["token", "token_file"])]
    pub(crate) no_token: bool,
}
