//! Options of the commands about plans and metrics.

mod draft;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum, builder::NonEmptyStringValueParser};
use evaluation::Key;

pub(crate) use draft::{DraftArgs, RehearsalArg};

use super::{
    global::{key, moment},
    rollouts::RolloutName,
};
use crate::error::Error;

/// What `plan --help` teaches.
pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate plan draft feature.md baseline.md --to checkout.yaml
  tidegate plan lint checkout.yaml -e production
  tidegate plan create checkout.yaml --reason 'release 42'
  tidegate plan simulate checkout.yaml --scenario harm --stage canary
  tidegate plan get checkout-v2 -o yaml > checkout.yaml
  tidegate plan update checkout.yaml --revision 1204
  tidegate rollout start --plan checkout-v2

A plan is written once and executed by rollouts; what lint refuses is not stored.";
/// What `plan lint --help` teaches.
const LINT_EXAMPLES: &str = "\
Examples:
  tidegate plan lint checkout.yaml
  tidegate plan lint --plan checkout-v2 --start-at 2026-12-01T09:00:00Z -o json

Says everything that is wrong with its path, such as stages[2].percentage, and exits with 1 then. Besides: what is worth
a second thought, the calendar with its windows, the units that each stage exposes, the samples and the time that each
limit needs (what any honest test needs, and what ours does), and how often plain thresholds trip without cause.";
/// What `plan simulate --help` teaches.
const SIMULATE_EXAMPLES: &str = "\
Examples:
  tidegate plan simulate checkout.yaml
  tidegate plan simulate --plan checkout-v2 --scenario harm --stage canary
  tidegate plan simulate checkout.yaml --scenario unattended --from 2026-12-01T09:00:00Z

Walks the plan in virtual time; nothing is stored and nothing is started.";
/// What `metrics --help` teaches.
pub(super) const METRICS_EXAMPLES: &str = "\
Examples:
  tidegate metrics list
  tidegate metrics series checkout-v2#3 --metric error-rate";
/// What `metrics list --help` teaches.
const METRICS_LIST_EXAMPLES: &str = "Example:\n  tidegate metrics list";
/// What `metrics series --help` teaches.
const SERIES_EXAMPLES: &str = "\
Examples:
  tidegate metrics series checkout-v2#3
  tidegate metrics series checkout-v2 --metric p99 --points 1000 -o json

Each point is the sum of the batches since the one before, of both arms, with the evidence of the whole rollout after it.
Without --metric: all that the rollout counts.";

/// What to do about plans.
#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// Store a new plan from a document
    #[command(after_help = "Example:\n  tidegate plan create checkout.yaml --reason 'release 42'")]
    Create(PlanFile),
    /// Store a new version of a plan; rollouts keep the version that they were started with
    #[command(after_help = "Example:\n  tidegate plan update checkout.yaml --revision 1204")]
    Update(PlanUpdateArgs),
    /// Show a plan; -o yaml writes the document
    #[command(
        after_help = "Examples:\n  tidegate plan get checkout-v2\n  tidegate plan get checkout-v2 --version 3 -o yaml"
    )]
    Get(PlanGetArgs),
    /// List the plans
    #[command(visible_alias = "ls", after_help = "Example:\n  tidegate plan list -e staging")]
    List,
    /// Delete a plan; its rollouts go on with their own copy
    #[command(after_help = "Example:\n  tidegate plan delete checkout-v2 --yes --reason 'cleaned up'")]
    Delete(PlanDeleteArgs),
    /// Say all that is wrong with a plan, and what it will cost; stores nothing
    #[command(after_help = LINT_EXAMPLES)]
    Lint(LintArgs),
    /// Write a complete plan from a description and a baseline, or from answers
    #[command(after_help = draft::EXAMPLES)]
    Draft(Box<DraftArgs>),
    /// Show the versions of a plan: who, when, why
    #[command(after_help = "Example:\n  tidegate plan history checkout-v2")]
    History(PlanKey),
    /// Walk a plan in virtual time
    #[command(after_help = SIMULATE_EXAMPLES)]
    Simulate(PlanSimulateArgs),
}

/// What to do about metrics.
#[derive(Debug, Subcommand)]
pub(crate) enum MetricsCommand {
    /// List the built-in metrics: names, kinds and units
    #[command(visible_alias = "ls", after_help = METRICS_LIST_EXAMPLES)]
    List,
    /// Show the metrics of a rollout over time
    #[command(after_help = SERIES_EXAMPLES)]
    Series(SeriesArgs),
}

/// Which metrics, of which rollout.
#[derive(Debug, Args)]
pub(crate) struct SeriesArgs {
    #[command(flatten)]
    pub(crate) rollout: RolloutName,
    /// One metric (default: all that are counted)
    #[arg(long, value_name = "METRIC", value_parser = metric)]
    pub(crate) metric: Option<String>,
    /// At most so many points of each; what lies between two is added up
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) points: u32,
}

fn metric(text: &str) -> Result<String, String> {
    let key = rollout::catalogue::MetricKey::new(text).map_err(|error| error.to_string())?;
    Ok(key.as_str().to_owned())
}

/// One plan.
#[derive(Debug, Args)]
pub(crate) struct PlanKey {
    /// The plan's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
}

/// A plan's document.
#[derive(Debug, Args)]
pub(crate) struct PlanFile {
    /// A YAML or JSON document of one plan; - reads standard input
    #[arg(value_name = "FILE", required_unless_present = "named")]
    file: Option<PathBuf>,
    /// The same, as `rollout start` takes it
    #[arg(
        short = 'f',
        long = "file",
        id = "named",
        value_name = "FILE",
        conflicts_with = "file"
    )]
    named: Option<PathBuf>,
}

impl PlanFile {
    /// Where the document is.
    pub(crate) fn path(&self) -> Result<&Path, Error> {
        let path = self.file.as_deref().or(self.named.as_deref());
        path.ok_or_else(|| Error::usage("name the plan's document"))
    }
}

/// A plan's next version.
#[derive(Debug, Args)]
pub(crate) struct PlanUpdateArgs {
    #[command(flatten)]
    pub(crate) document: PlanFile,
    /// The revision that the document is based on, as `plan get` shows it (default: whatever is there)
    #[arg(long, value_name = "REVISION", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) revision: Option<u64>,
}

/// Which version of a plan.
#[derive(Debug, Args)]
pub(crate) struct PlanGetArgs {
    #[command(flatten)]
    pub(crate) plan: PlanKey,
    /// A version (default: the present one)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) version: Option<u32>,
}

/// Which plan to delete.
#[derive(Debug, Args)]
pub(crate) struct PlanDeleteArgs {
    #[command(flatten)]
    pub(crate) plan: PlanKey,
    /// Delete without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// A document, or a stored plan.
#[derive(Debug, Args)]
pub(crate) struct FileOrPlan {
    /// A YAML or JSON document of one plan; - reads standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["plan", "named"], conflicts_with = "plan")]
    file: Option<PathBuf>,
    /// The same, as `rollout start` takes it
    #[arg(short = 'f', long = "file", id = "named", value_name = "FILE", conflicts_with_all = ["file", "plan"])]
    named: Option<PathBuf>,
    /// Key of a stored plan instead
    #[arg(long, value_name = "KEY", value_parser = key)]
    pub(crate) plan: Option<Key>,
}

impl FileOrPlan {
    /// Where the document is, if it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.file.as_deref().or(self.named.as_deref())
    }
}

/// What to lint.
#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    #[command(flatten)]
    pub(crate) what: FileOrPlan,
    /// When it would start: a moment (default: the plan's own start, else now)
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    pub(crate) start_at: Option<i64>,
}

/// Which plan to walk, and what happens on the way.
#[derive(Debug, Args)]
pub(crate) struct PlanSimulateArgs {
    #[command(flatten)]
    pub(crate) what: FileOrPlan,
    #[command(flatten)]
    pub(crate) scenario: ScenarioArgs,
}

/// What happens on a walk in virtual time.
#[derive(Debug, Args)]
pub(crate) struct ScenarioArgs {
    /// What happens on the way
    #[arg(long, value_enum, default_value_t = ScenarioArg::Good)]
    pub(crate) scenario: ScenarioArg,
    /// With --scenario harm: the stage in which the harm shows
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) stage: Option<String>,
    /// When the walk begins (default: now)
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    pub(crate) from: Option<i64>,
}

/// What happens on a walk in virtual time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScenarioArg {
    /// All goes well, and everybody acts at once
    Good,
    /// All goes well, and nobody approves or ticks anything
    Unattended,
    /// No data comes
    Silent,
    /// The treatment does harm
    Harm,
}

impl ScenarioArg {
    /// As the wire says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unattended => "unattended",
            Self::Silent => "silent",
            Self::Harm => "harm",
        }
    }
}
