//! Where the plan of a rollout comes from: options, a document, a stored plan; or the rollout is there already.

use std::path::PathBuf;

use clap::{Args, ValueEnum, builder::NonEmptyStringValueParser};
use evaluation::Key;
use proto::v1;
use rollout::strategy::Strategy;

use crate::{args::global::key, duration, plan_document};

/// What `rollout create --help` teaches.
pub(super) const CREATE_EXAMPLES: &str = "\
Examples:
  tidegate rollout create -f checkout.yaml
  tidegate rollout create --plan checkout-v2
  tidegate rollout submit checkout-v2
  tidegate rollout start checkout-v2#3";
/// What `rollout start --help` teaches.
pub(super) const START_EXAMPLES: &str = "\
Examples:
  tidegate rollout start -f checkout.yaml
  tidegate rollout start --plan checkout-v2 --yes
  tidegate rollout start checkout-v2#3                              one that was created and submitted
  tidegate rollout start checkout-v2 --treatment on --control off --stage canary:5%:10m --stage all:100%:0s
  tidegate rollout start checkout-v2 --strategy progressive -e production

At a terminal it shows the plan and asks first; --yes does not ask. With --strategy the plan is drafted: from the
flag's default to its other variant, unless --treatment and --control say otherwise.";

/// What to start.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// The flag to move (with a document, the flag that it must name), or a rollout that was created: checkout#3, an id
    #[arg(value_name = "FLAG|ROLLOUT", value_parser = NonEmptyStringValueParser::new(),
          required_unless_present_any = ["file", "plan"])]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) source: PlanSource,
    /// Of a rollout that was created: refuse it unless it is still at this sequence
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..),
          conflicts_with_all = ["file", "plan"])]
    pub(crate) sequence: Option<u64>,
    /// Start it without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// What to create.
#[derive(Debug, Args)]
pub(crate) struct CreateRolloutArgs {
    /// The flag to move; with a document, the flag that it must name
    #[arg(value_name = "FLAG", value_parser = key, required_unless_present_any = ["file", "plan"])]
    pub(crate) flag: Option<Key>,
    #[command(flatten)]
    pub(crate) source: PlanSource,
}

/// A plan, from a document, from those that are stored, or from options.
#[derive(Debug, Args)]
pub(crate) struct PlanSource {
    /// A YAML or JSON document of one plan; - reads standard input
    #[arg(short, long, value_name = "FILE", conflicts_with_all = [
        "plan", "treatment", "control", "stage", "unit", "limit", "alpha", "max_control_rate", "lost_after",
        "bake", "minimum_outcomes", "minimum_units",
    ])]
    pub(crate) file: Option<PathBuf>,
    /// Key of a stored plan
    #[arg(long, value_name = "KEY", value_parser = key, conflicts_with_all = [
        "treatment", "control", "stage", "unit", "limit", "alpha", "max_control_rate", "lost_after",
        "bake", "minimum_outcomes", "minimum_units",
    ])]
    pub(crate) plan: Option<Key>,
    /// Draft a plan of this strategy: big-bang, progressive, canary, instant, gradual, scheduled, shadow, dark
    #[arg(long, value_name = "STRATEGY", value_parser = strategy, conflicts_with_all = ["file", "plan", "stage"])]
    pub(crate) strategy: Option<Strategy>,
    #[command(flatten)]
    pub(crate) inline: InlinePlan,
}

/// A small plan from options.
#[derive(Debug, Args)]
pub(crate) struct InlinePlan {
    /// The variant that is rolled out
    #[arg(long, value_name = "VARIANT", requires = "control")]
    pub(crate) treatment: Option<String>,
    /// The variant that it is compared with; must be the flag's default
    #[arg(long, value_name = "VARIANT", requires = "treatment")]
    pub(crate) control: Option<String>,
    /// A stage, such as canary:5%:10m; given once per stage, percentages rising
    #[arg(long, value_name = "NAME:PERCENT:DWELL", value_parser = plan_document::parse_stage,
          requires_all = ["treatment", "control"])]
    pub(crate) stage: Vec<v1::Stage>,
    /// What is split between the arms (default: unit)
    #[arg(long, value_enum, requires = "stage")]
    pub(crate) unit: Option<UnitArg>,
    /// The ratio of error rates, treatment to control, that is still accepted (default: 1.0)
    #[arg(long, value_name = "RATIO", value_parser = ratio, requires = "stage")]
    pub(crate) limit: Option<f64>,
    /// The chance of a false abort that the whole rollout may have (default: 0.01)
    #[arg(long, value_name = "P", value_parser = probability, requires = "stage")]
    pub(crate) alpha: Option<f64>,
    /// For --unit request: the highest plausible error rate of the control (default: 0.10)
    #[arg(long, value_name = "P", value_parser = probability, requires = "stage")]
    pub(crate) max_control_rate: Option<f64>,
    /// An exposure without an outcome is lost after this long (default: 30s)
    #[arg(long, value_name = "DURATION", value_parser = lost_after, requires = "stage")]
    pub(crate) lost_after: Option<i64>,
    /// How long everybody has the treatment before it becomes the default (default: 2w; 0s: at once)
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_us, requires = "stage")]
    pub(crate) bake: Option<i64>,
    /// Outcomes per arm that every stage needs (default: 100)
    #[arg(long, value_name = "N", requires = "stage")]
    pub(crate) minimum_outcomes: Option<u64>,
    /// Units per arm that every stage needs (default: 3)
    #[arg(long, value_name = "N", requires = "stage")]
    pub(crate) minimum_units: Option<u64>,
}

/// What is split between the arms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum UnitArg {
    /// Users, accounts: units that failed are compared
    Unit,
    /// Single requests: requests are compared
    Request,
}

/// A strategy that lays out stages by itself.
pub(crate) fn strategy(text: &str) -> Result<Strategy, String> {
    let drafted = || Strategy::ALL.into_iter().filter(|one| *one != Strategy::Custom);
    drafted().find(|one| one.name() == text).ok_or_else(|| {
        let names: Vec<&str> = drafted().map(Strategy::name).collect();
        format!("no such strategy; one of {}", names.join(", "))
    })
}

fn ratio(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        Ok(_) | Err(_) => Err("write a positive ratio, such as 1.0".into()),
    }
}

pub(super) fn probability(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number < 1.0 => Ok(number),
        Ok(_) | Err(_) => Err("write a number between 0 and 1, such as 0.01".into()),
    }
}

fn lost_after(text: &str) -> Result<i64, String> {
    match duration::parse_us(text)? {
        0 => Err("longer than 0s".into()),
        us => Ok(us),
    }
}
