//! Options of `evaluate` and `explain`: which flag, and who asks.

use clap::{Args, builder::NonEmptyStringValueParser};
use evaluation::Key;
use serde_json::Value as Json;

use super::global::key;

/// What `evaluate --help` teaches.
pub(super) const EVALUATE_EXAMPLES: &str = "\
Examples:
  tidegate evaluate checkout-v2 --unit user-7
  tidegate evaluate theme --unit user-7 --attribute plan=pro --attribute seats=12 -o json";
/// What `explain --help` teaches.
pub(super) const EXPLAIN_EXAMPLES: &str = "\
Examples:
  tidegate explain checkout-v2 --unit user-7 --attribute plan=pro
  tidegate explain checkout-v2 --context '{\"targetingKey\": \"user-7\", \"address\": {\"country\": \"DE\"}}'
  tidegate explain checkout-v2 --context @caller.json --redact
  tidegate explain checkout-v2 --unit user-7 --at 1204";

/// Who asks.
#[derive(Debug, Args)]
pub(crate) struct CallerArgs {
    /// The attributes of the caller: a JSON object, @FILE, or - for standard input
    #[arg(long, value_name = "JSON", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) context: Option<String>,
    /// The targeting key: the unit that asks
    #[arg(short, long, value_name = "UNIT")]
    pub(crate) unit: Option<String>,
    /// An attribute; a value that is JSON is what it says (12, true, null, ["a"]), else text; '"12"' is text
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = attribute)]
    pub(crate) attribute: Vec<(String, Json)>,
    /// Decide as at this store revision
    #[arg(long, value_name = "REVISION", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) at: Option<u64>,
}

/// What to evaluate.
#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    /// The flag's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    #[command(flatten)]
    pub(crate) caller: CallerArgs,
}

/// What to explain.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The flag's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    #[command(flatten)]
    pub(crate) caller: CallerArgs,
    /// Leave the values of attributes out of the answer
    #[arg(long)]
    pub(crate) redact: bool,
}

fn attribute(text: &str) -> Result<(String, Json), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            let value = serde_json::from_str(value).unwrap_or_else(|_| Json::String(value.to_owned()));
            Ok((name.to_owned(), value))
        }
        Some(_) | None => Err("write NAME=VALUE, such as plan=pro".into()),
    }
}
