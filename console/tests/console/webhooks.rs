//! Where events are delivered: added with a secret that is shown once, changed, tried, listed, removed.
#![allow(clippy::unwrap_used)]

use proto::v1;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::fake::{Answer, Fake};

#[tonic::async_trait]
impl v1::webhooks_server::Webhooks for Fake {
    async fn create_webhook(&self, request: Request<v1::CreateWebhookRequest>) -> Answer<v1::CreateWebhookResponse> {
        let mut webhook = request.into_inner().webhook.unwrap();
        if webhook.url.starts_with("ftp:") {
            let mut details = ErrorDetails::new();
            details.add_bad_request_violation("webhook.url", "begins with ftp:, and only https: is posted to");
            details.add_bad_request_violation("webhook.types[0]", "\"x\" is none of alert");
            return Err(Status::with_error_details(Code::InvalidArgument, "two", details));
        }
        webhook.revision = 1;
        self.state().webhooks.insert(webhook.key.clone(), webhook.clone());
        Ok(Response::new(v1::CreateWebhookResponse {
            webhook: Some(webhook),
            secret: "whsec_bmV3".into(),
        }))
    }

    async fn update_webhook(&self, request: Request<v1::UpdateWebhookRequest>) -> Answer<v1::UpdateWebhookResponse> {
        let asked = request.into_inner();
        let webhook = asked.webhook.unwrap();
        let mut state = self.state();
        state.asked.push(asked.update_mask.unwrap().paths.join(","));
        assert_eq!(asked.expected_revision, state.webhooks[&webhook.key].revision);
        state.webhooks.insert(webhook.key.clone(), webhook.clone());
        Ok(Response::new(v1::UpdateWebhookResponse { webhook: Some(webhook) }))
    }

    async fn delete_webhook(&self, request: Request<v1::DeleteWebhookRequest>) -> Answer<v1::DeleteWebhookResponse> {
        self.state().webhooks.remove(&request.into_inner().key).unwrap();
        Ok(Response::new(v1::DeleteWebhookResponse {}))
    }

    async fn get_webhook(&self, request: Request<v1::GetWebhookRequest>) -> Answer<v1::GetWebhookResponse> {
        let webhook = self.webhook(&request.into_inner().key)?;
        Ok(Response::new(v1::GetWebhookResponse { webhook: Some(webhook) }))
    }

    async fn list_webhooks(&self, _: Request<v1::ListWebhooksRequest>) -> Answer<v1::ListWebhooksResponse> {
        let webhooks = self.state().webhooks.values().cloned().collect();
        Ok(Response::new(v1::ListWebhooksResponse { webhooks }))
    }

    async fn test_webhook(&self, request: Request<v1::TestWebhookRequest>) -> Answer<v1::TestWebhookResponse> {
        let delivered = self.webhook(&request.into_inner().key)?.url.starts_with("https:");
        let (status, answer) = match delivered {
            true => (200, "answered 200 OK"),
            false => (0, "cannot be reached: connection refused"),
        };
        Ok(Response::new(v1::TestWebhookResponse {
            delivered,
            status,
            answer: answer.into(),
            took_us: 12_345,
            webhook_id: "msg_7".into(),
        }))
    }

    async fn rotate_webhook_secret(
        &self,
        request: Request<v1::RotateWebhookSecretRequest>,
    ) -> Answer<v1::RotateWebhookSecretResponse> {
        let asked = request.into_inner();
        let webhook = Some(self.webhook(&asked.key)?);
        self.state().asked.push(asked.overlap_us.unwrap().to_string());
        Ok(Response::new(v1::RotateWebhookSecretResponse {
            webhook,
            secret: "whsec_bmV4dA==".into(),
        }))
    }

    async fn list_webhook_deliveries(
        &self,
        request: Request<v1::ListWebhookDeliveriesRequest>,
    ) -> Answer<v1::ListWebhookDeliveriesResponse> {
        let asked = request.into_inner();
        self.webhook(&asked.key)?;
        let of = |state: v1::DeliveryState, answer: &str| v1::WebhookDelivery {
            webhook_id: "msg_7".into(),
            event_id: "r.7.alert.abort".into(),
            r#type: "alert".into(),
            environment: "production".into(),
            state: state.into(),
            attempts: 2,
            queued_at_us: 1_767_225_600_000_000,
            next_attempt_at_us: 1_767_225_900_000_000,
            answer: answer.into(),
            ..Default::default()
        };
        let page = match asked.page_token.as_str() {
            "" => (of(v1::DeliveryState::Waiting, "did not answer in time"), "next"),
            _ => (of(v1::DeliveryState::GivenUp, "answered\u{1b}[2J 500"), ""),
        };
        Ok(Response::new(v1::ListWebhookDeliveriesResponse {
            deliveries: vec![page.0],
            next_page_token: page.1.into(),
        }))
    }
}

impl Fake {
    fn webhook(&self, key: &str) -> Result<v1::Webhook, Status> {
        let found = self.state().webhooks.get(key).cloned();
        found.ok_or_else(|| Status::not_found(format!("webhook {key} does not exist")))
    }
}

const URL: &str = "https://alerts.example.com/hook";

async fn with_pager() -> Fake {
    let fake = Fake::start().await;
    let added = fake.run(&["webhooks", "add", "pager", "--url", URL]).await;
    assert_eq!(added.code, 0, "{added:?}");
    fake
}

#[tokio::test]
async fn a_webhook_is_added_and_its_secret_is_shown_once() {
    let fake = Fake::start().await;
    let line = [
        "webhooks",
        "add",
        "pager",
        "--url",
        URL,
        "--type",
        "alert",
        "--type",
        "rollout_aborted",
    ];
    let more = ["--least-severity", "critical", "--of", "production", "--of", "staging"];
    let added = fake.run(&[&line[..], &more].concat()).await;
    assert!(added.out.contains("secret: whsec_bmV3"), "{added:?}");
    assert!(added.out.contains("not shown again"), "{added:?}");
    let webhook = fake.state().webhooks["pager"].clone();
    assert_eq!(webhook.types, ["alert", "rollout_aborted"]);
    assert_eq!(webhook.environments, ["production", "staging"]);
    assert_eq!(webhook.least_severity(), v1::AlertSeverity::Critical);
    for line in [
        &["webhooks", "show", "pager"][..],
        &["webhooks", "list"],
        &["webhook", "ls", "-o", "json"],
    ] {
        let shown = fake.run(line).await;
        assert!(shown.code == 0 && shown.out.contains(URL), "{shown:?}");
        assert!(!shown.out.contains("whsec_"), "{shown:?}");
    }
    let line = ["webhooks", "add", "chat", "--url", URL, "-e", "staging", "-o", "json"];
    let json: serde_json::Value = serde_json::from_str(&fake.run(&line).await.out).unwrap();
    assert_eq!(json["secret"], "whsec_bmV3");
    assert_eq!(json["webhook"]["environments"], serde_json::json!(["staging"]));
    assert!(fake.state().webhooks["chat"].types.is_empty(), "all types");
}

#[tokio::test]
async fn an_update_gives_only_what_it_names() {
    let fake = with_pager().await;
    let cases = [
        (&["--url", "https://new.example.com/"][..], "url"),
        (&["--type", "alert", "--description", ""], "description,types"),
        (&["--all-types", "--of", "production"], "types,environments"),
        (
            &["--all-environments", "--least-severity", "any"],
            "least_severity,environments",
        ),
        (&["--disable"], "disabled"),
    ];
    for (options, fields) in cases {
        let updated = fake.run(&[&["webhooks", "update", "pager"], options].concat()).await;
        assert_eq!(updated.code, 0, "{updated:?}");
        assert_eq!(fake.state().asked.pop().as_deref(), Some(fields));
    }
    let webhook = fake.state().webhooks["pager"].clone();
    assert!(webhook.disabled && webhook.types.is_empty() && webhook.environments.is_empty());
    let listed = fake.run(&["webhooks", "list"]).await;
    assert!(listed.out.contains("disabled"), "{listed:?}");
    for options in [&[][..], &["--enable", "--disable"], &["--type", "alert", "--all-types"]] {
        let refused = fake.run(&[&["webhooks", "update", "pager"], options].concat()).await;
        assert_eq!(refused.code, 2, "{refused:?}");
    }
}

#[tokio::test]
async fn what_waits_for_a_disabled_webhook_is_shown_and_a_try_says_what_sends_it() {
    let fake = with_pager().await;
    let hint = "tidegate webhooks update pager --enable";
    let taken = fake.run(&["webhooks", "test", "pager"]).await;
    assert!(!taken.err.contains(hint), "{taken:?}");
    let disable = |webhook: &mut v1::Webhook| {
        webhook.disabled = true;
        webhook.progress = Some(v1::WebhookProgress {
            waiting: 1_200,
            ..Default::default()
        });
    };
    fake.state().webhooks.entry("pager".into()).and_modify(disable);
    let listed = fake.run(&["webhooks", "list"]).await;
    assert!(listed.out.contains("disabled, 1,200 waiting"), "{listed:?}");
    let taken = fake.run(&["webhooks", "test", "pager"]).await;
    assert!(taken.code == 0 && taken.err.contains(hint), "{taken:?}");
}

#[tokio::test]
async fn a_try_says_what_was_answered_and_its_exit_code_says_whether_it_was_taken() {
    let fake = with_pager().await;
    let taken = fake.run(&["webhooks", "test", "pager"]).await;
    assert_eq!(
        (taken.code, taken.out.as_str()),
        (0, "pager: taken: answered 200 OK (12 ms, msg_7)\n"),
        "{taken:?}"
    );
    fake.run(&["webhooks", "add", "down", "--url", "http://127.0.0.1:9/"])
        .await;
    let lost = fake.run(&["webhooks", "test", "down"]).await;
    assert!(lost.code == 1 && lost.out.contains("connection refused"), "{lost:?}");
}

#[tokio::test]
async fn a_secret_is_changed_for_another() {
    let fake = with_pager().await;
    let rotated = fake.run(&["webhooks", "rotate", "pager"]).await;
    assert!(rotated.out.contains("secret: whsec_bmV4dA=="), "{rotated:?}");
    let leaked = fake
        .run(&["webhooks", "rotate", "pager", "--keep-previous", "0s"])
        .await;
    assert_eq!(leaked.code, 0, "{leaked:?}");
    let long = fake
        .run(&["webhooks", "rotate", "pager", "--keep-previous", "8d"])
        .await;
    assert!(long.code == 2 && long.err.contains("--keep-previous"), "{long:?}");
    assert_eq!(fake.state().asked, ["86400000000", "0"]);
}

#[tokio::test]
async fn deliveries_are_listed_page_by_page_and_command_no_terminal() {
    let fake = with_pager().await;
    let listed = fake.run(&["webhooks", "deliveries", "pager"]).await;
    for part in ["waiting", "given up", "did not answer in time", "2026-01-01 00:05:00Z"] {
        assert!(listed.out.contains(part), "{listed:?}");
    }
    assert!(!listed.out.contains('\u{1b}'), "{listed:?}");
    let one = fake
        .run(&["webhooks", "deliveries", "pager", "--limit", "1", "-o", "json"])
        .await;
    let json: serde_json::Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!(
        (json.as_array().unwrap().len(), &json[0]["state"]),
        (1, &"waiting".into())
    );
}

#[tokio::test]
async fn a_webhook_is_removed_only_by_who_means_it_and_a_missing_one_names_the_nearest() {
    let fake = with_pager().await;
    let unsure = fake.run(&["webhooks", "remove", "pager"]).await;
    assert!(unsure.code == 2 && unsure.err.contains("add --yes"), "{unsure:?}");
    for command in ["show", "test", "rotate", "deliveries"] {
        let missing = fake.run(&["webhooks", command, "pagr"]).await;
        assert!(
            missing.code == 1 && missing.err.contains("did you mean pager?"),
            "{missing:?}"
        );
    }
    let removed = fake.run(&["webhooks", "remove", "pager", "--yes"]).await;
    assert_eq!(removed.out, "pager: deleted\n", "{removed:?}");
    let none = fake.run(&["webhooks", "list"]).await;
    assert!(none.out.contains("tidegate webhooks add"), "{none:?}");
    let wrong = fake.run(&["webhooks", "add", "pager", "--url", "ftp://a/"]).await;
    assert!(
        wrong.code == 1 && wrong.err.contains("webhook.url: begins") && wrong.err.contains("webhook.types[0]"),
        "{wrong:?}"
    );
}
