//! The event stream of one flagd client: ready, what changed, a sign of life, and the end; the same in both versions.
//!
//! A new stream names every flag once, because a client that comes back may hold values from before. The end is an
//! error, because providers open no new stream after a clean end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _, stream};
use prost_types::{Struct, Value, value::Kind};
use runtime::shutdown::Shutdown;
use tokio::time::Instant;
use tonic::Status;

use super::{
    changes::{Change, Changes},
    stopping,
};
use crate::evaluate::{Evaluator, Selection};

/// Silence after which a sign of life is due.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// One event, as every version of the protocol has it.
#[derive(Debug)]
pub(crate) struct Event {
    /// What it is.
    pub(crate) kind: &'static str,
    /// What it says more.
    pub(crate) data: Option<Struct>,
}

/// One client's stream.
struct Events {
    changes: Changes,
    shutdown: Shutdown,
    state: State,
}

/// How far a stream has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The client was not told that it may start.
    Waiting,
    /// It was.
    Open,
    /// It was told of the end; the error comes next.
    Ending,
    /// Nothing more comes.
    Over,
}

/// The events that a client with this selection sees.
pub(crate) fn events<E: From<Event> + 'static>(
    evaluator: &Arc<Evaluator>,
    selection: Selection,
    shutdown: Shutdown,
) -> impl Stream<Item = Result<E, Status>> + Send + use<E> {
    let start = Events {
        changes: Changes::from_now(evaluator, selection),
        shutdown,
        state: State::Waiting,
    };
    stream::unfold(start, |mut events| async move {
        let event = events.next().await?;
        Some((event, events))
    })
    .map(|event| event.map(E::from))
}

impl Events {
    async fn next(&mut self) -> Option<Result<Event, Status>> {
        match self.state {
            State::Waiting | State::Open => self.event().await.map(Ok),
            State::Ending => {
                self.state = State::Over;
                Some(Err(stopping()))
            }
            State::Over => None,
        }
    }

    async fn event(&mut self) -> Option<Event> {
        let keep_alive = Instant::now() + KEEP_ALIVE;
        loop {
            if let Some(event) = self.news() {
                return Some(event);
            }
            tokio::select! {
                more = self.changes.wait() => if !more { return None },
                () = tokio::time::sleep_until(keep_alive), if self.state == State::Open => {
                    return Some(Event { kind: "keep_alive", data: None });
                }
                () = self.shutdown.draining() => {
                    self.state = State::Ending;
                    return Some(Event { kind: "provider_shutdown", data: Some(Struct::default()) });
                }
            }
        }
    }

    /// What the client does not know yet.
    fn news(&mut self) -> Option<Event> {
        if self.state == State::Waiting {
            if !self.changes.holds_any() {
                return None;
            }
            self.state = State::Open;
            self.changes.every();
            return Some(Event {
                kind: "provider_ready",
                data: Some(Struct::default()),
            });
        }
        let news = self.changes.news();
        (!news.is_empty()).then(|| Event {
            kind: "configuration_change",
            data: Some(flags(news)),
        })
    }
}

/// `{"flags": {"<key>": {"type": "write"}}}`.
fn flags(changed: BTreeMap<String, Change>) -> Struct {
    let object = |fields: BTreeMap<String, Value>| Value {
        kind: Some(Kind::StructValue(Struct { fields })),
    };
    let text = |text: &str| Value {
        kind: Some(Kind::StringValue(text.to_owned())),
    };
    let flags = changed
        .into_iter()
        .map(|(key, change)| (key, object([("type".to_owned(), text(word(change)))].into())))
        .collect();
    Struct {
        fields: [("flags".to_owned(), object(flags))].into(),
    }
}

/// flagd's word for it.
fn word(change: Change) -> &'static str {
    match change {
        Change::Written => "write",
        Change::Updated => "update",
        Change::Deleted => "delete",
    }
}

#[cfg(test)]
mod tests;
