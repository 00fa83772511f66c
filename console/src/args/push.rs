//! Options of `push`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum, builder::NonEmptyStringValueParser};
use evaluation::Key;

use super::global::{Past, key, past_of};
use crate::measurement_lines;

/// What `push --help` teaches.
pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate push --rollout checkout-v2#3 --metric complaints --arm treatment --key TICKET-17
  tidegate push --flag checkout-v2 --metric faithfulness --value 0.92 --unit user-7 --key judge-4711
  tidegate push --metric revenue --value -12.50 --token 4AAAAAECAqqqqgAAAAXN4K1b --key refund-99
  tidegate push --flag checkout-v2 --metric cpu --value 0.63 --arm treatment --for 2m --key cpu-1700000000
  tidegate push --flag checkout-v2 -f measurements.jsonl

A file has a JSON object a line, - reads standard input:
  {\"key\": \"TICKET-17\", \"metric\": \"complaints\", \"arm\": \"treatment\"}
  {\"key\": \"judge-4711\", \"metric\": \"faithfulness\", \"values\": [0.92, 0.88], \"unit\": \"user-7\"}
  {\"key\": \"refund-99\", \"metric\": \"revenue\", \"value\": -12.5, \"token\": \"...\", \"at\": \"2026-12-01T09:00:00Z\"}

The key names a measurement for ever: pushing the same again does no harm, so a file that was cut short is given again
whole. What differs under the same key is refused, and --at 10m differs at each run: to be able to repeat it write the
moment, as in --at 2026-12-01T09:00:00Z, or no --at at all.
A unit is resolved to its arm and forgotten. No personal data in keys.";

/// What to push, and to which rollout.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["file", "metric"]))]
pub(crate) struct PushArgs {
    /// The rollout: checkout-v2#3 or its id (default: that of the tokens)
    #[arg(long, value_name = "ROLLOUT", conflicts_with = "flag", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) rollout: Option<String>,
    /// The rollout that holds this flag, else the watch of its kill switch, else its newest
    #[arg(long, value_name = "KEY", value_parser = key)]
    pub(crate) flag: Option<Key>,
    /// A file with a measurement a line, as JSON; - reads standard input
    #[arg(short, long, value_name = "FILE", conflicts_with_all = [
        "metric", "key", "value", "arm", "unit", "token", "at", "stands_for",
    ])]
    pub(crate) file: Option<PathBuf>,
    /// The metric, under any of its names
    #[arg(long, value_name = "METRIC", requires = "key", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) metric: Option<String>,
    /// Names the measurement for ever, such as TICKET-17
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) key: Option<String>,
    /// A value in the metric's unit: a fraction or score, microseconds, whole units of money, a count; may be given
    /// several times (default: 1)
    #[arg(long, value_name = "NUMBER", value_parser = number, allow_negative_numbers = true)]
    pub(crate) value: Vec<f64>,
    /// It belongs to an arm as a whole
    #[arg(long, value_enum, value_name = "ARM", conflicts_with_all = ["unit", "token"])]
    pub(crate) arm: Option<ArmArg>,
    /// It belongs to this unit, by its targeting key
    #[arg(long, value_name = "UNIT", conflicts_with = "token", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) unit: Option<String>,
    /// It belongs to this exposure
    #[arg(long, value_name = "TOKEN", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) token: Option<String>,
    /// When it was so: a moment, or 10m for so long ago, which is another time at each run; at most an hour ago
    /// (default: when it comes)
    #[arg(long, value_name = "TIME", value_parser = past_of)]
    pub(crate) at: Option<Past>,
    /// How long a level stands, from 1s to 24h (default: 5m)
    #[arg(long = "for", value_name = "DURATION", value_parser = measurement_lines::stands_for)]
    pub(crate) stands_for: Option<i64>,
}

/// An arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ArmArg {
    /// What is rolled out
    Treatment,
    /// What it is compared with
    Control,
}

fn number(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| format!("`{text}` is no number"))
}
