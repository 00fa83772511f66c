//! The handle that a service holds.
//!
//! Cheap to clone and meant to be shared. It keeps two connections to the agent, one for evaluations and one for
//! outcomes: on one connection they would share a flow-control window, and an agent slow to read outcomes would hold
//! up evaluations. Everything is lazy; connecting never waits for an agent to be there.

use std::sync::Arc;
use std::time::Duration;

use proto::v1::ResolveRequest;
use proto::v1::evaluation_client::EvaluationClient;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tonic::Request;
use tonic::transport::Channel;

use crate::address::Address;
use crate::context::Context;
use crate::evaluation::{Answer, Evaluation, EvaluationError, Exposed};
use crate::object::Object;
use crate::outcome::{Outcome, observation};
use crate::queue::{Inlet, queue};
use crate::reporter;
use crate::value::FlagValue;

/// How long an evaluation may take unless told otherwise.
const DEADLINE: Duration = Duration::from_millis(50);
/// No evaluation may take longer; the wire cannot say much more.
const LONGEST_DEADLINE: Duration = Duration::from_secs(3_600);
/// How many observations wait for the agent unless told otherwise.
const QUEUE: usize = 10_000;

/// A service's handle to its agent; clones share connections and queue. When the last one is dropped, what is queued
/// is still sent in the background, for a second or two at most; [`Client::close`] waits for it.
#[derive(Clone, Debug)]
pub struct Client {
    flags: EvaluationClient<Channel>,
    deadline: Duration,
    inlet: Inlet,
    closing: Arc<watch::Sender<bool>>,
    finished: watch::Receiver<()>,
}

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct Options {
    deadline: Duration,
    queue: usize,
}

/// Why a client could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Called outside a Tokio runtime, which the background task needs.
    #[error("no Tokio runtime: call connect within one")]
    NoRuntime,
}

impl Options {
    /// How long an evaluation may take before the default is served; 50 ms unless told, an hour at most.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.min(LONGEST_DEADLINE);
        self
    }

    /// How many observations may wait for the agent before further ones are dropped; 10,000 unless told, at least one.
    #[must_use]
    pub fn queue(mut self, observations: usize) -> Self {
        self.queue = observations;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deadline: DEADLINE,
            queue: QUEUE,
        }
    }
}

impl Client {
    /// A client of the agent at `address`, with the default options. Connections are made when they are first used.
    ///
    /// # Errors
    /// Outside a Tokio runtime.
    pub fn connect(address: Address) -> Result<Self, ConnectError> {
        Self::connect_with(address, Options::default())
    }

    /// As [`Self::connect`], with options.
    ///
    /// # Errors
    /// Outside a Tokio runtime.
    pub fn connect_with(address: Address, options: Options) -> Result<Self, ConnectError> {
        let runtime = Handle::try_current().map_err(|_| ConnectError::NoRuntime)?;
        let (closing, closed) = watch::channel(false);
        let (finish, finished) = watch::channel(());
        let (inlet, outlet) = queue(options.queue, closed.clone());
        let outcomes = address.channel();
        runtime.spawn(async move {
            reporter::run(outcomes, outlet, closed).await;
            drop(finish);
        });
        Ok(Self {
            flags: EvaluationClient::new(address.channel()),
            deadline: options.deadline,
            inlet,
            closing: Arc::new(closing),
            finished,
        })
    }

    /// Evaluates a boolean flag. Never fails: `default` is served when there is no answer, and the evaluation says why.
    pub async fn boolean(&self, flag: &str, default: bool, context: &Context) -> Evaluation<bool> {
        self.resolve(flag, default, context).await
    }

    /// Evaluates a string flag. Never fails: `default` is served when there is no answer, and the evaluation says why.
    pub async fn string(&self, flag: &str, default: impl Into<String>, context: &Context) -> Evaluation<String> {
        self.resolve(flag, default.into(), context).await
    }

    /// Evaluates an integer flag. Never fails: `default` is served when there is no answer, and the evaluation says why.
    pub async fn integer(&self, flag: &str, default: i64, context: &Context) -> Evaluation<i64> {
        self.resolve(flag, default, context).await
    }

    /// Evaluates a float flag. Never fails: `default` is served when there is no answer, and the evaluation says why.
    pub async fn float(&self, flag: &str, default: f64, context: &Context) -> Evaluation<f64> {
        self.resolve(flag, default, context).await
    }

    /// Evaluates an object flag. Never fails: `default` is served when there is no answer, and the evaluation says why.
    pub async fn object(&self, flag: &str, default: Object, context: &Context) -> Evaluation<Object> {
        self.resolve(flag, default, context).await
    }

    /// Reports one request that used several evaluations, of whatever types. It counts once for each arm of each
    /// rollout among them; of more than 64 exposures the first 64 count. Never blocks and never fails.
    pub fn report_all(&self, evaluations: &[&dyn Exposed], outcome: Outcome, duration: Option<Duration>) {
        let tokens = evaluations.iter().filter_map(|evaluation| evaluation.token());
        self.inlet.offer(observation(tokens, outcome, duration));
    }

    /// How many observations were dropped because the queue was full or the client closed. Those that were on their way
    /// when a connection broke are not among them: nobody can know whether they were counted.
    pub fn dropped(&self) -> u64 {
        self.inlet.dropped()
    }

    /// Sends what is queued, waiting two seconds at most. Every clone is closed with it: later evaluations still
    /// work, later reports are dropped and counted.
    pub async fn close(&self) {
        self.closing.send_replace(true);
        let mut finished = self.finished.clone();
        // Nothing is ever sent: the only change is that the background task has ended and dropped its end.
        let _ = finished.changed().await;
    }

    async fn resolve<T: FlagValue>(&self, flag: &str, default: T, context: &Context) -> Evaluation<T> {
        let request = ResolveRequest {
            flag_key: flag.to_owned(),
            context: Some(context.to_wire()),
            r#type: T::TYPE.into(),
        };
        let answer = self.call(request).await.and_then(Answer::read);
        Evaluation::new(answer, default, self.inlet.clone())
    }

    /// One call under the deadline, which also holds while a connection is being made.
    async fn call(&self, message: ResolveRequest) -> Result<proto::v1::Result, EvaluationError> {
        let mut request = Request::new(message);
        request.set_timeout(self.deadline);
        let mut flags = self.flags.clone();
        match tokio::time::timeout(self.deadline, flags.resolve(request)).await {
            Ok(Ok(response)) => Ok(response.into_inner().result.unwrap_or_default()),
            Ok(Err(status)) => Err(EvaluationError::from_status(&status, self.deadline)),
            Err(_) => Err(EvaluationError::Deadline(self.deadline)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_a_runtime_connecting_is_an_error_and_not_a_panic() {
        let refused = Client::connect(Address::default()).map(|_| ());
        assert_eq!(refused, Err(ConnectError::NoRuntime));
    }
}
