//! Options of the command that brings in what other systems wrote.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use evaluation::Key;

use super::global::key;

/// What `import --help` teaches.
pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate import flagd flags.flagd.json --dry-run     the documents that it becomes, or why it cannot
  tidegate import flagd flags.flagd.json -e staging --skip-unmappable
  tidegate import simple rollouts.yaml                 rollout_percentage, rollout_type, targeting_rules
  tidegate import auto flags.json                      which of them is seen from the file

A rule is imported only if it serves everybody what it served before: every flag that cannot be mapped exactly is named
with the place in its JSON and why, and then nothing is written.

Exit codes: 0 imported; 1 refused by the control plane; 2 the file is wrong or cannot be mapped; 4 not reachable";

/// What to bring in.
#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Flag definitions of flagd (JSON)
    Flagd(FlagdArgs),
    /// Files that say rollout_percentage, rollout_type, targeting_rules (YAML or JSON)
    Simple(ImportArgs),
    /// Either, as the file looks
    Auto(FlagdArgs),
}

/// What every import takes.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file; - reads standard input
    pub(crate) file: PathBuf,
    /// Only write the resulting documents to standard output
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Put the flags into this flag set
    #[arg(long, value_name = "KEY", value_parser = key)]
    pub(crate) flag_set: Option<Key>,
}

/// What an import of flagd's definitions takes.
#[derive(Debug, Args)]
pub(crate) struct FlagdArgs {
    /// What every import takes.
    #[command(flatten)]
    pub(crate) import: ImportArgs,
    /// Import the flags that can be mapped, and name the others
    #[arg(long)]
    pub(crate) skip_unmappable: bool,
    /// Accept that a fractional split keeps its shares but draws units anew
    #[arg(long)]
    pub(crate) rebucket: bool,
    /// Accept that text is not converted to a number where it is compared with one (1 == "1")
    #[arg(long)]
    pub(crate) strict_types: bool,
}
