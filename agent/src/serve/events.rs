//! The event stream of one flagd client: ready, what changed, a sign of life, and the end.
//!
//! Holds no queue of events: it remembers the snapshot that the client was told about and compares it with the one in use
//! when the client can take more. So a slow client coalesces by itself, and no one waits for it. A new stream names every
//! flag once, because a client that comes back may hold values from before; and the end is an error, because providers
//! open no new stream after a clean end.

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
/// The most flags of a message: with keys of at most 200 bytes it stays below the 4 MiB that clients accept.
const FLAGS: usize = 10_000;

/// One client's stream.
struct Events {
    holder: Holder,
    revision: watch::Receiver<Revision>,
    selection: Selection,
    shutdown: Shutdown,
    /// What the client knows; None: not told that it may start.
    told: Option<Arc<Snapshot>>,
    /// Flags of what the client was told that did not fit the last message, and how they changed.
    rest: BTreeMap<String, &'static str>,
    ending: Ending,
}

/// How far the end of a stream has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The stream goes on.
    Open,
    /// The client was told; the error comes next.
    Told,
    /// Nothing more comes.
    Over,
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
        rest: BTreeMap::new(),
        ending: Ending::Open,
    };
    stream::unfold(start, |mut events| async move {
        let event = events.next().await?;
        Some((event, events))
    })
}

impl Events {
    async fn next(&mut self) -> Option<Result<EventStreamResponse, Status>> {
        match self.ending {
            Ending::Open => self.event().await.map(Ok),
            Ending::Told => {
                self.ending = Ending::Over;
                Some(Err(Status::unavailable("the agent is stopping; connect again")))
            }
            Ending::Over => None,
        }
    }

    async fn event(&mut self) -> Option<EventStreamResponse> {
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
                    self.ending = Ending::Told;
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
        if self.rest.is_empty() {
            let current = self.holder.load_full();
            let Some(told) = self.told.replace(Arc::clone(&current)) else {
                self.rest = every(&current, &self.selection);
                return Some(event("provider_ready", Some(Struct::default())));
            };
            self.rest = changed(&told, &current, &self.selection);
        }
        let fit = first(&mut self.rest, FLAGS);
        (!fit.is_empty()).then(|| event("configuration_change", Some(Struct { fields: flags(fit) })))
    }
}

/// Takes at most this many.
fn first(of: &mut BTreeMap<String, &'static str>, most: usize) -> BTreeMap<String, &'static str> {
    let rest = match of.keys().nth(most).cloned() {
        Some(next) => of.split_off(&next),
        None => BTreeMap::new(),
    };
    std::mem::replace(of, rest)
}

/// Every flag that a client with this selection sees, as one that may have changed.
fn every(snapshot: &Snapshot, selection: &Selection) -> BTreeMap<String, &'static str> {
    snapshot
        .flags()
        .filter(|flag| selection.admits(flag))
        .map(|flag| (flag.key().to_string(), "update"))
        .collect()
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
