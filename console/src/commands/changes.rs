//! Changes as they happen: one line each, or one JSON or YAML document each.

use proto::v1;
use serde::Serialize;

use super::follow::{self, Said};
use crate::{
    args::{Global, WatchArgs},
    connect::Session,
    error::{End, Error},
    print,
};

/// One change, for programs.
#[derive(Debug, Serialize)]
struct ChangeView {
    at: Option<String>,
    action: String,
    kind: String,
    key: String,
    actor: String,
    reason: String,
    revision: u64,
}

impl ChangeView {
    fn of(change: v1::Change) -> Self {
        Self {
            at: print::timestamp(change.at_us),
            action: change.action,
            kind: change.kind,
            key: change.key,
            actor: change.actor,
            reason: change.reason,
            revision: change.revision,
        }
    }
}

/// Follows the changes of the environment until Ctrl-C.
pub(super) async fn watch(global: &Global, options: &WatchArgs) -> Result<End, Error> {
    let session = Session::open(global).await?;
    let kinds: Vec<String> = options.kind.iter().map(|kind| kind.name().to_owned()).collect();
    let open = async |after_revision| {
        let request = v1::WatchChangesRequest {
            environment: session.environment(),
            after_revision,
            kinds: kinds.clone(),
            key: options.key.clone().unwrap_or_default(),
        };
        let response = session.changes().watch_changes(session.follow(request)).await?;
        Ok(response.into_inner())
    };
    let show = |change: v1::Change| {
        let text = line(&change);
        print::show_change(global.output, &ChangeView::of(change), &text)
    };
    follow::follow(&session, options.after.unwrap_or_default(), open, said, show).await
}

fn said(message: v1::WatchChangesResponse) -> Said<v1::Change> {
    Said {
        complete: message.revision,
        news: message.change.map(|change| {
            let name = format!("{} {} {}", change.kind, change.key, change.action);
            (change.revision, name, change)
        }),
    }
}

fn line(change: &v1::Change) -> String {
    let reason = if change.reason.is_empty() {
        String::new()
    } else {
        format!(": {}", change.reason)
    };
    print::plain(&format!(
        "{} {} {} by {}{reason} (revision {})",
        print::moment(change.at_us),
        change.action,
        change.key,
        change.actor,
        change.revision
    ))
}
