//! `tidegate.v1.Outcomes`: how exposures turned out, from the services beside this agent.
//!
//! Counts each message as it arrives and answers once, when the stream ends or the process drains; what had arrived by
//! then is counted. A stream that breaks has been counted up to its last whole message.

use futures::{Stream, StreamExt as _};
use proto::v1::{self, outcomes_server};
use runtime::shutdown::Shutdown;
use tonic::{Request, Response, Status, Streaming};

use crate::health::observe::{Observer, Tally};

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
        let total = count(request.into_inner(), &self.observer, &self.shutdown).await?;
        Ok(Response::new(total.into()))
    }
}

/// Counts messages until there are no more or, when the process drains, none has arrived.
async fn count(
    mut messages: impl Stream<Item = Result<v1::ObserveRequest, Status>> + Unpin,
    observer: &Observer,
    shutdown: &Shutdown,
) -> Result<Tally, Status> {
    let mut total = Tally::default();
    let mut last = LAST_MESSAGES;
    while last > 0 {
        let message = tokio::select! {
            biased;
            message = messages.next() => message,
            () = shutdown.draining() => None,
        };
        let Some(message) = message else { break };
        total.add(&observer.observe(message?));
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
            duration_us: None,
        };
        v1::ObserveRequest {
            observations: vec![observation],
        }
    }

    #[tokio::test]
    async fn what_has_arrived_when_the_process_drains_is_counted() {
        let shutdown = Shutdown::new();
        shutdown.drain();
        let arrived = stream::iter((0..5).map(|_| Ok(message()))).chain(stream::pending());
        assert_eq!(count(arrived, &observer(), &shutdown).await.unwrap().counted, 5);
    }

    #[tokio::test]
    async fn a_sender_that_never_pauses_does_not_hold_up_the_end() {
        let shutdown = Shutdown::new();
        shutdown.drain();
        let endless = stream::repeat_with(|| Ok(message()));
        let counted = count(endless, &observer(), &shutdown).await.unwrap().counted;
        assert_eq!(counted, u64::from(LAST_MESSAGES));
    }
}
