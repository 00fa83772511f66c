//! What a person can do to a rollout, and the sequence that the decision was based on.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum, builder::NonEmptyStringValueParser};
use rollout::HoldReason;

use super::RolloutName;
use crate::args::global::positive;

/// What `rollout advance --help` teaches.
pub(super) const ADVANCE_EXAMPLES: &str = "\
Example:
  tidegate rollout advance checkout-v2 --reason 'a day of canary is enough'

Passes over dwell, data and criteria. Harm, delivery, approvals, the checklist and the windows it does not pass over.
Shows where the rollout stands and asks; it is refused if the rollout has moved meanwhile.";
/// What `rollout tick --help` teaches.
pub(super) const TICK_EXAMPLES: &str = "\
Examples:
  tidegate rollout tick checkout-v2 rollback-rehearsed
  tidegate rollout tick checkout-v2 dashboards-checked --list stage

Without --list the item is looked for in the lists that matter now.";
/// What `rollout issue --help` teaches.
pub(super) const ISSUE_EXAMPLES: &str = "\
Examples:
  tidegate rollout issue add checkout-v2 'wrong tax in Norway'
  tidegate rollout issue close checkout-v2 1 --resolution 'fixed in 4.1.2'";

/// What `rollout dismiss --help` teaches.
pub(super) const DISMISS_EXAMPLES: &str = "\
Examples:
  tidegate rollout dismiss checkout-v2 --signal evidence --reason 'slower, and worth it'
  tidegate rollout dismiss checkout-v2 --signal evidence --guard p95 --reason 'a known batch job'
  tidegate rollout dismiss checkout-v2 --signal incident --reason 'the payment provider, not us'

`rollout get` shows what is raised. What is dismissed holds no longer and stands against no gate, and not against
`advance` or `complete`: until the stage is left, or until there is twice as much of it (of evidence as much again as
there was, of a cap twice the events). It never touches an abort: evidence at the abort level, rules that abort, kill
conditions and roll-back criteria act as before, and nothing clears a latch. What a person holds ends with `resume`;
data that is missing must come.";

/// A rollout, and the sequence that the decision was based on.
#[derive(Debug, Args)]
pub(crate) struct ActArgs {
    #[command(flatten)]
    pub(crate) rollout: RolloutName,
    /// Refuse it unless the rollout is still at this sequence
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) sequence: Option<u64>,
}

/// An act that raises exposure: asked for before it is done.
#[derive(Debug, Args)]
pub(crate) struct CertainArgs {
    #[command(flatten)]
    pub(crate) act: ActArgs,
    /// Do it without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// By how much.
#[derive(Debug, Args)]
pub(crate) struct ExtendArgs {
    #[command(flatten)]
    pub(crate) act: ActArgs,
    /// How much longer (default: the stage's extension)
    #[arg(long, value_name = "DURATION", value_parser = positive)]
    pub(crate) by: Option<Duration>,
}

/// Where to.
#[derive(Debug, Args)]
pub(crate) struct StepBackArgs {
    #[command(flatten)]
    pub(crate) act: ActArgs,
    /// Name of an earlier stage
    #[arg(long, value_name = "STAGE", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) to: String,
}

/// Which reason.
#[derive(Debug, Args)]
pub(crate) struct TriggerArgs {
    #[command(flatten)]
    pub(crate) act: ActArgs,
    /// The reason as the plan names it
    #[arg(value_name = "TRIGGER", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) trigger: String,
}

/// Which item.
#[derive(Debug, Args)]
pub(crate) struct TickArgs {
    #[command(flatten)]
    pub(crate) act: ActArgs,
    /// The item's name
    #[arg(value_name = "ITEM", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) item: String,
    /// The list that it is on
    #[arg(long, value_enum)]
    pub(crate) list: Option<ListArg>,
}

/// A list of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListArg {
    /// Before the start
    Preflight,
    /// Before the present stage's gate opens
    Stage,
    /// Before the completion
    Exit,
}

impl ListArg {
    /// As the wire says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Stage => "stage",
            Self::Exit => "exit",
        }
    }
}

/// What to do about issues found.
#[derive(Debug, Subcommand)]
pub(crate) enum IssueCommand {
    /// Add an issue found; it appears in the record
    #[command(after_help = "Example:\n  tidegate rollout issue add checkout-v2 'wrong tax in Norway'")]
    Add(FoundArgs),
    /// Close an issue
    #[command(after_help = "Example:\n  tidegate rollout issue close checkout-v2 1 --resolution 'fixed in 4.1.2'")]
    Close(ClosingArgs),
}

/// Which signal.
#[derive(Debug, Args)]
pub(crate) struct DismissArgs {
    #[command(flatten)]
    pub(crate) act: ActArgs,
    /// What is no harm: evidence, rule, incident, sample-ratio, early or inconclusive
    #[arg(long, value_name = "SIGNAL", value_parser = signal)]
    pub(crate) signal: HoldReason,
    /// Only of this guard: its number, its metric, its harm or its name (default: each that holds it now)
    #[arg(long, value_name = "GUARD", default_value = "", hide_default_value = true)]
    pub(crate) guard: String,
}

/// A signal that can be dismissed; what cannot be is refused with what ends it.
fn signal(text: &str) -> Result<HoldReason, String> {
    match HoldReason::of_name(text) {
        Some(reason) if reason.is_dismissible() => Ok(reason),
        Some(other) => Err(format!("{text} cannot be dismissed: {}", other.ended_by())),
        None => {
            let known = HoldReason::ALL.into_iter().filter(|reason| reason.is_dismissible());
            let known: Vec<&str> = known.map(HoldReason::name).collect();
            Err(format!("must be one of {}", known.join(", ")))
        }
    }
}

/// Something that was found.
#[derive(Debug, Args)]
pub(crate) struct FoundArgs {
    #[command(flatten)]
    pub(crate) act: ActArgs,
    /// What was found
    #[arg(value_name = "TITLE", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) title: String,
}

/// An issue that is dealt with.
#[derive(Debug, Args)]
pub(crate) struct ClosingArgs {
    #[command(flatten)]
    pub(crate) act: ActArgs,
    /// Its number
    #[arg(value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) number: u32,
    /// How it was dealt with
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) resolution: String,
}
