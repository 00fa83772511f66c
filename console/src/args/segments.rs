//! Options of the commands about segments.

use std::path::PathBuf;

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};
use evaluation::Key;
use proto::v1;

use super::global::key;
use crate::rule;

/// What `segments --help` teaches.
pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate segments create beta --owner growth
  tidegate segments create staff --when 'email ends_with @acme.com'
  tidegate segments add beta user-7 user-8
  tidegate segments add beta --file members.txt            one unit a line; - reads standard input
  tidegate segments add beta user-9 --excluded
  tidegate segments members beta | wc -l
  tidegate segments create -f segment.yaml

A unit that is excluded is out; one that is included is in; any other is in if the conditions of a group hold.";

/// What to do about segments.
#[derive(Debug, Subcommand)]
pub(crate) enum SegmentCommand {
    /// List the segments
    #[command(visible_alias = "ls")]
    List(SegmentListArgs),
    /// Show a segment without its members
    Get(SegmentKey),
    /// Create a segment, from options or from a document
    Create(SegmentCreateArgs),
    /// Delete a segment that no flag reads; its history stays
    Delete(SegmentDeleteArgs),
    /// Put units on a list
    Add(UnitsArgs),
    /// Take units off a list
    Remove(UnitsArgs),
    /// Write the units of a list, one a line
    Members(MembersArgs),
}

/// Which segments. Filters that are given must all fit.
#[derive(Debug, Args)]
pub(crate) struct SegmentListArgs {
    /// Only segments with this tag; given several times, with all of them
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) tag: Vec<String>,
    /// Only segments of this owner
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) owner: Option<String>,
    /// Only segments with this text in key, description, owner or tags, without regard to case
    #[arg(long, visible_alias = "search", value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) text: Option<String>,
}

/// One segment.
#[derive(Debug, Args)]
pub(crate) struct SegmentKey {
    /// The segment's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
}

/// A segment to delete.
#[derive(Debug, Args)]
pub(crate) struct SegmentDeleteArgs {
    /// The segment's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// A new segment.
#[derive(Debug, Args)]
pub(crate) struct SegmentCreateArgs {
    /// The segment's key; with a document, the key that it must have
    #[arg(value_parser = key, required_unless_present = "file")]
    pub(crate) key: Option<Key>,
    /// A YAML or JSON document of one segment; - reads standard input
    #[arg(short, long, value_name = "FILE", conflicts_with_all = [
        "description", "owner", "tag", "when", "include", "exclude",
    ])]
    pub(crate) file: Option<PathBuf>,
    /// What the segment is for
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) description: String,
    /// Who answers for the segment
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(crate) owner: String,
    /// A free label; may be given several times
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) tag: Vec<String>,
    /// Conditions, as of a rule: 'country=DE,AT and paying=true'; given several times, one of them must hold
    #[arg(long, value_name = "CONDITIONS", value_parser = conditions)]
    pub(crate) when: Vec<v1::ConditionGroup>,
    /// Units that are in
    #[arg(long, value_name = "UNIT", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub(crate) include: Vec<String>,
    /// Units that are out
    #[arg(long, value_name = "UNIT", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub(crate) exclude: Vec<String>,
}

/// Units of a list.
#[derive(Debug, Args)]
pub(crate) struct UnitsArgs {
    /// The segment's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// Targeting keys
    #[arg(value_parser = NonEmptyStringValueParser::new(), required_unless_present = "file")]
    pub(crate) unit: Vec<String>,
    /// A file with one unit a line; - reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The list of units that are out, not the one of those that are in
    #[arg(long)]
    pub(crate) excluded: bool,
}

/// Which list.
#[derive(Debug, Args)]
pub(crate) struct MembersArgs {
    /// The segment's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// The units that are out, not those that are in
    #[arg(long)]
    pub(crate) excluded: bool,
}

fn conditions(text: &str) -> Result<v1::ConditionGroup, String> {
    let conditions = rule::parse_conditions(text)?;
    Ok(v1::ConditionGroup { conditions })
}
