//! Options of the commands about where flags stand, and what happened to their rollouts.

use std::path::PathBuf;

use clap::{Args, ValueEnum, builder::NonEmptyStringValueParser};
use evaluation::Key;

use super::global::key;

/// What `status --help` teaches.
pub(super) const STATUS_EXAMPLES: &str = "\
Examples:
  tidegate status
  tidegate status checkout-v2 -o json
  tidegate status checkout-v2 --block
  tidegate status checkout-v2 --write docs/checkout.md

Across all environments: unrolled, staging-only, canary-N%, prod-100%, and whether a flag is stuck, with the question to
ask then. --write puts the flag's <rollout_status> block into a Markdown file: in the place of the block of the same
cycle, or at the end of a file that has none. Everything else in the file stays as it is.";
/// What `events --help` teaches.
pub(super) const EVENTS_EXAMPLES: &str = "\
Examples:
  tidegate events
  tidegate events --type rollout_aborted --type alert
  tidegate events --follow --after 417-0

One CloudEvent a line, as JSON. The position of the last line is what --after takes, so nothing is missed and nothing comes
twice. Events of all environments, unless -e names one.";
/// What `posteriors --help` teaches.
pub(super) const POSTERIORS_EXAMPLES: &str = "\
Examples:
  tidegate posteriors
  tidegate posteriors --component checkout -o json

A win that reached 10 % of users counts 0.1.";

/// Which flags, and where their status goes.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Keys of flags; none: all
    #[arg(value_name = "FLAG", value_parser = key)]
    pub(crate) flag: Vec<Key>,
    /// Write the <rollout_status> block of one flag into this Markdown file, in place
    #[arg(long, value_name = "FILE", requires = "flag")]
    pub(crate) write: Option<PathBuf>,
    /// Show <rollout_status> blocks instead of the table
    #[arg(long, conflicts_with = "write")]
    pub(crate) block: bool,
}

/// Which events.
#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// Only those behind the event with this id (default: from the beginning of what is kept)
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) after: Option<String>,
    /// Only of this type; may be given several times
    #[arg(long = "type", value_name = "TYPE", value_enum)]
    pub(crate) types: Vec<EventType>,
    /// Write events as they happen, until Ctrl-C; goes on by itself after a cut
    #[arg(short, long)]
    pub(crate) follow: bool,
}

/// A type of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum EventType {
    /// A rollout has started
    RolloutStarted,
    /// It is in its next stage
    RolloutAdvanced,
    /// It is held
    RolloutHeld,
    /// A person has dismissed what held it
    RolloutDismissed,
    /// It was aborted
    RolloutAborted,
    /// It was rolled back
    RolloutRolledBack,
    /// It stands where it is for too long
    RolloutStuck,
    /// The treatment is the flag's default
    RolloutCompleted,
    /// How it turned out, and how far it had come
    VerifyOutcome,
    /// Something that people should know of, or look at now
    Alert,
}

impl EventType {
    /// As the wire says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RolloutStarted => "rollout_started",
            Self::RolloutAdvanced => "rollout_advanced",
            Self::RolloutHeld => "rollout_held",
            Self::RolloutDismissed => "rollout_dismissed",
            Self::RolloutAborted => "rollout_aborted",
            Self::RolloutRolledBack => "rollout_rolled_back",
            Self::RolloutStuck => "rollout_stuck",
            Self::RolloutCompleted => "rollout_completed",
            Self::VerifyOutcome => "verify_outcome",
            Self::Alert => "alert",
        }
    }
}

/// Which posteriors.
#[derive(Debug, Args)]
pub(crate) struct PosteriorsArgs {
    /// Only of this component
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) component: Option<String>,
    /// Only of this pattern
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) pattern: Option<String>,
}
