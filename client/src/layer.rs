//! A tower layer that reports each request of a service for the flags that were used in it.
//!
//! For HTTP and gRPC alike: axum, hyper, tonic. A request begins when it is called and ends when its response has been
//! produced, body and trailers included; whoever goes away before that cancels it. Rule: the request itself neither waits
//! for anything here nor fails of it, and a request that used no flag is not reported.

mod body;
mod judge;
mod patience;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::task::futures::TaskLocalFuture;
use tower::{Layer, Service};

use crate::client::Client;
use crate::outcome::Outcome;
use crate::report::Report;
use crate::request::{self, Open};

use body::Pending;
pub use body::ReportBody;
use judge::Judge;
pub use judge::by_status;

/// Reports the outcome and the duration of each request for the flags that were used in it. Put it around everything
/// that decides what a request comes to, time limits and catchers of panics above all.
///
/// ```
/// use tidegate_client::{Client, ReportLayer};
/// use tower::ServiceBuilder;
///
/// # fn example(tidegate: &Client, checkout: impl Clone) {
/// let service = ServiceBuilder::new().layer(ReportLayer::new(tidegate)).service(checkout);
/// # let _ = service;
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ReportLayer {
    client: Client,
    settings: Settings,
}

/// A service under a [`ReportLayer`].
#[derive(Clone, Debug)]
pub struct ReportService<S> {
    inner: S,
    /// One pointer: services are cloned for each request.
    reporting: Arc<Reporting>,
}

/// By whom and how requests are reported.
#[derive(Debug)]
struct Reporting {
    client: Client,
    settings: Settings,
}

/// How requests are reported.
#[derive(Clone, Debug, Default)]
struct Settings {
    judge: Judge,
    patience: Option<Duration>,
    head_only: bool,
}

pin_project! {
    /// The future of a [`ReportService`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is polled"]
    pub struct ReportFuture<F> {
        #[pin]
        work: TaskLocalFuture<request::Request, F>,
        underway: Option<Underway>,
    }
}

/// A request whose response has not begun.
#[derive(Debug)]
struct Underway {
    open: Open,
    judge: Judge,
    head_only: bool,
}

impl ReportLayer {
    /// Reports by this client, judging responses as [`by_status`] does.
    pub fn new(client: &Client) -> Self {
        Self {
            client: client.clone(),
            settings: Settings::default(),
        }
    }

    /// Judges responses otherwise: by status and headers, and once more by trailers in place of headers where they carry
    /// a `grpc-status`. What the service says by [`Request::outcome`](crate::Request::outcome) still comes first. A
    /// classifier that panics is passed over.
    #[must_use]
    pub fn classify(mut self, classify: impl Fn(StatusCode, &HeaderMap) -> Report + Send + Sync + 'static) -> Self {
        self.settings.judge = Judge::by(classify);
        self
    }

    /// How long callers wait. One that goes away earlier cancels its request, which counts for neither arm; one that
    /// goes away after this long waited in vain, which is [`Outcome::Timeout`]: without it a service that hangs looks
    /// like callers who left. What a caller of gRPC says in `grpc-timeout` is heeded anyway.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = Some(patience);
        self
    }

    /// Ends requests with the heads of their responses: for services that stream for longer than an outcome is waited
    /// for. What happens later in a stream is not reported then.
    #[must_use]
    pub fn head_only(mut self) -> Self {
        self.settings.head_only = true;
        self
    }
}

impl<S> Layer<S> for ReportLayer {
    type Service = ReportService<S>;

    fn layer(&self, inner: S) -> ReportService<S> {
        ReportService {
            inner,
            reporting: Arc::new(Reporting {
                client: self.client.clone(),
                settings: self.settings.clone(),
            }),
        }
    }
}

impl<S, In, Out> Service<Request<In>> for ReportService<S>
where
    S: Service<Request<In>, Response = Response<Out>>,
    Out: Body,
{
    type Response = Response<ReportBody<Out>>;
    type Error = S::Error;
    type Future = ReportFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<In>) -> Self::Future {
        let Reporting { client, settings } = &*self.reporting;
        let head_only = settings.head_only || request.method() == Method::HEAD;
        let patience = patience::patience(request.headers(), settings.patience);
        let mut open = Open::begin(client.outbox(), patience);
        let work = open.enter(|| self.inner.call(request));
        ReportFuture {
            work: open.request().clone().within(work),
            underway: Some(Underway {
                open,
                judge: settings.judge.clone(),
                head_only,
            }),
        }
    }
}

impl<F, Out, E> Future for ReportFuture<F>
where
    F: Future<Output = Result<Response<Out>, E>>,
    Out: Body,
{
    type Output = Result<Response<ReportBody<Out>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = match this.underway.as_mut() {
            Some(underway) => underway.open.step(|| this.work.poll(cx)),
            None => this.work.poll(cx),
        };
        let Poll::Ready(result) = polled else {
            return Poll::Pending;
        };
        let underway = this.underway.take();
        Poll::Ready(match result {
            Ok(response) => Ok(answered(response, underway)),
            Err(error) => {
                if let Some(Underway { open, .. }) = underway {
                    open.end(|| Outcome::Error.into());
                }
                Err(error)
            }
        })
    }
}

/// Judges a response, and lets its request end with its body if there is one to come.
fn answered<Out: Body>(response: Response<Out>, underway: Option<Underway>) -> Response<ReportBody<Out>> {
    let (head, body) = response.into_parts();
    // A connection never asks for the body of such a response.
    let bodiless = head.status.is_informational()
        || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || body.is_end_stream();
    let pending = underway.and_then(|Underway { open, judge, head_only }| {
        let verdict = judge.head(head.status, &head.headers);
        let pending = Pending { open, verdict, judge };
        if head_only || bodiless {
            pending.end();
            None
        } else {
            Some(pending)
        }
    });
    Response::from_parts(head, ReportBody::new(body, pending))
}
