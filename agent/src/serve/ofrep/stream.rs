//! The event stream of OFREP's web clients (server-sent events): when to ask for all flags again.
//!
//! A message names no flag, because a client asks for all of them; so however many changed, one message is enough, and
//! a slow client hears of many changes once. It ends when the process drains: browsers connect again by themselves, and
//! ask again then.

use std::{convert::Infallible, fmt::Write as _, sync::Arc, time::Duration};

use axum::body::{Body, Bytes};
use evaluation::Revision;
use futures::stream;
use runtime::shutdown::Shutdown;

use crate::{
    evaluate::{Evaluator, Selection},
    serve::changes::Changes,
};

/// Where it is.
pub(super) const PATH: &str = "/ofrep/v1/events";
/// The parameter that selects a flag set: a browser cannot send a header here.
pub(super) const SET: &str = "flagSetId";
/// Said at once, so that a client knows that it is connected: after an end it is to wait for two seconds.
const OPENING: Bytes = Bytes::from_static(b"retry: 2000\n\n");
/// A line that clients skip.
const SIGN_OF_LIFE: Bytes = Bytes::from_static(b":\n\n");
/// Silence after which a sign of life is due: whatever lies between may close silent connections.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// One client's stream.
struct Events {
    changes: Changes,
    shutdown: Shutdown,
    open: bool,
}

/// The stream of a client with this selection.
pub(super) fn body(evaluator: &Arc<Evaluator>, selection: Selection, shutdown: Shutdown) -> Body {
    let start = Events {
        changes: Changes::from_now(evaluator, selection),
        shutdown,
        open: false,
    };
    Body::from_stream(stream::unfold(start, |mut events| async move {
        let bytes = events.next().await?;
        Some((Ok::<_, Infallible>(bytes), events))
    }))
}

/// Where a client that asked with this selection finds its stream; none: nothing of it will ever change.
pub(super) fn path_of(selection: &Selection) -> Option<String> {
    match selection {
        Selection::All => Some(PATH.to_owned()),
        Selection::Set(set) => Some(set.bytes().fold(format!("{PATH}?{SET}="), |mut path, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                path.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(path, "%{byte:02X}");
            }
            path
        })),
        Selection::Nothing => None,
    }
}

impl Events {
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.open, true) {
            return Some(OPENING);
        }
        loop {
            let mut changed = false;
            while !self.changes.news().is_empty() {
                changed = true;
            }
            if changed {
                return Some(message(self.changes.revision()));
            }
            tokio::select! {
                more = self.changes.wait() => if !more { return None },
                () = tokio::time::sleep(KEEP_ALIVE) => return Some(SIGN_OF_LIFE),
                () = self.shutdown.draining() => return None,
            }
        }
    }
}

fn message(revision: Revision) -> Bytes {
    let id = revision.number;
    format!("id: {id}\nevent: message\ndata: {{\"type\":\"refetchEvaluation\"}}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_named_with_its_selection() {
        let of = |selection| path_of(&selection);
        assert_eq!(of(Selection::All).as_deref(), Some("/ofrep/v1/events"));
        assert_eq!(
            of(Selection::Set("a-1 &\"".to_owned())).as_deref(),
            Some("/ofrep/v1/events?flagSetId=a-1%20%26%22")
        );
        assert_eq!(
            of(Selection::Set(String::new())).as_deref(),
            Some("/ofrep/v1/events?flagSetId=")
        );
        assert_eq!(of(Selection::Nothing), None);
    }
}
