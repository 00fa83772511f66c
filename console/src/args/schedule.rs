//! Options of the commands about scheduled changes.

use std::time::Duration;

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};
use evaluation::Key;

use super::{
    SetArgs,
    global::{key, moment, positive},
};

/// What `schedule --help` teaches.
pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate schedule set checkout-v2 on --percent 50 --at 2026-12-01T09:00:00Z
  tidegate schedule disable summer-sale --at 2026-09-01T00:00:00+02:00 --reason 'the sale ends'
  tidegate schedule kill checkout-v1 --in 2h
  tidegate schedule list
  tidegate schedule cancel 0192f3c4-...

A change is checked when it is scheduled and again when it is due. It is made exactly once; one that is due while the
control plane is down is made when it is back, if that is not later than --deadline.";

/// What to do about scheduled changes.
#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Serve a variant from then on; options as of `tidegate set`
    Set(Box<ScheduledSet>),
    /// Turn a flag on then
    Enable(ScheduledFlag),
    /// Turn a flag off then
    Disable(ScheduledFlag),
    /// Kill a flag then
    Kill(ScheduledFlag),
    /// Undo a kill then
    Revive(ScheduledFlag),
    /// Put a flag away then
    Archive(ScheduledFlag),
    /// Take an archived flag back into use then
    Unarchive(ScheduledFlag),
    /// Delete a flag then
    Delete(ScheduledFlag),
    /// List the changes that are pending
    #[command(visible_alias = "ls")]
    List(ScheduleListArgs),
    /// Show one scheduled change
    Get(ScheduleName),
    /// Cancel a scheduled change
    Cancel(ScheduleName),
}

/// When, and on which condition.
#[derive(Debug, Args)]
pub(crate) struct WhenArgs {
    /// When: RFC 3339 with its offset, such as 2026-12-01T09:00:00Z
    #[arg(long, value_name = "MOMENT", value_parser = moment, required_unless_present = "in_", conflicts_with = "in_")]
    pub(crate) at: Option<i64>,
    /// How long from now, such as 2h
    #[arg(long = "in", id = "in_", value_name = "DURATION", value_parser = positive)]
    pub(crate) after: Option<Duration>,
    /// How late it may still be made, if the control plane was down (default: 24h)
    #[arg(long, value_name = "DURATION", value_parser = positive)]
    pub(crate) deadline: Option<Duration>,
    /// Refuse the change then if the flag was changed by anybody in between
    #[arg(long)]
    pub(crate) if_unchanged: bool,
}

/// What a flag serves from then on.
#[derive(Debug, Args)]
pub(crate) struct ScheduledSet {
    #[command(flatten)]
    pub(crate) set: SetArgs,
    #[command(flatten)]
    pub(crate) when: WhenArgs,
}

/// A flag and when.
#[derive(Debug, Args)]
pub(crate) struct ScheduledFlag {
    /// The flag's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    #[command(flatten)]
    pub(crate) when: WhenArgs,
}

/// Which scheduled changes.
#[derive(Debug, Args)]
pub(crate) struct ScheduleListArgs {
    /// Only those of this flag
    #[arg(value_parser = key)]
    pub(crate) key: Option<Key>,
    /// Those that ended as well
    #[arg(long)]
    pub(crate) all: bool,
}

/// One scheduled change.
#[derive(Debug, Args)]
pub(crate) struct ScheduleName {
    /// Its id, as `tidegate schedule list` shows it
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) id: String,
}
