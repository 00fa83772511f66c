//! Options of the commands that write and read many documents.

use std::path::PathBuf;

use clap::{Args, builder::NonEmptyStringValueParser};
use evaluation::Key;

use super::global::key;

/// What `apply --help` teaches.
pub(super) const APPLY_EXAMPLES: &str = "\
Examples:
  tidegate apply -f flags.yaml --dry-run               what would change, and nothing is written
  tidegate apply -f flags/ -f segments.yaml -e staging
  tidegate apply -f flags/ --prune --flag-set shop     flags of the set that are not in the files are deleted
  tidegate export -e staging | tidegate apply -f - -e production

Everything is read first: with one thing wrong anywhere, every problem is said with file, line and column, and nothing
is written. Up to 50 documents are written at once or not at all; more go in parts under one changeset, what is read
before what reads it. What is equal is left alone, so an apply that ended half-way goes on when it is run again.
A flag without a salt keeps its salt, a segment document without members keeps its members. Kill switches and rollouts
are not touched.

Exit codes: 0 all is as the files say; 1 refused, and it says what was written before; 2 a file is wrong;
4 the control plane cannot be reached; 5 with --dry-run --exit-code: something would change";

/// What `export --help` teaches.
pub(super) const EXPORT_EXAMPLES: &str = "\
Examples:
  tidegate export -e production > production.yaml
  tidegate export checkout-v2 search --segment staff
  tidegate export --folder flags/ -o json              one file for each document

Salts, bucket ranges and members are written too: applied to an empty environment, everybody is served the same. What
is no part of a document stays behind and is named: kill switches, archived flags (unless named), rollouts.";

/// What to apply.
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// A file or folder of flags and segments in YAML or JSON; - reads standard input; may be given several times
    #[arg(short, long, value_name = "FILE", required = true)]
    pub(crate) file: Vec<PathBuf>,
    /// Only show what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Delete flags and segments of the environment that are not in the files
    #[arg(long)]
    pub(crate) prune: bool,
    /// Prune only flags of this flag set, and no segments
    #[arg(long, value_name = "KEY", value_parser = key, requires = "prune")]
    pub(crate) flag_set: Option<Key>,
    /// Prune only what has this tag; given several times, all of them
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new(), requires = "prune")]
    pub(crate) tag: Vec<String>,
    /// Delete without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// With --dry-run: exit with 5 if anything would change
    #[arg(long, requires = "dry_run")]
    pub(crate) exit_code: bool,
    /// Join the audit records of another apply: its changeset
    #[arg(long, value_name = "UUID")]
    pub(crate) changeset: Option<String>,
}

/// What to export.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Keys of flags; none, and no --segment: everything
    #[arg(value_parser = key)]
    pub(crate) key: Vec<Key>,
    /// Key of a segment; may be given several times
    #[arg(long, value_name = "KEY", value_parser = key)]
    pub(crate) segment: Vec<Key>,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE", conflicts_with = "folder")]
    pub(crate) to: Option<PathBuf>,
    /// Write one file for each document into this folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
}
