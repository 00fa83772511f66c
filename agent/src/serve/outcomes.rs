//! `tidegate.v1.Outcomes`: how exposures turned out, from the services beside this agent.
//!
//! Counts each message as it arrives and answers once, when the stream ends or the process drains. A stream that breaks
//! has been counted up to its last whole message.

use proto::v1::{self, outcomes_server};
use runtime::shutdown::Shutdown;
use tonic::{Request, Response, Status, Streaming};

use crate::health::observe::{Observer, Tally};

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
        let mut stream = request.into_inner();
        let mut total = Tally::default();
        loop {
            let message = tokio::select! {
                message = stream.message() => message?,
                () = self.shutdown.draining() => None,
            };
            match message {
                Some(message) => total.add(&self.observer.observe(message)),
                None => return Ok(Response::new(total.into())),
            }
        }
    }
}
