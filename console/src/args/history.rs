//! Options of the commands about versions.

use clap::Args;
use evaluation::Key;

use super::global::key;

/// What `history --help` teaches.
pub(super) const HISTORY_EXAMPLES: &str = "\
Examples:
  tidegate history checkout-v2
  tidegate history checkout-v2 --version 3 -o yaml
  tidegate history staff --segment";
/// What `restore --help` teaches.
pub(super) const RESTORE_EXAMPLES: &str = "\
Examples:
  tidegate restore checkout-v1                       what was deleted, as it was
  tidegate restore checkout-v2 --version 3 --dry-run
  tidegate restore checkout-v1 --version 8 --reason 'still needed'

A kill that is in force stays. What was deleted comes back.";

/// Whose versions.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The flag's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// The key is that of a segment
    #[arg(long)]
    pub(crate) segment: bool,
    /// Show this version, whole
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) version: Option<u32>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
}

/// Which version to write again.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The flag's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// The version, as `tidegate history` numbers them; of what was deleted the last if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) version: Option<u32>,
    /// The key is that of a segment
    #[arg(long)]
    pub(crate) segment: bool,
    /// Only show what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
}
