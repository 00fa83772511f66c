//! The handle that a service holds.
//!
//! Cheap to clone and meant to be shared. It keeps two connections to the agent, one for evaluations and one for
//! outcomes: on one connection they would share a flow-control window, and an agent slow to read outcomes would hold
//! up evaluations. Everything is lazy; connecting never waits for an agent to be there.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use proto::v1::evaluation_client::EvaluationClient;
use proto::v1::{ResolveRequest, WatchRequest};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tonic::transport::Channel;

use crate::address::Address;
use crate::agent::Agent;
use crate::caller::{self, Caller};
use crate::context::Context;
use crate::evaluation::{Answer, Evaluation, EvaluationError};
use crate::exposure::{Exposed, Exposures};
use crate::object::Object;
use crate::outbox::{Drops, Outbox, outbox};
use crate::report::Report;
use crate::reporter;
use crate::request::{self, Observed};
use crate::value::FlagValue;
use crate::values::{Amount, Values};

/// How long an evaluation may take unless told otherwise.
const DEADLINE: Duration = Duration::from_millis(50);
/// No evaluation may take longer; the wire cannot say much more.
const LONGEST_DEADLINE: Duration = Duration::from_secs(3_600);
/// How many reports, and how many events, wait for the agent unless told otherwise.
const QUEUE: usize = 10_000;

/// A service's handle to its agent; clones share connections and queue. When the last one is dropped, what is queued
/// is still sent in the background, for a second or two at most; [`Client::close`] waits for it.
#[derive(Clone, Debug)]
pub struct Client {
    flags: EvaluationClient<Channel>,
    caller: Caller,
    deadline: Duration,
    outbox: Outbox,
    closing: Arc<watch::Sender<bool>>,
    finished: watch::Receiver<()>,
}

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct Options {
    deadline: Duration,
    queue: usize,
    caller: Option<String>,
}

/// Why a client could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Called outside a Tokio runtime, which the background task needs.
    #[error("no Tokio runtime: call connect within one")]
    NoRuntime,
    /// The caller's name cannot be sent.
    #[error("{0:?} is no name of a caller: use 1 to {max} visible characters of ASCII", max = caller::MAX_BYTES)]
    Caller(String),
}

impl Options {
    /// How long an evaluation may take before the default is served; 50 ms unless told, an hour at most.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.min(LONGEST_DEADLINE);
        self
    }

    /// How many reports, and how many events, may wait for the agent before further ones are dropped; 10,000 of each
    /// unless told, at least one, and 8 MiB of each at most.
    #[must_use]
    pub fn queue(mut self, reports: usize) -> Self {
        self.queue = reports;
        self
    }

    /// The name of this service, where several share an agent and not all of them report: the agent waits for the
    /// outcomes of callers that report, and counts as lost what never comes. 1 to 64 visible characters of ASCII, the
    /// same for all processes of the service. Unless told, all users of the agent are one caller.
    #[must_use]
    pub fn caller(mut self, service: impl Into<String>) -> Self {
        self.caller = Some(service.into());
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deadline: DEADLINE,
            queue: QUEUE,
            caller: None,
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
    /// Outside a Tokio runtime, and for a caller's name that cannot be sent.
    pub fn connect_with(address: Address, options: Options) -> Result<Self, ConnectError> {
        let runtime = Handle::try_current().map_err(|_| ConnectError::NoRuntime)?;
        let caller = match options.caller {
            Some(name) => Caller::named(&name).ok_or(ConnectError::Caller(name))?,
            None => Caller::default(),
        };
        let (closing, closed) = watch::channel(false);
        let (finish, finished) = watch::channel(());
        let (outbox, reported, tracked) = outbox(options.queue, &closed);
        let agent = Agent::new(address.channel(), caller.clone());
        runtime.spawn(async move {
            tokio::join!(
                reporter::run(agent.clone(), reported, closed.clone()),
                reporter::run(agent, tracked, closed),
            );
            drop(finish);
        });
        Ok(Self {
            flags: EvaluationClient::new(address.channel()),
            caller,
            deadline: options.deadline,
            outbox,
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

    /// Reports one request by an exposure that was kept, or by an evaluation. Never blocks and never fails.
    pub fn report(&self, exposed: &dyn Exposed, report: impl Into<Report>) {
        self.report_all(&[exposed], report, None);
    }

    /// Reports one request that used several evaluations, of whatever types. It counts once for each arm of each
    /// rollout among them; of more than 64 exposures the first 64 count. A `duration` that is given is the report's. Never
    /// blocks and never fails.
    pub fn report_all(&self, exposed: &[&dyn Exposed], report: impl Into<Report>, duration: Option<Duration>) {
        let exposures = Exposures::of(exposed);
        request::settled(&exposures);
        let report = report.into();
        self.outbox.report(
            exposures,
            match duration {
                Some(duration) => report.after(duration),
                None => report,
            },
        );
    }

    /// Reports something that happened after a request, by an exposure that was kept: a conversion, a refund, the score
    /// that a judge gave. Never blocks and never fails.
    ///
    /// ```
    /// use tidegate_client::{Client, Context, Exposure};
    ///
    /// # fn example(tidegate: &Client, cookie: &str) {
    /// tidegate.track(&Exposure::of_token(cookie), "conversion", true);
    /// let customer = Context::user("user-7").with("plan", "pro");
    /// tidegate.track(&Exposure::of_flag("checkout-v2", &customer), "revenue", 12.5);
    /// # }
    /// ```
    pub fn track(&self, exposed: &dyn Exposed, metric: impl Into<Cow<'static, str>>, amount: impl Into<Amount>) {
        let mut values = Values::default();
        values.set(metric.into(), amount.into());
        self.outbox.track(Exposures::of(&[exposed]), values);
    }

    /// As [`Self::track`], for several exposures and values. It counts once for each arm of each rollout.
    pub fn track_all(&self, exposed: &[&dyn Exposed], amounts: &[(&str, Amount)]) {
        let mut values = Values::default();
        for (metric, amount) in amounts {
            values.set((*metric).to_owned().into(), *amount);
        }
        self.outbox.track(Exposures::of(exposed), values);
    }

    /// Runs some work as one request: what is evaluated in it is reported once when it ends, with [`Outcome::of`] its
    /// result and how long it took. Dropped before that it is cancelled; a panic is an error. For services of HTTP and
    /// gRPC there is [`ReportLayer`](crate::ReportLayer).
    ///
    /// [`Outcome::of`]: crate::Outcome::of
    pub fn observe<F, T, E>(&self, work: F) -> Observed<F>
    where
        F: Future<Output = Result<T, E>>,
    {
        Observed::new(self.outbox(), work)
    }

    /// How many reports and events were dropped because their queue was full or the client closed. Those that were on
    /// their way when a connection broke are not among them: nobody can know whether they were counted.
    pub fn dropped(&self) -> u64 {
        let drops = self.drops();
        drops.reports + drops.events
    }

    /// What was dropped, by reason; values and classes that could not be sent are among it.
    pub fn drops(&self) -> Drops {
        self.outbox.drops()
    }

    /// Sends what is queued, waiting two seconds at most. Every clone is closed with it: later evaluations still
    /// work, later reports are dropped and counted.
    pub async fn close(&self) {
        self.closing.send_replace(true);
        let mut finished = self.finished.clone();
        // Nothing is ever sent: the only change is that the background task has ended and dropped its end.
        let _ = finished.changed().await;
    }

    /// Whether the agent is there and holds flags. Nobody has to ask: evaluations serve defaults until it does.
    ///
    /// # Errors
    /// No agent answers within the deadline, or it holds no flags yet.
    pub async fn ready(&self) -> Result<(), EvaluationError> {
        let look = async {
            let mut flags = self.flags.clone();
            let watch = flags.watch(self.caller.request(WatchRequest::default())).await?;
            watch.into_inner().message().await
        };
        match tokio::time::timeout(self.deadline, look).await {
            Ok(Ok(Some(held))) if held.revision > 0 => Ok(()),
            Ok(Ok(_)) => Err(EvaluationError::Refused("the agent holds no flags yet".to_owned())),
            Ok(Err(status)) => Err(EvaluationError::from_status(&status, self.deadline)),
            Err(_) => Err(EvaluationError::Deadline(self.deadline)),
        }
    }

    /// Evaluates a flag, and adds it to the request that is being served.
    pub(crate) async fn resolve<T: FlagValue>(&self, flag: &str, default: T, context: &Context) -> Evaluation<T> {
        let request = ResolveRequest {
            flag_key: flag.to_owned(),
            context: Some(context.to_wire()),
            r#type: T::TYPE.into(),
        };
        let answer = self.call(request).await.and_then(Answer::read);
        let evaluation = Evaluation::new(answer, default, self.outbox());
        request::exposed(&evaluation);
        evaluation
    }

    /// Where reports of this client go.
    pub(crate) fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// One call under the deadline, which also holds while a connection is being made.
    async fn call(&self, message: ResolveRequest) -> Result<proto::v1::Result, EvaluationError> {
        let mut request = self.caller.request(message);
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

    #[tokio::test]
    async fn a_name_that_cannot_be_sent_is_refused_with_its_text() {
        let refused = Client::connect_with(Address::default(), Options::default().caller("two words")).map(|_| ());
        assert_eq!(refused, Err(ConnectError::Caller("two words".to_owned())));
    }
}
