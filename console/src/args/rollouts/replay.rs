//! A rollout judged again: by its own plan, or by other limits.

use clap::Args;
use rollout::criterion::Criterion;

use super::{RolloutName, source::probability};

/// What `rollout replay --help` teaches.
pub(super) const REPLAY_EXAMPLES: &str = "\
Examples:
  tidegate rollout replay checkout-v2#3
  tidegate rollout replay checkout-v2 -o json --timeout 2m

Judges every sealed batch again, from the record alone. Exits 1 unless all evidence agrees to the last bit and the
rollout went as the replay says.";
/// What `rollout what-if --help` teaches.
pub(super) const WHAT_IF_EXAMPLES: &str = "\
Examples:
  tidegate rollout what-if checkout-v2#3 --guard 'error-rate > 2x control'
  tidegate rollout what-if checkout-v2#3 --guard 'error-rate > 1.5x control' --guard 'revenue -5 % against control'
  tidegate rollout what-if checkout-v2#3 --alpha 0.05

Only what was counted can be asked: a guard on something else is refused, and says what was counted. Nothing changes.";

/// Other limits for a rollout that ran, or runs.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("limits").args(["guard", "alpha", "max_control_rate"]).required(true).multiple(true)))]
pub(crate) struct WhatIfArgs {
    #[command(flatten)]
    pub(crate) rollout: RolloutName,
    /// What would be harm, in the place of all guards of the plan; given once for each
    #[arg(long, value_name = "HARM", value_parser = comparison)]
    pub(crate) guard: Vec<String>,
    /// The chance of a false abort over the whole rollout (default: the plan's own)
    #[arg(long, value_name = "P", value_parser = probability)]
    pub(crate) alpha: Option<f64>,
    /// For plans that split requests: the highest plausible error rate of the control (default: the plan's own)
    #[arg(long, value_name = "P", value_parser = probability)]
    pub(crate) max_control_rate: Option<f64>,
}

fn comparison(text: &str) -> Result<String, String> {
    match text.parse::<Criterion>() {
        Ok(Criterion::Compare(comparison)) => Ok(comparison.to_string()),
        Ok(Criterion::Stable | Criterion::Parity) => {
            Err("a guard compares one metric with a limit, as in error-rate > 1 %".into())
        }
        Err(problem) => Err(problem.to_string()),
    }
}
