//! Options of the commands about baselines.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use evaluation::Key;

use super::global::key;
use crate::baseline_document;

/// What `baseline --help` teaches.
pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate baseline capture checkout-v2                            the first stage of the newest rollout
  tidegate baseline capture checkout-v2#3 --stage observe --name before-checkout
  tidegate baseline import before-checkout --value p95=890ms --value 'error-rate=0.8 %'
  tidegate baseline import -f baseline.yaml --reason 'of the dashboards'
  tidegate baseline show before-checkout
  tidegate baseline list -e production

A plan takes one over by its name, when a rollout of it is created:
  baseline: {source: captured, artifact: before-checkout}";
/// What `baseline import --help` teaches.
const IMPORT_EXAMPLES: &str = "\
Examples:
  tidegate baseline import before-checkout --value p95=890ms --value 'error-rate=0.8 %' --value 'revenue=4.20 EUR'
  tidegate baseline import -f baseline.yaml

The document is {key, description, values}, the map of values alone, or what `baseline show -o yaml` writes, whose numbers
alone are taken:
  key: before-checkout
  values:
    p50: 245 ms
    p95: 890 ms
    error-rate: 0.8 %
    revenue: 4.20 EUR";

/// What to do about baselines.
#[derive(Debug, Subcommand)]
pub(crate) enum BaselineCommand {
    /// Keep what the control arm was like in a stage, from 15 minutes of data on
    #[command(
        after_help = "Example:\n  tidegate baseline capture checkout-v2#3 --stage observe --name before-checkout"
    )]
    Capture(CaptureArgs),
    /// Keep what is known from elsewhere, from a document or from options
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(ImportBaselineArgs),
    /// List the baselines
    #[command(visible_alias = "ls", after_help = "Example:\n  tidegate baseline list -e staging")]
    List,
    /// Show a baseline with all its values
    #[command(
        visible_alias = "get",
        after_help = "Example:\n  tidegate baseline show before-checkout -o yaml"
    )]
    Show(BaselineKey),
    /// Delete a baseline; rollouts keep what they took over
    #[command(after_help = "Example:\n  tidegate baseline delete before-checkout --yes --reason 'cleaned up'")]
    Delete(BaselineDeleteArgs),
}

/// One baseline.
#[derive(Debug, Args)]
pub(crate) struct BaselineKey {
    /// The baseline's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
}

/// Which baseline to delete.
#[derive(Debug, Args)]
pub(crate) struct BaselineDeleteArgs {
    #[command(flatten)]
    pub(crate) baseline: BaselineKey,
    /// Delete without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// What to capture.
#[derive(Debug, Args)]
pub(crate) struct CaptureArgs {
    /// A rollout, live or ended: checkout-v2#3, its id, or a flag's key for its newest
    pub(crate) rollout: String,
    /// A stage that it has visited: its name, or its place in the plan from 0 on (default: the first)
    #[arg(long, value_name = "STAGE", default_value = "", hide_default_value = true)]
    pub(crate) stage: String,
    /// Key of the new baseline (default: flag, number and stage: checkout-v2-3-observe)
    #[arg(long, value_name = "KEY", value_parser = key)]
    pub(crate) name: Option<Key>,
    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) description: String,
}

/// What is known.
#[derive(Debug, Args)]
pub(crate) struct ImportBaselineArgs {
    /// Key of the new baseline; with a document, the key that it must have
    #[arg(value_parser = key, required_unless_present = "file")]
    pub(crate) key: Option<Key>,
    /// A YAML or JSON document of one baseline; - reads standard input
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["value", "description"])]
    pub(crate) file: Option<PathBuf>,
    /// A metric and its value with its unit; may be given several times
    #[arg(
        long,
        value_name = "METRIC=VALUE",
        value_parser = baseline_document::value,
        required_unless_present = "file"
    )]
    pub(crate) value: Vec<(String, String)>,
    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) description: String,
}
