//! Options of the commands about webhooks.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand, ValueEnum, builder::NonEmptyStringValueParser};
use evaluation::Key;
use proto::v1::AlertSeverity;

use super::{global::key, status::EventType};
use crate::duration;

/// What `webhooks --help` teaches.
pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate webhooks add pager --url https://alerts.example.com/tidegate --type alert --least-severity critical
  tidegate webhooks add chat --url https://chat.example.com/hook --of production
  tidegate webhooks test pager
  tidegate webhooks list
  tidegate webhooks deliveries pager                       what waits, and what came of the latest
  tidegate webhooks update pager --url https://new.example.com/tidegate
  tidegate webhooks rotate pager                           another secret; the one before signs too, for a day
  tidegate webhooks remove chat --yes

Events are posted as JSON, signed as Standard Webhooks has it (header webhook-signature), in the order of each rollout. A
receiver answers 2xx within 15 seconds; else the event is tried again for three days. It may come twice: webhook-id says so.
The secret is shown when it is drawn, and never again. How to check a signature: docs/webhooks.md";
/// What `webhooks add --help` teaches.
pub(super) const ADD_EXAMPLES: &str = "\
Examples:
  tidegate webhooks add pager --url https://alerts.example.com/tidegate --type alert --least-severity critical
  tidegate webhooks add stats --url http://127.0.0.1:9000/events --type verify_outcome --type rollout_completed
  tidegate webhooks add chat --url https://chat.example.com/hook --of production --of staging -o json | jq -r .secret

Without --type it gets events of all types, without --of those of all environments. http:// is for the control plane's own
machine; the secret signs, so put none into the address.";

/// How long a secret signs at most beside its successor.
const LONGEST_OVERLAP: Duration = Duration::from_hours(7 * 24);

/// What to do about webhooks.
#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Have events posted to an address; shows the secret, once
    #[command(visible_alias = "create", after_help = ADD_EXAMPLES)]
    Add(WebhookAddArgs),
    /// List the webhooks, and how their deliveries fare
    #[command(visible_alias = "ls")]
    List,
    /// Show a webhook without its secret
    #[command(visible_alias = "get")]
    Show(WebhookName),
    /// Change a webhook; what waits is tried again at once, unless it is disabled
    #[command(
        visible_alias = "set",
        after_help = "Examples:\n  tidegate webhooks update pager --url https://new.example.com/hook\n  \
                      tidegate webhooks update pager --enable\n  \
                      tidegate webhooks update pager --type alert --all-environments"
    )]
    Update(WebhookUpdateArgs),
    /// Delete a webhook, with what waits for it
    #[command(
        visible_alias = "delete",
        after_help = "Example:\n  tidegate webhooks remove chat --yes"
    )]
    Remove(WebhookRemoveArgs),
    /// Send a test event now and say what was answered; exits 1 if it was not taken
    #[command(
        after_help = "Example:\n  tidegate webhooks test pager\n\nIf it is taken, what waits is tried again at \
                      once. A disabled webhook stays disabled: tidegate webhooks update pager --enable"
    )]
    Test(WebhookName),
    /// Draw another secret and show it, once
    #[command(
        after_help = "Examples:\n  tidegate webhooks rotate pager\n  tidegate webhooks rotate pager --keep-previous 0s   \
                      the secret has leaked\n\nUntil the time is over each message has two signatures: give the receiver \
                      the new secret meanwhile."
    )]
    Rotate(WebhookRotateArgs),
    /// Show what waits for a webhook and what came of the latest, the newest first
    #[command(
        after_help = "Examples:\n  tidegate webhooks deliveries pager\n  tidegate webhooks deliveries pager --limit 5 -o json"
    )]
    Deliveries(WebhookDeliveriesArgs),
}

/// One webhook.
#[derive(Debug, Args)]
pub(crate) struct WebhookName {
    /// The webhook's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
}

/// A webhook to create.
#[derive(Debug, Args)]
pub(crate) struct WebhookAddArgs {
    /// The webhook's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// Where events are posted: https, or http on the control plane's own machine
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) url: String,
    /// For people
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Only events of this type; may be given several times
    #[arg(long = "type", value_name = "TYPE", value_enum)]
    pub(crate) types: Vec<EventType>,
    /// Of alerts only those that are at least so bad
    #[arg(long, value_name = "SEVERITY", value_enum, default_value_t = LeastSeverity::Any)]
    pub(crate) least_severity: LeastSeverity,
    /// Only events of this environment; may be given several times
    #[arg(long = "of", value_name = "ENVIRONMENT", value_parser = key)]
    pub(crate) environments: Vec<Key>,
    /// Deliver nothing yet
    #[arg(long)]
    pub(crate) disabled: bool,
}

/// What to change of a webhook.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true))]
pub(crate) struct WebhookUpdateArgs {
    /// The webhook's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// Where events are posted
    #[arg(long, value_name = "URL", group = "what", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) url: Option<String>,
    /// For people
    #[arg(long, value_name = "TEXT", group = "what")]
    pub(crate) description: Option<String>,
    /// Only events of this type, instead of those before; may be given several times
    #[arg(long = "type", value_name = "TYPE", group = "what", value_enum)]
    pub(crate) types: Vec<EventType>,
    /// Events of all types
    #[arg(long, group = "what", conflicts_with = "types")]
    pub(crate) all_types: bool,
    /// Of alerts only those that are at least so bad
    #[arg(long, value_name = "SEVERITY", group = "what", value_enum)]
    pub(crate) least_severity: Option<LeastSeverity>,
    /// Only events of this environment, instead of those before; may be given several times
    #[arg(long = "of", value_name = "ENVIRONMENT", group = "what", value_parser = key)]
    pub(crate) environments: Vec<Key>,
    /// Events of all environments
    #[arg(long, group = "what", conflicts_with = "environments")]
    pub(crate) all_environments: bool,
    /// Deliver again
    #[arg(long, group = "what")]
    pub(crate) enable: bool,
    /// Deliver nothing; what happens meanwhile is not kept for it
    #[arg(long, group = "what", conflicts_with = "enable")]
    pub(crate) disable: bool,
}

/// A webhook to delete.
#[derive(Debug, Args)]
pub(crate) struct WebhookRemoveArgs {
    /// The webhook's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// A webhook that is to have another secret.
#[derive(Debug, Args)]
pub(crate) struct WebhookRotateArgs {
    /// The webhook's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// How long the secret before signs as well, at most 7d; 0s if it has leaked
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = overlap)]
    pub(crate) keep_previous: Duration,
}

/// How long two secrets sign.
fn overlap(text: &str) -> Result<Duration, String> {
    let asked = duration::parse(text)?;
    if asked > LONGEST_OVERLAP {
        return Err("at most 7d".into());
    }
    Ok(asked)
}

/// Which deliveries.
#[derive(Debug, Args)]
pub(crate) struct WebhookDeliveriesArgs {
    /// The webhook's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) limit: u32,
}

/// How bad an alert is at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LeastSeverity {
    /// Whatever it is
    Any,
    /// Somebody should know
    Warning,
    /// Somebody should look at it now
    Critical,
}

impl LeastSeverity {
    /// As the wire says it.
    pub(crate) fn wire(self) -> AlertSeverity {
        match self {
            Self::Any => AlertSeverity::Unspecified,
            Self::Warning => AlertSeverity::Warning,
            Self::Critical => AlertSeverity::Critical,
        }
    }
}
