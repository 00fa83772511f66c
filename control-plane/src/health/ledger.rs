//! The ledger of one rollout: everything that is known of its frames, in memory.
//!
//! Frames are accepted into open batches, one per horizon and ten minutes; sealing turns the oldest into a transaction. What was
//! accepted (`dots`) and what is durable (`marks`) are kept apart, because a batch is of one span and an agent's frames may
//! be in two. The rule: nothing is acknowledged that is not durable, and nothing durable is counted again. A ledger does no
//! I/O: the collector commits its transactions and loads it anew when one is refused.

use std::collections::BTreeMap;

use evaluation::Key;
use proto::tick;
use rollout::{evidence::unit::Positions, measure::hour_of_week};
use uuid::Uuid;

use super::{
    cells::Batch,
    dots::{Dots, Span, Taken},
    frames::{Frame, Reporter},
    marks::{self, Marks},
    pace,
    pushes::Pushes,
};
use crate::{evidence::EvidenceRecord, record::RolloutRecord, store::Txn};

/// While nothing but empty frames comes, their marks are written this often, in microseconds.
const MARKS_EVERY_US: i64 = 10_000_000;
/// An agent with so many frames that are not durable gets its marks written at once.
const MARKS_AT: usize = 32;
/// The slots of time that batches keep apart. Six make an hour.
const SLOT_US: i64 = 600_000_000;
/// How often old marks are looked for, in microseconds.
const FORGET_EVERY_US: i64 = 600_000_000;

/// All that is known of the frames of one rollout.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(super) environment: Key,
    pub(super) rollout: Uuid,
    pub(super) index: u32,
    /// The dots of all frames in durable or open batches.
    pub(super) dots: Dots,
    /// Marks of the frames in sealed batches.
    pub(super) durable: Marks,
    /// What is not sealed and counts something, by its span.
    pub(super) open: BTreeMap<Span, Open>,
    /// Pushed measurements that are not sealed.
    pub(super) pushes: Pushes,
    /// Positions that failed, by horizon, then (metric, stratum).
    pub(super) failed: BTreeMap<u32, BTreeMap<(u16, u8), Positions>>,
    /// Sampled positions, by (stage, visit).
    pub(super) samples: BTreeMap<(u8, u32), Samples>,
    /// The evidence with all sealed batches.
    pub(super) record: EvidenceRecord,
    /// Sealed, and not yet known to be durable.
    pub(super) pending: Option<Sealed>,
    pub(super) sealed_at_us: i64,
    pub(super) marks_at_us: i64,
    pub(super) forgot_at_us: i64,
}

/// What frames of one span count that are not sealed.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) batch: Batch,
    /// The tick of its first news: once the fleet has reported so far, the batch is complete.
    goal_tick: u32,
    opened_at_us: i64,
    /// An agent says that the treatment does plainly worse: nobody is waited for.
    is_urgent: bool,
}

/// When it happened what a batch counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) horizon: u32,
    /// The hour of the week.
    pub(super) hour: u8,
    /// The last moment that it may be of.
    pub(super) at_us: i64,
}

/// Sampled positions of one visit: (position, stratum) to whether treatment had it first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Samples {
    pub(super) set: BTreeMap<(u32, u8), bool>,
    pub(super) is_dirty: bool,
}

/// A transaction, and whom to tell when it is durable.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) txn: Txn,
    pub(super) writes_evidence: bool,
    pub(super) acks: Vec<(Reporter, u64)>,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// It is in an open batch.
    New,
    /// It was taken before. All frames of its reporter up to `durable` are durable.
    Known {
        /// 0: none yet.
        durable: u64,
    },
    /// Its reporter has too many frames that are not acknowledged, or there are too many reporters. It was not taken.
    Full,
}

/// What is worth a transaction by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing.
    Nothing,
    /// The marks of frames without news.
    Marks,
    /// A batch.
    Batch,
}

impl Ledger {
    /// The ledger of a rollout of which no frame was ever sealed.
    pub(crate) fn new(environment: Key, rollout: Uuid, index: u32) -> Self {
        Self {
            environment,
            rollout,
            index,
            dots: Dots::default(),
            durable: Marks::default(),
            open: BTreeMap::new(),
            pushes: Pushes::default(),
            failed: BTreeMap::new(),
            samples: BTreeMap::new(),
            record: EvidenceRecord::default(),
            pending: None,
            sealed_at_us: 0,
            marks_at_us: 0,
            forgot_at_us: 0,
        }
    }

    /// The rollout's index in its environment.
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// The evidence with all sealed batches.
    pub(crate) fn record(&self) -> &EvidenceRecord {
        &self.record
    }

    /// Takes a frame into the open batch of its span, unless its dot is known.
    pub(crate) fn accept(&mut self, reporter: &Reporter, frame: &Frame, now_us: i64) -> Accepted {
        let span = (frame.horizon, slot(frame.last_tick));
        match self.dots.take(reporter, span, frame.sequence, now_us) {
            Taken::Full => Accepted::Full,
            Taken::Known => Accepted::Known {
                // What is pending may yet be refused, so nothing is said of it.
                durable: match self.pending {
                    Some(_) => 0,
                    None => self.durable.get(reporter).contiguous(),
                },
            },
            Taken::New => {
                if !frame.is_silent() {
                    self.open.entry(span).or_default().add(frame, now_us);
                }
                Accepted::New
            }
        }
    }

    /// Whether frames of a reporter wait to become durable.
    pub(crate) fn is_awaited_by(&self, reporter: &Reporter) -> bool {
        self.dots.is_awaited_by(reporter) || self.pending_acks().any(|acked| acked == reporter)
    }

    /// Everybody whose frames wait to become durable; some more than once.
    pub(crate) fn awaited_by(&self) -> impl Iterator<Item = &Reporter> {
        self.dots.awaited_by().chain(self.pending_acks())
    }

    fn pending_acks(&self) -> impl Iterator<Item = &Reporter> {
        let acks = self.pending.iter().flat_map(|sealed| &sealed.acks);
        acks.map(|(reporter, _)| reporter)
    }

    /// Whether the record holds every count that was accepted.
    pub(crate) fn is_settled(&self) -> bool {
        self.pending.is_none() && self.pushes.is_empty() && self.open.is_empty()
    }

    /// What is worth a transaction. `covers` says whether the fleet has reported up to a tick.
    ///
    /// A batch is due each interval, once the fleet has reported past its first news, or after three intervals; one with an
    /// urgent frame a second after the last. What was pushed waits for nobody.
    pub(crate) fn due(&self, interval_us: i64, covers: impl Fn(u32) -> bool, now_us: i64) -> Due {
        if self.pending.is_some() {
            return Due::Nothing;
        }
        if self.pushes.is_due(now_us) {
            return Due::Batch;
        }
        let since = |time_us: i64| now_us.saturating_sub(time_us);
        if let Some((_, open)) = self.open.first_key_value() {
            // At one moment the batches of all spans may be sealed, the oldest first: what is urgent waits for none of them.
            let is_urgent = self.open.values().any(|open| open.is_urgent);
            let rest_us = if is_urgent { pace::HOT_US } else { interval_us };
            let is_rested = now_us == self.sealed_at_us || since(self.sealed_at_us) >= rest_us;
            let is_complete = is_urgent || covers(open.goal_tick) || since(open.opened_at_us) >= 3 * interval_us;
            return if is_rested && is_complete {
                Due::Batch
            } else {
                Due::Nothing
            };
        }
        let is_late = !self.dots.is_empty() && since(self.marks_at_us) >= MARKS_EVERY_US;
        if is_late || self.dots.most_open() >= MARKS_AT {
            Due::Marks
        } else {
            Due::Nothing
        }
    }

    /// Seals what was pushed, or the oldest batch with news, or, if there is no news at all, the marks of the frames
    /// without any.
    ///
    /// The transaction must be committed, or the ledger loaded anew. None if no frame waits, or one is pending already.
    pub(crate) fn seal(&mut self, rollout: &RolloutRecord, now_us: i64) -> Option<Txn> {
        if self.pending.is_some() {
            return None;
        }
        if self.pushes.is_due(now_us) {
            return self.seal_all_pushed(rollout, now_us);
        }
        if self.dots.is_empty() {
            return None;
        }
        self.forget(now_us);
        let news = self.open.pop_first();
        // Frames without news go along with the next batch, whatever their span up to its own: there is nothing to count in
        // them.
        let acks = self.close_dots(news.as_ref().map(|(span, _)| *span), now_us);
        let writes_evidence = news.is_some();
        let txn = match news {
            Some((span, open)) => self.batch_txn(Counted::of(span, now_us), &open.batch, rollout, now_us),
            None => self.marks_txn(),
        };
        self.marks_at_us = now_us;
        self.pending = Some(Sealed {
            txn: txn.clone(),
            writes_evidence,
            acks,
        });
        Some(txn)
    }

    /// Seals what was pushed; there is nobody to tell but those who asked, and they were told when it was durable.
    fn seal_all_pushed(&mut self, rollout: &RolloutRecord, now_us: i64) -> Option<Txn> {
        let txn = self.seal_pushed(rollout, now_us)?;
        self.pending = Some(Sealed {
            txn: txn.clone(),
            writes_evidence: true,
            acks: Vec::new(),
        });
        Some(txn)
    }

    /// The transaction that is not yet known to be durable.
    pub(crate) fn pending(&self) -> Option<&Txn> {
        self.pending.as_ref().map(|sealed| &sealed.txn)
    }

    /// The pending transaction is durable at a revision. Returns up to where each of its reporters may forget.
    pub(crate) fn committed(&mut self, revision: u64) -> Vec<(Reporter, u64)> {
        let Some(sealed) = self.pending.take() else {
            return Vec::new();
        };
        if sealed.writes_evidence {
            self.record.revision = revision;
        }
        sealed.acks
    }

    /// Makes the dots up to a span durable, or all; returns how far each reporter's are without a gap.
    fn close_dots(&mut self, until: Option<Span>, now_us: i64) -> Vec<(Reporter, u64)> {
        let closed = self.dots.close(until);
        let acks = closed.into_iter().map(|closed| {
            let mark = closed.mark.unwrap_or_else(|| {
                let mut mark = self.durable.get(&closed.reporter);
                closed
                    .sequences
                    .iter()
                    .for_each(|sequence| _ = mark.take(*sequence, now_us));
                mark
            });
            self.durable.set(&closed.reporter, mark);
            (closed.reporter, mark.contiguous())
        });
        acks.collect()
    }

    fn forget(&mut self, now_us: i64) {
        if now_us.saturating_sub(self.forgot_at_us) < FORGET_EVERY_US {
            return;
        }
        self.forgot_at_us = now_us;
        let oldest_us = now_us.saturating_sub(marks::KEPT_US);
        self.durable.forget_before(oldest_us);
        self.dots.forget_before(oldest_us);
    }
}

/// The slot of time of a tick.
fn slot(tick: u32) -> i64 {
    tick::begins_us(tick).div_euclid(SLOT_US)
}

impl Counted {
    /// What frames of a span counted, if it is sealed now.
    fn of((horizon, slot): Span, now_us: i64) -> Self {
        let begins_us = slot.saturating_mul(SLOT_US);
        Self {
            horizon,
            hour: hour_of_week(begins_us),
            at_us: begins_us.saturating_add(SLOT_US - 1).min(now_us),
        }
    }

    /// What was pushed counts when it is sealed.
    pub(super) fn now(horizon: u32, now_us: i64) -> Self {
        Self {
            horizon,
            hour: hour_of_week(now_us),
            at_us: now_us,
        }
    }
}

impl Open {
    fn add(&mut self, frame: &Frame, now_us: i64) {
        if self.batch.is_empty() {
            (self.goal_tick, self.opened_at_us) = (frame.last_tick, now_us);
        }
        self.is_urgent |= frame.is_urgent;
        self.batch.add(frame);
    }
}

#[cfg(test)]
mod tests;
