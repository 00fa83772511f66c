//! What reading needs, and what it finds: the items that a span or record says, and what of it cannot be used.

use evaluation::{Attributed, Snapshot};

use super::{
    dropped::{Dropped, Tally},
    gen_ai,
    ids::SpanId,
    join::{Item, What},
    process::Process,
    served,
};
use crate::server_clock::ServerClock;

/// What is needed to read telemetry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'s> {
    /// Whose flags are meant.
    pub(super) snapshot: &'s Snapshot,
    /// Turns times of this machine into the server's.
    pub(super) clock: &'s ServerClock,
}

/// What was found to be said of one span.
#[derive(Debug)]
pub(super) struct Found<'t> {
    /// The span.
    pub(super) id: SpanId,
    /// Whose it is.
    pub(super) process: Process,
    /// What is said.
    pub(super) items: Vec<Item>,
    /// Exposures that cannot be counted.
    pub(super) uncounted: Vec<Attributed>,
    /// What is not used.
    pub(super) tally: &'t mut Tally,
}

impl<'t> Found<'t> {
    /// Nothing yet.
    pub(super) fn of(id: SpanId, process: Process, tally: &'t mut Tally) -> Self {
        Self {
            id,
            process,
            items: Vec::new(),
            uncounted: Vec::new(),
            tally,
        }
    }

    /// An evaluation, served at this time.
    pub(super) fn evaluation(&mut self, reader: &Reader<'_>, said: &served::Said<'_>, served_ns: u64) {
        let served_us = i64::try_from(served_ns / 1_000).unwrap_or(i64::MAX);
        match said.attribute_to(reader.snapshot, reader.clock, served_us) {
            Ok(attributed) => self.item(What::Served(attributed)),
            Err(uncounted) => {
                self.tally.drop(uncounted.reason, 1);
                self.uncounted.extend(uncounted.of);
            }
        }
    }

    /// A judge's result.
    pub(super) fn judgement(&mut self, judged: Result<gen_ai::Measured, Dropped>) {
        match judged {
            Ok(measured) => self.item(What::Measured(measured)),
            Err(reason) => self.tally.drop(reason, 1),
        }
    }

    /// Something else that is said.
    pub(super) fn item(&mut self, what: What) {
        self.items.push(Item {
            of: self.id,
            process: self.process,
            what,
        });
    }
}
