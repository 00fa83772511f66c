//! Requests and answers about webhooks, between the wire and what is written. Every violation of a request at once.

use std::collections::BTreeSet;

use evaluation::{Key, Violation};
use prost_types::FieldMask;
use proto::{
    status::{invalid, violation},
    v1,
};
use tonic::Status;

use super::super::mask;
use crate::{
    events::{Kind, alert::Severity},
    state::State,
    webhooks::{
        self, Standing,
        delivery::{Delivery, End, message_id},
        probe::Probed,
        webhook::WebhookRecord,
    },
};

/// The fields that a mask may name; the key says which webhook, and cannot be changed.
const FIELDS: [&str; 7] = [
    "key",
    "url",
    "description",
    "types",
    "least_severity",
    "environments",
    "disabled",
];
/// Bytes of a description.
const DESCRIPTION_BYTES: usize = 4_096;
/// Types and environments that are looked at: there are fewer of both.
const NAMED: usize = 200;
/// Characters of what was given that are repeated.
const SHOWN: usize = 100;

/// The fields that a request names; none: all.
type Fields = BTreeSet<&'static str>;

/// What a webhook is to be; a field that is none stays as it is.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    url: Option<String>,
    description: Option<String>,
    kinds: Option<BTreeSet<Kind>>,
    least_severity: Option<Option<Severity>>,
    environments: Option<BTreeSet<Key>>,
    disabled: Option<bool>,
}

/// The fields that an update names.
pub(super) fn mask(mask: Option<FieldMask>) -> Result<Option<Fields>, Status> {
    mask::fields(mask, &FIELDS)
}

/// A webhook to be created.
pub(super) fn create(state: &State, given: &v1::Webhook, allow_http: bool) -> Result<(Key, Wanted), Status> {
    let mut wrong = Vec::new();
    let key = match Key::parse(&given.key) {
        Ok(key) => Some(key),
        Err(error) => {
            wrong.push(of("key", error.to_string()));
            None
        }
    };
    let wanted = read(&mut wrong, state, given, None, allow_http);
    match key {
        Some(key) if wrong.is_empty() => Ok((key, wanted)),
        _ => Err(invalid(&wrong)),
    }
}

/// What an update makes of a webhook; fields that its mask does not name are not looked at.
pub(super) fn update(
    state: &State,
    given: &v1::Webhook,
    fields: Option<&Fields>,
    allow_http: bool,
) -> Result<Wanted, Status> {
    let mut wrong = Vec::new();
    let wanted = read(&mut wrong, state, given, fields, allow_http);
    if wrong.is_empty() {
        Ok(wanted)
    } else {
        Err(invalid(&wrong))
    }
}

fn read(
    wrong: &mut Vec<Violation>,
    state: &State,
    given: &v1::Webhook,
    fields: Option<&Fields>,
    allow_http: bool,
) -> Wanted {
    let takes = |field: &str| fields.is_none_or(|fields| fields.contains(field));
    let mut wanted = Wanted::default();
    if takes("url") {
        match webhooks::read_address(&given.url, allow_http) {
            Ok(_) => wanted.url = Some(given.url.clone()),
            Err(refused) => wrong.push(of("url", refused.to_string())),
        }
    }
    if takes("description") {
        let bytes = given.description.len();
        if bytes > DESCRIPTION_BYTES {
            let too_long = format!("has {bytes} bytes, at most {DESCRIPTION_BYTES} are allowed");
            wrong.push(of("description", too_long));
        }
        wanted.description = Some(given.description.clone());
    }
    if takes("types") {
        wanted.kinds = Some(kinds(wrong, &given.types));
    }
    if takes("least_severity") {
        wanted.least_severity = Some(severity(wrong, given.least_severity));
    }
    if takes("environments") {
        wanted.environments = Some(environments(wrong, state, &given.environments));
    }
    if takes("disabled") {
        wanted.disabled = Some(given.disabled);
    }
    wanted
}

fn kinds(wrong: &mut Vec<Violation>, names: &[String]) -> BTreeSet<Kind> {
    let mut kinds = BTreeSet::new();
    for (at, name) in named(wrong, "types", names) {
        match Kind::of_name(name) {
            Some(kind) => _ = kinds.insert(kind),
            None => {
                let known = Kind::ALL.map(Kind::name).join(", ");
                wrong.push(of(
                    &format!("types[{at}]"),
                    format!("{:?} is none of {known}", shown(name)),
                ));
            }
        }
    }
    kinds
}

fn environments(wrong: &mut Vec<Violation>, state: &State, names: &[String]) -> BTreeSet<Key> {
    let mut environments = BTreeSet::new();
    for (at, name) in named(wrong, "environments", names) {
        match Key::parse(name) {
            Ok(key) if state.environments.contains_key(&key) => _ = environments.insert(key),
            Ok(_) | Err(_) => {
                let known = state
                    .environments
                    .keys()
                    .map(Key::as_str)
                    .collect::<Vec<_>>()
                    .join(", ");
                let description = format!("{:?} is no environment; there are: {known}", shown(name));
                wrong.push(of(&format!("environments[{at}]"), description));
            }
        }
    }
    environments
}

/// Names with their places, as many as are looked at.
fn named<'n>(
    wrong: &mut Vec<Violation>,
    field: &str,
    names: &'n [String],
) -> impl Iterator<Item = (usize, &'n String)> + use<'n> {
    if names.len() > NAMED {
        let description = format!("are {}, at most {NAMED} are allowed", names.len());
        wrong.push(of(field, description));
    }
    names.iter().enumerate().take(NAMED)
}

fn severity(wrong: &mut Vec<Violation>, number: i32) -> Option<Severity> {
    match v1::AlertSeverity::try_from(number) {
        Ok(v1::AlertSeverity::Unspecified) => None,
        Ok(v1::AlertSeverity::Warning) => Some(Severity::Warning),
        Ok(v1::AlertSeverity::Critical) => Some(Severity::Critical),
        Err(_) => {
            wrong.push(of("least_severity", "is warning or critical, or unspecified for any"));
            None
        }
    }
}

fn of(field: &str, description: impl Into<String>) -> Violation {
    violation(format!("webhook.{field}"), description)
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

impl Wanted {
    /// What it makes of a webhook. One that is enabled again has no reason to be disabled.
    pub(super) fn of(&self, before: WebhookRecord) -> WebhookRecord {
        let disabled = self.disabled.unwrap_or(before.disabled);
        WebhookRecord {
            url: self.url.clone().unwrap_or(before.url),
            description: self.description.clone().unwrap_or(before.description),
            kinds: self.kinds.clone().unwrap_or(before.kinds),
            least_severity: self.least_severity.unwrap_or(before.least_severity),
            environments: self.environments.clone().unwrap_or(before.environments),
            disabled_reason: if disabled {
                before.disabled_reason
            } else {
                String::new()
            },
            disabled,
            ..before
        }
    }
}

/// A webhook as an answer shows it: without its secrets.
pub(super) fn webhook(record: &WebhookRecord, standing: &Standing, now_us: i64) -> v1::Webhook {
    let severity = match record.least_severity {
        None => v1::AlertSeverity::Unspecified,
        Some(Severity::Warning) => v1::AlertSeverity::Warning,
        Some(Severity::Critical) => v1::AlertSeverity::Critical,
    };
    let previous = record.previous.as_ref().filter(|previous| previous.until_us > now_us);
    v1::Webhook {
        key: record.key.to_string(),
        id: record.id.to_string(),
        url: record.url.clone(),
        description: record.description.clone(),
        types: record.kinds.iter().map(|kind| kind.name().to_owned()).collect(),
        least_severity: severity.into(),
        environments: record.environments.iter().map(ToString::to_string).collect(),
        disabled: record.disabled,
        disabled_reason: record.disabled_reason.clone(),
        created_at_us: record.created_at_us,
        updated_at_us: record.updated_at_us,
        revision: record.revision,
        previous_secret_until_us: previous.map_or(0, |previous| previous.until_us),
        progress: Some(progress(standing)),
    }
}

fn progress(standing: &Standing) -> v1::WebhookProgress {
    let tally = &standing.tally;
    v1::WebhookProgress {
        waiting: u32::try_from(standing.waiting).unwrap_or(u32::MAX),
        oldest_waiting_at_us: standing.oldest_us.unwrap_or(0),
        next_attempt_at_us: standing.next_us.unwrap_or(0),
        delivered: tally.delivered,
        given_up: tally.given_up,
        dropped: tally.dropped,
        last_delivered_at_us: tally.delivered_at_us,
        last_failed_at_us: tally.failed_at_us,
        last_failure: tally.failure.clone(),
    }
}

/// What came of a try.
pub(super) fn probed(probed: Probed) -> v1::TestWebhookResponse {
    let answer = probed.answer;
    v1::TestWebhookResponse {
        delivered: answer.is_good(),
        status: answer.status.into(),
        took_us: i64::try_from(answer.took.as_micros()).unwrap_or(i64::MAX),
        answer: answer.words,
        webhook_id: probed.id,
    }
}

/// A delivery to a webhook. One that waits is sent when it is due and not before `not_before_us`; none: never, as things
/// stand.
pub(super) fn delivery(webhook: uuid::Uuid, delivery: Delivery, not_before_us: Option<i64>) -> v1::WebhookDelivery {
    let state = match delivery.ended.map(|ended| ended.end) {
        None => v1::DeliveryState::Waiting,
        Some(End::Delivered) => v1::DeliveryState::Delivered,
        Some(End::GivenUp) => v1::DeliveryState::GivenUp,
        Some(End::Dropped) => v1::DeliveryState::Dropped,
    };
    v1::WebhookDelivery {
        webhook_id: message_id(webhook, &delivery.event_id),
        event_id: delivery.event_id,
        r#type: delivery.event.kind.name().to_owned(),
        environment: delivery.environment.to_string(),
        rollout_id: delivery.rollout.to_string(),
        state: state.into(),
        attempts: delivery.attempts,
        queued_at_us: delivery.queued_at_us,
        last_attempt_at_us: delivery.attempted_at_us,
        next_attempt_at_us: match (delivery.ended, not_before_us) {
            // One whose turn will be after another of its rollout: not before that one.
            (None, Some(not_before_us)) => delivery.due_us.max(not_before_us),
            (None, None) | (Some(_), _) => 0,
        },
        ended_at_us: delivery.ended.map_or(0, |ended| ended.at_us),
        status: delivery.status.into(),
        answer: delivery.answer,
    }
}
