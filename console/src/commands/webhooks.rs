//! Where events are delivered: added, changed, tried, and what came of the deliveries.

use std::time::Duration;

use evaluation::Key;
use prost_types::FieldMask;
use proto::v1;
use tonic::{Code, Status};

use super::{confirm::confirm, pages};
use crate::{
    args::{
        EventType, Global, WebhookAddArgs, WebhookCommand, WebhookDeliveriesArgs, WebhookRemoveArgs, WebhookRotateArgs,
        WebhookUpdateArgs,
    },
    connect::Session,
    error::{End, Error},
    nearest::nearest,
    print,
    view::webhook::{self, DeliveryView, DrawnView, WebhookView},
};

/// Deliveries in one page.
const PAGE: u32 = 200;
/// How long the answer to a try takes at most: the receiver's 15 seconds, and some more.
const TRY: Duration = Duration::from_secs(20);

/// Runs one of the commands.
pub(super) async fn run(global: &Global, command: WebhookCommand) -> Result<End, Error> {
    let session = Session::open(global).await?;
    match command {
        WebhookCommand::Add(options) => add(global, &session, options).await?,
        WebhookCommand::List => list(global, &session).await?,
        WebhookCommand::Show(name) => {
            let found = read(&session, &name.key).await?;
            show(global, &found)?;
        }
        WebhookCommand::Update(options) => update(global, &session, options).await?,
        WebhookCommand::Remove(options) => remove(global, &session, &options).await?,
        WebhookCommand::Test(name) => return test(global, &session, &name.key).await,
        WebhookCommand::Rotate(options) => rotate(global, &session, &options).await?,
        WebhookCommand::Deliveries(options) => deliveries(global, &session, &options).await?,
    }
    Ok(End::Done)
}

async fn add(global: &Global, session: &Session, options: WebhookAddArgs) -> Result<(), Error> {
    let wanted = v1::Webhook {
        key: options.key.to_string(),
        url: options.url,
        description: options.description.unwrap_or_default(),
        types: types(&options.types),
        least_severity: options.least_severity.wire().into(),
        environments: environments(global, &options.environments),
        disabled: options.disabled,
        ..v1::Webhook::default()
    };
    let request = v1::CreateWebhookRequest { webhook: Some(wanted) };
    let response = session.webhooks().create_webhook(session.call(request)).await;
    let created = response.map_err(|status| session.error(&status))?.into_inner();
    drawn(global, &created.webhook.unwrap_or_default(), created.secret)
}

fn types(types: &[EventType]) -> Vec<String> {
    types.iter().map(|kind| kind.name().to_owned()).collect()
}

/// Those that `--of` names, and the one that `-e` names: the option only, for a webhook hears of all unless one is named.
fn environments(global: &Global, named: &[Key]) -> Vec<String> {
    let named = named.iter().chain(&global.environment);
    named.map(Key::to_string).collect()
}

async fn list(global: &Global, session: &Session) -> Result<(), Error> {
    let webhooks = all(session).await.map_err(|status| session.error(&status))?;
    let views = webhooks.iter().map(WebhookView::of).collect::<Vec<_>>();
    print::show(global.output, &views, || match webhooks.as_slice() {
        [] => "no webhooks; add one with: tidegate webhooks add KEY --url URL".to_owned(),
        webhooks => webhook::list(webhooks),
    })
}

async fn all(session: &Session) -> Result<Vec<v1::Webhook>, Status> {
    let request = session.call(v1::ListWebhooksRequest {});
    Ok(session.webhooks().list_webhooks(request).await?.into_inner().webhooks)
}

async fn read(session: &Session, key: &Key) -> Result<v1::Webhook, Error> {
    let request = v1::GetWebhookRequest { key: key.to_string() };
    match session.webhooks().get_webhook(session.call(request)).await {
        Ok(response) => Ok(response.into_inner().webhook.unwrap_or_default()),
        Err(status) => Err(missing(session, key, &status).await),
    }
}

/// Changes what is given, on condition that nobody writes meanwhile.
async fn update(global: &Global, session: &Session, options: WebhookUpdateArgs) -> Result<(), Error> {
    let mut webhook = read(session, &options.key).await?;
    let mut paths = Vec::new();
    let mut takes = |field: &str| paths.push(field.to_owned());
    if let Some(url) = options.url {
        takes("url");
        webhook.url = url;
    }
    if let Some(description) = options.description {
        takes("description");
        webhook.description = description;
    }
    if options.all_types || !options.types.is_empty() {
        takes("types");
        webhook.types = types(&options.types);
    }
    if let Some(severity) = options.least_severity {
        takes("least_severity");
        webhook.least_severity = severity.wire().into();
    }
    if options.all_environments || !options.environments.is_empty() {
        takes("environments");
        webhook.environments = options.environments.iter().map(Key::to_string).collect();
    }
    if options.enable || options.disable {
        takes("disabled");
        webhook.disabled = options.disable;
    }
    let request = v1::UpdateWebhookRequest {
        expected_revision: webhook.revision,
        webhook: Some(webhook),
        update_mask: Some(FieldMask { paths }),
    };
    let response = session.webhooks().update_webhook(session.call(request)).await;
    let updated = response.map_err(|status| session.error(&status))?.into_inner();
    show(global, &updated.webhook.unwrap_or_default())
}

async fn remove(global: &Global, session: &Session, options: &WebhookRemoveArgs) -> Result<(), Error> {
    let seen = read(session, &options.key).await?;
    let waiting = seen.progress.as_ref().map_or(0, |progress| progress.waiting);
    let question = format!("Delete webhook {} ({}, {waiting} events waiting)?", seen.key, seen.url);
    confirm(&question, options.yes)?;
    let request = v1::DeleteWebhookRequest {
        key: options.key.to_string(),
        expected_revision: seen.revision,
    };
    let response = session.webhooks().delete_webhook(session.call(request)).await;
    response.map_err(|status| session.error(&status))?;
    print::show(global.output, &WebhookView::of(&seen), || {
        format!("{}: deleted", print::plain(&seen.key))
    })
}

async fn test(global: &Global, session: &Session, key: &Key) -> Result<End, Error> {
    let mut request = session.follow(v1::TestWebhookRequest { key: key.to_string() });
    request.set_timeout(TRY.max(session.timeout()));
    let tried = match session.webhooks().test_webhook(request).await {
        Ok(response) => response.into_inner(),
        Err(status) => return Err(missing(session, key, &status).await),
    };
    let value = serde_json::json!({
        "delivered": tried.delivered,
        "status": tried.status,
        "answer": tried.answer,
        "took_us": tried.took_us,
        "webhook_id": tried.webhook_id,
    });
    print::show(global.output, &value, || webhook::tried(key.as_str(), &tried))?;
    // Whoever has mended a receiver that was gone expects deliveries now.
    if tried.delivered && read(session, key).await.is_ok_and(|webhook| webhook.disabled) {
        print::note(&format!(
            "it is disabled, and nothing of what waits is sent; deliver with: tidegate webhooks update {key} --enable"
        ));
    }
    Ok(if tried.delivered { End::Done } else { End::Unhealthy })
}

async fn rotate(global: &Global, session: &Session, options: &WebhookRotateArgs) -> Result<(), Error> {
    let overlap_us = i64::try_from(options.keep_previous.as_micros()).unwrap_or(i64::MAX);
    let request = v1::RotateWebhookSecretRequest {
        key: options.key.to_string(),
        overlap_us: Some(overlap_us),
        expected_revision: 0,
    };
    match session.webhooks().rotate_webhook_secret(session.call(request)).await {
        Ok(response) => {
            let rotated = response.into_inner();
            drawn(global, &rotated.webhook.unwrap_or_default(), rotated.secret)
        }
        Err(status) => Err(missing(session, &options.key, &status).await),
    }
}

async fn deliveries(global: &Global, session: &Session, options: &WebhookDeliveriesArgs) -> Result<(), Error> {
    let found = pages::collect(options.limit as usize, async |page_token| {
        let request = v1::ListWebhookDeliveriesRequest {
            key: options.key.to_string(),
            page_size: options.limit.min(PAGE),
            page_token,
        };
        let response = session
            .webhooks()
            .list_webhook_deliveries(session.call(request))
            .await?;
        let page = response.into_inner();
        Ok((page.deliveries, page.next_page_token))
    })
    .await;
    let found = match found {
        Ok(found) => found,
        Err(status) => return Err(missing(session, &options.key, &status).await),
    };
    let views = found.iter().map(DeliveryView::of).collect::<Vec<_>>();
    print::show(global.output, &views, || match found.as_slice() {
        [] => format!("{}: nothing was delivered yet, and nothing waits", options.key),
        found => webhook::deliveries(found),
    })
}

fn show(global: &Global, found: &v1::Webhook) -> Result<(), Error> {
    print::show(global.output, &WebhookView::of(found), || webhook::page(found))
}

fn drawn(global: &Global, found: &v1::Webhook, secret: String) -> Result<(), Error> {
    let text = webhook::drawn(found, &secret);
    print::show(global.output, &DrawnView::of(found, secret), || text)
}

async fn missing(session: &Session, key: &Key, status: &Status) -> Error {
    let refusal = session.error(status);
    let Error::Refused(mut problems) = refusal else {
        return refusal;
    };
    if status.code() == Code::NotFound {
        let webhooks = all(session).await.unwrap_or_default();
        if let Some(near) = nearest(key.as_str(), webhooks.iter().map(|one| one.key.as_str())) {
            problems.push(format!("did you mean {near}?"));
        }
    }
    Error::Refused(problems)
}
