//! Options of the commands about rollouts.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, builder::NonEmptyStringValueParser};
use evaluation::Key;
use proto::v1;

use super::global::key;
use crate::{duration, plan_document};

/// What to do about rollouts. A rollout is named by its display name (checkout#3), its id, or its flag's key for the
/// flag's newest.
#[derive(Debug, Subcommand)]
pub(crate) enum RolloutCommand {
    /// Start a rollout, from options or from a plan document
    Start(Box<StartArgs>),
    /// Show a rollout
    Get(RolloutName),
    /// List the rollouts, the newest first
    List(ListArgs),
    /// Follow a rollout to its end: exits 0 if it completes, 3 if it is aborted
    Watch(RolloutName),
    /// End a rollout by hand: everybody gets the control, for good
    Abort(RolloutName),
}

/// One rollout.
#[derive(Debug, Args)]
pub(crate) struct RolloutName {
    /// A display name (checkout#3), an id, or a flag's key for its newest rollout
    #[arg(value_parser = NonEmptyStringValueParser::new())]
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

/// A plan, from options or from a document.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// The flag to move; with a document, the flag that it must name
    #[arg(value_parser = key, required_unless_present = "file")]
    pub(crate) flag: Option<Key>,
    /// A YAML or JSON document of one plan; - reads standard input
    #[arg(short, long, value_name = "FILE", conflicts_with_all = [
        "treatment", "control", "stage", "unit", "limit", "alpha", "max_control_rate", "lost_after",
        "minimum_outcomes", "minimum_units",
    ])]
    pub(crate) file: Option<PathBuf>,
    /// The variant that is rolled out
    #[arg(long, value_name = "VARIANT", required_unless_present = "file")]
    pub(crate) treatment: Option<String>,
    /// The variant that it is compared with; must be the flag's default
    #[arg(long, value_name = "VARIANT", required_unless_present = "file")]
    pub(crate) control: Option<String>,
    /// A stage, such as canary:5%:10m; given once per stage, percentages rising
    #[arg(long, value_name = "NAME:PERCENT:DWELL", value_parser = plan_document::parse_stage,
          required_unless_present = "file")]
    pub(crate) stage: Vec<v1::Stage>,
    /// What is split between the arms (default: unit)
    #[arg(long, value_enum)]
    pub(crate) unit: Option<UnitArg>,
    /// The ratio of error rates, treatment to control, that is still accepted (default: 1.0)
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    pub(crate) limit: Option<f64>,
    /// The chance of a false abort that the whole rollout may have (default: 0.01)
    #[arg(long, value_name = "P", value_parser = probability)]
    pub(crate) alpha: Option<f64>,
    /// For --unit request: the highest plausible error rate of the control (default: 0.10)
    #[arg(long, value_name = "P", value_parser = probability)]
    pub(crate) max_control_rate: Option<f64>,
    /// An exposure without an outcome is lost after this long (default: 30s)
    #[arg(long, value_name = "DURATION", value_parser = lost_after)]
    pub(crate) lost_after: Option<i64>,
    /// Outcomes per arm that every stage needs (default: 100)
    #[arg(long, value_name = "N")]
    pub(crate) minimum_outcomes: Option<u64>,
    /// Units per arm that every stage needs (default: 3)
    #[arg(long, value_name = "N")]
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

fn ratio(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        Ok(_) | Err(_) => Err("write a positive ratio, such as 1.0".into()),
    }
}

fn probability(text: &str) -> Result<f64, String> {
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
