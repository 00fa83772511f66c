//! The stream of events as a client asks for it: behind an event, of some types, of one environment, with an end or none.
//!
//! The stream is pulled by its client: nothing is queued for one that does not read. It ends when the process drains, and
//! says so.

use std::collections::BTreeSet;

use evaluation::Key;
use futures::stream::{self, BoxStream};
use proto::{
    status::{invalid, violation},
    v1,
};
use runtime::shutdown::Shutdown;
use tonic::Status;

use crate::{
    api::refusal,
    events::{
        Kind,
        position::Position,
        reader::{Reader, Told},
    },
    state::State,
};

/// Which events are wanted.
#[derive(Debug)]
pub(super) struct Filter {
    /// None: all.
    kinds: BTreeSet<Kind>,
    /// None: all.
    environment: Option<Key>,
}

/// What is asked for.
pub(super) fn read(state: &State, request: &v1::WatchEventsRequest) -> Result<(Option<Position>, Filter), Status> {
    let mut wrong = Vec::new();
    let after = match request.after.as_str() {
        "" => None,
        text => match text.parse() {
            Ok(after) => Some(after),
            Err(error) => {
                let error: crate::events::position::NoPosition = error;
                wrong.push(violation("after", error.to_string()));
                None
            }
        },
    };
    let mut kinds = BTreeSet::new();
    // There are fewer types than that.
    for (at, name) in request.types.iter().enumerate().take(100) {
        match Kind::of_name(name) {
            Some(kind) => _ = kinds.insert(kind),
            None => {
                let known = Kind::ALL.map(Kind::name).join(", ");
                let name = name.chars().take(100).collect::<String>();
                wrong.push(violation(
                    format!("types[{at}]"),
                    format!("{name:?} is none of {known}"),
                ));
            }
        }
    }
    if !wrong.is_empty() {
        return Err(invalid(&wrong));
    }
    let environment = match request.environment.as_str() {
        "" => None,
        text => Some(refusal::environment(state, text)?),
    };
    Ok((after, Filter { kinds, environment }))
}

impl Filter {
    fn takes(&self, told: &Told) -> bool {
        let is_of_kind = self.kinds.is_empty() || self.kinds.contains(&told.event.kind);
        is_of_kind
            && self
                .environment
                .as_ref()
                .is_none_or(|environment| *environment == told.environment)
    }
}

struct Watching {
    reader: Reader,
    filter: Filter,
    only_past: bool,
    shutdown: Shutdown,
}

/// The events that are wanted, in order.
pub(super) fn stream(
    reader: Reader,
    filter: Filter,
    only_past: bool,
    shutdown: Shutdown,
) -> BoxStream<'static, Result<v1::WatchEventsResponse, Status>> {
    let watching = Watching {
        reader,
        filter,
        only_past,
        shutdown,
    };
    Box::pin(stream::try_unfold(watching, |mut watching| async move {
        let message = watching.next().await?;
        Ok(message.map(|message| (message, watching)))
    }))
}

impl Watching {
    async fn next(&mut self) -> Result<Option<v1::WatchEventsResponse>, Status> {
        loop {
            let told = tokio::select! {
                biased;
                () = self.shutdown.draining() => {
                    return Err(Status::unavailable("the control plane is stopping; go on behind the last event"));
                }
                told = next(&mut self.reader, self.only_past) => told?,
            };
            let Some(told) = told else {
                return Ok(None);
            };
            if self.filter.takes(&told) {
                return Ok(Some(v1::WatchEventsResponse {
                    id: told.position.to_string(),
                    json: told.event.json,
                }));
            }
        }
    }
}

async fn next(reader: &mut Reader, only_past: bool) -> Result<Option<Told>, Status> {
    if only_past {
        Ok(reader.next_kept().await?)
    } else {
        Ok(Some(reader.next().await?))
    }
}
