//! What a former process has left: the meaning of a spool file, and the frames that are to be sent of it. Pure.
//!
//! Of several records of one name the last counts, but a frame that was cut goes before one that was open: a process
//! that dies sends only what has one name for all time. Open frames have the names that the next ones cut would have
//! had, so whichever of the two arrives first counts and the other is known. For the same reason a frame that is
//! missing between others, or is too old to be counted, is sent without its counts: then nobody waits for it, and what
//! is missing is told.

use std::collections::{BTreeMap, BTreeSet};

use proto::{tick, v1};

use super::{
    dropped::Outcomes,
    record::{Fault, Head, Kept, Record, hollow, next_mark},
};
use crate::health::tally::USEFUL_TICKS;

/// How far the control plane lets a frame overtake others, and so how many missing ones are worth a word.
const WINDOW: u64 = 64;
/// Old frames are given up so many ticks before the control plane would refuse them, because to send them takes time.
const MARGIN_TICKS: u32 = 60;

/// A spool file, read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Left {
    /// Whose frames they are; None: it cannot be told any more, so none can be sent.
    pub(crate) head: Option<Head>,
    /// Parts of the file that could not be read.
    pub(crate) damaged: u64,
    rollouts: BTreeMap<u32, OfRollout>,
}

/// The frames of one rollout, which are sent in this order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ToSend {
    /// The rollout's index.
    pub(crate) rollout: u32,
    /// The rollout's id.
    pub(crate) id: u128,
    /// Ascending, without a gap.
    pub(crate) frames: Vec<v1::Frame>,
    /// Outcomes that are missing in them.
    pub(crate) lost: u64,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct OfRollout {
    acked: u64,
    cut: BTreeMap<u64, Kept>,
    open: BTreeMap<u64, Kept>,
}

impl Left {
    /// Reads a file; any bytes are answered. Complexity: linear, unless damaged parts look like records.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut left = Self::default();
        let mut rest = bytes;
        let mut is_whole = true;
        while !rest.is_empty() {
            match Record::decode(rest) {
                Ok((record, length)) => {
                    left.take(record);
                    rest = &rest[length..];
                    is_whole = true;
                }
                Err(Fault::Unreadable(length)) => {
                    left.damaged += 1;
                    rest = &rest[length..];
                    is_whole = true;
                }
                Err(Fault::Damaged) => {
                    left.damaged += u64::from(is_whole);
                    is_whole = false;
                    let next = next_mark(rest).unwrap_or(rest.len());
                    rest = &rest[next..];
                }
            }
        }
        left
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::Head(head) => self.head = Some(head),
            Record::Acked { rollout, sequence } => {
                let of = self.rollouts.entry(rollout).or_default();
                of.acked = of.acked.max(sequence);
                of.cut.retain(|cut, _| *cut > sequence);
                of.open.retain(|open, _| *open > sequence);
                if sequence == u64::MAX {
                    // The rollout is gone; what follows is of another that has its index.
                    of.acked = 0;
                }
            }
            Record::Cut(kept) => {
                let (rollout, sequence) = kept.name();
                self.rollouts.entry(rollout).or_default().cut.insert(sequence, kept);
            }
            Record::Open(kept) => {
                let (rollout, sequence) = kept.name();
                self.rollouts.entry(rollout).or_default().open.insert(sequence, kept);
            }
        }
    }

    /// The outcomes that it holds, by the index and id of their rollouts.
    pub(crate) fn outcomes(&self) -> Outcomes {
        let mut outcomes = Outcomes::new();
        for (rollout, of) in &self.rollouts {
            for kept in of.named().into_values() {
                *outcomes.entry((*rollout, kept.id)).or_default() += kept.hollow().frame.dropped;
            }
        }
        outcomes
    }

    /// How many frames it holds.
    pub(crate) fn frames(&self) -> u64 {
        self.rollouts.values().map(|of| of.named().len() as u64).sum()
    }

    /// What is to be sent of it at this tick of the server's clock.
    pub(crate) fn to_send(&self, now: u32) -> Vec<ToSend> {
        let rollouts = self.rollouts.iter();
        rollouts.filter_map(|(rollout, of)| of.to_send(*rollout, now)).collect()
    }
}

impl OfRollout {
    /// One frame for each name.
    fn named(&self) -> BTreeMap<u64, &Kept> {
        let mut named: BTreeMap<u64, &Kept> = self.open.iter().map(|(sequence, kept)| (*sequence, kept)).collect();
        named.extend(self.cut.iter().map(|(sequence, kept)| (*sequence, kept)));
        named
    }

    fn to_send(&self, rollout: u32, now: u32) -> Option<ToSend> {
        let named = self.named();
        let (last, newest) = named.last_key_value()?;
        let first = *named.keys().next()?;
        let mut wanted: BTreeSet<u64> = named.keys().copied().collect();
        wanted.extend(self.acked.saturating_add(1).max(first.saturating_sub(WINDOW))..first);
        wanted.extend(first.max(last.saturating_sub(WINDOW))..*last);
        let mut to_send = ToSend {
            rollout,
            id: newest.id,
            frames: Vec::with_capacity(wanted.len()),
            lost: 0,
        };
        for sequence in wanted.into_iter().filter(|sequence| *sequence > 0) {
            let frame = match named.get(&sequence) {
                Some(kept) => kept.frame.clone(),
                None => v1::Frame {
                    sequence,
                    dropped: 0,
                    ..hollow(after(&named, sequence)?)
                },
            };
            let frame = in_time(frame, now);
            if frame.cells.is_empty() {
                to_send.lost = to_send.lost.saturating_add(frame.dropped);
            }
            to_send.frames.push(frame);
        }
        Some(to_send)
    }
}

/// The frame that stands after a missing one, whose ticks and horizon it is given.
fn after<'f>(named: &BTreeMap<u64, &'f Kept>, sequence: u64) -> Option<&'f v1::Frame> {
    named.range(sequence..).next().map(|(_, kept)| &kept.frame)
}

/// A frame as it can be taken now: without its counts if nobody would count them any more, and not of the future, where
/// one may be that was counted before the server's clock was known.
fn in_time(mut frame: v1::Frame, now: u32) -> v1::Frame {
    let oldest = now.saturating_sub(USEFUL_TICKS - MARGIN_TICKS);
    if frame.last_tick < oldest {
        frame = hollow(&frame);
        frame.last_tick = oldest;
    }
    frame.last_tick = frame.last_tick.min(now);
    frame.first_tick = frame.first_tick.min(frame.last_tick);
    let latest_us = tick::begins_us(now.saturating_add(1));
    for cell in &mut frame.cells {
        cell.last_exposure_us = cell.last_exposure_us.min(latest_us);
    }
    frame
}

#[cfg(test)]
mod tests;
