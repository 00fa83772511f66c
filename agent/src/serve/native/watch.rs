//! The stream of changes of one native client: what is held now, then which flags changed.
//!
//! The first message comes at once and names no flag, even if nothing is held yet. As everywhere, the latest wins: a
//! slow client hears once of a flag that changed twice. The end is an error, so that a client connects again.

use std::sync::Arc;

use futures::{Stream, stream};
use proto::v1;
use runtime::shutdown::Shutdown;
use tonic::Status;

use crate::{
    evaluate::{Evaluator, Selection},
    serve::{changes::Changes, stopping},
};

/// One client's stream.
struct Watch {
    changes: Changes,
    shutdown: Shutdown,
    state: State,
}

/// How far a stream has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was said yet.
    Opening,
    /// Changes are said as they come.
    Open,
    /// Nothing more comes.
    Over,
}

/// The changes that a client with this selection sees.
pub(super) fn watch(
    evaluator: &Arc<Evaluator>,
    selection: Selection,
    shutdown: Shutdown,
) -> impl Stream<Item = Result<v1::WatchResponse, Status>> + Send + use<> {
    let start = Watch {
        changes: Changes::from_now(evaluator, selection),
        shutdown,
        state: State::Opening,
    };
    stream::unfold(start, |mut watch| async move {
        let message = watch.next().await?;
        Some((message, watch))
    })
}

impl Watch {
    async fn next(&mut self) -> Option<Result<v1::WatchResponse, Status>> {
        match self.state {
            State::Opening => {
                self.state = State::Open;
                Some(Ok(self.message(Vec::new())))
            }
            State::Open => self.change().await,
            State::Over => None,
        }
    }

    async fn change(&mut self) -> Option<Result<v1::WatchResponse, Status>> {
        loop {
            let news = self.changes.news();
            if !news.is_empty() {
                return Some(Ok(self.message(news.into_keys().collect())));
            }
            tokio::select! {
                more = self.changes.wait() => if !more { return None },
                () = self.shutdown.draining() => {
                    self.state = State::Over;
                    return Some(Err(stopping()));
                }
            }
        }
    }

    fn message(&self, flags: Vec<String>) -> v1::WatchResponse {
        v1::WatchResponse {
            revision: self.changes.revision().number,
            flags,
        }
    }
}
