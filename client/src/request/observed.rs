//! A piece of work observed as a request, where no layer can be.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::task::futures::TaskLocalFuture;

use crate::outbox::Outbox;
use crate::outcome::Outcome;

use super::{Open, Request};

pin_project! {
    /// The future of [`Client::observe`](crate::Client::observe).
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is polled"]
    pub struct Observed<F> {
        #[pin]
        work: TaskLocalFuture<Request, F>,
        open: Open,
    }
}

impl<F> Observed<F> {
    pub(crate) fn new(outbox: Outbox, work: F) -> Self
    where
        F: Future,
    {
        let open = Open::begin(outbox, None);
        Self {
            work: open.request().clone().within(work),
            open,
        }
    }
}

impl<F, T, E> Future for Observed<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = this.open.step(|| this.work.poll(cx));
        if let Poll::Ready(result) = &polled {
            this.open.end(|| Outcome::of(result).into());
        }
        polled
    }
}
