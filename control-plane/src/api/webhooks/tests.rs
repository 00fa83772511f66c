#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use prost_types::FieldMask;
use runtime::shutdown::Shutdown;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::{
    builders,
    change::delivery,
    store::keys,
    trial::Trial,
    webhooks::{
        Post, Settings,
        delivery::{Delivery, End, Ended, Tally},
        receiver::{Receiver, Reply},
        retry::Patience,
    },
};

/// The service over a store of its own.
struct Desk {
    trial: Trial,
    api: WebhooksApi,
}

impl Desk {
    async fn new() -> Self {
        let trial = Trial::new().await;
        let post = Post::new(Settings::default(), Duration::from_secs(60)).unwrap();
        let webhooks = Webhooks::start(&trial.truth, post, Patience::STANDARD, &Shutdown::new());
        let api = WebhooksApi::new(trial.truth.clone(), webhooks);
        Self { trial, api }
    }

    async fn create(&self, webhook: v1::Webhook) -> Result<v1::CreateWebhookResponse, Status> {
        let request = v1::CreateWebhookRequest { webhook: Some(webhook) };
        Ok(self.api.create_webhook(Request::new(request)).await?.into_inner())
    }

    async fn update(&self, webhook: v1::Webhook, expected: u64, paths: &[&str]) -> Result<v1::Webhook, Status> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        let request = v1::UpdateWebhookRequest {
            webhook: Some(webhook),
            expected_revision: expected,
            update_mask: Some(FieldMask { paths }),
        };
        let response = self.api.update_webhook(Request::new(request)).await?;
        Ok(response.into_inner().webhook.unwrap())
    }

    async fn get(&self, key: &str) -> Result<v1::Webhook, Status> {
        let request = v1::GetWebhookRequest { key: key.to_owned() };
        let response = self.api.get_webhook(Request::new(request)).await?;
        Ok(response.into_inner().webhook.unwrap())
    }

    async fn rotate(&self, key: &str, overlap_us: Option<i64>) -> Result<v1::RotateWebhookSecretResponse, Status> {
        let request = v1::RotateWebhookSecretRequest {
            key: key.to_owned(),
            overlap_us,
            expected_revision: 0,
        };
        Ok(self
            .api
            .rotate_webhook_secret(Request::new(request))
            .await?
            .into_inner())
    }

    async fn test(&self, key: &str) -> v1::TestWebhookResponse {
        let request = v1::TestWebhookRequest { key: key.to_owned() };
        self.api.test_webhook(Request::new(request)).await.unwrap().into_inner()
    }

    async fn deliveries(&self, size: u32, token: &str) -> v1::ListWebhookDeliveriesResponse {
        let request = v1::ListWebhookDeliveriesRequest {
            key: "pager".to_owned(),
            page_size: size,
            page_token: token.to_owned(),
        };
        let response = self.api.list_webhook_deliveries(Request::new(request)).await;
        response.unwrap().into_inner()
    }
}

fn pager() -> v1::Webhook {
    v1::Webhook {
        key: "pager".to_owned(),
        url: "https://alerts.example.com/tidegate".to_owned(),
        description: "for those on call".to_owned(),
        types: vec!["alert".to_owned(), "rollout_aborted".to_owned()],
        least_severity: v1::AlertSeverity::Critical.into(),
        environments: vec!["production".to_owned()],
        ..v1::Webhook::default()
    }
}

fn violated(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    let details = status.get_details_bad_request().unwrap();
    details.field_violations.into_iter().map(|found| found.field).collect()
}

#[tokio::test]
async fn a_webhook_is_created_with_a_secret_that_is_shown_once_changed_and_deleted() {
    let desk = Desk::new().await;
    let created = desk.create(pager()).await.unwrap();
    assert!(created.secret.starts_with("whsec_"), "{}", created.secret);
    let webhook = created.webhook.unwrap();
    assert_eq!(desk.get("pager").await.unwrap(), webhook);
    assert_eq!(
        webhook.types,
        ["rollout_aborted", "alert"],
        "in the order of the stream's types"
    );
    assert!(!format!("{webhook:?}").contains(&created.secret["whsec_".len()..]));
    let wanted = v1::Webhook {
        url: "https://new.example.com/".to_owned(),
        disabled: true,
        ..pager()
    };
    let updated = desk
        .update(wanted, webhook.revision, &["url", "disabled"])
        .await
        .unwrap();
    assert_eq!(
        (updated.url.as_str(), updated.disabled),
        ("https://new.example.com/", true)
    );
    assert_eq!((&updated.id, &updated.types), (&webhook.id, &webhook.types));
    assert!(updated.revision > webhook.revision);
    // Nothing to change is nothing written.
    let same = desk.update(updated.clone(), 0, &[]).await.unwrap();
    assert_eq!(same, updated);
    let stale = desk.update(pager(), webhook.revision, &["url"]).await.unwrap_err();
    assert_eq!(stale.code(), Code::FailedPrecondition);
    let delete = |expected_revision| v1::DeleteWebhookRequest {
        key: "pager".to_owned(),
        expected_revision,
    };
    let stale = desk.api.delete_webhook(Request::new(delete(webhook.revision))).await;
    assert_eq!(stale.unwrap_err().code(), Code::FailedPrecondition);
    desk.api.delete_webhook(Request::new(delete(0))).await.unwrap();
    let gone = desk.get("pager").await.unwrap_err();
    assert_eq!(
        (gone.code(), gone.message()),
        (Code::NotFound, "webhook pager does not exist; there are: none")
    );
    let again = desk.create(pager()).await.unwrap();
    assert_ne!(again.webhook.unwrap().id, webhook.id, "it inherits nothing");
    assert_ne!(again.secret, created.secret);
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once_and_what_a_mask_leaves_out_is_not_looked_at() {
    let desk = Desk::new().await;
    let wrong = v1::Webhook {
        key: "no key".to_owned(),
        url: "http://alerts.example.com/".to_owned(),
        description: "x".repeat(5_000),
        types: vec!["alert".to_owned(), "rollout_exploded".to_owned()],
        least_severity: 7,
        environments: vec!["production".to_owned(), "moon".to_owned()],
        ..v1::Webhook::default()
    };
    let refused = desk.create(wrong.clone()).await.unwrap_err();
    let expected = [
        "webhook.key",
        "webhook.url",
        "webhook.description",
        "webhook.types[1]",
        "webhook.least_severity",
        "webhook.environments[1]",
    ];
    assert_eq!(violated(&refused), expected);
    desk.create(pager()).await.unwrap();
    let wrong = v1::Webhook {
        key: "pager".to_owned(),
        ..wrong
    };
    let refused = desk.update(wrong.clone(), 0, &[]).await.unwrap_err();
    assert_eq!(violated(&refused), expected[1..]);
    let updated = desk.update(wrong.clone(), 0, &["disabled"]).await.unwrap();
    assert_eq!(updated.url, pager().url);
    let refused = desk.update(wrong, 0, &["secret"]).await.unwrap_err();
    assert_eq!(violated(&refused), ["update_mask.paths[0]"]);
    let many = v1::Webhook {
        key: "many".to_owned(),
        types: vec!["alert".to_owned(); 201],
        ..pager()
    };
    assert_eq!(violated(&desk.create(many).await.unwrap_err()), ["webhook.types"]);
}

#[tokio::test]
async fn a_key_is_taken_once_and_there_are_no_more_than_may_be() {
    let desk = Desk::new().await;
    desk.create(pager()).await.unwrap();
    assert_eq!(desk.create(pager()).await.unwrap_err().code(), Code::AlreadyExists);
    for number in 1..LIMIT {
        let key = format!("w-{number}");
        desk.create(v1::Webhook { key, ..pager() }).await.unwrap();
    }
    let key = "one-more".to_owned();
    let refused = desk.create(v1::Webhook { key, ..pager() }).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let request = Request::new(v1::ListWebhooksRequest {});
    let listed = desk.api.list_webhooks(request).await.unwrap().into_inner().webhooks;
    assert_eq!(listed.len(), LIMIT);
    assert!(listed.is_sorted_by(|one, next| one.key < next.key));
}

#[tokio::test]
async fn another_secret_is_drawn_and_the_one_before_signs_for_a_while_or_no_longer() {
    let desk = Desk::new().await;
    let receiver = Receiver::start().await;
    let webhook = v1::Webhook {
        url: receiver.url(),
        ..pager()
    };
    let first = desk.create(webhook).await.unwrap().secret;
    let rotated = desk.rotate("pager", None).await.unwrap();
    let shown = rotated.webhook.unwrap();
    assert!(shown.previous_secret_until_us > shown.updated_at_us);
    assert!(desk.test("pager").await.delivered);
    let at_once = desk.rotate("pager", Some(0)).await.unwrap();
    assert_eq!(at_once.webhook.unwrap().previous_secret_until_us, 0);
    assert!(desk.test("pager").await.delivered);
    let came = receiver.received(2).await;
    let signs = |secret: &str| [&came[0], &came[1]].map(|message| message.is_signed_with(secret));
    assert_eq!(signs(&first), [true, false]);
    assert_eq!(signs(&rotated.secret), [true, false]);
    assert_eq!(signs(&at_once.secret), [false, true]);
    for overlap_us in [-1, LONGEST_OVERLAP_US + 1] {
        let refused = desk.rotate("pager", Some(overlap_us)).await.unwrap_err();
        assert_eq!(violated(&refused), ["overlap_us"]);
    }
}

#[tokio::test]
async fn a_test_says_what_was_answered() {
    let desk = Desk::new().await;
    let receiver = Receiver::start().await;
    let webhook = v1::Webhook {
        url: receiver.url(),
        ..pager()
    };
    desk.create(webhook).await.unwrap();
    let taken = desk.test("pager").await;
    assert_eq!((taken.delivered, taken.status), (true, 200));
    let came = receiver.received(1).await.remove(0);
    assert_eq!(
        (came.id(), came.json()["type"].as_str()),
        (taken.webhook_id.as_str(), Some("webhook_test"))
    );
    receiver.replies(|_| Reply::status(401));
    let refused = desk.test("pager").await;
    assert_eq!((refused.delivered, refused.status), (false, 401));
    assert!(refused.answer.contains("401"), "{}", refused.answer);
    receiver.stop().await;
    let absent = desk.test("pager").await;
    assert_eq!((absent.delivered, absent.status), (false, 0));
    assert!(absent.answer.contains("cannot be reached"), "{}", absent.answer);
}

#[test]
fn what_waits_is_sent_when_it_is_due_and_not_while_its_receiver_rests_or_is_disabled() {
    let next = |due_us, not_before_us| {
        let waiting = Delivery {
            due_us,
            ..builders::delivery(1, 7)
        };
        wire::delivery(Uuid::nil(), waiting, not_before_us).next_attempt_at_us
    };
    assert_eq!(next(500, Some(300)), 500);
    // Its turn has not come, or its receiver rests.
    assert_eq!((next(0, Some(300)), next(100, Some(300))), (300, 300));
    assert_eq!(next(500, None), 0);
}

#[tokio::test]
async fn deliveries_are_paged_those_that_wait_first_and_the_newest_before_the_older() {
    let desk = Desk::new().await;
    // Disabled, so that nothing but this test touches its queue.
    let disabled = v1::Webhook {
        disabled: true,
        ..pager()
    };
    desk.create(disabled).await.unwrap();
    let record = desk.trial.truth.state().webhooks[&builders::key("pager")].clone();
    let mut tally = Tally::default();
    for revision in 1..=3 {
        let ended = Ended {
            end: End::Delivered,
            at_us: 5,
        };
        tally.count(ended);
        let delivery = Delivery {
            ended: Some(ended),
            ..builders::delivery(revision, 7)
        };
        desk.trial.commit(delivery::end(record.id, &delivery, &tally)).await;
    }
    for revision in 4..=6 {
        let waiting = Delivery {
            queued_at_us: i64::MAX / 2,
            ..builders::delivery(revision, 7)
        };
        desk.trial.commit(delivery::queue(&[&record], &waiting)).await;
    }
    let events = |page: &v1::ListWebhookDeliveriesResponse| {
        let ids = page.deliveries.iter().map(|one| one.event_id.clone());
        ids.collect::<Vec<_>>()
    };
    let whole = desk.deliveries(0, "").await;
    let expected = [6, 5, 4, 3, 2, 1].map(|revision| format!("7.{revision}.rollout_held"));
    assert_eq!(
        (events(&whole), whole.next_page_token.as_str()),
        (expected.to_vec(), "")
    );
    let states = whole
        .deliveries
        .iter()
        .map(v1::WebhookDelivery::state)
        .collect::<Vec<_>>();
    assert_eq!(states[2..4], [v1::DeliveryState::Waiting, v1::DeliveryState::Delivered]);
    // The webhook is disabled.
    assert!(whole.deliveries.iter().all(|one| one.next_attempt_at_us == 0));
    for size in 1..=6 {
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let page = desk.deliveries(size, &token).await;
            assert!(page.deliveries.len() <= size as usize);
            all.extend(events(&page));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(all, expected, "{size}");
    }
}

#[tokio::test]
async fn of_those_that_ended_the_latest_are_kept() {
    let desk = Desk::new().await;
    desk.create(v1::Webhook {
        disabled: true,
        ..pager()
    })
    .await
    .unwrap();
    let record = desk.trial.truth.state().webhooks[&builders::key("pager")].clone();
    let mut tally = Tally::default();
    for revision in 1..=delivery::KEPT + 3 {
        let ended = Ended {
            end: End::Delivered,
            at_us: 5,
        };
        tally.count(ended);
        let ended = Delivery {
            ended: Some(ended),
            ..builders::delivery(revision, 7)
        };
        desk.trial.commit(delivery::end(record.id, &ended, &tally)).await;
    }
    let kept = crate::store::all(desk.trial.truth.store(), &keys::all_delivered(record.id))
        .await
        .unwrap();
    assert_eq!(kept.len() as u64, delivery::KEPT);
}
