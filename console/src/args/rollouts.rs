//! Options of the commands about rollouts: which there are, and which rollout is meant.
//!
//! Where a plan comes from is in `source.rs`, what a person can do to a rollout in `acts.rs`, how one is judged again in
//! `replay.rs`.

mod acts;
mod replay;
mod source;

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};

use self::acts::{ExtendArgs, StepBackArgs, TriggerArgs};
pub(crate) use self::{
    acts::{ActArgs, CertainArgs, DismissArgs, IssueCommand, TickArgs},
    replay::WhatIfArgs,
    source::{CreateRolloutArgs, InlinePlan, PlanSource, StartArgs, UnitArg, strategy},
};
use super::plans::{PlanFile, ScenarioArgs};

/// What `rollout --help` teaches.
pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate rollout start -f checkout.yaml
  tidegate rollout start --plan checkout-v2 -e production --reason 'release 42'
  tidegate rollout watch checkout-v2
  tidegate rollout approve checkout-v2#3 --reason 'numbers look right'
  tidegate rollout pause checkout-v2 --reason 'the database moves'
  tidegate rollout dismiss checkout-v2 --signal evidence --guard p95 --reason 'a known batch job'
  tidegate rollout roll-back checkout-v2 --reason 'wrong prices'
  tidegate rollout abort checkout-v2 --reason 'the phones ring'

Life: draft, submit, ready, start, stage after stage (ramp, soak, gate), bake, completed. `roll-back` ends a rollout at
0 % and lets it be tried again; `abort` latches the end. With --sequence N an act is refused if the rollout has moved
since it was looked at: `rollout get` shows its sequence.";
/// What `rollout list --help` teaches.
const LIST_EXAMPLES: &str = "Examples:\n  tidegate rollout list --active\n  tidegate rollout list -e staging -o json";
/// What `rollout watch --help` teaches.
const WATCH_EXAMPLES: &str = "\
Examples:
  tidegate rollout watch checkout-v2
  tidegate rollout watch checkout-v2#3 -o json

On a terminal a live tree of the stages; elsewhere a line for each change. Exits 0 if it completes, 3 if it ends in
another way.";
/// What `rollout edit --help` teaches.
const EDIT_EXAMPLES: &str = "\
Example:
  tidegate rollout edit checkout-v2 checkout.yaml --sequence 12 --reason 'two more days of canary'

Once it has started, only a plan that raises no exposure is taken. Approvals are for a version of the plan: those that
were given for the one before no longer count.";
/// What `rollout retry --help` teaches.
const RETRY_EXAMPLES: &str = "\
Examples:
  tidegate rollout retry checkout-v2 --reason 'fixed in 4.1.2'
  tidegate rollout retry checkout-v2 --reshuffle

A new run from the first stage with fresh evidence. It keeps the buckets: who had the treatment first has it first
again, so that no more units see it than before. --reshuffle draws new ones: when the units of the first stages were
harmed, know the treatment already, or are not like the others, a fair comparison needs others.";
/// What `rollout simulate --help` teaches.
const SIMULATE_EXAMPLES: &str = "\
Examples:
  tidegate rollout simulate checkout-v2
  tidegate rollout simulate checkout-v2#3 --scenario harm --stage beta

Walks on from where it stands, in virtual time; the rollout itself does not move.";

/// What to do about rollouts. A rollout is named by its display name (checkout#3), its id, or its flag's key for the
/// flag's newest.
#[derive(Debug, Subcommand)]
pub(crate) enum RolloutCommand {
    /// Create a rollout as a draft; it holds nothing until it is started
    #[command(after_help = source::CREATE_EXAMPLES)]
    Create(Box<CreateRolloutArgs>),
    /// Give a rollout a new version of its plan
    #[command(after_help = EDIT_EXAMPLES)]
    Edit(EditArgs),
    /// Submit a draft: it may be approved and started
    #[command(after_help = "Example:\n  tidegate rollout submit checkout-v2#3")]
    Submit(ActArgs),
    /// Approve the start, or the gate of the present stage
    #[command(after_help = "Example:\n  tidegate rollout approve checkout-v2#3 --reason 'numbers look right'")]
    Approve(ActArgs),
    /// Start a rollout, from options, from a plan, or one that was created
    #[command(after_help = source::START_EXAMPLES)]
    Start(Box<StartArgs>),
    /// Stop its clock; exposure stays as it is
    #[command(after_help = "Example:\n  tidegate rollout pause checkout-v2 --reason 'the database moves'")]
    Pause(ActArgs),
    /// Let its clock run again; a person's hold ends
    #[command(after_help = "Example:\n  tidegate rollout resume checkout-v2")]
    Resume(ActArgs),
    /// Into the next stage without waiting for dwell, data and criteria
    #[command(after_help = acts::ADVANCE_EXAMPLES)]
    Advance(CertainArgs),
    /// Hold it where it is until somebody resumes it
    #[command(after_help = "Example:\n  tidegate rollout hold checkout-v2 --reason 'odd numbers'")]
    Hold(ActArgs),
    /// Let the gate wait until every issue found is closed
    #[command(
        after_help = "Example:\n  tidegate rollout issue add checkout-v2 'wrong tax'\n  tidegate rollout fix checkout-v2"
    )]
    Fix(ActArgs),
    /// Let the present stage last longer
    #[command(after_help = "Example:\n  tidegate rollout extend checkout-v2 --by 24h")]
    Extend(ExtendArgs),
    /// Back to an earlier stage
    #[command(after_help = "Example:\n  tidegate rollout step-back checkout-v2 --to canary --reason 'slow for some'")]
    StepBack(StepBackArgs),
    /// End it at 0 %, without a latch: it may be tried again
    #[command(after_help = "Example:\n  tidegate rollout roll-back checkout-v2 --reason 'wrong prices'")]
    RollBack(ActArgs),
    /// End a rollout by hand: everybody gets the control, for good
    #[command(after_help = "Example:\n  tidegate rollout abort checkout-v2 --reason 'the phones ring'")]
    Abort(ActArgs),
    /// Abort it for a reason that its plan names
    #[command(after_help = "Example:\n  tidegate rollout trigger checkout-v2 data-loss")]
    Trigger(TriggerArgs),
    /// Start a new run of a rollout that ended without completing
    #[command(after_help = RETRY_EXAMPLES)]
    Retry(RetryArgs),
    /// Tick an item of its lists
    #[command(after_help = acts::TICK_EXAMPLES)]
    Tick(TickArgs),
    /// Take a tick back
    #[command(after_help = "Example:\n  tidegate rollout untick checkout-v2 rollback-rehearsed")]
    Untick(TickArgs),
    /// Issues found: add and close them
    #[command(subcommand, after_help = acts::ISSUE_EXAMPLES)]
    Issue(IssueCommand),
    /// Say that a signal is no harm: it holds no longer, in this stage and until there is twice as much
    #[command(after_help = acts::DISMISS_EXAMPLES)]
    Dismiss(DismissArgs),
    /// Say that you have seen how it stands
    #[command(after_help = "Example:\n  tidegate rollout acknowledge checkout-v2 --reason 'waits for legal'")]
    Acknowledge(ActArgs),
    /// End the bake: the treatment becomes the flag's default
    #[command(after_help = "Example:\n  tidegate rollout complete checkout-v2 --yes")]
    Complete(CertainArgs),
    /// Put an ended rollout away
    #[command(after_help = "Example:\n  tidegate rollout archive checkout-v2#1")]
    Archive(ActArgs),
    /// Walk on from where it stands, in virtual time
    #[command(after_help = SIMULATE_EXAMPLES)]
    Simulate(SimulateArgs),
    /// List the rollouts, the newest first
    #[command(visible_alias = "ls", after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Show a rollout
    #[command(
        after_help = "Examples:\n  tidegate rollout get checkout-v2\n  tidegate rollout get checkout-v2#3 -o yaml"
    )]
    Get(RolloutName),
    /// Follow a rollout to its end
    #[command(after_help = WATCH_EXAMPLES)]
    Watch(RolloutName),
    /// Show its record: every transition, what was known at each stage's exit, every act
    #[command(after_help = "Example:\n  tidegate rollout record checkout-v2#3 -o json > record.json")]
    Record(RolloutName),
    /// Judge it again from its log and batches: does all agree?
    #[command(after_help = replay::REPLAY_EXAMPLES)]
    Replay(RolloutName),
    /// Judge it again by other limits: what would they have done?
    #[command(after_help = replay::WHAT_IF_EXAMPLES)]
    WhatIf(WhatIfArgs),
}

/// One rollout.
#[derive(Debug, Args)]
pub(crate) struct RolloutName {
    /// A display name (checkout#3), an id, or a flag's key for its newest rollout
    #[arg(value_name = "ROLLOUT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: String,
}

/// Which rollouts.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those that have not ended
    #[arg(long)]
    pub(crate) active: bool,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
}

/// A new version of a rollout's plan.
#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    #[command(flatten)]
    pub(crate) act: ActArgs,
    #[command(flatten)]
    pub(crate) document: PlanFile,
}

/// A new run.
#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    #[command(flatten)]
    pub(crate) rollout: RolloutName,
    /// Draw new buckets
    #[arg(long)]
    pub(crate) reshuffle: bool,
    /// Start it without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// What happens from here on.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    #[command(flatten)]
    pub(crate) rollout: RolloutName,
    #[command(flatten)]
    pub(crate) scenario: ScenarioArgs,
}
