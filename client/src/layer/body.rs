//! A response's body, which is part of its request until its end.
//!
//! What is evaluated while it is produced belongs to the request, its trailers may say what came of it, and a caller that
//! goes away half-way is told by its being dropped.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::request::Open;

use super::judge::{Judge, Verdict};

pin_project! {
    /// The body of a response under a [`ReportLayer`](crate::ReportLayer).
    #[derive(Debug)]
    pub struct ReportBody<B> {
        #[pin]
        inner: B,
        pending: Option<Pending>,
    }
}

/// A request that ends with the body.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) open: Open,
    pub(crate) verdict: Verdict,
    pub(crate) judge: Judge,
}

impl<B> ReportBody<B> {
    /// A body; `pending` ends with it.
    pub(crate) fn new(inner: B, pending: Option<Pending>) -> Self {
        Self { inner, pending }
    }
}

impl Pending {
    pub(crate) fn end(self) {
        self.open.end(|| self.verdict.into_report());
    }
}

impl<B: Body> Body for ReportBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(mut pending) = this.pending.take() else {
            return this.inner.poll_frame(cx);
        };
        let polled = pending.open.enter(|| this.inner.as_mut().poll_frame(cx));
        match &polled {
            Poll::Pending => *this.pending = Some(pending),
            Poll::Ready(None) => pending.end(),
            Poll::Ready(Some(Err(_))) => {
                pending.verdict = pending.verdict.broken();
                pending.end();
            }
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    pending.judge.trailers(&mut pending.verdict, trailers);
                    pending.end();
                } else if this.inner.is_end_stream() {
                    // The connection does not ask for more.
                    pending.end();
                } else {
                    *this.pending = Some(pending);
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
