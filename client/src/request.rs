//! The request that is being served, and what it was exposed to.
//!
//! Whatever is evaluated while a request runs belongs to it, wherever in its call tree that happens, and is reported once
//! when it ends. The request is found by the task that runs it; a task spawned from it joins by [`Request::scope`]. Rule:
//! nothing is reported twice, so what a service reports by itself is the request's no more.

mod observed;
mod open;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::futures::TaskLocalFuture;

use crate::exposure::{Exposed, Exposures};
use crate::outbox::Outbox;
use crate::outcome::Outcome;
use crate::report::Report;
use crate::values::Amount;

pub use observed::Observed;
pub(crate) use open::Open;

tokio::task_local! {
    static CURRENT: Request;
}

/// The request that is being served under a [`ReportLayer`](crate::ReportLayer) or by
/// [`Client::observe`](crate::Client::observe). What is said here goes into its report; clones are the same request.
/// Outside of any request it is one that nobody observes, and what is said goes nowhere.
///
/// ```
/// use tidegate_client::Request;
///
/// fn charge_refused() {
///     Request::current().class("card-declined").value("attempts", 2);
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Request(Option<Arc<State>>);

#[derive(Debug)]
struct State {
    outbox: Outbox,
    begun: Instant,
    /// None: it has ended.
    said: Mutex<Option<Said>>,
}

/// What is known of a request until it ends.
#[derive(Debug)]
struct Said {
    exposures: Exposures,
    /// Exposures that the service reported by itself.
    settled: Exposures,
    /// What the service says came of it.
    outcome: Option<Outcome>,
    /// Class and values; its outcome does not count.
    words: Report,
}

impl Request {
    /// The request that this task serves.
    pub fn current() -> Self {
        CURRENT.try_with(Self::clone).unwrap_or_default()
    }

    /// Runs a part of this request that it spawns as a task of its own: `tokio::spawn(request.scope(work))`. What the
    /// part is exposed to after the request ended is not reported.
    pub fn scope<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        self.clone().within(work)
    }

    /// Adds an exposure of an evaluation that was made elsewhere: by another SDK, or in the service that called.
    pub fn expose(&self, exposed: &dyn Exposed) -> &Self {
        let exposure = exposed.name();
        self.say(|said| {
            said.exposures.add(exposure);
            if !said.settled.is_empty() {
                said.exposures.without(&said.settled);
            }
        })
    }

    /// What came of it, whatever the response looks like; see [`Outcome`].
    pub fn outcome(&self, outcome: Outcome) -> &Self {
        self.say(|said| said.outcome = Some(outcome))
    }

    /// Of which class its failure is, if it fails; see [`Report::class`].
    pub fn class(&self, class: impl Into<Cow<'static, str>>) -> &Self {
        let class = class.into();
        self.say(|said| said.words.set_class(class))
    }

    /// Sets a number that belongs to it; see [`Report::value`].
    pub fn value(&self, metric: impl Into<Cow<'static, str>>, amount: impl Into<Amount>) -> &Self {
        let (metric, amount) = (metric.into(), amount.into());
        self.say(|said| said.words.values().set(metric, amount))
    }

    /// Adds to a number that belongs to it, as each of several calls to a model adds its tokens.
    pub fn add(&self, metric: impl Into<Cow<'static, str>>, amount: impl Into<Amount>) -> &Self {
        let (metric, amount) = (metric.into(), amount.into());
        self.say(|said| said.words.values().add(metric, amount))
    }

    /// A request that begins now.
    fn begin(outbox: Outbox) -> Self {
        Self(Some(Arc::new(State {
            outbox,
            begun: Instant::now(),
            said: Mutex::new(Some(Said::default())),
        })))
    }

    /// Runs the work of this request.
    pub(crate) fn within<F: Future>(self, work: F) -> TaskLocalFuture<Self, F> {
        CURRENT.scope(self, work)
    }

    /// Runs a step of this request that does not wait.
    fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), work)
    }

    /// Reports the request: what its service said of it, and what is `found` after so long where that says nothing. Only
    /// the first end counts. Nothing is made of a request without exposures.
    fn end(&self, found: impl FnOnce(Duration) -> Report) {
        let Some(state) = &self.0 else { return };
        let Some(said) = state.said().take() else { return };
        if said.exposures.is_empty() {
            return;
        }
        let took = state.begun.elapsed();
        let found = found(took);
        let outcome = said.outcome.unwrap_or(found.outcome());
        let report = said.words.filled(found).with_outcome(outcome).after(took);
        state.outbox.report(said.exposures, report);
    }

    /// Reports a request that panicked; what the service said came of it was too early.
    fn panicked(&self) {
        self.say(|said| said.outcome = None);
        self.end(|_| Outcome::Error.class("panic"));
    }

    fn say(&self, say: impl FnOnce(&mut Said)) -> &Self {
        if let Some(state) = &self.0 {
            state.said().as_mut().map(say);
        }
        self
    }
}

impl State {
    /// Nobody panics while holding it, and if so what was said stands.
    fn said(&self) -> MutexGuard<'_, Option<Said>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Said {
    fn default() -> Self {
        Self {
            exposures: Exposures::default(),
            settled: Exposures::default(),
            outcome: None,
            words: Outcome::Ok.into(),
        }
    }
}

/// Adds an exposure to the request that this task serves, if it serves any.
pub(crate) fn exposed(exposed: &dyn Exposed) {
    // An error says that there is no request.
    let _ = CURRENT.try_with(|request| {
        request.expose(exposed);
    });
}

/// Takes exposures that the service reported by itself out of the request that this task serves.
pub(crate) fn settled(exposures: &Exposures) {
    let _ = CURRENT.try_with(|request| {
        request.say(|said| {
            said.settled.merge(exposures);
            said.exposures.without(&said.settled);
        });
    });
}
