//! Options of the commands that compare and copy.

use clap::{Args, builder::NonEmptyStringValueParser};
use evaluation::Key;

use super::global::key;

/// What `diff --help` teaches.
pub(super) const DIFF_EXAMPLES: &str = "\
Examples:
  tidegate diff checkout-v2                           the last change
  tidegate diff checkout-v2 --from 3 --to 7           between two versions
  tidegate diff staff --segment
  tidegate diff -e staging --to-environment production               all that a copy would change
  tidegate diff -e staging --to-environment production checkout-v2 --exit-code";
/// What `copy --help` teaches.
pub(super) const COPY_EXAMPLES: &str = "\
Examples:
  tidegate copy checkout-v2 --from staging --to production --dry-run
  tidegate copy checkout-v2 search --segment staff --from staging --to production
  tidegate copy --all --from staging --to production --reason 'release 42'

Kill switches and rollouts are not copied, and what only the target has is left alone. Up to 50 documents are copied at
once or not at all; more go in parts under one changeset. A copy that ended half-way goes on when it is run again: what
is equal already is left alone.";

/// What to compare.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The flag's key; between environments any number of them, none for everything
    #[arg(value_parser = key, required_unless_present = "to_environment")]
    pub(crate) key: Vec<Key>,
    /// The older version (default: the one before the newer)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "to_environment")]
    pub(crate) from: Option<u32>,
    /// The newer version (default: the newest)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "to_environment")]
    pub(crate) to: Option<u32>,
    /// Compare the environment of -e with this one: what a copy into it would change
    #[arg(long, value_name = "KEY", value_parser = key)]
    pub(crate) to_environment: Option<Key>,
    /// The keys are those of segments
    #[arg(long)]
    pub(crate) segment: bool,
    /// Exit with 5 if anything differs
    #[arg(long)]
    pub(crate) exit_code: bool,
}

/// What to copy.
#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// Keys of flags
    #[arg(value_parser = key, required_unless_present_any = ["all", "segment"], conflicts_with = "all")]
    pub(crate) key: Vec<Key>,
    /// Key of a segment, copied with its members; may be given several times
    #[arg(long, value_name = "KEY", value_parser = key, conflicts_with = "all")]
    pub(crate) segment: Vec<Key>,
    /// Everything that differs
    #[arg(long)]
    pub(crate) all: bool,
    /// The environment to copy from
    #[arg(long, value_name = "ENVIRONMENT", value_parser = key)]
    pub(crate) from: Key,
    /// The environment to copy to
    #[arg(long, value_name = "ENVIRONMENT", value_parser = key)]
    pub(crate) to: Key,
    /// Only show what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Joins the audit records with those of other calls: a UUID
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub(crate) changeset: Option<String>,
}
