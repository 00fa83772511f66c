//! `tidegate.v1.Outcomes`: how exposures turned out, from the services beside this agent.
//!
//! Counts each message as it arrives and answers once, when the stream ends or the process drains; what had arrived by
//! then is counted. A stream that breaks has been counted up to its last whole message.

use futures::{Stream, StreamExt as _};
use proto::v1::{self, outcomes_server};
use runtime::shutdown::Shutdown;
use tonic::{Request, Response, Status, Streaming};

use crate::health::{caller::Caller, observe::Observer, received::Received};

/// Messages that are still counted after the process began to drain; a sender that never pauses must not hold it up.
const LAST_MESSAGES: u32 = 1_000;

/// The service.
#[derive(Debug)]
pub(crate) struct Outcomes {
    observer: Observer,
    shutdown: Shutdown,
}

impl Outcomes {
    /// Counts with this observer.
    pub(crate) fn new(observer: Observer, shutdown: Shutdown) -> Self {
        Self { observer, shutdown }
    }
}

#[tonic::async_trait]
impl outcomes_server::Outcomes for Outcomes {
    async fn observe(
        &self,
        request: Request<Streaming<v1::ObserveRequest>>,
    ) -> Result<Response<v1::ObserveResponse>, Status> {
        let caller = Caller::of_metadata(request.metadata());
        let observe = |message| self.observer.observe(message, caller);
        let total = count(request.into_inner(), observe, &self.shutdown).await?;
        Ok(Response::new(total.into()))
    }

    async fn track(
        &self,
        request: Request<Streaming<v1::TrackRequest>>,
    ) -> Result<Response<v1::ObserveResponse>, Status> {
        let caller = Caller::of_metadata(request.metadata());
        let track = |message| self.observer.track(message, caller);
        let total = count(request.into_inner(), track, &self.shutdown).await?;
        Ok(Response::new(total.into()))
    }
}

/// Counts messages until there are no more or, when the process drains, none has arrived.
async fn count<M>(
    mut messages: impl Stream<Item = Result<M, Status>> + Unpin,
    count: impl Fn(M) -> Received,
    shutdown: &Shutdown,
) -> Result<Received, Status> {
    let mut total = Received::default();
    let mut last = LAST_MESSAGES;
    while last > 0 {
        let message = tokio::select! {
            biased;
            message = messages.next() => message,
            () = shutdown.draining() => None,
        };
        let Some(message) = message else { break };
        total.add(&count(message?));
        last -= u32::from(shutdown.is_draining());
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use evaluation::{Arm, Buckets};
    use futures::stream;
    use proto::Token;

    use super::*;
    use crate::{
        health::counters::Counters,
        samples::{Contents, TOKEN_KEY, exposure},
        server_clock::ServerClock,
    };

    fn observer() -> Observer {
        Observer {
            holder: Contents::production().rollout(Buckets::ALL).held(1),
            counters: Arc::new(Counters::default()),
            clock: ServerClock::new(),
        }
    }

    fn message() -> v1::ObserveRequest {
        let token = Token {
            exposure: exposure(Arm::Treatment, 1),
            tick: 0,
            minter: 0,
        };
        let name = v1::exposure_name::Name::Token(token.to_text(TOKEN_KEY));
        let observation = v1::Observation {
            exposures: vec![v1::ExposureName { name: Some(name) }],
            outcome: v1::OutcomeKind::Ok.into(),
            ..v1::Observation::default()
        };
        v1::ObserveRequest {
            observations: vec![observation],
        }
    }

    /// How many are counted of a stream once the process drains.
    async fn counted_while_draining(messages: impl Stream<Item = Result<v1::ObserveRequest, Status>> + Unpin) -> u64 {
        let (observer, shutdown) = (observer(), Shutdown::new());
        shutdown.drain();
        let observe = |message| observer.observe(message, Caller::ANYBODY);
        count(messages, observe, &shutdown).await.unwrap().counted
    }

    #[tokio::test]
    async fn what_has_arrived_when_the_process_drains_is_counted() {
        let arrived = stream::iter((0..5).map(|_| Ok(message()))).chain(stream::pending());
        assert_eq!(counted_while_draining(arrived).await, 5);
    }

    #[tokio::test]
    async fn a_sender_that_never_pauses_does_not_hold_up_the_end() {
        let endless = stream::repeat_with(|| Ok(message()));
        assert_eq!(counted_while_draining(endless).await, u64::from(LAST_MESSAGES));
    }
}
