//! A try of a webhook: an event that tells nothing, signed and sent like any other, once.

use serde_json::json;
use uuid::Uuid;

use super::{
    delivery::message_id,
    post::{Answer, Message, Post},
    webhook::WebhookRecord,
};

/// The type of the event.
const TYPE: &str = "webhook_test";

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probed {
    /// Header `webhook-id`.
    pub(crate) id: String,
    /// What was answered.
    pub(crate) answer: Answer,
}

/// Sends a test event.
pub(crate) async fn send(post: &Post, webhook: &WebhookRecord, now_us: i64) -> Probed {
    let event_id = Uuid::now_v7().to_string();
    let id = message_id(webhook.id, &event_id);
    let body = event(webhook, &event_id, now_us);
    let message = Message {
        url: &webhook.url,
        id: &id,
        body: &body,
        secrets: webhook.signing(now_us).collect(),
    };
    let answer = post.send(&message, now_us).await;
    Probed { id, answer }
}

/// The test event, as a CloudEvent.
fn event(webhook: &WebhookRecord, id: &str, now_us: i64) -> String {
    json!({
        "specversion": "1.0",
        "id": id,
        "source": "tidegate",
        "type": TYPE,
        "subject": webhook.key.as_str(),
        "time": crate::events::time(now_us),
        "datacontenttype": "application/json",
        "data": {
            "webhook": webhook.key.as_str(),
            "message": "A try of this webhook. Nothing has happened.",
        },
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{
        builders::{START_US, webhook},
        events::tests::{schema, schema_of_events},
    };

    #[test]
    fn a_test_event_is_as_the_schema_has_it() {
        let event = serde_json::from_str(&event(&webhook("pager"), "7", START_US)).unwrap();
        assert_eq!(
            schema::wrong(&schema_of_events(), &event),
            Vec::<String>::new(),
            "{event}"
        );
    }
}
