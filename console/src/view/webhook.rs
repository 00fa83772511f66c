//! How webhooks and their deliveries are shown: a row in a list, a page of their own, and as values for programs.

use proto::v1;
use serde::Serialize;

use crate::print;

/// A webhook, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct WebhookView {
    key: String,
    id: String,
    url: String,
    description: String,
    types: Vec<String>,
    least_severity: &'static str,
    environments: Vec<String>,
    disabled: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    disabled_reason: String,
    created_at: Option<String>,
    updated_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_secret_until: Option<String>,
    revision: u64,
    progress: ProgressView,
}

/// How its deliveries fare, for programs.
#[derive(Debug, Serialize)]
struct ProgressView {
    waiting: u32,
    oldest_waiting_at: Option<String>,
    next_attempt_at: Option<String>,
    delivered: u64,
    given_up: u64,
    dropped: u64,
    last_delivered_at: Option<String>,
    last_failed_at: Option<String>,
    last_failure: String,
}

/// A webhook with a secret that was drawn just now, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct DrawnView {
    webhook: WebhookView,
    secret: String,
}

/// A delivery, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct DeliveryView {
    webhook_id: String,
    event_id: String,
    r#type: String,
    environment: String,
    rollout_id: String,
    state: &'static str,
    attempts: u32,
    queued_at: Option<String>,
    last_attempt_at: Option<String>,
    next_attempt_at: Option<String>,
    ended_at: Option<String>,
    status: u32,
    answer: String,
}

impl WebhookView {
    /// Of a webhook that the control plane sent.
    pub(crate) fn of(webhook: &v1::Webhook) -> Self {
        let progress = webhook.progress.clone().unwrap_or_default();
        Self {
            key: webhook.key.clone(),
            id: webhook.id.clone(),
            url: webhook.url.clone(),
            description: webhook.description.clone(),
            types: webhook.types.clone(),
            least_severity: severity(webhook),
            environments: webhook.environments.clone(),
            disabled: webhook.disabled,
            disabled_reason: webhook.disabled_reason.clone(),
            created_at: print::timestamp(webhook.created_at_us),
            updated_at: print::timestamp(webhook.updated_at_us),
            previous_secret_until: print::timestamp(webhook.previous_secret_until_us),
            revision: webhook.revision,
            progress: ProgressView {
                waiting: progress.waiting,
                oldest_waiting_at: print::timestamp(progress.oldest_waiting_at_us),
                next_attempt_at: print::timestamp(progress.next_attempt_at_us),
                delivered: progress.delivered,
                given_up: progress.given_up,
                dropped: progress.dropped,
                last_delivered_at: print::timestamp(progress.last_delivered_at_us),
                last_failed_at: print::timestamp(progress.last_failed_at_us),
                last_failure: progress.last_failure,
            },
        }
    }
}

impl DrawnView {
    /// Of a webhook and its new secret.
    pub(crate) fn of(webhook: &v1::Webhook, secret: String) -> Self {
        Self {
            webhook: WebhookView::of(webhook),
            secret,
        }
    }
}

impl DeliveryView {
    /// Of a delivery that the control plane sent.
    pub(crate) fn of(delivery: &v1::WebhookDelivery) -> Self {
        Self {
            webhook_id: delivery.webhook_id.clone(),
            event_id: delivery.event_id.clone(),
            r#type: delivery.r#type.clone(),
            environment: delivery.environment.clone(),
            rollout_id: delivery.rollout_id.clone(),
            state: state(delivery.state()),
            attempts: delivery.attempts,
            queued_at: print::timestamp(delivery.queued_at_us),
            last_attempt_at: print::timestamp(delivery.last_attempt_at_us),
            next_attempt_at: print::timestamp(delivery.next_attempt_at_us),
            ended_at: print::timestamp(delivery.ended_at_us),
            status: delivery.status,
            answer: delivery.answer.clone(),
        }
    }
}

fn severity(webhook: &v1::Webhook) -> &'static str {
    match webhook.least_severity() {
        v1::AlertSeverity::Unspecified => "any",
        v1::AlertSeverity::Warning => "warning",
        v1::AlertSeverity::Critical => "critical",
    }
}

fn state(state: v1::DeliveryState) -> &'static str {
    match state {
        v1::DeliveryState::Unspecified => "unknown",
        v1::DeliveryState::Waiting => "waiting",
        v1::DeliveryState::Delivered => "delivered",
        v1::DeliveryState::GivenUp => "given up",
        v1::DeliveryState::Dropped => "dropped",
    }
}

/// Names with commas between, or a word for all of them.
fn names(names: &[String]) -> String {
    if names.is_empty() {
        "all".to_owned()
    } else {
        names.join(", ")
    }
}

/// How it stands, in a word or two.
fn standing(webhook: &v1::Webhook) -> String {
    let waiting = webhook.progress.as_ref().map_or(0, |progress| progress.waiting);
    match (webhook.disabled, waiting) {
        (true, 0) => "disabled".to_owned(),
        (true, waiting) => format!("disabled, {} waiting", print::count(waiting.into())),
        (false, 0) => "ok".to_owned(),
        (false, waiting) => format!("{} waiting", print::count(waiting.into())),
    }
}

/// A table, one webhook a row.
pub(crate) fn list(webhooks: &[v1::Webhook]) -> String {
    let rows = webhooks.iter().map(|webhook| {
        let progress = webhook.progress.clone().unwrap_or_default();
        [
            webhook.key.clone(),
            webhook.url.clone(),
            names(&webhook.types),
            names(&webhook.environments),
            standing(webhook),
            print::count(progress.delivered),
            print::count(progress.given_up + progress.dropped),
        ]
    });
    print::table(
        ["KEY", "URL", "TYPES", "ENVIRONMENTS", "STANDS", "DELIVERED", "LOST"],
        rows,
    )
}

/// Everything about one webhook but its secret.
pub(crate) fn page(webhook: &v1::Webhook) -> String {
    let progress = webhook.progress.clone().unwrap_or_default();
    let failure = match progress.last_failed_at_us {
        0 => String::new(),
        at_us => format!("{}: {}", print::moment(at_us), progress.last_failure),
    };
    let count = |number: u64| {
        if number == 0 {
            String::new()
        } else {
            print::count(number)
        }
    };
    print::pairs([
        ("key", webhook.key.clone()),
        ("url", webhook.url.clone()),
        ("description", webhook.description.clone()),
        ("types", names(&webhook.types)),
        ("least severity", severity(webhook).to_owned()),
        ("environments", names(&webhook.environments)),
        ("stands", standing(webhook)),
        ("disabled because", webhook.disabled_reason.clone()),
        ("waiting since", print::moment(progress.oldest_waiting_at_us)),
        ("next attempt", print::moment(progress.next_attempt_at_us)),
        ("delivered", count(progress.delivered)),
        ("given up", count(progress.given_up)),
        ("dropped", count(progress.dropped)),
        ("last delivered", print::moment(progress.last_delivered_at_us)),
        ("last failure", failure),
        ("previous secret until", print::moment(webhook.previous_secret_until_us)),
        ("created", print::moment(webhook.created_at_us)),
        ("updated", print::moment(webhook.updated_at_us)),
        ("revision", webhook.revision.to_string()),
    ])
}

/// A webhook and the secret that was drawn just now.
pub(crate) fn drawn(webhook: &v1::Webhook, secret: &str) -> String {
    format!(
        "{}\nsecret: {}\nGive it to the receiver now: it is not shown again. Then: tidegate webhooks test {}",
        page(webhook),
        print::plain(secret),
        print::plain(&webhook.key),
    )
}

/// What was answered to a test event.
pub(crate) fn tried(key: &str, tried: &v1::TestWebhookResponse) -> String {
    let took = tried.took_us / 1_000;
    let word = if tried.delivered { "taken" } else { "not taken" };
    let of_what = &tried.webhook_id;
    print::plain(&format!("{key}: {word}: {} ({took} ms, {of_what})", tried.answer))
}

/// A table, one delivery a row.
pub(crate) fn deliveries(deliveries: &[v1::WebhookDelivery]) -> String {
    let rows = deliveries.iter().map(|delivery| {
        let next = match delivery.state() {
            v1::DeliveryState::Waiting => print::moment(delivery.next_attempt_at_us),
            _ => String::new(),
        };
        [
            print::moment(delivery.queued_at_us),
            delivery.r#type.clone(),
            delivery.environment.clone(),
            state(delivery.state()).to_owned(),
            delivery.attempts.to_string(),
            next,
            delivery.answer.clone(),
            delivery.event_id.clone(),
        ]
    });
    print::table(
        [
            "QUEUED",
            "TYPE",
            "ENVIRONMENT",
            "STATE",
            "SENT",
            "NEXT",
            "ANSWER",
            "EVENT",
        ],
        rows,
    )
}
