//! What requests hold to report by: both queues, and the count of what could not be sent.
//!
//! Nothing here blocks or fails: there is room, or it is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::carried::{Reported, Tracked};
use crate::exposure::Exposures;
use crate::queue::{Inlet, Outlet, queue};
use crate::report::Report;
use crate::values::Values;

/// What a client dropped so far, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drops {
    /// Reports that met a full or closed queue, or were left in it when the client closed.
    pub reports: u64,
    /// Events that did.
    pub events: u64,
    /// Values left out of reports and events: not finite, under no key of a metric, or more than 32.
    pub values: u64,
    /// Classes of failure left out of reports: not in the form of one.
    pub classes: u64,
}

/// The ends of both queues that requests hold; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Outbox(Arc<Inlets>);

#[derive(Debug)]
struct Inlets {
    reports: Inlet<Reported>,
    events: Inlet<Tracked>,
    values: AtomicU64,
    classes: AtomicU64,
}

/// Two queues of at most `capacity` items each. They take no more once `closing` says true or its sender is gone.
pub(crate) fn outbox(capacity: usize, closing: &watch::Receiver<bool>) -> (Outbox, Outlet<Reported>, Outlet<Tracked>) {
    let (reports, reported) = queue(capacity, closing.clone());
    let (events, tracked) = queue(capacity, closing.clone());
    let inlets = Inlets {
        reports,
        events,
        values: AtomicU64::new(0),
        classes: AtomicU64::new(0),
    };
    (Outbox(Arc::new(inlets)), reported, tracked)
}

impl Outbox {
    /// Reports a request; one that was exposed to nothing is not reported at all.
    pub(crate) fn report(&self, exposures: Exposures, report: Report) {
        let left_out = report.left_out();
        count(&self.0.values, left_out.values);
        count(&self.0.classes, left_out.classes);
        if !exposures.is_empty() {
            self.0.reports.offer(Reported { exposures, report });
        }
    }

    /// Reports what happened after exposures; without any of them, or without a value, nothing is.
    pub(crate) fn track(&self, exposures: Exposures, values: Values) {
        count(&self.0.values, values.left_out());
        if !exposures.is_empty() && !values.is_empty() {
            self.0.events.offer(Tracked { exposures, values });
        }
    }

    pub(crate) fn drops(&self) -> Drops {
        Drops {
            reports: self.0.reports.dropped(),
            events: self.0.events.dropped(),
            values: self.0.values.load(Ordering::Relaxed),
            classes: self.0.classes.load(Ordering::Relaxed),
        }
    }
}

fn count(counter: &AtomicU64, more: u64) {
    if more > 0 {
        counter.fetch_add(more, Ordering::Relaxed);
    }
}
