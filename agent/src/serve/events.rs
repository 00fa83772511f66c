//! The event stream of one flagd client: ready, what changed, a sign of life, and the end.
//!
//! Holds no queue: it remembers the snapshot that the client was told about and compares it with the one in use when the
//! client can take more. So a slow client coalesces by itself, and no one waits for it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use evaluation::{EntryKind, Revision, Snapshot, between};
use futures::{Stream, stream};
use prost_types::{Struct, Value, value::Kind};
use proto::flagd::evaluation_v2::EventStreamResponse;
use runtime::shutdown::Shutdown;
use tokio::{sync::watch, time::Instant};
use tonic::Status;

use crate::{
    evaluate::{Selection, find},
    snapshot::Holder,
};

/// Silence after which a sign of life is due.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// One client's stream.
struct Events {
    holder: Holder,
    revision: watch::Receiver<Revision>,
    selection: Selection,
    shutdown: Shutdown,
    /// What the client knows; None: not told that it may start.
    told: Option<Arc<Snapshot>>,
    over: bool,
}

/// The events that a client with this selection sees.
pub(crate) fn events(
    holder: Holder,
    selection: Selection,
    shutdown: Shutdown,
) -> impl Stream<Item = Result<EventStreamResponse, Status>> + Send + 'static {
    let revision = holder.watch();
    let start = Events {
        holder,
        revision,
        selection,
        shutdown,
        told: None,
        over: false,
    };
    stream::unfold(start, |mut events| async move {
        let event = events.next().await?;
        Some((Ok(event), events))
    })
}

impl Events {
    async fn next(&mut self) -> Option<EventStreamResponse> {
        if self.over {
            return None;
        }
        let keep_alive = Instant::now() + KEEP_ALIVE;
        loop {
            self.revision.borrow_and_update();
            if let Some(event) = self.news() {
                return Some(event);
            }
            tokio::select! {
                changed = self.revision.changed() => if changed.is_err() { return None },
                () = tokio::time::sleep_until(keep_alive), if self.told.is_some() => return Some(event("keep_alive", None)),
                () = self.shutdown.draining() => {
                    self.over = true;
                    return Some(event("provider_shutdown", Some(Struct::default())));
                }
            }
        }
    }

    /// What the client does not know yet.
    fn news(&mut self) -> Option<EventStreamResponse> {
        if !self.holder.holds_any() {
            return None;
        }
        let current = self.holder.load_full();
        let Some(told) = self.told.replace(Arc::clone(&current)) else {
            return Some(event("provider_ready", Some(Struct::default())));
        };
        let changed = changed(&told, &current, &self.selection);
        (!changed.is_empty()).then(|| event("configuration_change", Some(Struct { fields: flags(changed) })))
    }
}

/// The flags that differ for a client with this selection, and how.
fn changed(from: &Snapshot, to: &Snapshot, selection: &Selection) -> BTreeMap<String, &'static str> {
    between(from.index(), to.index())
        .changes
        .into_iter()
        .filter(|change| change.id.kind == EntryKind::Flag)
        .filter_map(|change| {
            let key = &change.id.key;
            let kind = match (find(from, selection, key), find(to, selection, key)) {
                (None, None) => return None,
                (None, Some(_)) => "write",
                (Some(_), None) => "delete",
                // Held back: another entry, the same flag.
                (Some(was), Some(is)) if std::ptr::eq(was, is) => return None,
                (Some(_), Some(_)) => "update",
            };
            Some((key.to_string(), kind))
        })
        .collect()
}

fn flags(changed: BTreeMap<String, &'static str>) -> BTreeMap<String, Value> {
    let of = |fields: BTreeMap<String, Value>| Value {
        kind: Some(Kind::StructValue(Struct { fields })),
    };
    let text = |text: &str| Value {
        kind: Some(Kind::StringValue(text.to_owned())),
    };
    let flags = changed
        .into_iter()
        .map(|(key, kind)| (key, of([("type".to_owned(), text(kind))].into())))
        .collect();
    [("flags".to_owned(), of(flags))].into()
}

fn event(kind: &str, data: Option<Struct>) -> EventStreamResponse {
    EventStreamResponse {
        r#type: kind.to_owned(),
        data,
    }
}

#[cfg(test)]
mod tests;
