//! A request that has begun and ends in one way or another.
//!
//! Whoever serves it says how it ended. If nobody does, it is dropped: either its code panicked, which the mark left by
//! the step that never returned tells, or whoever waited for it went away. One who went away after as long as callers
//! wait went away because it took too long: a hang must not hide behind the patience of its callers.

use std::time::Duration;

use crate::outbox::Outbox;
use crate::outcome::Outcome;
use crate::report::Report;

use super::Request;

/// A request until its end.
#[derive(Debug)]
pub(crate) struct Open {
    request: Request,
    patience: Option<Duration>,
    stepping: bool,
}

impl Open {
    /// A request that begins now. A caller that goes away after `patience`, or shortly before, waited too long.
    pub(crate) fn begin(outbox: Outbox, patience: Option<Duration>) -> Self {
        Self {
            request: Request::begin(outbox),
            patience,
            stepping: false,
        }
    }

    /// The request.
    pub(crate) fn request(&self) -> &Request {
        &self.request
    }

    /// Runs a step of the request's code, which may panic.
    pub(crate) fn step<T>(&mut self, step: impl FnOnce() -> T) -> T {
        self.stepping = true;
        let done = step();
        self.stepping = false;
        done
    }

    /// Runs a step in which evaluations belong to the request.
    pub(crate) fn enter<T>(&mut self, step: impl FnOnce() -> T) -> T {
        let request = self.request.clone();
        self.step(|| request.enter(step))
    }

    /// Ends it: reports what its service said of it, and where that says nothing what was found.
    pub(crate) fn end(&self, found: impl FnOnce() -> Report) {
        self.request.end(|_| found());
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.stepping {
            return self.request.panicked();
        }
        let patience = self.patience;
        self.request.end(|took| {
            // Their clock began a little before ours, and rounds.
            let waited_out = patience.is_some_and(|patience| took >= patience.mul_f64(0.95));
            let outcome = if waited_out {
                Outcome::Timeout
            } else {
                Outcome::Cancelled
            };
            outcome.into()
        });
    }
}
